//! Creating a payment at its gateway, between the commit that wrote it and the one that stores
//! its code.

use api::problem::Problem;
use domain::booking::{Booking, Order, PaymentStatus};
use domain::change::Change;
use domain::decide::refuse_ended;
use domain::decide::start_payment::{Created, PaymentPlan, payment_created};
use domain::gateway::Capture;
use domain::ids::{OrderId, PaymentId};
use domain::task::{TaskId, TaskKind};
use gateways::{CreateOutcome, Gateway, NewPayment, PaymentRef, QueryOutcome};
use store::load::{Loaded, Want, WantOrder};

use crate::apply::{Step, apply, commit_once, refuse};
use crate::deps::Deps;
use crate::gateway_calls;
use crate::news::{Captured, PaymentAddress, Since, record_capture};
use crate::telemetry::{know_order, know_payment};

/// How often a gateway is asked again because somebody else changed the booking meanwhile.
const ROUNDS_MAX: u32 = 4;

/// A payment that is written and whose code is not known yet.
#[derive(Clone, Debug)]
pub struct Written {
    /// The booking as of the commit or the read that showed the payment.
    pub booking: Booking,
    /// The payment's order.
    pub order_id: OrderId,
    /// The payment.
    pub payment_id: PaymentId,
    /// The exact body that creates it.
    pub create_body: String,
}

/// The body that creates a payment which an earlier request wrote and did not finish.
///
/// # Errors
/// [`Problem::GatewayUnavailable`] if its task is gone: then it is no longer being created.
pub async fn stored_body(
    deps: &Deps,
    booking: &Booking,
    payment_id: &PaymentId,
) -> Result<String, Problem> {
    let task = deps.store.task(&booking.booking_id, &TaskId::query(payment_id)).await?;
    match task.map(|task| task.kind) {
        Some(TaskKind::QueryPayment { create_body, .. }) => Ok(create_body),
        Some(TaskKind::Refund { .. } | TaskKind::ClosePayment { .. }) | None => {
            Err(Problem::GatewayUnavailable)
        }
    }
}

/// Creates a written payment at its gateway and stores the code. Answers the booking in which the
/// payment is current and its order live; only then may the code be shown.
///
/// # Errors
/// [`Problem::GatewayUnavailable`] while the outcome is not known: the payment stays as it is, and
/// the same request may be sent again. [`Problem::GatewayRefused`] when it is final. Otherwise why
/// the order or the payment is no longer wanted.
pub async fn create_payment(deps: &Deps, written: Written) -> Result<Booking, Problem> {
    let Written { mut booking, order_id, payment_id, create_body } = written;
    know_order(&order_id);
    know_payment(&payment_id);
    for _ in 0..ROUNDS_MAX {
        let Some((order, address)) = wanted(&booking, &order_id, &payment_id) else {
            return state_of(deps, &booking, &order_id, &payment_id).await;
        };
        if order.pay_by.is_none_or(|pay_by| pay_by <= deps.now()) {
            return Err(Problem::OrderClosed { offer: None });
        }
        let gateway = deps.gateway(&address.gateway).ok_or(Problem::GatewayNotAccepted)?;
        let number = payment_id.as_str();
        let negative =
            match gateway_calls::create(deps, gateway.as_ref(), number, &create_body).await {
                CreateOutcome::Payable { code_url, gateway_ref } => {
                    let code = Created::Payable { code_url, gateway_ref };
                    return store_code(deps, &booking, &order_id, &payment_id, code).await;
                }
                CreateOutcome::AlreadyPaid => {
                    ask_for_payment(deps, &address, None).await?;
                    return state_of(deps, &booking, &order_id, &payment_id).await;
                }
                CreateOutcome::Unknown(_) => return Err(Problem::GatewayUnavailable),
                CreateOutcome::Closed => (Created::Closed, Problem::GatewayUnavailable),
                CreateOutcome::Refused(_) => (Created::Refused, Problem::GatewayRefused),
            };
        // A negative answer holds only for the version that was read before asking.
        let (created, problem) = negative;
        match payment_created(&booking, order, &payment_id, created, deps.now()) {
            Some(change) if commit_once(deps, &change).await? => return Err(problem),
            Some(_) | None => {}
        }
        booking = deps.store.booking(&booking.booking_id).await?.ok_or(Problem::NotFound)?;
    }
    Err(Problem::VersionConflict)
}

/// Finishes the live order's current payment if an earlier request wrote it and did not finish.
///
/// # Errors
/// Like [`create_payment`].
pub async fn resume(deps: &Deps, booking: Booking, order_id: &OrderId) -> Result<Booking, Problem> {
    let current = booking.live(order_id).and_then(Order::current_payment);
    let unfinished = current.filter(|payment| payment.status == PaymentStatus::Creating);
    let Some(payment_id) = unfinished.map(|payment| payment.payment_id.clone()) else {
        return Ok(booking);
    };
    let create_body = stored_body(deps, &booking, &payment_id).await?;
    create_payment(deps, Written { booking, order_id: order_id.clone(), payment_id, create_body })
        .await
}

/// The gateway's request for a planned payment.
#[must_use]
pub fn create_body(gateway: &dyn Gateway, plan: &PaymentPlan) -> String {
    gateway.create_body(&NewPayment {
        payment_id: plan.payment_id.as_str(),
        description: &plan.description,
        amount: plan.amount,
        expires_at: plan.expires_at,
        echo: &plan.echo,
    })
}

/// The payment that a change has just written, to be created at its gateway.
#[must_use]
pub fn written(change: Change, order_id: &OrderId, payment_id: PaymentId) -> Written {
    let query = TaskId::query(&payment_id);
    let create_body = change.tasks.into_iter().find(|task| task.id() == query);
    let create_body = match create_body.map(|task| task.kind) {
        Some(TaskKind::QueryPayment { create_body, .. }) => create_body,
        Some(TaskKind::Refund { .. } | TaskKind::ClosePayment { .. }) | None => String::new(),
    };
    Written { booking: change.booking, order_id: order_id.clone(), payment_id, create_body }
}

/// The live order and the payment's address, while the payment is still to be created.
fn wanted<'a>(
    booking: &'a Booking,
    order_id: &OrderId,
    payment_id: &PaymentId,
) -> Option<(&'a Order, PaymentAddress)> {
    let order = booking.live(order_id)?;
    let payment = order.payment(payment_id)?;
    let creating = payment.status == PaymentStatus::Creating;
    creating.then(|| (order, PaymentAddress::of(booking, order, payment)))
}

/// Stores a code, under whichever version: that it can be paid is true whoever came first.
async fn store_code(
    deps: &Deps,
    booking: &Booking,
    order_id: &OrderId,
    payment_id: &PaymentId,
    created: Created,
) -> Result<Booking, Problem> {
    let order = booking.live(order_id).ok_or(Problem::NotFound)?;
    let change = payment_created(booking, order, payment_id, created.clone(), deps.now());
    if let Some(change) = change
        && matches!(commit_once(deps, &change).await, Ok(true))
    {
        return Ok(change.booking);
    }
    // Somebody else came first, or nobody knows: look again.
    let seq = order.seq;
    let want =
        |_| Want { booking_id: &booking.booking_id, product: true, order: WantOrder::Ended(seq) };
    apply(deps, want, |loaded| {
        let order = loaded.order(order_id).ok_or(Problem::NotFound)?;
        let created = created.clone();
        match payment_created(&loaded.booking, order, payment_id, created, deps.now()) {
            Some(change) if change.shows(payment_id) => {
                let shown = change.booking.clone();
                Ok(Step::Commit(Box::new(change), Ok(shown)))
            }
            Some(change) => Ok(Step::Commit(Box::new(change), Err(not_shown(deps, loaded, order)))),
            None => Ok(Step::Done(shown_in(deps, loaded, order, payment_id))),
        }
    })
    .await?
}

/// The booking as it is now, if somebody else stored the code; otherwise why it is not shown.
async fn state_of(
    deps: &Deps,
    booking: &Booking,
    order_id: &OrderId,
    payment_id: &PaymentId,
) -> Result<Booking, Problem> {
    let want =
        Want { booking_id: &booking.booking_id, product: true, order: WantOrder::ById(order_id) };
    let loaded = deps.store.load(want).await?.ok_or(Problem::NotFound)?;
    let order = loaded.order(order_id).ok_or(Problem::NotFound)?;
    shown_in(deps, &loaded, order, payment_id)
}

fn shown_in(
    deps: &Deps,
    loaded: &Loaded,
    order: &Order,
    payment_id: &PaymentId,
) -> Result<Booking, Problem> {
    let live = loaded.booking.live(&order.order_id).and_then(Order::current_payment);
    let shown = live.is_some_and(|payment| {
        payment.payment_id == *payment_id && payment.status == PaymentStatus::Payable
    });
    if shown { Ok(loaded.booking.clone()) } else { Err(not_shown(deps, loaded, order)) }
}

/// Why a payment that was created is not shown.
fn not_shown(deps: &Deps, loaded: &Loaded, order: &Order) -> Problem {
    match (&loaded.product, loaded.booking.live(&order.order_id)) {
        (Some(product), None) => {
            let rejection = refuse_ended(&loaded.booking, order, product, deps.now());
            refuse(deps, &loaded.booking, rejection)
        }
        // Another window switched the gateway meanwhile: the caller may ask again.
        (_, Some(_)) | (None, None) => Problem::VersionConflict,
    }
}

/// Asks a gateway for a payment and records it if it was paid. Answers what the gateway said.
///
/// # Errors
/// [`Problem::GatewayNotAccepted`] if the gateway is not configured, and what recording meets.
pub async fn ask_for_payment(
    deps: &Deps,
    address: &PaymentAddress,
    gateway_ref: Option<&str>,
) -> Result<QueryOutcome, Problem> {
    let gateway = deps.gateway(&address.gateway).ok_or(Problem::GatewayNotAccepted)?;
    let payment = PaymentRef { payment_id: address.payment_id.as_str(), gateway_ref };
    let outcome = gateway_calls::query(deps, gateway.as_ref(), &payment).await;
    let captured = match &outcome {
        QueryOutcome::Paid(capture) => {
            Captured { capture, since: since(deps, address, capture).await? }
        }
        QueryOutcome::Returned(capture) => Captured { capture, since: Since::Returned },
        QueryOutcome::Unpaid
        | QueryOutcome::Closed
        | QueryOutcome::NotFound
        | QueryOutcome::TooOften(_)
        | QueryOutcome::Unknown(_) => return Ok(outcome),
    };
    record_capture(deps, address, captured).await?;
    Ok(outcome)
}

/// What is known here of money that the gateway still has. It is owed back already where it was
/// told of while its payment was not stored, which a restore from a backup brings about.
async fn since(deps: &Deps, at: &PaymentAddress, capture: &Capture) -> Result<Since, Problem> {
    let (key, payment) = (at.booking_id.key(), at.payment_id.as_str());
    let owed = deps.store.unmatched(key, payment, &capture.transaction_id).await?;
    Ok(if owed.is_some() { Since::Returned } else { Since::Kept })
}
