//! Decisions: from what was read to what is written, one file for each.
//!
//! A decision is a pure function. It sees a booking as of one version and either refuses, finds
//! that there is nothing to do, or says the whole change that one commit writes under that version.

pub mod cancel;
pub mod close_payment;
pub mod flag;
pub mod generate_payment;
pub mod make_order;
pub mod open_booking;
pub mod quote;
pub mod record_payment;
pub mod record_refund;
pub mod release;
pub mod start_payment;

use jiff::Timestamp;

use crate::booking::{Booking, Order, OrderStatus};
use crate::ids::Ids;
use crate::product::{Kind, Product};
use crate::quote::{Offer, Quote, price};

/// What every decision may use beside what was read.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// Derives ids.
    pub ids: &'a Ids,
    /// The moment of deciding.
    pub now: Timestamp,
}

/// The domain says no. A refused request creates nothing and voids nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejection {
    /// The quantity is outside the product's range.
    #[error("the quantity is not between {min} and {max}")]
    QuantityOutOfRange {
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// Cancelled, over, or its product is not sold any more in what it is counted in.
    #[error("the booking cannot be paid for")]
    BookingNotPayable,
    /// Renewed as often as allowed.
    #[error("the booking was renewed {max} times, as often as allowed")]
    RenewalLimitReached {
        /// The limit.
        max: u32,
    },
    /// The product's flow does not take this call.
    #[error("the product's flow does not take this call")]
    FlowMismatch,
    /// The product does not accept that gateway.
    #[error("the gateway is not accepted")]
    GatewayNotAccepted,
    /// The flow needs a gateway, and the request names none.
    #[error("a gateway is required")]
    GatewayRequired,
    /// The token is not ours, or was made for something else.
    #[error("the quote token was not made for this")]
    QuoteTampered,
    /// The quote's time is over.
    #[error("the quote has expired")]
    QuoteExpired {
        /// What would be offered now.
        offer: Option<Box<Offer>>,
    },
    /// What was quoted no longer holds.
    #[error("the quote no longer holds")]
    QuoteStale {
        /// What would be offered now.
        offer: Option<Box<Offer>>,
    },
    /// A newer order voided this one.
    #[error("a newer order replaced this one")]
    OrderSuperseded {
        /// The live order as it stands.
        live: Option<Box<Order>>,
    },
    /// The order ended.
    #[error("the order has ended")]
    OrderClosed {
        /// How.
        status: OrderStatus,
        /// What would be offered now.
        offer: Option<Box<Offer>>,
    },
    /// The order is paid.
    #[error("the order is paid")]
    OrderAlreadyPaid,
    /// The order was tried at that gateway as often as allowed.
    #[error("no attempt is left at that gateway")]
    AttemptsExhausted,
    /// The derived id exists with other content.
    #[error("the same key was used with other content")]
    IdempotencyMismatch,
    /// There is no such order.
    #[error("not found")]
    NotFound,
}

/// What would be offered now, if anything.
fn offer_now(
    booking: &Booking,
    product: &Product,
    quantity: u32,
    now: Timestamp,
) -> Option<Box<Offer>> {
    price(booking, product, quantity, now).ok().map(Box::new)
}

/// Refuses unless the booking can be paid for now and the quote is in time and still holds.
fn check_quote(
    quote: &Quote,
    booking: &Booking,
    product: &Product,
    now: Timestamp,
) -> Result<(), Rejection> {
    check_payable(booking, now)?;
    let offer = || offer_now(booking, product, quote.offer.quantity, now);
    if quote.offer.expires_at <= now {
        return Err(Rejection::QuoteExpired { offer: offer() });
    }
    if !quote.still_holds(booking, product, now) {
        return Err(Rejection::QuoteStale { offer: offer() });
    }
    Ok(())
}

/// Refuses unless the booking is in a state in which some kind of order can be paid.
fn check_payable(booking: &Booking, now: Timestamp) -> Result<(), Rejection> {
    let kind = booking.kind_at(now).ok_or(Rejection::BookingNotPayable)?;
    let max = booking.pins.max_renewals;
    match kind {
        Kind::Renewal if booking.renewals >= max => Err(Rejection::RenewalLimitReached { max }),
        Kind::First | Kind::Renewal => Ok(()),
    }
}

/// Why an order that has ended cannot be paid.
#[must_use]
pub fn refuse_ended(
    booking: &Booking,
    order: &Order,
    product: &Product,
    now: Timestamp,
) -> Rejection {
    match order.status {
        OrderStatus::Paid => Rejection::OrderAlreadyPaid,
        OrderStatus::Superseded => {
            Rejection::OrderSuperseded { live: booking.live_order.clone().map(Box::new) }
        }
        OrderStatus::Pending
        | OrderStatus::Stale
        | OrderStatus::Expired
        | OrderStatus::Cancelled => Rejection::OrderClosed {
            status: order.status,
            offer: offer_now(booking, product, order.quantity, now),
        },
    }
}
