//! What the fault plan does at Alipay.

use std::collections::HashSet;

use serde_json::json;

use super::merchant::Merchant;
use crate::support::START_S;

#[tokio::test]
async fn a_call_that_fails_before_has_no_effect_and_one_that_fails_after_has() {
    let merchant = Merchant::start().await;
    for (fault, effect) in [("calls_failed_before", false), ("calls_failed_after", true)] {
        let mut plan = json!({});
        plan[fault] = json!(1);
        merchant.stack.set_faults(plan).await;
        let mut looks = HashSet::new();
        for number in 0..24 {
            let order = merchant.order(&format!("{fault}_{number}"));
            let mut parameters = merchant.parameters("alipay.trade.precreate", &order);
            merchant.sign(&mut parameters);
            let reply = merchant.send(&parameters).await;
            looks.insert(reply.map(|reply| reply.code().to_owned()));
        }
        let broken = ["isp.unknow-error", "ACQ.SYSTEM_ERROR"].map(|code| Some(code.to_owned()));
        assert_eq!(looks, HashSet::from_iter(broken.into_iter().chain([None])));
        merchant.stack.set_faults(json!({})).await;
        let ledger = merchant.stack.control(http::Method::GET, "ledger", json!(null)).await.body;
        let mut payments = ledger["payments"].as_array().unwrap().iter();
        let known = payments.any(|line| line["payment_id"] == format!("{fault}_0"));
        assert_eq!(known, effect, "{fault}");
    }
}

#[tokio::test]
async fn a_call_that_is_one_too_many_is_refused_and_has_no_effect() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "calls_too_often": 1 })).await;
    let order = merchant.order("order_1");
    let mut parameters = merchant.parameters("alipay.trade.precreate", &order);
    merchant.sign(&mut parameters);
    let refused = merchant.send(&parameters).await.unwrap();
    assert_eq!(refused.code(), "isv.app-call-limited");
    merchant.stack.set_faults(json!({})).await;
    let ledger = merchant.stack.control(http::Method::GET, "ledger", json!(null)).await.body;
    assert_eq!(ledger["payments"], json!([]));
}

#[tokio::test]
async fn a_refund_whose_reply_is_lost_is_found_by_asking() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.stack.set_faults(json!({ "calls_failed_after": 1, "refund_delay_ms": 0 })).await;
    let refund =
        json!({ "trade_no": trade_no, "out_request_no": "refund_1", "refund_amount": "12.80" });
    let mut parameters = merchant.parameters("alipay.trade.refund", &refund);
    merchant.sign(&mut parameters);
    let reply = merchant.send(&parameters).await;
    assert!(reply.is_none_or(|reply| reply.code() != "10000"));
    merchant.stack.set_faults(json!({})).await;
    let found = merchant.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(found["refund_status"], "REFUND_SUCCESS");
    let again = merchant.send(&parameters).await.unwrap().succeeded();
    assert_eq!((&again["fund_change"], &again["refund_fee"]), (&json!("N"), &json!("12.80")));
}

#[tokio::test]
async fn notifications_are_dropped_doubled_and_overtaken() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "notifications_dropped": 1 })).await;
    merchant.paid("order_1").await;
    merchant.stack.set_faults(json!({ "notifications_reordered": 1 })).await;
    merchant.paid("order_2").await;
    merchant.stack.set_faults(json!({})).await;
    merchant.paid("order_3").await;
    merchant.callback.wait(2).await;
    merchant.stack.set_faults(json!({ "notifications_duplicated": 1 })).await;
    merchant.paid("order_4").await;
    let all = merchant.callback.wait(4).await;
    let orders: Vec<_> = all.iter().map(|notice| notice["out_trade_no"].as_str()).collect();
    assert_eq!(orders, ["order_3", "order_2", "order_4", "order_4"]);
    assert_eq!(all[2]["notify_id"], all[3]["notify_id"]);
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_numbers() {
    let run = async || {
        let merchant = Merchant::start_with(|config| config.seed = 7).await;
        let code_url = merchant.precreated("order_1").await;
        (code_url, merchant.scan(&json!(merchant.precreated("order_2").await)).await.body)
    };
    crate::support::set_clock(START_S);
    assert_eq!(run().await, run().await);
}
