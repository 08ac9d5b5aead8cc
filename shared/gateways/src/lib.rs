//! Gateways: pure translators between the domain and each payment provider's wire format.
//!
//! An adapter builds requests and reads replies; it never opens a socket, reads a clock or draws
//! randomness. Every reply is read into one of three kinds of answer: it happened, it did not
//! happen, it is not known. What is not known is never guessed.

pub mod alipay;
mod answer;
mod beijing;
pub mod bill;
mod endpoint;
mod header;
mod pem;
pub mod registry;
mod rsa;
pub mod settings;
pub mod stripe;
mod text;
pub mod wechat_pay;
mod yuan;

use std::time::Duration;

use bytes::Bytes;
use domain::gateway::{Capture, GatewayName};
use domain::money::{Currency, Money};
use http::{HeaderMap, Request, Response};
use jiff::Timestamp;

use crate::bill::Bills;
use crate::text::cut;

/// What a signature needs from outside.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The time of sending.
    pub now: Timestamp,
    /// Fresh randomness, never used twice.
    pub nonce: [u8; 16],
}

/// The amounts that a gateway takes in one currency, in minor units, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AmountLimits {
    /// Smallest.
    pub min: i64,
    /// Largest.
    pub max: i64,
    /// What every amount is a multiple of; 1 where any will do.
    pub step: i64,
}

/// A payment to be created.
#[derive(Clone, Debug)]
pub struct NewPayment<'a> {
    /// Our payment id, the merchant's order number at the gateway.
    pub payment_id: &'a str,
    /// What the payer reads.
    pub description: &'a str,
    /// What is to be paid.
    pub amount: Money,
    /// The last moment to pay.
    pub expires_at: Timestamp,
    /// What the gateway carries back with every notification.
    pub echo: &'a str,
}

/// A payment that exists, or may exist, at the gateway.
#[derive(Clone, Debug)]
pub struct PaymentRef<'a> {
    /// Our payment id.
    pub payment_id: &'a str,
    /// The gateway's own id of it, where creating answered one and it is needed.
    pub gateway_ref: Option<&'a str>,
}

/// A refund to be made, or asked for.
#[derive(Clone, Debug)]
pub struct RefundRequest<'a> {
    /// The payment that captured the money.
    pub payment_id: &'a str,
    /// The captured transaction.
    pub transaction_id: &'a str,
    /// The attempt's number: the gateway's idempotency key.
    pub number: &'a str,
    /// What was captured, and goes back in full.
    pub amount: Money,
    /// Why, for the payer's statement.
    pub reason: &'a str,
}

/// What came of creating a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CreateOutcome {
    /// The code can be paid.
    Payable {
        /// What the QR code encodes.
        code_url: String,
        /// The gateway's own id of the payment, where later calls need it.
        gateway_ref: Option<String>,
    },
    /// The gateway says that this payment was paid already: ask it.
    AlreadyPaid,
    /// The gateway closed this payment: the attempt is spent.
    Closed,
    /// Finally refused: this sending made nothing payable. An earlier sending of the same body
    /// whose outcome was unknown may have; then only asking tells.
    Refused(Refusal),
    /// Nothing is known of what happened.
    Unknown(Refusal),
}

/// What a gateway answers when asked for a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum QueryOutcome {
    /// Money was captured.
    Paid(Capture),
    /// Money was captured, and some or all of it has gone back since: it buys nothing any more.
    Returned(Capture),
    /// It exists and nobody has paid it.
    Unpaid,
    /// The gateway closed it.
    Closed,
    /// The gateway does not know it (yet).
    NotFound,
    /// The gateway has not looked: it is asked too often.
    TooOften(TooOften),
    /// No usable answer.
    Unknown(Refusal),
}

/// What came of closing a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloseOutcome {
    /// Confirmed: it cannot be paid any more.
    Closed,
    /// The gateway does not know it (yet).
    NotFound,
    /// It exists, under this id of the gateway's own: close it by that.
    Named(String),
    /// It cannot be closed now, or may have been paid: ask, and believe the answer.
    Ask(Refusal),
    /// The gateway has not looked: it is asked too often.
    TooOften(TooOften),
    /// No usable answer.
    Unknown(Refusal),
}

/// Where a refund attempt stands at its gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundOutcome {
    /// The money is back.
    Succeeded,
    /// Accepted, not yet done.
    Processing,
    /// This attempt will not be paid; a new attempt may be made.
    Failed(Refusal),
    /// The gateway finally refuses to give the money back.
    Refused(Refusal),
    /// The gateway does not know this attempt.
    NotFound,
    /// It could not be done now (balance, a lock): the same attempt again, later.
    Later(Refusal),
    /// The gateway has not looked: it is asked too often. The same attempt again, later.
    TooOften(TooOften),
    /// A person has to act at the gateway before it can go on.
    Stuck(Refusal),
    /// No usable answer.
    Unknown(Refusal),
}

/// The longest code to be scanned that is taken for one, in bytes: the item that keeps it stays
/// small, and it can still be drawn. Addresses of Stripe's pages are the longest, with some 360.
pub const CODE_URL_LEN_MAX: usize = 1_024;
/// The longest id of a gateway's own that is taken for one, in bytes: WeChat Pay's are of 32,
/// Alipay's of 64, Stripe's of 255. Source: <https://docs.stripe.com/upgrades>, read 2026-11-25.
pub const ID_LEN_MAX: usize = 255;
/// The longest body that creates a payment, in bytes: it is stored with the task that asks for it.
pub const CREATE_BODY_LEN_MAX: usize = 4 * 1_024;

/// The longest that a gateway's wish to be left alone is heeded: after that it is asked again, and
/// may say so again.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The longest code that is kept for logs, in bytes.
const CODE_LEN_MAX: usize = 64;
/// The longest message that is kept for logs, in bytes.
const MESSAGE_LEN_MAX: usize = 256;

/// A gateway's own words for a refusal or a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status; 0 where there was no reply.
    pub status: u16,
    /// The gateway's code, or our name for what is wrong with the reply.
    pub code: String,
    /// Its explanation, for logs.
    pub message: String,
}

impl Refusal {
    /// A refusal whose texts are cut to what logs keep.
    pub(crate) fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: cut(code, CODE_LEN_MAX).to_owned(),
            message: cut(message, MESSAGE_LEN_MAX).to_owned(),
        }
    }
}

/// A gateway is called more often than it allows, and has not looked at what the call wanted. It
/// says so of all that we ask, and nothing of the payment.
///
/// A reply that vouches for nothing may say it too: it only leads to asking again, later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TooOften {
    /// Its own words.
    pub refusal: Refusal,
    /// How long it wants to be left alone, where it says so: at most [`RETRY_AFTER_MAX`].
    pub retry_after: Option<Duration>,
}

/// A captured payment as a refund's or a dispute's event names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedPayment {
    /// The captured transaction.
    pub transaction_id: String,
    /// The merchant order number, where the event has it: a payment id if it is ours.
    pub payment_id: Option<String>,
    /// The echo field, where the event has it.
    pub echo: Option<String>,
}

/// Whose payment a transaction is, as the gateway carries it back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The merchant order number: a payment id if it is ours.
    pub payment_id: String,
    /// The echo field.
    pub echo: String,
}

/// One thing that a verified notification tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A payment was captured.
    Paid {
        /// The merchant order number: a payment id if it is ours.
        payment_id: String,
        /// The echo field, where the gateway sent one.
        echo: Option<String>,
        /// The gateway's own id of the payment, where it sent one.
        gateway_ref: Option<String>,
        /// The transaction and its amount.
        capture: Capture,
    },
    /// A payment was captured, and the event does not say when: the gateway is to be asked.
    PaidUndated {
        /// The merchant order number: a payment id if it is ours.
        payment_id: String,
        /// The echo field, where the gateway sent one.
        echo: Option<String>,
    },
    /// A refund changed.
    Refund {
        /// What is refunded.
        payment: NamedPayment,
        /// The refund's number: ours, or anybody's.
        number: String,
        /// What goes back.
        amount: Money,
        /// Where it stands now.
        outcome: RefundOutcome,
    },
    /// The payer's bank takes a payment into question, and may take the money back.
    Dispute {
        /// What is disputed.
        payment: NamedPayment,
        /// The dispute's number at the gateway.
        number: String,
        /// How much is disputed.
        amount: Money,
    },
}

/// Why a notification is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Distrust {
    /// The signature does not match the bytes.
    BadSignature,
    /// The timestamp is outside the window.
    StaleTimestamp,
    /// The key's serial is not known.
    UnknownKey,
    /// A header, or the field that stands for it, is missing or malformed.
    MissingHeader,
    /// It verifies but cannot be opened or read.
    Unreadable,
    /// It is for another merchant or app.
    WrongMerchant,
}

impl Distrust {
    /// The reason's name, for metrics, logs and [`Refusal::code`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::StaleTimestamp => "stale_timestamp",
            Self::UnknownKey => "unknown_key",
            Self::MissingHeader => "missing_header",
            Self::Unreadable => "unreadable",
            Self::WrongMerchant => "wrong_merchant",
        }
    }
}

/// How a notification is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acknowledgement {
    /// What it caused is durable.
    Done,
    /// Send it again later.
    Retry,
    /// It is not believed.
    Refused(Distrust),
}

/// One payment provider.
///
/// No method has a default body: a gateway that lacks an ability does not compile.
pub trait Gateway: Send + Sync {
    /// The name in routes, items and products.
    fn name(&self) -> &GatewayName;

    /// What it takes in a currency; `None` if it does not take the currency.
    fn limits(&self, currency: Currency) -> Option<AmountLimits>;

    /// How long after `pay_by` 'not found' may still turn into a payable code, in seconds.
    fn not_found_grace_s(&self) -> i64;

    /// The exact body that creates the payment. It is stored and every retry sends it again; it
    /// has at most [`CREATE_BODY_LEN_MAX`] bytes for the longest names and settings.
    fn create_body(&self, payment: &NewPayment<'_>) -> String;

    /// The request that creates the payment `payment_id` from its stored body.
    fn create(&self, payment_id: &str, body: &str, stamp: Stamp) -> Request<Bytes>;

    /// Reads what came of creating.
    fn read_create(&self, reply: &Response<Bytes>, now: Timestamp) -> CreateOutcome;

    /// The request that asks for a payment.
    fn query(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes>;

    /// Reads the answer about `payment`.
    fn read_query(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> QueryOutcome;

    /// The request that asks whose payment a transaction is, for events that do not say it.
    fn query_owner(&self, transaction_id: &str, stamp: Stamp) -> Request<Bytes>;

    /// Reads the answer. `None` only on the gateway's word: it knows no such payment of ours, or
    /// carries nothing back.
    ///
    /// # Errors
    /// [`Refusal`] if there is no usable answer.
    fn read_owner(&self, reply: &Response<Bytes>, now: Timestamp)
    -> Result<Option<Owner>, Refusal>;

    /// The request that closes a payment.
    fn close(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes>;

    /// Reads what came of closing.
    fn read_close(&self, reply: &Response<Bytes>, now: Timestamp) -> CloseOutcome;

    /// The request that refunds.
    fn refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes>;

    /// Reads what came of refunding.
    fn read_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome;

    /// The request that asks for a refund.
    fn query_refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes>;

    /// Reads the answer about a refund.
    fn read_query_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome;

    /// Verifies a notification over its raw bytes and reads it.
    ///
    /// # Errors
    /// [`Distrust`]: signature, timestamp, key, merchant or contents are wrong.
    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Event>, Distrust>;

    /// Its daily bill; `None` for a gateway that writes none that can be read.
    fn bills(&self) -> Option<&dyn Bills>;

    /// The answer to a notification that the gateway understands.
    fn acknowledge(&self, acknowledgement: Acknowledgement) -> Response<Bytes>;
}
