//! What the merchant's webhook endpoint receives.

use std::collections::HashSet;

use http::Method;
use serde_json::{Value, json};

use super::support::{Merchant, event};
use crate::support::{START_S, UNHURRIED, set_clock};

const PAID: [&str; 3] =
    ["charge.succeeded", "checkout.session.completed", "payment_intent.succeeded"];

#[tokio::test]
async fn a_paid_session_is_told_by_three_signed_events() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 60);
    let transaction_id = merchant.pay(&session["url"]).await;
    assert_eq!(merchant.told(3).await, PAID);
    let [secret, previous] = merchant.settings.webhook_secrets;
    for delivered in merchant.stack.callback.all() {
        let opened = merchant.open(&delivered, secret).unwrap();
        assert_eq!(merchant.open(&delivered, previous), Err("wrong signature"));
        assert_eq!(delivered.headers["content-type"], "application/json; charset=utf-8");
        for (name, value) in [
            ("object", json!("event")),
            ("api_version", json!("2025-04-30.basil")),
            ("created", json!(START_S + 60)),
            ("livemode", json!(false)),
            ("request", json!({ "id": null, "idempotency_key": null })),
        ] {
            assert_eq!(opened[name], value, "{name}");
        }
        assert!(opened["id"].as_str().unwrap().starts_with("evt_"));
    }
    let told = merchant.event("checkout.session.completed")["data"]["object"].clone();
    let path = format!("/v1/checkout/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(told, merchant.get(&path).await.body);
    let told = merchant.event("payment_intent.succeeded")["data"]["object"].clone();
    assert_eq!(told, merchant.get(&format!("/v1/payment_intents/{transaction_id}")).await.body);
    let all = json!({ "sent": 3, "acknowledged": 3 });
    merchant.stack.ledger_says("order-1", "/transactions/0/notifications", all).await;
}

#[tokio::test]
async fn the_three_events_come_in_any_order() {
    let merchant = Merchant::start().await;
    let mut firsts = HashSet::new();
    for number in 0..24 {
        let before = merchant.stack.callback.all().len();
        merchant.paid(&format!("order-{number}")).await;
        let delivered = merchant.stack.callback.wait(before + 3).await;
        firsts.insert(event(&delivered[before])["type"].to_string());
    }
    assert_eq!(firsts.len(), 3);
}

#[tokio::test]
async fn an_event_that_a_call_caused_names_it() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    merchant.stack.callback.wait(3).await;
    let refund = merchant.refund_of(&transaction_id, "refund-1");
    let answer = merchant.post_keyed("/v1/refunds", &refund, "key-1").await;
    merchant.stack.callback.wait(6).await;
    let request = merchant.event("refund.created")["request"].clone();
    assert_eq!(request["idempotency_key"], "key-1");
    assert_eq!(request["id"], answer.headers["request-id"].to_str().unwrap());
}

#[tokio::test]
async fn any_success_acknowledges_and_nothing_else_does() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let pointer = "/transactions/0/notifications";
    let mut counts = (3, 3);
    let told = |(sent, acknowledged)| json!({ "sent": sent, "acknowledged": acknowledged });
    merchant.stack.ledger_says("order-1", pointer, told(counts)).await;
    for (status, acknowledges) in
        [(200, 1), (202, 1), (299, 1), (302, 0), (400, 0), (409, 0), (500, 0)]
    {
        merchant.stack.callback.answers([status]);
        let body = json!({ "transaction_id": transaction_id });
        merchant.stack.control(Method::POST, "replay", body).await;
        counts = (counts.0 + 1, counts.1 + acknowledges);
        let line = merchant.stack.ledger("order-1").await;
        assert_eq!(line.pointer(pointer), Some(&told(counts)), "{status}");
    }
}

#[tokio::test]
async fn each_delivery_is_signed_anew_over_the_same_body() {
    let merchant = Merchant::start_with(|config| {
        config.retry_schedule = vec![UNHURRIED];
    })
    .await;
    merchant.stack.callback.answers([500, 500]);
    let (_, qr) = merchant.shown("order-1").await;
    merchant.pay(&qr).await;
    merchant.stack.callback.wait(2).await;
    set_clock(START_S + 301);
    let delivered = merchant.stack.callback.wait(4).await;
    let secret = merchant.settings.webhook_secrets[0];
    for first in &delivered[..2] {
        assert_eq!(merchant.open(first, secret), Err("stale timestamp"));
        let again = delivered[2..].iter().find(|again| again.body == first.body).unwrap();
        assert!(merchant.open(again, secret).is_ok());
    }
}

#[tokio::test]
async fn while_the_secret_rolls_both_sign() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "webhook_secret_rolls": true })).await;
    merchant.paid("order-1").await;
    for delivered in merchant.stack.callback.wait(3).await {
        let header = delivered.headers["stripe-signature"].to_str().unwrap();
        assert_eq!(header.matches("v1=").count(), 2);
        for secret in merchant.settings.webhook_secrets {
            assert!(merchant.open(&delivered, secret).is_ok());
        }
        assert_eq!(merchant.open(&delivered, "whsec_other"), Err("wrong signature"));
    }
}

#[tokio::test]
async fn dropped_events_never_come_but_a_call_finds_the_payment() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "notifications_dropped": 1 })).await;
    let transaction_id = merchant.paid("order-1").await;
    let intent = merchant.get(&format!("/v1/payment_intents/{transaction_id}")).await.body;
    assert_eq!(intent["status"], "succeeded");
    let none = json!({ "sent": 0, "acknowledged": 0 });
    assert_eq!(merchant.stack.ledger("order-1").await["notifications"], none);
}

#[tokio::test]
async fn a_duplicated_event_comes_twice_under_one_id() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "notifications_duplicated": 1 })).await;
    merchant.paid("order-1").await;
    let delivered = merchant.stack.callback.wait(6).await;
    let ids: HashSet<String> = delivered.iter().map(|it| event(it)["id"].to_string()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_notification_is_sent_again_on_demand() {
    let merchant = Merchant::start().await;
    let transaction_id = merchant.paid("order-1").await;
    let (_, qr) = merchant.shown("order-2").await;
    let of_intent = merchant.pay(&qr).await;
    merchant.refund(&transaction_id, "refund-1").await;
    merchant.stack.ledger_says("order-1", "/refunds/0/status", json!("success")).await;
    merchant.stack.callback.wait(8).await;
    for (body, kind) in [
        (json!({ "transaction_id": transaction_id }), "checkout.session.completed"),
        (json!({ "transaction_id": of_intent }), "payment_intent.succeeded"),
        (json!({ "refund_no": "refund-1" }), "refund.updated"),
    ] {
        let before = merchant.stack.callback.all().len();
        let replayed = merchant.stack.control(Method::POST, "replay", body).await;
        assert_eq!((replayed.status, replayed.body), (200, json!({ "status": 200 })));
        let delivered = merchant.stack.callback.wait(before + 1).await;
        let again = merchant.open(&delivered[before], merchant.settings.webhook_secrets[0]);
        let again = again.unwrap();
        assert_eq!(again["type"], kind);
        let first = delivered[..before].iter().map(event);
        assert!(first.into_iter().any(|first| first["id"] == again["id"]), "{kind}");
    }
    merchant
        .stack
        .ledger_says(
            "order-1",
            "/transactions/0/notifications",
            json!({ "sent": 4, "acknowledged": 4 }),
        )
        .await;
}

#[tokio::test]
async fn a_hand_made_event_is_as_good_or_bad_as_asked() {
    let merchant = Merchant::start().await;
    let mut request = json!({
        "gateway": "stripe",
        "out_trade_no": "nobody-knows",
        "attach": "hand-made",
        "amount": { "amount": 5, "currency": "CNY" },
        "success_time": "2026-01-01T00:00:00Z",
        "transaction_id": "pi_4200",
    });
    let secret = merchant.settings.webhook_secrets[0];
    for (mode, verdict) in [
        ("valid", Ok(json!(false))),
        ("bad_signature", Err("wrong signature")),
        ("stale_timestamp", Err("stale timestamp")),
        ("wrong_merchant", Ok(json!(true))),
    ] {
        request["mode"] = json!(mode);
        let answer = merchant.stack.control(Method::POST, "notify", request.clone()).await;
        assert_eq!((answer.status, answer.body), (200, json!({ "status": 200, "body": "" })));
        let delivered = merchant.stack.callback.all();
        let opened = merchant.open(delivered.last().unwrap(), secret);
        assert_eq!(opened.map(|event| event["livemode"].clone()), verdict, "{mode}");
    }
    let told: Value = event(&merchant.stack.callback.all()[0]);
    assert_eq!(
        (&told["type"], &told["created"]),
        (&json!("checkout.session.completed"), &json!(START_S))
    );
    let session = &told["data"]["object"];
    for (name, value) in [
        ("client_reference_id", json!("nobody-knows")),
        ("metadata", json!({ "payment_id": "nobody-knows", "echo": "hand-made" })),
        ("amount_total", json!(5)),
        ("currency", json!("cny")),
        ("payment_intent", json!("pi_4200")),
        ("payment_status", json!("paid")),
        ("status", json!("complete")),
    ] {
        assert_eq!(session[name], value, "{name}");
    }
}
