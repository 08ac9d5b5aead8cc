//! Messages that other implementations signed and sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateways::wechat_pay::WechatPay;
use gateways::{Distrust, Event, Gateway, NewPayment, PaymentRef, RefundOutcome, Stamp};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::peer::{adapter, at, cny, vectors};

fn vector_settings() -> Value {
    let config = &vectors()["config"];
    json!({
        "mchid": config["mchid"],
        "appid": config["appid"],
        "merchant_serial": config["merchant_serial"],
        "merchant_private_key_pem": config["merchant_private_key_pem"],
        "apiv3_keys": [config["apiv3_key"]],
        "verify_keys": [
            { "serial": config["pub_key_id"], "pem": config["wechatpay_public_key_pem"] },
            { "serial": config["cert_serial"], "pem": config["platform_certificate_pem"] },
        ],
        "notify_url": config["notify_url"],
    })
}

fn vector_adapter() -> WechatPay {
    adapter(vector_settings())
}

fn stamp(vector: &Value) -> Stamp {
    let nonce = u128::from_str_radix(vector["nonce"].as_str().unwrap(), 16).unwrap();
    Stamp {
        now: at(vector["timestamp"].as_str().unwrap().parse().unwrap()),
        nonce: nonce.to_be_bytes(),
    }
}

fn parameters(authorization: &str) -> Vec<String> {
    let (scheme, rest) = authorization.split_once(' ').unwrap();
    assert_eq!(scheme, "WECHATPAY2-SHA256-RSA2048");
    let mut parameters: Vec<_> = rest.split(',').map(str::to_owned).collect();
    parameters.sort();
    parameters
}

#[test]
fn every_request_vector_is_signed_alike() {
    let gateway = vector_adapter();
    let vectors = vectors();
    let rows = vectors["request_signing"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let body = row["body"].as_str().unwrap();
        let request = match name {
            "native_prepay" => gateway.create("", body, stamp(row)),
            "query_by_out_trade_no" => {
                let payment_id = vectors["order"]["out_trade_no"].as_str().unwrap();
                let payment = PaymentRef { payment_id, gateway_ref: None };
                gateway.query(&payment, stamp(row))
            }
            other => panic!("no call for {other}"),
        };
        let sent = request.headers()["authorization"].to_str().unwrap();
        let given = row["authorization"].as_str().unwrap();
        assert_eq!(request.method(), row["method"].as_str().unwrap());
        let target = request.uri().path_and_query().unwrap().as_str();
        assert_eq!(target, row["path"].as_str().unwrap(), "{name}");
        assert_eq!(request.body(), body, "{name}");
        assert_eq!(parameters(sent), parameters(given), "{name}");
    }
}

#[test]
fn the_create_body_is_the_vectors_byte_for_byte() {
    let vectors = vectors();
    let body = vector_adapter().create_body(&NewPayment {
        payment_id: vectors["order"]["out_trade_no"].as_str().unwrap(),
        description: "测试商品 1 件",
        amount: cny(1099),
        expires_at: "2026-01-01T00:15:00.999Z".parse().unwrap(),
        echo: "",
    });
    assert_eq!(body, vectors["request_signing"][0]["body"]);
}

fn headers(row: &Value) -> HeaderMap {
    let pairs = row["headers"].as_object().unwrap();
    let pair = |(name, value): (&String, &Value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn body(row: &Value) -> Vec<u8> {
    let text = row["body"].as_str().unwrap();
    match row["body_is_base64"].as_bool() {
        Some(true) => STANDARD.decode(text).unwrap(),
        Some(false) | None => text.as_bytes().to_vec(),
    }
}

fn check_event(expect: &Value, event: &Event) {
    match event {
        Event::Paid { payment_id, capture, .. } => {
            assert_eq!(expect["order_state"], "paid");
            assert_eq!(expect["out_trade_no"], *payment_id);
            assert_eq!(expect["gateway_id"], capture.transaction_id);
            assert_eq!(capture.captured, cny(expect["amount_fen"].as_i64().unwrap()));
        }
        Event::PaidUndated { .. } | Event::Dispute { .. } => panic!("no vector tells {event:?}"),
        Event::Refund { payment, number, amount, outcome } => {
            assert_eq!(expect["refund_state"], "refunded");
            assert_eq!(*outcome, RefundOutcome::Succeeded);
            assert_eq!(expect["out_trade_no"].as_str(), payment.payment_id.as_deref());
            assert_eq!(expect["out_refund_no"], *number);
            assert_eq!(*amount, cny(expect["refund_fen"].as_i64().unwrap()));
        }
    }
}

#[test]
fn every_inbound_vector_is_judged_as_expected() {
    let gateway = vector_adapter();
    let vectors = vectors();
    let rows = vectors["inbound"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let (name, expect) = (&row["name"], &row["expect"]);
        assert_eq!(row["kind"], "notification", "{name}");
        let now = at(row["now"].as_i64().unwrap());
        let verdict = gateway.verify(&headers(row), &body(row), now);
        assert_eq!(verdict.is_ok(), expect["accept"], "{name}: {verdict:?}");
        let reason = verdict.as_ref().map_or_else(|d| d.as_str(), |_| "ok");
        assert_eq!(expect["reason"], reason, "{name}");
        for event in verdict.iter().flatten() {
            check_event(expect, event);
        }
        assert!(verdict.is_err() || verdict.unwrap().len() == 1, "{name}");
    }
}

#[test]
fn a_certificate_vector_needs_its_certificate() {
    let mut settings = vector_settings();
    settings["verify_keys"].as_array_mut().unwrap().truncate(1);
    let gateway = adapter(settings);
    let vectors = vectors();
    let rows = vectors["inbound"].as_array().unwrap();
    let row =
        rows.iter().find(|row| row["name"] == "pay_success_platform_certificate_mode").unwrap();
    let verdict = gateway.verify(&headers(row), &body(row), at(row["now"].as_i64().unwrap()));
    assert_eq!(verdict, Err(Distrust::UnknownKey));
}
