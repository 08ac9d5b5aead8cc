//! Ending a payment on its gateway's word, and the order when its time is over.

use jiff::Timestamp;

use crate::booking::{Booking, EndReason, Order, OrderStatus, PaymentStatus};
use crate::change::{Change, Ending};
use crate::ids::PaymentId;

/// Stores that the gateway confirmed a payment closed; `None` if that changes nothing.
///
/// When this was the last open payment of the live order and `pay_by` is over, the order expires.
/// To be committed only under the version that was read before the gateway was asked.
#[must_use]
pub fn payment_closed(
    booking: &Booking,
    order: &Order,
    payment_id: &PaymentId,
    now: Timestamp,
) -> Option<Change> {
    let mut order = order.clone();
    let payment = order.payments.iter_mut().find(|payment| payment.payment_id == *payment_id)?;
    match payment.status {
        PaymentStatus::Creating | PaymentStatus::Payable | PaymentStatus::Closing => {
            payment.status = PaymentStatus::Closed;
            payment.code_url = None;
        }
        PaymentStatus::Paid | PaymentStatus::Closed | PaymentStatus::Failed => return None,
    }
    let mut change = Change::of(booking);
    change.put_back(order);
    expire_if_over(&mut change, now);
    Some(change)
}

/// Expires a live order whose time is over and none of whose payments can be paid any more.
#[must_use]
pub fn expire_order(booking: &Booking, now: Timestamp) -> Option<Change> {
    let mut change = Change::of(booking);
    expire_if_over(&mut change, now).then_some(change)
}

fn expire_if_over(change: &mut Change, now: Timestamp) -> bool {
    let over = change.booking.live_order.as_ref().is_some_and(|order| {
        order.pay_by.is_some_and(|pay_by| pay_by <= now) && !order.has_unsettled_payment()
    });
    if over {
        change.end_live_order(Ending::because(OrderStatus::Expired, EndReason::Unpaid), now);
    }
    over
}
