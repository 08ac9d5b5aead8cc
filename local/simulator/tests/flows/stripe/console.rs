//! What happens in the dashboard and at the customer's bank.

use http::Method;
use serde_json::{Value, json};

use super::support::{Merchant, refusal};
use crate::support::Answer;

async fn dispute(merchant: &Merchant, body: Value) -> Answer {
    merchant.stack.control(Method::POST, "dispute", body).await
}

async fn refund(merchant: &Merchant, body: Value) -> Answer {
    merchant.stack.control(Method::POST, "refund", body).await
}

#[tokio::test]
async fn the_console_refunds_a_part_and_then_the_rest() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.callback.wait(3).await;
    let amount = json!({ "amount": 280, "currency": "CNY" });
    let part =
        refund(&merchant, json!({ "transaction_id": transaction_id, "amount": amount })).await;
    assert_eq!(part.status, 200, "{}", part.body);
    let line = merchant.stack.ledger("order-1").await;
    let refund_no = &line["refunds"][0]["refund_id"];
    assert_eq!(
        part.body,
        json!({
            "refund_no": refund_no,
            "payment_id": "order-1",
            "transaction_id": transaction_id,
            "amount": amount,
        })
    );
    let rest = refund(&merchant, json!({ "transaction_id": transaction_id })).await.body;
    assert_eq!(rest["amount"]["amount"], 1000);
    merchant.stack.ledger_says("order-1", "/refunded/amount", json!(1280)).await;
    let types = merchant.told(9).await;
    assert_eq!(types.iter().filter(|kind| *kind == "charge.refunded").count(), 2);
    let over = refund(&merchant, json!({ "transaction_id": transaction_id })).await;
    assert_eq!((over.status, &over.body["code"]), (409, &json!("refused")));
}

#[tokio::test]
async fn the_console_refuses_what_it_does_not_know() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let money = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency });
    for (body, status, code) in [
        (json!({ "transaction_id": "pi_x" }), 404, "unknown_transaction"),
        (
            json!({ "transaction_id": transaction_id, "amount": money(0, "CNY") }),
            400,
            "invalid_request",
        ),
        (
            json!({ "transaction_id": transaction_id, "amount": money(5, "USD") }),
            400,
            "invalid_request",
        ),
        (json!({ "transaction_id": transaction_id, "amount": money(1281, "CNY") }), 409, "refused"),
        (json!({}), 400, "invalid_request"),
    ] {
        let answer = refund(&merchant, body.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{body}");
    }
}

#[tokio::test]
async fn a_dispute_is_told_when_it_begins_and_when_it_ends() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.callback.wait(3).await;
    let opened = dispute(&merchant, json!({ "transaction_id": transaction_id })).await.body;
    assert_eq!(opened["transaction_id"], transaction_id.as_str());
    assert_eq!(
        (&opened["reason"], &opened["status"]),
        (&json!("fraudulent"), &json!("needs_response"))
    );
    merchant.stack.callback.wait(4).await;
    let told = merchant.event("charge.dispute.created")["data"]["object"].clone();
    assert_eq!(told["id"], opened["dispute_id"]);
    assert_eq!(told["payment_intent"], transaction_id.as_str());
    assert_eq!(told["amount"], 1280);
    let refused = merchant.refund(&transaction_id, "refund-1").await;
    assert_eq!(refusal(&refused), (400, json!("charge_disputed"), Value::Null));
    let closing = json!({ "transaction_id": transaction_id, "outcome": "won" });
    assert_eq!(dispute(&merchant, closing).await.body["status"], "won");
    merchant.stack.callback.wait(5).await;
    assert_eq!(merchant.event("charge.dispute.closed")["data"]["object"]["status"], "won");
    assert_eq!(merchant.refund(&transaction_id, "refund-1").await.status, 200);
}

#[tokio::test]
async fn a_lost_dispute_keeps_the_charge_from_being_refunded() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let opening = json!({ "transaction_id": transaction_id, "reason": "product_not_received" });
    assert_eq!(dispute(&merchant, opening).await.body["reason"], "product_not_received");
    dispute(&merchant, json!({ "transaction_id": transaction_id, "outcome": "lost" })).await;
    let refused = merchant.refund(&transaction_id, "refund-1").await;
    assert_eq!(refusal(&refused).1, "charge_disputed");
}

#[tokio::test]
async fn a_dispute_needs_a_payment_at_stripe_and_an_order() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let at_wechat_pay = merchant.stack.paid("order-2").await;
    for (body, status, code) in [
        (json!({ "transaction_id": "pi_x" }), 404, "unknown_transaction"),
        (json!({ "transaction_id": at_wechat_pay }), 400, "invalid_request"),
        (json!({ "transaction_id": transaction_id, "reason": "bored" }), 400, "invalid_request"),
        (json!({ "transaction_id": transaction_id, "outcome": "won" }), 409, "refused"),
        (json!({ "transaction_id": transaction_id }), 200, ""),
        (json!({ "transaction_id": transaction_id }), 409, "refused"),
    ] {
        let answer = dispute(&merchant, body.clone()).await;
        let expected = if code.is_empty() { Value::Null } else { json!(code) };
        assert_eq!((answer.status, answer.body["code"].clone()), (status, expected), "{body}");
    }
}
