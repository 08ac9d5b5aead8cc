//! What must be reached somewhere: a model in which it never happens would prove nothing.

use domain::booking::{EndReason, Order, OrderStatus, PaymentStatus, RefundReason, RefundStatus};
use domain::decide::start_payment::ATTEMPTS_MAX;
use domain::product::Kind;

use crate::state::{Attempt, State};
use crate::world::World;

/// Something that happens in some history.
#[derive(Clone, Copy, Debug)]
pub struct Milestone {
    /// What the report says.
    pub name: &'static str,
    /// Whether it has happened in a state.
    pub reached: fn(&World, &State) -> bool,
}

macro_rules! milestones {
    ($($(#[$doc:meta])* $name:ident: $text:literal, $reached:expr;)*) => {
        $($(#[$doc])* pub const $name: Milestone = Milestone { name: $text, reached: $reached };)*
    };
}

milestones! {
    /// Money buys a first order.
    FIRST_APPLIED: "a first order is paid", |_, state| paid(state, Kind::First);
    /// Money buys a renewal.
    RENEWAL_APPLIED: "a renewal is paid", |_, state| paid(state, Kind::Renewal);
    /// Money that came after `pay_by` buys its order all the same.
    LATE_APPLIED: "late money buys its order", late_applied;
    /// Another code's money came first.
    DUPLICATE_REFUNDED: "a second payment is given back",
        |_, state| refunded(state, RefundReason::DuplicatePayment);
    /// A newer order had voided the order.
    SUPERSEDED_REFUNDED: "money for a voided order is given back",
        |_, state| refunded(state, RefundReason::Superseded);
    /// The order had expired.
    EXPIRED_REFUNDED: "money for an expired order is given back",
        |_, state| refunded(state, RefundReason::Expired);
    /// The order had been dropped.
    CANCELLED_REFUNDED: "money for a dropped order is given back",
        |_, state| refunded(state, RefundReason::Cancelled);
    /// Another amount.
    AMOUNT_REFUNDED: "another amount is given back",
        |_, state| refunded(state, RefundReason::AmountMismatch);
    /// The booking could not take it.
    BOOKING_REFUNDED: "money that the booking cannot take is given back",
        |_, state| refunded(state, RefundReason::BookingNotPayable);
    /// Late, and late money is refused.
    LATE_REFUNDED: "late money is given back",
        |_, state| refunded(state, RefundReason::LatePayment);
    /// An order nobody paid.
    UNPAID: "an order expires unpaid",
        |_, state| state.orders().any(|order| order.reason == Some(EndReason::Unpaid));
    /// The booking was cancelled with a live order.
    BOOKING_CANCELLED: "a booking is cancelled with its order",
        |_, state| state.orders().any(|order| order.reason == Some(EndReason::BookingCancelled));
    /// A customer chose another gateway.
    SWITCHED: "a switched code is closed", switched;
    /// A gateway refused a create.
    REFUSED: "a gateway refuses a create", |_, state| has_payment(state, PaymentStatus::Failed);
    /// A gateway took a create after it had been asked to close it.
    TAKEN_LATE: "a gateway takes a create that is to be closed", taken_late;
    /// No attempt is left.
    EXHAUSTED: "every attempt at a gateway is spent",
        |_, state| state.orders().any(|order| attempts(order) >= ATTEMPTS_MAX);
    /// A refund came back by a later attempt.
    SECOND_ATTEMPT: "a refund arrives by its second attempt",
        |_, state| refunds(state, |at, attempt| at == RefundStatus::Succeeded && attempt > 1);
    /// The gateway finally refused.
    ATTENTION: "a refund needs a person",
        |_, state| refunds(state, |status, _| status == RefundStatus::NeedsAttention);
    /// The money was taken back.
    REVERSED: "a refund arrives and is taken back", reversed;
}

fn paid(state: &State, kind: Kind) -> bool {
    state.orders().any(|order| order.status == OrderStatus::Paid && order.kind == kind)
}

fn refunds(state: &State, is_one: impl Fn(RefundStatus, u32) -> bool) -> bool {
    let refunds = state.orders().flat_map(|order| &order.refunds);
    refunds.into_iter().any(|refund| is_one(refund.status, refund.attempt))
}

fn refunded(state: &State, reason: RefundReason) -> bool {
    let refunds = state.orders().flat_map(|order| &order.refunds);
    refunds
        .into_iter()
        .any(|refund| refund.reason == reason && refund.status == RefundStatus::Succeeded)
}

fn late_applied(world: &World, state: &State) -> bool {
    state.captures().any(|(of, _)| {
        let paid = state.payment(of.code).filter(|(order, payment)| {
            order.status == OrderStatus::Paid
                && order.is_applied(payment)
                && payment.transaction_id.as_ref() == Some(&of.to_string())
        });
        let pay_by = paid.and_then(|(order, _)| order.pay_by);
        let capture = state.capture(world, of);
        pay_by.zip(capture).is_some_and(|(pay_by, capture)| capture.paid_at > pay_by)
    })
}

fn has_payment(state: &State, status: PaymentStatus) -> bool {
    let mut payments = state.orders().flat_map(|order| &order.payments);
    payments.any(|payment| payment.status == status)
}

fn switched(_: &World, state: &State) -> bool {
    state.booking.get().live_order.as_ref().is_some_and(|order| {
        let closed = |status| status == PaymentStatus::Closed;
        order.payments.iter().any(|payment| closed(payment.status))
            && order.payments.iter().any(|payment| payment.status == PaymentStatus::Payable)
    })
}

fn taken_late(_: &World, state: &State) -> bool {
    state.codes.iter().any(|code| {
        let stored = state.payment(code.key).map(|(_, payment)| payment);
        let unseen = stored.is_some_and(|one| one.is_closing() && one.code_url.is_none());
        unseen && code.taken.is_empty() && !code.closed
    })
}

fn attempts(order: &Order) -> u32 {
    order.payments.iter().map(|payment| payment.attempt).max().unwrap_or(0)
}

fn reversed(_: &World, state: &State) -> bool {
    let mut attempts = state.captures().flat_map(|(_, taken)| &taken.attempts);
    attempts.any(|(_, stands)| *stands == Attempt::Reversed)
}
