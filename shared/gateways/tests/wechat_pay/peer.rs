//! The gateway's side of the protocol, with throw-away keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::money::{Currency, Money};
use gateways::wechat_pay::{WechatPay, WechatPaySettings};
use gateways::{PaymentRef, RefundRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

pub(crate) const NOW_S: i64 = 1_767_225_600;
pub(crate) const MCHID: &str = "1900000109";
pub(crate) const APPID: &str = "wxd678efh567hg6787";
pub(crate) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000001092026010100000000000001";
pub(crate) const CERTIFICATE_SERIAL: &str = "9A17F09EFDC096DE15EBE81A47057A7232F1B8";
pub(crate) const OLD_KEY: &str = "OldOldOldOldOldOldOldOldOldOld00";
pub(crate) const NEW_KEY: &str = "NewNewNewNewNewNewNewNewNewNew11";
pub(crate) const PAYMENT_ID: &str = "8f14e45fceea167a5a36dedd4bea2543";
pub(crate) const TRANSACTION_ID: &str = "4200002026010100000000000001";
pub(crate) const REFUND_NUMBER: &str = "c9f0f895fb98ab9159f51fd0297e236d0011";

pub(crate) const PUBLIC_KEY_PEM: &str = include_str!("../keys/gateway_public_key.pem");
pub(crate) const CERTIFICATE_PEM: &str = include_str!("../keys/gateway_certificate.pem");

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/wechat.json")).unwrap()
}

/// Settings that are right; tests spoil one field of them.
pub(crate) fn settings() -> Value {
    json!({
        "mchid": MCHID,
        "appid": APPID,
        "merchant_serial": "444F4864EA9B34415A51E1B8C1C0F2D3A4B5C6D7",
        "merchant_private_key_pem": vectors()["config"]["merchant_private_key_pem"],
        "apiv3_keys": [OLD_KEY, NEW_KEY],
        "verify_keys": [
            { "serial": CERTIFICATE_SERIAL, "pem": CERTIFICATE_PEM },
            { "serial": PUBLIC_KEY_ID, "pem": PUBLIC_KEY_PEM },
        ],
        "notify_url": "https://pay.example.com/notify/wechat",
    })
}

pub(crate) fn adapter(settings: Value) -> WechatPay {
    let settings: WechatPaySettings = serde_json::from_value(settings).unwrap();
    WechatPay::new(settings).unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn cny(amount: i64) -> Money {
    Money::new(amount, Currency::parse("CNY").unwrap())
}

pub(crate) fn payment() -> PaymentRef<'static> {
    PaymentRef { payment_id: PAYMENT_ID, gateway_ref: None }
}

pub(crate) fn refund() -> RefundRequest<'static> {
    RefundRequest {
        payment_id: PAYMENT_ID,
        transaction_id: TRANSACTION_ID,
        number: REFUND_NUMBER,
        amount: cny(1280),
        reason: "duplicate payment",
    }
}

/// A query's answer for a paid order; also what a payment's notification seals.
pub(crate) fn transaction() -> Value {
    json!({
        "mchid": MCHID,
        "appid": APPID,
        "out_trade_no": PAYMENT_ID,
        "transaction_id": TRANSACTION_ID,
        "trade_type": "NATIVE",
        "trade_state": "SUCCESS",
        "attach": "lp1.echo",
        "success_time": "2026-01-01T07:59:30+08:00",
        // A coupon paid for a part of it: the order's amount counts.
        "amount": { "total": 1280, "payer_total": 1000, "currency": "CNY" },
    })
}

/// What a refund's notification seals.
pub(crate) fn refund_notice(status: &str) -> Value {
    json!({
        "mchid": MCHID,
        "out_trade_no": PAYMENT_ID,
        "transaction_id": TRANSACTION_ID,
        "out_refund_no": REFUND_NUMBER,
        "refund_id": "50000000382019052709732678859",
        "refund_status": status,
        "amount": { "total": 1280, "refund": 1280, "payer_total": 1280, "payer_refund": 1280 },
    })
}

/// A key that the gateway signs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    PublicKey,
    Certificate,
}

impl Mode {
    pub(crate) fn serial(self) -> &'static str {
        match self {
            Self::PublicKey => PUBLIC_KEY_ID,
            Self::Certificate => CERTIFICATE_SERIAL,
        }
    }

    fn key(self) -> RsaKeyPair {
        let pem = match self {
            Self::PublicKey => include_str!("../keys/gateway_public_mode.pem"),
            Self::Certificate => include_str!("../keys/gateway_certificate_mode.pem"),
        };
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        let der = STANDARD.decode(lines.collect::<String>()).unwrap();
        RsaKeyPair::from_pkcs8(&der).unwrap()
    }

    fn sign(self, message: &[u8]) -> String {
        let key = self.key();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        STANDARD.encode(signature)
    }

    /// The headers of a message that is signed at `timestamp`.
    pub(crate) fn headers_at(self, timestamp: &str, body: &[u8]) -> HeaderMap {
        let nonce = "A28ECE9D48514D2F6051D83515B3C6EB";
        let message =
            [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n".as_slice()].concat();
        let signature = self.sign(&message);
        [
            ("wechatpay-timestamp", timestamp),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", &signature),
            ("wechatpay-serial", self.serial()),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
    }

    /// The headers of a message that is signed now.
    pub(crate) fn headers(self, body: &[u8]) -> HeaderMap {
        self.headers_at(&NOW_S.to_string(), body)
    }
}

pub(crate) fn unsigned(status: u16, body: impl AsRef<[u8]>) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::copy_from_slice(body.as_ref()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}

pub(crate) fn signed(status: u16, body: impl AsRef<[u8]>) -> Response<Bytes> {
    let headers = Mode::PublicKey.headers(body.as_ref());
    let mut reply = unsigned(status, body);
    *reply.headers_mut() = headers;
    reply
}

pub(crate) fn problem(code: &str, message: &str) -> String {
    json!({ "code": code, "message": message, "detail": null }).to_string()
}

/// A notification's body, sealed with `key`.
pub(crate) fn sealed(key: &str, event_type: &str, contents: &Value) -> String {
    let nonce = "abcdefghijkl";
    let associated_data = "transaction";
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).unwrap());
    let mut buffer = contents.to_string().into_bytes();
    key.seal_in_place_append_tag(
        Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap(),
        Aad::from(associated_data.as_bytes()),
        &mut buffer,
    )
    .unwrap();
    json!({
        "id": "EV-1",
        "event_type": event_type,
        "resource": {
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": STANDARD.encode(buffer),
            "associated_data": associated_data,
            "nonce": nonce,
        },
    })
    .to_string()
}
