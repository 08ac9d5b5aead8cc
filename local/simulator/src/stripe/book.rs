//! What only Stripe has: sessions, intents, charges, disputes, events and stored results. Pure.
//!
//! Changes carry whole objects as they are afterwards, so that an event can show an object before
//! the change that it tells of is kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ledger::{Gateway, Money, PaymentKey, RefundKey};

/// How long a result is kept under its `Idempotency-Key`, in hours.
const RESULT_KEPT_H: i64 = 24;

/// The merchant's own pairs.
pub(crate) type Metadata = BTreeMap<String, String>;

/// A hosted page that is paid once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) payment: PaymentKey,
    pub(crate) url: String,
    pub(crate) amount: Money,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) metadata: Metadata,
    /// What its PaymentIntent will carry.
    pub(crate) intent_metadata: Metadata,
    pub(crate) description: Option<String>,
    pub(crate) success_url: String,
    pub(crate) cancel_url: Option<String>,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) expired: Option<Expired>,
    /// The PaymentIntent of a try that was declined; the next try goes on with it.
    #[serde(default)]
    pub(crate) tried: Option<String>,
    /// The PaymentIntents that paid it: one, unless the wallet forced more.
    pub(crate) intents: Vec<String>,
}

/// Why a session expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expired {
    ByClock,
    ByMerchant,
}

/// One attempt to collect money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Intent {
    pub(crate) number: u64,
    pub(crate) id: String,
    pub(crate) payment: PaymentKey,
    /// The session that owns it.
    pub(crate) session: Option<String>,
    pub(crate) amount: Money,
    pub(crate) metadata: Metadata,
    pub(crate) description: Option<String>,
    pub(crate) payment_method_types: Vec<String>,
    pub(crate) created_at: Timestamp,
    /// A search finds it from then on.
    pub(crate) searchable_at: Timestamp,
    pub(crate) status: IntentStatus,
    /// What its QR encodes.
    pub(crate) code: Option<String>,
    pub(crate) canceled: Option<Canceled>,
    /// Why the last try to pay it came to nothing.
    #[serde(default)]
    pub(crate) declined: Option<Decline>,
    pub(crate) charge: Option<Charge>,
}

/// How far a PaymentIntent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IntentStatus {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    Succeeded,
    Canceled,
}

/// How a PaymentIntent was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Canceled {
    pub(crate) at: Timestamp,
    pub(crate) reason: Option<String>,
}

/// Why a try to pay came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decline {
    /// The bank says no to the card.
    Card,
    /// The customer says no in the wallet that was to pay.
    Wallet,
}

/// Money that a PaymentIntent captured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) amount: Money,
    pub(crate) paid_at: Timestamp,
    pub(crate) dispute: Option<Dispute>,
}

/// The customer's bank takes the money back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) reason: String,
    pub(crate) status: DisputeStatus,
    pub(crate) created_at: Timestamp,
}

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisputeStatus {
    NeedsResponse,
    Won,
    Lost,
}

/// An event object, as it was made; deliveries and repeats send it unchanged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) number: u64,
    pub(crate) id: String,
    /// The transaction or refund that it tells of, by id.
    pub(crate) about: String,
    pub(crate) kind: String,
    pub(crate) body: Value,
}

/// The first result of a call, under its `Idempotency-Key`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredResult {
    pub(crate) key: String,
    pub(crate) path: String,
    /// The decoded parameters, sorted.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request_id: String,
    pub(crate) stored_at: Timestamp,
}

/// What a code pays.
#[derive(Clone, Debug)]
pub(crate) enum Payable {
    Session(String),
    Intent(String),
}

/// One change, as the journal keeps it: an object as it is from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Session(Session),
    Intent(Intent),
    /// A refund's own id, and the ledger's key of it.
    Refund {
        refund_id: String,
        key: RefundKey,
    },
    Notice(Notice),
    Result(StoredResult),
}

/// Every object that only Stripe has.
#[derive(Default)]
pub(crate) struct Book {
    sessions: BTreeMap<String, Session>,
    /// Those that are open, by when they expire.
    open: BTreeMap<(Timestamp, u64), String>,
    intents: BTreeMap<String, Intent>,
    charges: BTreeMap<String, String>,
    refunds: BTreeMap<String, RefundKey>,
    codes: BTreeMap<String, Payable>,
    of_payment: BTreeMap<PaymentKey, Vec<Payable>>,
    notices: BTreeMap<String, Notice>,
    results: BTreeMap<String, StoredResult>,
}

impl Session {
    pub(crate) fn is_open(&self) -> bool {
        self.intents.is_empty() && self.expired.is_none()
    }

    /// The PaymentIntent that the session shows: the first that paid it, else the one of a try.
    pub(crate) fn shown_intent(&self) -> Option<&String> {
        self.intents.first().or(self.tried.as_ref())
    }
}

impl Intent {
    pub(crate) fn is_processing(&self) -> bool {
        self.status == IntentStatus::Processing
    }
}

impl StoredResult {
    /// Whether a repeat still gets this result.
    pub(crate) fn is_kept(&self, now: Timestamp) -> bool {
        now.duration_since(self.stored_at) < SignedDuration::from_hours(RESULT_KEPT_H)
    }
}

impl Change {
    /// The number that the change used up; 0 where another event says it.
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Session(session) => session.number,
            Self::Intent(intent) => intent.number,
            Self::Notice(notice) => notice.number,
            Self::Refund { .. } | Self::Result(_) => 0,
        }
    }
}

impl Book {
    /// The oldest first.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let mut sessions: Vec<&Session> = self.sessions.values().collect();
        sessions.sort_by_key(|session| session.number);
        sessions.into_iter()
    }

    /// The oldest first.
    pub(crate) fn intents(&self) -> impl Iterator<Item = &Intent> {
        let mut intents: Vec<&Intent> = self.intents.values().collect();
        intents.sort_by_key(|intent| intent.number);
        intents.into_iter()
    }

    /// Those that can still be paid, the first to expire first.
    pub(crate) fn open_sessions(&self) -> impl Iterator<Item = &Session> {
        self.open.values().filter_map(|id| self.sessions.get(id))
    }

    pub(crate) fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    pub(crate) fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.get(id)
    }

    pub(crate) fn intent_by_charge(&self, charge_id: &str) -> Option<&Intent> {
        self.intents.get(self.charges.get(charge_id)?)
    }

    pub(crate) fn refund_key(&self, refund_id: &str) -> Option<&RefundKey> {
        self.refunds.get(refund_id)
    }

    pub(crate) fn refund_keys(&self) -> impl Iterator<Item = &RefundKey> {
        self.refunds.values()
    }

    pub(crate) fn payable(&self, code: &str) -> Option<&Payable> {
        self.codes.get(code)
    }

    pub(crate) fn notice(&self, id: &str) -> Option<&Notice> {
        self.notices.get(id)
    }

    /// The newest event of this kind about a transaction or refund.
    pub(crate) fn notice_about(&self, about: &str, kind: &str) -> Option<&Notice> {
        let told = self.notices.values().filter(|it| it.about == about && it.kind == kind);
        told.max_by_key(|notice| notice.number)
    }

    pub(crate) fn result(&self, key: &str, now: Timestamp) -> Option<&StoredResult> {
        self.results.get(key).filter(|result| result.is_kept(now))
    }

    /// Whether everything that could be paid under the merchant's number has been closed.
    pub(crate) fn is_closed(&self, payment: &PaymentKey) -> bool {
        let mut payables = self.of_payment.get(payment).into_iter().flatten();
        payables.all(|payable| match payable {
            Payable::Session(id) => self.session(id).is_some_and(|it| it.expired.is_some()),
            Payable::Intent(id) => self.intent(id).is_some_and(|it| it.canceled.is_some()),
        })
    }

    /// Makes a change true; answers the payment whose objects changed.
    pub(crate) fn apply(&mut self, change: Change) -> Option<PaymentKey> {
        match change {
            Change::Session(session) => Some(self.put_session(session)),
            Change::Intent(intent) => Some(self.put_intent(intent)),
            Change::Refund { refund_id, key } => {
                self.refunds.insert(refund_id, key);
                None
            }
            Change::Notice(notice) => {
                self.notices.insert(notice.id.clone(), notice);
                None
            }
            Change::Result(result) => {
                self.results.retain(|_, other| other.is_kept(result.stored_at));
                self.results.insert(result.key.clone(), result);
                None
            }
        }
    }

    fn put_session(&mut self, session: Session) -> PaymentKey {
        let payment = session.payment.clone();
        let payable = Payable::Session(session.id.clone());
        if self.codes.insert(session.url.clone(), payable.clone()).is_none() {
            self.of_payment.entry(payment.clone()).or_default().push(payable);
        }
        let end = (session.expires_at, session.number);
        if session.is_open() {
            self.open.insert(end, session.id.clone());
        } else {
            self.open.remove(&end);
        }
        self.sessions.insert(session.id.clone(), session);
        payment
    }

    fn put_intent(&mut self, intent: Intent) -> PaymentKey {
        let payment = intent.payment.clone();
        if let Some(charge) = &intent.charge {
            self.charges.insert(charge.id.clone(), intent.id.clone());
        }
        if let Some(code) = &intent.code {
            self.codes.insert(code.clone(), Payable::Intent(intent.id.clone()));
        }
        let is_new = !self.intents.contains_key(&intent.id);
        if is_new && intent.session.is_none() {
            let payable = Payable::Intent(intent.id.clone());
            self.of_payment.entry(payment.clone()).or_default().push(payable);
        }
        self.intents.insert(intent.id.clone(), intent);
        payment
    }
}

/// The ledger's key of what the merchant numbered so.
pub(crate) fn payment_key(payment_id: &str) -> PaymentKey {
    PaymentKey { gateway: Gateway::Stripe, payment_id: payment_id.to_owned() }
}

/// The ledger's key of a refund.
pub(crate) fn refund_key(refund_no: &str) -> RefundKey {
    RefundKey { gateway: Gateway::Stripe, refund_no: refund_no.to_owned() }
}
