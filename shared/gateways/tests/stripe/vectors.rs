//! Messages that another implementation wrote and signed.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateways::stripe::Stripe;
use gateways::{Event, Gateway, NewPayment, RefundOutcome, RefundRequest, Stamp};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::{Value, json};

use crate::peer::{adapter, at, cny, money, vectors};

/// The adapter of the vectors' account. Its currency is yuan.
fn vector_adapter() -> Stripe {
    let config = &vectors()["config"];
    adapter(json!({
        "secret_key": config["secret_key"],
        "webhook_secrets": [config["webhook_secret"]],
        "success_url": "https://pay.example.com/ok?sid={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://pay.example.com/cancel",
    }))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The request of ours that a vector is about.
fn request(vectors: &Value, name: &str) -> Request<Bytes> {
    let gateway = vector_adapter();
    let order = &vectors["order"];
    let stamp = Stamp { now: at(1_767_225_600), nonce: [0; 16] };
    match name {
        "checkout_session_create" => {
            let body = gateway.create_body(&NewPayment {
                payment_id: text(&order["order"]),
                description: "测试商品 1 件 & more",
                amount: money(order["amount"].as_i64().unwrap(), "CNY"),
                // The vector's session lives until 1767227700.
                expires_at: at(1_767_227_700 - 31 * 60),
                echo: "",
            });
            gateway.create(text(&order["order"]), &body, stamp)
        }
        "refund_create" => gateway.refund(
            &RefundRequest {
                payment_id: text(&order["order"]),
                transaction_id: text(&order["pi"]),
                number: text(&order["refund_no"]),
                amount: cny(order["refund"].as_i64().unwrap()),
                reason: "",
            },
            stamp,
        ),
        other => panic!("no call for {other}"),
    }
}

/// The pairs of a form. Metadata is each merchant's own, so only its values are compared.
fn pairs(form: &str) -> BTreeSet<(String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                b'%' => {
                    let (digits, after) = rest.split_at(2);
                    let digits = std::str::from_utf8(digits).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = after;
                }
                _ => bytes.push(*first),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        let name = decoded(name);
        let place = name.split_once("metadata]").or_else(|| name.split_once("metadata["));
        let name = match place {
            Some((before, _)) => format!("{before}metadata"),
            None => name,
        };
        (name, decoded(value))
    };
    form.split('&').map(pair).collect()
}

#[test]
fn every_request_vector_is_sent_with_the_same_pairs_and_headers() {
    let vectors = vectors();
    let rows = vectors["requests"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let name = text(&row["name"]);
        let request = request(&vectors, name);
        assert_eq!(request.method(), text(&row["method"]), "{name}");
        assert_eq!(request.uri().to_string(), text(&row["url"]), "{name}");
        let sent = pairs(std::str::from_utf8(request.body()).unwrap());
        for pair in pairs(text(&row["form_body"])) {
            // The vector's merchant gives a reason of Stripe's, where ours is among the metadata,
            // and repeats a session's `client_reference_id` among its metadata.
            let is_repeated = name == "checkout_session_create" && pair.0 == "metadata";
            let is_ours = pair.0 != "reason" && !is_repeated;
            assert_eq!(sent.contains(&pair), is_ours, "{name}: {pair:?} in {sent:?}");
        }
        for (header, value) in row["headers"].as_object().unwrap() {
            let sent = request.headers()[header].to_str().unwrap();
            // Our key of a refund has the hour after the number.
            assert!(sent.starts_with(text(value)), "{name}: {header}: {sent}");
        }
    }
}

fn headers(row: &Value) -> HeaderMap {
    let pairs = row["headers"].as_object().unwrap();
    let pair = |(name, value): (&String, &Value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(text(value)).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn body(row: &Value) -> Vec<u8> {
    let text = text(&row["body"]);
    match row["body_is_base64"].as_bool() {
        Some(true) => STANDARD.decode(text).unwrap(),
        Some(false) | None => text.as_bytes().to_vec(),
    }
}

fn check_event(expect: &Value, order: &Value, event: &Event) {
    match event {
        Event::Paid { payment_id, echo, gateway_ref, capture } => {
            assert_eq!(expect["order_state"], "paid");
            assert_eq!(expect["order_no"], *payment_id);
            assert_eq!(*echo, None, "the vectors' merchant is not us");
            assert_eq!(order["cs"].as_str(), gateway_ref.as_deref());
            assert_eq!(order["pi"], capture.transaction_id);
            let currency = text(&expect["currency"]).to_uppercase();
            assert_eq!(capture.captured, money(expect["amount"].as_i64().unwrap(), &currency));
        }
        Event::PaidUndated { .. } | Event::Dispute { .. } => panic!("no vector is a dispute"),
        Event::Refund { payment, number, amount, outcome } => {
            assert_eq!(expect["refund_state"], "refunded");
            assert_eq!(*outcome, RefundOutcome::Succeeded);
            assert_eq!(order["pi"], payment.transaction_id);
            assert_eq!(payment.payment_id, None, "the vectors' merchant is not us");
            assert_eq!(order["re"], *number);
            assert_eq!(*amount, cny(expect["amount"].as_i64().unwrap()));
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
        assert_eq!(row["kind"], "webhook", "{name}");
        let now = at(row["now"].as_i64().unwrap());
        let verdict = gateway.verify(&headers(row), &body(row), now);
        assert_eq!(verdict.is_ok(), expect["accept"], "{name}: {verdict:?}");
        let reason = verdict.as_ref().map_or_else(|d| d.as_str(), |_| "ok");
        assert_eq!(expect["reason"], reason, "{name}");
        for event in verdict.iter().flatten() {
            check_event(expect, &vectors["order"], event);
        }
        assert!(verdict.is_err() || verdict.unwrap().len() == 1, "{name}");
    }
}

#[test]
fn a_notification_of_a_rolled_secret_is_believed_under_the_previous_one_too() {
    let vectors = vectors();
    let config = &vectors["config"];
    let gateway = adapter(json!({
        "secret_key": config["secret_key"],
        "webhook_secrets": [config["webhook_secret_previous"]],
        "success_url": "https://pay.example.com/ok",
    }));
    let rows = vectors["inbound"].as_array().unwrap();
    for (name, is_believed) in [("secret_rotation_two_v1", true), ("session_completed_paid", false)]
    {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        let now = at(row["now"].as_i64().unwrap());
        let verdict = gateway.verify(&headers(row), &body(row), now);
        assert_eq!(verdict.is_ok(), is_believed, "{name}: {verdict:?}");
    }
}
