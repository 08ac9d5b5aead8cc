//! Which notifications are believed, what they tell, and how they are answered.

use domain::gateway::Capture;
use gateways::{Acknowledgement, Distrust, Event, Gateway, ID_LEN_MAX, RefundOutcome};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::peer::{
    Mode, NEW_KEY, NOW_S, OLD_KEY, PAYMENT_ID, REFUND_NUMBER, TRANSACTION_ID, adapter, at, cny,
    refund_notice, sealed, settings, transaction,
};

type Verdict = Result<Vec<Event>, Distrust>;

fn verify(headers: &HeaderMap, body: &[u8]) -> Verdict {
    adapter(settings()).verify(headers, body, at(NOW_S))
}

/// The verdict on a notification that is properly signed.
fn verdict(body: &str) -> Verdict {
    verify(&Mode::PublicKey.headers(body.as_bytes()), body.as_bytes())
}

fn sealed_verdict(event_type: &str, contents: &Value) -> Verdict {
    verdict(&sealed(NEW_KEY, event_type, contents))
}

fn paid() -> Event {
    Event::Paid {
        payment_id: PAYMENT_ID.to_owned(),
        echo: Some("lp1.echo".to_owned()),
        gateway_ref: None,
        capture: Capture {
            transaction_id: TRANSACTION_ID.to_owned(),
            captured: cny(1280),
            paid_at: at(NOW_S - 30),
        },
    }
}

#[test]
fn a_payment_is_told_under_either_key_and_either_seal() {
    for mode in [Mode::PublicKey, Mode::Certificate] {
        for seal in [OLD_KEY, NEW_KEY] {
            let body = sealed(seal, "TRANSACTION.SUCCESS", &transaction());
            let verdict = verify(&mode.headers(body.as_bytes()), body.as_bytes());
            assert_eq!(verdict, Ok(vec![paid()]), "{mode:?}");
        }
    }
}

#[test]
fn a_seal_under_a_third_key_cannot_be_read() {
    let body = sealed(&"x".repeat(32), "TRANSACTION.SUCCESS", &transaction());
    assert_eq!(verdict(&body), Err(Distrust::Unreadable));
}

#[test]
fn ids_of_transactions_and_refunds_are_taken_up_to_their_longest() {
    for (len, is_taken) in [(ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        let mut paid = transaction();
        paid["transaction_id"] = json!("4".repeat(len));
        let mut refunded = refund_notice("SUCCESS");
        refunded["out_refund_no"] = json!("r".repeat(len));
        for (event_type, contents) in [("TRANSACTION.SUCCESS", paid), ("REFUND.SUCCESS", refunded)]
        {
            let verdict = sealed_verdict(event_type, &contents);
            assert_eq!(verdict.is_ok(), is_taken, "{event_type}, {len}");
            assert_eq!(verdict == Err(Distrust::Unreadable), !is_taken, "{verdict:?}");
        }
    }
}

#[test]
fn every_refund_event_is_told() {
    for (event_type, status) in [
        ("REFUND.SUCCESS", "SUCCESS"),
        ("REFUND.ABNORMAL", "ABNORMAL"),
        ("REFUND.CLOSED", "CLOSED"),
    ] {
        let events = sealed_verdict(event_type, &refund_notice(status)).unwrap();
        let [Event::Refund { payment, number, amount, outcome }] = events.as_slice() else {
            panic!("{events:?}");
        };
        assert_eq!(payment.payment_id.as_deref(), Some(PAYMENT_ID));
        assert_eq!(payment.transaction_id, TRANSACTION_ID);
        assert_eq!(payment.echo, None, "a refund carries nothing back");
        assert_eq!(number, REFUND_NUMBER);
        assert_eq!(*amount, cny(1280));
        let fits = match outcome {
            RefundOutcome::Succeeded => status == "SUCCESS",
            RefundOutcome::Stuck(refusal) => status == "ABNORMAL" && refusal.status == 0,
            RefundOutcome::Failed(refusal) => status == "CLOSED" && refusal.status == 0,
            RefundOutcome::Processing
            | RefundOutcome::Refused(_)
            | RefundOutcome::NotFound
            | RefundOutcome::Later(_)
            | RefundOutcome::TooOften(_)
            | RefundOutcome::Unknown(_) => false,
        };
        assert!(fits, "{status}: {outcome:?}");
    }
}

#[test]
fn events_about_other_things_tell_nothing() {
    for body in [
        sealed(NEW_KEY, "COUPON.USE", &json!({})),
        r#"{"event_type":"PAYSCORE.USER_PAID"}"#.to_owned(),
    ] {
        assert_eq!(verdict(&body), Ok(Vec::new()));
    }
}

#[test]
fn contents_of_another_merchant_or_app_are_refused() {
    for (field, value) in [("mchid", "1900000110"), ("appid", "wx0000000000000000")] {
        let mut contents = transaction();
        contents[field] = json!(value);
        let verdict = sealed_verdict("TRANSACTION.SUCCESS", &contents);
        assert_eq!(verdict, Err(Distrust::WrongMerchant), "{field}");
    }
    let mut contents = refund_notice("SUCCESS");
    contents["mchid"] = json!("1900000110");
    let verdict = sealed_verdict("REFUND.SUCCESS", &contents);
    assert_eq!(verdict, Err(Distrust::WrongMerchant));
}

#[test]
fn contents_that_do_not_fit_their_event_are_refused() {
    for state in ["NOTPAY", "CLOSED", "REFUND", ""] {
        let mut contents = transaction();
        contents["trade_state"] = json!(state);
        let verdict = sealed_verdict("TRANSACTION.SUCCESS", &contents);
        assert_eq!(verdict, Err(Distrust::Unreadable), "{state}");
    }
    for field in ["transaction_id", "success_time", "amount", "out_trade_no"] {
        let mut contents = transaction();
        contents.as_object_mut().unwrap().remove(field);
        let verdict = sealed_verdict("TRANSACTION.SUCCESS", &contents);
        assert_eq!(verdict, Err(Distrust::Unreadable), "{field}");
    }
    for (event_type, contents) in [
        ("REFUND.SUCCESS", refund_notice("CLOSED")),
        ("REFUND.CLOSED", refund_notice("SUCCESS")),
        ("REFUND.SUCCESS", transaction()),
        ("TRANSACTION.SUCCESS", refund_notice("SUCCESS")),
    ] {
        let verdict = sealed_verdict(event_type, &contents);
        assert_eq!(verdict, Err(Distrust::Unreadable), "{event_type}");
    }
}

#[test]
fn a_signed_body_that_is_no_notification_is_refused() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let spoilt = |field: &str, value: Value| {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["resource"][field] = value;
        body.to_string()
    };
    for body in [
        String::new(),
        "{}".to_owned(),
        r#"{"code_url":"weixin://"}"#.to_owned(),
        r#"{"event_type":"TRANSACTION.SUCCESS"}"#.to_owned(),
        spoilt("algorithm", json!("AEAD_SM4_GCM")),
        spoilt("ciphertext", json!("%%%")),
        spoilt("ciphertext", json!("")),
        spoilt("nonce", json!("short")),
        spoilt("associated_data", json!("refund")),
        spoilt("associated_data", json!(null)),
    ] {
        assert_eq!(verdict(&body), Err(Distrust::Unreadable), "{body}");
    }
}

#[test]
fn a_notification_is_believed_for_less_than_300_seconds_either_way() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    for (offset, is_believed) in
        [(-301, false), (-300, false), (-299, true), (299, true), (300, false), (301, false)]
    {
        let timestamp = (NOW_S + offset).to_string();
        let headers = Mode::PublicKey.headers_at(&timestamp, body.as_bytes());
        let verdict = verify(&headers, body.as_bytes());
        match is_believed {
            true => assert_eq!(verdict, Ok(vec![paid()]), "{offset}"),
            false => assert_eq!(verdict, Err(Distrust::StaleTimestamp), "{offset}"),
        }
    }
}

#[test]
fn every_signature_header_is_needed_once_and_well_formed() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let headers = Mode::PublicKey.headers(body.as_bytes());
    for name in
        ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"]
    {
        let mut missing = headers.clone();
        missing.remove(name);
        let verdict = verify(&missing, body.as_bytes());
        assert_eq!(verdict, Err(Distrust::MissingHeader), "{name} missing");
        let mut twice = headers.clone();
        twice.append(name, headers[name].clone());
        let verdict = verify(&twice, body.as_bytes());
        assert_eq!(verdict, Err(Distrust::MissingHeader), "{name} twice");
        let mut opaque = headers.clone();
        opaque.insert(name, HeaderValue::from_bytes(&[0xFF]).unwrap());
        let verdict = verify(&opaque, body.as_bytes());
        assert_eq!(verdict, Err(Distrust::MissingHeader), "{name} opaque");
    }
}

#[test]
fn a_timestamp_is_unix_seconds_in_digits_even_when_signed() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    for timestamp in ["", "+1767225600", "-1", "1767225600.0", "99999999999999999999"] {
        let headers = Mode::PublicKey.headers_at(timestamp, body.as_bytes());
        let verdict = verify(&headers, body.as_bytes());
        assert_eq!(verdict, Err(Distrust::MissingHeader), "{timestamp}");
    }
    let headers = Mode::PublicKey.headers_at("1767225600000", body.as_bytes());
    let verdict = verify(&headers, body.as_bytes());
    assert_eq!(verdict, Err(Distrust::StaleTimestamp));
}

#[test]
fn header_names_may_come_in_any_case() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let headers = Mode::PublicKey.headers(body.as_bytes());
    let shouted: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str().to_uppercase();
            (name.parse::<http::HeaderName>().unwrap(), value.clone())
        })
        .collect();
    assert_eq!(verify(&shouted, body.as_bytes()), Ok(vec![paid()]));
}

#[test]
fn an_unknown_serial_is_refused() {
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let mut headers = Mode::PublicKey.headers(body.as_bytes());
    let serial = HeaderValue::from_static("PUB_KEY_ID_2");
    headers.insert("wechatpay-serial", serial);
    let verdict = verify(&headers, body.as_bytes());
    assert_eq!(verdict, Err(Distrust::UnknownKey));
}

#[test]
fn any_byte_of_the_body_changed_is_a_bad_signature() {
    let gateway = adapter(settings());
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let headers = Mode::PublicKey.headers(body.as_bytes());
    for position in 0..body.len() {
        let mut bytes = body.clone().into_bytes();
        bytes[position] ^= 1;
        let verdict = gateway.verify(&headers, &bytes, at(NOW_S));
        assert_eq!(verdict, Err(Distrust::BadSignature), "{position}");
    }
    for bytes in [&body.as_bytes()[1..], &body.as_bytes()[..body.len() - 1]] {
        let verdict = gateway.verify(&headers, bytes, at(NOW_S));
        assert_eq!(verdict, Err(Distrust::BadSignature));
    }
}

#[test]
fn any_byte_of_a_header_changed_is_refused() {
    let gateway = adapter(settings());
    let body = sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction());
    let headers = Mode::PublicKey.headers(body.as_bytes());
    for name in
        ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"]
    {
        let value = headers[name].as_bytes();
        for position in 0..value.len() {
            for flip in [1, 0x20] {
                let mut bytes = value.to_vec();
                bytes[position] ^= flip;
                let Ok(changed) = HeaderValue::from_bytes(&bytes) else {
                    continue; // No server passes such a header on.
                };
                let mut headers = headers.clone();
                headers.insert(name, changed);
                let verdict = gateway.verify(&headers, body.as_bytes(), at(NOW_S));
                assert!(verdict.is_err(), "{name} at {position}");
            }
        }
    }
}

#[test]
fn acknowledgements_are_those_that_the_gateway_understands() {
    let gateway = adapter(settings());
    let done = gateway.acknowledge(Acknowledgement::Done);
    assert_eq!((done.status().as_u16(), done.body().len()), (204, 0));
    for (acknowledgement, status) in [
        (Acknowledgement::Retry, 500),
        (Acknowledgement::Refused(Distrust::BadSignature), 401),
        (Acknowledgement::Refused(Distrust::StaleTimestamp), 401),
        (Acknowledgement::Refused(Distrust::WrongMerchant), 401),
    ] {
        let answer = gateway.acknowledge(acknowledgement);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["code"], "FAIL");
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
}
