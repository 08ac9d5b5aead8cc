//! What a person does about what waits: has it tried again, or takes it off the list.
//!
//! Nothing here declares money gone or back: only a gateway's word does that. A refund that the
//! gateway finally refused stands in `needs_attention` until its word changes, resolved or not.

use crate::attention::{Action, Attention, Audit, Subject};
use crate::booking::{Booking, Order, Refund, RefundStatus, Unmatched};
use crate::change::{Change, UnmatchedChange};
use crate::decide::Env;
use crate::decide::record_refund::{Holder, REFUND_ATTEMPTS_TOTAL_MAX, attempts_max};
use crate::task::{TRIES_AFRESH, Task};
use jiff::Timestamp;

/// What a person asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Release<'a> {
    /// What to do.
    pub action: Action,
    /// Who asks.
    pub by: &'a str,
    /// What that person says to it.
    pub note: Option<&'a str>,
}

/// What waits, and what was read for it beside its booking.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// What waits.
    pub attention: &'a Attention,
    /// The order concerned, as far as it is stored.
    pub order: Option<&'a Order>,
    /// The task concerned, unless it is done.
    pub task: Option<&'a Task>,
}

/// Why nothing is released. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotReleased {
    /// It can only be resolved.
    #[error("it cannot be tried again")]
    RetryNotPossible,
    /// The refund that it is about is not stored.
    #[error("there is no such refund")]
    NotStored,
}

/// Releases what waits on a booking.
///
/// Retrying makes its task due at once with its tries as new and its flag gone. A refund that stood
/// still is due again under the same attempt: the task asks before it repeats, and only the
/// gateway's word that the attempt has failed opens the next one, of which one more is allowed when
/// none was left. Resolving changes nothing but the list.
///
/// # Errors
/// [`NotReleased::RetryNotPossible`] for what is not ours to repeat, and for a refund whose
/// attempts are used up for good; [`NotReleased::NotStored`] if the refund is not stored.
pub fn release(
    booking: &Booking,
    waiting: Waiting<'_>,
    release: Release<'_>,
    env: Env<'_>,
) -> Result<Change, NotReleased> {
    let attention = waiting.attention;
    let mut change = Change::of(booking);
    change.released = Some(audit(attention, release, env.now));
    match (release.action, attention.subject) {
        (Action::Resolve, _) => {}
        (Action::Retry, Subject::ForeignRefund | Subject::Dispute | Subject::Reconciliation) => {
            return Err(NotReleased::RetryNotPossible);
        }
        (Action::Retry, Subject::ClosePayment | Subject::QueryPayment) => {
            change.tasks.extend(waiting.task.map(|task| afresh(task.clone(), env.now)));
        }
        (Action::Retry, Subject::Refund) => {
            let mut order = waiting.order.cloned().ok_or(NotReleased::NotStored)?;
            let transaction_id = attention.transaction_id.as_deref().unwrap_or_default();
            let mut refunds = order.refunds.iter_mut();
            let refund = refunds.find(|one| one.is_of(&attention.payment_id, transaction_id));
            let refund = refund.ok_or(NotReleased::NotStored)?;
            if let Some(next) = retried(refund, env.now)? {
                *refund = next.clone();
                let holder = Holder::order(&booking.booking_id, &order, &next, env);
                change.tasks.push(afresh(holder.task(&next, env), env.now));
                change.put_back(order);
            }
        }
    }
    Ok(change)
}

/// Releases what waits on money of a booking that is not stored: nothing is there to try again.
///
/// # Errors
/// [`NotReleased::RetryNotPossible`].
pub fn release_unbooked(
    attention: &Attention,
    release: Release<'_>,
    env: Env<'_>,
) -> Result<Audit, NotReleased> {
    match release.action {
        Action::Resolve => Ok(audit(attention, release, env.now)),
        Action::Retry => Err(NotReleased::RetryNotPossible),
    }
}

/// Releases what waits on unmatched money, like [`release`].
///
/// # Errors
/// Like [`release`].
pub fn release_unmatched(
    unmatched: &Unmatched,
    attention: &Attention,
    release: Release<'_>,
    env: Env<'_>,
) -> Result<UnmatchedChange, NotReleased> {
    let mut change = UnmatchedChange::of(unmatched);
    change.released = Some(audit(attention, release, env.now));
    match release.action {
        Action::Resolve => {}
        Action::Retry => {
            if let Some(next) = retried(&unmatched.refund, env.now)? {
                let task = Holder::unmatched(unmatched, env).task(&next, env);
                change.tasks.push(afresh(task, env.now));
                change.unmatched.refund = next;
            }
        }
    }
    Ok(change)
}

/// The refund as it is tried again; `None` if its money is back.
fn retried(refund: &Refund, now: Timestamp) -> Result<Option<Refund>, NotReleased> {
    let mut next = Refund { attention: None, updated_at: now, ..refund.clone() };
    match refund.status {
        RefundStatus::Succeeded => return Ok(None),
        RefundStatus::Due | RefundStatus::Submitted => {}
        RefundStatus::NeedsAttention => {
            next.status = RefundStatus::Due;
            if refund.attempt >= REFUND_ATTEMPTS_TOTAL_MAX {
                return Err(NotReleased::RetryNotPossible);
            }
            if refund.attempt >= attempts_max(refund) {
                next.extra_attempts = refund.extra_attempts.saturating_add(1);
            }
        }
    }
    Ok(Some(next))
}

/// The task due at once, its tries as new and its flag gone.
fn afresh(task: Task, now: Timestamp) -> Task {
    Task { due_at: now, tries: TRIES_AFRESH, attention: None, ..task }
}

fn audit(attention: &Attention, release: Release<'_>, now: Timestamp) -> Audit {
    Audit {
        booking_id: attention.booking_id.clone(),
        attention_id: attention.attention_id.clone(),
        action: release.action,
        by: release.by.to_owned(),
        note: release.note.map(str::to_owned),
        reason: attention.reason.clone(),
        since: attention.since,
        at: now,
    }
}
