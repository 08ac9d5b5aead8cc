//! `quote`: a price for a quantity, and what the product's flow makes with it.

use std::sync::OnceLock;

use api::problem::Problem;
use api::request::{AskQuote, Request, gateway_name};
use api::respond::{Answer, json};
use api::route::Route;
use api::view::{OrderView, QuoteView, QuotedView};
use domain::booking::{Booking, Order};
use domain::decide::make_order::Making;
use domain::decide::quote::{QuoteRequest, Quoted, quote};
use domain::decide::start_payment::PaymentPlan;
use domain::gateway::GatewayName;
use domain::ids::{BookingId, OrderId};
use domain::quote::Quote;
use http::StatusCode;
use runtime::apply::{Step, apply, check_owner, refuse};
use runtime::create_payment::{Written, create_body, create_payment, resume, written};
use runtime::deps::Deps;
use runtime::serve::Handled;
use runtime::telemetry::know_answered;
use store::load::{Loaded, Want, WantOrder};

/// Serves the route of quotes.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        let Route::Quote(booking_id) = Route::parse(&request.method, &request.path)? else {
            return Err(Problem::NotFound);
        };
        ask(deps, request, &booking_id).await
    })
}

/// What is left to do once the decision is durable.
enum Next {
    /// Only a price was asked for.
    Price(Quote),
    /// The quote made this order.
    Made(Quote, Box<Booking>, OrderId),
    /// The quote made an order whose payment is to be created.
    Pay(Quote, Box<Written>),
    /// An earlier request of the same key made this order.
    Again(Quote, Box<Booking>, Box<Order>),
}

async fn ask(deps: &Deps, request: &Request, booking_id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let asked: AskQuote = request.json()?;
    let idempotency_key = request.idempotency_key()?;
    let gateway = asked.gateway.as_deref().map(gateway_name).transpose()?;
    let fresh = deps.fresh();
    let body = |plan: &PaymentPlan| body_of(deps, gateway.as_ref(), plan);
    let quote_request = QuoteRequest {
        quantity: asked.quantity,
        gateway: gateway.as_ref(),
        idempotency_key,
        fresh,
        create_body: &body,
    };
    // Which order a keyed request makes is known once its price is: it is read only if the commit
    // finds the id used, because nearly always it is not.
    let made = OnceLock::new();
    let want = |tries| Want {
        booking_id,
        product: true,
        order: match made.get() {
            Some(order_id) if tries > 0 => WantOrder::ById(order_id),
            Some(_) | None => WantOrder::Live,
        },
    };
    let next = apply(deps, want, |loaded| {
        check_owner(&loaded.booking, claimant)?;
        let quoted = decide(deps, loaded, quote_request)?;
        if let Some(order_id) = &quoted.quote.order_id {
            let _ = made.set(order_id.clone());
        }
        Ok(step(loaded, quoted))
    });
    finish(deps, next.await?).await
}

fn body_of(deps: &Deps, gateway: Option<&GatewayName>, plan: &PaymentPlan) -> String {
    let gateway = gateway.and_then(|name| deps.gateway(name));
    gateway.map(|gateway| create_body(gateway.as_ref(), plan)).unwrap_or_default()
}

fn decide(deps: &Deps, loaded: &Loaded, request: QuoteRequest<'_>) -> Result<Quoted, Problem> {
    if request.gateway.is_some_and(|name| deps.gateway(name).is_none()) {
        return Err(Problem::GatewayNotAccepted);
    }
    let product = loaded.product.as_ref().ok_or(Problem::NotFound)?;
    quote(&loaded.booking, product, loaded.ended.as_ref(), request, deps.env())
        .map_err(|rejection| refuse(deps, &loaded.booking, rejection))
}

fn step(loaded: &Loaded, quoted: Quoted) -> Step<Next> {
    let Quoted { quote, making } = quoted;
    match making {
        None => Step::Done(Next::Price(quote)),
        Some(Making::Again(order)) => {
            Step::Done(Next::Again(quote, Box::new(loaded.booking.clone()), order))
        }
        Some(Making::Made { change, payment_id }) => {
            let order_id = change.made.as_ref().map(|(order_id, _)| order_id.clone());
            let next = match (order_id, payment_id) {
                (Some(order_id), Some(payment_id)) => {
                    let written = written((*change).clone(), &order_id, payment_id);
                    Next::Pay(quote, Box::new(written))
                }
                (Some(order_id), None) => {
                    Next::Made(quote, Box::new(change.booking.clone()), order_id)
                }
                (None, _) => Next::Price(quote),
            };
            Step::Commit(change, next)
        }
    }
}

async fn finish(deps: &Deps, next: Next) -> Result<Answer, Problem> {
    let (status, quote, booking, order_id) = match next {
        Next::Price(quote) => {
            let quote = quote_view(deps, &quote);
            let view = QuotedView { quote, order: None, payment: None };
            return json(StatusCode::CREATED, &view);
        }
        Next::Made(quote, booking, order_id) => (StatusCode::CREATED, quote, *booking, order_id),
        Next::Pay(quote, written) => {
            let order_id = written.order_id.clone();
            let booking = create_payment(deps, *written).await?;
            (StatusCode::CREATED, quote, booking, order_id)
        }
        Next::Again(quote, booking, order) if booking.live(&order.order_id).is_none() => {
            return answer(deps, StatusCode::OK, &quote, &booking, &order);
        }
        Next::Again(quote, booking, order) => {
            let booking = resume(deps, *booking, &order.order_id).await?;
            (StatusCode::OK, quote, booking, order.order_id.clone())
        }
    };
    let order = booking.live(&order_id).ok_or(Problem::NotFound)?;
    answer(deps, status, &quote, &booking, order)
}

fn answer(
    deps: &Deps,
    status: StatusCode,
    quote: &Quote,
    booking: &Booking,
    order: &Order,
) -> Result<Answer, Problem> {
    know_answered(order);
    let order = OrderView::of(booking, order, deps.view());
    let payment = order.payment().cloned();
    json(status, &QuotedView { quote: quote_view(deps, quote), order: Some(order), payment })
}

fn quote_view(deps: &Deps, quote: &Quote) -> QuoteView {
    QuoteView::of(&quote.offer, Some(deps.keyring.sign(quote)))
}
