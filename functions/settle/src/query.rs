//! Asking for a payment whose notification may be lost, and ending it when its time is over.

use api::problem::Problem;
use domain::booking::{Order, OrderStatus, Payment, PaymentStatus};
use domain::decide::close_payment::expire_order;
use domain::ids::PaymentId;
use domain::task::Task;
use gateways::QueryOutcome;
use runtime::apply::commit_once;
use runtime::create_payment::ask_for_payment;
use runtime::deps::Deps;
use runtime::news::PaymentAddress;
use store::load::Loaded;

use crate::Outcome;
use crate::close::{close, closed, find, load, next_look, not_found};
use crate::pace::{Run, earliest};

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
    // What ended an order has left a task for each of its codes.
    if order.status != OrderStatus::Pending {
        return Ok(Outcome::Done);
    }
    match payment.status {
        PaymentStatus::Creating | PaymentStatus::Payable => {
            let turn = (&payment.gateway, order.created_at);
            run.in_turn(task, turn, ask(deps, &loaded, order, payment)).await
        }
        PaymentStatus::Closing
        | PaymentStatus::Paid
        | PaymentStatus::Closed
        | PaymentStatus::Failed => expire(deps, &loaded, order).await,
    }
}

async fn ask(
    deps: &Deps,
    loaded: &Loaded,
    order: &Order,
    payment: &Payment,
) -> Result<Outcome, Problem> {
    let gateway = deps.gateway(&payment.gateway).ok_or(Problem::GatewayNotAccepted)?;
    let address = PaymentAddress::of(&loaded.booking, order, payment);
    let is_over = order.pay_by.is_none_or(|pay_by| pay_by <= deps.now());
    match ask_for_payment(deps, &address, payment.gateway_ref.as_deref()).await? {
        // Unless it bought the order, the order still has to end some day.
        QueryOutcome::Paid(_) | QueryOutcome::Returned(_) => Ok(Outcome::Restart),
        QueryOutcome::Closed => {
            let outcome = closed(deps, loaded, order, payment).await?;
            Ok(if outcome == Outcome::Done { Outcome::Restart } else { outcome })
        }
        QueryOutcome::Unpaid if is_over => close(deps, loaded, order, payment).await,
        QueryOutcome::NotFound if is_over => {
            not_found(deps, gateway.as_ref(), loaded, order, payment).await
        }
        QueryOutcome::Unpaid | QueryOutcome::NotFound => {
            let last = order.pay_by.unwrap_or_else(|| deps.now());
            Ok(Outcome::Wait(next_look(deps.now(), order, last)))
        }
        QueryOutcome::TooOften(told) => Ok(Outcome::TooOften(earliest(deps, &told))),
        QueryOutcome::Unknown(_) => Ok(Outcome::Retry),
    }
}

/// A payment that is over leaves its order open until `pay_by`; then the order ends.
pub(crate) async fn expire(
    deps: &Deps,
    loaded: &Loaded,
    order: &Order,
) -> Result<Outcome, Problem> {
    match order.pay_by {
        Some(pay_by) if deps.now() < pay_by => Ok(Outcome::Wait(pay_by)),
        Some(_) | None => match expire_order(&loaded.booking, deps.now()) {
            Some(change) if !commit_once(deps, &change).await? => Ok(Outcome::Restart),
            // Another code is still open: its own task ends the order.
            Some(_) | None => Ok(Outcome::Done),
        },
    }
}
