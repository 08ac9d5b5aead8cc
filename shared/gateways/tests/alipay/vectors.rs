//! Messages that other implementations signed.

use gateways::alipay::Alipay;
use gateways::{CreateOutcome, Event, Gateway, PaymentRef, QueryOutcome, Stamp};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::peer::{NOW_S, adapter, at, cny, reply, vectors};

fn vector_adapter() -> Alipay {
    let config = &vectors()["config"];
    adapter(json!({
        "app_id": config["app_id"],
        "seller_id": config["seller_id"],
        "app_private_key_pem": config["app_private_key_pkcs8_pem"],
        "verify_keys": [config["alipay_public_key_pem"]],
        "notify_url": config["notify_url"],
    }))
}

#[test]
fn every_request_vector_is_signed_alike() {
    let gateway = vector_adapter();
    let vectors = vectors();
    let payment_id = vectors["order"]["order"].as_str().unwrap();
    let rows = vectors["request_signing"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let (name, given) = (row["name"].as_str().unwrap(), row["params"].as_object().unwrap());
        // 2026-01-01 16:00:00 in Beijing.
        let stamp = Stamp { now: at(NOW_S + 28_800), nonce: [0; 16] };
        let request = match name {
            "precreate" => {
                let stored = json!({
                    "biz_content": given["biz_content"],
                    "notify_url": given["notify_url"],
                });
                gateway.create(payment_id, &stored.to_string(), stamp)
            }
            "query" => gateway.query(&PaymentRef { payment_id, gateway_ref: None }, stamp),
            other => panic!("no call for {other}"),
        };
        let query = request.uri().query().unwrap().as_bytes();
        let mut sent: Vec<(String, String)> = form_urlencoded::parse(query).into_owned().collect();
        sent.extend(form_urlencoded::parse(request.body()).into_owned());
        sent.sort();
        let mut expected: Vec<(String, String)> = given
            .iter()
            .chain([(&"sign".to_owned(), &row["sign"])])
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect();
        expected.sort();
        assert_eq!(sent, expected, "{name}");
    }
}

fn check_reply(gateway: &Alipay, row: &Value) {
    let (name, expect) = (row["name"].as_str().unwrap(), &row["expect"]);
    let reply = reply(200, row["body"].as_str().unwrap());
    match row["response_key"].as_str().unwrap() {
        "alipay_trade_precreate_response" => match gateway.read_create(&reply, at(NOW_S)) {
            CreateOutcome::Payable { code_url, .. } => assert_eq!(expect["qr_code"], code_url),
            CreateOutcome::Unknown(refusal) => {
                assert_eq!(expect["accept"], false, "{name}");
                assert_eq!(expect["reason"], refusal.code, "{name}");
            }
            outcome @ (CreateOutcome::AlreadyPaid
            | CreateOutcome::Closed
            | CreateOutcome::Refused(_)) => panic!("{name}: {outcome:?}"),
        },
        "alipay_trade_query_response" => {
            assert_eq!(expect["order_state"], "pending", "{name}");
            let vectors = vectors();
            let payment_id = vectors["order"]["order"].as_str().unwrap();
            let payment = PaymentRef { payment_id, gateway_ref: None };
            let outcome = gateway.read_query(&payment, &reply, at(NOW_S));
            assert_eq!(outcome, QueryOutcome::NotFound, "{name}");
        }
        other => panic!("no call for {other}"),
    }
}

fn check_notification(gateway: &Alipay, row: &Value) {
    let (name, expect) = (row["name"].as_str().unwrap(), &row["expect"]);
    // Nothing of a notification depends on when it is heard.
    let body = row["body"].as_str().unwrap().as_bytes();
    let verdict = gateway.verify(&HeaderMap::new(), body, at(NOW_S));
    let reason = match verdict.as_ref() {
        Ok(_) => "ok",
        Err(distrust) if distrust.as_str() == "missing_header" => "missing_sign",
        Err(distrust) => distrust.as_str(),
    };
    assert_eq!(expect["reason"], reason, "{name}");
    assert_eq!(verdict.is_ok(), expect["accept"], "{name}: {verdict:?}");
    let Ok(events) = verdict else { return };
    let [Event::Paid { payment_id, capture, echo, gateway_ref: None }] = events.as_slice() else {
        panic!("{name}: {events:?}");
    };
    let order = &vectors()["order"];
    assert_eq!(order["order"], *payment_id, "{name}");
    assert_eq!(order["trade_no"], capture.transaction_id, "{name}");
    assert_eq!(capture.captured, cny(1099), "{name}");
    assert_eq!(capture.paid_at, "2026-02-24T12:03:11Z".parse().unwrap(), "{name}");
    // Carried back as it was sent.
    assert_eq!(echo.as_deref(), Some("merchant%3Da%26b"), "{name}");
}

#[test]
fn every_inbound_vector_is_judged_as_expected() {
    let gateway = vector_adapter();
    let vectors = vectors();
    let rows = vectors["inbound"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        match row["kind"].as_str().unwrap() {
            "response" => check_reply(&gateway, row),
            "notification" => check_notification(&gateway, row),
            other => panic!("no check for {other}"),
        }
    }
}
