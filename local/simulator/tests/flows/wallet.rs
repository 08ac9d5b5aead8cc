//! The customer's wallet, and what the gateway then says.

use http::Method;
use serde_json::json;

use crate::support::{START_S, Stack, set_clock};

const TWO_HOURS_S: i64 = 7_200;

#[tokio::test]
async fn a_paid_order_is_found_by_both_numbers() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    set_clock(START_S + 60);
    let paid = stack.pay(json!({ "code_url": code_url })).await.body;
    assert_eq!(paid["payment_id"], "order-1");
    assert_eq!(paid["paid_at"], "2026-01-01T00:01:00Z");
    let id = paid["transaction_id"].as_str().unwrap();
    let path = format!("/v3/pay/transactions/id/{id}?mchid={}", stack.settings.mchid);
    let by_id = stack.call(Method::GET, &path, None).await.body;
    assert_eq!(by_id, stack.query("order-1").await.body);
    assert_eq!(by_id["trade_state"], "SUCCESS");
    assert_eq!(by_id["trade_type"], "NATIVE");
    assert_eq!(by_id["success_time"], "2026-01-01T08:01:00+08:00");
    assert_eq!(by_id["amount"]["total"], 1280);
    assert_eq!(by_id["attach"], "lp1:booking:order");
}

#[tokio::test]
async fn the_wallet_refuses_what_the_gateway_would() {
    let stack = Stack::start().await;
    let unknown = stack.pay(json!({ "code_url": "weixin://wxpay/bizpayurl?pr=x" })).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_code")));
    assert_eq!(unknown.headers["content-type"], "application/problem+json");
    let code_url = stack.created("order-1").await;
    stack.close("order-1").await;
    let closed =
        stack.pay(json!({ "code_url": code_url, "paid_at": "2026-01-01T00:00:00Z" })).await;
    assert_eq!((closed.status, &closed.body["code"]), (409, &json!("code_closed")));
    for body in [json!({}), json!({ "code_url": "x", "other": 1 }), json!([])] {
        let malformed = stack.pay(body).await;
        assert_eq!((malformed.status, &malformed.body["code"]), (400, &json!("invalid_request")));
    }
}

#[tokio::test]
async fn a_payment_is_possible_up_to_its_last_moment() {
    let stack = Stack::start().await;
    let on_time = stack.created("order-1").await;
    let late = stack.created("order-2").await;
    set_clock(START_S + 15 * 60);
    assert_eq!(stack.pay(json!({ "code_url": on_time })).await.status, 200);
    set_clock(START_S + 15 * 60 + 1);
    let refused = stack.pay(json!({ "code_url": late })).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("code_expired")));
}

#[tokio::test]
async fn a_code_lives_two_hours_and_can_be_renewed() {
    let stack = Stack::start().await;
    let mut order = stack.order("order-1");
    order["time_expire"] = json!("2026-01-02T08:00:00+08:00");
    let first = stack.create(&order).await.body["code_url"].clone();
    set_clock(START_S + TWO_HOURS_S + 1);
    assert_eq!(stack.pay(json!({ "code_url": first })).await.body["code"], "code_expired");
    let fresh = stack.create(&order).await.body["code_url"].clone();
    assert_eq!(stack.pay(json!({ "code_url": fresh })).await.status, 200);
}

#[tokio::test]
async fn a_given_payment_time_is_not_held_against_the_expiry() {
    let stack = Stack::start().await;
    for (number, paid_at) in
        [("order-1", "2025-12-31T23:59:00Z"), ("order-2", "2026-01-01T01:00:00.75Z")]
    {
        let code_url = stack.created(number).await;
        let paid = stack.pay(json!({ "code_url": code_url, "paid_at": paid_at })).await;
        assert_eq!(paid.status, 200, "{}", paid.body);
    }
    let late = stack.query("order-2").await.body;
    assert_eq!(late["success_time"], "2026-01-01T09:00:00+08:00");
}

#[tokio::test]
async fn another_amount_can_be_captured() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    let amount = json!({ "amount": 1, "currency": "USD" });
    let paid = stack.pay(json!({ "code_url": code_url, "amount": amount })).await;
    assert_eq!(paid.status, 200);
    let found = stack.query("order-1").await.body;
    assert_eq!(found["amount"]["total"], 1);
    assert_eq!(found["amount"]["currency"], "USD");
    assert_eq!(stack.ledger("order-1").await["captured"], amount);
    for amount in
        [json!({ "amount": 0, "currency": "CNY" }), json!({ "amount": 1, "currency": "¥" })]
    {
        let refused = stack.pay(json!({ "code_url": code_url, "amount": amount })).await;
        assert_eq!(refused.body["code"], "invalid_request");
    }
}

#[tokio::test]
async fn force_pays_a_closed_code() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    assert_eq!(stack.close("order-1").await.status, 204);
    assert_eq!(stack.pay(json!({ "code_url": code_url, "force": true })).await.status, 200);
    assert_eq!(stack.query("order-1").await.body["trade_state"], "SUCCESS");
    assert_eq!(stack.close("order-1").await.body["code"], "ORDERPAID");
    stack.ledger_says("order-1", "/notifications/acknowledged", json!(1)).await;
}

#[tokio::test]
async fn force_captures_a_second_transaction_of_one_payment() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    let first = stack.pay(json!({ "code_url": code_url })).await.body;
    let second = stack.pay(json!({ "code_url": code_url, "force": true })).await.body;
    assert_ne!(first["transaction_id"], second["transaction_id"]);
    assert_eq!(first["payment_id"], second["payment_id"]);
    assert_eq!(stack.query("order-1").await.body["transaction_id"], first["transaction_id"]);
    let line = stack.ledger("order-1").await;
    assert_eq!(line["captured"], json!({ "amount": 2560, "currency": "CNY" }));
    let delivered = stack.callback.wait(2).await;
    let told: Vec<_> = delivered.iter().map(|d| stack.open(d).unwrap().1).collect();
    assert!(told.iter().any(|notice| notice["transaction_id"] == second["transaction_id"]));
}

#[tokio::test]
async fn the_wallet_sees_the_newest_codes_and_what_became_of_them() {
    let stack = Stack::start().await;
    let mut numbers = vec![];
    for number in 1..=51 {
        numbers.push(stack.created(&format!("order-{number}")).await);
    }
    stack.close("order-49").await;
    stack.pay(json!({ "code_url": numbers[49] })).await;
    let refused = stack.control(Method::POST, "refuse", json!({ "code_url": numbers[50] })).await;
    assert_eq!(refused.body["transaction_id"], json!(null), "{}", refused.body);
    let codes = stack.codes().await;
    let told: Vec<_> =
        codes.iter().take(4).map(|code| (&code["code_url"], &code["status"])).collect();
    let [paid, scanned, closed, open] = ["paid", "scanned", "closed", "open"].map(|it| json!(it));
    assert_eq!(
        told,
        [
            (&numbers[50], &scanned),
            (&numbers[49], &paid),
            (&numbers[48], &closed),
            (&numbers[47], &open),
        ]
    );
    assert_eq!(codes[0]["scanned_at"], "2026-01-01T00:00:00Z");
    assert_eq!(codes[1]["captured"], json!({ "amount": 1280, "currency": "CNY" }));
    assert_eq!(codes[1]["expires_at"], "2026-01-01T00:15:00Z");
    assert_eq!(codes.len(), 50, "the oldest is not shown");
    assert_eq!(codes[49]["code_url"], numbers[1]);
    set_clock(START_S + 15 * 60 + 1);
    let codes = stack.codes().await;
    assert_eq!((&codes[0]["status"], &codes[1]["status"]), (&json!("expired"), &paid));
}

#[tokio::test]
async fn a_code_that_was_refused_in_wechat_can_still_be_paid_and_nobody_is_told() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    let refused = stack.control(Method::POST, "refuse", json!({ "code_url": code_url })).await;
    assert_eq!((refused.status, &refused.body["payment_id"]), (200, &json!("order-1")));
    assert_eq!(stack.query("order-1").await.body["trade_state"], "NOTPAY");
    assert_eq!(stack.pay(json!({ "code_url": code_url })).await.status, 200);
    stack.callback.wait(1).await;
    assert_eq!(stack.callback.all().len(), 1, "the payment alone is told");
    let again = stack.control(Method::POST, "refuse", json!({ "code_url": code_url })).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!("already_paid")));
}
