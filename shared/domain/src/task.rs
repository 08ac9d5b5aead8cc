//! Tasks: work that must happen later, written in the commit that makes it necessary.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use serde::{Deserialize, Serialize};

use crate::ids::{BookingId, OrderId, PaymentId, RefundId};

/// When a payment is first asked for after it was written, in seconds.
pub const QUERY_FIRST_S: u32 = 60;
/// The longest that any function runs, in seconds: a create may be in flight that long.
pub const FUNCTION_TIMEOUT_S_MAX: u32 = 30;

/// The tries of a task that starts over: it was begun before, so it asks before it repeats.
pub const TRIES_AFRESH: u32 = 1;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Give a captured transaction back.
    Refund {
        /// The payment that captured it.
        payment_id: PaymentId,
        /// The transaction.
        transaction_id: String,
        /// The first attempt's id, or what unmatched money has in its place (see
        /// [`Unmatched::own_task`](crate::booking::Unmatched::own_task)): the task keeps it
        /// through all attempts.
        first_refund_id: RefundId,
    },
    /// Close a code at its gateway.
    ClosePayment {
        /// Whose code.
        payment_id: PaymentId,
    },
    /// Ask whether a payment was paid, and end it at `pay_by`.
    QueryPayment {
        /// Which payment.
        payment_id: PaymentId,
        /// The exact body that creates it: every retry sends this again.
        create_body: String,
    },
}

impl TaskKind {
    /// The kind as items and metrics spell it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refund { .. } => "refund",
            Self::ClosePayment { .. } => "close_payment",
            Self::QueryPayment { .. } => "query_payment",
        }
    }
}

/// Which record a task works on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// An order of the booking.
    Order {
        /// Its id.
        order_id: OrderId,
        /// Its position.
        order_seq: u32,
    },
    /// Money without a stored payment.
    Unmatched,
}

impl Record {
    /// The order, where it is one.
    #[must_use]
    pub const fn order_id(&self) -> Option<&OrderId> {
        match self {
            Self::Order { order_id, .. } => Some(order_id),
            Self::Unmatched => None,
        }
    }
}

/// One piece of later work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The booking concerned.
    pub booking_id: BookingId,
    /// The record concerned.
    pub record: Record,
    /// What to do.
    pub kind: TaskKind,
    /// When to do it; while it is being done, when its lease ends.
    #[serde(with = "millisecond::required")]
    pub due_at: Timestamp,
    /// How often it was begun.
    pub tries: u32,
    /// Why a person should look at it, where one should; it goes on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
}

impl Task {
    /// The task's name within its booking.
    #[must_use]
    pub fn id(&self) -> TaskId {
        match &self.kind {
            TaskKind::Refund { first_refund_id, .. } => TaskId::refund(first_refund_id),
            TaskKind::ClosePayment { payment_id } => TaskId::close(payment_id),
            TaskKind::QueryPayment { payment_id, .. } => TaskId::query(payment_id),
        }
    }
}

/// The name of a task within its booking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskId(String);

impl TaskId {
    /// The name of the task that asks for a payment.
    #[must_use]
    pub fn query(payment_id: &PaymentId) -> Self {
        Self(format!("query#{payment_id}"))
    }

    /// The name of the task that closes a payment's code.
    #[must_use]
    pub fn close(payment_id: &PaymentId) -> Self {
        Self(format!("close#{payment_id}"))
    }

    /// The name of the task that refunds, by its first attempt.
    #[must_use]
    pub fn refund(first_refund_id: &RefundId) -> Self {
        Self(format!("refund#{first_refund_id}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
