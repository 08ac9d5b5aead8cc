//! Stripe's pages of balance transactions.

use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use gateways::bill::stripe::{MetadataKeys, Page, UnreadablePage, page};
use serde_json::{Value, json};

const KEYS: MetadataKeys =
    MetadataKeys { payment_id: "payment_id", echo: "echo", refund_number: "refund_number" };

fn charge() -> Value {
    json!({
        "id": "txn_1",
        "object": "balance_transaction",
        "type": "charge",
        "amount": 11_000,
        "currency": "eur",
        "created": 1_795_392_000,
        "source": {
            "id": "ch_1",
            "object": "charge",
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
        "created": 1_795_392_001,
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

fn read(data: &[Value], has_more: bool) -> Result<Page, UnreadablePage> {
    page(list(data, has_more).as_bytes(), KEYS)
}

fn payment_row() -> BillRow {
    BillRow {
        kind: RowKind::Payment,
        payment_id: "p1".to_owned(),
        transaction_id: "pi_1".to_owned(),
        amount: Money::new(12_800, Currency::parse("USD").unwrap()),
        at: jiff::Timestamp::from_second(1_795_392_000).unwrap(),
        echo: Some("lp1.echo".to_owned()),
    }
}

#[test]
fn charges_and_refunds_are_read_with_the_amount_and_currency_of_their_source() {
    let refund_row = BillRow {
        kind: RowKind::Refund { number: "r1".to_owned() },
        at: jiff::Timestamp::from_second(1_795_392_001).unwrap(),
        ..payment_row()
    };
    let rows = vec![payment_row(), refund_row];
    assert_eq!(read(&[charge(), refund("pending")], false), Ok(Page { rows, next: None }));
}

#[test]
fn other_movements_and_refunds_that_failed_are_no_rows() {
    for kind in ["payout", "stripe_fee", "adjustment", "payment_failure_refund"] {
        let mut other = charge();
        other["type"] = json!(kind);
        other["source"] = Value::Null;
        assert_eq!(read(&[other], false).unwrap().rows, [], "{kind}");
    }
    for status in ["failed", "canceled"] {
        assert_eq!(read(&[refund(status)], false).unwrap().rows, [], "{status}");
    }
}

#[test]
fn what_carries_no_metadata_of_ours_is_named_by_the_gateways_ids() {
    let mut by_hand = refund("succeeded");
    by_hand["source"]["metadata"] = json!({});
    let rows = read(&[by_hand], false).unwrap().rows;
    assert_eq!(rows[0].kind, RowKind::Refund { number: "re_1".to_owned() });
    let mut shop = charge();
    shop["source"]["metadata"] = json!({});
    shop["source"]["payment_intent"] = Value::Null;
    let rows = read(&[shop], false).unwrap().rows;
    assert_eq!((rows[0].payment_id.as_str(), rows[0].transaction_id.as_str()), ("", ""));
    assert_eq!(rows[0].echo, None);
}

#[test]
fn a_page_says_behind_what_the_next_one_starts() {
    let pages = read(&[charge(), refund("succeeded")], true).unwrap();
    assert_eq!(pages.next.as_deref(), Some("txn_2"));
    assert_eq!(read(&[charge()], false).unwrap().next, None);
    assert_eq!(read(&[], true), Err(UnreadablePage), "more, and nothing to go on from");
}

#[test]
fn a_page_that_is_not_whole_is_none() {
    for (field, value) in [
        ("amount", json!(0)),
        ("amount", json!(-1)),
        ("amount", json!("12800")),
        ("currency", json!("us")),
    ] {
        let mut one = charge();
        one["source"][field] = value;
        assert_eq!(read(&[one], false), Err(UnreadablePage), "{field}");
    }
    let mut unexpanded = charge();
    unexpanded["source"] = json!("ch_1");
    assert_eq!(read(&[unexpanded], false), Err(UnreadablePage));
    for body in ["", "[]", "{}", r#"{"object":"charge","data":[],"has_more":false}"#] {
        assert_eq!(page(body.as_bytes(), KEYS), Err(UnreadablePage), "{body}");
    }
}
