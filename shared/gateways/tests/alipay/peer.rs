//! The gateway's side of the protocol, with throw-away keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::money::{Currency, Money};
use form_urlencoded::Serializer;
use gateways::alipay::{Alipay, AlipaySettings};
use gateways::{PaymentRef, RefundRequest};
use http::{Response, StatusCode};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// 2026-01-01 08:00:00 in Beijing.
pub(crate) const NOW_S: i64 = 1_767_225_600;
pub(crate) const APP_ID: &str = "2021000199990001";
pub(crate) const SELLER_ID: &str = "2088101122136241";
pub(crate) const PAYMENT_ID: &str = "8f14e45fceea167a5a36dedd4bea2543";
pub(crate) const TRADE_NO: &str = "2026010122001400000000000001";
pub(crate) const REFUND_NUMBER: &str = "c9f0f895fb98ab9159f51fd0297e236d0011";

pub(crate) const PUBLIC_KEY_PEM: &str = include_str!("../keys/gateway_public_key.pem");
pub(crate) const PREVIOUS_KEY_PEM: &str = include_str!("../keys/gateway_previous_public_key.pem");

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/alipay.json")).unwrap()
}

pub(crate) fn app_private_key() -> String {
    vectors()["config"]["app_private_key_pkcs8_pem"].as_str().unwrap().to_owned()
}

/// Settings that are right; tests spoil one field of them.
pub(crate) fn settings() -> Value {
    json!({
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_private_key_pem": app_private_key(),
        "verify_keys": [PUBLIC_KEY_PEM, PREVIOUS_KEY_PEM],
        "notify_url": "https://pay.example.com/notify/alipay",
    })
}

pub(crate) fn adapter(settings: Value) -> Alipay {
    let settings: AlipaySettings = serde_json::from_value(settings).unwrap();
    Alipay::new(settings).unwrap()
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
        transaction_id: TRADE_NO,
        number: REFUND_NUMBER,
        amount: cny(1280),
        reason: "duplicate payment",
    }
}

/// The bytes that a PEM text holds.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// A key that the gateway signs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    Current,
    Previous,
}

impl Key {
    pub(crate) fn sign(self, message: &[u8]) -> String {
        let pem = match self {
            Self::Current => include_str!("../keys/gateway_public_mode.pem"),
            Self::Previous => include_str!("../keys/gateway_certificate_mode.pem"),
        };
        let key = RsaKeyPair::from_pkcs8(&der(pem)).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        STANDARD.encode(signature)
    }
}

pub(crate) fn reply(status: u16, body: impl AsRef<[u8]>) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::copy_from_slice(body.as_ref()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}

/// A reply whose inner object is exactly `contents`, under `name`, with `signature`.
pub(crate) fn enveloped(name: &str, contents: &str, signature: &str) -> String {
    format!(r#"{{"{name}":{contents},"sign":"{signature}"}}"#)
}

/// The properly signed reply to `method`.
pub(crate) fn signed(method: &str, contents: &str) -> Response<Bytes> {
    let name = format!("{}_response", method.replace('.', "_"));
    reply(200, enveloped(&name, contents, &Key::Current.sign(contents.as_bytes())))
}

/// The same without a signature.
pub(crate) fn unsigned(method: &str, contents: &str) -> Response<Bytes> {
    let name = format!("{}_response", method.replace('.', "_"));
    reply(200, format!(r#"{{"{name}":{contents}}}"#))
}

/// A refusal by the business.
pub(crate) fn refused(sub_code: &str) -> String {
    declined("40004", sub_code)
}

pub(crate) fn declined(code: &str, sub_code: &str) -> String {
    json!({ "code": code, "msg": "Failed", "sub_code": sub_code, "sub_msg": "m" }).to_string()
}

pub(crate) type Fields = Vec<(String, String)>;

/// The fields of a notification of a paid trade.
pub(crate) fn paid_fields() -> Fields {
    [
        ("notify_type", "trade_status_sync"),
        ("notify_id", "202601010022220031109999000001"),
        ("notify_time", "2026-01-01 07:59:31"),
        ("charset", "utf-8"),
        ("version", "1.0"),
        ("app_id", APP_ID),
        ("auth_app_id", APP_ID),
        ("seller_id", SELLER_ID),
        ("subject", "书桌 1 天 + 100% & a=b"),
        ("fund_bill_list", r#"[{"amount":"12.80","fundChannel":"ALIPAYACCOUNT"}]"#),
        ("trade_status", "TRADE_SUCCESS"),
        ("out_trade_no", PAYMENT_ID),
        ("trade_no", TRADE_NO),
        // A discount paid for a part of it: the order's amount counts.
        ("total_amount", "12.80"),
        ("receipt_amount", "10.00"),
        ("buyer_pay_amount", "10.00"),
        ("gmt_create", "2026-01-01 07:59:20"),
        ("gmt_payment", "2026-01-01 07:59:30"),
        ("passback_params", "lp1.echo"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// `fields` with these set, added, or, where the value is empty, taken out.
pub(crate) fn with(mut fields: Fields, changes: &[(&str, &str)]) -> Fields {
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    fields
}

/// The fields of a notification of a trade whose money went back in full.
pub(crate) fn refunded_fields() -> Fields {
    with(
        paid_fields(),
        &[
            ("trade_status", "TRADE_CLOSED"),
            ("refund_fee", "12.80"),
            ("out_biz_no", REFUND_NUMBER),
            ("gmt_refund", "2026-01-01 08:00:10.123"),
        ],
    )
}

/// The text that a notification's signature covers.
pub(crate) fn signed_text(fields: &Fields) -> String {
    let mut sorted = fields.clone();
    sorted.sort();
    let pairs: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

pub(crate) fn form(fields: &Fields) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The body of a notification that `key` signed.
pub(crate) fn notification(key: Key, fields: &Fields) -> String {
    let signature = key.sign(signed_text(fields).as_bytes());
    let mut fields = fields.clone();
    fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
    fields.push(("sign".to_owned(), signature));
    form(&fields)
}
