//! What gateways tell, by a notification or when asked: recorded the same way either way.

use api::problem::Problem;
use domain::attention::Attention;
use domain::booking::{Booking, Order, Payment, RefundReason};
use domain::decide::record_payment::{
    Recording, is_made_again, record_payment, record_returned, record_unmatched,
};
use domain::decide::record_refund::{
    Foreign, ForeignKind, REFUND_ATTEMPTS_TOTAL_MAX, RefundNews, RefundOf, record_foreign,
    record_refund, record_unmatched_refund,
};
use domain::gateway::{Capture, GatewayName};
use domain::ids::{BookingId, Echo, OrderId, PaymentId, RefundNumber};
use domain::money::Money;
use gateways::{Event, NamedPayment, Owner, PaymentRef, QueryOutcome, RefundOutcome};
use store::error::CommitError;
use store::load::{Want, WantOrder};

use crate::apply::{Step, TRIES_MAX, apply};
use crate::create_payment::ask_for_payment;
use crate::deps::Deps;
use crate::gateway_calls;
use crate::telemetry::{Metric, count, know_booking, know_order, know_payment};

/// The position that a refund number carries where the money belongs to no stored order.
pub const NO_ORDER: u32 = u32::MAX;

/// Where a payment is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentAddress {
    /// Its booking.
    pub booking_id: BookingId,
    /// Its order.
    pub order_id: OrderId,
    /// That order's position.
    pub order_seq: u32,
    /// The payment.
    pub payment_id: PaymentId,
    /// Where it is paid.
    pub gateway: GatewayName,
}

impl PaymentAddress {
    /// Where a stored payment is.
    #[must_use]
    pub fn of(booking: &Booking, order: &Order, payment: &Payment) -> Self {
        Self {
            booking_id: booking.booking_id.clone(),
            order_id: order.order_id.clone(),
            order_seq: order.seq,
            payment_id: payment.payment_id.clone(),
            gateway: payment.gateway.clone(),
        }
    }
}

/// What recording captured money came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// It bought its order.
    Applied,
    /// It goes back.
    Refunded(RefundReason),
    /// It was recorded before.
    Settled,
    /// Ours, without a stored payment; it goes back.
    Unmatched,
}

/// Records one event of a verified notification. When this returns, what it caused is durable.
///
/// # Errors
/// Any [`Problem`]: the gateway is to send it again.
pub async fn record_event(
    deps: &Deps,
    gateway: &GatewayName,
    event: &Event,
) -> Result<(), Problem> {
    match event {
        Event::Paid { payment_id, echo, capture, .. } => {
            match ours(deps, gateway, payment_id, echo.as_deref()) {
                Some(address) => {
                    let captured = Captured { capture, since: Since::Told };
                    record_capture(deps, &address, captured).await.map(|_| ())
                }
                None => {
                    count(Metric::NotificationNotOurs, &[("gateway", gateway.as_str())], "payment");
                    Ok(())
                }
            }
        }
        Event::PaidUndated { payment_id, echo } => {
            match ours(deps, gateway, payment_id, echo.as_deref()) {
                Some(address) => ask_when_paid(deps, &address).await,
                None => {
                    count(Metric::NotificationNotOurs, &[("gateway", gateway.as_str())], "payment");
                    Ok(())
                }
            }
        }
        Event::Refund { payment, number, amount, outcome } => {
            let Some(news) = news_of(outcome) else {
                return Ok(());
            };
            let told =
                Told { kind: ForeignKind::Refund, gateway, payment, number, amount: *amount };
            record_refund_event(deps, told, &news).await
        }
        Event::Dispute { payment, number, amount } => {
            let told =
                Told { kind: ForeignKind::Dispute, gateway, payment, number, amount: *amount };
            record_foreign_event(deps, told).await
        }
    }
}

/// Lateness is judged by the gateway's own payment time, so that it has to be asked for where an
/// event lacks it. Any other answer than that time contradicts the event, or is none.
async fn ask_when_paid(deps: &Deps, at: &PaymentAddress) -> Result<(), Problem> {
    match ask_for_payment(deps, at, None).await? {
        QueryOutcome::Paid(_) | QueryOutcome::Returned(_) => Ok(()),
        QueryOutcome::Unpaid
        | QueryOutcome::Closed
        | QueryOutcome::NotFound
        | QueryOutcome::TooOften(_)
        | QueryOutcome::Unknown(_) => Err(Problem::GatewayUnavailable),
    }
}

/// The address that an echo proves; `None` if it does not prove the payment ours.
#[must_use]
pub fn ours(
    deps: &Deps,
    gateway: &GatewayName,
    payment_id: &str,
    echo: Option<&str>,
) -> Option<PaymentAddress> {
    let Echo { booking_id, order_id, order_seq, attempt } = deps.ids.open_echo(echo?)?;
    let derived = deps.ids.payment(&order_id, gateway, attempt);
    (derived.as_str() == payment_id).then(|| PaymentAddress {
        booking_id,
        order_id,
        order_seq,
        payment_id: derived,
        gateway: gateway.clone(),
    })
}

/// What became of captured money before we heard of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// The gateway has told of it, which it may have done before.
    Told,
    /// The gateway still has it, and here it is not owed back, as far as is known.
    Kept,
    /// Some or all of it has gone back, or is about to.
    Returned,
}

/// Captured money as a gateway tells of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Captured<'a> {
    /// The transaction and its amount.
    pub capture: &'a Capture,
    /// What became of it since.
    pub since: Since,
}

/// Records captured money: applied once, or owed back once.
///
/// # Errors
/// [`Problem`] of the store; nothing is acknowledged then.
pub async fn record_capture(
    deps: &Deps,
    at: &PaymentAddress,
    captured: Captured<'_>,
) -> Result<Recorded, Problem> {
    know_booking(&at.booking_id);
    know_order(&at.order_id);
    know_payment(&at.payment_id);
    let mut recorded = record_at(deps, at, WantOrder::Ended(at.order_seq), captured).await?;
    if recorded == Recorded::Unmatched {
        // A table that was restored from a backup may have the same order at another position.
        recorded = record_at(deps, at, WantOrder::ById(&at.order_id), captured).await?;
    }
    if recorded == Recorded::Unmatched {
        recorded = store_unmatched(deps, at, captured.capture).await?;
    }
    if recorded == Recorded::Applied {
        count(Metric::PaymentApplied, &[("gateway", at.gateway.as_str())], at.payment_id.as_str());
    }
    Ok(recorded)
}

/// What is known here of money that the gateway still has. It is owed back already where it was
/// told of while its payment was not stored, which a restore from a backup brings about.
///
/// # Errors
/// [`Problem`] of the store.
pub async fn since(deps: &Deps, at: &PaymentAddress, capture: &Capture) -> Result<Since, Problem> {
    let (key, payment) = (at.booking_id.key(), at.payment_id.as_str());
    let owed = deps.store.unmatched(key, payment, &capture.transaction_id).await?;
    Ok(if owed.is_some() { Since::Returned } else { Since::Kept })
}

/// The same of money for an order that was made again, which is not believed to be there only
/// because it is told of: what was told before, and given back before the backup took the table's
/// place, is known to the gateway alone.
async fn since_made_again(
    deps: &Deps,
    at: &PaymentAddress,
    capture: &Capture,
) -> Result<Since, Problem> {
    if since(deps, at, capture).await? == Since::Returned {
        return Ok(Since::Returned);
    }
    let gateway = deps.gateway(&at.gateway).ok_or(Problem::GatewayNotAccepted)?;
    let payment = PaymentRef { payment_id: at.payment_id.as_str(), gateway_ref: None };
    match gateway_calls::query(deps, gateway.as_ref(), &payment).await {
        QueryOutcome::Paid(_) => Ok(Since::Kept),
        QueryOutcome::Returned(_) => Ok(Since::Returned),
        // Any other answer contradicts the event, or is none.
        QueryOutcome::Unpaid
        | QueryOutcome::Closed
        | QueryOutcome::NotFound
        | QueryOutcome::TooOften(_)
        | QueryOutcome::Unknown(_) => Err(Problem::GatewayUnavailable),
    }
}

/// Records captured money on its order, if that is found where it is looked for. Only for an order
/// that was made again is it asked first what became of the money.
async fn record_at(
    deps: &Deps,
    at: &PaymentAddress,
    order: WantOrder<'_>,
    captured: Captured<'_>,
) -> Result<Recorded, Problem> {
    if let Some(recorded) = record_as(deps, at, order, captured).await? {
        return Ok(recorded);
    }
    let Captured { capture, .. } = captured;
    let known = Captured { capture, since: since_made_again(deps, at, capture).await? };
    let recorded = record_as(deps, at, order, known).await?;
    recorded.ok_or_else(|| Problem::Internal("what became of money is not known".to_owned()))
}

/// The same, as the money is said to be; `None` if that has to be asked first.
async fn record_as(
    deps: &Deps,
    at: &PaymentAddress,
    order: WantOrder<'_>,
    captured: Captured<'_>,
) -> Result<Option<Recorded>, Problem> {
    let want = |_| Want { booking_id: &at.booking_id, product: true, order };
    let recorded = apply(deps, want, |loaded| {
        let booking = &loaded.booking;
        let order = loaded.order(&at.order_id);
        let product = loaded.product.as_ref();
        let product = product.ok_or_else(|| Problem::Internal("product gone".to_owned()))?;
        let Captured { capture, since } = captured;
        let decide = match since {
            Since::Told | Since::Kept => record_payment,
            Since::Returned => record_returned,
        };
        let is_unclear =
            since == Since::Told && order.is_some_and(|order| is_made_again(order, capture));
        let recording = decide(booking, order, &at.payment_id, capture, product, deps.env());
        Ok(match recording {
            Recording::Applied(_) | Recording::Refunded { .. } if is_unclear => Step::Done(None),
            Recording::Applied(change) => Step::Commit(change, Some(Recorded::Applied)),
            Recording::Refunded { change, reason } => {
                // Counted before it is durable: twice is harmless, and never would not be.
                count_refund(at, reason);
                Step::Commit(change, Some(Recorded::Refunded(reason)))
            }
            Recording::Settled => Step::Done(Some(Recorded::Settled)),
            Recording::Unmatched => Step::Done(Some(Recorded::Unmatched)),
        })
    });
    match recorded.await {
        // Not even the booking is stored.
        Err(Problem::NotFound) => Ok(Some(Recorded::Unmatched)),
        other => other,
    }
}

/// Stores money without a stored payment, once. That another writer came first is not enough: it
/// may be another transaction on its way that is never made, so only what is read counts.
async fn store_unmatched(
    deps: &Deps,
    at: &PaymentAddress,
    capture: &Capture,
) -> Result<Recorded, Problem> {
    let (unmatched, task) =
        record_unmatched(&at.booking_id, &at.gateway, &at.payment_id, capture, deps.env());
    let (key, payment) = (at.booking_id.key(), at.payment_id.as_str());
    count(Metric::PaymentUnmatched, &[("gateway", at.gateway.as_str())], at.payment_id.as_str());
    match deps.store.commit_unmatched(&unmatched, &task, &deps.request_token()).await {
        Ok(()) => Ok(Recorded::Unmatched),
        Err(CommitError::Conflict) => {
            match deps.store.unmatched(key, payment, &capture.transaction_id).await? {
                Some(_) => Ok(Recorded::Settled),
                None => Err(Problem::VersionConflict),
            }
        }
        Err(error @ (CommitError::NotApplied(_) | CommitError::Unknown(_))) => Err(error.into()),
    }
}

fn count_refund(at: &PaymentAddress, reason: RefundReason) {
    let (gateway, payment) = (("gateway", at.gateway.as_str()), at.payment_id.as_str());
    count(Metric::RefundDue, &[gateway, ("reason", reason.as_str())], payment);
    if reason == RefundReason::AmountMismatch {
        count(Metric::AmountMismatch, &[gateway], payment);
    }
}

/// Counts what a change raises. To be called before it is durable: twice is harmless, and never
/// would not be.
pub fn count_raised(raised: &[Attention]) {
    for attention in raised {
        let subject = ("subject", attention.subject.as_str());
        count(Metric::NeedsAttention, &[subject], attention.attention_id.as_str());
    }
}

/// What a gateway's answer about a refund means here; `None` if it says nothing.
#[must_use]
pub fn news_of(outcome: &RefundOutcome) -> Option<RefundNews> {
    match outcome {
        RefundOutcome::Succeeded => Some(RefundNews::Succeeded),
        RefundOutcome::Processing => Some(RefundNews::Accepted),
        RefundOutcome::Failed(refusal) => Some(RefundNews::Failed { code: refusal.code.clone() }),
        RefundOutcome::Refused(refusal) => Some(RefundNews::Refused { code: refusal.code.clone() }),
        RefundOutcome::Stuck(refusal) => Some(RefundNews::Flagged { code: refusal.code.clone() }),
        RefundOutcome::NotFound
        | RefundOutcome::Later(_)
        | RefundOutcome::TooOften(_)
        | RefundOutcome::Unknown(_) => None,
    }
}

/// A refund or a dispute as a gateway's event names it.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    kind: ForeignKind,
    gateway: &'a GatewayName,
    payment: &'a NamedPayment,
    number: &'a str,
    amount: Money,
}

async fn record_refund_event(
    deps: &Deps,
    told: Told<'_>,
    news: &RefundNews,
) -> Result<(), Problem> {
    let Some((number, payment_id, attempt)) = our_refund(deps, told) else {
        return record_foreign_event(deps, told).await;
    };
    let transaction_id = told.payment.transaction_id.as_str();
    let of = RefundOf { payment_id: &payment_id, transaction_id, attempt };
    if number.order_seq == NO_ORDER {
        return record_unmatched_news(deps, &number.booking_key, of, news).await;
    }
    let Some(booking) = deps.store.booking_by_key(&number.booking_key).await? else {
        return Ok(());
    };
    let (booking_id, there) = (&booking.booking_id, WantOrder::Ended(number.order_seq));
    if record_refund_at(deps, booking_id, there, of, news).await? == Sought::Found {
        return Ok(());
    }
    // A table that was restored from a backup may have the same order at another position.
    if let Some(at) = address_of(deps, told).await? {
        record_refund_at(deps, booking_id, WantOrder::ById(&at.order_id), of, news).await?;
    }
    Ok(())
}

/// Whether a record was where it was looked for; what is found may have nothing to change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sought {
    Found,
    Missing,
}

/// The refund of ours, its payment and its attempt that a number proves.
fn our_refund(deps: &Deps, told: Told<'_>) -> Option<(RefundNumber, PaymentId, u32)> {
    let number = RefundNumber::from_wire(told.number)?;
    let payment_id = PaymentId::parse(told.payment.payment_id.as_deref()?)?;
    let transaction_id = told.payment.transaction_id.as_str();
    let attempt = (1..=REFUND_ATTEMPTS_TOTAL_MAX).find(|attempt| {
        deps.ids.refund(payment_id.as_str(), transaction_id, *attempt) == number.refund_id
    })?;
    Some((number, payment_id, attempt))
}

/// Records news of a refund on its order.
///
/// # Errors
/// [`Problem`] of the store.
pub async fn record_refund_news(
    deps: &Deps,
    booking_id: &BookingId,
    order_seq: u32,
    of: RefundOf<'_>,
    news: &RefundNews,
) -> Result<(), Problem> {
    record_refund_at(deps, booking_id, WantOrder::Ended(order_seq), of, news).await.map(|_| ())
}

/// Records news of a refund on its order, if that is found where it is looked for.
async fn record_refund_at(
    deps: &Deps,
    booking_id: &BookingId,
    order: WantOrder<'_>,
    of: RefundOf<'_>,
    news: &RefundNews,
) -> Result<Sought, Problem> {
    know_payment(of.payment_id);
    let want = |_| Want { booking_id, product: false, order };
    apply(deps, want, |loaded| {
        let holds = |order: &&Order| order.refund_of(of.payment_id, of.transaction_id).is_some();
        let Some(order) = loaded.wanted(order).filter(holds) else {
            return Ok(Step::Done(Sought::Missing));
        };
        Ok(match record_refund(&loaded.booking, order, of, news, deps.env()) {
            Some(change) => {
                count_raised(&change.raised);
                Step::Commit(Box::new(change), Sought::Found)
            }
            None => Step::Done(Sought::Found),
        })
    })
    .await
}

/// Records news of the refund of unmatched money.
///
/// # Errors
/// [`Problem`] of the store.
pub async fn record_unmatched_news(
    deps: &Deps,
    booking_key: &str,
    of: RefundOf<'_>,
    news: &RefundNews,
) -> Result<(), Problem> {
    let payment = of.payment_id.as_str();
    for _ in 0..TRIES_MAX {
        let stored = deps.store.unmatched(booking_key, payment, of.transaction_id).await?;
        let change =
            stored.and_then(|one| record_unmatched_refund(&one, of.attempt, news, deps.env()));
        let Some(change) = change else { return Ok(()) };
        count_raised(&change.raised);
        match deps.store.update_unmatched(&change, &deps.request_token()).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict | CommitError::Unknown(_)) => {}
            Err(error @ CommitError::NotApplied(_)) => return Err(error.into()),
        }
    }
    Err(Problem::VersionConflict)
}

/// What others did about a payment: stored and flagged if the payment is ours. Where the event
/// does not prove that, only the gateway can tell.
async fn record_foreign_event(deps: &Deps, told: Told<'_>) -> Result<(), Problem> {
    let Some(at) = address_of(deps, told).await? else {
        let gateway = ("gateway", told.gateway.as_str());
        count(Metric::NotificationNotOurs, &[gateway], "refund");
        return Ok(());
    };
    let foreign = Foreign {
        kind: told.kind,
        payment_id: &at.payment_id,
        number: told.number,
        amount: told.amount,
    };
    // A table that was restored from a backup may have the same order at another position.
    for order in [WantOrder::Ended(at.order_seq), WantOrder::ById(&at.order_id)] {
        if record_foreign_at(deps, &at, order, foreign).await? == Sought::Found {
            break;
        }
    }
    Ok(())
}

/// Stores and flags what others did about a payment, if that is found where it is looked for.
async fn record_foreign_at(
    deps: &Deps,
    at: &PaymentAddress,
    order: WantOrder<'_>,
    foreign: Foreign<'_>,
) -> Result<Sought, Problem> {
    let want = |_| Want { booking_id: &at.booking_id, product: false, order };
    let flagged = apply(deps, want, |loaded| {
        let holds = |order: &&Order| order.payment(foreign.payment_id).is_some();
        let Some(order) = loaded.order(&at.order_id).filter(holds) else {
            return Ok(Step::Done(Sought::Missing));
        };
        Ok(match record_foreign(&loaded.booking, order, foreign, deps.env()) {
            Some(change) => {
                count_raised(&change.raised);
                Step::Commit(Box::new(change), Sought::Found)
            }
            None => Step::Done(Sought::Found),
        })
    });
    match flagged.await {
        Err(Problem::NotFound) => Ok(Sought::Missing),
        other => other,
    }
}

/// Where the payment of an event is found; `None` if it is not ours.
async fn address_of(deps: &Deps, told: Told<'_>) -> Result<Option<PaymentAddress>, Problem> {
    let NamedPayment { transaction_id, payment_id, echo } = told.payment;
    if let (Some(payment_id), Some(echo)) = (payment_id, echo) {
        return Ok(ours(deps, told.gateway, payment_id, Some(echo)));
    }
    let gateway = deps.gateway(told.gateway).ok_or(Problem::GatewayNotAccepted)?;
    let owner = gateway_calls::query_owner(deps, gateway.as_ref(), transaction_id).await;
    let owner = owner.map_err(|_| Problem::GatewayUnavailable)?;
    Ok(owner
        .and_then(|Owner { payment_id, echo }| ours(deps, told.gateway, &payment_id, Some(&echo))))
}
