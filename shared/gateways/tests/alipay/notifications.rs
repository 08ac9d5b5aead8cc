//! Which notifications are believed, what they tell, and how they are answered.

use domain::gateway::Capture;
use gateways::{
    Acknowledgement, Distrust, Event, Gateway, ID_LEN_MAX, NamedPayment, RefundOutcome,
};
use http::HeaderMap;
use serde_json::json;

use crate::peer::{
    APP_ID, Fields, Key, NOW_S, PAYMENT_ID, PUBLIC_KEY_PEM, REFUND_NUMBER, SELLER_ID, TRADE_NO,
    adapter, at, cny, form, notification, paid_fields, refunded_fields, settings, signed_text,
    with,
};

type Verdict = Result<Vec<Event>, Distrust>;

fn verify(body: &str) -> Verdict {
    adapter(settings()).verify(&HeaderMap::new(), body.as_bytes(), at(NOW_S))
}

/// The verdict on a notification that is properly signed.
fn verdict(fields: &Fields) -> Verdict {
    verify(&notification(Key::Current, fields))
}

fn paid() -> Event {
    Event::Paid {
        payment_id: PAYMENT_ID.to_owned(),
        echo: Some("lp1.echo".to_owned()),
        gateway_ref: None,
        capture: Capture {
            transaction_id: TRADE_NO.to_owned(),
            captured: cny(1280),
            paid_at: at(NOW_S - 30),
        },
    }
}

fn refunded(number: &str, amount: i64) -> Event {
    Event::Refund {
        payment: NamedPayment {
            transaction_id: TRADE_NO.to_owned(),
            payment_id: Some(PAYMENT_ID.to_owned()),
            echo: Some("lp1.echo".to_owned()),
        },
        number: number.to_owned(),
        amount: cny(amount),
        outcome: RefundOutcome::Succeeded,
    }
}

#[test]
fn a_payment_is_told_under_the_current_and_the_previous_key() {
    for key in [Key::Current, Key::Previous] {
        let body = notification(key, &paid_fields());
        assert_eq!(verify(&body), Ok(vec![paid()]), "{key:?}");
    }
    // Once the previous key is taken out, it is a stranger's.
    let mut one_key = settings();
    one_key["verify_keys"] = json!([PUBLIC_KEY_PEM]);
    let body = notification(Key::Previous, &paid_fields());
    let verdict = adapter(one_key).verify(&HeaderMap::new(), body.as_bytes(), at(NOW_S));
    assert_eq!(verdict, Err(Distrust::BadSignature));
}

#[test]
fn ids_of_trades_and_refunds_are_taken_up_to_their_longest() {
    for (len, is_taken) in [(ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        let id = "2".repeat(len);
        for fields in [
            with(paid_fields(), &[("trade_no", &id)]),
            with(refunded_fields(), &[("out_biz_no", &id)]),
        ] {
            let verdict = verdict(&fields);
            assert_eq!(verdict.is_ok(), is_taken, "{len}");
            assert_eq!(verdict == Err(Distrust::Unreadable), !is_taken, "{verdict:?}");
        }
    }
}

#[test]
fn a_notification_does_not_grow_old() {
    let body = notification(Key::Current, &paid_fields());
    let gateway = adapter(settings());
    for now in [at(0), at(NOW_S), at(NOW_S + 90_000)] {
        let verdict = gateway.verify(&HeaderMap::new(), body.as_bytes(), now);
        assert_eq!(verdict, Ok(vec![paid()]), "{now}");
    }
}

#[test]
fn every_trade_status_is_read() {
    for (status, told) in [
        ("TRADE_SUCCESS", vec![paid()]),
        ("TRADE_FINISHED", vec![paid()]),
        ("TRADE_CLOSED", vec![]),
        ("WAIT_BUYER_PAY", vec![]),
        ("SOMETHING_NEW", vec![]),
        ("", vec![]),
    ] {
        let fields = with(paid_fields(), &[("trade_status", status)]);
        assert_eq!(verdict(&fields), Ok(told), "{status}");
    }
}

#[test]
fn a_refund_is_told_with_its_payment_whatever_the_trade_s_status() {
    for status in ["TRADE_CLOSED", "TRADE_SUCCESS", "TRADE_FINISHED"] {
        let fields = with(refunded_fields(), &[("trade_status", status)]);
        let told = vec![paid(), refunded(REFUND_NUMBER, 1280)];
        assert_eq!(verdict(&fields), Ok(told), "{status}");
    }
    // Closed, with money back, and no word of when it was paid.
    let fields = with(refunded_fields(), &[("gmt_payment", "")]);
    assert_eq!(verdict(&fields), Ok(vec![refunded(REFUND_NUMBER, 1280)]));
}

#[test]
fn a_refund_in_part_is_told_with_its_sum_and_its_number_or_the_trade_s() {
    let part = [("trade_status", "TRADE_SUCCESS"), ("refund_fee", "0.5"), ("out_biz_no", "R1")];
    let fields = with(refunded_fields(), &part);
    assert_eq!(verdict(&fields), Ok(vec![paid(), refunded("R1", 50)]));
    let fields = with(fields, &[("out_biz_no", "")]);
    assert_eq!(verdict(&fields), Ok(vec![paid(), refunded(PAYMENT_ID, 50)]));
    let fields = with(refunded_fields(), &[("refund_fee", "0.00")]);
    assert_eq!(verdict(&fields), Ok(vec![]));
}

#[test]
fn a_payment_without_its_time_is_to_be_asked_for() {
    let undated =
        Event::PaidUndated { payment_id: PAYMENT_ID.to_owned(), echo: Some("lp1.echo".to_owned()) };
    let fields = with(paid_fields(), &[("gmt_payment", "")]);
    assert_eq!(verdict(&fields), Ok(vec![undated]));
}

#[test]
fn amounts_are_read_as_numbers_without_floats() {
    for (text, fen) in [
        ("12.80", Some(1280)),
        ("12.8", Some(1280)),
        ("12", Some(1200)),
        ("0.01", Some(1)),
        ("100000000.00", Some(10_000_000_000)),
        ("0.00", None),
        ("12.", None),
        (".8", None),
        ("12.801", None),
        ("12.8.0", None),
        ("-12.80", None),
        ("+12.80", None),
        ("1.28e1", None),
        ("12,80", None),
        ("99999999999999999999", None),
    ] {
        let verdict = verdict(&with(paid_fields(), &[("total_amount", text)]));
        match (fen, verdict) {
            (Some(fen), Ok(events)) => {
                let [Event::Paid { capture, .. }] = events.as_slice() else {
                    panic!("{text}: {events:?}");
                };
                assert_eq!(capture.captured, cny(fen), "{text}");
            }
            (None, verdict) => assert_eq!(verdict, Err(Distrust::Unreadable), "{text}"),
            (Some(_), Err(distrust)) => panic!("{text}: {distrust:?}"),
        }
    }
}

#[test]
fn contents_that_cannot_be_read_are_refused() {
    for (field, value) in [
        ("out_trade_no", ""),
        ("trade_no", ""),
        ("total_amount", ""),
        ("gmt_payment", "yesterday"),
        ("gmt_payment", "2026-02-30 07:59:30"),
        ("gmt_payment", "2026-01-01 07:59:30 "),
        ("gmt_payment", " 2026-01-01 07:59:30"),
        ("gmt_payment", "2026-01-0107:59:30"),
        ("gmt_payment", "2026-1-1 7:59:30"),
        ("gmt_payment", "+2026-01-01 07:59:30"),
        ("gmt_payment", "2026-01-01 07:59:60"),
        ("refund_fee", "all"),
    ] {
        let fields = with(paid_fields(), &[(field, value)]);
        assert_eq!(verdict(&fields), Err(Distrust::Unreadable), "{field} {value}");
    }
}

#[test]
fn a_notification_for_another_app_or_seller_is_refused() {
    for (field, value) in [
        ("app_id", "2021000199990002"),
        ("app_id", ""),
        ("seller_id", "2088000000000000"),
        ("seller_id", ""),
    ] {
        let fields = with(paid_fields(), &[(field, value)]);
        assert_eq!(verdict(&fields), Err(Distrust::WrongMerchant), "{field} {value}");
    }
}

#[test]
fn an_echo_comes_back_as_it_was_sent_or_not_at_all() {
    for (value, told) in [("a%3Db", Some("a%3Db")), ("a b+c", Some("a b+c")), ("", None)] {
        let events = verdict(&with(paid_fields(), &[("passback_params", value)])).unwrap();
        let [Event::Paid { echo, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(echo.as_deref(), told);
    }
}

#[test]
fn fields_without_a_value_are_signed_or_not() {
    let mut fields = paid_fields();
    fields.push(("body".to_owned(), String::new()));
    assert_eq!(verdict(&fields), Ok(vec![paid()]));
    let sign = Key::Current.sign(signed_text(&paid_fields()).as_bytes());
    fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
    fields.push(("sign".to_owned(), sign));
    assert_eq!(verify(&form(&fields)), Ok(vec![paid()]));
}

#[test]
fn a_signature_is_needed_once_and_of_the_one_kind() {
    let body = notification(Key::Current, &paid_fields());
    let mut fields: Fields = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(verify(&form(&fields)), Ok(vec![paid()]));
    for name in ["sign", "sign_type"] {
        let missing = with(fields.clone(), &[(name, "")]);
        assert_eq!(verify(&form(&missing)), Err(Distrust::MissingHeader), "{name}");
    }
    for value in ["RSA", "rsa2"] {
        let other = with(fields.clone(), &[("sign_type", value)]);
        assert_eq!(verify(&form(&other)), Err(Distrust::BadSignature), "{value}");
    }
    fields.push(("sign_type".to_owned(), "RSA2".to_owned()));
    assert_eq!(verify(&form(&fields)), Err(Distrust::BadSignature));
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    let body = notification(Key::Current, &paid_fields());
    for added in ["total_amount=12.80", "out_trade_no=another", "new=1&new=2"] {
        let verdict = verify(&format!("{body}&{added}"));
        assert_eq!(verdict, Err(Distrust::BadSignature), "{added}");
    }
}

#[test]
fn a_body_is_decoded_once() {
    // A value that itself looks escaped, and a plus sign in it.
    let fields = with(paid_fields(), &[("subject", "100%25+%2B a")]);
    assert_eq!(verdict(&fields), Ok(vec![paid()]));
    let spelled = notification(Key::Current, &fields).replace('+', "%20");
    assert_eq!(verify(&spelled), Ok(vec![paid()]));
}

#[test]
fn any_byte_of_the_body_changed_is_refused() {
    let gateway = adapter(settings());
    let body = notification(Key::Current, &paid_fields());
    let unchanged = gateway.verify(&HeaderMap::new(), body.as_bytes(), at(NOW_S));
    assert_eq!(unchanged, Ok(vec![paid()]));
    for position in 0..body.len() {
        let mut bytes = body.clone().into_bytes();
        bytes[position] ^= 1;
        let verdict = gateway.verify(&HeaderMap::new(), &bytes, at(NOW_S));
        assert!(verdict.is_err(), "{position}: {verdict:?}");
    }
    for bytes in [&body.as_bytes()[1..], &body.as_bytes()[..body.len() - 1], b""] {
        assert!(gateway.verify(&HeaderMap::new(), bytes, at(NOW_S)).is_err());
    }
}

#[test]
fn other_messages_of_the_platform_tell_nothing() {
    let fields: Fields =
        [("notify_type", "open_app_auth_notify"), ("app_id", APP_ID), ("seller_id", SELLER_ID)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    assert_eq!(verdict(&fields), Ok(vec![]));
}

#[test]
fn acknowledgements_are_those_that_the_gateway_understands() {
    let gateway = adapter(settings());
    for (acknowledgement, status, body) in [
        (Acknowledgement::Done, 200, "success"),
        (Acknowledgement::Retry, 500, "failure"),
        (Acknowledgement::Refused(Distrust::BadSignature), 400, "failure"),
        (Acknowledgement::Refused(Distrust::WrongMerchant), 400, "failure"),
    ] {
        let answer = gateway.acknowledge(acknowledgement);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.body(), body);
        assert_eq!(answer.headers()["content-type"], "text/plain");
    }
}
