//! Giving money back: ask before repeating, until it is confirmed back or finally refused.

use api::problem::Problem;
use domain::attention::MANY_TRIES;
use domain::booking::{Refund, RefundStatus, Unmatched};
use domain::decide::record_refund::{RefundNews, RefundOf, record_refund, record_unmatched_refund};
use domain::gateway::GatewayName;
use domain::ids::{PaymentId, RefundNumber};
use domain::quote::after;
use domain::task::{Record, Task};
use gateways::{Gateway, RefundOutcome, RefundRequest};
use jiff::{SignedDuration, Timestamp};
use runtime::apply::{commit_once, commit_unmatched_once};
use runtime::deps::Deps;
use runtime::gateway_calls;
use runtime::news::{NO_ORDER, count_raised, news_of, record_refund_news, record_unmatched_news};
use runtime::telemetry::{Metric, measure};
use store::load::{Loaded, Want, WantOrder};

use crate::Outcome;
use crate::pace::{Run, earliest};

/// When an accepted refund is first asked for again, in seconds. Source: WeChat Pay's refund query
/// page asks for a minute between polls, and for longer waits later; read 2026-11-23.
const POLL_S_MIN: i64 = 60;
/// The longest wait between two such questions, in seconds: banks take days.
const POLL_S_MAX: i64 = 3_600;
/// When a refund that waits for a person is asked for again, in seconds.
const STUCK_S: u32 = 3_600;

/// The record that holds a refund, as of one version.
enum Holder {
    Order(Box<Loaded>, u32),
    Unmatched(Box<Unmatched>),
}

pub(crate) async fn run(
    run: Run<'_>,
    task: &Task,
    payment_id: &PaymentId,
    transaction_id: &str,
) -> Result<Outcome, Problem> {
    let deps = run.deps;
    // Money is owed: that its record is not to be seen is no reason to forget it.
    let Some(holder) = load(deps, task, payment_id, transaction_id).await? else {
        return Ok(Outcome::Retry);
    };
    let Some((refund, name)) = find(&holder, payment_id, transaction_id) else {
        return Ok(Outcome::Retry);
    };
    if refund.is_settled() {
        return Ok(Outcome::Done);
    }
    let unmoved_s = deps.now().duration_since(refund.updated_at).as_secs();
    measure(&[(Metric::RefundAge, unmoved_s)], &[("gateway", name.as_str())]);
    let gateway = deps.gateway(&name).ok_or(Problem::GatewayNotAccepted)?;
    let turn = (&name, refund.updated_at);
    run.in_turn(task, turn, give_back(deps, gateway.as_ref(), task, &holder, &refund)).await
}

async fn give_back(
    deps: &Deps,
    gateway: &dyn Gateway,
    task: &Task,
    holder: &Holder,
    refund: &Refund,
) -> Result<Outcome, Problem> {
    let number = RefundNumber {
        refund_id: refund.refund_id.clone(),
        booking_key: task.booking_id.key().to_owned(),
        order_seq: order_seq(holder),
    }
    .to_wire();
    let request = RefundRequest {
        payment_id: refund.payment_id.as_str(),
        transaction_id: &refund.transaction_id,
        number: &number,
        amount: refund.amount,
        reason: refund.reason.as_str(),
    };
    // Only a refund that was never touched is made without asking first. A task that starts over
    // was begun before.
    let untouched = task.tries <= 1
        && refund.attempt == 1
        && refund.status == RefundStatus::Due
        && refund.attention.is_none();
    let mut outcome = RefundOutcome::NotFound;
    if !untouched {
        outcome = gateway_calls::query_refund(deps, gateway, &request).await;
    }
    let came_to_nothing =
        outcome == RefundOutcome::NotFound && refund.status == RefundStatus::Submitted;
    if outcome == RefundOutcome::NotFound {
        outcome = gateway_calls::refund(deps, gateway, &request).await;
    }
    // A gateway that accepts the same number for ever must not go unnoticed: each time is a try.
    let is_repeat = came_to_nothing && outcome == RefundOutcome::Processing;
    let settled = settle(deps, task, holder, refund, outcome).await?;
    if is_repeat && let Outcome::Wait(until) = settled {
        return Ok(Outcome::RetryFrom(until));
    }
    Ok(settled)
}

async fn load(
    deps: &Deps,
    task: &Task,
    payment_id: &PaymentId,
    transaction_id: &str,
) -> Result<Option<Holder>, Problem> {
    let id = &task.booking_id;
    match &task.record {
        Record::Order { order_seq, .. } => {
            let order = WantOrder::Ended(*order_seq);
            let loaded = deps.store.load(Want { booking_id: id, product: false, order }).await?;
            Ok(loaded.map(|loaded| Holder::Order(Box::new(loaded), *order_seq)))
        }
        Record::Unmatched => {
            let payment = payment_id.as_str();
            let stored = deps.store.unmatched(id.key(), payment, transaction_id).await?;
            Ok(stored.map(|unmatched| Holder::Unmatched(Box::new(unmatched))))
        }
    }
}

/// As long again as the refund was accepted ago, so that waits double.
fn next_poll(now: Timestamp, refund: &Refund) -> Timestamp {
    let age_s = now.duration_since(refund.updated_at).as_secs();
    let wait = SignedDuration::from_secs(age_s.clamp(POLL_S_MIN, POLL_S_MAX));
    now.saturating_add(wait).unwrap_or(now)
}

const fn order_seq(holder: &Holder) -> u32 {
    match holder {
        Holder::Order(_, order_seq) => *order_seq,
        Holder::Unmatched(_) => NO_ORDER,
    }
}

fn find(
    holder: &Holder,
    payment_id: &PaymentId,
    transaction_id: &str,
) -> Option<(Refund, GatewayName)> {
    match holder {
        Holder::Order(loaded, order_seq) => {
            let order = loaded.order_at(*order_seq)?;
            let refund = order.refund_of(payment_id, transaction_id)?;
            Some((refund.clone(), order.payment(payment_id)?.gateway.clone()))
        }
        Holder::Unmatched(one) => Some((one.refund.clone(), one.gateway.clone())),
    }
}

async fn settle(
    deps: &Deps,
    task: &Task,
    holder: &Holder,
    refund: &Refund,
    outcome: RefundOutcome,
) -> Result<Outcome, Problem> {
    let news = news_of(&outcome);
    match outcome {
        RefundOutcome::Succeeded => {
            record(deps, task, holder, refund, news).await?;
            Ok(Outcome::Done)
        }
        RefundOutcome::Processing => {
            record(deps, task, holder, refund, news).await?;
            Ok(Outcome::Wait(next_poll(deps.now(), refund)))
        }
        RefundOutcome::Stuck(_) => {
            record(deps, task, holder, refund, news).await?;
            Ok(Outcome::Wait(after(deps.now(), STUCK_S)))
        }
        RefundOutcome::Failed(_) => {
            record_once(deps, holder, refund, news).await?;
            Ok(Outcome::Restart)
        }
        RefundOutcome::Refused(_) => {
            let recorded = record_once(deps, holder, refund, news).await?;
            Ok(if recorded { Outcome::Done } else { Outcome::Restart })
        }
        RefundOutcome::TooOften(told) => Ok(Outcome::TooOften(earliest(deps, &told))),
        RefundOutcome::NotFound | RefundOutcome::Later(_) | RefundOutcome::Unknown(_) => {
            Ok(Outcome::Retry)
        }
    }
}

/// Records what is true under whichever version.
async fn record(
    deps: &Deps,
    task: &Task,
    holder: &Holder,
    refund: &Refund,
    news: Option<RefundNews>,
) -> Result<(), Problem> {
    let Some(news) = news else { return Ok(()) };
    let of = of(refund);
    match holder {
        Holder::Order(_, order_seq) => {
            record_refund_news(deps, &task.booking_id, *order_seq, of, &news).await
        }
        Holder::Unmatched(_) => record_unmatched_news(deps, task.booking_id.key(), of, &news).await,
    }
}

/// Records a negative answer, which holds only for the version that was read before asking.
/// `false` if somebody else came first: then it is to be asked again.
async fn record_once(
    deps: &Deps,
    holder: &Holder,
    refund: &Refund,
    news: Option<RefundNews>,
) -> Result<bool, Problem> {
    let Some(news) = news else { return Ok(true) };
    match holder {
        Holder::Order(loaded, order_seq) => {
            let Some(order) = loaded.order_at(*order_seq) else { return Ok(true) };
            match record_refund(&loaded.booking, order, of(refund), &news, deps.env()) {
                // The task stays: whether it is done is said by what `run` answers.
                Some(change) => {
                    count_raised(&change.raised);
                    commit_once(deps, &change).await
                }
                None => Ok(true),
            }
        }
        Holder::Unmatched(one) => {
            match record_unmatched_refund(one, refund.attempt, &news, deps.env()) {
                Some(change) => {
                    count_raised(&change.raised);
                    commit_unmatched_once(deps, &change).await
                }
                None => Ok(true),
            }
        }
    }
}

const fn of(refund: &Refund) -> RefundOf<'_> {
    RefundOf {
        payment_id: &refund.payment_id,
        transaction_id: refund.transaction_id.as_str(),
        attempt: refund.attempt,
    }
}

/// Flags the refund of a task that was tried many times. `false` if its record is not to be seen.
///
/// # Errors
/// [`Problem`] of the store: then nothing is flagged, and the next try does it again.
pub(crate) async fn flag(
    deps: &Deps,
    task: &Task,
    payment_id: &PaymentId,
    transaction_id: &str,
) -> Result<bool, Problem> {
    let Some(holder) = load(deps, task, payment_id, transaction_id).await? else {
        return Ok(false);
    };
    let Some((refund, _)) = find(&holder, payment_id, transaction_id) else { return Ok(false) };
    let news = RefundNews::Flagged { code: MANY_TRIES.to_owned() };
    record(deps, task, &holder, &refund, Some(news)).await?;
    Ok(true)
}
