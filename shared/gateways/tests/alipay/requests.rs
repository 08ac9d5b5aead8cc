//! What is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::ids::ECHO_LEN_MAX;
use domain::money::Currency;
use domain::product::NAME_LEN_MAX;
use gateways::{
    AmountLimits, CREATE_BODY_LEN_MAX, Gateway, NewPayment, PaymentRef, RefundRequest, Stamp,
};
use http::Request;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::peer::{
    Fields, NOW_S, PAYMENT_ID, REFUND_NUMBER, TRADE_NO, adapter, app_private_key, at, cny, der,
    payment, refund, settings, signed_text, vectors,
};

fn stamp_at(second: i64) -> Stamp {
    Stamp { now: at(second), nonce: [0xAB; 16] }
}

fn stamp() -> Stamp {
    stamp_at(NOW_S)
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

fn query(request: &Request<Bytes>) -> Fields {
    let query = request.uri().query().unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn body(request: &Request<Bytes>) -> Fields {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

fn value(fields: &Fields, name: &str) -> String {
    let mut found = fields.iter().filter(|(known, _)| known == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("{name} is missing"));
    assert_eq!(found.next(), None, "{name} is given twice");
    value.clone()
}

fn names(fields: &Fields) -> Vec<&str> {
    fields.iter().map(|(name, _)| name.as_str()).collect()
}

fn contents(request: &Request<Bytes>) -> Value {
    serde_json::from_str(&value(&body(request), "biz_content")).unwrap()
}

/// Checks the signature over what a server decodes.
fn check_signature(request: &Request<Bytes>) {
    let mut fields = query(request);
    fields.extend(body(request));
    let signature = STANDARD.decode(value(&fields, "sign")).unwrap();
    fields.retain(|(name, _)| name != "sign");
    let pem = vectors()["config"]["app_public_key_pem"].clone();
    let spki = der(pem.as_str().unwrap());
    // The fixed head of an SPKI that holds an RSA key of 2048 bits.
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki[24..]);
    key.verify(signed_text(&fields).as_bytes(), &signature).unwrap();
}

#[test]
fn every_call_is_signed_over_what_a_server_decodes() {
    let mut prefixed = settings();
    prefixed["base_url"] = json!("http://127.0.0.1:8080/simulator/alipay/");
    let gateway = adapter(prefixed);
    let create_body = gateway.create_body(&new_payment("书桌 + 100%", "lp1.echo"));
    for (request, method, notifies) in [
        (gateway.create(PAYMENT_ID, &create_body, stamp()), "alipay.trade.precreate", true),
        (gateway.query(&payment(), stamp()), "alipay.trade.query", false),
        (gateway.query_owner(TRADE_NO, stamp()), "alipay.trade.query", false),
        (gateway.close(&payment(), stamp()), "alipay.trade.close", false),
        (gateway.refund(&refund(), stamp()), "alipay.trade.refund", false),
        (gateway.query_refund(&refund(), stamp()), "alipay.trade.fastpay.refund.query", false),
    ] {
        let uri = request.uri();
        assert_eq!(uri.authority().unwrap(), "127.0.0.1:8080", "{method}");
        assert_eq!(uri.path(), "/simulator/alipay/gateway.do", "{method}");
        assert_eq!(request.method(), "POST", "{method}");
        let headers = request.headers();
        let form = "application/x-www-form-urlencoded;charset=utf-8";
        assert_eq!(headers["content-type"], form, "{method}");
        assert_eq!(headers["accept"], "application/json", "{method}");
        assert!(headers.contains_key("user-agent"), "{method}");
        let query = query(&request);
        assert_eq!(value(&query, "method"), method);
        let mut public = vec!["app_id", "charset", "method", "sign_type", "timestamp", "version"];
        if notifies {
            public.insert(3, "notify_url");
            let url = value(&query, "notify_url");
            assert_eq!(url, "https://pay.example.com/notify/alipay");
        }
        assert_eq!(names(&query), public, "{method}");
        // A signature in a URL would end in logs.
        assert_eq!(names(&body(&request)), ["biz_content", "sign"], "{method}");
        check_signature(&request);
    }
}

#[test]
fn a_query_is_sent_byte_for_byte_as_expected() {
    let request = adapter(settings()).query(&payment(), stamp());
    let uri = "https://openapi.alipay.com/gateway.do?app_id=2021000199990001&charset=utf-8\
               &method=alipay.trade.query&sign_type=RSA2&timestamp=2026-01-01%2008%3A00%3A00\
               &version=1.0";
    assert_eq!(request.uri().to_string(), uri);
    let body = std::str::from_utf8(request.body()).unwrap();
    let contents = format!("biz_content=%7B%22out_trade_no%22%3A%22{PAYMENT_ID}%22%7D&sign=");
    assert_eq!(&body[..contents.len()], contents);
}

#[test]
fn the_clock_is_beijing_s() {
    let gateway = adapter(settings());
    for (second, timestamp) in [
        (1_767_225_599, "2026-01-01 07:59:59"),
        (1_767_196_799, "2025-12-31 23:59:59"),
        (1_767_196_800, "2026-01-01 00:00:00"),
    ] {
        let request = gateway.query(&payment(), stamp_at(second));
        assert_eq!(value(&query(&request), "timestamp"), timestamp);
    }
}

#[test]
fn a_repeated_create_differs_in_time_and_signature_only() {
    let gateway = adapter(settings());
    let stored = gateway.create_body(&new_payment("Desk", "lp1.echo"));
    // A deployment whose address has changed meanwhile.
    let mut moved = settings();
    moved["notify_url"] = json!("https://new.example.com/notify/alipay");
    let first = gateway.create(PAYMENT_ID, &stored, stamp());
    let again = adapter(moved).create(PAYMENT_ID, &stored, stamp_at(NOW_S + 60));
    let unchanged = |request: &Request<Bytes>| {
        let mut fields = query(request);
        fields.extend(body(request));
        fields.retain(|(name, _)| name != "timestamp" && name != "sign");
        fields
    };
    assert_eq!(unchanged(&first), unchanged(&again));
    assert_ne!(query(&first), query(&again));
    check_signature(&again);
}

#[test]
fn a_stored_body_that_cannot_be_read_is_sent_without_contents() {
    let request = adapter(settings()).create(PAYMENT_ID, "not json", stamp());
    assert_eq!(value(&body(&request), "biz_content"), "");
    check_signature_without_contents(&request);
}

/// A parameter without a value is no part of the signed text.
fn check_signature_without_contents(request: &Request<Bytes>) {
    let text = value(&body(request), "sign");
    assert!(!text.is_empty());
    let mut fields = query(request);
    fields.push(("sign".to_owned(), text));
    let form = crate::peer::form(&fields);
    let mut bare = Request::new(Bytes::from(form));
    *bare.uri_mut() = "https://openapi.alipay.com/gateway.do?".parse().unwrap();
    check_signature(&bare);
}

#[test]
fn contents_carry_what_the_pages_ask_for() {
    let gateway = adapter(settings());
    let stored = gateway.create_body(&new_payment("Desk", "lp1.echo"));
    let created = contents(&gateway.create(PAYMENT_ID, &stored, stamp()));
    let expected = json!({
        "out_trade_no": PAYMENT_ID,
        "total_amount": "12.80",
        "subject": "Desk",
        "time_expire": "2026-01-01 08:15:00",
        "seller_id": "2088101122136241",
        "passback_params": "lp1.echo",
    });
    assert_eq!(created, expected);
    let by_number = json!({ "out_trade_no": PAYMENT_ID });
    assert_eq!(contents(&gateway.query(&payment(), stamp())), by_number);
    assert_eq!(contents(&gateway.close(&payment(), stamp())), by_number);
    let owner = contents(&gateway.query_owner(TRADE_NO, stamp()));
    assert_eq!(owner, json!({ "trade_no": TRADE_NO }));
    let refunded = json!({
        "trade_no": TRADE_NO,
        "refund_amount": "12.80",
        "out_request_no": REFUND_NUMBER,
        "refund_reason": "duplicate payment",
    });
    assert_eq!(contents(&gateway.refund(&refund(), stamp())), refunded);
    let asked = json!({ "trade_no": TRADE_NO, "out_request_no": REFUND_NUMBER });
    assert_eq!(contents(&gateway.query_refund(&refund(), stamp())), asked);
}

#[test]
fn fen_become_yuan_with_two_decimals() {
    let gateway = adapter(settings());
    for (fen, yuan) in [
        (1, "0.01"),
        (9, "0.09"),
        (10, "0.10"),
        (99, "0.99"),
        (100, "1.00"),
        (1099, "10.99"),
        (10_000_000_000, "100000000.00"),
    ] {
        let refund = RefundRequest { amount: cny(fen), ..refund() };
        let sent = contents(&gateway.refund(&refund, stamp()));
        assert_eq!(sent["refund_amount"], yuan);
    }
}

#[test]
fn a_subject_is_freed_of_what_is_forbidden_and_cut_to_256_bytes_where_a_character_ends() {
    let gateway = adapter(settings());
    for (description, subject) in [
        ("Desk / day = 1 & more".to_owned(), "Desk - day - 1 - more".to_owned()),
        ("x".repeat(256), "x".repeat(256)),
        ("x".repeat(257), "x".repeat(256)),
        ("订".repeat(85), "订".repeat(85)),
        ("订".repeat(86), "订".repeat(85)),
    ] {
        let stored = gateway.create_body(&new_payment(&description, ""));
        let sent = contents(&gateway.create(PAYMENT_ID, &stored, stamp()));
        assert_eq!(sent["subject"], subject);
        assert!(sent.get("passback_params").is_none());
    }
}

#[test]
fn a_pkcs_1_key_signs_like_the_same_key_in_pkcs_8() {
    // The fixed head of a PKCS#8 that holds an RSA key of 2048 bits.
    let pkcs1 = STANDARD.encode(&der(&app_private_key())[26..]);
    let mut other = settings();
    other["app_private_key_pem"] =
        json!(format!("-----BEGIN RSA PRIVATE KEY-----\n{pkcs1}\n-----END RSA PRIVATE KEY-----\n"));
    let sent = adapter(settings()).query(&payment(), stamp());
    let other = adapter(other).query(&payment(), stamp());
    assert_eq!(sent.body(), other.body());
}

#[test]
fn whatever_a_number_holds_is_escaped() {
    let payment = PaymentRef { payment_id: "a|b*c/?&\"+ %", gateway_ref: None };
    let request = adapter(settings()).query(&payment, stamp());
    assert_eq!(contents(&request), json!({ "out_trade_no": "a|b*c/?&\"+ %" }));
    check_signature(&request);
}

#[test]
fn only_yuan_are_taken_from_one_fen_to_a_hundred_million_yuan() {
    let gateway = adapter(settings());
    let limits = |code| gateway.limits(Currency::parse(code).unwrap());
    assert_eq!(limits("CNY"), Some(AmountLimits { min: 1, max: 10_000_000_000, step: 1 }));
    assert_eq!(limits("USD"), None);
}

#[test]
fn not_found_may_turn_into_a_trade_for_as_long_as_a_code_lives() {
    assert_eq!(adapter(settings()).not_found_grace_s(), 7_200);
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
