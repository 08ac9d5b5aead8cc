//! What survives a kill at Stripe.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{Merchant, form};
use crate::support::{START_S, fresh_file, set_clock};

async fn start(file: &Path) -> Merchant {
    Merchant::start_with(|config| config.data = Some(file.to_owned())).await
}

fn path(session: &Value) -> String {
    format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn sessions_intents_and_refunds_are_known_after_a_restart() {
    let file = fresh_file("stripe_known.jsonl");
    let first = start(&file).await;
    let session = first.opened("order-1").await;
    let transaction_id = first.pay(&session["url"]).await;
    first.refund(&transaction_id, "refund-1").await;
    first.stack.ledger_says("order-1", "/notifications/acknowledged", json!(6)).await;
    let open = first.opened("order-2").await;
    let closed = first.opened("order-3").await;
    first.post(&format!("{}/expire", path(&closed)), &form(&[])).await;
    let (intent, qr) = first.shown("order-4").await;
    first.stack.callback.wait(7).await;
    let (before, shown) = (first.stack.ledger("order-1").await, first.get(&path(&session)).await);
    drop(first);
    let second = start(&file).await;
    assert_eq!(second.stack.ledger("order-1").await, before);
    assert_eq!(second.get(&path(&session)).await.body, shown.body);
    assert_eq!(second.get(&path(&open)).await.body, open);
    assert_eq!(second.get(&path(&closed)).await.body["status"], "expired");
    assert_eq!(second.stack.ledger("order-3").await["closed"], true);
    assert_ne!(second.pay(&open["url"]).await, transaction_id);
    assert_eq!(second.pay(&qr).await, intent["id"].as_str().unwrap());
    let refunds = second.get(&format!("/v1/refunds?payment_intent={transaction_id}")).await.body;
    assert_eq!(refunds["data"][0]["status"], "succeeded");
}

#[tokio::test]
async fn events_refunds_and_money_under_way_go_on_after_a_restart() {
    let file = fresh_file("stripe_under_way.jsonl");
    let first = Merchant::start_with(|config| {
        config.data = Some(file.clone());
        config.refund_delay = Duration::from_secs(600);
        config.retry_schedule = vec![Duration::from_secs(600)];
    })
    .await;
    first.stack.callback.answers([500; 3]);
    let transaction_id = first.paid("order-1").await;
    first.stack.ledger_says("order-1", "/notifications/sent", json!(3)).await;
    let slow = first.opened("order-2").await;
    first.stack.pay(json!({ "code_url": slow["url"], "delayed": true })).await;
    first.stack.set_faults(json!({ "refund_outcome": "failed_later" })).await;
    first.refund(&transaction_id, "refund-1").await;
    drop(first);
    let second = start(&file).await;
    second.stack.ledger_says("order-1", "/refunds/0/status", json!("closed")).await;
    second.stack.ledger_says("order-2", "/captured/amount", json!(1280)).await;
    let sent = json!({ "sent": 6, "acknowledged": 3 });
    second.stack.ledger_says("order-1", "/transactions/0/notifications", sent).await;
}

#[tokio::test]
async fn a_session_whose_time_came_while_it_was_off_has_expired() {
    let file = fresh_file("stripe_expired.jsonl");
    let first = start(&file).await;
    first.opened("order-1").await;
    drop(first);
    set_clock(START_S + 1_860);
    let second = start(&file).await;
    second.stack.ledger_says("order-1", "/closed", json!(true)).await;
    second.stack.callback.wait(1).await;
    second.event("checkout.session.expired");
}
