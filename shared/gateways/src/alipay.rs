//! Alipay, mainland, direct merchant, "Face to Face" precreate (the payer scans a QR code), RSA2.
//!
//! Protocol: <https://opendocs.alipay.com/open/02ekfg> ("alipay.trade.precreate") and the pages
//! around it, and the field comments of Alipay's own Java SDK, read 2026-11-23.
//!
//! Creating makes no trade: the trade, and with it `trade_no`, begins when a payer scans the code.
//! `alipay.trade.cancel` is never called, because it silently refunds what was paid.

mod bill;
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
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;

use self::trust::VerifyKeys;
use crate::answer;
use crate::bill::Bills;
use crate::endpoint::{Endpoint, notify_url};
use crate::rsa::SigningKey;
use crate::settings::{SettingsError, identifier};
use crate::{
    Acknowledgement, AmountLimits, CloseOutcome, CreateOutcome, Distrust, Event, Gateway,
    NewPayment, Owner, PaymentRef, QueryOutcome, RefundOutcome, RefundRequest, Refusal, Stamp,
    yuan,
};

pub use self::settings::AlipaySettings;

/// The gateway's name in routes, items, products and settings.
pub const NAME: &str = "alipay";

/// From 0.01 to 100,000,000 yuan: the range of `total_amount`.
const LIMITS: AmountLimits = AmountLimits { min: 1, max: 10_000_000_000, step: 1 };

/// A code can be scanned for two hours after it was made, whatever timeout it was given. Source:
/// `qr_code_timeout_express` of precreate, read 2026-11-23.
const NOT_FOUND_GRACE_S: i64 = 7_200;

/// The Alipay adapter of one merchant.
pub struct Alipay {
    name: GatewayName,
    app_id: String,
    seller_id: String,
    notify_url: String,
    endpoint: Endpoint,
    signing_key: SigningKey,
    verify_keys: VerifyKeys,
}

impl fmt::Debug for Alipay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alipay")
            .field("app_id", &self.app_id)
            .field("seller_id", &self.seller_id)
            .finish_non_exhaustive()
    }
}

impl Alipay {
    /// The adapter of these settings.
    ///
    /// # Errors
    /// [`SettingsError`]: the field that is empty, malformed, or does not fit another.
    pub fn new(settings: AlipaySettings) -> Result<Self, SettingsError> {
        let signing_key =
            SigningKey::from_pem(&settings.app_private_key_pem, "app_private_key_pem")?;
        Ok(Self {
            name: GatewayName::parse(NAME)
                .ok_or_else(|| SettingsError::new(NAME, "is not a gateway's name"))?,
            app_id: identifier(&settings.app_id, "app_id")?,
            seller_id: identifier(&settings.seller_id, "seller_id")?,
            notify_url: notify_url(&settings.notify_url)?,
            endpoint: Endpoint::parse(&settings.base_url)?,
            verify_keys: VerifyKeys::new(&settings.verify_keys, signing_key.public_key())?,
            signing_key,
        })
    }
}

impl Gateway for Alipay {
    fn name(&self) -> &GatewayName {
        &self.name
    }

    fn limits(&self, currency: Currency) -> Option<AmountLimits> {
        (currency.as_str() == yuan::CURRENCY).then_some(LIMITS)
    }

    fn not_found_grace_s(&self) -> i64 {
        NOT_FOUND_GRACE_S
    }

    fn create_body(&self, payment: &NewPayment<'_>) -> String {
        self.stored_body(payment)
    }

    fn create(&self, _payment_id: &str, body: &str, stamp: Stamp) -> Request<Bytes> {
        self.precreate(body, stamp)
    }

    fn read_create(&self, reply: &Response<Bytes>, _now: Timestamp) -> CreateOutcome {
        self.created(reply)
    }

    fn query(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes> {
        self.query_by_number(payment.payment_id, stamp)
    }

    fn read_query(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> QueryOutcome {
        self.queried(payment, reply)
    }

    fn query_owner(&self, transaction_id: &str, stamp: Stamp) -> Request<Bytes> {
        self.query_by_transaction(transaction_id, stamp)
    }

    fn read_owner(
        &self,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> Result<Option<Owner>, Refusal> {
        self.owner(reply)
    }

    fn close(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes> {
        self.close_by_number(payment.payment_id, stamp)
    }

    fn read_close(&self, reply: &Response<Bytes>, _now: Timestamp) -> CloseOutcome {
        self.closed(reply)
    }

    fn refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        self.make_refund(refund, stamp)
    }

    fn read_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> RefundOutcome {
        self.refund_made(refund, reply)
    }

    fn query_refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        self.ask_for_refund(refund, stamp)
    }

    fn read_query_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        _now: Timestamp,
    ) -> RefundOutcome {
        self.refund_queried(refund, reply)
    }

    /// The signature covers the body alone and carries no time: the gateway sends the same
    /// notification again for a day, so that only what is stored makes a repeat harmless.
    fn verify(
        &self,
        _headers: &HeaderMap,
        body: &[u8],
        _now: Timestamp,
    ) -> Result<Vec<Event>, Distrust> {
        self.events(&self.verify_keys.check_notification(body)?)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    /// The gateway looks at the body alone, which must be exactly `success`. Source: "异步通知说明",
    /// read 2026-11-23.
    fn acknowledge(&self, acknowledgement: Acknowledgement) -> Response<Bytes> {
        match acknowledgement {
            Acknowledgement::Done => plain(StatusCode::OK, "success"),
            Acknowledgement::Retry => plain(StatusCode::INTERNAL_SERVER_ERROR, "failure"),
            Acknowledgement::Refused(_) => plain(StatusCode::BAD_REQUEST, "failure"),
        }
    }
}

fn plain(status: StatusCode, body: &'static str) -> Response<Bytes> {
    answer::with_body(status, "text/plain", body)
}
