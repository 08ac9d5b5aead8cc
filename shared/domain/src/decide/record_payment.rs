//! Recording captured money: applied once, or owed back once. The notification table is here.

use crate::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Refund,
    RefundReason, RefundStatus, Term, Unmatched,
};
use crate::change::{Change, Ending};
use crate::decide::Env;
use crate::decide::record_refund::Holder;
use crate::gateway::{Capture, GatewayName};
use crate::ids::{BookingId, PaymentId};
use crate::product::{Kind, LatePayment, Product};
use crate::task::{TRIES_AFRESH, Task, TaskId, TaskKind};
use crate::term;
use jiff::SignedDuration;

/// How far a gateway's clock may be behind ours, in seconds. Far less than a restore takes.
pub const CLOCKS_APART_S: i64 = 30;

/// Whether an order was made only after its money was captured. That comes about where the order
/// was lost by a restore from a backup and is made again under its id: then the money may have been
/// told of in between, and be owed back already.
#[must_use]
pub fn is_made_again(order: &Order, capture: &Capture) -> bool {
    let apart = SignedDuration::from_secs(CLOCKS_APART_S);
    order.created_at.duration_since(capture.paid_at) > apart
}

/// What captured money does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recording {
    /// It buys the order.
    Applied(Box<Change>),
    /// It goes back.
    Refunded {
        /// What is written.
        change: Box<Change>,
        /// Why.
        reason: RefundReason,
    },
    /// It was recorded before.
    Settled,
    /// No such payment is stored.
    Unmatched,
}

/// Decides what captured money does to a booking; the first row that fits decides.
///
/// `order` is the payment's order, live or ended, as far as it is stored. A payment stored as
/// closed or failed is like any other: money that was captured is never ignored.
#[must_use]
pub fn record_payment(
    booking: &Booking,
    order: Option<&Order>,
    payment_id: &PaymentId,
    capture: &Capture,
    product: &Product,
    env: Env<'_>,
) -> Recording {
    let (order, payment) = match unrecorded(order, payment_id, capture) {
        Ok(found) => found,
        Err(recording) => return recording,
    };
    let refused = refusal(booking, order, payment, capture, product);
    match refused {
        Some(reason) => give_back(booking, order, payment, capture, reason, env),
        None => apply(booking, order, payment, capture, env),
    }
}

/// Decides what captured money does that has gone back since, by whoever's doing: it buys nothing.
///
/// That happens where the record is younger than the gateway's, because the table was restored from
/// a backup, or where somebody refunds at the gateway before we hear of the payment. Giving it back
/// is recorded and done as ever, but for one thing: the gateway may have our refund, so that it is
/// asked for before it is made.
#[must_use]
pub fn record_returned(
    booking: &Booking,
    order: Option<&Order>,
    payment_id: &PaymentId,
    capture: &Capture,
    product: &Product,
    env: Env<'_>,
) -> Recording {
    let (order, payment) = match unrecorded(order, payment_id, capture) {
        Ok(found) => found,
        Err(recording) => return recording,
    };
    let refused = refusal(booking, order, payment, capture, product);
    let reason = refused.unwrap_or(RefundReason::BookingNotPayable);
    let mut recording = give_back(booking, order, payment, capture, reason, env);
    if let Recording::Refunded { change, .. } = &mut recording {
        let refunds = change.tasks.iter_mut();
        let refunds = refunds.filter(|task| matches!(task.kind, TaskKind::Refund { .. }));
        refunds.for_each(|task| task.tries = TRIES_AFRESH);
    }
    recording
}

/// The order and the payment of captured money, where nothing is recorded of it yet.
fn unrecorded<'a>(
    order: Option<&'a Order>,
    payment_id: &PaymentId,
    capture: &Capture,
) -> Result<(&'a Order, &'a Payment), Recording> {
    let found = order.and_then(|order| Some((order, order.payment(payment_id)?)));
    let (order, payment) = found.ok_or(Recording::Unmatched)?;
    if is_settled(order, payment, capture) {
        return Err(Recording::Settled);
    }
    Ok((order, payment))
}

fn is_settled(order: &Order, payment: &Payment, capture: &Capture) -> bool {
    let transaction = capture.transaction_id.as_str();
    payment.transaction_id.as_deref() == Some(transaction)
        || order.refund_of(&payment.payment_id, transaction).is_some()
}

/// The first reason to give the money back; `None` if all fits.
fn refusal(
    booking: &Booking,
    order: &Order,
    payment: &Payment,
    capture: &Capture,
    product: &Product,
) -> Option<RefundReason> {
    if payment.transaction_id.is_some() {
        return Some(RefundReason::DuplicatePayment);
    }
    if capture.captured != order.amount {
        return Some(RefundReason::AmountMismatch);
    }
    match order.status {
        OrderStatus::Paid => return Some(RefundReason::DuplicatePayment),
        OrderStatus::Superseded => return Some(RefundReason::Superseded),
        OrderStatus::Stale => return Some(RefundReason::Stale),
        OrderStatus::Expired => return Some(RefundReason::Expired),
        OrderStatus::Cancelled => return Some(RefundReason::Cancelled),
        OrderStatus::Pending => {}
    }
    if !fits_booking(booking, order, capture) {
        return Some(RefundReason::BookingNotPayable);
    }
    let late = order.pay_by.is_none_or(|pay_by| capture.paid_at > pay_by);
    let price_changed = product.price_version != order.price_version;
    let refused = order.late_payment == LatePayment::Refund || price_changed;
    (late && refused).then_some(RefundReason::LatePayment)
}

/// Whether the order's kind fits the booking's state at the gateway's payment time.
fn fits_booking(booking: &Booking, order: &Order, capture: &Capture) -> bool {
    let renewable = booking.renewals < booking.pins.max_renewals;
    match order.kind {
        Kind::First => booking.kind_at(capture.paid_at) == Some(Kind::First),
        Kind::Renewal => renewable && booking.kind_at(capture.paid_at) == Some(Kind::Renewal),
    }
}

fn apply(
    booking: &Booking,
    order: &Order,
    payment: &Payment,
    capture: &Capture,
    env: Env<'_>,
) -> Recording {
    let starts_at = booking.term.map_or(env.now, |term| term.starts_at);
    let quantity = booking.quantity_paid.saturating_add(order.quantity);
    let Some(valid_until) = term::valid_until(starts_at, quantity, &booking.pins) else {
        // Such a term is never quoted; should it be paid for all the same, it goes back.
        let reason = RefundReason::BookingNotPayable;
        return give_back(booking, order, payment, capture, reason, env);
    };
    let mut change = Change::of(booking);
    let next = &mut change.booking;
    next.status = BookingStatus::Active;
    next.term = Some(Term { starts_at, valid_until });
    next.quantity_paid = quantity;
    if order.kind == Kind::Renewal {
        next.renewals = next.renewals.saturating_add(1);
    }
    let mut paid = order.clone();
    mark_paid(&mut paid, &payment.payment_id, capture);
    next.live_order = Some(paid);
    change.end_live_order(Ending::PAID, env.now);
    if change.tasks.is_empty() {
        // Nobody needs to ask any more. Beside other codes to close it is left to find that out.
        change.done.push(TaskId::query(&payment.payment_id));
    }
    Recording::Applied(Box::new(change))
}

fn mark_paid(order: &mut Order, payment_id: &PaymentId, capture: &Capture) {
    for payment in order.payments.iter_mut().filter(|p| p.payment_id == *payment_id) {
        payment.status = PaymentStatus::Paid;
        payment.code_url = None;
        payment.transaction_id = Some(capture.transaction_id.clone());
        payment.paid_at = Some(capture.paid_at);
    }
}

fn give_back(
    booking: &Booking,
    order: &Order,
    payment: &Payment,
    capture: &Capture,
    reason: RefundReason,
    env: Env<'_>,
) -> Recording {
    let mut order = order.clone();
    let mut refund = new_refund(&payment.payment_id, capture, reason, env);
    if payment.transaction_id.is_none() {
        mark_paid(&mut order, &payment.payment_id, capture);
        refund.paid_at = None;
    }
    let mut change = Change::of(booking);
    let holder = Holder::order(&booking.booking_id, &order, &refund, env);
    change.tasks.push(holder.task(&refund, env));
    order.refunds.push(refund);
    change.put_back(order);
    if reason == RefundReason::LatePayment {
        let ending = Ending::because(OrderStatus::Expired, EndReason::LatePayment);
        change.end_live_order(ending, env.now);
    }
    Recording::Refunded { change: Box::new(change), reason }
}

fn new_refund(
    payment_id: &PaymentId,
    capture: &Capture,
    reason: RefundReason,
    env: Env<'_>,
) -> Refund {
    Refund {
        refund_id: env.ids.refund(payment_id.as_str(), &capture.transaction_id, 1),
        payment_id: payment_id.clone(),
        transaction_id: capture.transaction_id.clone(),
        attempt: 1,
        status: RefundStatus::Due,
        amount: capture.captured,
        reason,
        updated_at: env.now,
        attention: None,
        extra_attempts: 0,
        failed_attempts: vec![],
        paid_at: Some(capture.paid_at),
    }
}

/// What is stored of money that is provably ours and matches no stored payment, and its refund.
#[must_use]
pub fn record_unmatched(
    booking_id: &BookingId,
    gateway: &GatewayName,
    payment_id: &PaymentId,
    capture: &Capture,
    env: Env<'_>,
) -> (Unmatched, Task) {
    let refund = new_refund(payment_id, capture, RefundReason::Unmatched, env);
    let unmatched = Unmatched {
        booking_id: booking_id.clone(),
        version: 1,
        gateway: gateway.clone(),
        refund,
        own_task: Some(env.ids.unmatched_task(payment_id.as_str(), &capture.transaction_id)),
    };
    let task = Holder::unmatched(&unmatched, env).task(&unmatched.refund, env);
    (unmatched, task)
}
