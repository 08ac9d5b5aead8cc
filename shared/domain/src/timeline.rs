//! A booking's timeline: what is stored of it as a list of what happened. Pure; nothing is decided
//! on it.
//!
//! Only what is stored is told, and only with times that are stored. Items keep how an order and a
//! payment ended and not when, so that some entries have no time; their place among the others is
//! the latest moment before which they cannot have happened. What came and went without a trace,
//! such as a code that was closed or an attempt of a refund that failed, is not in it.

use jiff::Timestamp;
use serde::Serialize;

use crate::attention::{Action, Attention, AttentionId, Audit};
use crate::booking::{Booking, Order, OrderStatus, Payment, Refund, RefundStatus, Unmatched};
use crate::gateway::GatewayName;
use crate::ids::{OrderId, PaymentId, RefundId};
use crate::money::Money;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The booking was opened.
    BookingOpened,
    /// Its term began: its first payment was applied, by our clock.
    TermStarted,
    /// An order was made.
    OrderMade,
    /// An order was paid, and its payment applied.
    OrderPaid,
    /// A newer order replaced an order, at the moment when that one was made.
    OrderSuperseded,
    /// An order's price no longer held.
    OrderStale,
    /// Nobody paid an order in time, or somebody too late.
    OrderExpired,
    /// An order was dropped, or its booking was cancelled.
    OrderCancelled,
    /// A gateway captured money, by its own clock.
    PaymentCaptured,
    /// Money is to go back; it was last tried to begin then.
    RefundDue,
    /// The gateway took a refund on.
    RefundSubmitted,
    /// The money is back.
    RefundSucceeded,
    /// A refund stands still, was made by somebody else, or is a dispute.
    RefundNeedsAttention,
    /// Something began to wait for a person.
    AttentionRaised,
    /// A person had it tried again.
    AttentionRetried,
    /// A person took it off the list.
    AttentionResolved,
}

/// One thing that happened, with whatever names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Entry {
    /// When; `None` where that is not stored.
    pub at: Option<Timestamp>,
    /// What.
    pub what: What,
    /// The order concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The payment concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The refund concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<RefundId>,
    /// The gateway's number of the captured money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Where the money was captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// How much money it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The order that replaced this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<OrderId>,
    /// Why, as items spell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What waits, or waited.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_in_paths")]
    pub attention_id: Option<AttentionId>,
    /// Who did it: the JWT's subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What that person said to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The latest moment before which it cannot have happened: its place among the others.
    #[serde(skip)]
    pub not_before: Timestamp,
}

/// All that a timeline is made of.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The booking, where it is stored.
    pub booking: Option<&'a Booking>,
    /// Orders of it, newest first, the live one among them.
    pub orders: &'a [Order],
    /// Money without a stored payment.
    pub unmatched: &'a [Unmatched],
    /// What waits.
    pub attention: &'a [Attention],
    /// What people did.
    pub audits: &'a [Audit],
}

/// What happened, newest first.
#[must_use]
pub fn timeline(stored: Stored<'_>) -> Vec<Entry> {
    let mut entries = vec![];
    if let Some(booking) = stored.booking {
        entries.push(Entry::at(What::BookingOpened, booking.created_at));
        let term = booking.term.map(|term| Entry::at(What::TermStarted, term.starts_at));
        entries.extend(term);
    }
    // Oldest first, so that what has the same place stays in the order in which it was made.
    for order in stored.orders.iter().rev() {
        add_order(&mut entries, order, stored.orders);
    }
    for unmatched in stored.unmatched {
        let gateway = Some(unmatched.gateway.clone());
        entries.extend(captured_apart(&unmatched.refund).map(|it| Entry { gateway, ..it }));
        entries.push(of_refund(&unmatched.refund, None));
    }
    entries.extend(stored.attention.iter().map(of_attention));
    for audit in stored.audits {
        add_audit(&mut entries, audit);
    }
    entries.sort_by_key(|entry| entry.not_before);
    entries.reverse();
    entries
}

impl Entry {
    fn at(what: What, at: Timestamp) -> Self {
        Self { at: Some(at), ..Self::after(what, at) }
    }

    /// Something whose time is not stored.
    fn after(what: What, not_before: Timestamp) -> Self {
        Self {
            at: None,
            what,
            order_id: None,
            payment_id: None,
            refund_id: None,
            transaction_id: None,
            gateway: None,
            amount: None,
            replaced_by: None,
            reason: None,
            attention_id: None,
            by: None,
            note: None,
            not_before,
        }
    }
}

fn add_order(entries: &mut Vec<Entry>, order: &Order, all: &[Order]) {
    let order_id = Some(order.order_id.clone());
    let amount = Some(order.amount);
    let made = Entry::at(What::OrderMade, order.created_at);
    entries.push(Entry { order_id: order_id.clone(), amount, ..made });
    let mut last_known = order.created_at;
    for payment in &order.payments {
        let captured = captured(order, payment);
        last_known = captured.iter().fold(last_known, |last, it| last.max(it.not_before));
        entries.extend(captured);
    }
    for refund in &order.refunds {
        let gateway = order.payment(&refund.payment_id).map(|payment| payment.gateway.clone());
        let captured = captured_apart(refund);
        let (order_id, not_before) = (order_id.clone(), capture_place(order, refund.paid_at));
        entries.extend(captured.map(|it| Entry { order_id, gateway, not_before, ..it }));
        entries.push(of_refund(refund, Some(order)));
    }
    entries.extend(ended(order, all, last_known));
}

/// How an order ended; `None` while it is live.
fn ended(order: &Order, all: &[Order], last_known: Timestamp) -> Option<Entry> {
    let what = match order.status {
        OrderStatus::Pending => return None,
        OrderStatus::Paid => What::OrderPaid,
        OrderStatus::Superseded => What::OrderSuperseded,
        OrderStatus::Stale => What::OrderStale,
        OrderStatus::Expired => What::OrderExpired,
        OrderStatus::Cancelled => What::OrderCancelled,
    };
    // One commit makes an order and voids the one before it.
    let next = order.superseded_by.as_ref();
    let next = next.and_then(|next| all.iter().find(|other| other.order_id == *next));
    // Money that comes after its order was voided says nothing of when that was.
    let not_before = if what == What::OrderPaid { last_known } else { over(order) };
    let entry = match next {
        Some(next) => Entry::at(what, next.created_at),
        None => Entry::after(what, not_before),
    };
    Some(Entry {
        order_id: Some(order.order_id.clone()),
        amount: (what == What::OrderPaid).then_some(order.amount),
        replaced_by: order.superseded_by.clone(),
        reason: order.reason.map(|reason| reason.as_str().to_owned()),
        ..entry
    })
}

/// The latest moment before which an unpaid order cannot have ended.
fn over(order: &Order) -> Timestamp {
    let expired = order.pay_by.filter(|_| order.status == OrderStatus::Expired);
    expired.map_or(order.created_at, |pay_by| pay_by.max(order.created_at))
}

/// The first capture of a payment, where its time is stored.
fn captured(order: &Order, payment: &Payment) -> Option<Entry> {
    let transaction_id = payment.transaction_id.as_deref()?;
    Some(Entry {
        at: payment.paid_at,
        order_id: Some(order.order_id.clone()),
        payment_id: Some(payment.payment_id.clone()),
        transaction_id: Some(transaction_id.to_owned()),
        gateway: Some(payment.gateway.clone()),
        amount: Some(order.captured_amount(payment, transaction_id)),
        ..Entry::after(What::PaymentCaptured, capture_place(order, payment.paid_at))
    })
}

/// Where a capture stands: behind its order, whatever a clock that counts seconds says.
fn capture_place(order: &Order, paid_at: Option<Timestamp>) -> Timestamp {
    paid_at.map_or(order.created_at, |paid_at| paid_at.max(order.created_at))
}

/// A capture that only its refund tells of: a second one of a payment, or unmatched money.
fn captured_apart(refund: &Refund) -> Option<Entry> {
    let entry = Entry::at(What::PaymentCaptured, refund.paid_at?);
    Some(Entry {
        payment_id: Some(refund.payment_id.clone()),
        transaction_id: Some(refund.transaction_id.clone()),
        amount: Some(refund.amount),
        ..entry
    })
}

fn of_refund(refund: &Refund, order: Option<&Order>) -> Entry {
    let what = match refund.shown_status() {
        RefundStatus::Due => What::RefundDue,
        RefundStatus::Submitted => What::RefundSubmitted,
        RefundStatus::Succeeded => What::RefundSucceeded,
        RefundStatus::NeedsAttention => What::RefundNeedsAttention,
    };
    Entry {
        order_id: order.map(|order| order.order_id.clone()),
        payment_id: Some(refund.payment_id.clone()),
        refund_id: Some(refund.refund_id.clone()),
        amount: Some(refund.amount),
        reason: Some(refund.reason.as_str().to_owned()),
        ..Entry::at(what, refund.updated_at)
    }
}

fn of_attention(attention: &Attention) -> Entry {
    Entry {
        order_id: attention.record.order_id().cloned(),
        payment_id: Some(attention.payment_id.clone()),
        transaction_id: attention.transaction_id.clone(),
        amount: attention.amount,
        reason: Some(attention.reason.clone()),
        attention_id: Some(attention.attention_id.clone()),
        ..Entry::at(What::AttentionRaised, attention.since)
    }
}

/// What a person did, and that it had waited.
fn add_audit(entries: &mut Vec<Entry>, audit: &Audit) {
    let about = |entry: Entry| Entry {
        reason: Some(audit.reason.clone()),
        attention_id: Some(audit.attention_id.clone()),
        ..entry
    };
    entries.push(about(Entry::at(What::AttentionRaised, audit.since)));
    let what = match audit.action {
        Action::Retry => What::AttentionRetried,
        Action::Resolve => What::AttentionResolved,
    };
    entries.push(Entry {
        by: Some(audit.by.clone()),
        note: audit.note.clone(),
        ..about(Entry::at(what, audit.at))
    });
}

/// The name of what waits, as paths spell it.
fn as_in_paths<S: serde::Serializer>(
    id: &Option<AttentionId>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    id.as_ref().map(AttentionId::to_path).serialize(serializer)
}
