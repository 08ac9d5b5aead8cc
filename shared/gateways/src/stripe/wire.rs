//! The JSON objects of API v1. Fields that nothing reads are left out.
//!
//! Source, read 2026-11-24: <https://docs.stripe.com/api/checkout/sessions/object>,
//! <https://docs.stripe.com/api/payment_intents/object>,
//! <https://docs.stripe.com/api/refunds/object>, <https://docs.stripe.com/api/disputes/object>,
//! <https://docs.stripe.com/api/events/object>, <https://docs.stripe.com/api/errors>.

use domain::gateway::Capture;
use domain::money::{Currency, Money};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::text::id;

/// What creating, asking for and closing a payment answer.
#[derive(Deserialize)]
#[serde(tag = "object")]
pub(super) enum Found {
    #[serde(rename = "checkout.session")]
    Session(Box<Session>),
    #[serde(rename = "payment_intent")]
    Intent(Box<Intent>),
    #[serde(rename = "search_result")]
    Search(Page<Intent>),
}

/// One page of a list or of a search.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// A Checkout Session.
#[derive(Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) livemode: Option<bool>,
    pub(super) mode: Option<String>,
    /// `open`, `complete` or `expired`.
    pub(super) status: Option<String>,
    /// `unpaid`, `paid` or `no_payment_required`.
    pub(super) payment_status: Option<String>,
    pub(super) url: Option<String>,
    pub(super) client_reference_id: Option<String>,
    amount_total: Option<i64>,
    currency: Option<String>,
    /// Absent until the payer has begun to pay.
    pub(super) payment_intent: Option<Expandable<Intent>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) metadata: Metadata,
}

impl Session {
    /// What the payer was charged.
    pub(super) fn charged(&self) -> Option<Money> {
        money(self.amount_total?, self.currency.as_deref()?)
    }
}

/// A PaymentIntent: Stripe's transaction.
#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) livemode: Option<bool>,
    pub(super) status: String,
    amount_received: Option<i64>,
    currency: Option<String>,
    latest_charge: Option<Expandable<Charge>>,
    next_action: Option<NextAction>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) metadata: Metadata,
}

impl Intent {
    /// What was captured.
    pub(super) fn received(&self) -> Option<Money> {
        money(self.amount_received?, self.currency.as_deref()?)
    }

    /// The capture and when it was made; `None` where a part of it is absent or malformed.
    pub(super) fn capture(&self) -> Option<Capture> {
        let Expandable::Object(charge) = self.latest_charge.as_ref()? else { return None };
        capture(&self.id, self.received()?, charge.created)
    }

    /// Whether some of what was captured was refunded, or is about to be.
    pub(super) fn has_gone_back(&self) -> bool {
        match &self.latest_charge {
            Some(Expandable::Object(charge)) => charge.amount_refunded > 0,
            Some(Expandable::Id(_)) | None => false,
        }
    }

    /// What WeChat's app scans.
    pub(super) fn qr_code(&self) -> Option<&str> {
        let action = self.next_action.as_ref()?;
        let code = action.wechat_pay_display_qr_code.as_ref()?;
        Some(code.data.as_str()).filter(|data| !data.is_empty())
    }
}

/// A charge, of which only the time is read, and how much of it was refunded.
#[derive(Deserialize)]
pub(super) struct Charge {
    created: i64,
    #[serde(default)]
    amount_refunded: i64,
}

#[derive(Deserialize)]
struct NextAction {
    wechat_pay_display_qr_code: Option<QrCode>,
}

#[derive(Deserialize)]
struct QrCode {
    data: String,
}

/// An object, or only its id where it was not asked for.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Expandable<T> {
    Id(String),
    Object(Box<T>),
}

impl Expandable<Intent> {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Object(intent) => &intent.id,
        }
    }
}

/// What we write on payments and refunds. Others write what they like.
#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) payment_id: Option<String>,
    pub(super) echo: Option<String>,
    /// On a PaymentIntent whose own code is shown, [`super::QR_CODE`].
    pub(super) code: Option<String>,
    pub(super) refund_number: Option<String>,
}

impl Metadata {
    /// The echo, where it is not empty.
    pub(super) fn echo(&self) -> Option<&str> {
        self.echo.as_deref().filter(|echo| !echo.is_empty())
    }
}

/// Metadata that may be `null`.
pub(super) fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A refund.
#[derive(Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`, where there is one.
    pub(super) status: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) failure_reason: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) metadata: Metadata,
}

impl Refund {
    /// What goes back.
    pub(super) fn amount(&self) -> Option<Money> {
        money(self.amount?, self.currency.as_deref()?)
    }
}

/// A dispute.
#[derive(Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    amount: Option<i64>,
    currency: Option<String>,
    pub(super) payment_intent: Option<String>,
}

impl Dispute {
    /// How much is disputed.
    pub(super) fn amount(&self) -> Option<Money> {
        money(self.amount?, self.currency.as_deref()?)
    }
}

/// Body of an error.
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) error: ProblemDetail,
}

#[derive(Deserialize)]
pub(super) struct ProblemDetail {
    /// Such as `invalid_request_error`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Only some have one.
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// The part of a notification that says what it is about.
#[derive(Deserialize)]
pub(super) struct NotificationKind {
    pub(super) object: String,
    #[serde(rename = "type")]
    pub(super) event_type: Option<String>,
    pub(super) livemode: Option<bool>,
}

/// The part of a notification that holds what changed, as it was then.
#[derive(Deserialize)]
pub(super) struct Notification<T> {
    /// When it changed, in seconds of Unix time.
    pub(super) created: i64,
    pub(super) data: Changed<T>,
}

#[derive(Deserialize)]
pub(super) struct Changed<T> {
    pub(super) object: T,
}

/// What a transaction captured; `None` unless it has an id and a time.
pub(super) fn capture(transaction_id: &str, captured: Money, paid_at_s: i64) -> Option<Capture> {
    let paid_at = Timestamp::from_second(paid_at_s).ok()?;
    Some(Capture { transaction_id: id(transaction_id)?, captured, paid_at })
}

/// An amount as the API writes it; `None` unless it is positive.
pub(super) fn money(amount: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(&currency.to_ascii_uppercase())?;
    (amount > 0).then_some(Money::new(amount, currency))
}
