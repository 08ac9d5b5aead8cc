//! The gateway's side of the protocol, with throw-away keys.

use bytes::Bytes;
use domain::money::{Currency, Money};
use gateways::stripe::{Stripe, StripeSettings};
use gateways::{NewPayment, PaymentRef, RefundRequest};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use ring::hmac::{self, HMAC_SHA256};
use serde_json::{Value, json};

pub(crate) const NOW_S: i64 = 1_767_225_600;
pub(crate) const SECRET_KEY: &str = "sk_test_51PeerPeerPeerPeer";
pub(crate) const OLD_SECRET: &str = "whsec_old0000000000000000";
pub(crate) const NEW_SECRET: &str = "whsec_new1111111111111111";
pub(crate) const PAYMENT_ID: &str = "8f14e45fceea167a5a36dedd4bea2543";
pub(crate) const SESSION_ID: &str = "cs_test_a1Peer";
pub(crate) const INTENT_ID: &str = "pi_3Peer";
pub(crate) const REFUND_ID: &str = "re_3Peer";
pub(crate) const DISPUTE_ID: &str = "du_1Peer";
pub(crate) const REFUND_NUMBER: &str = "c9f0f895fb98ab9159f51fd0297e236d0011";
pub(crate) const ECHO: &str = "lp1.echo";
/// When the charge was made.
pub(crate) const PAID_S: i64 = NOW_S - 30;
/// When an event's change was.
pub(crate) const CHANGED_S: i64 = NOW_S - 20;

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/stripe.json")).unwrap()
}

/// Settings that are right; tests spoil one field of them.
pub(crate) fn settings() -> Value {
    json!({
        "secret_key": SECRET_KEY,
        "webhook_secrets": [OLD_SECRET, NEW_SECRET],
        "success_url": "https://pay.example.com/paid",
    })
}

/// Settings that show a code of WeChat Pay.
pub(crate) fn qr_settings() -> Value {
    json!({
        "secret_key": SECRET_KEY,
        "webhook_secrets": [NEW_SECRET],
        "code": "wechat_pay_qr",
    })
}

pub(crate) fn adapter(settings: Value) -> Stripe {
    let settings: StripeSettings = serde_json::from_value(settings).unwrap();
    Stripe::new(settings).unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, Currency::parse(currency).unwrap())
}

pub(crate) fn cny(amount: i64) -> Money {
    money(amount, "CNY")
}

pub(crate) fn new_payment() -> NewPayment<'static> {
    NewPayment {
        payment_id: PAYMENT_ID,
        description: "Desk x 1",
        amount: cny(1280),
        expires_at: at(NOW_S + 900),
        echo: ECHO,
    }
}

/// A payment under the id that creating it answered.
pub(crate) fn stored(gateway_ref: &str) -> PaymentRef<'_> {
    PaymentRef { payment_id: PAYMENT_ID, gateway_ref: Some(gateway_ref) }
}

/// A payment whose create was never answered.
pub(crate) fn lost() -> PaymentRef<'static> {
    PaymentRef { payment_id: PAYMENT_ID, gateway_ref: None }
}

pub(crate) fn refund() -> RefundRequest<'static> {
    RefundRequest {
        payment_id: PAYMENT_ID,
        transaction_id: INTENT_ID,
        number: REFUND_NUMBER,
        amount: cny(1280),
        reason: "duplicate_payment",
    }
}

/// An intent as a query answers it.
pub(crate) fn intent(status: &str) -> Value {
    json!({
        "id": INTENT_ID,
        "object": "payment_intent",
        "livemode": false,
        "status": status,
        "amount": 1280,
        "amount_received": if status == "succeeded" { 1280 } else { 0 },
        "currency": "cny",
        "latest_charge": { "id": "ch_3Peer", "object": "charge", "created": PAID_S },
        "next_action": null,
        "metadata": { "payment_id": PAYMENT_ID, "echo": ECHO },
    })
}

/// An intent whose own code is shown.
pub(crate) fn qr_intent(status: &str) -> Value {
    let mut intent = intent(status);
    intent["metadata"]["code"] = json!("wechat_pay_qr");
    if status == "requires_action" {
        intent["next_action"] = json!({
            "type": "wechat_pay_display_qr_code",
            "wechat_pay_display_qr_code": {
                "data": "weixin://wxpay/bizpayurl?pr=Peer",
                "image_url_png": "https://qr.stripe.com/peer.png",
            },
        });
    }
    intent
}

/// A session as a query answers it.
pub(crate) fn session(status: &str, payment_status: &str, intent: Value) -> Value {
    json!({
        "id": SESSION_ID,
        "object": "checkout.session",
        "livemode": false,
        "mode": "payment",
        "status": status,
        "payment_status": payment_status,
        "url": (status == "open").then_some("https://checkout.stripe.com/c/pay/peer"),
        "client_reference_id": PAYMENT_ID,
        "amount_total": 1280,
        "currency": "cny",
        "payment_intent": intent,
        "metadata": { "payment_id": PAYMENT_ID, "echo": ECHO },
    })
}

pub(crate) fn found(intents: &[Value], has_more: bool) -> Value {
    json!({
        "object": "search_result",
        "url": "/v1/payment_intents/search",
        "has_more": has_more,
        "data": intents,
    })
}

pub(crate) fn made(status: &str) -> Value {
    json!({
        "id": REFUND_ID,
        "object": "refund",
        "status": status,
        "amount": 1280,
        "currency": "cny",
        "charge": "ch_3Peer",
        "payment_intent": INTENT_ID,
        "failure_reason": (status == "failed").then_some("lost_or_stolen_card"),
        "metadata": {
            "refund_number": REFUND_NUMBER,
            "payment_id": PAYMENT_ID,
            "reason": "duplicate_payment",
        },
    })
}

pub(crate) fn listed(refunds: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/refunds", "has_more": has_more, "data": refunds })
}

pub(crate) fn dispute() -> Value {
    json!({
        "id": DISPUTE_ID,
        "object": "dispute",
        "livemode": false,
        "status": "needs_response",
        "amount": 1280,
        "currency": "cny",
        "charge": "ch_3Peer",
        "payment_intent": INTENT_ID,
        "metadata": {},
    })
}

pub(crate) fn reply(status: u16, body: impl ToString) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from(body.to_string()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply
}

/// Stripe's error object. Many errors have no code.
pub(crate) fn problem(kind: &str, code: Option<&str>) -> Value {
    let mut error = json!({ "type": kind, "message": "m", "request_log_url": "https://x" });
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    json!({ "error": error })
}

/// An error of the type that most have.
pub(crate) fn declined(status: u16, code: &str) -> Response<Bytes> {
    reply(status, problem("invalid_request_error", Some(code)))
}

pub(crate) fn event(event_type: &str, object: &Value) -> Value {
    json!({
        "id": "evt_1Peer",
        "object": "event",
        "api_version": "2025-04-30.basil",
        "created": CHANGED_S,
        "livemode": false,
        "type": event_type,
        "data": { "object": object },
    })
}

fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
    let message = [timestamp.as_bytes(), b".", body].concat();
    let tag = hmac::sign(&key, &message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The headers of a notification that carries this value.
pub(crate) fn header(value: &str) -> HeaderMap {
    let name = HeaderName::from_static("stripe-signature");
    [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect()
}

/// The value of the header, with a signature under each secret.
pub(crate) fn signed_at(timestamp: &str, secrets: &[&str], body: &[u8]) -> String {
    let signatures = secrets.iter().map(|secret| signature(secret, timestamp, body));
    let parts: String = signatures.map(|signature| format!(",v1={signature}")).collect();
    format!("t={timestamp}{parts}")
}

/// The headers of a notification that is signed now.
pub(crate) fn signed(body: &[u8]) -> HeaderMap {
    header(&signed_at(&NOW_S.to_string(), &[NEW_SECRET], body))
}
