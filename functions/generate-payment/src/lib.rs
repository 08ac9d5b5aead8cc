//! `generate-payment`: the first payment of an order, the same one again, or another gateway's.

use api::problem::Problem;
use api::request::{Claimant, GeneratePayment, Request, gateway_name};
use api::respond::{Answer, json};
use api::route::Route;
use api::view::{OrderAndPaymentView, OrderView};
use domain::booking::{Booking, Order};
use domain::decide::close_payment::payment_closed;
use domain::decide::generate_payment::{Asked, Generating, generate_payment};
use domain::decide::start_payment::{At, PaymentPlan};
use domain::gateway::GatewayName;
use domain::ids::{BookingId, OrderId};
use domain::quote::Quote;
use gateways::QueryOutcome;
use http::StatusCode;
use runtime::apply::{Step, apply, check_owner, commit_once, refuse};
use runtime::create_payment::{
    Written, ask_for_payment, create_body, create_payment, resume, written,
};
use runtime::deps::Deps;
use runtime::news::PaymentAddress;
use runtime::serve::Handled;
use runtime::telemetry::{know_answered, know_order};
use store::load::{Want, WantOrder};

/// How often the request is decided again because a shown payment turned out to be over.
const ROUNDS_MAX: u32 = 3;

/// Serves the route of payments.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        let Route::GeneratePayment(booking_id) = Route::parse(&request.method, &request.path)?
        else {
            return Err(Problem::NotFound);
        };
        generate(deps, request, &booking_id).await
    })
}

/// What is left to do once the decision is durable.
enum Next {
    /// A new attempt is to be created at its gateway.
    Pay(Box<Written>),
    /// The current payment is at that gateway; its code may or may not be known.
    Current(Box<Booking>),
}

/// A request for a payment, read.
struct Wanted<'a> {
    booking_id: &'a BookingId,
    claimant: Claimant<'a>,
    order_id: OrderId,
    quote: Option<Quote>,
    gateway: GatewayName,
}

async fn generate(deps: &Deps, request: &Request, id: &BookingId) -> Result<Answer, Problem> {
    let claimant = request.claimant()?;
    let asked: GeneratePayment = request.json()?;
    let wanted = Wanted {
        booking_id: id,
        claimant,
        order_id: asked.order_id,
        quote: deps.keyring.verify(&asked.quote_token),
        gateway: gateway_name(&asked.gateway)?,
    };
    know_order(&wanted.order_id);
    for _ in 0..ROUNDS_MAX {
        match decide(deps, &wanted).await? {
            Next::Pay(written) => {
                let booking = create_payment(deps, *written).await?;
                return answer(deps, StatusCode::CREATED, &booking, &wanted.order_id);
            }
            Next::Current(booking) => {
                if !is_over(deps, &booking, &wanted.order_id).await? {
                    let booking = resume(deps, *booking, &wanted.order_id).await?;
                    return answer(deps, StatusCode::OK, &booking, &wanted.order_id);
                }
            }
        }
    }
    Err(Problem::VersionConflict)
}

async fn decide(deps: &Deps, wanted: &Wanted<'_>) -> Result<Next, Problem> {
    let Wanted { booking_id, claimant, order_id, quote, gateway: name } = wanted;
    let gateway = deps.gateway(name).ok_or(Problem::GatewayNotAccepted)?;
    let body = |plan: &PaymentPlan| create_body(gateway.as_ref(), plan);
    let at = At { gateway: name, create_body: &body };
    let want = |_| Want { booking_id, product: true, order: WantOrder::ById(order_id) };
    apply(deps, want, |loaded| {
        let booking = &loaded.booking;
        check_owner(booking, *claimant)?;
        let product = loaded.product.as_ref().ok_or(Problem::NotFound)?;
        let asked = Asked { quote: quote.as_ref(), order_id, ended: loaded.ended.as_ref() };
        match generate_payment(booking, product, asked, at, deps.env()) {
            Ok(Generating::Started { change, payment_id }) => {
                let written = written((*change).clone(), order_id, payment_id);
                Ok(Step::Commit(change, Next::Pay(Box::new(written))))
            }
            Ok(Generating::Shown(_) | Generating::Unfinished(_)) => {
                Ok(Step::Done(Next::Current(Box::new(booking.clone()))))
            }
            Err(rejection) => Err(refuse(deps, booking, rejection)),
        }
    })
    .await
}

/// Asks about a code that is shown again: a lost notification is found here, and so is a code
/// that the gateway closed. `true` if the payment is over and the request is to be decided anew.
async fn is_over(deps: &Deps, booking: &Booking, order_id: &OrderId) -> Result<bool, Problem> {
    let Some(order) = booking.live(order_id) else { return Ok(true) };
    let shown = order.current_payment().filter(|payment| payment.code_url.is_some());
    let Some(payment) = shown else { return Ok(false) };
    let address = PaymentAddress::of(booking, order, payment);
    match ask_for_payment(deps, &address, payment.gateway_ref.as_deref()).await? {
        QueryOutcome::Paid(_) | QueryOutcome::Returned(_) => Ok(true),
        QueryOutcome::Closed => {
            let change = payment_closed(booking, order, &payment.payment_id, deps.now());
            if let Some(change) = change {
                commit_once(deps, &change).await?;
            }
            Ok(true)
        }
        // No answer must not keep a customer from the code that is theirs; but others may have
        // voided it while the gateway was asked.
        QueryOutcome::Unpaid
        | QueryOutcome::NotFound
        | QueryOutcome::TooOften(_)
        | QueryOutcome::Unknown(_) => {
            let now = deps.store.booking(&booking.booking_id).await?;
            let live = now.as_ref().and_then(|booking| booking.live(order_id));
            let current = live.and_then(Order::current_payment);
            Ok(current.is_none_or(|current| current.payment_id != payment.payment_id))
        }
    }
}

fn answer(
    deps: &Deps,
    status: StatusCode,
    booking: &Booking,
    order_id: &OrderId,
) -> Result<Answer, Problem> {
    let order: &Order = booking.live(order_id).ok_or(Problem::NotFound)?;
    know_answered(order);
    let order = OrderView::of(booking, order, deps.view());
    json(status, &OrderAndPaymentView::from(order))
}
