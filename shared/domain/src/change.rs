//! A decided change: everything that one commit writes.

use jiff::Timestamp;

use crate::attention::{Attention, AttentionId, Audit};
use crate::booking::{Booking, EndReason, Order, OrderStatus, PaymentStatus, Unmatched};
use crate::event::Event;
use crate::ids::{OrderId, PaymentId};
use crate::task::{Record, Task, TaskId, TaskKind};

/// What one commit writes under the version that was read: all of it, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The booking's next state. Its version is one more than what was read.
    pub booking: Booking,
    /// Ended orders as they now stand; each has an item of its own.
    pub ended: Vec<Order>,
    /// The order that this change makes; its id must never have been used before.
    pub made: Option<(OrderId, u32)>,
    /// Work for later.
    pub tasks: Vec<Task>,
    /// Work that this change makes needless. What such a task had raised goes with it.
    pub done: Vec<TaskId>,
    /// What waits for a person from now on.
    pub raised: Vec<Attention>,
    /// What no longer does.
    pub cleared: Vec<AttentionId>,
    /// What a person did, which must still be waiting as it was read: it no longer does.
    pub released: Option<Audit>,
    /// What its orders tell the merchant's own systems. What is raised tells by itself.
    pub events: Vec<Event>,
}

impl Change {
    /// A change of a booking that so far only counts its version up.
    #[must_use]
    pub fn of(booking: &Booking) -> Self {
        let mut booking = booking.clone();
        booking.version = booking.version.saturating_add(1);
        Self {
            booking,
            ended: vec![],
            made: None,
            tasks: vec![],
            done: vec![],
            raised: vec![],
            cleared: vec![],
            released: None,
            events: vec![],
        }
    }

    /// Ends the live order: it leaves the booking, and its open codes are to be closed.
    pub fn end_live_order(&mut self, ending: Ending, now: Timestamp) {
        let Some(mut order) = self.booking.live_order.take() else {
            return;
        };
        order.status = ending.status;
        order.reason = ending.reason;
        order.superseded_by = ending.superseded_by;
        self.close_open_payments(&mut order, now);
        self.events.extend(Event::order_ended(&self.booking, &order, now));
        self.ended.push(order);
    }

    /// Marks every open payment of `order` as closing and writes the task for it.
    pub fn close_open_payments(&mut self, order: &mut Order, now: Timestamp) {
        let open = order.payments.iter().filter(|payment| payment.is_open());
        let tasks = open.map(|p| close_task(&self.booking, order, &p.payment_id, now));
        self.tasks.extend(tasks.collect::<Vec<_>>());
        for payment in order.payments.iter_mut().filter(|payment| payment.is_open()) {
            payment.status = PaymentStatus::Closing;
            // It is never shown again, and a long one costs space in every write.
            payment.code_url = None;
        }
    }

    /// Puts an order back where it was read from: into the booking, or among the ended ones.
    pub fn put_back(&mut self, order: Order) {
        match order.status {
            OrderStatus::Pending => self.booking.live_order = Some(order),
            OrderStatus::Paid
            | OrderStatus::Superseded
            | OrderStatus::Stale
            | OrderStatus::Expired
            | OrderStatus::Cancelled => self.ended.push(order),
        }
    }

    /// What this change tells of an order.
    #[must_use]
    pub fn event_of(&self, order: &Order) -> Option<&Event> {
        self.events.iter().find(|event| event.order_id.as_ref() == Some(&order.order_id))
    }

    /// The order of that id as this change leaves it.
    #[must_use]
    pub fn order(&self, order_id: &OrderId) -> Option<&Order> {
        let ended = self.ended.iter().find(|order| order.order_id == *order_id);
        ended.or_else(|| self.booking.live(order_id))
    }

    /// Whether the payment is shown after this change: its order live, and it the current one.
    #[must_use]
    pub fn shows(&self, payment_id: &PaymentId) -> bool {
        let live = self.booking.live_order.as_ref();
        let current = live.and_then(Order::current_payment);
        current.is_some_and(|payment| payment.payment_id == *payment_id)
    }
}

/// A decided change of unmatched money: what one commit writes under the version that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnmatchedChange {
    /// The next state. Its version is one more than what was read.
    pub unmatched: Unmatched,
    /// Work for later.
    pub tasks: Vec<Task>,
    /// Work that this change makes needless. What such a task had raised goes with it.
    pub done: Vec<TaskId>,
    /// What waits for a person from now on.
    pub raised: Vec<Attention>,
    /// What no longer does.
    pub cleared: Vec<AttentionId>,
    /// What a person did, which must still be waiting as it was read: it no longer does.
    pub released: Option<Audit>,
    /// What it tells the merchant's own systems.
    pub event: Option<Event>,
}

impl UnmatchedChange {
    /// A change that so far only counts the version up.
    #[must_use]
    pub fn of(unmatched: &Unmatched) -> Self {
        let version = unmatched.version.saturating_add(1);
        Self {
            unmatched: Unmatched { version, ..unmatched.clone() },
            tasks: vec![],
            done: vec![],
            raised: vec![],
            cleared: vec![],
            released: None,
            event: None,
        }
    }
}

/// The task that closes a payment's code at its gateway.
#[must_use]
pub fn close_task(
    booking: &Booking,
    order: &Order,
    payment_id: &PaymentId,
    now: Timestamp,
) -> Task {
    Task {
        booking_id: booking.booking_id.clone(),
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        kind: TaskKind::ClosePayment { payment_id: payment_id.clone() },
        due_at: now,
        tries: 0,
        attention: None,
    }
}

/// How an order ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Its last status.
    pub status: OrderStatus,
    /// Why, where the status does not say it all.
    pub reason: Option<EndReason>,
    /// The order that replaces it.
    pub superseded_by: Option<OrderId>,
}

impl Ending {
    /// An end with a reason.
    #[must_use]
    pub const fn because(status: OrderStatus, reason: EndReason) -> Self {
        Self { status, reason: Some(reason), superseded_by: None }
    }

    /// Voided by a newer order.
    #[must_use]
    pub const fn superseded_by(order_id: OrderId) -> Self {
        Self { status: OrderStatus::Superseded, reason: None, superseded_by: Some(order_id) }
    }

    /// Paid for.
    pub const PAID: Self = Self { status: OrderStatus::Paid, reason: None, superseded_by: None };
}
