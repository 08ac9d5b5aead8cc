//! What is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ids::ECHO_LEN_MAX;
use domain::money::Currency;
use domain::product::NAME_LEN_MAX;
use gateways::{AmountLimits, CREATE_BODY_LEN_MAX, Gateway, NewPayment, PaymentRef, Stamp};
use http::Request;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::peer::{
    CERTIFICATE_PEM, CERTIFICATE_SERIAL, NOW_S, PAYMENT_ID, PUBLIC_KEY_ID, REFUND_NUMBER,
    TRANSACTION_ID, adapter, at, cny, payment, refund, settings, vectors,
};

fn stamp() -> Stamp {
    Stamp { now: at(NOW_S), nonce: [0xAB; 16] }
}

fn body(request: &Request<bytes::Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn new_payment<'a>(description: &'a str, echo: &'a str) -> NewPayment<'a> {
    NewPayment {
        payment_id: PAYMENT_ID,
        description,
        amount: cny(1280),
        expires_at: at(NOW_S + 900),
        echo,
    }
}

/// Checks the signature against the very text that goes on the wire.
fn check_signature(request: &Request<bytes::Bytes>) {
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let value = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let target = request.uri().path_and_query().unwrap();
    let message = format!(
        "{}\n{target}\n{}\n{}\n{}\n",
        request.method(),
        value("timestamp"),
        value("nonce_str"),
        std::str::from_utf8(request.body()).unwrap(),
    );
    let pem = vectors()["config"]["merchant_public_key_pem"].clone();
    let lines = pem.as_str().unwrap().lines().filter(|l| !l.starts_with('-'));
    let spki = STANDARD.decode(lines.collect::<String>()).unwrap();
    // The fixed head of an SPKI that holds an RSA key of 2048 bits.
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki[24..]);
    let signature = STANDARD.decode(value("signature")).unwrap();
    key.verify(message.as_bytes(), &signature).unwrap();
}

#[test]
fn every_request_is_signed_as_it_is_sent_and_asks_for_the_public_key() {
    let mut prefixed = settings();
    prefixed["base_url"] = json!("http://127.0.0.1:8080/simulator/wechat_pay/");
    let gateway = adapter(prefixed);
    let create_body = gateway.create_body(&new_payment("Desk", "lp1.echo"));
    let order = format!("/v3/pay/transactions/out-trade-no/{PAYMENT_ID}");
    let refunds = "/v3/refund/domestic/refunds";
    for (request, method, target) in [
        (
            gateway.create(PAYMENT_ID, &create_body, stamp()),
            "POST",
            "/v3/pay/transactions/native".to_owned(),
        ),
        (gateway.query(&payment(), stamp()), "GET", format!("{order}?mchid=1900000109")),
        (
            gateway.query_owner(TRANSACTION_ID, stamp()),
            "GET",
            format!("/v3/pay/transactions/id/{TRANSACTION_ID}?mchid=1900000109"),
        ),
        (gateway.close(&payment(), stamp()), "POST", format!("{order}/close")),
        (gateway.refund(&refund(), stamp()), "POST", refunds.to_owned()),
        (gateway.query_refund(&refund(), stamp()), "GET", format!("{refunds}/{REFUND_NUMBER}")),
    ] {
        let expected = format!("http://127.0.0.1:8080/simulator/wechat_pay{target}");
        assert_eq!(request.uri().to_string(), expected);
        assert_eq!(request.method(), method, "{target}");
        let headers = request.headers();
        assert_eq!(headers["wechatpay-serial"], PUBLIC_KEY_ID, "{target}");
        assert_eq!(headers["accept"], "application/json", "{target}");
        assert!(headers.contains_key("user-agent"), "{target}");
        assert!(headers["authorization"].is_sensitive(), "{target}");
        let has_type = headers.contains_key("content-type");
        assert_eq!(has_type, !request.body().is_empty(), "{target}");
        check_signature(&request);
    }
}

#[test]
fn the_production_host_is_the_default() {
    let uri = adapter(settings()).create(PAYMENT_ID, "{}", stamp()).uri().to_string();
    assert_eq!(uri, "https://api.mch.weixin.qq.com/v3/pay/transactions/native");
}

#[test]
fn certificates_alone_ask_for_no_key() {
    let mut certificates = settings();
    certificates["verify_keys"] = json!([{ "serial": CERTIFICATE_SERIAL, "pem": CERTIFICATE_PEM }]);
    let request = adapter(certificates).create(PAYMENT_ID, "{}", stamp());
    assert!(!request.headers().contains_key("wechatpay-serial"));
}

#[test]
fn a_number_is_escaped_and_the_escaped_form_is_signed() {
    let payment = PaymentRef { payment_id: "a|b*c/?", gateway_ref: None };
    let request = adapter(settings()).query(&payment, stamp());
    let target = "/v3/pay/transactions/out-trade-no/a%7Cb%2Ac%2F%3F?mchid=1900000109";
    assert_eq!(request.uri().path_and_query().unwrap().as_str(), target);
    check_signature(&request);
}

#[test]
fn bodies_carry_what_the_sheet_asks_for() {
    let gateway = adapter(settings());
    let created: Value =
        serde_json::from_str(&gateway.create_body(&new_payment("Desk", "lp1.echo"))).unwrap();
    let expected = json!({
        "appid": "wxd678efh567hg6787",
        "mchid": "1900000109",
        "description": "Desk",
        "out_trade_no": PAYMENT_ID,
        "time_expire": "2026-01-01T08:15:00+08:00",
        "attach": "lp1.echo",
        "notify_url": "https://pay.example.com/notify/wechat",
        "amount": { "total": 1280, "currency": "CNY" },
    });
    assert_eq!(created, expected);
    let refunded = body(&gateway.refund(&refund(), stamp()));
    let expected = json!({
        "transaction_id": TRANSACTION_ID,
        "out_refund_no": REFUND_NUMBER,
        "reason": "duplicate payment",
        "notify_url": "https://pay.example.com/notify/wechat",
        "amount": { "refund": 1280, "total": 1280, "currency": "CNY" },
    });
    assert_eq!(refunded, expected);
    let closed = body(&gateway.close(&payment(), stamp()));
    assert_eq!(closed, json!({ "mchid": "1900000109" }));
}

#[test]
fn a_description_is_cut_to_127_bytes_where_a_character_ends() {
    let gateway = adapter(settings());
    for (description, kept) in [
        ("x".repeat(127), 127),
        ("x".repeat(128), 127),
        ("订".repeat(42), 126),
        ("订".repeat(43), 126),
        (format!("x{}", "订".repeat(42)), 127),
    ] {
        let body = gateway.create_body(&new_payment(&description, ""));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["description"], description[..kept]);
    }
}

#[test]
fn only_yuan_are_taken_from_one_fen_to_what_32_bits_hold() {
    let gateway = adapter(settings());
    let limits = |code| gateway.limits(Currency::parse(code).unwrap());
    let max = i64::from(i32::MAX);
    assert_eq!(limits("CNY"), Some(AmountLimits { min: 1, max, step: 1 }));
    assert_eq!(limits("USD"), None);
}

#[test]
fn a_create_body_keeps_its_bound_for_the_longest_names() {
    let mut longest = settings();
    longest["notify_url"] = json!(format!("https://pay.example.com/{}", "n".repeat(231)));
    let gateway = adapter(longest);
    // Letters that take most bytes, and those that are escaped.
    for letter in ["\u{1f4ba}", "\"", "\\", "&"] {
        let name = format!("{} x 10000", letter.repeat(NAME_LEN_MAX));
        let body = gateway.create_body(&new_payment(&name, &"e".repeat(ECHO_LEN_MAX)));
        assert!((512..=CREATE_BODY_LEN_MAX).contains(&body.len()), "{letter}: {}", body.len());
    }
}
