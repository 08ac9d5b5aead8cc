//! What a commit tells the merchant's own systems.
//!
//! An event is written with its cause, as a part of the item that it is about, so that there is no
//! cause without its event and no event without its cause. `docs/events.md` has the shapes.

use jiff::Timestamp;

use crate::attention::{Attention, AttentionId};
use crate::booking::{Booking, Order, OrderStatus, Refund};
use crate::ids::{BookingId, OrderId, PaymentId, RefundId};
use crate::money::Money;
use crate::product::Kind;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventType {
    /// A booking's first order was paid.
    BookingActivated,
    /// A renewal was paid.
    BookingRenewed,
    /// A newer order voided an order.
    OrderSuperseded,
    /// A gateway confirmed that money is back.
    PaymentRefunded,
    /// Something waits for a person from now on.
    NeedsAttention,
}

impl EventType {
    /// The type as events spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BookingActivated => "booking.activated",
            Self::BookingRenewed => "booking.renewed",
            Self::OrderSuperseded => "order.superseded",
            Self::PaymentRefunded => "payment.refunded",
            Self::NeedsAttention => "needs_attention",
        }
    }
}

/// One event. What does not apply to its type is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Names the cause: the same cause never has another id, nor another cause the same.
    pub id: String,
    /// What happened.
    pub event_type: EventType,
    /// When it was recorded.
    pub timestamp: Timestamp,
    /// The booking concerned.
    pub booking_id: BookingId,
    /// The order concerned; `None` for money without a stored payment.
    pub order_id: Option<OrderId>,
    /// The order that replaced it.
    pub superseded_by: Option<OrderId>,
    /// The payment that bought the order, that goes back, or that is to be looked at.
    pub payment_id: Option<PaymentId>,
    /// The attempt by which the money went back.
    pub refund_id: Option<RefundId>,
    /// What waits for a person.
    pub attention_id: Option<AttentionId>,
    /// Units of the order.
    pub quantity: Option<u32>,
    /// The order's amount, what went back, or what waits.
    pub amount: Option<Money>,
    /// Why money went back, or why something waits.
    pub reason: Option<String>,
    /// The end of the term that was paid for.
    pub valid_until: Option<Timestamp>,
}

impl Event {
    fn of(id: String, event_type: EventType, booking_id: &BookingId, timestamp: Timestamp) -> Self {
        Self {
            id,
            event_type,
            timestamp,
            booking_id: booking_id.clone(),
            order_id: None,
            superseded_by: None,
            payment_id: None,
            refund_id: None,
            attention_id: None,
            quantity: None,
            amount: None,
            reason: None,
            valid_until: None,
        }
    }

    /// What the end of an order tells, with the booking as it stands after it; `None` for an end
    /// that neither bought anything nor made way for another order.
    #[must_use]
    pub fn order_ended(booking: &Booking, order: &Order, now: Timestamp) -> Option<Self> {
        let event_type = match (order.status, order.kind) {
            (OrderStatus::Paid, Kind::First) => EventType::BookingActivated,
            (OrderStatus::Paid, Kind::Renewal) => EventType::BookingRenewed,
            (OrderStatus::Superseded, _) => EventType::OrderSuperseded,
            (
                OrderStatus::Pending
                | OrderStatus::Stale
                | OrderStatus::Expired
                | OrderStatus::Cancelled,
                _,
            ) => return None,
        };
        let is_paid = order.status == OrderStatus::Paid;
        // An order ends once, so that its id is enough.
        let id = format!("order-{}", order.order_id);
        Some(Self {
            order_id: Some(order.order_id.clone()),
            superseded_by: order.superseded_by.clone(),
            payment_id: order.current_payment().map(|payment| payment.payment_id.clone()),
            quantity: Some(order.quantity),
            amount: Some(order.amount),
            valid_until: booking.valid_until().filter(|_| is_paid),
            ..Self::of(id, event_type, &booking.booking_id, now)
        })
    }

    /// What a refund's success tells. Of the attempt that its money arrived by: a success that
    /// turned into a failure is followed by another attempt, whose success is another event.
    #[must_use]
    pub fn payment_refunded(
        booking_id: &BookingId,
        order_id: Option<&OrderId>,
        refund: &Refund,
    ) -> Self {
        let id = format!("refund-{}", refund.refund_id);
        Self {
            order_id: order_id.cloned(),
            payment_id: Some(refund.payment_id.clone()),
            refund_id: Some(refund.refund_id.clone()),
            amount: Some(refund.amount),
            reason: Some(refund.reason.as_str().to_owned()),
            ..Self::of(id, EventType::PaymentRefunded, booking_id, refund.updated_at)
        }
    }

    /// What raising something for a person tells. The same thing may wait again after it was
    /// released, so that its id alone is not enough.
    #[must_use]
    pub fn needs_attention(attention: &Attention) -> Self {
        let name = attention.attention_id.to_path();
        let id = format!("attention-{name}-{}", attention.since.as_millisecond());
        Self {
            order_id: attention.record.order_id().cloned(),
            payment_id: Some(attention.payment_id.clone()),
            attention_id: Some(attention.attention_id.clone()),
            amount: attention.amount,
            reason: Some(attention.reason.clone()),
            ..Self::of(id, EventType::NeedsAttention, &attention.booking_id, attention.since)
        }
    }
}
