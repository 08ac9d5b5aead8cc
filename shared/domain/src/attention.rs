//! What waits for a person, and the record of what a person did about it.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use serde::{Deserialize, Serialize};

use crate::ids::{BookingId, PaymentId, RefundId};
use crate::money::Money;
use crate::task::{Record, Task, TaskId, TaskKind};

/// The reason of what was tried many times and goes on.
pub const MANY_TRIES: &str = "many_tries";
/// The reason of a refund that somebody else made at the gateway.
pub const FOREIGN_REFUND: &str = "foreign_refund";
/// The reason of a payment that the payer's bank takes into question.
pub const DISPUTE: &str = "dispute";
/// The reason of money that moved at a gateway, is ours, and is not recorded.
pub const NOT_RECORDED: &str = "not_recorded";
/// The reason of money of which a gateway's bill and the record name different amounts.
pub const AMOUNT_DIFFERS: &str = "amount_differs";
/// The longest note of a person, in characters.
pub const NOTE_LEN_MAX: usize = 500;

/// What is in front of the `#` of an [`AttentionId`].
const KINDS: [&str; 6] = ["refund", "close", "query", "foreign", "dispute", "reconciliation"];

/// Names what waits, within its booking. Whatever has a task shares the task's name, so that
/// raising twice is one record, whether the refund or its task raises.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttentionId(String);

impl AttentionId {
    /// The name of what a task waits for.
    #[must_use]
    pub fn of_task(task: &TaskId) -> Self {
        Self(task.as_str().to_owned())
    }

    /// The name of a refund that we did not make.
    #[must_use]
    pub fn foreign_refund(refund_id: &RefundId) -> Self {
        Self(format!("foreign#{refund_id}"))
    }

    /// The name of a dispute, by the id of its record.
    #[must_use]
    pub fn dispute(refund_id: &RefundId) -> Self {
        Self(format!("dispute#{refund_id}"))
    }

    /// The name of money whose bill and record do not agree, by an id derived from both its names.
    #[must_use]
    pub fn reconciliation(id: &RefundId) -> Self {
        Self(format!("reconciliation#{id}"))
    }

    /// Reads a name; `None` unless it is a known kind, `#` and an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('#')?;
        // Whatever the kind, its id has the form that all ids have.
        let is_name = KINDS.contains(&kind) && RefundId::parse(id).is_some();
        is_name.then(|| Self(text.to_owned()))
    }

    /// Reads a name as paths spell it: `-` in place of `#`, which begins a fragment there.
    #[must_use]
    pub fn from_path(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('-')?;
        Self::parse(&format!("{kind}#{id}"))
    }

    /// The name as paths and answers spell it.
    #[must_use]
    pub fn to_path(&self) -> String {
        self.0.replace('#', "-")
    }

    /// The name as items spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AttentionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("the name of what waits is a kind, # and an id")
    }
}

impl From<AttentionId> for String {
    fn from(id: AttentionId) -> Self {
        id.0
    }
}

/// What a person looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A refund of ours.
    Refund,
    /// A refund that we did not make.
    ForeignRefund,
    /// A payment that the payer's bank takes into question.
    Dispute,
    /// Money whose bill and record do not agree.
    Reconciliation,
    /// A code that is to be closed.
    ClosePayment,
    /// A payment that is to be asked for.
    QueryPayment,
}

impl Subject {
    /// The subject as items and metrics spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::ForeignRefund => "foreign_refund",
            Self::Dispute => "dispute",
            Self::Reconciliation => "reconciliation",
            Self::ClosePayment => "close_payment",
            Self::QueryPayment => "query_payment",
        }
    }
}

/// Something that waits for a person; work on it may go on all the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Attention {
    /// Its name within its booking.
    pub attention_id: AttentionId,
    /// The booking concerned.
    pub booking_id: BookingId,
    /// What is to be looked at.
    pub subject: Subject,
    /// The record concerned.
    pub record: Record,
    /// The payment concerned.
    pub payment_id: PaymentId,
    /// The transaction that goes back, where it is a refund of ours; the one that the bill names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// How much money it is about, where it is a refund; what the bill says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The gateway's code, or one of ours.
    pub reason: String,
    /// Since when it waits for that reason.
    #[serde(with = "millisecond::required")]
    pub since: Timestamp,
}

impl Attention {
    /// What a task that was tried many times raises.
    #[must_use]
    pub fn of_task(task: &Task, since: Timestamp) -> Self {
        let (subject, payment_id, transaction_id) = match &task.kind {
            TaskKind::Refund { payment_id, transaction_id, .. } => {
                (Subject::Refund, payment_id, Some(transaction_id.clone()))
            }
            TaskKind::ClosePayment { payment_id } => (Subject::ClosePayment, payment_id, None),
            TaskKind::QueryPayment { payment_id, .. } => (Subject::QueryPayment, payment_id, None),
        };
        Self {
            attention_id: AttentionId::of_task(&task.id()),
            booking_id: task.booking_id.clone(),
            subject,
            record: task.record.clone(),
            payment_id: payment_id.clone(),
            transaction_id,
            amount: None,
            reason: MANY_TRIES.to_owned(),
            since,
        }
    }
}

/// What a person does about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Has it tried again at once.
    Retry,
    /// Takes it off the list: it was dealt with elsewhere.
    Resolve,
}

impl Action {
    /// The action as routes and logs spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resolve => "resolve",
        }
    }
}

/// The record of what a person did, written in the same commit. It is never changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Audit {
    /// The booking concerned.
    pub booking_id: BookingId,
    /// What had been waiting.
    pub attention_id: AttentionId,
    /// What was done about it.
    pub action: Action,
    /// Who did it: the JWT's subject.
    pub by: String,
    /// What that person said to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it had been waiting.
    pub reason: String,
    /// Since when it had been.
    #[serde(with = "millisecond::required")]
    pub since: Timestamp,
    /// When it was done.
    #[serde(with = "millisecond::required")]
    pub at: Timestamp,
}
