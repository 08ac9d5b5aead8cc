//! What is sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::ids::ECHO_LEN_MAX;
use domain::money::Currency;
use domain::product::NAME_LEN_MAX;
use gateways::{AmountLimits, CREATE_BODY_LEN_MAX, Gateway, NewPayment, Stamp};
use http::Request;
use serde_json::json;

use crate::peer::{
    INTENT_ID, NOW_S, PAYMENT_ID, REFUND_NUMBER, SECRET_KEY, SESSION_ID, adapter, at, lost, money,
    new_payment, qr_settings, refund, settings, stored,
};

fn stamp() -> Stamp {
    Stamp { now: at(NOW_S), nonce: [0xAB; 16] }
}

fn text(request: &Request<Bytes>) -> &str {
    std::str::from_utf8(request.body()).unwrap()
}

#[test]
fn the_form_that_creates_a_session_is_this_byte_for_byte() {
    let body = adapter(settings()).create_body(&new_payment());
    let expected = "mode=payment\
        &client_reference_id=8f14e45fceea167a5a36dedd4bea2543\
        &expires_at=1767228360\
        &line_items[0][quantity]=1\
        &line_items[0][price_data][currency]=cny\
        &line_items[0][price_data][unit_amount]=1280\
        &line_items[0][price_data][product_data][name]=Desk%20x%201\
        &metadata[echo]=lp1.echo\
        &payment_intent_data[metadata][payment_id]=8f14e45fceea167a5a36dedd4bea2543\
        &payment_intent_data[metadata][echo]=lp1.echo\
        &success_url=https%3A%2F%2Fpay.example.com%2Fpaid";
    assert_eq!(body, expected);
    let mut with_cancel = settings();
    with_cancel["cancel_url"] = json!("https://pay.example.com/back?to=desk");
    let body = adapter(with_cancel).create_body(&new_payment());
    assert_eq!(
        body,
        format!("{expected}&cancel_url=https%3A%2F%2Fpay.example.com%2Fback%3Fto%3Ddesk")
    );
}

#[test]
fn the_form_that_creates_a_qr_code_is_this_byte_for_byte() {
    let body = adapter(qr_settings()).create_body(&new_payment());
    let expected = "amount=1280\
        &currency=cny\
        &confirm=true\
        &description=Desk%20x%201\
        &payment_method_types[0]=wechat_pay\
        &payment_method_data[type]=wechat_pay\
        &payment_method_options[wechat_pay][client]=web\
        &metadata[payment_id]=8f14e45fceea167a5a36dedd4bea2543\
        &metadata[echo]=lp1.echo\
        &metadata[code]=wechat_pay_qr";
    assert_eq!(body, expected);
}

#[test]
fn every_request_goes_where_the_sheet_says_with_key_and_version() {
    let mut prefixed = settings();
    prefixed["base_url"] = json!("http://127.0.0.1:8080/simulator/stripe/");
    let gateway = adapter(prefixed);
    let body = gateway.create_body(&new_payment());
    let (cs, pi) = (stored(SESSION_ID), stored(INTENT_ID));
    let search = "payment_intents/search?query=metadata%5B%27payment_id%27%5D%3A%27\
                  8f14e45fceea167a5a36dedd4bea2543%27&limit=100&expand%5B0%5D=data.latest_charge";
    for (request, method, target, key) in [
        (
            gateway.create(PAYMENT_ID, &body, stamp()),
            "POST",
            "checkout/sessions",
            Some("pay:8f14e45fceea167a5a36dedd4bea2543"),
        ),
        (
            gateway.query(&cs, stamp()),
            "GET",
            "checkout/sessions/cs_test_a1Peer?expand%5B0%5D=payment_intent.latest_charge",
            None,
        ),
        (
            gateway.query(&pi, stamp()),
            "GET",
            "payment_intents/pi_3Peer?expand%5B0%5D=latest_charge",
            None,
        ),
        (gateway.query(&lost(), stamp()), "GET", search, None),
        (gateway.query_owner(INTENT_ID, stamp()), "GET", "payment_intents/pi_3Peer", None),
        (gateway.close(&cs, stamp()), "POST", "checkout/sessions/cs_test_a1Peer/expire", None),
        (gateway.close(&pi, stamp()), "POST", "payment_intents/pi_3Peer/cancel", None),
        (gateway.close(&lost(), stamp()), "GET", search, None),
        (
            gateway.refund(&refund(), stamp()),
            "POST",
            "refunds",
            Some("refund:c9f0f895fb98ab9159f51fd0297e236d0011:490896"),
        ),
        (
            gateway.query_refund(&refund(), stamp()),
            "GET",
            "refunds?payment_intent=pi_3Peer&limit=100",
            None,
        ),
    ] {
        let expected = format!("http://127.0.0.1:8080/simulator/stripe/v1/{target}");
        assert_eq!(request.uri().to_string(), expected);
        assert_eq!(request.method(), method, "{target}");
        let headers = request.headers();
        assert_eq!(headers["authorization"], format!("Bearer {SECRET_KEY}"), "{target}");
        assert!(headers["authorization"].is_sensitive(), "{target}");
        assert_eq!(headers["stripe-version"], "2025-04-30.basil", "{target}");
        assert_eq!(headers["accept"], "application/json", "{target}");
        assert!(headers.contains_key("user-agent"), "{target}");
        let sent_key = headers.get("idempotency-key").map(|key| key.to_str().unwrap());
        assert_eq!(sent_key, key, "{target}");
        let form = headers.get("content-type").map(|form| form.to_str().unwrap());
        let is_post = method == "POST";
        assert_eq!(form, is_post.then_some("application/x-www-form-urlencoded"), "{target}");
        assert!(is_post || request.body().is_empty(), "{target}");
    }
}

#[test]
fn a_stored_body_is_sent_as_it_is_wherever_the_settings_lead_now() {
    let (sessions, codes) = (adapter(settings()), adapter(qr_settings()));
    let session = sessions.create_body(&new_payment());
    let intent = codes.create_body(&new_payment());
    for gateway in [&sessions, &codes] {
        for (body, target) in
            [(&session, "/v1/checkout/sessions"), (&intent, "/v1/payment_intents")]
        {
            let request = gateway.create(PAYMENT_ID, body, stamp());
            assert_eq!(request.uri().to_string(), format!("https://api.stripe.com{target}"));
            assert_eq!(text(&request), body);
        }
    }
}

#[test]
fn a_session_may_be_created_until_pay_by_and_lives_31_minutes_longer() {
    for (expires_at, sent) in [
        (at(NOW_S), NOW_S + 1_860),
        ("2026-01-01T00:00:00.999Z".parse().unwrap(), NOW_S + 1_860),
        (at(NOW_S + 7_200), NOW_S + 9_060),
    ] {
        let body = adapter(settings()).create_body(&NewPayment { expires_at, ..new_payment() });
        assert!(body.contains(&format!("&expires_at={sent}&")), "{body}");
    }
}

#[test]
fn a_refund_carries_its_number_and_the_payment_s_id() {
    let request = adapter(settings()).refund(&refund(), stamp());
    let expected = "payment_intent=pi_3Peer\
        &amount=1280\
        &metadata[refund_number]=c9f0f895fb98ab9159f51fd0297e236d0011\
        &metadata[payment_id]=8f14e45fceea167a5a36dedd4bea2543\
        &metadata[reason]=duplicate_payment";
    assert_eq!(text(&request), expected);
    let closed = adapter(settings()).close(&stored(SESSION_ID), stamp());
    assert_eq!(text(&closed), "");
}

#[test]
fn a_refund_keeps_its_key_for_an_hour_and_another_refund_has_another() {
    let gateway = adapter(settings());
    let key = |number, offset| {
        let refund = gateways::RefundRequest { number, ..refund() };
        let stamp = Stamp { now: at(NOW_S + offset), nonce: [0; 16] };
        gateway.refund(&refund, stamp).headers()["idempotency-key"].clone()
    };
    // `NOW_S` begins an hour.
    let first = key(REFUND_NUMBER, 0);
    for (offset, is_same) in [(-1, false), (1, true), (3_599, true), (3_600, false)] {
        assert_eq!(key(REFUND_NUMBER, offset) == first, is_same, "{offset}");
    }
    assert_ne!(key("another", 0), first);
    // The longest number that there is fits the 255 characters of a key.
    assert!(key(&"f".repeat(62), 0).len() <= 255);
}

#[test]
fn ids_and_texts_are_escaped() {
    let gateway = adapter(settings());
    let request = gateway.query(&stored("cs_a/b?c"), stamp());
    let path = "/v1/checkout/sessions/cs_a%2Fb%3Fc";
    assert_eq!(request.uri().path(), path);
    let body = gateway.create_body(&NewPayment { description: "订 & more=1+1", ..new_payment() });
    assert!(body.contains("[name]=%E8%AE%A2%20%26%20more%3D1%2B1&"), "{body}");
}

#[test]
fn amounts_with_two_no_and_three_decimals_are_sent_as_they_are() {
    let gateway = adapter(settings());
    for (amount, sent) in [
        (money(1280, "CNY"), "=cny&line_items[0][price_data][unit_amount]=1280&"),
        (money(500, "JPY"), "=jpy&line_items[0][price_data][unit_amount]=500&"),
        (money(5120, "KWD"), "=kwd&line_items[0][price_data][unit_amount]=5120&"),
    ] {
        let body = gateway.create_body(&NewPayment { amount, ..new_payment() });
        assert!(body.contains(sent), "{body}");
    }
}

#[test]
fn limits_are_those_of_the_currency_and_of_what_is_shown() {
    let (sessions, codes) = (adapter(settings()), adapter(qr_settings()));
    let plain = |min| Some(AmountLimits { min, max: 99_999_999, step: 1 });
    let tens = |min| Some(AmountLimits { min, max: 99_999_990, step: 10 });
    for (currency, in_session, in_code) in [
        ("CNY", plain(400), plain(400)),
        ("USD", plain(50), plain(50)),
        ("GBP", plain(30), plain(30)),
        ("HKD", plain(400), plain(400)),
        ("JPY", plain(50), plain(50)),
        ("KRW", plain(1_000), None),
        ("HUF", plain(17_500), None),
        ("TWD", plain(2_000), None),
        ("KWD", tens(200), None),
        ("TND", tens(2_000), None),
        // Stripe's unit is not ours: an amount would be wrong a hundredfold.
        ("ISK", None, None),
        ("UGX", None, None),
        ("MGA", None, None),
        ("ZZZ", None, None),
    ] {
        let currency = Currency::parse(currency).unwrap();
        assert_eq!(sessions.limits(currency), in_session, "{currency}");
        assert_eq!(codes.limits(currency), in_code, "{currency}");
    }
}

#[test]
fn every_currency_s_limits_are_amounts_that_it_takes() {
    let gateway = adapter(settings());
    let letters = || (b'A'..=b'Z').map(char::from);
    let codes = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let taken: BTreeMap<_, _> = codes
        .filter_map(|code| Some((gateway.limits(Currency::parse(&code)?)?, code)))
        .map(|(limits, code)| (code, limits))
        .collect();
    assert_eq!(taken.len(), 31, "{taken:?}");
    for (code, AmountLimits { min, max, step }) in taken {
        assert!(0 < min && min < max && min % step == 0 && max % step == 0, "{code}");
    }
}

#[test]
fn not_found_is_final_once_a_lost_session_has_expired_or_the_search_has_caught_up() {
    // A session lives 31 minutes longer than `pay_by`; the search is an hour behind at worst.
    assert_eq!(adapter(settings()).not_found_grace_s(), 31 * 60 + 120);
    assert_eq!(adapter(qr_settings()).not_found_grace_s(), 3_600 + 300);
}

#[test]
fn a_create_body_keeps_its_bound_for_the_longest_names_and_addresses() {
    let mut longest = settings();
    for field in ["success_url", "cancel_url"] {
        longest[field] = json!(format!("https://pay.example.com/{}", "/".repeat(231)));
    }
    let description = format!("{} x 10000", "\u{1f4ba}".repeat(NAME_LEN_MAX));
    let echo = "e".repeat(ECHO_LEN_MAX);
    let payment = NewPayment { description: &description, echo: &echo, ..new_payment() };
    for settings in [longest, qr_settings()] {
        let len = adapter(settings).create_body(&payment).len();
        assert!((1_024..=CREATE_BODY_LEN_MAX).contains(&len), "{len}");
    }
}
