//! Money on its way back through Stripe.

use serde_json::{Value, json};

use super::support::{Merchant, form, refusal, with};
use crate::support::{START_S, set_clock};

async fn status(merchant: &Merchant, refund: &Value) -> Value {
    let path = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    merchant.get(&path).await.body["status"].clone()
}

#[tokio::test]
async fn a_refund_is_pending_then_succeeds_and_is_told() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.callback.wait(3).await;
    let refund = merchant.refund(&transaction_id, "refund-1").await;
    assert_eq!(refund.status, 200, "{}", refund.body);
    assert!(refund.body["id"].as_str().unwrap().starts_with("re_"));
    for (name, value) in [
        ("object", json!("refund")),
        ("status", json!("pending")),
        ("pending_reason", json!("processing")),
        ("amount", json!(1280)),
        ("currency", json!("cny")),
        ("payment_intent", json!(transaction_id)),
        ("reason", json!("requested_by_customer")),
        ("metadata", json!({ "refund_number": "refund-1" })),
    ] {
        assert_eq!(refund.body[name], value, "{name}");
    }
    merchant.stack.callback.wait(6).await;
    assert_eq!(status(&merchant, &refund.body).await, "succeeded");
    let created = merchant.event("refund.created");
    assert_eq!(created["data"]["object"], refund.body);
    let updated = merchant.event("refund.updated");
    assert_eq!(updated["data"]["object"]["status"], "succeeded");
    assert_eq!(updated["data"]["previous_attributes"], json!({ "status": "pending" }));
    let charge = merchant.event("charge.refunded");
    assert_eq!(charge["data"]["object"]["amount_refunded"], 1280);
    assert_eq!(charge["data"]["object"]["refunded"], true);
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["refunded"], json!({ "amount": 1280, "currency": "CNY" }));
    assert_eq!(line["refunds"][0]["refund_no"], "refund-1");
    assert_eq!(line["refunds"][0]["refund_id"], refund.body["id"]);
    merchant
        .stack
        .ledger_says("order-1", "/refunds/0/notifications", json!({ "sent": 3, "acknowledged": 3 }))
        .await;
}

#[tokio::test]
async fn the_plan_says_how_a_refund_ends() {
    for (outcome, ends, refunded) in
        [("success", "succeeded", 1280), ("closed", "failed", 0), ("failed_later", "failed", 0)]
    {
        let merchant = Merchant::start().await;
        let transaction_id = merchant.paid("order-1").await;
        merchant.stack.set_faults(json!({ "refund_outcome": outcome })).await;
        let refund = merchant.refund(&transaction_id, "refund-1").await.body;
        let last = if ends == "failed" { "closed" } else { "success" };
        merchant.stack.ledger_says("order-1", "/refunds/0/status", json!(last)).await;
        assert_eq!(status(&merchant, &refund).await, ends, "{outcome}");
        assert_eq!(merchant.stack.ledger("order-1").await["refunded"]["amount"], refunded);
    }
}

#[tokio::test]
async fn a_refund_that_fails_later_was_told_to_have_succeeded() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.callback.wait(3).await;
    merchant.stack.set_faults(json!({ "refund_outcome": "failed_later" })).await;
    let refund = merchant.refund(&transaction_id, "refund-1").await.body;
    merchant.stack.callback.wait(8).await;
    let failed = merchant.event("refund.failed");
    assert_eq!(failed["data"]["object"]["id"], refund["id"]);
    assert_eq!(failed["data"]["object"]["failure_reason"], "unknown");
    assert_eq!(failed["data"]["previous_attributes"], json!({ "status": "succeeded" }));
    let delivered = merchant.stack.callback.all();
    let mut updates: Vec<Value> = delivered
        .iter()
        .map(super::support::event)
        .filter(|event| event["type"] == "refund.updated")
        .map(|event| event["data"]["object"]["status"].clone())
        .collect();
    updates.sort_by_key(Value::to_string);
    assert_eq!(updates, [json!("failed"), json!("succeeded")]);
    let again = merchant.refund(&transaction_id, "refund-2").await;
    assert_eq!(again.status, 200, "{}", again.body);
}

#[tokio::test]
async fn an_empty_balance_refuses_the_refund() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.set_faults(json!({ "refund_outcome": "abnormal" })).await;
    let refused = merchant.refund(&transaction_id, "refund-1").await;
    assert_eq!(refusal(&refused), (400, json!("balance_insufficient"), Value::Null));
    assert_eq!(merchant.stack.ledger("order-1").await["refunds"], json!([]));
}

#[tokio::test]
async fn refunds_never_exceed_the_charge() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let part = |amount: &str, number: &str| {
        with(&merchant.refund_of(&transaction_id, number), "amount", Some(amount))
    };
    assert_eq!(merchant.post("/v1/refunds", &part("1000", "refund-1")).await.status, 200);
    let too_much = merchant.post("/v1/refunds", &part("281", "refund-2")).await;
    assert_eq!(refusal(&too_much), (400, Value::Null, json!("amount")));
    let message = too_much.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("greater than unrefunded amount on charge (2.80 cny)"), "{message}");
    let rest = form(&[("payment_intent", &transaction_id)]);
    let rest = merchant.post("/v1/refunds", &rest).await;
    assert_eq!((rest.status, &rest.body["amount"]), (200, &json!(280)));
    let nothing = merchant.post("/v1/refunds", &part("1", "refund-3")).await;
    assert_eq!(refusal(&nothing), (400, json!("charge_already_refunded"), Value::Null));
    merchant.stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
}

#[tokio::test]
async fn a_failed_refund_leaves_room_for_another() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.set_faults(json!({ "refund_outcome": "closed" })).await;
    merchant.refund(&transaction_id, "refund-1").await;
    merchant.stack.ledger_says("order-1", "/refunds/0/status", json!("closed")).await;
    merchant.stack.set_faults(json!({})).await;
    let second = merchant.refund(&transaction_id, "refund-2").await;
    assert_eq!(second.status, 200, "{}", second.body);
    merchant.stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
}

#[tokio::test]
async fn a_malformed_or_impossible_refund_is_refused() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let (unpaid, _) = merchant.shown("unpaid-1").await;
    let refund = merchant.refund_of(&transaction_id, "refund-1");
    let other = merchant.paid("order-2").await;
    let other_charge = other.replace("pi_", "ch_");
    for (name, value, code, param) in [
        ("unknown", Some("1"), "parameter_unknown", "unknown"),
        ("amount", Some("0"), "parameter_invalid_integer", "amount"),
        ("amount", Some("12.8"), "parameter_invalid_integer", "amount"),
        ("amount", Some("1281"), "", "amount"),
        ("reason", Some("bored"), "", "reason"),
        ("payment_intent", None, "parameter_missing", ""),
        ("payment_intent", Some("pi_x"), "resource_missing", "payment_intent"),
        (
            "payment_intent",
            unpaid["id"].as_str(),
            "payment_intent_unexpected_state",
            "payment_intent",
        ),
        ("charge", Some("ch_x"), "resource_missing", "charge"),
        ("charge", Some(&other_charge), "", "charge"),
        ("metadata[k]", Some(&"v".repeat(501)), "", "metadata[k]"),
    ] {
        let answer = merchant.post("/v1/refunds", &with(&refund, name, value)).await;
        let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        assert_eq!(refusal(&answer), (400, text(code), text(param)), "{name} {value:?}");
    }
    let by_charge = with(&refund, "payment_intent", None);
    let by_charge = with(&by_charge, "charge", Some(&transaction_id.replace("pi_", "ch_")));
    assert_eq!(merchant.post("/v1/refunds", &by_charge).await.status, 200);
}

#[tokio::test]
async fn a_payment_by_wechat_pay_goes_back_within_180_days() {
    let merchant = Merchant::start().await;
    let (_, qr) = merchant.shown("order-1").await;
    let transaction_id = merchant.pay(&qr).await;
    set_clock(START_S + 180 * 24 * 60 * 60 + 1);
    assert_eq!(merchant.refund(&transaction_id, "refund-1").await.status, 400);
    set_clock(START_S + 180 * 24 * 60 * 60);
    assert_eq!(merchant.refund(&transaction_id, "refund-1").await.status, 200);
}

#[tokio::test]
async fn refunds_are_listed_by_their_payment_the_newest_first() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let other = merchant.paid("order-2").await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let part = merchant.refund_of(&transaction_id, &format!("refund-{number}"));
        let part = with(&part, "amount", Some("100"));
        ids.insert(0, merchant.post("/v1/refunds", &part).await.body["id"].clone());
    }
    merchant.refund(&other, "refund-9").await;
    let listed = async |query: String| {
        let list = merchant.get(&format!("/v1/refunds?{query}")).await.body;
        let found = list["data"].as_array().unwrap().iter();
        (found.map(|it| it["id"].clone()).collect::<Vec<_>>(), list["has_more"].clone())
    };
    let of_payment = format!("payment_intent={transaction_id}");
    assert_eq!(listed(of_payment.clone()).await, (ids.clone(), json!(false)));
    let of_charge = format!("charge={}", transaction_id.replace("pi_", "ch_"));
    assert_eq!(listed(of_charge).await.0, ids);
    assert_eq!(listed(format!("{of_payment}&limit=1")).await, (ids[..1].to_vec(), json!(true)));
    let after = ids[0].as_str().unwrap();
    let rest = listed(format!("{of_payment}&starting_after={after}")).await;
    assert_eq!(rest, (ids[1..].to_vec(), json!(false)));
    assert_eq!(listed("limit=100".to_owned()).await.0.len(), 4);
    let unknown = merchant.get("/v1/refunds?payment_intent=pi_x").await;
    assert_eq!(refusal(&unknown), (400, json!("resource_missing"), json!("payment_intent")));
}

#[tokio::test]
async fn a_refund_shows_its_charge_and_payment_when_asked() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let refund = merchant.refund(&transaction_id, "refund-1").await.body;
    let id = refund["id"].as_str().unwrap();
    let path = format!("/v1/refunds/{id}?expand[]=charge&expand[]=payment_intent");
    let shown = merchant.get(&path).await.body;
    assert_eq!(shown["charge"]["amount_refunded"], 1280);
    assert_eq!(shown["payment_intent"]["id"], transaction_id.as_str());
    let unknown = merchant.get("/v1/refunds/re_x").await;
    assert_eq!(refusal(&unknown), (404, json!("resource_missing"), json!("id")));
}
