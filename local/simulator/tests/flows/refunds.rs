//! Money on its way back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{START_S, Stack, set_clock};

#[tokio::test]
async fn a_refund_is_accepted_then_succeeds_and_is_notified() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.callback.wait(1).await;
    let accepted = stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
    assert_eq!((accepted.status, &accepted.body["status"]), (200, &json!("PROCESSING")));
    assert_eq!(accepted.body["amount"]["refund"], 1280);
    assert_eq!(stack.query("order-1").await.body["trade_state"], "REFUND");
    let delivered = stack.callback.wait(2).await;
    let (envelope, notice) = stack.open(&delivered[1]).unwrap();
    assert_eq!(envelope["event_type"], "REFUND.SUCCESS");
    assert_eq!(envelope["resource"]["original_type"], "refund");
    assert_eq!(notice["refund_status"], "SUCCESS");
    assert_eq!(notice.get("status"), None);
    assert_eq!(notice["out_refund_no"], "refund-1");
    assert_eq!(notice["transaction_id"], transaction_id.as_str());
    assert_eq!(stack.refund_status("refund-1").await, "SUCCESS");
    let line = stack.ledger("order-1").await;
    assert_eq!(line["refunded"], json!({ "amount": 1280, "currency": "CNY" }));
}

#[tokio::test]
async fn one_refund_number_refunds_once() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    let refund = stack.refund_of(&transaction_id, "refund-1");
    let first = stack.refund(&refund).await.body;
    stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
    let again = stack.refund(&refund).await;
    assert_eq!((again.status, &again.body["status"]), (200, &json!("SUCCESS")));
    assert_eq!(first["refund_id"], again.body["refund_id"]);
    let mut changed = refund;
    changed["reason"] = json!("other");
    let refused = stack.refund(&changed).await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("INVALID_REQUEST")));
    assert_eq!(stack.ledger("order-1").await["refunded"]["amount"], 1280);
}

#[tokio::test]
async fn refunds_never_exceed_the_payment_and_keep_their_distance() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    let part = |number: &str, fen: i64| {
        let mut refund = stack.refund_of(&transaction_id, number);
        refund["amount"]["refund"] = json!(fen);
        refund
    };
    assert_eq!(stack.refund(&part("refund-1", 1000)).await.status, 200);
    let early = stack.refund(&part("refund-2", 280)).await;
    assert_eq!((early.status, &early.body["code"]), (400, &json!("INVALID_REQUEST")));
    assert!(early.body["message"].as_str().unwrap().contains("1 minute"));
    set_clock(START_S + 60);
    assert_eq!(stack.refund(&part("refund-3", 281)).await.body["code"], "INVALID_REQUEST");
    assert_eq!(stack.refund(&part("refund-4", 280)).await.status, 200);
    stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
}

#[tokio::test]
async fn a_refund_may_end_otherwise() {
    for (outcome, status, event) in
        [("abnormal", "ABNORMAL", "REFUND.ABNORMAL"), ("closed", "CLOSED", "REFUND.CLOSED")]
    {
        let stack = Stack::start().await;
        let transaction_id = stack.paid("order-1").await;
        stack.callback.wait(1).await;
        stack.set_faults(json!({ "refund_outcome": outcome, "refund_delay_ms": 0 })).await;
        stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
        let delivered = stack.callback.wait(2).await;
        let (envelope, notice) = stack.open(&delivered[1]).unwrap();
        assert_eq!(envelope["event_type"], event);
        assert_eq!(notice["refund_status"], status);
        assert_eq!(notice.get("success_time"), None);
        assert_eq!(stack.refund_status("refund-1").await, status);
        assert_eq!(stack.ledger("order-1").await["refunded"]["amount"], 0);
    }
}

#[tokio::test]
async fn a_closed_refund_leaves_room_for_a_new_number() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.set_faults(json!({ "refund_outcome": "closed" })).await;
    stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
    stack.ledger_says("order-1", "/refunds/0/status", json!("closed")).await;
    stack.set_faults(json!({})).await;
    let second = stack.refund(&stack.refund_of(&transaction_id, "refund-2")).await;
    assert_eq!(second.status, 200, "{}", second.body);
    stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
}

#[tokio::test]
async fn a_second_transaction_is_refunded_by_itself() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    stack.pay(json!({ "code_url": code_url })).await;
    let second = stack.pay(json!({ "code_url": code_url, "force": true })).await.body;
    let transaction_id = second["transaction_id"].as_str().unwrap();
    assert_eq!(stack.refund(&stack.refund_of(transaction_id, "refund-1")).await.status, 200);
    stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
    assert_eq!(stack.query("order-1").await.body["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn a_refund_without_a_notify_url_is_not_notified() {
    let stack = Stack::start().await;
    stack.paid("order-1").await;
    stack.callback.wait(1).await;
    let refund = json!({
        "out_trade_no": "order-1",
        "out_refund_no": "refund-1",
        "amount": { "refund": 1280, "total": 1280, "currency": "CNY" },
    });
    assert_eq!(stack.refund(&refund).await.status, 200);
    stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(stack.callback.all().len(), 1);
}

#[tokio::test]
async fn a_malformed_or_impossible_refund_is_refused() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.created("unpaid-1").await;
    let refund = stack.refund_of(&transaction_id, "refund-1");
    for (pointer, value, status, code) in [
        ("/out_refund_no", json!(""), 400, "PARAM_ERROR"),
        ("/out_refund_no", json!("r".repeat(65)), 400, "PARAM_ERROR"),
        ("/reason", json!("r".repeat(81)), 400, "PARAM_ERROR"),
        ("/transaction_id", json!("4200"), 404, "RESOURCE_NOT_EXISTS"),
        ("/transaction_id", Value::Null, 400, "PARAM_ERROR"),
        ("/notify_url", json!("https://a/?b"), 400, "PARAM_ERROR"),
        ("/amount/refund", json!(0), 400, "PARAM_ERROR"),
        ("/amount/refund", json!(1281), 400, "INVALID_REQUEST"),
        ("/amount/total", json!(1281), 400, "INVALID_REQUEST"),
        ("/amount/currency", json!("USD"), 400, "PARAM_ERROR"),
    ] {
        let mut spoiled = refund.clone();
        *spoiled.pointer_mut(pointer).unwrap() = value.clone();
        let answer = stack.refund(&spoiled).await;
        let found = (answer.status, &answer.body["code"]);
        assert_eq!(found, (status, &json!(code)), "{pointer} {value}");
    }
    let mut unpaid = refund.clone();
    unpaid["transaction_id"] = Value::Null;
    unpaid["out_trade_no"] = json!("unpaid-1");
    assert_eq!(stack.refund(&unpaid).await.body["code"], "INVALID_REQUEST");
    set_clock(START_S + 365 * 24 * 60 * 60 + 1);
    assert_eq!(stack.refund(&refund).await.body["code"], "INVALID_REQUEST");
    set_clock(START_S + 365 * 24 * 60 * 60);
    assert_eq!(stack.refund(&refund).await.status, 200);
}
