//! Making an order: it becomes the live one and voids the older pending one in the same commit.

use crate::booking::{Booking, Order, OrderStatus};
use crate::change::{Change, Ending};
use crate::decide::start_payment::{At, start_payment};
use crate::decide::{Env, Rejection, check_quote};
use crate::ids::{OrderId, PaymentId};
use crate::product::{Flow, Product};
use crate::quote::{Quote, pins_for};

/// What a request to create an order comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Making {
    /// The order is made, with its first payment where the flow generates one at once.
    Made {
        /// What is written.
        change: Box<Change>,
        /// The payment to be created at its gateway.
        payment_id: Option<PaymentId>,
    },
    /// The same request made it before.
    Again(Box<Order>),
}

/// Writes the order of a quote into a change. The older live order is superseded.
///
/// # Errors
/// [`Rejection::BookingNotPayable`] if the booking cannot follow its product's unit or currency.
pub fn add_order(
    change: &mut Change,
    quote: &Quote,
    product: &Product,
    env: Env<'_>,
) -> Result<OrderId, Rejection> {
    let order_id = env.ids.order(&quote.token_id);
    change.end_live_order(Ending::superseded_by(order_id.clone()), env.now);
    let booking = &mut change.booking;
    booking.pins = pins_for(booking, product).ok_or(Rejection::BookingNotPayable)?;
    let seq = booking.orders_made;
    booking.orders_made = seq.saturating_add(1);
    let offer = &quote.offer;
    booking.live_order = Some(Order {
        order_id: order_id.clone(),
        seq,
        kind: offer.kind,
        status: OrderStatus::Pending,
        reason: None,
        quantity: offer.quantity,
        unit_price: offer.unit_price,
        amount: offer.amount,
        price_version: offer.price_version.clone(),
        flow: offer.flow,
        late_payment: product.late_payment,
        token_id: quote.token_id.clone(),
        quote_issued_at: offer.issued_at,
        quote_expires_at: offer.expires_at,
        created_at: env.now,
        pay_by: None,
        superseded_by: None,
        revision: 0,
        payments: vec![],
        refunds: vec![],
    });
    change.made = Some((order_id.clone(), seq));
    Ok(order_id)
}

/// Creates the order of a `submit_once` quote, and its payment, in one commit.
///
/// `quote` is what the caller's token says, or `None` if the token does not verify; `earlier` is
/// the ended order that the token made before, if it did.
///
/// # Errors
/// [`Rejection`], in this order: a token for something else, another flow's call, another gateway
/// than before, a gateway not accepted, the booking's state, the quote's expiry, its price.
pub fn create_order(
    booking: &Booking,
    product: &Product,
    quote: Option<&Quote>,
    earlier: Option<&Order>,
    at: At<'_>,
    env: Env<'_>,
) -> Result<Making, Rejection> {
    let bound = |quote: &Quote| {
        quote.booking_id == booking.booking_id && quote.customer_id == booking.customer_id
    };
    let quote = match quote {
        Some(quote) if !bound(quote) => return Err(Rejection::QuoteTampered),
        Some(quote) if quote.offer.flow != Flow::SubmitOnce => {
            return Err(Rejection::FlowMismatch);
        }
        Some(quote) => quote,
        None if product.flow != Flow::SubmitOnce => return Err(Rejection::FlowMismatch),
        None => return Err(Rejection::QuoteTampered),
    };
    let order_id = env.ids.order(&quote.token_id);
    if let Some(order) = earlier.or_else(|| booking.live(&order_id)) {
        return repeat(order, at);
    }
    if !product.gateways.contains(at.gateway) {
        return Err(Rejection::GatewayNotAccepted);
    }
    check_quote(quote, booking, product, env.now)?;
    let mut change = Change::of(booking);
    add_order(&mut change, quote, product, env)?;
    let payment_id = start_payment(&mut change, product, at, env)?;
    Ok(Making::Made { change: Box::new(change), payment_id: Some(payment_id) })
}

/// The same token again is the same order; with another gateway it is another request.
fn repeat(order: &Order, at: At<'_>) -> Result<Making, Rejection> {
    match order.payments.first() {
        Some(first) if first.gateway != *at.gateway => Err(Rejection::IdempotencyMismatch),
        Some(_) | None => Ok(Making::Again(Box::new(order.clone()))),
    }
}
