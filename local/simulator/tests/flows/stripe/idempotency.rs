//! One key, one result.

use serde_json::{Value, json};

use super::support::{Merchant, form, refusal, with};
use crate::support::{START_S, fresh_file, set_clock};

const SESSIONS: &str = "/v1/checkout/sessions";
const DAY_S: i64 = 24 * 60 * 60;

#[tokio::test]
async fn a_repeated_key_gets_the_first_result_and_does_nothing() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order-1");
    let first = merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    // Long after its times would be refused in a new request, in another order.
    set_clock(START_S + 3_600);
    let turned: Vec<_> = order.into_iter().rev().collect();
    let again = merchant.post_keyed(SESSIONS, &turned, "pay:1").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["original-request"], first.headers["request-id"]);
    assert_ne!(again.headers["request-id"], first.headers["request-id"]);
    assert_eq!(again.headers["idempotency-key"], "pay:1");
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["code_urls"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_with_other_parameters_or_another_path_is_refused() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order-1");
    merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    let later = (START_S + 32 * 60).to_string();
    let changed = with(&order, "expires_at", Some(&later));
    let unknown = with(&order, "unknown", Some("1"));
    for (path, body, expected) in [
        (SESSIONS, &changed, "same parameters"),
        (SESSIONS, &unknown, "same parameters"),
        ("/v1/refunds", &order, "same endpoint"),
    ] {
        let refused = merchant.post_keyed(path, body, "pay:1").await;
        assert_eq!(
            (refused.status, &refused.body["error"]["type"]),
            (400, &json!("idempotency_error"))
        );
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let merchant = Merchant::start().await;
    let order = with(&merchant.order("order-1"), "expires_at", None);
    let first = merchant.post_keyed(SESSIONS, &order, "pay:1").await.body;
    set_clock(START_S + DAY_S - 1);
    let kept = merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!(kept.body["id"], first["id"]);
    set_clock(START_S + DAY_S);
    let fresh = merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!(fresh.status, 200);
    assert_ne!(fresh.body["id"], first["id"]);
    assert_eq!(fresh.headers.get("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_refund_repeated_after_a_day_is_a_second_refund() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let part = with(&merchant.refund_of(&transaction_id, "refund-1"), "amount", Some("500"));
    let first = merchant.post_keyed("/v1/refunds", &part, "refund-1").await.body;
    let again = merchant.post_keyed("/v1/refunds", &part, "refund-1").await.body;
    assert_eq!(first, again);
    set_clock(START_S + DAY_S);
    let second = merchant.post_keyed("/v1/refunds", &part, "refund-1").await.body;
    assert_ne!(first["id"], second["id"]);
    merchant.stack.ledger_says("order-1", "/refunded/amount", json!(1000)).await;
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["refunds"][0]["refund_no"], "refund-1");
    assert_eq!(line["refunds"][1]["refund_no"], second["id"]);
}

#[tokio::test]
async fn a_refusal_of_the_state_is_kept_and_one_of_the_parameters_is_not() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let transaction_id = merchant.pay(&session["url"]).await;
    merchant.stack.set_faults(json!({ "refund_outcome": "abnormal" })).await;
    let refund = merchant.refund_of(&transaction_id, "refund-1");
    let refused = merchant.post_keyed("/v1/refunds", &refund, "refund-1").await;
    assert_eq!(refusal(&refused).1, "balance_insufficient");
    merchant.stack.set_faults(json!({})).await;
    let again = merchant.post_keyed("/v1/refunds", &refund, "refund-1").await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body, refused.body);
    let fresh = merchant.post_keyed("/v1/refunds", &refund, "refund-2").await;
    assert_eq!(fresh.status, 200);
    let wrong = with(&refund, "amount", Some("x"));
    assert_eq!(merchant.post_keyed("/v1/refunds", &wrong, "refund-3").await.status, 400);
    let corrected = merchant.post_keyed("/v1/refunds", &refund, "refund-3").await;
    assert_eq!(refusal(&corrected), (400, json!("charge_already_refunded"), Value::Null));
    assert_eq!(corrected.headers.get("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_kept_failure_is_repeated_although_nothing_happened() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "failures_kept": 1 })).await;
    let order = merchant.order("order-1");
    let broken = merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!((broken.status, &broken.body["error"]["type"]), (500, &json!("api_error")));
    merchant.stack.set_faults(json!({})).await;
    let again = merchant.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!(
        (again.status, &again.headers["idempotent-replayed"]),
        (500, &"true".parse().unwrap())
    );
    let list = merchant.get(SESSIONS).await.body;
    assert_eq!(list["data"], json!([]));
    assert_eq!(merchant.post_keyed(SESSIONS, &order, "pay:2").await.status, 200);
}

#[tokio::test]
async fn a_key_has_255_characters_at_most() {
    let merchant = Merchant::start().await;
    for (length, status) in [(255, 200), (256, 400)] {
        let order = merchant.order(&format!("order-{length}"));
        let answer = merchant.post_keyed(SESSIONS, &order, &"k".repeat(length)).await;
        assert_eq!(answer.status, status, "{length}");
    }
}

#[tokio::test]
async fn without_a_key_every_call_is_a_new_one() {
    let merchant = Merchant::start().await;
    let first = merchant.opened("order-1").await;
    let second = merchant.opened("order-1").await;
    assert_ne!(first["id"], second["id"]);
    let expire = format!("{SESSIONS}/{}/expire", first["id"].as_str().unwrap());
    assert_eq!(merchant.post(&expire, &form(&[])).await.status, 200);
    assert_eq!(merchant.post(&expire, &form(&[])).await.status, 400);
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let file = fresh_file("stripe_key.jsonl");
    let first = Merchant::start_with(|config| config.data = Some(file.clone())).await;
    let order = first.order("order-1");
    let session = first.post_keyed(SESSIONS, &order, "pay:1").await.body;
    drop(first);
    let second = Merchant::start_with(|config| config.data = Some(file.clone())).await;
    let again = second.post_keyed(SESSIONS, &order, "pay:1").await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body, session);
}
