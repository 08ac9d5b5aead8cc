//! Codes, and how long they live.

use serde_json::{Value, json};

use super::merchant::Merchant;
use crate::support::{START_S, set_clock};

#[tokio::test]
async fn a_malformed_order_is_refused() {
    let merchant = Merchant::start().await;
    for (name, value, code) in [
        ("out_trade_no", json!("a-b"), "ACQ.INVALID_PARAMETER"),
        ("out_trade_no", json!("a".repeat(65)), "ACQ.INVALID_PARAMETER"),
        ("out_trade_no", Value::Null, "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("0.00"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("12.801"), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!(12.8), "ACQ.INVALID_PARAMETER"),
        ("total_amount", json!("100000000.01"), "ACQ.TOTAL_FEE_EXCEED"),
        ("subject", json!(""), "ACQ.INVALID_PARAMETER"),
        ("subject", json!("a".repeat(257)), "ACQ.INVALID_PARAMETER"),
        ("subject", json!("a&b"), "ACQ.INVALID_PARAMETER"),
        ("passback_params", json!("a=b"), "ACQ.INVALID_PARAMETER"),
        ("time_expire", json!("2026-01-01T08:15:00+08:00"), "ACQ.INVALID_PARAMETER"),
        ("time_expire", json!("2026-01-01 08:00:00"), "ACQ.INVALID_PARAMETER"),
        ("timeout_express", json!("90s"), "ACQ.INVALID_PARAMETER"),
        ("qr_code_timeout_express", json!("0m"), "ACQ.INVALID_PARAMETER"),
        ("seller_id", json!("2088000000000002"), "ACQ.PARTNER_ERROR"),
        ("product_code", json!("FAST_INSTANT_TRADE_PAY"), "ACQ.ACCESS_FORBIDDEN"),
        ("total_fee", json!("12.80"), "ACQ.INVALID_PARAMETER"),
    ] {
        let mut order = merchant.order("order_1");
        order[name] = value.clone();
        let reply = merchant.precreate(&order).await;
        assert_eq!((reply.code(), reply.signed), (code, true), "{name} {value}");
    }
}

#[tokio::test]
async fn the_same_number_may_be_precreated_again_while_nobody_paid() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order_1");
    let mut changed = order.clone();
    changed["total_amount"] = json!("9.90");
    let first = merchant.precreated("order_1").await;
    assert_eq!(merchant.precreate(&changed).await.code(), "10000");
    let again = merchant.precreated("order_1").await;
    assert_ne!(first, again);
    assert_eq!(merchant.scan(&first).await.status, 200);
    assert_eq!(merchant.query("order_1").await.object["total_amount"], "12.80");
    assert_eq!(merchant.precreate(&order).await.code(), "10000");
    assert_eq!(merchant.precreate(&changed).await.code(), "ACQ.CONTEXT_INCONSISTENT");
    assert_eq!(merchant.stack.pay(json!({ "code_url": again })).await.status, 200);
    for order in [&order, &changed] {
        assert_eq!(merchant.precreate(order).await.code(), "ACQ.TRADE_HAS_SUCCESS");
    }
}

#[tokio::test]
async fn a_closed_number_is_used_up() {
    let merchant = Merchant::start().await;
    merchant.scanned("order_1").await;
    merchant.close("order_1").await.succeeded();
    let reply = merchant.precreate(&merchant.order("order_1")).await;
    assert_eq!(reply.code(), "ACQ.TRADE_HAS_CLOSE");
}

/// Precreates with these times, waits, and tells whether the code can then be scanned.
async fn scannable(times: Value, wait_s: i64) -> bool {
    set_clock(START_S);
    let merchant = Merchant::start().await;
    let mut order = merchant.order("order_1");
    let order = order.as_object_mut().unwrap();
    order.remove("time_expire");
    order.remove("qr_code_timeout_express");
    order.extend(times.as_object().unwrap().clone());
    let code_url = merchant.precreate(&json!(order)).await.succeeded()["qr_code"].clone();
    set_clock(START_S + wait_s);
    let scanned = merchant.scan(&code_url).await;
    if scanned.status != 200 {
        assert_eq!((scanned.status, &scanned.body["code"]), (409, &json!("code_expired")));
    }
    scanned.status == 200
}

#[tokio::test]
async fn a_code_can_be_scanned_until_the_first_of_its_times_is_over() {
    for (times, life_s) in [
        (json!({}), 7_200),
        (json!({ "timeout_express": "15d" }), 7_200),
        (json!({ "timeout_express": "2m" }), 120),
        (json!({ "qr_code_timeout_express": "3m" }), 180),
        (json!({ "qr_code_timeout_express": "3h" }), 7_200),
        (json!({ "time_expire": "2026-01-01 08:01:00" }), 60),
        (json!({ "time_expire": "2026-01-01 08:01:00", "timeout_express": "1h" }), 60),
        (json!({ "time_expire": "2026-01-01 09:00:00", "timeout_express": "1m" }), 3_600),
    ] {
        assert!(scannable(times.clone(), life_s).await, "{times}");
        assert!(!scannable(times.clone(), life_s + 1).await, "{times}");
    }
}
