//! What survives a kill.

use std::fs::{read_to_string, write};
use std::path::Path;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::merchant::Merchant;
use crate::support::fresh_file;

async fn start(file: &Path) -> Merchant {
    Merchant::start_with(|config| config.data = Some(file.to_owned())).await
}

#[tokio::test]
async fn trades_refunds_and_codes_are_known_after_a_restart() {
    let file = fresh_file("alipay_restart_known.jsonl");
    let first = start(&file).await;
    let trade_no = first.paid("order_1").await;
    first.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    first.stack.ledger_says("order_1", "/notifications/acknowledged", json!(2)).await;
    let unscanned = first.precreated("order_2").await;
    let scanned = first.scanned("order_3").await;
    first.cancel("order_4").await;
    let ledgers = async |merchant: &Merchant| {
        merchant.stack.control(Method::GET, "ledger", json!(null)).await.body
    };
    let before = ledgers(&first).await;
    let trade = first.query("order_3").await.text;
    drop(first);
    let second = start(&file).await;
    assert_eq!(ledgers(&second).await, before);
    assert_eq!(before["cancels"], 1);
    assert_eq!(second.query("order_3").await.text, trade);
    assert_eq!(second.query("order_2").await.code(), "ACQ.TRADE_NOT_EXIST");
    for code_url in [unscanned, scanned] {
        assert_eq!(second.stack.pay(json!({ "code_url": code_url })).await.status, 200);
    }
    let found = second.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(found["refund_status"], "REFUND_SUCCESS");
}

#[tokio::test]
async fn refunds_and_the_choice_of_the_key_go_on_after_a_restart() {
    let file = fresh_file("alipay_restart_under_way.jsonl");
    let first = Merchant::start_with(|config| {
        config.data = Some(file.clone());
        config.refund_delay = Duration::from_secs(600);
    })
    .await;
    let trade_no = first.paid("order_1").await;
    first.stack.set_faults(json!({ "refund_outcome": "closed", "refund_delay_ms": 0 })).await;
    first.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    first.stack.ledger_says("order_1", "/refunds/0/status", json!("closed")).await;
    assert_eq!(read_to_string(&file).unwrap().matches("notification_queued").count(), 1);
    first.stack.set_faults(json!({})).await;
    first.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    first.signs_with("previous").await;
    // The addresses of the first callback go on working: it outlives its simulator here.
    let callback = first.callback.clone();
    drop(first);
    let second = start(&file).await;
    second.stack.ledger_says("order_1", "/refunded/amount", json!(1280)).await;
    let notices = callback.wait(2).await;
    assert_eq!(notices[1]["trade_status"], "TRADE_CLOSED");
    assert!(!second.is_genuine(&notices[1]));
}

#[tokio::test]
async fn a_journal_from_before_there_were_trades_still_loads() {
    let file = fresh_file("alipay_restart_old.jsonl");
    let first = start(&file).await;
    let code_url = first.stack.created("order-1").await;
    drop(first);
    let journal = read_to_string(&file).unwrap();
    let mut lines: Vec<Value> =
        journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let created = lines[0][0]["payment_created"].as_object_mut().unwrap();
    assert_eq!(created.remove("trade"), Some(Value::Null));
    let old: String = lines.iter().map(|line| format!("{line}\n")).collect();
    write(&file, old).unwrap();
    let second = start(&file).await;
    assert_eq!(second.stack.pay(json!({ "code_url": code_url })).await.status, 200);
}
