//! WeChat Pay API v3, direct merchant, Native (the payer scans a QR code).
//!
//! Protocol: <https://pay.weixin.qq.com/doc/v3/merchant/4012791877> and the pages around it, read
//! 2026-11-23. Crypto is `ring`'s: RSA signatures both ways, AES-256-GCM for notifications.

mod bill;
mod notification;
mod reply;
mod request;
mod settings;
mod sign;
mod trust;
mod wire;

use std::fmt;

use bytes::Bytes;
use domain::gateway::GatewayName;
use domain::money::Currency;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use jiff::Timestamp;

use self::notification::SealKeys;
use self::sign::Signer;
use self::trust::VerifyKeys;
use self::wire::Transaction;
use crate::answer;
use crate::bill::Bills;
use crate::endpoint::{Endpoint, notify_url};
use crate::settings::{SettingsError, identifier};
use crate::text::percent_encoded;
use crate::{
    Acknowledgement, AmountLimits, CloseOutcome, CreateOutcome, Distrust, Event, Gateway,
    NewPayment, Owner, PaymentRef, QueryOutcome, RefundOutcome, RefundRequest, Refusal, Stamp,
};

pub use self::settings::{VerifyKeySettings, WechatPaySettings};

/// The gateway's name in routes, items, products and settings.
pub const NAME: &str = "wechat_pay";

/// From 1 fen to what a 32-bit `amount.total` holds.
const LIMITS: AmountLimits = AmountLimits { min: 1, max: 2_147_483_647, step: 1 };

/// A request signed just before `pay_by` is accepted for five minutes; another minute for the
/// query to see what was accepted.
const NOT_FOUND_GRACE_S: i64 = 360;

const CREATE_PATH: &str = "/v3/pay/transactions/native";
const REFUND_PATH: &str = "/v3/refund/domestic/refunds";

/// The WeChat Pay adapter of one merchant.
pub struct WechatPay {
    name: GatewayName,
    mchid: String,
    appid: String,
    notify_url: String,
    endpoint: Endpoint,
    signer: Signer,
    verify_keys: VerifyKeys,
    public_key_id: Option<HeaderValue>,
    seal_keys: SealKeys,
}

impl fmt::Debug for WechatPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPay")
            .field("mchid", &self.mchid)
            .field("appid", &self.appid)
            .finish_non_exhaustive()
    }
}

impl WechatPay {
    /// The adapter of these settings.
    ///
    /// # Errors
    /// [`SettingsError`]: the field that is empty, malformed, or does not fit another.
    pub fn new(settings: WechatPaySettings) -> Result<Self, SettingsError> {
        let signer = Signer::new(&settings)?;
        let verify_keys = VerifyKeys::new(&settings.verify_keys, signer.public_key())?;
        Ok(Self {
            name: GatewayName::parse(NAME)
                .ok_or_else(|| SettingsError::new(NAME, "is not a gateway's name"))?,
            mchid: identifier(&settings.mchid, "mchid")?,
            appid: identifier(&settings.appid, "appid")?,
            notify_url: notify_url(&settings.notify_url)?,
            endpoint: Endpoint::parse(&settings.base_url)?,
            public_key_id: verify_keys.public_key_id(),
            seal_keys: SealKeys::new(&settings.apiv3_keys)?,
            signer,
            verify_keys,
        })
    }

    fn is_ours(&self, transaction: &Transaction) -> bool {
        transaction.mchid == self.mchid && transaction.appid == self.appid
    }
}

impl Gateway for WechatPay {
    fn name(&self) -> &GatewayName {
        &self.name
    }

    fn limits(&self, currency: Currency) -> Option<AmountLimits> {
        (currency.as_str() == wire::CURRENCY).then_some(LIMITS)
    }

    fn not_found_grace_s(&self) -> i64 {
        NOT_FOUND_GRACE_S
    }

    fn create_body(&self, payment: &NewPayment<'_>) -> String {
        self.order_body(payment)
    }

    fn create(&self, _payment_id: &str, body: &str, stamp: Stamp) -> Request<Bytes> {
        self.post(CREATE_PATH, body, stamp)
    }

    fn read_create(&self, reply: &Response<Bytes>, now: Timestamp) -> CreateOutcome {
        self.created(reply, now)
    }

    fn query(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes> {
        let number = percent_encoded(payment.payment_id);
        let mchid = percent_encoded(&self.mchid);
        let path = format!("/v3/pay/transactions/out-trade-no/{number}?mchid={mchid}");
        self.get(&path, stamp)
    }

    fn read_query(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> QueryOutcome {
        self.queried(payment, reply, now)
    }

    fn query_owner(&self, transaction_id: &str, stamp: Stamp) -> Request<Bytes> {
        let id = percent_encoded(transaction_id);
        let mchid = percent_encoded(&self.mchid);
        self.get(&format!("/v3/pay/transactions/id/{id}?mchid={mchid}"), stamp)
    }

    fn read_owner(
        &self,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> Result<Option<Owner>, Refusal> {
        self.owner(reply, now)
    }

    fn close(&self, payment: &PaymentRef<'_>, stamp: Stamp) -> Request<Bytes> {
        let number = percent_encoded(payment.payment_id);
        let path = format!("/v3/pay/transactions/out-trade-no/{number}/close");
        self.post(&path, &self.close_body(), stamp)
    }

    fn read_close(&self, reply: &Response<Bytes>, now: Timestamp) -> CloseOutcome {
        self.closed(reply, now)
    }

    fn refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        self.post(REFUND_PATH, &self.refund_body(refund), stamp)
    }

    fn read_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome {
        self.refund_made(refund, reply, now)
    }

    fn query_refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        let number = percent_encoded(refund.number);
        self.get(&format!("{REFUND_PATH}/{number}"), stamp)
    }

    fn read_query_refund(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome {
        self.refund_queried(refund, reply, now)
    }

    fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Vec<Event>, Distrust> {
        self.verify_keys.check(headers, body, now)?;
        self.events(body)
    }

    fn bills(&self) -> Option<&dyn Bills> {
        Some(self)
    }

    fn acknowledge(&self, acknowledgement: Acknowledgement) -> Response<Bytes> {
        match acknowledgement {
            Acknowledgement::Done => answer(StatusCode::NO_CONTENT, None),
            Acknowledgement::Retry => {
                answer(StatusCode::INTERNAL_SERVER_ERROR, Some("not stored yet, send it again"))
            }
            Acknowledgement::Refused(distrust) => {
                answer(StatusCode::UNAUTHORIZED, Some(distrust.as_str()))
            }
        }
    }
}

/// An empty body means received; a failure carries `code` and `message`. Source: "支付成功回调通知",
/// read 2026-11-23.
fn answer(status: StatusCode, failure: Option<&str>) -> Response<Bytes> {
    let Some(message) = failure else {
        return answer::empty(status);
    };
    let body = serde_json::json!({ "code": "FAIL", "message": message }).to_string();
    answer::with_body(status, "application/json", body)
}
