//! Quoting: a price for a quantity and, where the flow says so, the order and payment with it.

use crate::booking::{Booking, Order};
use crate::change::Change;
use crate::decide::make_order::{Making, add_order};
use crate::decide::start_payment::{At, PaymentPlan, start_payment};
use crate::decide::{Env, Rejection};
use crate::gateway::GatewayName;
use crate::ids::{KeyedQuote, TokenId};
use crate::product::{Flow, Product};
use crate::quote::{Offer, Quote, price};

/// What a customer asks.
#[derive(Clone, Copy)]
pub struct QuoteRequest<'a> {
    /// Units.
    pub quantity: u32,
    /// Where it is to be paid; `instant` needs it.
    pub gateway: Option<&'a GatewayName>,
    /// What makes a repeated request the same request.
    pub idempotency_key: Option<&'a str>,
    /// Randomness for the token id where there is no key.
    pub fresh: [u8; 16],
    /// How the gateway writes its create request; pure.
    pub create_body: &'a (dyn Fn(&PaymentPlan) -> String + Sync),
}

/// What asking for a quote comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quoted {
    /// The priced offer.
    pub quote: Quote,
    /// The order that it made; `None` in `submit_once`.
    pub making: Option<Making>,
}

/// Prices a request and makes what its product's flow makes with a quote.
///
/// # Errors
/// [`Rejection`]: the gateway, the quantity, the booking's state or its renewals do not allow it.
pub fn quote(
    booking: &Booking,
    product: &Product,
    earlier: Option<&Order>,
    request: QuoteRequest<'_>,
    env: Env<'_>,
) -> Result<Quoted, Rejection> {
    check_gateway(product, request.gateway)?;
    let offer = price(booking, product, request.quantity, env.now)?;
    let token_id = token_id(booking, &offer, request, env);
    let order_id = env.ids.order(&token_id);
    let made = match offer.flow {
        Flow::SubmitOnce => None,
        Flow::OrderFirst | Flow::Instant => Some(order_id.clone()),
    };
    let quote = Quote {
        token_id,
        booking_id: booking.booking_id.clone(),
        customer_id: booking.customer_id.clone(),
        order_id: made.clone(),
        offer,
    };
    if made.is_none() {
        return Ok(Quoted { quote, making: None });
    }
    if let Some(order) = earlier.or_else(|| booking.live(&order_id)) {
        let quote = Quote::of_order(booking, order);
        return Ok(Quoted { quote, making: Some(Making::Again(Box::new(order.clone()))) });
    }
    let making = make(booking, product, &quote, request, env)?;
    Ok(Quoted { quote, making: Some(making) })
}

/// The token id that a keyed request derives for what is offered now.
#[must_use]
pub fn token_id(
    booking: &Booking,
    offer: &Offer,
    request: QuoteRequest<'_>,
    env: Env<'_>,
) -> TokenId {
    let Some(idempotency_key) = request.idempotency_key else {
        return env.ids.fresh_token(request.fresh);
    };
    env.ids.keyed_token(&KeyedQuote {
        booking_id: &booking.booking_id,
        idempotency_key,
        kind: offer.kind.as_str(),
        quantity: offer.quantity,
        gateway: request.gateway,
        price_version: &offer.price_version,
        term_base_s: offer.term_base.map_or(0, |base| base.as_second()),
    })
}

fn check_gateway(product: &Product, gateway: Option<&GatewayName>) -> Result<(), Rejection> {
    match gateway {
        Some(gateway) if !product.gateways.contains(gateway) => Err(Rejection::GatewayNotAccepted),
        None if product.flow == Flow::Instant => Err(Rejection::GatewayRequired),
        Some(_) | None => Ok(()),
    }
}

fn make(
    booking: &Booking,
    product: &Product,
    quote: &Quote,
    request: QuoteRequest<'_>,
    env: Env<'_>,
) -> Result<Making, Rejection> {
    let mut change = Change::of(booking);
    add_order(&mut change, quote, product, env)?;
    let payment_id = match (product.flow, request.gateway) {
        (Flow::Instant, Some(gateway)) => {
            let at = At { gateway, create_body: request.create_body };
            Some(start_payment(&mut change, product, at, env)?)
        }
        (Flow::Instant, None) => return Err(Rejection::GatewayRequired),
        (Flow::SubmitOnce | Flow::OrderFirst, _) => None,
    };
    Ok(Making::Made { change: Box::new(change), payment_id })
}
