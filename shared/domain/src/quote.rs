//! Offers and quotes: a price for a quantity, and what the signed token says of it.

use jiff::{SignedDuration, Timestamp};

use crate::booking::{Booking, BookingStatus, Order, Pins};
use crate::decide::Rejection;
use crate::ids::{BookingId, OrderId, TokenId};
use crate::money::Money;
use crate::product::{Flow, Kind, Product, Unit};
use crate::term;

/// What a quantity of a product costs a booking now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// How the product is sold.
    pub flow: Flow,
    /// First booking or renewal.
    pub kind: Kind,
    /// Units.
    pub quantity: u32,
    /// What a unit is.
    pub unit: Unit,
    /// The price of one.
    pub unit_price: Money,
    /// The price of all.
    pub amount: Money,
    /// The product's price version.
    pub price_version: String,
    /// The `valid_until` that a renewal starts from.
    pub term_base: Option<Timestamp>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An offer to one booking of one customer: what a quote token says and signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
    /// The token's id.
    pub token_id: TokenId,
    /// Whom it was made to.
    pub booking_id: BookingId,
    /// Whose booking that is.
    pub customer_id: String,
    /// The order that it made, where the flow makes one.
    pub order_id: Option<OrderId>,
    /// What was offered.
    pub offer: Offer,
}

/// Prices a quantity for a booking as of now.
///
/// # Errors
/// [`Rejection`]: the quantity, the booking's state, its renewals or its pins do not allow it.
pub fn price(
    booking: &Booking,
    product: &Product,
    quantity: u32,
    now: Timestamp,
) -> Result<Offer, Rejection> {
    let (min, max) = (product.min_quantity, product.max_quantity);
    if !(min..=max).contains(&quantity) {
        return Err(Rejection::QuantityOutOfRange { min, max });
    }
    let kind = booking.kind_at(now).ok_or(Rejection::BookingNotPayable)?;
    if kind == Kind::Renewal && booking.renewals >= booking.pins.max_renewals {
        return Err(Rejection::RenewalLimitReached { max: booking.pins.max_renewals });
    }
    let pins = pins_for(booking, product).ok_or(Rejection::BookingNotPayable)?;
    let starts_at = booking.term.map_or(now, |term| term.starts_at);
    let total = booking.quantity_paid.saturating_add(quantity);
    let unit_price = product.unit_price(kind, quantity);
    let out_of_range = Rejection::QuantityOutOfRange { min, max };
    // A term past the calendar's end could never be applied: it must not be sold.
    term::valid_until(starts_at, total, &pins).ok_or(out_of_range.clone())?;
    Ok(Offer {
        flow: product.flow,
        kind,
        quantity,
        unit: product.unit,
        unit_price,
        amount: unit_price.times(quantity).ok_or(out_of_range)?,
        price_version: product.price_version.clone(),
        term_base: booking.valid_until(),
        issued_at: now,
        expires_at: after(now, product.quote_ttl_s),
    })
}

/// What a booking's orders are counted in: its pins.
///
/// A booking that was never paid for follows its product to another unit or currency, because
/// nothing was bought in the old one. A paid one cannot: `None`. So is a retired product sold to
/// nobody.
#[must_use]
pub fn pins_for(booking: &Booking, product: &Product) -> Option<Pins> {
    if product.is_retired() {
        return None;
    }
    let fits = booking.pins.unit == product.unit && booking.pins.currency == product.currency;
    match booking.status {
        _ if fits => Some(booking.pins.clone()),
        BookingStatus::PendingPayment => Some(Pins::of(product)),
        BookingStatus::Active | BookingStatus::Cancelled => None,
    }
}

/// That many seconds after a moment.
#[must_use]
pub fn after(moment: Timestamp, seconds: u32) -> Timestamp {
    moment.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(moment)
}

impl Quote {
    /// The quote that a stored order was made by, so that its token can be signed again.
    #[must_use]
    pub fn of_order(booking: &Booking, order: &Order) -> Self {
        Self {
            token_id: order.token_id.clone(),
            booking_id: booking.booking_id.clone(),
            customer_id: booking.customer_id.clone(),
            order_id: match order.flow {
                Flow::SubmitOnce => None,
                Flow::OrderFirst | Flow::Instant => Some(order.order_id.clone()),
            },
            offer: Offer {
                flow: order.flow,
                kind: order.kind,
                quantity: order.quantity,
                unit: booking.pins.unit,
                unit_price: order.unit_price,
                amount: order.amount,
                price_version: order.price_version.clone(),
                term_base: booking.valid_until(),
                issued_at: order.quote_issued_at,
                expires_at: order.quote_expires_at,
            },
        }
    }

    /// Whether what it says would be said again of this booking and product.
    ///
    /// `term_base` is compared too: a renewal quoted before another renewal was paid is stale.
    #[must_use]
    pub fn still_holds(&self, booking: &Booking, product: &Product, now: Timestamp) -> bool {
        let said = &self.offer;
        price(booking, product, said.quantity, now).is_ok_and(|fresh| {
            fresh.flow == said.flow
                && fresh.kind == said.kind
                && fresh.unit == said.unit
                && fresh.unit_price == said.unit_price
                && fresh.amount == said.amount
                && fresh.price_version == said.price_version
                && fresh.term_base == said.term_base
        })
    }
}
