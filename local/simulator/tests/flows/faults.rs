//! What the fault plan does, and what it refuses.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::support::{Stack, authorize, eventually};

#[tokio::test]
async fn the_plan_is_replaced_as_a_whole() {
    let stack = Stack::start().await;
    let plan = json!({
        "notification_delay_ms": 5,
        "notifications_dropped": 0.25,
        "notifications_duplicated": 1,
        "notifications_reordered": 0.5,
        "calls_failed_before": 0.000001,
        "calls_failed_after": 0.1,
        "calls_too_often": 0.2,
        "call_delay_ms": 7,
        "refund_outcome": "closed",
        "refund_delay_ms": 9,
    });
    stack.set_faults(plan.clone()).await;
    let current = stack.control(Method::GET, "faults", Value::Null).await.body;
    for (name, value) in plan.as_object().unwrap() {
        assert_eq!(current[name].as_f64(), value.as_f64(), "{name}");
    }
    stack.set_faults(json!({})).await;
    let current = stack.control(Method::GET, "faults", Value::Null).await.body;
    assert_eq!(current["notifications_dropped"].as_f64(), Some(0.0));
    assert_eq!(current["refund_outcome"], "success");
}

#[tokio::test]
async fn an_unknown_or_impossible_fault_is_refused() {
    let stack = Stack::start().await;
    for plan in [
        json!({ "calls_failed": 0.1 }),
        json!({ "notifications_dropped": 1.01 }),
        json!({ "notifications_dropped": -0.1 }),
        json!({ "notifications_dropped": "0.1" }),
        json!({ "notification_delay_ms": -1 }),
        json!({ "call_delay_ms": 600_001 }),
        json!({ "refund_outcome": "lost" }),
    ] {
        let answer = stack.control(Method::PUT, "faults", plan.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!("invalid_request")),
            "{plan}"
        );
    }
}

#[tokio::test]
async fn a_call_that_fails_before_has_no_effect_and_one_that_fails_after_has() {
    let stack = Stack::start().await;
    for (fault, effect) in [("calls_failed_before", 404), ("calls_failed_after", 200)] {
        let mut plan = json!({});
        plan[fault] = json!(1);
        stack.set_faults(plan).await;
        let mut looks = HashSet::new();
        for number in 0..12 {
            let order = stack.order(&format!("{fault}-{number}"));
            let signing = stack.signing("/v3/pay/transactions/native", Some(order));
            let signed = authorize(&signing, &Method::POST);
            let answer = stack.send(&Method::POST, &signing.path, &signing, signed).await;
            looks.insert(answer.map(|answer| (answer.status, answer.body["code"].to_string())));
        }
        let broke = Some((500, "\"SYSTEM_ERROR\"".to_owned()));
        assert_eq!(looks, HashSet::from([broke, None]));
        stack.set_faults(json!({})).await;
        assert_eq!(stack.query(&format!("{fault}-0")).await.status, effect, "{fault}");
    }
}

#[tokio::test]
async fn a_call_that_is_one_too_many_is_refused_and_has_no_effect() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "calls_too_often": 1 })).await;
    let refused = stack.create(&stack.order("order-1")).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("FREQUENCY_LIMITED")));
    stack.set_faults(json!({})).await;
    assert_eq!(stack.query("order-1").await.status, 404);
}

#[tokio::test]
async fn a_notification_can_arrive_before_the_create_call_returns() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "call_delay_ms": 400 })).await;
    let order = stack.order("order-1");
    let paying = async {
        let line = loop {
            let ledger = stack.control(Method::GET, "ledger", Value::Null).await.body;
            if let Some(line) = ledger["payments"].get(0) {
                break line.clone();
            }
            tokio::task::yield_now().await;
        };
        stack.pay(json!({ "code_url": line["code_urls"][0] })).await;
        stack.callback.wait(1).await;
        Instant::now()
    };
    let creating = async {
        let created = stack.create(&order).await;
        (created.status, Instant::now())
    };
    let (notified_at, (status, returned_at)) = tokio::join!(paying, creating);
    assert_eq!(status, 200);
    assert!(notified_at < returned_at);
}

#[tokio::test]
async fn a_dropped_notification_never_comes_but_a_query_finds_the_payment() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "notifications_dropped": 1 })).await;
    stack.paid("order-1").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(stack.callback.all().len(), 0);
    assert_eq!(stack.query("order-1").await.body["trade_state"], "SUCCESS");
    assert_eq!(stack.ledger("order-1").await["notifications"]["sent"], 0);
}

#[tokio::test]
async fn a_duplicated_notification_comes_twice() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "notifications_duplicated": 1 })).await;
    stack.paid("order-1").await;
    stack.ledger_says("order-1", "/notifications", json!({ "sent": 2, "acknowledged": 2 })).await;
    let delivered = stack.callback.all();
    let ids: Vec<_> = delivered.iter().map(|d| stack.open(d).unwrap().0["id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_reordered_notification_is_overtaken_by_a_later_one() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "notifications_reordered": 1 })).await;
    stack.paid("order-1").await;
    stack.set_faults(json!({})).await;
    stack.paid("order-2").await;
    let delivered = stack.callback.wait(2).await;
    let orders: Vec<_> =
        delivered.iter().map(|d| stack.open(d).unwrap().1["out_trade_no"].clone()).collect();
    assert_eq!(orders, [json!("order-2"), json!("order-1")]);
}

#[tokio::test]
async fn a_notification_can_be_late() {
    let stack = Stack::start().await;
    stack.set_faults(json!({ "notification_delay_ms": 150 })).await;
    let before = Instant::now();
    stack.paid("order-1").await;
    eventually(|| stack.callback.all().len() == 1).await;
    assert!(before.elapsed() >= Duration::from_millis(150));
}
