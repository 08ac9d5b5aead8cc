//! What moved the balance at Stripe.

use serde_json::{Value, json};

use super::support::{Merchant, refusal};
use crate::support::{START_S, set_clock};

const PATH: &str = "/v1/balance_transactions";

async fn list(merchant: &Merchant, query: &str) -> Value {
    let answer = merchant.get(&format!("{PATH}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["object"], "list");
    answer.body
}

fn all<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    list["data"].as_array().unwrap().iter().map(|one| &one[field]).collect()
}

#[tokio::test]
async fn captures_and_refunds_move_the_balance_and_the_newest_is_first() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.opened("order-2").await;
    set_clock(START_S + 60);
    let refund = merchant.refund(&transaction_id, "refund-1").await.body;
    let list = list(&merchant, "").await;
    assert_eq!(all(&list, "type"), ["refund", "charge"]);
    assert_eq!(all(&list, "amount"), [-1280, 1280]);
    assert_eq!(all(&list, "net"), [-1280, 1280]);
    assert_eq!(all(&list, "created"), [START_S + 60, START_S]);
    assert_eq!(all(&list, "source"), [&refund["id"], &refund["charge"]]);
    assert_eq!(all(&list, "object"), ["balance_transaction", "balance_transaction"]);
}

#[tokio::test]
async fn what_is_not_paid_by_card_is_a_payment() {
    let merchant = Merchant::start().await;
    let (_, code) = merchant.shown("order-1").await;
    let transaction_id = merchant.pay(&code).await;
    merchant.refund(&transaction_id, "refund-1").await;
    assert_eq!(all(&list(&merchant, "").await, "type"), ["payment_refund", "payment"]);
}

#[tokio::test]
async fn a_refund_that_fails_moves_the_money_back() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.set_faults(json!({ "refund_outcome": "closed" })).await;
    merchant.refund(&transaction_id, "refund-1").await;
    merchant.stack.ledger_says("order-1", "/refunds/0/status", json!("closed")).await;
    let list = list(&merchant, "expand[]=data.source").await;
    let mut kinds: Vec<_> = all(&list, "type").into_iter().map(Value::to_string).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"charge\"", "\"refund\"", "\"refund_failure\""]);
    let sum: i64 = all(&list, "amount").into_iter().map(|amount| amount.as_i64().unwrap()).sum();
    assert_eq!(sum, 1280);
}

#[tokio::test]
async fn a_source_is_shown_as_far_as_it_is_expanded() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.refund(&transaction_id, "refund-1").await;
    let source = list(&merchant, "type=refund&expand[]=data.source").await;
    let source = &source["data"][0]["source"];
    assert_eq!(
        (&source["object"], &source["payment_intent"]),
        (&json!("refund"), &json!(transaction_id))
    );
    assert!(source["charge"].is_string());
    let both = "expand[0]=data.source&expand[1]=data.source.charge";
    let list = list(&merchant, both).await;
    let charge = json!({ "payment_id": "order-1", "echo": "lp1:booking:order" });
    for one in list["data"].as_array().unwrap() {
        let source = &one["source"];
        let shown = if source["object"] == "refund" { &source["charge"] } else { source };
        assert_eq!((&shown["object"], &shown["metadata"]), (&json!("charge"), &charge));
    }
}

#[tokio::test]
async fn a_list_is_of_a_time_a_kind_and_a_page() {
    let merchant = Merchant::start().await;
    for (number, at_s) in [("order-1", START_S), ("order-2", START_S + 1), ("order-3", START_S + 2)]
    {
        set_clock(at_s);
        merchant.paid(number).await;
    }
    let created = |list: &Value| {
        let all = all(list, "created").into_iter();
        all.map(|at| at.as_i64().unwrap() - START_S).collect::<Vec<_>>()
    };
    for (query, expected) in [
        (format!("created[gte]={}&created[lt]={}", START_S, START_S + 2), vec![1, 0]),
        (format!("created[gte]={}", START_S + 2), vec![2]),
        ("type=charge&limit=2".to_owned(), vec![2, 1]),
        ("type=payment".to_owned(), vec![]),
        ("source=ch_unknown".to_owned(), vec![]),
    ] {
        assert_eq!(created(&list(&merchant, &query).await), expected, "{query}");
    }
    let first = list(&merchant, "limit=2").await;
    assert_eq!(first["has_more"], true);
    let last = first["data"][1]["id"].as_str().unwrap();
    let second = list(&merchant, &format!("limit=2&starting_after={last}")).await;
    assert_eq!((created(&second), &second["has_more"]), (vec![0], &json!(false)));
}

#[tokio::test]
async fn what_is_not_simulated_is_refused() {
    let merchant = Merchant::start().await;
    for (query, param) in [
        ("payout=po_1", "payout"),
        ("type=odd", "type"),
        ("limit=101", "limit"),
        ("expand[]=data.source.transfer", "expand"),
        ("starting_after=txn_unknown", "starting_after"),
    ] {
        let answer = merchant.get(&format!("{PATH}?{query}")).await;
        let (status, _, named) = refusal(&answer);
        assert_eq!((status, named), (400, json!(param)), "{query}: {}", answer.body);
    }
}
