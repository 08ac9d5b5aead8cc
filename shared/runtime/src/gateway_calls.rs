//! Calls to gateways: one request, one reply read by the adapter, and no reply is not known.

use std::time::Duration;

use bytes::Bytes;
use gateways::bill::{BillOutcome, BillStep, Bills};
use gateways::{
    CloseOutcome, CreateOutcome, Gateway, Owner, PaymentRef, QueryOutcome, RefundOutcome,
    RefundRequest, Refusal,
};
use http::{Request, Response};

use crate::deps::Deps;
use crate::serve::class;
use crate::telemetry::{Metric, measure};
use crate::transport::Transport;

/// The largest part of a bill that is read at once, in bytes: some 100,000 rows.
pub const BILL_LEN_MAX: usize = 48 * 1024 * 1024;
/// How long one call for a bill may take, reading included.
pub const BILL_TIMEOUT: Duration = Duration::from_secs(60);

/// Creates a payment from its stored body.
pub async fn create(
    deps: &Deps,
    gateway: &dyn Gateway,
    payment_id: &str,
    body: &str,
) -> CreateOutcome {
    let request = gateway.create(payment_id, body, deps.stamp());
    match send(deps, gateway, "create", request).await {
        Ok(reply) => gateway.read_create(&reply, deps.now()),
        Err(refusal) => CreateOutcome::Unknown(refusal),
    }
}

/// Asks for a payment.
pub async fn query(deps: &Deps, gateway: &dyn Gateway, payment: &PaymentRef<'_>) -> QueryOutcome {
    match send(deps, gateway, "query", gateway.query(payment, deps.stamp())).await {
        Ok(reply) => gateway.read_query(payment, &reply, deps.now()),
        Err(refusal) => QueryOutcome::Unknown(refusal),
    }
}

/// Asks whose payment a transaction is.
///
/// # Errors
/// [`Refusal`] if there is no usable answer.
pub async fn query_owner(
    deps: &Deps,
    gateway: &dyn Gateway,
    transaction_id: &str,
) -> Result<Option<Owner>, Refusal> {
    let request = gateway.query_owner(transaction_id, deps.stamp());
    let reply = send(deps, gateway, "query_owner", request).await?;
    gateway.read_owner(&reply, deps.now())
}

/// Closes a payment; one that the gateway only finds at first is closed by the id that it names.
pub async fn close(deps: &Deps, gateway: &dyn Gateway, payment: &PaymentRef<'_>) -> CloseOutcome {
    match close_once(deps, gateway, payment).await {
        CloseOutcome::Named(id) => {
            let named = PaymentRef { gateway_ref: Some(&id), ..payment.clone() };
            close_once(deps, gateway, &named).await
        }
        outcome @ (CloseOutcome::Closed
        | CloseOutcome::NotFound
        | CloseOutcome::Ask(_)
        | CloseOutcome::TooOften(_)
        | CloseOutcome::Unknown(_)) => outcome,
    }
}

async fn close_once(deps: &Deps, gateway: &dyn Gateway, payment: &PaymentRef<'_>) -> CloseOutcome {
    match send(deps, gateway, "close", gateway.close(payment, deps.stamp())).await {
        Ok(reply) => gateway.read_close(&reply, deps.now()),
        Err(refusal) => CloseOutcome::Unknown(refusal),
    }
}

/// Gives a captured transaction back.
pub async fn refund(
    deps: &Deps,
    gateway: &dyn Gateway,
    refund: &RefundRequest<'_>,
) -> RefundOutcome {
    match send(deps, gateway, "refund", gateway.refund(refund, deps.stamp())).await {
        Ok(reply) => gateway.read_refund(refund, &reply, deps.now()),
        Err(refusal) => RefundOutcome::Unknown(refusal),
    }
}

/// Asks for a refund.
pub async fn query_refund(
    deps: &Deps,
    gateway: &dyn Gateway,
    refund: &RefundRequest<'_>,
) -> RefundOutcome {
    let request = gateway.query_refund(refund, deps.stamp());
    match send(deps, gateway, "query_refund", request).await {
        Ok(reply) => gateway.read_query_refund(refund, &reply, deps.now()),
        Err(refusal) => RefundOutcome::Unknown(refusal),
    }
}

/// Asks for a step of a gateway's bill.
pub async fn bill_step(
    deps: &Deps,
    (gateway, bills): (&dyn Gateway, &dyn Bills),
    step: &BillStep,
) -> BillOutcome {
    let transport = deps.transport.as_ref().clone();
    let transport = transport.reading_up_to(BILL_LEN_MAX).waiting_up_to(BILL_TIMEOUT);
    match send_by(deps, &transport, gateway, "bill", bills.ask(step, deps.stamp())).await {
        Ok(reply) => bills.read(step, &reply, deps.now()),
        Err(refusal) => BillOutcome::Unknown(refusal),
    }
}

async fn send(
    deps: &Deps,
    gateway: &dyn Gateway,
    call: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Refusal> {
    send_by(deps, &deps.transport, gateway, call, request).await
}

async fn send_by(
    deps: &Deps,
    transport: &Transport,
    gateway: &dyn Gateway,
    call: &'static str,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Refusal> {
    let began = deps.now();
    let outcome = transport.send(request).await;
    let duration_ms = deps.now().duration_since(began).as_millis();
    let duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX);
    let name = gateway.name().as_str();
    let answered = match &outcome {
        Ok(reply) => {
            let status = reply.status();
            tracing::debug!(gateway = name, call, status = status.as_u16(), "gateway answered");
            class(status)
        }
        Err(error) => {
            tracing::warn!(gateway = name, call, %error, "gateway silent");
            "silent"
        }
    };
    measure(
        &[(Metric::GatewayCalls, 1), (Metric::GatewayCallDuration, duration_ms)],
        &[("gateway", name), ("call", call), ("outcome", answered)],
    );
    outcome.map_err(|error| no_reply(error.to_string()))
}

fn no_reply(message: String) -> Refusal {
    Refusal { status: 0, code: "no_reply".to_owned(), message }
}
