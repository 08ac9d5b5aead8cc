//! Which notifications are believed, what they tell, and how they are answered.

use domain::gateway::Capture;
use gateways::{
    Acknowledgement, Distrust, Event, Gateway, ID_LEN_MAX, NamedPayment, RefundOutcome,
};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::peer::{
    CHANGED_S, DISPUTE_ID, ECHO, INTENT_ID, NEW_SECRET, NOW_S, OLD_SECRET, PAYMENT_ID, REFUND_ID,
    REFUND_NUMBER, SESSION_ID, adapter, at, cny, dispute, event, header, intent, made, money,
    qr_intent, session, settings, signed, signed_at,
};

type Verdict = Result<Vec<Event>, Distrust>;

fn verify(headers: &HeaderMap, body: &[u8]) -> Verdict {
    adapter(settings()).verify(headers, body, at(NOW_S))
}

/// The verdict on a notification that is properly signed.
fn verdict(body: &str) -> Verdict {
    verify(&signed(body.as_bytes()), body.as_bytes())
}

fn told(event_type: &str, object: &Value) -> Verdict {
    verdict(&event(event_type, object).to_string())
}

fn paid_session() -> Value {
    session("complete", "paid", json!(INTENT_ID))
}

fn paid(gateway_ref: Option<&str>) -> Event {
    Event::Paid {
        payment_id: PAYMENT_ID.to_owned(),
        echo: Some(ECHO.to_owned()),
        gateway_ref: gateway_ref.map(str::to_owned),
        capture: Capture {
            transaction_id: INTENT_ID.to_owned(),
            captured: cny(1280),
            paid_at: at(CHANGED_S),
        },
    }
}

/// The payment as events name it that do not carry our echo.
fn named(payment_id: Option<&str>) -> NamedPayment {
    NamedPayment {
        transaction_id: INTENT_ID.to_owned(),
        payment_id: payment_id.map(str::to_owned),
        echo: None,
    }
}

#[test]
fn a_payment_is_told_by_its_session_and_by_its_intent() {
    let expected = || Ok(vec![paid(Some(SESSION_ID))]);
    assert_eq!(told("checkout.session.completed", &paid_session()), expected());
    assert_eq!(told("checkout.session.async_payment_succeeded", &paid_session()), expected());
    let expanded = session("complete", "paid", intent("succeeded"));
    assert_eq!(told("checkout.session.completed", &expanded), expected());
    let mut plain = intent("succeeded");
    plain["latest_charge"] = json!("ch_3Peer");
    assert_eq!(told("payment_intent.succeeded", &plain), Ok(vec![paid(None)]));
    let code = qr_intent("succeeded");
    assert_eq!(told("payment_intent.succeeded", &code), Ok(vec![paid(Some(INTENT_ID))]));
}

#[test]
fn ids_are_taken_up_to_their_longest() {
    for (len, is_taken) in [(ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        let id = json!("i".repeat(len));
        let with_id = |mut object: Value, field: &str| {
            object[field] = id.clone();
            object
        };
        for (event_type, object) in [
            ("checkout.session.completed", with_id(paid_session(), "id")),
            ("checkout.session.completed", with_id(paid_session(), "payment_intent")),
            ("payment_intent.succeeded", with_id(intent("succeeded"), "id")),
            ("charge.dispute.created", with_id(dispute(), "id")),
        ] {
            let verdict = told(event_type, &object);
            assert_eq!(verdict.is_ok(), is_taken, "{event_type}, {len}: {verdict:?}");
            assert_eq!(verdict == Err(Distrust::Unreadable), !is_taken, "{verdict:?}");
        }
    }
}

#[test]
fn amounts_are_told_in_the_currency_that_was_charged() {
    for (amount, currency, expected) in [
        (500, "jpy", money(500, "JPY")),
        (1280, "usd", money(1280, "USD")),
        (5120, "kwd", money(5120, "KWD")),
    ] {
        let mut object = paid_session();
        object["amount_total"] = json!(amount);
        object["currency"] = json!(currency);
        let events = told("checkout.session.completed", &object).unwrap();
        let [Event::Paid { capture, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(capture.captured, expected);
    }
}

#[test]
fn a_session_without_money_tells_nothing() {
    for (payment_status, mode) in
        [("unpaid", "payment"), ("no_payment_required", "payment"), ("paid", "subscription")]
    {
        let mut object = session("complete", payment_status, json!(INTENT_ID));
        object["mode"] = json!(mode);
        assert_eq!(told("checkout.session.completed", &object), Ok(Vec::new()));
    }
}

#[test]
fn what_is_told_of_our_own_objects_must_be_readable() {
    for (field, value) in [
        ("payment_intent", json!(null)),
        ("payment_intent", json!("")),
        ("amount_total", json!(null)),
        ("amount_total", json!(0)),
        ("currency", json!(null)),
        ("client_reference_id", json!(null)),
    ] {
        let mut object = paid_session();
        object[field] = value;
        let verdict = told("checkout.session.completed", &object);
        assert_eq!(verdict, Err(Distrust::Unreadable), "{object}");
        // The same of somebody else's: we cannot tell what it should have been.
        object["metadata"] = json!({});
        assert_eq!(told("checkout.session.completed", &object), Ok(Vec::new()), "{object}");
    }
    for (field, value) in [("amount_received", json!(0)), ("currency", json!("yuan"))] {
        let mut object = intent("succeeded");
        object[field] = value;
        let verdict = told("payment_intent.succeeded", &object);
        assert_eq!(verdict, Err(Distrust::Unreadable), "{object}");
    }
    for (field, value) in [("payment_intent", json!(null)), ("amount", json!(0))] {
        let mut object = made("succeeded");
        object[field] = value;
        assert_eq!(told("refund.updated", &object), Err(Distrust::Unreadable), "{object}");
    }
    // An event that contradicts itself.
    let verdict = told("payment_intent.succeeded", &intent("processing"));
    assert_eq!(verdict, Err(Distrust::Unreadable));
}

#[test]
fn somebody_else_s_payment_is_told_without_our_words_or_not_at_all() {
    let mut object = paid_session();
    object["metadata"] = json!({ "echo": "" });
    let events = told("checkout.session.completed", &object).unwrap();
    let [Event::Paid { payment_id, echo: None, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(payment_id, PAYMENT_ID);
    object["client_reference_id"] = json!(null);
    assert_eq!(told("checkout.session.completed", &object), Ok(Vec::new()));
    let mut object = intent("succeeded");
    object["metadata"] = json!({ "order_no": "1" });
    assert_eq!(told("payment_intent.succeeded", &object), Ok(Vec::new()));
}

#[test]
fn every_refund_event_is_told_with_its_status() {
    for event_type in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"]
    {
        for status in ["pending", "requires_action", "succeeded", "failed", "canceled", "new"] {
            let events = told(event_type, &made(status)).unwrap();
            let [Event::Refund { payment, number, amount, outcome }] = events.as_slice() else {
                panic!("{events:?}");
            };
            assert_eq!(*payment, named(Some(PAYMENT_ID)));
            assert_eq!(number, REFUND_NUMBER);
            assert_eq!(*amount, cny(1280));
            let fits = match outcome {
                RefundOutcome::Succeeded => status == "succeeded",
                RefundOutcome::Processing => matches!(status, "pending" | "requires_action"),
                RefundOutcome::Failed(refusal) => {
                    matches!(status, "failed" | "canceled") && refusal.status == 0
                }
                RefundOutcome::Unknown(refusal) => status == "new" && refusal.status == 0,
                RefundOutcome::Refused(_)
                | RefundOutcome::NotFound
                | RefundOutcome::Later(_)
                | RefundOutcome::TooOften(_)
                | RefundOutcome::Stuck(_) => false,
            };
            assert!(fits, "{event_type} {status}: {outcome:?}");
        }
    }
}

#[test]
fn a_refund_that_somebody_else_made_is_told_by_the_gateway_s_number() {
    for metadata in
        [json!({}), json!(null), json!({ "payment_id": PAYMENT_ID }), json!({ "refund_no": "RF1" })]
    {
        let mut object = made("succeeded");
        object["metadata"] = metadata;
        let expected = Event::Refund {
            payment: named(None),
            number: REFUND_ID.to_owned(),
            amount: cny(1280),
            outcome: RefundOutcome::Succeeded,
        };
        assert_eq!(told("refund.created", &object), Ok(vec![expected]), "{object}");
    }
    // A charge without an intent is none that we made.
    let mut object = made("succeeded");
    object["metadata"] = json!({});
    object["payment_intent"] = json!(null);
    assert_eq!(told("refund.created", &object), Ok(Vec::new()));
}

#[test]
fn a_dispute_is_told_when_it_opens_and_when_it_ends() {
    for event_type in ["charge.dispute.created", "charge.dispute.closed"] {
        let expected = Event::Dispute {
            payment: named(None),
            number: DISPUTE_ID.to_owned(),
            amount: cny(1280),
        };
        assert_eq!(told(event_type, &dispute()), Ok(vec![expected]), "{event_type}");
    }
    let mut object = dispute();
    object["payment_intent"] = json!(null);
    assert_eq!(told("charge.dispute.created", &object), Ok(Vec::new()));
    let mut object = dispute();
    object["amount"] = json!(null);
    assert_eq!(told("charge.dispute.created", &object), Err(Distrust::Unreadable));
}

#[test]
fn events_about_other_things_tell_nothing() {
    for event_type in [
        "checkout.session.expired",
        "checkout.session.async_payment_failed",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "charge.refunded",
        "charge.succeeded",
        "charge.dispute.updated",
        "customer.created",
    ] {
        assert_eq!(told(event_type, &json!({ "id": "x_1" })), Ok(Vec::new()), "{event_type}");
    }
    let thin = json!({
        "id": "evt_test_1",
        "object": "v2.core.event",
        "type": "v1.checkout.session.completed",
        "livemode": false,
        "created": "2026-01-01T00:00:00.000Z",
        "related_object": { "id": SESSION_ID, "type": "checkout.session" },
    });
    assert_eq!(verdict(&thin.to_string()), Ok(Vec::new()));
}

#[test]
fn an_event_of_the_other_mode_is_refused() {
    for (key, livemode, expected) in [
        ("sk_test_1", false, Ok(vec![paid(Some(SESSION_ID))])),
        ("rk_test_1", true, Err(Distrust::WrongMerchant)),
        ("sk_live_1", false, Err(Distrust::WrongMerchant)),
        ("rk_live_1", true, Ok(vec![paid(Some(SESSION_ID))])),
    ] {
        let mut settings = settings();
        settings["secret_key"] = json!(key);
        let mut event = event("checkout.session.completed", &paid_session());
        event["livemode"] = json!(livemode);
        let body = event.to_string();
        let headers = signed(body.as_bytes());
        let verdict = adapter(settings).verify(&headers, body.as_bytes(), at(NOW_S));
        assert_eq!(verdict, expected, "{key} {livemode}");
    }
}

#[test]
fn a_signed_body_that_is_no_notification_is_refused() {
    let spoilt = |field: &str, value: Value| {
        let mut event = event("checkout.session.completed", &paid_session());
        event[field] = value;
        event.to_string()
    };
    for body in [
        String::new(),
        "{}".to_owned(),
        r#"{"object":"event"}"#.to_owned(),
        r#"{"object":"event","livemode":false}"#.to_owned(),
        spoilt("object", json!(null)),
        spoilt("livemode", json!(null)),
        spoilt("livemode", json!("false")),
        spoilt("type", json!(null)),
        spoilt("created", json!(null)),
        spoilt("created", json!(i64::MAX)),
        spoilt("data", json!({})),
        spoilt("data", json!({ "object": {} })),
        spoilt("data", json!({ "object": SESSION_ID })),
    ] {
        assert_eq!(verdict(&body), Err(Distrust::Unreadable), "{body}");
    }
}

#[test]
fn any_signature_under_any_secret_is_enough() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let body = body.as_bytes();
    let now = NOW_S.to_string();
    let believed = || Ok(vec![paid(Some(SESSION_ID))]);
    for secrets in [
        [OLD_SECRET].as_slice(),
        &[NEW_SECRET],
        &[OLD_SECRET, NEW_SECRET],
        &["whsec_other", NEW_SECRET],
        &[NEW_SECRET, "whsec_other"],
    ] {
        let verdict = verify(&header(&signed_at(&now, secrets, body)), body);
        assert_eq!(verdict, believed(), "{secrets:?}");
    }
    let right = signed_at(&now, &[NEW_SECRET], body);
    let signature = right.split_once(",v1=").unwrap().1;
    for value in [
        format!("v1={signature},t={now}"),
        format!("t={now},v1=zz,v1=,v1={signature}"),
        format!("t={now},v0={signature},v1={signature}"),
        format!("t={now},v1={signature},scheme,x=y=z"),
    ] {
        assert_eq!(verify(&header(&value), body), believed(), "{value}");
    }
    for value in [
        signed_at(&now, &["whsec_other"], body),
        // The secret counts whole, with what all begin with.
        signed_at(&now, &[NEW_SECRET.strip_prefix("whsec_").unwrap()], body),
        format!("t={now},v1={}", signature.to_uppercase()),
        format!("t={now},v1={}", &signature[..62]),
        format!("t={now},v1={}", &signature[..63]),
        format!("t={now},v1={signature}00"),
        format!("t={now},v1= {signature}"),
        format!("t=0{now},v1={signature}"),
    ] {
        let verdict = verify(&header(&value), body);
        assert_eq!(verdict, Err(Distrust::BadSignature), "{value}");
    }
}

#[test]
fn eight_signatures_are_looked_at_and_no_more() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let body = body.as_bytes();
    let now = NOW_S.to_string();
    for (others, is_believed) in [(7, true), (8, false)] {
        let mut secrets = vec!["whsec_other"; others];
        secrets.push(NEW_SECRET);
        let verdict = verify(&header(&signed_at(&now, &secrets, body)), body);
        assert_eq!(verdict.is_ok(), is_believed, "{others}");
    }
}

#[test]
fn the_header_is_needed_once_and_well_formed() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let body = body.as_bytes();
    let headers = signed(body);
    let name = "stripe-signature";
    let mut twice = headers.clone();
    twice.append(name, headers[name].clone());
    let mut opaque = headers.clone();
    opaque.insert(name, HeaderValue::from_bytes(&[0xFF]).unwrap());
    for headers in [HeaderMap::new(), twice, opaque] {
        assert_eq!(verify(&headers, body), Err(Distrust::MissingHeader), "{headers:?}");
    }
    let signature = headers[name].to_str().unwrap().split_once(",v1=").unwrap().1;
    for value in [
        String::new(),
        format!("t={NOW_S}"),
        format!("v1={signature}"),
        format!("t={NOW_S},v0={signature}"),
        format!("t={NOW_S},t={NOW_S},v1={signature}"),
        format!("t={NOW_S};v1={signature}"),
        format!("T={NOW_S},v1={signature}"),
    ] {
        assert_eq!(verify(&header(&value), body), Err(Distrust::MissingHeader), "{value}");
    }
}

#[test]
fn a_timestamp_is_unix_seconds_in_digits_even_when_signed() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let body = body.as_bytes();
    for timestamp in ["", "+1767225600", "-1", "1767225600.0", "99999999999999999999"] {
        let headers = header(&signed_at(timestamp, &[NEW_SECRET], body));
        assert_eq!(verify(&headers, body), Err(Distrust::MissingHeader), "{timestamp}");
    }
    let headers = header(&signed_at("1767225600000", &[NEW_SECRET], body));
    assert_eq!(verify(&headers, body), Err(Distrust::StaleTimestamp));
}

#[test]
fn a_notification_is_believed_for_300_seconds_either_way() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let body = body.as_bytes();
    for (offset, is_believed) in
        [(-301, false), (-300, true), (-299, true), (299, true), (300, true), (301, false)]
    {
        let timestamp = (NOW_S + offset).to_string();
        let verdict = verify(&header(&signed_at(&timestamp, &[NEW_SECRET], body)), body);
        match is_believed {
            true => assert_eq!(verdict, Ok(vec![paid(Some(SESSION_ID))]), "{offset}"),
            false => assert_eq!(verdict, Err(Distrust::StaleTimestamp), "{offset}"),
        }
    }
}

#[test]
fn header_names_may_come_in_any_case() {
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let headers = signed(body.as_bytes());
    let shouted: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name = name.as_str().to_uppercase();
            (name.parse::<http::HeaderName>().unwrap(), value.clone())
        })
        .collect();
    assert_eq!(verify(&shouted, body.as_bytes()), Ok(vec![paid(Some(SESSION_ID))]));
}

#[test]
fn any_byte_of_the_body_changed_is_a_bad_signature() {
    let gateway = adapter(settings());
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let headers = signed(body.as_bytes());
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
fn any_byte_of_the_header_changed_is_refused() {
    let gateway = adapter(settings());
    let body = event("checkout.session.completed", &paid_session()).to_string();
    let value = signed_at(&NOW_S.to_string(), &[NEW_SECRET], body.as_bytes()).into_bytes();
    for position in 0..value.len() {
        for flip in [1, 0x20] {
            let mut bytes = value.clone();
            bytes[position] ^= flip;
            let Ok(changed) = HeaderValue::from_bytes(&bytes) else {
                continue; // No server passes such a header on.
            };
            let mut headers = HeaderMap::new();
            headers.insert("stripe-signature", changed);
            let verdict = gateway.verify(&headers, body.as_bytes(), at(NOW_S));
            assert!(verdict.is_err(), "{position}");
        }
    }
}

#[test]
fn acknowledgements_are_those_that_the_gateway_understands() {
    let gateway = adapter(settings());
    let done = gateway.acknowledge(Acknowledgement::Done);
    assert_eq!((done.status().as_u16(), done.body().as_ref()), (200, &b"recorded"[..]));
    for (acknowledgement, status, text) in [
        (Acknowledgement::Retry, 500, "not stored yet, send it again"),
        (Acknowledgement::Refused(Distrust::BadSignature), 400, "bad_signature"),
        (Acknowledgement::Refused(Distrust::StaleTimestamp), 400, "stale_timestamp"),
        (Acknowledgement::Refused(Distrust::WrongMerchant), 400, "wrong_merchant"),
    ] {
        let answer = gateway.acknowledge(acknowledgement);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.body(), text);
    }
}
