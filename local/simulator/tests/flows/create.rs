//! Creating, repeating, querying and closing.

use http::Method;
use serde_json::{Value, json};

use crate::support::{START_S, Stack, set_clock};

#[tokio::test]
async fn a_created_payment_has_a_code_and_is_not_paid() {
    let stack = Stack::start().await;
    let code_url = stack.created("order-1").await;
    assert!(code_url.as_str().unwrap().starts_with("weixin://wxpay/bizpayurl?pr="));
    let found = stack.query("order-1").await;
    assert_eq!(found.status, 200);
    assert_eq!(found.body["trade_state"], "NOTPAY");
    assert_eq!(found.body["attach"], "lp1:booking:order");
    assert_eq!(found.body.get("transaction_id"), None);
    let line = stack.ledger("order-1").await;
    assert_eq!(line["gateway"], "wechat_pay");
    assert_eq!(line["captured"], json!({ "amount": 0, "currency": "CNY" }));
    assert_eq!(line["notifications"], json!({ "sent": 0, "acknowledged": 0 }));
}

#[tokio::test]
async fn an_identical_repeat_gives_a_fresh_code_and_both_stay_payable() {
    let stack = Stack::start().await;
    let first = stack.created("order-1").await;
    let second = stack.created("order-1").await;
    assert_ne!(first, second);
    assert_eq!(stack.pay(json!({ "code_url": first })).await.status, 200);
    let again = stack.pay(json!({ "code_url": second })).await;
    assert_eq!((again.status, &again.body["code"]), (409, &json!("already_paid")));
}

#[tokio::test]
async fn a_repeat_with_any_other_parameter_is_refused() {
    let stack = Stack::start().await;
    stack.created("order-1").await;
    for (pointer, value) in [
        ("/amount/total", json!(1281)),
        ("/description", json!("书桌 2 天")),
        ("/time_expire", json!("2026-01-01T08:15:01+08:00")),
        ("/attach", json!("other")),
        ("/notify_url", json!("https://pay.example.com/cb")),
    ] {
        let mut order = stack.order("order-1");
        *order.pointer_mut(pointer).unwrap() = value;
        let answer = stack.create(&order).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("OUT_TRADE_NO_USED")));
    }
}

#[tokio::test]
async fn a_repeat_after_the_end_is_refused() {
    let stack = Stack::start().await;
    stack.created("order-1").await;
    set_clock(START_S + 15 * 60);
    stack.created("order-1").await;
    set_clock(START_S + 15 * 60 + 1);
    let late = stack.create(&stack.order("order-1")).await;
    assert_eq!((late.status, &late.body["code"]), (400, &json!("INVALID_REQUEST")));
    assert_eq!(stack.query("order-1").await.body["trade_state"], "NOTPAY");
}

#[tokio::test]
async fn a_number_that_was_closed_or_paid_cannot_be_used_again() {
    let stack = Stack::start().await;
    stack.created("closed-1").await;
    assert_eq!(stack.close("closed-1").await.status, 204);
    let closed = stack.create(&stack.order("closed-1")).await;
    assert_eq!((closed.status, &closed.body["code"]), (400, &json!("ORDER_CLOSED")));
    stack.paid("paid-01").await;
    let paid = stack.create(&stack.order("paid-01")).await;
    assert_eq!((paid.status, &paid.body["code"]), (400, &json!("ORDERPAID")));
}

#[tokio::test]
async fn a_close_succeeds_once_and_never_for_a_paid_order() {
    let stack = Stack::start().await;
    let unknown = stack.close("order-0").await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("ORDER_NOT_EXIST")));
    stack.created("order-1").await;
    let closed = stack.close("order-1").await;
    assert_eq!((closed.status, closed.body), (204, Value::Null));
    assert_eq!(stack.query("order-1").await.body["trade_state"], "CLOSED");
    assert_eq!(stack.close("order-1").await.body["code"], "ORDER_CLOSED");
    assert_eq!(stack.ledger("order-1").await["closed"], true);
    stack.paid("order-2").await;
    let paid = stack.close("order-2").await;
    assert_eq!((paid.status, &paid.body["code"]), (400, &json!("ORDERPAID")));
    assert_eq!(stack.ledger("order-2").await["closed"], false);
}

#[tokio::test]
async fn a_malformed_order_is_refused() {
    let stack = Stack::start().await;
    for (pointer, value, code) in [
        ("/appid", json!("wx1"), "APPID_MCHID_NOT_MATCH"),
        ("/mchid", json!("1900000002"), "MCH_NOT_EXISTS"),
        ("/description", json!(""), "PARAM_ERROR"),
        ("/description", json!("书".repeat(128)), "PARAM_ERROR"),
        ("/out_trade_no", json!("short"), "PARAM_ERROR"),
        ("/out_trade_no", json!("with space"), "PARAM_ERROR"),
        ("/time_expire", json!("2026-01-01T00:15:00Z"), "PARAM_ERROR"),
        ("/attach", json!("a".repeat(129)), "PARAM_ERROR"),
        ("/notify_url", json!("http://pay.example.com/cb"), "PARAM_ERROR"),
        ("/notify_url", json!("https://pay.example.com/cb?a=1"), "PARAM_ERROR"),
        ("/amount/total", json!(0), "PARAM_ERROR"),
        ("/amount/total", json!(12.8), "PARAM_ERROR"),
        ("/amount/total", json!("1280"), "PARAM_ERROR"),
        ("/amount/currency", json!("USD"), "PARAM_ERROR"),
        ("/amount", json!({ "total": 1, "extra": 1 }), "PARAM_ERROR"),
    ] {
        let mut order = stack.order("order-1");
        *order.pointer_mut(pointer).unwrap() = value.clone();
        let answer = stack.create(&order).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{pointer} {value}");
    }
    assert_eq!(stack.query("order-1").await.body["code"], "ORDER_NOT_EXIST");
}

#[tokio::test]
async fn a_number_with_marks_is_found_under_its_encoded_path() {
    let stack = Stack::start().await;
    stack.created("order|1*_-").await;
    let found = stack.query("order%7C1%2A_-").await;
    assert_eq!((found.status, &found.body["out_trade_no"]), (200, &json!("order|1*_-")));
}

#[tokio::test]
async fn a_query_names_the_merchant() {
    let stack = Stack::start().await;
    stack.created("order-1").await;
    for (query, code) in
        [("", "PARAM_ERROR"), ("?mchid=", "PARAM_ERROR"), ("?mchid=1", "MCH_NOT_EXISTS")]
    {
        let path = format!("/v3/pay/transactions/out-trade-no/order-1{query}");
        let answer = stack.call(Method::GET, &path, None).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!(code)), "{query}");
    }
}
