//! The customer's wallet at Stripe.

use serde_json::{Value, json};

use super::support::{Merchant, form};
use crate::support::{START_S, set_clock};

fn path(session: &Value) -> String {
    format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn the_wallet_pays_a_session_and_says_when() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 60);
    let paid = merchant.stack.pay(json!({ "code_url": session["url"] })).await.body;
    assert_eq!(paid["payment_id"], "order-1");
    assert_eq!(paid["paid_at"], "2026-01-01T00:01:00Z");
    assert!(paid["transaction_id"].as_str().unwrap().starts_with("pi_"));
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["captured"], json!({ "amount": 1280, "currency": "CNY" }));
    assert_eq!(line["transactions"][0]["transaction_id"], paid["transaction_id"]);
}

#[tokio::test]
async fn the_wallet_refuses_what_stripe_would() {
    let merchant = Merchant::start().await;
    let refused = async |code_url: Value| {
        let answer = merchant.stack.pay(json!({ "code_url": code_url })).await;
        (answer.status, answer.body["code"].clone())
    };
    assert_eq!(
        refused(json!("https://checkout.stripe.com/c/pay/x")).await,
        (404, json!("unknown_code"))
    );
    let paid = merchant.opened("order-1").await;
    merchant.pay(&paid["url"]).await;
    assert_eq!(refused(paid["url"].clone()).await, (409, json!("already_paid")));
    let closed = merchant.opened("order-2").await;
    merchant.post(&format!("{}/expire", path(&closed)), &form(&[])).await;
    assert_eq!(refused(closed["url"].clone()).await, (409, json!("code_closed")));
    let late = merchant.opened("order-3").await;
    let (_, qr) = merchant.shown("order-4").await;
    merchant.pay(&qr).await;
    assert_eq!(refused(qr).await, (409, json!("already_paid")));
    set_clock(START_S + 1_860);
    assert_eq!(refused(late["url"].clone()).await, (409, json!("code_expired")));
}

#[tokio::test]
async fn a_session_is_payable_up_to_its_last_second() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 1_859);
    merchant.pay(&session["url"]).await;
    set_clock(START_S + 1_860);
    assert_eq!(merchant.get(&path(&session)).await.body["status"], "complete");
}

#[tokio::test]
async fn a_given_payment_time_is_told_everywhere_and_held_against_no_expiry() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 7_200);
    let paying = json!({ "code_url": session["url"], "paid_at": "2026-01-01T00:10:00.75Z" });
    assert_eq!(merchant.stack.pay(paying).await.status, 200);
    let query = "expand[]=payment_intent.latest_charge";
    let shown = merchant.get(&format!("{}?{query}", path(&session))).await.body;
    assert_eq!(shown["payment_intent"]["latest_charge"]["created"], START_S + 600);
    // The session had expired by the clock, and said so, before the money came.
    merchant.stack.callback.wait(4).await;
    assert_eq!(merchant.event("checkout.session.completed")["created"], START_S + 600);
    assert_eq!(merchant.event("checkout.session.expired")["created"], START_S + 1_860);
}

#[tokio::test]
async fn another_amount_can_be_captured() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let amount = json!({ "amount": 1, "currency": "USD" });
    let paying = json!({ "code_url": session["url"], "amount": amount });
    let paid = merchant.stack.pay(paying).await.body;
    let shown = merchant.get(&path(&session)).await.body;
    assert_eq!((&shown["amount_total"], &shown["currency"]), (&json!(1), &json!("usd")));
    let id = paid["transaction_id"].as_str().unwrap();
    let intent = merchant.get(&format!("/v1/payment_intents/{id}")).await.body;
    assert_eq!((&intent["amount_received"], &intent["currency"]), (&json!(1), &json!("usd")));
    assert_eq!(merchant.stack.ledger("order-1").await["captured"], amount);
}

#[tokio::test]
async fn force_pays_what_was_closed_and_it_stays_closed() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    merchant.post(&format!("{}/expire", path(&session)), &form(&[])).await;
    let (intent, qr) = merchant.shown("order-2").await;
    let cancel = format!("/v1/payment_intents/{}/cancel", intent["id"].as_str().unwrap());
    merchant.post(&cancel, &form(&[])).await;
    for (number, code_url) in [("order-1", &session["url"]), ("order-2", &qr)] {
        let paid = merchant.stack.pay(json!({ "code_url": code_url, "force": true })).await;
        assert_eq!(paid.status, 200, "{}", paid.body);
        let line = merchant.stack.ledger(number).await;
        assert_eq!((&line["closed"], &line["captured"]["amount"]), (&json!(true), &json!(1280)));
    }
    assert_eq!(merchant.get(&path(&session)).await.body["payment_status"], "paid");
    let shown = merchant.get(cancel.strip_suffix("/cancel").unwrap()).await.body;
    assert_eq!((&shown["status"], &shown["canceled_at"]), (&json!("succeeded"), &json!(null)));
}

#[tokio::test]
async fn force_captures_a_second_transaction() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let (_, qr) = merchant.shown("order-2").await;
    for (number, code_url) in [("order-1", &session["url"]), ("order-2", &qr)] {
        let first = merchant.pay(code_url).await;
        let second = merchant.stack.pay(json!({ "code_url": code_url, "force": true })).await.body;
        assert_ne!(second["transaction_id"], first.as_str());
        let line = merchant.stack.ledger(number).await;
        assert_eq!(line["captured"]["amount"], 2560);
        assert_eq!(line["transactions"].as_array().unwrap().len(), 2);
        let id = second["transaction_id"].as_str().unwrap();
        let intent = merchant.get(&format!("/v1/payment_intents/{id}")).await.body;
        assert_eq!(intent["metadata"]["payment_id"], number);
        assert_eq!(merchant.refund(id, &format!("refund-{number}")).await.status, 200);
        assert_eq!(
            merchant.get(&format!("/v1/refunds?payment_intent={first}")).await.body["data"],
            json!([])
        );
    }
    assert_ne!(merchant.get(&path(&session)).await.body["payment_intent"], json!(null));
}

#[tokio::test]
async fn a_slow_method_completes_the_session_before_the_money_is_there() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 200 })).await;
    let paying = json!({ "code_url": session["url"], "delayed": true });
    let paid = merchant.stack.pay(paying).await.body;
    let promised = merchant.get(&path(&session)).await.body;
    assert_eq!(
        (&promised["status"], &promised["payment_status"]),
        (&json!("complete"), &json!("unpaid"))
    );
    assert_eq!(merchant.stack.ledger("order-1").await["captured"]["amount"], 0);
    set_clock(START_S + 30);
    merchant.stack.callback.wait(5).await;
    let first = merchant.event("checkout.session.completed");
    assert_eq!(first["data"]["object"]["payment_status"], "unpaid");
    let last = merchant.event("checkout.session.async_payment_succeeded");
    assert_eq!(last["data"]["object"]["payment_status"], "paid");
    assert_eq!(last["data"]["object"]["payment_intent"], paid["transaction_id"]);
    assert_eq!(merchant.get(&path(&session)).await.body["payment_status"], "paid");
    assert_eq!(merchant.stack.ledger("order-1").await["captured"]["amount"], 1280);
    merchant.event("payment_intent.processing");
    merchant.event("payment_intent.succeeded");
}

#[tokio::test]
async fn wechat_pay_has_no_slow_method() {
    let merchant = Merchant::start().await;
    let code_url = merchant.stack.created("order-1").await;
    let refused = merchant.stack.pay(json!({ "code_url": code_url, "delayed": true })).await;
    assert_eq!((refused.status, &refused.body["code"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn a_declined_card_leaves_the_session_open_and_the_next_card_pays_the_same_intent() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let refused = merchant.refuse(&session["url"]).await;
    let declined = refused["transaction_id"].clone();
    let shown = merchant.get(&format!("{}?expand[]=payment_intent", path(&session))).await.body;
    assert_eq!((&shown["status"], &shown["payment_status"]), (&json!("open"), &json!("unpaid")));
    assert_eq!(shown["url"], session["url"]);
    let intent = &shown["payment_intent"];
    assert_eq!((&intent["id"], &intent["status"]), (&declined, &json!("requires_payment_method")));
    assert_eq!(intent["last_payment_error"]["code"], "card_declined");
    merchant.stack.callback.wait(1).await;
    let told = merchant.event("payment_intent.payment_failed");
    assert_eq!(told["data"]["object"], *intent);
    assert_eq!(merchant.stack.codes().await[0]["status"], "scanned");

    assert_eq!(merchant.refuse(&session["url"]).await["transaction_id"], declined);
    let paid = merchant.stack.pay(json!({ "code_url": session["url"] })).await.body;
    assert_eq!(paid["transaction_id"], declined);
    let intent = declined.as_str().unwrap();
    let paid = merchant.get(&format!("/v1/payment_intents/{intent}")).await.body;
    assert_eq!((&paid["status"], &paid["last_payment_error"]), (&json!("succeeded"), &json!(null)));
}

#[tokio::test]
async fn a_session_expires_after_a_declined_card_as_without_one() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    merchant.refuse(&session["url"]).await;
    let expired = merchant.post(&format!("{}/expire", path(&session)), &form(&[])).await;
    assert_eq!(expired.body["status"], "expired");
    assert_eq!(merchant.stack.codes().await[0]["status"], "closed");
}

#[tokio::test]
async fn a_qr_that_the_customer_refused_is_used_up() {
    let merchant = Merchant::start().await;
    let (intent, qr) = merchant.shown("order-1").await;
    let refused = merchant.refuse(&qr).await;
    assert_eq!(refused["transaction_id"], intent["id"]);
    let path = format!("/v1/payment_intents/{}", intent["id"].as_str().unwrap());
    let shown = merchant.get(&path).await.body;
    assert_eq!(
        (&shown["status"], &shown["next_action"]),
        (&json!("requires_payment_method"), &json!(null))
    );
    let code = &shown["last_payment_error"]["code"];
    assert_eq!(code, "payment_intent_payment_attempt_failed");
    let paid = merchant.stack.pay(json!({ "code_url": qr })).await;
    assert_eq!((paid.status, &paid.body["code"]), (409, &json!("code_closed")));
    let canceled = merchant.post(&format!("{path}/cancel"), &form(&[])).await;
    assert_eq!(canceled.body["status"], "canceled");
}
