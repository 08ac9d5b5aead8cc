//! The rules that nothing may break, checked on what stands in the table after every write.
//!
//! Each check compares a booking as it was with what the write made of it, or with what the
//! gateways say. They share no code with the decisions that they check.

use std::collections::BTreeSet;

use domain::attention::AttentionId;
use domain::booking::{
    Booking, BookingStatus, Order, OrderStatus, Payment, PaymentStatus, Refund, RefundReason,
    RefundStatus,
};
use domain::change::close_task;
use domain::decide::Env;
use domain::decide::record_refund::{refund_task_id, unmatched_task_id};
use domain::ids::Ids;
use domain::money::Money;
use domain::product::{Kind, LatePayment};
use domain::task::{Record, TaskId};
use domain::term;
use jiff::Timestamp;
use rules::{check_successor, is_ours};

use crate::snapshot::Snapshot;

/// A rule that was broken, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which of the rules, by its number; 0 for the lock and the tasks that keep them all.
    pub rule: u32,
    /// What is wrong.
    pub what: String,
}

/// Whether a rule holds.
pub type Checked = Result<(), Violation>;

/// Says that a rule is broken unless something holds.
///
/// # Errors
/// [`Violation`] if it does not hold.
pub fn ensure(rule: u32, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation { rule, what: what() }) }
}

/// What the gateways and the pages have told, as far as the rules ask for it.
pub trait Outside {
    /// What a wallet paid under a transaction's id, and when.
    fn captured(&self, transaction_id: &str) -> Option<(Money, Timestamp)>;
    /// The amount that a page was shown for an order.
    fn shown(&self, order: &Order) -> Option<Money>;
    /// Whether a payment can no longer be paid at its gateway.
    fn is_closed(&self, order: &Order, payment: &Payment) -> bool;
}

/// A write to one booking.
pub struct Step<'a> {
    /// What stood there before.
    pub before: Option<&'a Snapshot>,
    /// What stands there now.
    pub after: &'a Snapshot,
    /// The rest of the world.
    pub outside: &'a dyn Outside,
    /// Derives ids.
    pub ids: &'a Ids,
}

impl Step<'_> {
    /// Checks everything that can be said after one write.
    ///
    /// # Errors
    /// The first [`Violation`].
    pub fn check(&self) -> Checked {
        self.check_lock()?;
        self.check_live_order()?;
        self.check_ends()?;
        self.check_term()?;
        self.check_money()?;
        self.check_tasks()?;
        for order in self.after.orders() {
            self.check_bought(order)?;
            self.check_payments(order)?;
        }
        Ok(())
    }

    fn booking(&self) -> &Booking {
        &self.after.booking
    }

    fn before(&self, order: &Order) -> Option<&Order> {
        self.before?.order(&order.order_id)
    }

    /// The lock: whatever changes a booking or one of its orders counts the version up by one.
    fn check_lock(&self) -> Checked {
        let Some(before) = self.before else {
            return ensure(0, self.booking().version == 1, || "not opened once".to_owned());
        };
        let same = before.booking == self.after.booking && before.ended == self.after.ended;
        let counted = self.booking().version == before.booking.version + 1;
        ensure(0, same || counted, || {
            let (was, is) = (before.booking.version, self.booking().version);
            format!("version {was} became {is} while the booking changed")
        })
    }

    /// Rule 1: the live order alone is pending, every order is stored once, and a new order voids
    /// the older one in the same write.
    fn check_live_order(&self) -> Checked {
        let seqs: Vec<u32> = self.after.orders().map(|order| order.seq).collect();
        let all: Vec<u32> = (0..self.booking().orders_made).collect();
        ensure(1, seqs == all, || format!("orders {seqs:?} are stored of {}", all.len()))?;
        let live = self.booking().live_order.as_ref();
        for order in self.after.orders() {
            let is_live = live.is_some_and(|live| live.order_id == order.order_id);
            let is_pending = order.status == OrderStatus::Pending;
            ensure(1, is_pending == is_live, || format!("not the live order: {order:?}"))?;
        }
        let Some(old) = self.before.and_then(|before| before.booking.live_order.as_ref()) else {
            return Ok(());
        };
        match live {
            Some(new) if new.order_id != old.order_id => {
                let voided = self.after.order(&old.order_id).is_some_and(|order| {
                    order.status == OrderStatus::Superseded
                        && order.superseded_by.as_ref() == Some(&new.order_id)
                });
                ensure(1, voided, || format!("{new:?} does not void {old:?}"))
            }
            Some(_) => Ok(()),
            None => {
                let ended = self.after.ended.contains_key(&old.seq);
                ensure(1, ended, || format!("{old:?} has vanished"))
            }
        }
    }

    /// Rule 6: an end is final, what was agreed stays, and nothing vanishes.
    fn check_ends(&self) -> Checked {
        for order in self.after.orders() {
            let Some(before) = self.before(order) else { continue };
            check_successor(before, order).map_err(|what| Violation { rule: 6, what })?;
        }
        Ok(())
    }

    /// Rule 3: the term follows from its start and the quantities paid, and renewals keep their
    /// limit.
    fn check_term(&self) -> Checked {
        let booking = self.booking();
        let paid = || self.after.orders().filter(|order| order.status == OrderStatus::Paid);
        let quantity: u32 = paid().map(|order| order.quantity).sum();
        let renewals = paid().filter(|order| order.kind == Kind::Renewal).count();
        let firsts = paid().filter(|order| order.kind == Kind::First).count();
        let until =
            booking.term.and_then(|it| term::valid_until(it.starts_at, quantity, &booking.pins));
        let adds_up = booking.quantity_paid == quantity
            && usize::try_from(booking.renewals).unwrap() == renewals
            && booking.renewals <= booking.pins.max_renewals
            && firsts == usize::from(booking.status == BookingStatus::Active)
            && booking.valid_until() == until;
        ensure(3, adds_up, || format!("{firsts} + {renewals} orders are paid: {booking:?}"))
    }

    /// Rules 4, 6 and 7: an order that has just become paid was live, its kind fitted when the
    /// wallet paid, and what was paid is what was agreed and shown.
    fn check_bought(&self, order: &Order) -> Checked {
        let Some(before) = self.before(order) else {
            return ensure(6, order.status != OrderStatus::Paid, || "born paid".to_owned());
        };
        if order.status != OrderStatus::Paid || before.status == OrderStatus::Paid {
            return Ok(());
        }
        let was = &self.before.unwrap().booking;
        ensure(6, was.live(&order.order_id).is_some(), || format!("was not live: {order:?}"))?;
        let by = order.current_payment().and_then(|payment| payment.transaction_id.as_deref());
        let captured = by.and_then(|id| self.outside.captured(id));
        let Some((amount, paid_at)) = captured else {
            return ensure(2, false, || format!("bought by no money: {order:?}"));
        };
        ensure(4, amount == order.amount, || format!("{amount:?} bought {order:?}"))?;
        let shown = self.outside.shown(order);
        ensure(4, shown.is_none_or(|shown| shown == amount), || {
            format!("{amount:?} bought what was shown for {shown:?}")
        })?;
        ensure(7, was.kind_at(paid_at) == Some(order.kind), || {
            format!("paid at {paid_at}, does not fit {was:?}: {order:?}")
        })?;
        let late = order.pay_by.is_none_or(|pay_by| paid_at > pay_by);
        let refused = late && order.late_payment == LatePayment::Refund;
        ensure(7, !refused, || format!("paid too late, at {paid_at}: {order:?}"))
    }

    /// Rules 2 and 8: each captured transaction is in one place at most, and what goes back is
    /// what was captured.
    fn check_money(&self) -> Checked {
        let mut refunded = BTreeSet::new();
        for order in self.after.orders() {
            let applied = order.payments.iter().filter(|payment| order.is_applied(payment));
            let expected = usize::from(order.status == OrderStatus::Paid);
            ensure(2, applied.count() == expected, || format!("not bought once: {order:?}"))?;
            for refund in order.refunds.iter().filter(|refund| is_ours(refund)) {
                let key = (refund.payment_id.clone(), refund.transaction_id.clone());
                ensure(2, refunded.insert(key), || format!("refunded twice: {order:?}"))?;
                self.check_refund(refund)?;
            }
        }
        self.after.unmatched.iter().try_for_each(|one| self.check_refund(&one.refund))
    }

    fn check_refund(&self, refund: &Refund) -> Checked {
        let captured = self.outside.captured(&refund.transaction_id);
        let in_full = captured.is_some_and(|(amount, _)| amount == refund.amount);
        ensure(8, in_full, || format!("{captured:?} was captured: {refund:?}"))?;
        let id =
            self.ids.refund(refund.payment_id.as_str(), &refund.transaction_id, refund.attempt);
        ensure(8, id == refund.refund_id, || format!("its id does not derive: {refund:?}"))
    }

    /// What keeps rule 9: whatever must still happen has its task.
    fn check_tasks(&self) -> Checked {
        let has = |id: &TaskId| self.after.tasks.contains_key(id.as_str());
        let env = Env { ids: self.ids, now: Timestamp::UNIX_EPOCH };
        for order in self.after.orders() {
            for payment in &order.payments {
                let id = match payment.status {
                    PaymentStatus::Creating | PaymentStatus::Payable => {
                        TaskId::query(&payment.payment_id)
                    }
                    PaymentStatus::Closing => {
                        close_task(self.booking(), order, &payment.payment_id, env.now).id()
                    }
                    PaymentStatus::Paid | PaymentStatus::Closed | PaymentStatus::Failed => continue,
                };
                ensure(9, has(&id), || format!("{} is missing for {payment:?}", id.as_str()))?;
            }
            for refund in order.refunds.iter().filter(|refund| is_ours(refund)) {
                self.check_owed(refund, &refund_task_id(refund, env))?;
            }
            self.check_foreign(order)?;
        }
        for one in &self.after.unmatched {
            self.check_owed(&one.refund, &unmatched_task_id(one, env))?;
        }
        let dated = self.booking().live_order.iter().filter(|order| order.pay_by.is_some());
        for order in dated {
            let mut tasks = self.after.tasks.values();
            let ends = tasks.any(|task| match &task.record {
                Record::Order { order_id, .. } => *order_id == order.order_id,
                Record::Unmatched => false,
            });
            ensure(9, ends, || format!("nothing will end {order:?}"))?;
        }
        Ok(())
    }

    /// Rule 9: what is owed has its task.
    fn check_owed(&self, refund: &Refund, task: &TaskId) -> Checked {
        let owed = matches!(refund.status, RefundStatus::Due | RefundStatus::Submitted);
        let has_task = self.after.tasks.contains_key(task.as_str());
        ensure(9, !owed || has_task, || format!("no task for {refund:?}"))?;
        self.check_waiting(refund, task)
    }

    /// Rule 2: what waits for a person is on the list, or a person has taken it off; what is back
    /// is not.
    fn check_waiting(&self, refund: &Refund, task: &TaskId) -> Checked {
        let listed = self.after.waiting.contains(task.as_str());
        let waits = match refund.status {
            RefundStatus::NeedsAttention => true,
            RefundStatus::Due | RefundStatus::Submitted => refund.attention.is_some(),
            RefundStatus::Succeeded => false,
        };
        if waits {
            let known = listed || self.after.released.contains(task.as_str());
            return ensure(2, known, || format!("nobody is told of {refund:?}"));
        }
        let is_back = refund.status == RefundStatus::Succeeded;
        ensure(2, !(is_back && listed), || format!("still waits, and is back: {refund:?}"))
    }

    /// What others did about a payment stands on the list until a person takes it off, and the
    /// write that stores it changes nothing else of its order.
    fn check_foreign(&self, order: &Order) -> Checked {
        for refund in order.refunds.iter().filter(|refund| !is_ours(refund)) {
            let is_dispute = refund.reason == RefundReason::Dispute;
            let name = match is_dispute {
                true => AttentionId::dispute(&refund.refund_id),
                false => AttentionId::foreign_refund(&refund.refund_id),
            };
            let is_listed = self.after.waiting.contains(name.as_str())
                || self.after.released.contains(name.as_str());
            let flagged = refund.status == RefundStatus::NeedsAttention && is_listed;
            ensure(8, flagged, || format!("nobody is told of {refund:?}"))?;
            let Some(before) = self.before(order) else { continue };
            let is_new = before.refunds.iter().all(|other| other.refund_id != refund.refund_id);
            let touched = before.status != order.status || before.payments != order.payments;
            ensure(8, !(is_new && touched), || format!("{refund:?} changes {before:?}"))?;
        }
        Ok(())
    }

    /// Only the gateway's word closes a payment, and a code that is not wanted is never shown
    /// again.
    fn check_payments(&self, order: &Order) -> Checked {
        let is_open = order.payments.iter().filter(|payment| payment.is_open()).count();
        let open_max = usize::from(order.status == OrderStatus::Pending);
        ensure(9, is_open <= open_max, || format!("too many open codes: {order:?}"))?;
        for payment in &order.payments {
            let before = self.before(order).and_then(|order| order.payment(&payment.payment_id));
            let Some(before) = before else {
                let fresh = payment.status == PaymentStatus::Creating;
                ensure(9, fresh, || {
                    format!("a payment is written before it is made: {payment:?}")
                })?;
                continue;
            };
            let again = payment.is_open() && !before.is_open();
            ensure(9, !again, || format!("{before:?} became {payment:?}"))?;
            let kept =
                before.transaction_id.is_none() || before.transaction_id == payment.transaction_id;
            ensure(2, kept, || format!("{before:?} became {payment:?}"))?;
            let closed = payment.status == PaymentStatus::Closed && before.status != payment.status;
            let confirmed = !closed || self.outside.is_closed(order, payment);
            ensure(9, confirmed, || format!("not closed at its gateway: {payment:?}"))?;
        }
        Ok(())
    }
}
