//! The figures of a day, added up from what is stored. Pure: what is stored passes by once, in any
//! order and in any parts, and the figures of the parts add up to those of the whole.

use std::collections::BTreeMap;

use crate::booking::{Booking, Order, OrderStatus, Payment, Refund, RefundStatus, Unmatched};
use crate::gateway::GatewayName;
use crate::money::Money;
use crate::reconcile::{Sums, Window};

/// The orders that were made on the day, by how they stand now.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OrderFigures {
    /// All of them.
    pub made: u64,
    /// Those that can still be paid.
    pub pending: u64,
    /// Those that were paid.
    pub paid: u64,
    /// Those that a newer order replaced.
    pub superseded: u64,
    /// Those whose price no longer held.
    pub stale: u64,
    /// Those that nobody paid in time.
    pub expired: u64,
    /// Those that were dropped.
    pub cancelled: u64,
}

/// The money of one gateway.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MoneyFigures {
    /// What it captured on the day, by its own clock: what was applied and what is given back.
    pub captured: Sums,
    /// What of it bought an order.
    pub applied: Sums,
    /// What of it goes back, or went.
    pub given_back: Sums,
    /// Refunds that succeeded on the day, whenever their money was captured.
    pub refunded: Sums,
    /// Refunds that have not succeeded yet, of whatever day.
    pub owed: Sums,
}

/// The figures of a day, of all that has passed by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    day: Window,
    /// Bookings that were opened on the day.
    pub bookings_opened: u64,
    /// The orders that were made on it.
    pub orders: OrderFigures,
    /// The money, by gateway.
    pub money: BTreeMap<GatewayName, MoneyFigures>,
}

impl Figures {
    /// Nothing of a day has passed by yet.
    #[must_use]
    pub fn of(day: Window) -> Self {
        Self {
            day,
            bookings_opened: 0,
            orders: OrderFigures::default(),
            money: BTreeMap::default(),
        }
    }

    /// A booking passes by, and with it its live order.
    pub fn see_booking(&mut self, booking: &Booking) {
        if self.day.contains(booking.created_at) {
            one_more(&mut self.bookings_opened);
        }
        if let Some(order) = &booking.live_order {
            self.see_order(order);
        }
    }

    /// An order passes by: an ended one, since a live one comes with its booking.
    pub fn see_order(&mut self, order: &Order) {
        if self.day.contains(order.created_at) {
            self.orders.add(order.status);
        }
        for payment in &order.payments {
            self.see_payment(order, payment);
        }
        for refund in &order.refunds {
            let gateway = order.payment(&refund.payment_id).map(|payment| &payment.gateway);
            if let Some(gateway) = gateway.filter(|_| refund.reason.is_ours()) {
                self.see_refund(gateway, refund);
            }
        }
    }

    /// Money without a stored payment passes by.
    pub fn see_unmatched(&mut self, unmatched: &Unmatched) {
        self.see_refund(&unmatched.gateway, &unmatched.refund);
    }

    fn see_payment(&mut self, order: &Order, payment: &Payment) {
        let Some(transaction_id) = payment.transaction_id.as_deref() else { return };
        if !payment.paid_at.is_some_and(|paid_at| self.day.contains(paid_at)) {
            return;
        }
        let money = self.money.entry(payment.gateway.clone()).or_default();
        let amount = order.captured_amount(payment, transaction_id);
        if order.is_applied(payment) { money.apply(amount) } else { money.give_back(amount) }
    }

    fn see_refund(&mut self, gateway: &GatewayName, refund: &Refund) {
        let (captured_today, changed_today) = (
            refund.paid_at.is_some_and(|paid_at| self.day.contains(paid_at)),
            self.day.contains(refund.updated_at),
        );
        let money = self.money.entry(gateway.clone()).or_default();
        // Only a capture that no payment tells of is counted with its refund.
        if captured_today {
            money.give_back(refund.amount);
        }
        match refund.status {
            RefundStatus::Succeeded if changed_today => money.refunded.add(refund.amount),
            RefundStatus::Succeeded => {}
            RefundStatus::Due | RefundStatus::Submitted | RefundStatus::NeedsAttention => {
                money.owed.add(refund.amount);
            }
        }
    }
}

impl OrderFigures {
    fn add(&mut self, status: OrderStatus) {
        one_more(&mut self.made);
        one_more(match status {
            OrderStatus::Pending => &mut self.pending,
            OrderStatus::Paid => &mut self.paid,
            OrderStatus::Superseded => &mut self.superseded,
            OrderStatus::Stale => &mut self.stale,
            OrderStatus::Expired => &mut self.expired,
            OrderStatus::Cancelled => &mut self.cancelled,
        });
    }
}

impl MoneyFigures {
    fn apply(&mut self, amount: Money) {
        self.captured.add(amount);
        self.applied.add(amount);
    }

    fn give_back(&mut self, amount: Money) {
        self.captured.add(amount);
        self.given_back.add(amount);
    }
}

fn one_more(count: &mut u64) {
    *count = count.saturating_add(1);
}
