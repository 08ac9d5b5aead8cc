//! What a customer gives up: a pending order, or a booking that was not paid for.

use crate::booking::{Booking, BookingStatus, EndReason, Order, OrderStatus};
use crate::change::{Change, Ending};
use crate::decide::{Env, Rejection};
use crate::ids::OrderId;

/// What a request to cancel comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cancelling {
    /// It is cancelled by this change.
    Cancelled(Box<Change>),
    /// It was cancelled before.
    Again,
}

/// Drops a pending order. `ended` is the order if it has ended.
///
/// # Errors
/// [`Rejection`]: no such order, or it ended otherwise.
pub fn cancel_order(
    booking: &Booking,
    order_id: &OrderId,
    ended: Option<&Order>,
    env: Env<'_>,
) -> Result<Cancelling, Rejection> {
    if let Some(order) = ended {
        return refuse_or_repeat(booking, order);
    }
    booking.live(order_id).ok_or(Rejection::NotFound)?;
    let mut change = Change::of(booking);
    let ending = Ending::because(OrderStatus::Cancelled, EndReason::OrderCancelled);
    change.end_live_order(ending, env.now);
    Ok(Cancelling::Cancelled(Box::new(change)))
}

fn refuse_or_repeat(booking: &Booking, order: &Order) -> Result<Cancelling, Rejection> {
    match order.status {
        OrderStatus::Cancelled => Ok(Cancelling::Again),
        OrderStatus::Paid => Err(Rejection::OrderAlreadyPaid),
        OrderStatus::Superseded => {
            let live = booking.live_order.clone().map(Box::new);
            Err(Rejection::OrderSuperseded { live })
        }
        status @ (OrderStatus::Pending | OrderStatus::Stale | OrderStatus::Expired) => {
            Err(Rejection::OrderClosed { status, offer: None })
        }
    }
}

/// Cancels a booking that was not paid for, and its live order with it.
///
/// # Errors
/// [`Rejection::BookingNotPayable`] once it was paid for.
pub fn cancel_booking(booking: &Booking, env: Env<'_>) -> Result<Cancelling, Rejection> {
    match booking.status {
        BookingStatus::Cancelled => return Ok(Cancelling::Again),
        BookingStatus::Active => return Err(Rejection::BookingNotPayable),
        BookingStatus::PendingPayment => {}
    }
    let mut change = Change::of(booking);
    change.booking.status = BookingStatus::Cancelled;
    let ending = Ending::because(OrderStatus::Cancelled, EndReason::BookingCancelled);
    change.end_live_order(ending, env.now);
    Ok(Cancelling::Cancelled(Box::new(change)))
}
