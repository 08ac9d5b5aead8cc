//! The small worlds that are explored to their ends.

use domain::product::{Flow, LatePayment};

use crate::milestone as m;
use crate::world::{Gateway, World};

/// A world in which nothing may happen: what each of the others starts from.
const STILL: World = World {
    name: "still",
    flow: Flow::OrderFirst,
    late_payment: LatePayment::Accept,
    gateways: &[Gateway::A],
    clock_s: &[0, 4_000],
    asking_until: 0,
    quotes: 0,
    payments: 0,
    captures: 0,
    second_captures: 0,
    odd_captures: 0,
    price_changes: 0,
    dropped_orders: 0,
    cancellations: 0,
    refusals: 0,
    refund_faults: 0,
    running: 2,
    grace_s: 60,
    depth: None,
    milestones: &[],
};

/// Two windows, each with an order and a code of its own, and both are paid.
pub const TWO_WINDOWS: World = World {
    name: "two-windows",
    quotes: 2,
    payments: 2,
    captures: 2,
    milestones: &[m::FIRST_APPLIED, m::SUPERSEDED_REFUNDED, m::UNPAID, m::TAKEN_LATE],
    ..STILL
};

/// One order whose customer goes from one gateway to the other, around the end of its time.
pub const TWO_GATEWAYS: World = World {
    name: "two-gateways",
    gateways: &[Gateway::A, Gateway::B],
    clock_s: &[0, 280, 310, 4_000],
    asking_until: 1,
    quotes: 1,
    payments: 2,
    captures: 2,
    depth: Some(16),
    milestones: &[m::FIRST_APPLIED, m::DUPLICATE_REFUNDED, m::LATE_APPLIED, m::SWITCHED, m::UNPAID],
    ..STILL
};

/// Late money is not wanted, and the price may change.
pub const LATE: World = World {
    name: "late",
    late_payment: LatePayment::Refund,
    clock_s: &[0, 300, 301, 4_000],
    quotes: 1,
    payments: 1,
    captures: 1,
    price_changes: 1,
    milestones: &[m::FIRST_APPLIED, m::LATE_REFUNDED, m::UNPAID],
    ..STILL
};

/// Late money is not wanted, and two codes of an order bring some.
const LATE_TWICE: World = World {
    name: "late-twice",
    gateways: &[Gateway::A, Gateway::B],
    clock_s: &[0, 301, 4_000],
    payments: 2,
    captures: 2,
    price_changes: 0,
    depth: Some(16),
    milestones: &[m::LATE_REFUNDED, m::EXPIRED_REFUNDED],
    ..LATE
};

/// Orders are dropped and the booking is cancelled while codes are out.
const CANCELLED: World = World {
    name: "cancelled",
    quotes: 2,
    payments: 1,
    captures: 1,
    dropped_orders: 1,
    cancellations: 1,
    milestones: &[m::FIRST_APPLIED, m::CANCELLED_REFUNDED, m::BOOKING_CANCELLED],
    ..STILL
};

/// A first booking and renewals of it, up to the limit and to the end of the term.
const RENEWALS: World = World {
    name: "renewals",
    clock_s: &[0, 3_500, 3_600, 9_000],
    asking_until: 1,
    quotes: 3,
    payments: 3,
    captures: 3,
    running: 1,
    depth: Some(17),
    milestones: &[m::FIRST_APPLIED, m::RENEWAL_APPLIED, m::BOOKING_REFUNDED],
    ..STILL
};

/// A gateway refuses creates and captures one code twice, and another amount.
pub const ODD_GATEWAY: World = World {
    name: "odd-gateway",
    quotes: 1,
    payments: 2,
    captures: 1,
    second_captures: 1,
    odd_captures: 1,
    refusals: 1,
    depth: Some(18),
    milestones: &[m::FIRST_APPLIED, m::DUPLICATE_REFUNDED, m::AMOUNT_REFUNDED, m::REFUSED],
    ..STILL
};

/// Refunds that fail, are refused, and are taken back.
pub const REFUNDS: World = World {
    name: "refunds",
    quotes: 1,
    payments: 1,
    captures: 1,
    odd_captures: 1,
    refund_faults: 2,
    milestones: &[m::AMOUNT_REFUNDED, m::SECOND_ATTEMPT, m::ATTENTION, m::REVERSED],
    ..STILL
};

/// One gateway refuses every create until no attempt is left.
pub const EXHAUSTED: World = World {
    name: "exhausted",
    quotes: 1,
    payments: 5,
    refusals: 5,
    running: 1,
    depth: Some(17),
    milestones: &[m::EXHAUSTED, m::REFUSED],
    ..STILL
};

/// Two windows of a product whose orders are created when they are submitted, and requests that are
/// sent again once nobody waits for a create any more.
const SUBMIT_ONCE: World = World {
    name: "submit-once",
    flow: Flow::SubmitOnce,
    clock_s: &[0, 400, 4_000],
    asking_until: 1,
    milestones: &[m::FIRST_APPLIED, m::SUPERSEDED_REFUNDED, m::UNPAID, m::TAKEN_LATE],
    ..TWO_WINDOWS
};

/// Two windows of a product whose quotes are codes at once.
const INSTANT: World = World { name: "instant", flow: Flow::Instant, ..SUBMIT_ONCE };

/// Every world.
pub const WORLDS: &[World] = &[
    TWO_WINDOWS,
    TWO_GATEWAYS,
    LATE,
    LATE_TWICE,
    CANCELLED,
    RENEWALS,
    ODD_GATEWAY,
    REFUNDS,
    EXHAUSTED,
    SUBMIT_ONCE,
    INSTANT,
];
