//! `create-order`: the order of a `submit_once` quote and its payment, in one commit.

use api::problem::Problem;
use api::request::{CreateOrder, Request, gateway_name};
use api::respond::{Answer, json};
use api::route::Route;
use api::view::{OrderAndPaymentView, OrderView};
use domain::booking::{Booking, Order};
use domain::decide::make_order::{Making, create_order};
use domain::decide::start_payment::{At, PaymentPlan};
use domain::ids::BookingId;
use http::StatusCode;
use runtime::apply::{Step, apply, check_owner, refuse};
use runtime::create_payment::{Written, create_body, create_payment, resume, written};
use runtime::deps::Deps;
use runtime::serve::Handled;
use runtime::telemetry::know_answered;
use store::load::{Want, WantOrder};

/// Serves the route of orders.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        let Route::CreateOrder(booking_id) = Route::parse(&request.method, &request.path)? else {
            return Err(Problem::NotFound);
        };
        create(deps, request, &booking_id).await
    })
}

/// What is left to do once the decision is durable.
enum Next {
    /// The payment is to be created.
    Pay(Box<Written>),
    /// The same token made this order before.
    Again(Box<Booking>, Box<Order>),
}

async fn create(deps: &Deps, request: &Request, booking_id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let asked: CreateOrder = request.json()?;
    let name = gateway_name(&asked.gateway)?;
    let gateway = deps.gateway(&name).ok_or(Problem::GatewayNotAccepted)?;
    let quote = deps.keyring.verify(&asked.quote_token);
    let order_id = quote.as_ref().map(|quote| deps.ids.order(&quote.token_id));
    let want = |_| Want {
        booking_id,
        product: true,
        order: order_id.as_ref().map_or(WantOrder::Live, WantOrder::ById),
    };
    let body = |plan: &PaymentPlan| create_body(gateway.as_ref(), plan);
    let at = At { gateway: &name, create_body: &body };
    let next = apply(deps, want, |loaded| {
        let booking = &loaded.booking;
        check_owner(booking, claimant)?;
        let product = loaded.product.as_ref().ok_or(Problem::NotFound)?;
        let ended = loaded.ended.as_ref();
        match create_order(booking, product, quote.as_ref(), ended, at, deps.env()) {
            Ok(Making::Made { change, payment_id }) => {
                let order_id = order_id.as_ref().ok_or(Problem::QuoteTampered)?;
                let payment_id = payment_id.ok_or(Problem::NotFound)?;
                let written = written((*change).clone(), order_id, payment_id);
                Ok(Step::Commit(change, Next::Pay(Box::new(written))))
            }
            Ok(Making::Again(order)) => {
                Ok(Step::Done(Next::Again(Box::new(booking.clone()), order)))
            }
            Err(rejection) => Err(refuse(deps, booking, rejection)),
        }
    });
    finish(deps, next.await?).await
}

async fn finish(deps: &Deps, next: Next) -> Result<Answer, Problem> {
    let (status, booking, order_id) = match next {
        Next::Pay(written) => {
            let order_id = written.order_id.clone();
            (StatusCode::CREATED, create_payment(deps, *written).await?, order_id)
        }
        Next::Again(booking, order) if booking.live(&order.order_id).is_none() => {
            return answer(deps, StatusCode::OK, &booking, &order);
        }
        Next::Again(booking, order) => {
            let booking = resume(deps, *booking, &order.order_id).await?;
            (StatusCode::OK, booking, order.order_id.clone())
        }
    };
    let order = booking.live(&order_id).ok_or(Problem::NotFound)?;
    answer(deps, status, &booking, order)
}

fn answer(
    deps: &Deps,
    status: StatusCode,
    booking: &Booking,
    order: &Order,
) -> Result<Answer, Problem> {
    know_answered(order);
    let order = OrderView::of(booking, order, deps.view());
    json(status, &OrderAndPaymentView::from(order))
}
