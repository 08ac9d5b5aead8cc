//! The rules that nothing may break, as checks of what is decided and of what is stored.
//!
//! Whoever walks through states asks here: random sequences of decisions and the exhaustive model.
//! A check answers what is broken in words instead of ending its caller, so that the way that led
//! there can be told.

use std::collections::BTreeSet;

use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Refund,
    RefundStatus,
};
use domain::change::{Change, close_task};
use domain::decide::record_refund::REFUND_ATTEMPTS_MAX;
use domain::event::{Event, EventType};
use domain::gateway::Capture;
use domain::ids::{Ids, OrderId, PaymentId};
use domain::product::Kind;
use domain::task::{Record, TaskId, TaskKind};
use domain::term;

/// Nothing is broken, or what is.
pub type Checked = Result<(), String>;

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(broken()) }
}

/// Whether a refund gives back what we captured; the others are only recorded.
#[must_use]
pub fn is_ours(refund: &Refund) -> bool {
    refund.reason.is_ours()
}

/// What a change tells is what it does: that the live order was paid or voided, and that money is
/// back.
fn check_events(before: &Booking, change: &Change) -> Checked {
    let live = before.live_order.as_ref();
    let gone = live.filter(|order| change.booking.live(&order.order_id).is_none());
    let ended = gone
        .and_then(|order| change.order(&order.order_id))
        .filter(|order| matches!(order.status, OrderStatus::Paid | OrderStatus::Superseded));
    let expected: Vec<_> = ended.map(|order| Some(&order.order_id)).into_iter().collect();
    let (back, told): (Vec<&Event>, Vec<&Event>) =
        change.events.iter().partition(|event| event.event_type == EventType::PaymentRefunded);
    let told: Vec<_> = told.into_iter().map(|event| event.order_id.as_ref()).collect();
    ensure(told == expected, || format!("an order's end is told once: {change:?}"))?;
    for event in back {
        let order = event.order_id.as_ref().and_then(|order_id| change.order(order_id));
        let mut refunds = order.into_iter().flat_map(|order| &order.refunds);
        let refund = refunds.find(|refund| Some(&refund.refund_id) == event.refund_id.as_ref());
        let is_back = refund.is_some_and(|refund| refund.status == RefundStatus::Succeeded);
        ensure(is_back, || format!("money is told to be back that is not: {event:?}"))?;
    }
    Ok(())
}

/// The payments that the change's tasks are to close, in order.
#[must_use]
pub fn to_close(change: &Change) -> Vec<PaymentId> {
    let closes = change.tasks.iter().filter_map(|task| match &task.kind {
        TaskKind::ClosePayment { payment_id } => Some(payment_id.clone()),
        TaskKind::Refund { .. } | TaskKind::QueryPayment { .. } => None,
    });
    closes.collect()
}

/// What holds of every change, whoever decided it.
///
/// # Errors
/// What is broken.
pub fn check_change(before: &Booking, change: &Change) -> Checked {
    let after = &change.booking;
    ensure(after.version == before.version.saturating_add(1), || {
        format!("one version further: {} after {}", after.version, before.version)
    })?;
    ensure(after.booking_id == before.booking_id, || "the same booking".to_owned())?;
    ensure(after.customer_id == before.customer_id, || "the same customer".to_owned())?;
    check_written_orders(change)?;
    check_older_order(before, change)?;
    check_events(before, change)?;
    for task in &change.tasks {
        ensure(task.booking_id == before.booking_id, || format!("its booking: {task:?}"))?;
        let Record::Order { order_id, .. } = &task.record else {
            return Err(format!("a change never holds unmatched money: {task:?}"));
        };
        ensure(change.order(order_id).is_some(), || format!("its order: {task:?}"))?;
        ensure(task.tries == 0 && task.attention.is_none(), || format!("a new task: {task:?}"))?;
    }
    Ok(())
}

fn check_written_orders(change: &Change) -> Checked {
    let live = change.booking.live_order.as_ref();
    for order in &change.ended {
        ensure(order.status != OrderStatus::Pending, || {
            format!("only ended orders leave: {order:?}")
        })?;
        let all = change.ended.iter().chain(live);
        let as_often = all.filter(|other| other.order_id == order.order_id).count();
        ensure(as_often == 1, || format!("written once: {order:?}"))?;
    }
    let Some(order) = live else { return Ok(()) };
    ensure(order.status == OrderStatus::Pending, || format!("a live order is pending: {order:?}"))?;
    let open = order.payments.iter().filter(|payment| payment.is_open()).count();
    ensure(open <= 1, || format!("one current payment: {order:?}"))
}

/// The order that was live is still there, live or ended, and none of its codes is forgotten.
fn check_older_order(before: &Booking, change: &Change) -> Checked {
    let Some(older) = before.live_order.as_ref() else { return Ok(()) };
    let now = change.order(&older.order_id);
    let now = now.ok_or_else(|| format!("no order vanishes: {older:?}"))?;
    if now.status != OrderStatus::Pending {
        let open = now.payments.iter().any(Payment::is_open);
        ensure(!open, || format!("an ended order has no open code: {now:?}"))?;
    }
    for payment in older.payments.iter().filter(|payment| payment.is_open()) {
        let now = now.payment(&payment.payment_id);
        let now = now.ok_or_else(|| format!("no payment vanishes: {payment:?}"))?;
        let is_task = to_close(change).contains(&payment.payment_id);
        // What the gateway refused is closed all the same: an earlier try may have been taken.
        let to_close = now.is_closing() || now.status == PaymentStatus::Failed;
        ensure(to_close == is_task, || format!("its task, if it is to be closed: {now:?}"))?;
    }
    Ok(())
}

/// What no change may do to an order, whatever it decides.
///
/// # Errors
/// What is broken.
pub fn check_successor(before: &Order, after: &Order) -> Checked {
    let fixed = |order: &Order| Order {
        status: OrderStatus::Pending,
        reason: None,
        pay_by: None,
        superseded_by: None,
        revision: 0,
        payments: vec![],
        refunds: vec![],
        ..order.clone()
    };
    ensure(fixed(before) == fixed(after), || format!("what was agreed stays: {after:?}"))?;
    if before.status != OrderStatus::Pending {
        let end = |order: &Order| (order.status, order.reason, order.superseded_by.clone());
        ensure(end(before) == end(after), || format!("an end is final: {after:?}"))?;
    }
    let set_once = before.pay_by.is_none() || before.pay_by == after.pay_by;
    ensure(set_once, || format!("`pay_by` is set once: {after:?}"))?;
    let unpaid = after.reason == Some(EndReason::Unpaid);
    ensure(!unpaid || !after.has_unsettled_payment(), || {
        format!("no code left to pay: {after:?}")
    })?;
    let vanished = after.payments.len() < before.payments.len();
    ensure(!vanished, || format!("no payment vanishes: {after:?}"))?;
    for (earlier, later) in before.payments.iter().zip(&after.payments) {
        check_payment_successor(earlier, later)?;
    }
    let vanished = after.refunds.len() < before.refunds.len();
    ensure(!vanished, || format!("no refund vanishes: {after:?}"))
}

fn check_payment_successor(earlier: &Payment, later: &Payment) -> Checked {
    ensure(earlier.payment_id == later.payment_id, || format!("its place: {later:?}"))?;
    let transaction = earlier.transaction_id.as_ref();
    let kept = transaction.is_none_or(|id| later.transaction_id.as_ref() == Some(id));
    ensure(kept, || format!("its first transaction stays: {later:?}"))?;
    let is_final = earlier.status == PaymentStatus::Paid;
    ensure(!is_final || later.status == PaymentStatus::Paid, || {
        format!("captured stays captured: {later:?}")
    })?;
    ensure(!earlier.is_closing() || !later.is_open(), || format!("never shown again: {later:?}"))
}

/// Rule 1: the older live order is voided by the commit that makes the newer one.
///
/// # Errors
/// What is broken.
pub fn check_voided(before: &Booking, change: &Change, newer: &OrderId) -> Checked {
    ensure(change.booking.live(newer).is_some(), || format!("a new order is live: {newer}"))?;
    let Some(older) = &before.live_order else { return Ok(()) };
    let older = change.order(&older.order_id);
    let older = older.ok_or_else(|| "no order vanishes".to_owned())?;
    let voided = older.status == OrderStatus::Superseded;
    ensure(voided && older.superseded_by.as_ref() == Some(newer), || {
        format!("voided by the newer one: {older:?}")
    })
}

/// Rules 4, 6 and 7: the exact amount, a live order, a kind that fits at the payment time.
///
/// # Errors
/// What is broken.
pub fn check_may_be_applied(booking: &Booking, order: &Order, capture: &Capture) -> Checked {
    ensure(capture.captured == order.amount, || format!("another amount: {capture:?}"))?;
    ensure(booking.live(&order.order_id).is_some(), || format!("not live: {order:?}"))?;
    let fits = match order.kind {
        Kind::First => booking.status == BookingStatus::PendingPayment,
        Kind::Renewal => {
            booking.status == BookingStatus::Active
                && booking.valid_until().is_some_and(|end| capture.paid_at < end)
        }
    };
    ensure(fits, || format!("its kind does not fit: {order:?}"))
}

/// A transaction that a gateway captured for us.
#[derive(Clone, Debug)]
pub struct Captured<'a> {
    /// The order that the code was for.
    pub order_id: &'a OrderId,
    /// The code's payment.
    pub payment_id: &'a PaymentId,
    /// What the gateway says of it.
    pub capture: &'a Capture,
}

/// Everything that is stored of one booking.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// Derives ids.
    pub ids: &'a Ids,
    /// The booking.
    pub booking: &'a Booking,
    /// Its orders that have ended.
    pub ended: Vec<&'a Order>,
    /// The names of its tasks.
    pub tasks: BTreeSet<&'a str>,
}

impl<'a> Stored<'a> {
    /// All orders, the live one included.
    pub fn orders(&self) -> impl Iterator<Item = &'a Order> + '_ {
        self.ended.iter().copied().chain(&self.booking.live_order)
    }

    fn order(&self, order_id: &OrderId) -> Option<&'a Order> {
        self.orders().find(|order| order.order_id == *order_id)
    }

    /// Rules 1 and 6: each order is stored once, and only the live one is pending and has a code.
    ///
    /// # Errors
    /// What is broken.
    pub fn check_orders(&self) -> Checked {
        let ids: BTreeSet<_> = self.orders().map(|order| &order.order_id).collect();
        let count = self.orders().count();
        ensure(ids.len() == count, || "an order is stored twice".to_owned())?;
        let made = usize::try_from(self.booking.orders_made).ok();
        ensure(made == Some(count), || format!("{count} orders are stored, {made:?} were made"))?;
        for order in &self.ended {
            ensure(order.status != OrderStatus::Pending, || format!("ended: {order:?}"))?;
            let open = order.payments.iter().any(Payment::is_open);
            ensure(!open, || format!("an ended order has no open code: {order:?}"))?;
            let is_superseded = order.status == OrderStatus::Superseded;
            let newer = order.superseded_by.as_ref();
            ensure(newer.is_some() == is_superseded, || format!("what replaced it: {order:?}"))?;
            ensure(newer.is_none_or(|newer| ids.contains(newer)), || {
                format!("what replaced it was made: {order:?}")
            })?;
        }
        let Some(live) = &self.booking.live_order else { return Ok(()) };
        ensure(live.status == OrderStatus::Pending, || {
            format!("a live order is pending: {live:?}")
        })?;
        let cancelled = self.booking.status == BookingStatus::Cancelled;
        ensure(!cancelled, || format!("a cancelled booking has no live order: {live:?}"))
    }

    /// How often a captured transaction counts: as bought an order, and as a refund.
    #[must_use]
    pub fn times_recorded(&self, one: &Captured<'_>) -> usize {
        let Some(order) = self.order(one.order_id) else { return 0 };
        usize::from(self.buys(one)).saturating_add(refunds_of(order, one).count())
    }

    /// Whether a captured transaction bought its order.
    #[must_use]
    pub fn buys(&self, one: &Captured<'_>) -> bool {
        self.order(one.order_id).is_some_and(|order| {
            let payment = order.payment(one.payment_id);
            order.status == OrderStatus::Paid
                && payment.is_some_and(|payment| {
                    payment.transaction_id.as_ref() == Some(&one.capture.transaction_id)
                        && order.is_applied(payment)
                })
        })
    }

    /// Rules 2, 4 and 8: each transaction was applied at most once or is refunded at most once, in
    /// full and never both, and nothing else is refunded.
    ///
    /// # Errors
    /// What is broken.
    pub fn check_money(&self, captured: &[Captured<'_>]) -> Checked {
        let mut refunds = 0_usize;
        for one in captured {
            let times = self.times_recorded(one);
            ensure(times <= 1, || format!("recorded {times} times: {one:?}"))?;
            let Some(order) = self.order(one.order_id) else {
                return Err(format!("no order vanishes: {one:?}"));
            };
            for refund in refunds_of(order, one) {
                refunds = refunds.saturating_add(1);
                self.check_refund(refund, one)?;
            }
            ensure(!self.buys(one) || one.capture.captured == order.amount, || {
                format!("applied is what was agreed: {order:?}")
            })?;
        }
        let ours = self.orders().flat_map(|order| &order.refunds).filter(|one| is_ours(one));
        let ours = ours.count();
        ensure(ours == refunds, || format!("{ours} refunds, {refunds} captures to give back"))?;
        for order in self.orders().filter(|order| order.status == OrderStatus::Paid) {
            let applied = order.payments.iter().filter(|payment| order.is_applied(payment)).count();
            ensure(applied == 1, || format!("bought {applied} times: {order:?}"))?;
        }
        Ok(())
    }

    fn check_refund(&self, refund: &Refund, one: &Captured<'_>) -> Checked {
        ensure(refund.amount == one.capture.captured, || {
            format!("in full, and no more: {refund:?}")
        })?;
        let attempts = 1..=REFUND_ATTEMPTS_MAX;
        ensure(attempts.contains(&refund.attempt), || format!("bounded: {refund:?}"))?;
        let payment_id = refund.payment_id.as_str();
        let id = self.ids.refund(payment_id, &refund.transaction_id, refund.attempt);
        ensure(refund.refund_id == id, || format!("its number is its attempt's: {refund:?}"))
    }

    /// Rule 3: the term follows from its start and the paid orders; renewals stay in their limit.
    ///
    /// # Errors
    /// What is broken.
    pub fn check_term(&self) -> Checked {
        let booking = self.booking;
        let paid = self.ended.iter().filter(|order| order.status == OrderStatus::Paid);
        let quantity = paid.clone().fold(0_u32, |sum, order| sum.saturating_add(order.quantity));
        let renewals = paid.clone().filter(|order| order.kind == Kind::Renewal).count();
        ensure(booking.quantity_paid == quantity, || format!("{quantity} were paid: {booking:?}"))?;
        let counted = usize::try_from(booking.renewals).ok();
        ensure(counted == Some(renewals), || format!("{renewals} renewals: {booking:?}"))?;
        let in_limit = booking.renewals <= booking.pins.max_renewals;
        ensure(in_limit, || format!("renewed too often: {booking:?}"))?;
        let active = booking.status == BookingStatus::Active;
        ensure(active == (paid.count() > 0), || format!("active once paid: {booking:?}"))?;
        let follows = match booking.term {
            Some(term) => {
                active
                    && term::valid_until(term.starts_at, quantity, &booking.pins)
                        == Some(term.valid_until)
            }
            None => !active,
        };
        ensure(follows, || format!("the term follows from what was paid: {booking:?}"))
    }

    /// Rule 9, as far as it is decided at once: whatever must still happen has its task.
    ///
    /// # Errors
    /// What is broken.
    pub fn check_tasks(&self) -> Checked {
        for order in self.orders() {
            for payment in &order.payments {
                let id = &payment.payment_id;
                let close = close_task(self.booking, order, id, order.created_at).id();
                let closing = !payment.is_closing() || self.tasks.contains(close.as_str());
                ensure(closing, || format!("to be closed, without a task: {payment:?}"))?;
                let query = self.tasks.contains(TaskId::query(id).as_str());
                ensure(!payment.is_open() || query, || {
                    format!("open, without a task: {payment:?}")
                })?;
            }
            for refund in order.refunds.iter().filter(|refund| is_ours(refund)) {
                let payment_id = refund.payment_id.as_str();
                let first = self.ids.refund(payment_id, &refund.transaction_id, 1);
                let task = self.tasks.contains(TaskId::refund(&first).as_str());
                ensure(refund.is_settled() || task, || {
                    format!("owed, without a task: {refund:?}")
                })?;
            }
        }
        Ok(())
    }
}

fn refunds_of<'a>(order: &'a Order, one: &Captured<'a>) -> impl Iterator<Item = &'a Refund> {
    let (payment_id, transaction) = (one.payment_id, one.capture.transaction_id.as_str());
    order.refunds.iter().filter(move |refund| refund.is_of(payment_id, transaction))
}
