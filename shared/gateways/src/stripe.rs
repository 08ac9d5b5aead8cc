//! Stripe, by Checkout Sessions or by PaymentIntents of WeChat Pay.
//!
//! Protocol: <https://docs.stripe.com/api> and the pages around it, read 2026-11-24. Requests carry
//! a key and replies carry no signature: TLS and the host vouch for both. Notifications are signed
//! (HMAC-SHA256, `ring`'s).
//!
//! The transaction is the PaymentIntent: it captures at most once.

mod bill;
mod currency;
mod notification;
mod reply;
mod request;
mod settings;
mod trust;
mod wire;

use std::fmt;

use bytes::Bytes;
use domain::gateway::GatewayName;
use domain::money::Currency;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use jiff::Timestamp;

use self::request::bearer;
use self::settings::livemode;
use self::trust::WebhookSecrets;
use crate::answer;
use crate::bill::Bills;
use crate::endpoint::{Endpoint, return_url};
use crate::settings::SettingsError;
use crate::{
    Acknowledgement, AmountLimits, CloseOutcome, CreateOutcome, Distrust, Event, Gateway,
    NewPayment, Owner, PaymentRef, QueryOutcome, RefundOutcome, RefundRequest, Refusal, Stamp,
};

pub use self::settings::{StripeCode, StripeSettings};

/// The gateway's name in routes, items, products and settings.
pub const NAME: &str = "stripe";

/// How long after `pay_by` a session expires by itself, in seconds. Stripe wants at least 30
/// minutes between creating and expiring, and no create is sent after `pay_by`; the minute more is
/// for the way there and for clocks. `pay_by` itself is kept by expiring the session then.
/// Source: <https://docs.stripe.com/payments/checkout/managing-limited-inventory>, read 2026-11-24.
const SESSION_LIFE_S: i64 = 1_860;

/// A session whose id was lost was never shown, and by then it has expired by itself; two minutes
/// for clocks. A create that arrives more than a minute after `pay_by` is refused, because it asks
/// for less than 30 minutes.
const SESSION_NOT_FOUND_GRACE_S: i64 = 1_980;

/// A PaymentIntent never expires by itself. One whose id was lost was never shown either, but it
/// is to be cancelled, so the search must have had its chance to see it: it is behind by less than
/// a minute as a rule and by up to an hour in an outage; five minutes for the create to arrive.
/// Source: <https://docs.stripe.com/api/payment_intents/search>, read 2026-11-24.
const INTENT_NOT_FOUND_GRACE_S: i64 = 3_900;

/// What the metadata field `code` of a PaymentIntent says whose own code is shown. One that
/// belongs to a session lacks it: only the session can be closed.
const QR_CODE: &str = "wechat_pay_qr";

/// The Stripe adapter of one account.
pub struct Stripe {
    name: GatewayName,
    authorization: HeaderValue,
    is_live: bool,
    webhook_secrets: WebhookSecrets,
    code: Code,
    endpoint: Endpoint,
}

/// What is created for a payment.
enum Code {
    Session { success_url: String, cancel_url: Option<String> },
    WechatPayQr,
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("is_live", &self.is_live)
            .field("code", &self.kind())
            .finish_non_exhaustive()
    }
}

impl Stripe {
    /// The adapter of these settings.
    ///
    /// # Errors
    /// [`SettingsError`]: the field that is missing, empty or malformed.
    pub fn new(settings: StripeSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            name: GatewayName::parse(NAME)
                .ok_or_else(|| SettingsError::new(NAME, "is not a gateway's name"))?,
            is_live: livemode(&settings.secret_key)?,
            authorization: bearer(&settings.secret_key)?,
            webhook_secrets: WebhookSecrets::new(&settings.webhook_secrets)?,
            code: Code::new(&settings)?,
            endpoint: Endpoint::parse(&settings.base_url)?,
        })
    }

    const fn kind(&self) -> StripeCode {
        match self.code {
            Code::Session { .. } => StripeCode::CheckoutSession,
            Code::WechatPayQr => StripeCode::WechatPayQr,
        }
    }

    /// Whether an object is of the key's mode. Some objects do not say.
    fn is_of_mode(&self, livemode: Option<bool>) -> bool {
        livemode.is_none_or(|is_live| is_live == self.is_live)
    }
}

impl Code {
    fn new(settings: &StripeSettings) -> Result<Self, SettingsError> {
        let url = |url: &Option<String>, field| {
            url.as_deref().map(|text| return_url(text, field)).transpose()
        };
        let success_url = url(&settings.success_url, "success_url")?;
        let cancel_url = url(&settings.cancel_url, "cancel_url")?;
        match (settings.code, success_url) {
            (StripeCode::CheckoutSession, Some(success_url)) => {
                Ok(Self::Session { success_url, cancel_url })
            }
            (StripeCode::CheckoutSession, None) => {
                Err(SettingsError::new("success_url", "is missing"))
            }
            (StripeCode::WechatPayQr, _) => Ok(Self::WechatPayQr),
        }
    }
}

impl Gateway for Stripe {
    fn name(&self) -> &GatewayName {
        &self.name
    }

    fn limits(&self, currency: Currency) -> Option<AmountLimits> {
        currency::limits(self.kind(), currency)
    }

    fn not_found_grace_s(&self) -> i64 {
        match self.code {
            Code::Session { .. } => SESSION_NOT_FOUND_GRACE_S,
            Code::WechatPayQr => INTENT_NOT_FOUND_GRACE_S,
        }
    }

    fn create_body(&self, payment: &NewPayment<'_>) -> String {
        match &self.code {
            Code::Session { success_url, cancel_url } => {
                request::session_body(payment, success_url, cancel_url.as_deref())
            }
            Code::WechatPayQr => request::intent_body(payment),
        }
    }

    fn create(&self, payment_id: &str, body: &str, _stamp: Stamp) -> Request<Bytes> {
        self.create_request(payment_id, body)
    }

    fn read_create(&self, reply: &Response<Bytes>, _now: Timestamp) -> CreateOutcome {
        self.created(reply)
    }

    fn query(&self, payment: &PaymentRef<'_>, _stamp: Stamp) -> Request<Bytes> {
        self.query_request(payment)
    }

    fn read_query(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> QueryOutcome {
        self.queried(payment, reply)
    }

    fn query_owner(&self, transaction_id: &str, _stamp: Stamp) -> Request<Bytes> {
        self.owner_request(transaction_id)
    }

    fn read_owner(
        &self,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> Result<Option<Owner>, Refusal> {
        self.owner(reply)
    }

    fn close(&self, payment: &PaymentRef<'_>, _stamp: Stamp) -> Request<Bytes> {
        self.close_request(payment)
    }

    fn read_close(&self, reply: &Response<Bytes>, _now: Timestamp) -> CloseOutcome {
        self.closed(reply)
    }

    fn refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        self.refund_request(refund, stamp.now)
    }

    fn read_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> RefundOutcome {
        reply::refund_made(refund, reply)
    }

    fn query_refund(&self, refund: &RefundRequest<'_>, _stamp: Stamp) -> Request<Bytes> {
        self.refunds_request(refund)
    }

    fn read_query_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> RefundOutcome {
        reply::refund_queried(refund, reply)
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Event>, Distrust> {
        self.webhook_secrets.check(headers, body, now)?;
        self.events(body)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    /// Any 2xx is an acknowledgement and everything else is sent again; bodies are only shown in
    /// the dashboard. Source: <https://docs.stripe.com/webhooks>, read 2026-11-24.
    fn acknowledge(&self, acknowledgement: Acknowledgement) -> Response<Bytes> {
        match acknowledgement {
            Acknowledgement::Done => plain(StatusCode::OK, "recorded"),
            Acknowledgement::Retry => {
                plain(StatusCode::INTERNAL_SERVER_ERROR, "not stored yet, send it again")
            }
            Acknowledgement::Refused(distrust) => plain(StatusCode::BAD_REQUEST, distrust.as_str()),
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Bytes> {
    answer::with_body(status, "text/plain", text)
}
