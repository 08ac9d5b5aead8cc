//! What the merchant's callback receives.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::merchant::{Merchant, Parameters, signed_text, verified};
use crate::support::{START_S, UNHURRIED, set_clock};

#[tokio::test]
async fn a_payment_is_notified_as_a_signed_form() {
    let merchant = Merchant::start().await;
    let mut order = merchant.order("order_1");
    order["body"] = json!("a+b %41");
    let code_url = merchant.precreate(&order).await.succeeded()["qr_code"].clone();
    merchant.scan(&code_url).await;
    set_clock(START_S + 60);
    let paid = merchant.stack.pay(json!({ "code_url": code_url })).await.body;
    let notice = &merchant.callback.wait(1).await[0];
    assert!(merchant.is_genuine(notice));
    for (name, value) in [
        ("notify_type", "trade_status_sync"),
        ("notify_time", "2026-01-01 08:01:00"),
        ("app_id", merchant.settings.app_id),
        ("auth_app_id", merchant.settings.app_id),
        ("seller_id", merchant.settings.seller_id),
        ("out_trade_no", "order_1"),
        ("trade_no", paid["transaction_id"].as_str().unwrap()),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "12.80"),
        ("receipt_amount", "12.80"),
        ("buyer_pay_amount", "12.80"),
        ("gmt_create", "2026-01-01 08:00:00"),
        ("gmt_payment", "2026-01-01 08:01:00"),
        ("passback_params", "lp1.booking.order"),
        ("subject", "书桌 1 天"),
        ("body", "a+b %41"),
    ] {
        assert_eq!(notice[name], value, "{name}");
    }
    let bills: Value = serde_json::from_str(&notice["fund_bill_list"]).unwrap();
    assert_eq!(bills, json!([{ "amount": "12.80", "fundChannel": "ALIPAYACCOUNT" }]));
    for name in ["refund_fee", "gmt_refund", "gmt_close", "out_biz_no"] {
        assert!(!notice.contains_key(name), "{name}");
    }
    let told = json!({ "sent": 1, "acknowledged": 1 });
    merchant.stack.ledger_says("order_1", "/notifications", told).await;
}

#[tokio::test]
async fn only_the_exact_word_acknowledges() {
    let merchant = Merchant::start().await;
    merchant.callback.answers([(500, "success"), (200, "SUCCESS"), (200, "success\n"), (204, "")]);
    merchant.paid("order_1").await;
    let told = json!({ "sent": 5, "acknowledged": 1 });
    merchant.stack.ledger_says("order_1", "/notifications", told).await;
    let all = merchant.callback.all();
    let ids: HashSet<_> = all.iter().map(|notice| notice["notify_id"].clone()).collect();
    assert_eq!((all.len(), ids.len()), (5, 1));
    assert_eq!(all[0]["notify_id"].len(), 34);
}

#[tokio::test]
async fn a_repeated_notification_is_dated_and_signed_anew() {
    let merchant = Merchant::start_with(|config| {
        config.retry_schedule = vec![UNHURRIED];
    })
    .await;
    merchant.callback.answers([(400, "failure")]);
    merchant.paid("order_1").await;
    merchant.callback.wait(1).await;
    set_clock(START_S + 240);
    let all = merchant.callback.wait(2).await;
    assert_eq!(all[1]["notify_time"], "2026-01-01 08:04:00");
    assert_ne!(all[0]["sign"], all[1]["sign"]);
    assert!(all.iter().all(|notice| merchant.is_genuine(notice)));
}

#[tokio::test]
async fn a_refund_in_parts_repeats_the_success_and_ends_as_closed() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let trade_no = merchant.paid("order_1").await;
    merchant.callback.wait(1).await;
    merchant.refund(&trade_no, "refund_1", "10.00").await.succeeded();
    merchant.callback.wait(2).await;
    set_clock(START_S + 3);
    merchant.refund(&trade_no, "refund_2", "2.80").await.succeeded();
    let all = merchant.callback.wait(3).await;
    let shown = |notice: &Parameters| {
        ["trade_status", "refund_fee", "out_biz_no", "gmt_refund", "gmt_close"]
            .map(|name| notice.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(
        shown(&all[1]),
        ["TRADE_SUCCESS", "10.00", "refund_1", "2026-01-01 08:00:00.000", ""]
    );
    assert_eq!(
        shown(&all[2]),
        ["TRADE_CLOSED", "12.80", "refund_2", "2026-01-01 08:00:03.000", "2026-01-01 08:00:03"]
    );
    assert!(all.iter().all(|notice| merchant.is_genuine(notice)));
    assert_eq!(all[2]["gmt_payment"], "2026-01-01 08:00:00");
    assert_eq!(all[2]["passback_params"], "lp1.booking.order");
}

#[tokio::test]
async fn closing_and_a_refund_that_came_to_nothing_are_not_told() {
    let merchant = Merchant::start().await;
    merchant.scanned("order_1").await;
    merchant.close("order_1").await.succeeded();
    let trade_no = merchant.paid("order_2").await;
    merchant.callback.wait(1).await;
    merchant.stack.set_faults(json!({ "refund_outcome": "closed", "refund_delay_ms": 0 })).await;
    merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    merchant.stack.ledger_says("order_2", "/refunds/0/status", json!("closed")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(merchant.callback.all().len(), 1);
}

#[tokio::test]
async fn a_replay_tells_what_was_told_before() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let trade_no = merchant.paid("order_1").await;
    merchant.callback.wait(1).await;
    merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    merchant.callback.wait(2).await;
    merchant.callback.answers([(503, "failure")]);
    let replayed = merchant.control("replay", json!({ "transaction_id": trade_no })).await;
    assert_eq!((replayed.status, replayed.body), (200, json!({ "status": 503 })));
    let replayed = merchant.control("replay", json!({ "refund_no": "refund_1" })).await;
    assert_eq!(replayed.body, json!({ "status": 200 }));
    let all = merchant.callback.all();
    let statuses: Vec<_> = all.iter().map(|notice| notice["trade_status"].as_str()).collect();
    assert_eq!(statuses, ["TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_SUCCESS", "TRADE_CLOSED"]);
    assert!(!all[2].contains_key("refund_fee"));
    let unpaid = merchant.scanned("order_2").await;
    let trade_no = merchant.scan(&unpaid).await.body["trade_no"].clone();
    let unknown = merchant.control("replay", json!({ "transaction_id": trade_no })).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_transaction")));
}

#[tokio::test]
async fn a_hand_made_notification_is_as_good_or_bad_as_asked() {
    let merchant = Merchant::start().await;
    let mut request = json!({
        "gateway": "alipay",
        "out_trade_no": "nobody_knows",
        "attach": "hand-made",
        "amount": { "amount": 5, "currency": "CNY" },
        "success_time": "2026-01-01T00:00:00Z",
        "transaction_id": "2026",
    });
    for (mode, genuine, seller_id, notify_time) in [
        ("valid", true, "2088000000000001", "2026-01-01 08:00:00"),
        ("bad_signature", false, "2088000000000001", "2026-01-01 08:00:00"),
        ("stale_timestamp", true, "2088000000000001", "2025-12-31 08:00:00"),
        ("wrong_merchant", true, "2088000000000002", "2026-01-01 08:00:00"),
    ] {
        request["mode"] = json!(mode);
        let answer = merchant.control("notify", request.clone()).await;
        assert_eq!(
            (answer.status, answer.body),
            (200, json!({ "status": 200, "body": "success" }))
        );
        let all = merchant.callback.all();
        let notice = all.last().unwrap();
        assert_eq!(merchant.is_genuine(notice), genuine, "{mode}");
        assert_eq!(
            (notice["seller_id"].as_str(), notice["notify_time"].as_str()),
            (seller_id, notify_time)
        );
        assert_eq!(
            (notice["total_amount"].as_str(), notice["trade_no"].as_str()),
            ("0.05", "2026")
        );
        assert_eq!(notice["passback_params"], "hand-made");
        assert_eq!(notice["gmt_payment"], "2026-01-01 08:00:00");
    }
}

#[tokio::test]
async fn the_key_that_signs_can_be_switched_back() {
    let merchant = Merchant::start().await;
    let body = json!({ "signs": "previous" });
    let switched = merchant.stack.control(Method::PUT, "alipay/key", body.clone()).await;
    assert_eq!((switched.status, switched.body), (200, body));
    merchant.paid("order_1").await;
    let notice = &merchant.callback.wait(1).await[0];
    let text = signed_text(notice, &["sign", "sign_type"]);
    let settings = &merchant.settings;
    assert!(verified(settings.previous_alipay_public_key_pem, &text, &notice["sign"]));
    assert!(!verified(settings.alipay_public_key_pem, &text, &notice["sign"]));
}
