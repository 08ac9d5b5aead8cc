//! Stripe's pages of balance transactions.

use bytes::Bytes;
use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use gateways::bill::{BillOutcome, BillStep};
use gateways::{Gateway, ID_LEN_MAX, Stamp};
use http::Response;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::peer::{adapter, reply, settings};

/// The first moment after the bill's day.
const MIDNIGHT: &str = "2026-11-24T00:00:00Z";

fn day() -> Date {
    "2026-11-23".parse().unwrap()
}

fn charge() -> Value {
    json!({
        "id": "txn_1",
        "object": "balance_transaction",
        "type": "charge",
        "amount": 11_000,
        "currency": "eur",
        "created": 1_795_435_200,
        "source": {
            "id": "ch_1",
            "object": "charge",
            "livemode": false,
            "status": "succeeded",
            "amount": 12_800,
            "currency": "usd",
            "payment_intent": "pi_1",
            "metadata": { "payment_id": "p1", "echo": "lp1.echo", "other": "x" },
        },
    })
}

fn refund(status: &str) -> Value {
    json!({
        "id": "txn_2",
        "object": "balance_transaction",
        "type": "refund",
        "amount": -11_000,
        "currency": "eur",
        "created": 1_795_435_201,
        "source": {
            "id": "re_1",
            "object": "refund",
            "amount": 12_800,
            "currency": "usd",
            "status": status,
            "payment_intent": "pi_1",
            "charge": charge()["source"],
            "metadata": { "refund_number": "r1" },
        },
    })
}

fn list(data: &[Value], has_more: bool) -> String {
    json!({ "object": "list", "data": data, "has_more": has_more }).to_string()
}

fn read_at(now: &str, reply: &Response<Bytes>) -> BillOutcome {
    let gateway = adapter(settings());
    gateway.bills().unwrap().read(&BillStep::Day(day()), reply, now.parse().unwrap())
}

/// A page's rows and behind what the next one starts; nothing if it cannot be read.
fn page(body: &str) -> Option<(Vec<BillRow>, Option<String>)> {
    match read_at(MIDNIGHT, &reply(200, body)) {
        BillOutcome::Read { rows, next: None } => Some((rows, None)),
        BillOutcome::Read { rows, next: Some(BillStep::Next { day: of, at, hash: None }) } => {
            assert_eq!(of, day());
            Some((rows, Some(at)))
        }
        BillOutcome::Unknown(_) => None,
        other @ (BillOutcome::Read { .. } | BillOutcome::NotReady(_)) => panic!("{other:?}"),
    }
}

fn rows(data: &[Value]) -> Option<Vec<BillRow>> {
    page(&list(data, false)).map(|(rows, next)| {
        assert_eq!(next, None);
        rows
    })
}

fn payment_row() -> BillRow {
    BillRow {
        kind: RowKind::Payment,
        payment_id: "p1".to_owned(),
        transaction_id: "pi_1".to_owned(),
        amount: Money::new(12_800, Currency::parse("USD").unwrap()),
        at: jiff::Timestamp::from_second(1_795_435_200).unwrap(),
        echo: Some("lp1.echo".to_owned()),
    }
}

#[test]
fn charges_and_refunds_are_read_with_the_amount_and_currency_of_their_source() {
    let refund_row = BillRow {
        kind: RowKind::Refund { number: "r1".to_owned() },
        at: jiff::Timestamp::from_second(1_795_435_201).unwrap(),
        ..payment_row()
    };
    let expected = vec![payment_row(), refund_row];
    for status in ["pending", "requires_action", "succeeded"] {
        assert_eq!(rows(&[charge(), refund(status)]), Some(expected.clone()), "{status}");
    }
}

#[test]
fn an_intents_id_is_taken_up_to_its_longest() {
    for (len, is_taken) in [(0, true), (ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        for mut transaction in [charge(), refund("succeeded")] {
            transaction["source"]["payment_intent"] = json!("i".repeat(len));
            assert_eq!(rows(&[transaction]).is_some(), is_taken, "{len}");
        }
    }
}

#[test]
fn what_moved_no_money_between_payer_and_us_is_no_row() {
    for kind in ["payout", "stripe_fee", "adjustment", "payment_failure_refund", "refund_failure"] {
        let mut other = charge();
        other["type"] = json!(kind);
        other["source"] = Value::Null;
        assert_eq!(rows(&[other]), Some(vec![]), "{kind}");
    }
    for status in ["failed", "canceled"] {
        assert_eq!(rows(&[refund(status)]), Some(vec![]), "{status}");
    }
    for status in ["pending", "failed"] {
        let mut slow = charge();
        slow["type"] = json!("payment");
        slow["source"]["status"] = json!(status);
        assert_eq!(rows(&[slow]), Some(vec![]), "no money is captured: {status}");
    }
}

#[test]
fn what_carries_no_metadata_of_ours_is_named_by_the_gateways_ids() {
    let mut by_hand = refund("succeeded");
    by_hand["source"]["metadata"] = json!({});
    let read = rows(&[by_hand]).unwrap();
    assert_eq!(read[0].kind, RowKind::Refund { number: "re_1".to_owned() });
    let mut shop = charge();
    shop["source"]["metadata"] = json!({});
    shop["source"]["payment_intent"] = Value::Null;
    let read = rows(&[shop]).unwrap();
    assert_eq!((read[0].payment_id.as_str(), read[0].transaction_id.as_str()), ("", ""));
    assert_eq!(read[0].echo, None);
}

#[test]
fn a_page_says_behind_what_the_next_one_starts() {
    let (_, next) = page(&list(&[charge(), refund("succeeded")], true)).unwrap();
    assert_eq!(next.as_deref(), Some("txn_2"));
    assert_eq!(page(&list(&[], true)), None, "more, and nothing to go on from");
    assert_eq!(page(&list(&[], false)), Some((vec![], None)));
}

#[test]
fn a_page_that_is_not_whole_is_none() {
    for (field, value) in [
        ("amount", json!(0)),
        ("amount", json!(-1)),
        ("amount", json!("12800")),
        ("currency", json!("us")),
        ("status", json!("odd")),
        ("status", Value::Null),
        ("livemode", json!(true)),
    ] {
        let mut one = charge();
        one["source"][field] = value;
        assert_eq!(rows(&[one]), None, "{field}");
    }
    for pointer in ["/source", "/source/charge"] {
        let mut unexpanded = refund("succeeded");
        *unexpanded.pointer_mut(pointer).unwrap() = json!("id_1");
        assert_eq!(rows(&[unexpanded]), None, "{pointer}");
    }
    for body in ["", "[]", "{}", r#"{"object":"search_result","data":[],"has_more":false}"#] {
        assert_eq!(page(body), None, "{body}");
    }
    let whole = list(&[charge(), refund("succeeded")], false);
    for len in 0..whole.len() {
        assert_eq!(page(&whole[..len]), None, "{len} bytes");
    }
}

#[test]
fn a_refusal_is_no_empty_day() {
    let error = json!({ "error": { "type": "invalid_request_error", "message": "no" } });
    for status in [400, 401, 403, 404, 429, 500] {
        let outcome = read_at(MIDNIGHT, &reply(status, error.to_string()));
        assert!(matches!(outcome, BillOutcome::Unknown(_)), "{status}: {outcome:?}");
    }
}

#[test]
fn a_day_that_is_not_over_has_no_bill_whatever_is_answered() {
    let empty = reply(200, list(&[], false));
    for now in ["2026-11-23T00:00:00Z", "2026-11-23T23:59:59.999Z"] {
        let outcome = read_at(now, &empty);
        assert!(matches!(outcome, BillOutcome::NotReady(_)), "{now}: {outcome:?}");
    }
    assert_eq!(read_at(MIDNIGHT, &empty), BillOutcome::Read { rows: vec![], next: None });
}

#[test]
fn a_page_is_asked_for_by_the_day_in_utc_and_by_what_it_starts_behind() {
    let gateway = adapter(settings());
    let bills = gateway.bills().unwrap();
    let stamp = Stamp { now: MIDNIGHT.parse().unwrap(), nonce: [7; 16] };
    let first = bills.ask(&BillStep::Day(day()), stamp);
    let uri = "https://api.stripe.com/v1/balance_transactions?limit=100\
               &expand%5B0%5D=data.source&expand%5B1%5D=data.source.charge\
               &created%5Bgte%5D=1795392000&created%5Blt%5D=1795478400";
    assert_eq!((first.method().as_str(), first.uri().to_string()), ("GET", uri.to_owned()));
    assert!(first.headers().contains_key("authorization"));
    let next = BillStep::Next { day: day(), at: "txn_2".to_owned(), hash: None };
    let next = bills.ask(&next, stamp).uri().to_string();
    assert_eq!(next, format!("{uri}&starting_after=txn_2"));
}
