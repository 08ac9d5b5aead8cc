//! Closing a code at its gateway, and believing nothing but the gateway's word.

use api::problem::Problem;
use domain::booking::{Order, OrderStatus, Payment, PaymentStatus};
use domain::decide::close_payment::payment_closed;
use domain::ids::PaymentId;
use domain::quote::after;
use domain::task::{FUNCTION_TIMEOUT_S_MAX, Record, Task};
use gateways::{CloseOutcome, Gateway, PaymentRef, QueryOutcome};
use jiff::{SignedDuration, Timestamp};
use runtime::apply::commit_once;
use runtime::create_payment::ask_for_payment;
use runtime::deps::Deps;
use runtime::gateway_calls;
use runtime::news::PaymentAddress;
use store::load::{Loaded, Want, WantOrder};

use crate::Outcome;
use crate::pace::{Run, earliest};
use crate::query::expire;

/// The shortest wait between two looks at a payment, in seconds.
const LOOK_S_MIN: i64 = 60;
/// The longest, in seconds.
const LOOK_S_MAX: i64 = 600;

pub(crate) async fn run(
    run: Run<'_>,
    task: &Task,
    payment_id: &PaymentId,
) -> Result<Outcome, Problem> {
    let deps = run.deps;
    let Some(loaded) = load(deps, task).await? else { return Ok(Outcome::Retry) };
    let Some((order, payment)) = find(&loaded, task, payment_id) else {
        return Ok(Outcome::Retry);
    };
    match payment.status {
        // It may have been the last payment of an order whose time is over.
        PaymentStatus::Paid | PaymentStatus::Closed if order.status == OrderStatus::Pending => {
            expire(deps, &loaded, order).await
        }
        PaymentStatus::Paid | PaymentStatus::Closed => Ok(Outcome::Done),
        PaymentStatus::Creating
        | PaymentStatus::Payable
        | PaymentStatus::Closing
        | PaymentStatus::Failed => {
            let turn = (&payment.gateway, order.created_at);
            run.in_turn(task, turn, close(deps, &loaded, order, payment)).await
        }
    }
}

/// Reads the record that a task works on; `None` if it is none of a booking.
pub(crate) async fn load(deps: &Deps, task: &Task) -> Result<Option<Loaded>, Problem> {
    let Record::Order { order_seq, .. } = &task.record else { return Ok(None) };
    let order = WantOrder::Ended(*order_seq);
    Ok(deps.store.load(Want { booking_id: &task.booking_id, product: false, order }).await?)
}

/// The order and payment that a task works on.
pub(crate) fn find<'a>(
    loaded: &'a Loaded,
    task: &Task,
    payment_id: &PaymentId,
) -> Option<(&'a Order, &'a Payment)> {
    let Record::Order { order_id, .. } = &task.record else { return None };
    let order = loaded.order(order_id)?;
    Some((order, order.payment(payment_id)?))
}

/// Closes a payment at its gateway. The gateway is asked whenever closing does not say it all.
pub(crate) async fn close(
    deps: &Deps,
    loaded: &Loaded,
    order: &Order,
    payment: &Payment,
) -> Result<Outcome, Problem> {
    let gateway = deps.gateway(&payment.gateway).ok_or(Problem::GatewayNotAccepted)?;
    let reference = PaymentRef {
        payment_id: payment.payment_id.as_str(),
        gateway_ref: payment.gateway_ref.as_deref(),
    };
    match gateway_calls::close(deps, gateway.as_ref(), &reference).await {
        CloseOutcome::Closed => closed(deps, loaded, order, payment).await,
        CloseOutcome::NotFound => not_found(deps, gateway.as_ref(), loaded, order, payment).await,
        CloseOutcome::TooOften(told) => Ok(Outcome::TooOften(earliest(deps, &told))),
        // Named twice: closing by that id is tried again.
        CloseOutcome::Named(_) | CloseOutcome::Unknown(_) => Ok(Outcome::Retry),
        CloseOutcome::Ask(_) => {
            let address = PaymentAddress::of(&loaded.booking, order, payment);
            match ask_for_payment(deps, &address, reference.gateway_ref).await? {
                // Unless it bought the order, the order still has to end some day.
                QueryOutcome::Paid(_) | QueryOutcome::Returned(_) => Ok(Outcome::Restart),
                QueryOutcome::Closed => closed(deps, loaded, order, payment).await,
                QueryOutcome::NotFound => {
                    not_found(deps, gateway.as_ref(), loaded, order, payment).await
                }
                QueryOutcome::TooOften(told) => Ok(Outcome::TooOften(earliest(deps, &told))),
                QueryOutcome::Unpaid | QueryOutcome::Unknown(_) => Ok(Outcome::Retry),
            }
        }
    }
}

/// Stores the gateway's word, under the version that was read before asking.
pub(crate) async fn closed(
    deps: &Deps,
    loaded: &Loaded,
    order: &Order,
    payment: &Payment,
) -> Result<Outcome, Problem> {
    match payment_closed(&loaded.booking, order, &payment.payment_id, deps.now()) {
        Some(change) if !commit_once(deps, &change).await? => Ok(Outcome::Restart),
        Some(_) | None => Ok(Outcome::Done),
    }
}

/// 'Not found' counts as closed only when no create can be on its way any more.
pub(crate) async fn not_found(
    deps: &Deps,
    gateway: &dyn Gateway,
    loaded: &Loaded,
    order: &Order,
    payment: &Payment,
) -> Result<Outcome, Problem> {
    let conclusive = conclusive_at(gateway, order, deps.now());
    if deps.now() <= conclusive {
        return Ok(Outcome::Wait(next_look(deps.now(), order, after(conclusive, 1))));
    }
    closed(deps, loaded, order, payment).await
}

/// When to look at a payment again: as long again as the order is old, so that waits double, and
/// at the latest at `last`. A create that was on its way is found soon, and little is asked.
pub(crate) fn next_look(now: Timestamp, order: &Order, last: Timestamp) -> Timestamp {
    let age_s = now.duration_since(order.created_at).as_secs();
    let wait_s = age_s.clamp(LOOK_S_MIN, LOOK_S_MAX);
    now.saturating_add(SignedDuration::from_secs(wait_s)).unwrap_or(now).min(last)
}

/// From when on a payment that the gateway does not know can never become payable.
fn conclusive_at(gateway: &dyn Gateway, order: &Order, now: Timestamp) -> Timestamp {
    let last_create = after(order.pay_by.unwrap_or(now), FUNCTION_TIMEOUT_S_MAX);
    let grace = SignedDuration::from_secs(gateway.not_found_grace_s());
    last_create.saturating_add(grace).unwrap_or(last_create)
}
