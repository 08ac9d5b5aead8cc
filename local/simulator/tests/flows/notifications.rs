//! What the merchant's callback receives.

use std::collections::HashSet;
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::support::{START_S, Stack, UNHURRIED, set_clock};

#[tokio::test]
async fn a_payment_is_notified_sealed_and_signed() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    let delivered = stack.callback.wait(1).await;
    assert_eq!(delivered[0].headers["content-type"], "application/json");
    let (envelope, notice) = stack.open(&delivered[0]).unwrap();
    assert_eq!(envelope["event_type"], "TRANSACTION.SUCCESS");
    assert_eq!(envelope["resource_type"], "encrypt-resource");
    assert!(envelope["id"].as_str().unwrap().len() <= 36);
    assert_eq!(notice["transaction_id"], transaction_id.as_str());
    assert_eq!(notice, stack.query("order-1").await.body);
    stack.ledger_says("order-1", "/notifications", json!({ "sent": 1, "acknowledged": 1 })).await;
}

#[tokio::test]
async fn both_keys_sign_notifications() {
    let stack = Stack::start().await;
    for number in 0..16 {
        stack.paid(&format!("order-{number}")).await;
    }
    let delivered = stack.callback.wait(16).await;
    assert!(delivered.iter().all(|delivered| stack.open(delivered).is_ok()));
    let serials: HashSet<_> =
        delivered.iter().map(|delivered| delivered.headers["wechatpay-serial"].clone()).collect();
    assert_eq!(serials.len(), 2);
}

#[tokio::test]
async fn a_notification_is_repeated_until_it_is_acknowledged() {
    let stack = Stack::start().await;
    stack.callback.answers([500, 302, 202, 204]);
    stack.paid("order-1").await;
    stack.ledger_says("order-1", "/notifications", json!({ "sent": 4, "acknowledged": 1 })).await;
    let delivered = stack.callback.all();
    let nonces: HashSet<_> =
        delivered.iter().map(|delivered| delivered.headers["wechatpay-nonce"].clone()).collect();
    assert_eq!((delivered.len(), nonces.len()), (4, 4));
    let ids: HashSet<_> =
        delivered.iter().map(|d| stack.open(d).unwrap().0["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn each_delivery_is_stamped_with_its_own_time() {
    let stack = Stack::start_with(|config| {
        config.retry_schedule = vec![UNHURRIED];
    })
    .await;
    stack.callback.answers([500]);
    stack.paid("order-1").await;
    stack.callback.wait(1).await;
    set_clock(START_S + 600);
    let delivered = stack.callback.wait(2).await;
    assert_eq!(delivered[1].headers["wechatpay-timestamp"], (START_S + 600).to_string());
    assert!(stack.open(&delivered[1]).is_ok());
    assert_eq!(stack.open(&delivered[0]), Err("stale timestamp"));
}

#[tokio::test]
async fn the_schedule_ends() {
    let stack = Stack::start().await;
    stack.callback.answers([500; 9]);
    stack.paid("order-1").await;
    stack.ledger_says("order-1", "/notifications", json!({ "sent": 5, "acknowledged": 0 })).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(stack.callback.all().len(), 5);
}

#[tokio::test]
async fn a_replay_sends_the_notification_again() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.ledger_says("order-1", "/notifications/acknowledged", json!(1)).await;
    set_clock(START_S + 3_600);
    stack.callback.answers([503]);
    let body = json!({ "transaction_id": transaction_id });
    let replayed = stack.control(Method::POST, "replay", body).await;
    assert_eq!((replayed.status, replayed.body), (200, json!({ "status": 503 })));
    let delivered = stack.callback.all();
    let (_, notice) = stack.open(&delivered[1]).unwrap();
    assert_eq!(notice["transaction_id"], transaction_id.as_str());
    let line = stack.ledger("order-1").await;
    assert_eq!(line["notifications"], json!({ "sent": 2, "acknowledged": 1 }));
    let unknown = stack.control(Method::POST, "replay", json!({ "transaction_id": "1" })).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_transaction")));
}

#[tokio::test]
async fn the_notification_of_a_refund_can_be_replayed_once_the_refund_has_ended() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    let replay = async |number: &str| {
        stack.control(Method::POST, "replay", json!({ "refund_no": number })).await
    };
    stack.set_faults(json!({ "refund_delay_ms": 600_000 })).await;
    stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
    let early = replay("refund-1").await;
    assert_eq!((early.status, &early.body["code"]), (404, &json!("unknown_refund")));
    assert_eq!(replay("refund-2").await.status, 404);

    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.refund(&stack.refund_of(&transaction_id, "refund-1")).await;
    let notifications = "/refunds/0/notifications";
    stack.ledger_says("order-1", notifications, json!({ "sent": 1, "acknowledged": 1 })).await;
    let body = json!({ "refund_no": "refund-1" });
    let replayed = stack.control(Method::POST, "replay", body).await;
    assert_eq!((replayed.status, replayed.body), (200, json!({ "status": 200 })));
    stack.ledger_says("order-1", notifications, json!({ "sent": 2, "acknowledged": 2 })).await;
    let (_, notice) = stack.open(stack.callback.all().last().unwrap()).unwrap();
    assert_eq!(notice["out_refund_no"], "refund-1");
    assert_eq!(notice["refund_status"], "SUCCESS");
}

#[tokio::test]
async fn a_hand_made_notification_is_as_good_or_bad_as_asked() {
    let stack = Stack::start().await;
    let mut request = json!({
        "out_trade_no": "nobody-knows",
        "attach": "hand-made",
        "amount": { "amount": 5, "currency": "CNY" },
        "success_time": "2026-01-01T08:00:00+08:00",
        "transaction_id": "4200",
    });
    for (mode, verdict) in [
        ("valid", Ok("1900000001")),
        ("bad_signature", Err("wrong signature")),
        ("stale_timestamp", Err("stale timestamp")),
        ("wrong_merchant", Ok("1900000002")),
    ] {
        request["mode"] = json!(mode);
        let answer = stack.control(Method::POST, "notify", request.clone()).await;
        assert_eq!((answer.status, answer.body), (200, json!({ "status": 200, "body": "" })));
        let delivered = stack.callback.all();
        let opened = stack.open(delivered.last().unwrap());
        let mchid = opened.map(|(_, notice)| notice["mchid"].clone());
        assert_eq!(mchid, verdict.map(|mchid| json!(mchid)), "{mode}");
    }
    let (_, notice) = stack.open(&stack.callback.all()[0]).unwrap();
    assert_eq!(notice["attach"], "hand-made");
    assert_eq!(notice["amount"]["total"], 5);
    assert_eq!(notice["transaction_id"], "4200");
    assert_eq!(notice["success_time"], "2026-01-01T08:00:00+08:00");
}
