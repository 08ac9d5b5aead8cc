//! What survives a kill.

use std::fs::{OpenOptions, read_to_string};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use simulator::Simulator;
use simulator::config::SimulatorConfig;
use simulator::error::StartError;

use crate::support::{Stack, clock, fresh_file};

async fn start(file: &Path) -> Stack {
    Stack::start_with(|config| config.data = Some(file.to_owned())).await
}

#[tokio::test]
async fn payments_refunds_and_codes_are_known_after_a_restart() {
    let file = fresh_file("restart_known.jsonl");
    let first = start(&file).await;
    let transaction_id = first.paid("order-1").await;
    first.refund(&first.refund_of(&transaction_id, "refund-1")).await;
    first.ledger_says("order-1", "/notifications/acknowledged", json!(2)).await;
    let code_url = first.created("order-2").await;
    first.created("order-3").await;
    first.close("order-3").await;
    let before = first.ledger("order-1").await;
    drop(first);
    let second = start(&file).await;
    assert_eq!(second.ledger("order-1").await, before);
    assert_eq!(second.refund_status("refund-1").await, "SUCCESS");
    assert_eq!(second.query("order-3").await.body["trade_state"], "CLOSED");
    let paid = second.pay(json!({ "code_url": code_url })).await;
    assert_eq!(paid.status, 200);
    assert_ne!(paid.body["transaction_id"], transaction_id.as_str());
}

#[tokio::test]
async fn notifications_and_refunds_under_way_go_on_after_a_restart() {
    let file = fresh_file("restart_under_way.jsonl");
    let first = Stack::start_with(|config| {
        config.data = Some(file.clone());
        config.refund_delay = Duration::from_secs(600);
        config.retry_schedule = vec![Duration::from_secs(600)];
    })
    .await;
    first.callback.answers([500]);
    let transaction_id = first.paid("order-1").await;
    first.ledger_says("order-1", "/notifications/sent", json!(1)).await;
    first.refund(&first.refund_of(&transaction_id, "refund-1")).await;
    // The addresses of the first callback go on working: it outlives its simulator here.
    let callback = first.callback.clone();
    drop(first);
    let second = start(&file).await;
    second.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
    second.ledger_says("order-1", "/notifications", json!({ "sent": 3, "acknowledged": 2 })).await;
    assert_eq!(callback.all().len(), 3);
}

#[tokio::test]
async fn a_torn_last_line_is_forgotten() {
    let file = fresh_file("restart_torn.jsonl");
    let first = start(&file).await;
    first.created("order-1").await;
    drop(first);
    let complete = read_to_string(&file).unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"[{\"payment_cl").unwrap();
    let second = start(&file).await;
    assert_eq!(read_to_string(&file).unwrap(), complete);
    assert_eq!(second.close("order-1").await.status, 204);
    drop(second);
    let third = start(&file).await;
    assert_eq!(third.ledger("order-1").await["closed"], true);
}

#[tokio::test]
async fn a_spoiled_line_stops_the_start() {
    let file = fresh_file("restart_spoiled.jsonl");
    std::fs::write(&file, "[]\nspoiled\n[]\n").unwrap();
    let mut config = SimulatorConfig::new("http://127.0.0.1:1", std::sync::Arc::new(clock));
    config.data = Some(file);
    let error = Simulator::start(config).err();
    assert!(matches!(error, Some(StartError::Corrupt { line: 2, .. })), "{error:?}");
}
