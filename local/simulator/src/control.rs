//! The control calls: wallet, ledger, faults, and notifications on demand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alipay::keys::AlipayKey;
use crate::codes;
use crate::console::{self, RefundRequest};
use crate::delivery::{self, Answer};
use crate::faults::FaultPlan;
use crate::hand_made::{self, HandMade};
use crate::ledger::{
    Delivery, Event, Gateway, Payment, Refund, RefundOutcome, Subject, Trade, Transaction,
};
use crate::problem::Problem;
use crate::state::Shared;
use crate::stripe;
use crate::stripe::console::DisputeRequest;
use crate::wallet::{self, CodeRequest, PayRequest};

/// Which notification to send again: a payment's, or that of a refund which has ended.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReplayRequest {
    TransactionId(String),
    RefundNo(String),
}

/// Which key Alipay signs with from now on. As in the world there is no time in which both do.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlipayKeyChoice {
    signs: AlipayKey,
}

/// What the callback answered to a replay.
#[derive(Serialize)]
struct Replayed {
    status: u16,
}

/// What the callback answered to a hand-made notification.
#[derive(Serialize)]
struct Notified {
    status: u16,
    body: String,
}

pub(crate) async fn pay(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|request: PayRequest| wallet::pay(&shared, &request)))
}

pub(crate) async fn scan(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|request: CodeRequest| wallet::scan(&shared, &request)))
}

pub(crate) async fn refuse(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|request: CodeRequest| wallet::refuse(&shared, &request)))
}

pub(crate) async fn codes(State(shared): State<Arc<Shared>>) -> Response {
    answer(codes::newest(&shared))
}

pub(crate) async fn refund(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|request: RefundRequest| console::refund(&shared, &request)))
}

pub(crate) async fn ledger(State(shared): State<Arc<Shared>>) -> Response {
    let payments = all_payments(&shared);
    let cancels = shared.lock().ledger.cancels();
    Json(json!({ "payments": payments, "cancels": cancels })).into_response()
}

/// Every payment that a gateway knows, the oldest first.
pub(crate) fn all_payments(shared: &Shared) -> Vec<Value> {
    let now = shared.now();
    let state = shared.lock();
    let mut payments: Vec<&Payment> = state.ledger.payments().collect();
    payments.sort_by_key(|payment| payment.created_at);
    payments.into_iter().map(|payment| payment_view(payment, now)).collect()
}

/// The payment that some gateway knows under the merchant's number.
pub(crate) fn payment_of(shared: &Shared, payment_id: &str) -> Option<Value> {
    let now = shared.now();
    let state = shared.lock();
    let payment = state.ledger.payments().find(|payment| payment.key.payment_id == payment_id);
    payment.map(|payment| payment_view(payment, now))
}

pub(crate) async fn faults(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.lock().faults.clone()).into_response()
}

/// Replaces the plan: what is not given is no fault.
pub(crate) async fn set_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|plan: FaultPlan| {
        plan.check().map_err(Problem::InvalidRequest)?;
        shared.lock().faults = plan.clone();
        Ok(plan)
    }))
}

pub(crate) async fn set_alipay_key(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|choice: AlipayKeyChoice| {
        shared.lock().record(vec![Event::AlipaySignsWith { key: choice.signs }])?;
        Ok(choice)
    }))
}

pub(crate) async fn replay(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(match parse(&body) {
        Ok(request) => replay_now(&shared, request).await,
        Err(problem) => Err(problem),
    })
}

pub(crate) async fn notify(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(match parse(&body) {
        Ok(hand_made) => notify_now(&shared, hand_made).await,
        Err(problem) => Err(problem),
    })
}

/// Opens a dispute, or closes the one that is open.
pub(crate) async fn dispute(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    answer(parse(&body).and_then(|request: DisputeRequest| {
        match gateway_of(&shared, &request.transaction_id)? {
            Gateway::Stripe => stripe::console::dispute(&shared, request),
            Gateway::WechatPay | Gateway::Alipay => {
                Err(Problem::InvalidRequest("this gateway has no disputes".to_owned()))
            }
        }
    }))
}

fn gateway_of(shared: &Shared, transaction_id: &str) -> Result<Gateway, Problem> {
    let state = shared.lock();
    let payment = state.ledger.payment_by_transaction(transaction_id);
    payment.map(|payment| payment.key.gateway).ok_or(Problem::UnknownTransaction)
}

async fn replay_now(shared: &Shared, request: ReplayRequest) -> Result<Replayed, Problem> {
    let delivery = once_more(shared, request)?;
    let outgoing = delivery::compose(shared, &delivery).ok_or(Problem::Unsigned)?;
    let answered = shared.client.send(outgoing).await;
    let Delivery { payment, subject, .. } = delivery;
    let acknowledged =
        answered.as_ref().is_some_and(|answer| delivery::acknowledges(payment.gateway, answer));
    let sent = Event::NotificationSent { payment, subject, acknowledged };
    shared.lock().record(vec![sent])?;
    let Answer { status, .. } = answered.ok_or(Problem::CallbackUnreachable)?;
    Ok(Replayed { status: status.as_u16() })
}

/// A delivery outside the queue: no fault touches it and nothing repeats it.
fn once_more(shared: &Shared, request: ReplayRequest) -> Result<Delivery, Problem> {
    let mut state = shared.lock();
    let (payment, subject, created_at) = match request {
        ReplayRequest::TransactionId(id) => {
            let payment = state.ledger.payment_by_transaction(&id);
            let told = payment.and_then(|it| Some((it.key.clone(), it.transaction(&id)?.paid_at)));
            let (payment, paid_at) = told.ok_or(Problem::UnknownTransaction)?;
            (payment, Subject::Transaction(id), paid_at)
        }
        ReplayRequest::RefundNo(no) => {
            let ended = |it: &Payment| Some((it.key.clone(), it.refund(&no)?.settled.as_ref()?.at));
            let (payment, at) =
                state.ledger.payments().find_map(ended).ok_or(Problem::UnknownRefund)?;
            (payment, Subject::Refund(no), at)
        }
    };
    let number = state.ledger.next_number();
    Ok(Delivery {
        number,
        notification_id: format!("EV-{number:020}"),
        payment,
        subject,
        created_at,
        attempts: 0,
    })
}

async fn notify_now(shared: &Shared, hand_made: HandMade) -> Result<Notified, Problem> {
    let outgoing = hand_made::compose(shared, &hand_made).ok_or(Problem::Unsigned)?;
    let answered = shared.client.send(outgoing).await;
    let Answer { status, body } = answered.ok_or(Problem::CallbackUnreachable)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Notified { status: status.as_u16(), body })
}

fn payment_view(payment: &Payment, now: Timestamp) -> Value {
    json!({
        "payment_id": payment.key.payment_id,
        "gateway": payment.key.gateway,
        "amount": payment.amount,
        "captured": payment.captured(),
        "refunded": payment.refunded(),
        "closed": payment.closed || wallet::was_never_begun(payment, now),
        "notifications": payment.notifications(),
        "created_at": payment.created_at,
        "expires_at": payment.expires_at,
        "trade": payment.trade.as_ref().map(trade_view),
        "code_urls": payment.codes.iter().map(|code| &code.url).collect::<Vec<_>>(),
        "transactions": payment.transactions.iter().map(transaction_view).collect::<Vec<_>>(),
        "refunds": payment.refunds.iter().map(refund_view).collect::<Vec<_>>(),
    })
}

fn trade_view(trade: &Trade) -> Value {
    json!({ "trade_no": trade.trade_no, "scanned_at": trade.scanned_at })
}

fn transaction_view(transaction: &Transaction) -> Value {
    json!({
        "transaction_id": transaction.transaction_id,
        "amount": transaction.amount,
        "paid_at": transaction.paid_at,
        "notifications": transaction.notifications,
    })
}

fn refund_view(refund: &Refund) -> Value {
    json!({
        "refund_no": refund.refund_no,
        "refund_id": refund.refund_id,
        "transaction_id": refund.transaction_id,
        "amount": refund.amount,
        "status": refund_status(refund),
        "notifications": refund.notifications,
    })
}

fn refund_status(refund: &Refund) -> &'static str {
    match refund.settled.as_ref().map(|settled| settled.outcome) {
        None => "processing",
        Some(RefundOutcome::Success | RefundOutcome::FailedLater) => "success",
        Some(RefundOutcome::Abnormal) => "abnormal",
        Some(RefundOutcome::Closed) => "closed",
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::InvalidRequest(error.to_string()))
}

fn answer<T: Serialize>(result: Result<T, Problem>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(problem) => problem.into_response(),
    }
}
