//! Recording what became of a refund attempt.

use crate::attention::{Attention, AttentionId, DISPUTE, FOREIGN_REFUND, Subject};
use crate::booking::{Booking, Order, Refund, RefundReason, RefundStatus, Unmatched};
use crate::change::{Change, UnmatchedChange};
use crate::decide::Env;
use crate::event::Event;
use crate::ids::{BookingId, PaymentId, RefundId};
use crate::money::Money;
use crate::task::{Record, Task, TaskId, TaskKind};

/// How often a refund may be tried under a new number by itself.
pub const REFUND_ATTEMPTS_MAX: u32 = 10;
/// How many attempts more people may allow a refund, one at a time.
pub const REFUND_ATTEMPTS_EXTRA_MAX: u32 = 20;
/// How many attempts a refund can have at most.
pub const REFUND_ATTEMPTS_TOTAL_MAX: u32 =
    REFUND_ATTEMPTS_MAX.saturating_add(REFUND_ATTEMPTS_EXTRA_MAX);

/// How many attempts a refund may have as it stands.
#[must_use]
pub const fn attempts_max(refund: &Refund) -> u32 {
    REFUND_ATTEMPTS_MAX.saturating_add(refund.extra_attempts)
}

/// What a gateway says of a refund attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundNews {
    /// The money is back.
    Succeeded,
    /// The money is back by the refund of the same money beside the order, which has told of it.
    SucceededBeside,
    /// It was accepted.
    Accepted,
    /// This attempt will not be paid.
    Failed {
        /// The gateway's code.
        code: String,
    },
    /// The gateway finally refuses.
    Refused {
        /// The gateway's code.
        code: String,
    },
    /// A person should look; work goes on.
    Flagged {
        /// Why.
        code: String,
    },
}

/// A refund's next state, and whether its task is done; `None` if the news changes nothing.
///
/// News of an earlier attempt says nothing of the current one, except that money that arrived by
/// it has arrived. Of an attempt that failed no success is believed any more: it is the older word.
#[must_use]
pub fn next_refund(
    refund: &Refund,
    attempt: u32,
    news: &RefundNews,
    env: Env<'_>,
) -> Option<Refund> {
    let mut next = refund.clone();
    next.updated_at = env.now;
    match (refund.status, news) {
        (RefundStatus::Succeeded, RefundNews::Failed { .. }) if attempt == refund.attempt => {
            // A success that turned into a failure opens the next attempt.
            return Some(another_attempt(next, "refund_reversed", env));
        }
        (RefundStatus::Succeeded, _) => return None,
        (_, RefundNews::Succeeded | RefundNews::SucceededBeside)
            if refund.failed_attempts.contains(&attempt) =>
        {
            return None;
        }
        (_, RefundNews::Succeeded | RefundNews::SucceededBeside) => {
            // The attempt that the money arrived by is the current one from now on: only its own
            // failure can take the money back, and no other's may send it again.
            next.attempt = attempt;
            next.refund_id = attempt_id(refund, attempt, env);
            next.status = RefundStatus::Succeeded;
            next.attention = None;
        }
        (_, _) if attempt != refund.attempt => return None,
        (RefundStatus::Due, RefundNews::Accepted) => next.status = RefundStatus::Submitted,
        (RefundStatus::Submitted | RefundStatus::NeedsAttention, RefundNews::Accepted) => {
            return None;
        }
        (RefundStatus::NeedsAttention, RefundNews::Failed { .. })
            if attempt >= attempts_max(refund) =>
        {
            return None;
        }
        (_, RefundNews::Failed { code }) => return Some(another_attempt(next, code, env)),
        (_, RefundNews::Refused { code }) => {
            if refund.status == RefundStatus::NeedsAttention
                && refund.attention.as_ref() == Some(code)
            {
                return None;
            }
            next.status = RefundStatus::NeedsAttention;
            next.attention = Some(code.clone());
        }
        (_, RefundNews::Flagged { code }) => {
            if refund.attention.as_ref() == Some(code) {
                return None;
            }
            next.attention = Some(code.clone());
        }
    }
    Some(next)
}

fn another_attempt(mut refund: Refund, code: &str, env: Env<'_>) -> Refund {
    refund.failed_attempts.push(refund.attempt);
    if refund.attempt >= attempts_max(&refund) {
        refund.status = RefundStatus::NeedsAttention;
        refund.attention = Some(code.to_owned());
        return refund;
    }
    refund.attempt = refund.attempt.saturating_add(1);
    refund.refund_id = attempt_id(&refund, refund.attempt, env);
    refund.status = RefundStatus::Due;
    refund
}

fn attempt_id(refund: &Refund, attempt: u32, env: Env<'_>) -> RefundId {
    let payment_id = refund.payment_id.as_str();
    env.ids.refund(payment_id, &refund.transaction_id, attempt)
}

/// Which refund the news is of.
#[derive(Clone, Copy, Debug)]
pub struct RefundOf<'a> {
    /// The payment that captured the money.
    pub payment_id: &'a PaymentId,
    /// The captured transaction.
    pub transaction_id: &'a str,
    /// The attempt.
    pub attempt: u32,
}

/// Records news of a refund on its order; `None` if it changes nothing.
///
/// A settled refund's task is done; a new attempt after a settled one gets a task again. A new
/// reason to look is raised, and success clears it.
#[must_use]
pub fn record_refund(
    booking: &Booking,
    order: &Order,
    of: RefundOf<'_>,
    news: &RefundNews,
    env: Env<'_>,
) -> Option<Change> {
    let mut order = order.clone();
    let refund = order.refunds.iter_mut().find(|r| r.is_of(of.payment_id, of.transaction_id))?;
    let next = next_refund(refund, of.attempt, news, env)?;
    let before = std::mem::replace(refund, next.clone());
    let mut change = Change::of(booking);
    let holder = Holder::order(&booking.booking_id, &order, &next, env);
    match (before.is_settled(), next.is_settled()) {
        (_, true) => change.done.push(holder.task_id()),
        (true, false) => change.tasks.push(holder.task(&next, env)),
        (false, false) => {}
    }
    change.raised.extend(holder.newly_raised(&before, &next, env));
    change.cleared.extend(holder.newly_cleared(&before, &next));
    if newly_back(&before, &next, news) {
        let order_id = Some(&order.order_id);
        change.events.push(Event::payment_refunded(&booking.booking_id, order_id, &next));
    }
    change.put_back(order);
    Some(change)
}

/// What holds a refund, and what names its task. An order and unmatched money may hold a refund of
/// the same money after a restore from a backup: each has a task of its own.
pub(super) struct Holder<'a> {
    booking_id: &'a BookingId,
    record: Record,
    first_refund_id: RefundId,
}

impl<'a> Holder<'a> {
    /// An order that holds a refund.
    pub(super) fn order(
        booking_id: &'a BookingId,
        order: &Order,
        refund: &Refund,
        env: Env<'_>,
    ) -> Self {
        let record = Record::Order { order_id: order.order_id.clone(), order_seq: order.seq };
        Self { booking_id, record, first_refund_id: attempt_id(refund, 1, env) }
    }

    /// Unmatched money.
    pub(super) fn unmatched(unmatched: &'a Unmatched, env: Env<'_>) -> Self {
        let first_refund_id = unmatched.own_task.clone();
        let first_refund_id =
            first_refund_id.unwrap_or_else(|| attempt_id(&unmatched.refund, 1, env));
        Self { booking_id: &unmatched.booking_id, record: Record::Unmatched, first_refund_id }
    }

    /// The task that gives the money back, whatever attempt it is at.
    pub(super) fn task(&self, refund: &Refund, env: Env<'_>) -> Task {
        Task {
            booking_id: self.booking_id.clone(),
            record: self.record.clone(),
            kind: TaskKind::Refund {
                payment_id: refund.payment_id.clone(),
                transaction_id: refund.transaction_id.clone(),
                first_refund_id: self.first_refund_id.clone(),
            },
            due_at: env.now,
            tries: 0,
            attention: None,
        }
    }

    /// The name of that task.
    fn task_id(&self) -> TaskId {
        TaskId::refund(&self.first_refund_id)
    }

    /// What a refund's next state raises: a reason to look that is new, or that it now stands
    /// still.
    fn newly_raised(&self, before: &Refund, next: &Refund, env: Env<'_>) -> Option<Attention> {
        let stands_still = |refund: &Refund| refund.status == RefundStatus::NeedsAttention;
        let is_new =
            next.attention != before.attention || stands_still(next) && !stands_still(before);
        let reason = next.attention.clone().filter(|_| is_new)?;
        Some(Attention {
            attention_id: AttentionId::of_task(&self.task_id()),
            booking_id: self.booking_id.clone(),
            subject: Subject::Refund,
            record: self.record.clone(),
            payment_id: next.payment_id.clone(),
            transaction_id: Some(next.transaction_id.clone()),
            amount: Some(next.amount),
            reason,
            since: env.now,
        })
    }

    /// What a refund's next state clears: there is no reason to look any more.
    fn newly_cleared(&self, before: &Refund, next: &Refund) -> Option<AttentionId> {
        let is_over = before.attention.is_some() && next.attention.is_none();
        is_over.then(|| AttentionId::of_task(&self.task_id()))
    }
}

/// Whether a refund's next state is the first to say that its money is back, the refund beside it
/// included.
fn newly_back(before: &Refund, next: &Refund, news: &RefundNews) -> bool {
    before.status != RefundStatus::Succeeded
        && next.status == RefundStatus::Succeeded
        && *news != RefundNews::SucceededBeside
}

/// The name of the task that gives an order's refund back, whatever attempt it is at.
#[must_use]
pub fn refund_task_id(refund: &Refund, env: Env<'_>) -> TaskId {
    TaskId::refund(&attempt_id(refund, 1, env))
}

/// The name of the task that gives unmatched money back, whatever attempt it is at.
#[must_use]
pub fn unmatched_task_id(unmatched: &Unmatched, env: Env<'_>) -> TaskId {
    Holder::unmatched(unmatched, env).task_id()
}

/// Records news of the refund of unmatched money; `None` if it changes nothing. Tasks and reasons
/// to look follow as in [`record_refund`].
#[must_use]
pub fn record_unmatched_refund(
    unmatched: &Unmatched,
    attempt: u32,
    news: &RefundNews,
    env: Env<'_>,
) -> Option<UnmatchedChange> {
    let Unmatched { booking_id, refund: before, .. } = unmatched;
    let next = next_refund(before, attempt, news, env)?;
    let mut change = UnmatchedChange::of(unmatched);
    let holder = Holder::unmatched(unmatched, env);
    match (before.is_settled(), next.is_settled()) {
        (_, true) => change.done.push(holder.task_id()),
        (true, false) => change.tasks.push(holder.task(&next, env)),
        (false, false) => {}
    }
    change.raised.extend(holder.newly_raised(before, &next, env));
    change.cleared.extend(holder.newly_cleared(before, &next));
    if newly_back(before, &next, news) {
        change.event = Some(Event::payment_refunded(booking_id, None, &next));
    }
    change.unmatched.refund = next;
    Some(change)
}

/// What others do about a payment at its gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForeignKind {
    /// Somebody else refunded it.
    Refund,
    /// The payer's bank takes it into question.
    Dispute,
}

/// A refund or a dispute at the gateway that is none of our doing.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a> {
    /// Which of the two.
    pub kind: ForeignKind,
    /// The payment concerned.
    pub payment_id: &'a PaymentId,
    /// Its number at the gateway.
    pub number: &'a str,
    /// What went back, or may.
    pub amount: Money,
}

/// Stores, flags and raises what others did about a payment; `None` if it is stored already.
#[must_use]
pub fn record_foreign(
    booking: &Booking,
    order: &Order,
    foreign: Foreign<'_>,
    env: Env<'_>,
) -> Option<Change> {
    let refund_id = env.ids.refund(foreign.payment_id.as_str(), foreign.number, 0);
    order.payment(foreign.payment_id)?;
    if order.refunds.iter().any(|refund| refund.refund_id == refund_id) {
        return None;
    }
    let (attention_id, subject, why, reason) = match foreign.kind {
        ForeignKind::Refund => (
            AttentionId::foreign_refund(&refund_id),
            Subject::ForeignRefund,
            FOREIGN_REFUND,
            RefundReason::ForeignRefund,
        ),
        ForeignKind::Dispute => {
            (AttentionId::dispute(&refund_id), Subject::Dispute, DISPUTE, RefundReason::Dispute)
        }
    };
    let mut order = order.clone();
    let mut change = Change::of(booking);
    change.raised.push(Attention {
        attention_id,
        booking_id: booking.booking_id.clone(),
        subject,
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        payment_id: foreign.payment_id.clone(),
        transaction_id: None,
        amount: Some(foreign.amount),
        reason: why.to_owned(),
        since: env.now,
    });
    order.refunds.push(Refund {
        refund_id,
        payment_id: foreign.payment_id.clone(),
        transaction_id: foreign.number.to_owned(),
        attempt: 0,
        status: RefundStatus::NeedsAttention,
        amount: foreign.amount,
        reason,
        updated_at: env.now,
        attention: Some(why.to_owned()),
        extra_attempts: 0,
        failed_attempts: vec![],
        paid_at: None,
    });
    change.put_back(order);
    Some(change)
}
