//! Generating a payment for an order: the first one, the same one again, or one at another gateway.

use crate::booking::{Booking, Order, PaymentStatus};
use crate::change::Change;
use crate::decide::start_payment::{At, start_payment};
use crate::decide::{Env, Rejection, check_payable, check_quote, offer_now, refuse_ended};
use crate::ids::{OrderId, PaymentId};
use crate::product::{Flow, PriceCheck, Product};
use crate::quote::Quote;

/// What a request for a payment comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Generating {
    /// A new attempt is written; its gateway is to be called.
    Started {
        /// What is written.
        change: Box<Change>,
        /// The payment to be created at its gateway.
        payment_id: PaymentId,
    },
    /// The current payment is at that gateway, and its code is stored.
    Shown(PaymentId),
    /// The current payment is at that gateway, and its code is not known yet.
    Unfinished(PaymentId),
}

/// Finds or starts the payment of an order at a gateway.
///
/// `quote` is what the caller's token says, or `None` if it does not verify; `ended` is the order
/// if it has ended. Price and expiry are checked for the first payment only, and the price not
/// where the product says `price_check: off`.
///
/// # Errors
/// [`Rejection`], in this order: a token for something else, no such order, an ended order, a
/// gateway not accepted, the booking's state, the order's time, the quote's expiry, its price, no
/// attempt left.
pub fn generate_payment(
    booking: &Booking,
    product: &Product,
    asked: Asked<'_>,
    at: At<'_>,
    env: Env<'_>,
) -> Result<Generating, Rejection> {
    let quote = asked.quote.ok_or(Rejection::QuoteTampered)?;
    check_binding(booking, quote, asked.order_id, env)?;
    if let Some(ended) = asked.ended {
        return Err(refuse_ended(booking, ended, product, env.now));
    }
    let order = booking.live(asked.order_id).ok_or(Rejection::NotFound)?;
    let current = order.current_payment().filter(|payment| payment.gateway == *at.gateway);
    // A code that is out stays payable, also when its product has given the gateway up since.
    if current.is_none() && !product.gateways.contains(at.gateway) {
        return Err(Rejection::GatewayNotAccepted);
    }
    check_payable(booking, env.now)?;
    check_time(booking, order, product, env)?;
    if let Some(payment) = current {
        return Ok(match payment.status {
            PaymentStatus::Payable => Generating::Shown(payment.payment_id.clone()),
            PaymentStatus::Creating
            | PaymentStatus::Closing
            | PaymentStatus::Paid
            | PaymentStatus::Closed
            | PaymentStatus::Failed => Generating::Unfinished(payment.payment_id.clone()),
        });
    }
    if order.pay_by.is_none() {
        check_first_payment(booking, quote, product, env)?;
    }
    let mut change = Change::of(booking);
    let payment_id = start_payment(&mut change, product, at, env)?;
    Ok(Generating::Started { change: Box::new(change), payment_id })
}

/// What a request for a payment names.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the token says, if it verifies.
    pub quote: Option<&'a Quote>,
    /// The order to be paid.
    pub order_id: &'a OrderId,
    /// That order, if it has ended.
    pub ended: Option<&'a Order>,
}

/// The token must have been made for this booking, its customer and this order.
fn check_binding(
    booking: &Booking,
    quote: &Quote,
    order_id: &OrderId,
    env: Env<'_>,
) -> Result<(), Rejection> {
    let bound = quote.booking_id == booking.booking_id
        && quote.customer_id == booking.customer_id
        && env.ids.order(&quote.token_id) == *order_id
        && quote.order_id.as_ref().is_none_or(|named| named == order_id);
    if bound { Ok(()) } else { Err(Rejection::QuoteTampered) }
}

/// No code is shown or made after `pay_by`.
fn check_time(
    booking: &Booking,
    order: &Order,
    product: &Product,
    env: Env<'_>,
) -> Result<(), Rejection> {
    match order.pay_by {
        Some(pay_by) if pay_by <= env.now => Err(Rejection::OrderClosed {
            status: order.status,
            offer: offer_now(booking, product, order.quantity, env.now),
        }),
        Some(_) | None => Ok(()),
    }
}

fn check_first_payment(
    booking: &Booking,
    quote: &Quote,
    product: &Product,
    env: Env<'_>,
) -> Result<(), Rejection> {
    match (quote.offer.flow, product.price_check) {
        (Flow::OrderFirst, PriceCheck::Off) if quote.offer.expires_at > env.now => Ok(()),
        _ => check_quote(quote, booking, product, env.now),
    }
}
