//! PaymentIntents with a QR of WeChat Pay: made, shown, given up and searched.

use serde_json::{Value, json};

use super::support::{Merchant, form, refusal, with};
use crate::support::{START_S, set_clock};

const INTENTS: &str = "/v1/payment_intents";

fn path(intent: &Value) -> String {
    format!("{INTENTS}/{}", intent["id"].as_str().unwrap())
}

async fn found(merchant: &Merchant, query: &str) -> Vec<Value> {
    let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = merchant.get(&format!("{INTENTS}/search?query={encoded}")).await;
    assert_eq!(answer.body["object"], "search_result", "{}", answer.body);
    answer.body["data"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect()
}

#[tokio::test]
async fn a_confirmed_intent_waits_for_its_qr() {
    let merchant = Merchant::start().await;
    let (intent, qr) = merchant.shown("order-1").await;
    assert!(qr.as_str().unwrap().starts_with("weixin://wxpay/bizpayurl?pr="), "{qr}");
    assert_eq!(intent["status"], "requires_action");
    assert_eq!(intent["next_action"]["type"], "wechat_pay_display_qr_code");
    assert_eq!(intent["amount_received"], 0);
    assert_eq!(intent["latest_charge"], json!(null));
    assert_eq!(merchant.get(&path(&intent)).await.body, intent);
    let transaction_id = merchant.pay(&qr).await;
    assert_eq!(intent["id"], transaction_id.as_str());
    let paid = merchant.get(&format!("{}?expand[]=latest_charge", path(&intent))).await.body;
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(paid["next_action"], json!(null));
    assert_eq!(paid["latest_charge"]["amount"], 1280);
    assert_eq!(merchant.told(2).await, ["charge.succeeded", "payment_intent.succeeded"]);
}

#[tokio::test]
async fn an_unconfirmed_intent_has_no_qr() {
    let merchant = Merchant::start().await;
    let order = merchant.intent_of("order-1");
    let waiting = merchant.post(INTENTS, &with(&order, "confirm", None)).await.body;
    assert_eq!(waiting["status"], "requires_confirmation");
    let bare = form(&[("amount", "1280"), ("currency", "cny")]);
    let bare = merchant.post(INTENTS, &bare).await.body;
    assert_eq!(bare["status"], "requires_payment_method");
    assert_eq!(bare["next_action"], json!(null));
}

#[tokio::test]
async fn a_malformed_intent_is_refused_by_the_name_of_the_field() {
    let merchant = Merchant::start().await;
    let order = merchant.intent_of("order-1");
    let method = "payment_method_data[type]";
    let client = "payment_method_options[wechat_pay][client]";
    for (name, value, code, param) in [
        ("unknown", Some("1"), "parameter_unknown", "unknown"),
        ("amount", None, "parameter_missing", "amount"),
        ("amount", Some("0"), "parameter_invalid_integer", "amount"),
        ("amount", Some("399"), "amount_too_small", "amount"),
        ("amount", Some("100000000"), "amount_too_large", "amount"),
        ("currency", None, "parameter_missing", "currency"),
        ("currency", Some("CNY"), "", "currency"),
        ("currency", Some("myr"), "", "payment_method_types"),
        ("confirm", Some("yes"), "", "confirm"),
        ("payment_method_types[0]", Some("card"), "", method),
        (method, None, "parameter_missing", method),
        (client, None, "parameter_missing", client),
        (client, Some("desktop"), "", client),
    ] {
        let answer = merchant.post(INTENTS, &with(&order, name, value)).await;
        let code = if code.is_empty() { Value::Null } else { json!(code) };
        assert_eq!(refusal(&answer), (400, code, json!(param)), "{name} {value:?}");
    }
}

#[tokio::test]
async fn amounts_are_whole_in_the_smallest_unit_of_their_currency() {
    let merchant = Merchant::start().await;
    for (currency, amount, status) in
        [("jpy", "50", 200), ("jpy", "49", 400), ("kwd", "5120", 200), ("kwd", "5124", 400)]
    {
        let order = form(&[("amount", amount), ("currency", currency)]);
        let answer = merchant.post(INTENTS, &order).await;
        assert_eq!(answer.status, status, "{amount} {currency}");
    }
}

#[tokio::test]
async fn an_unpaid_intent_can_be_given_up_once() {
    let merchant = Merchant::start().await;
    let (intent, qr) = merchant.shown("order-1").await;
    let cancel = format!("{}/cancel", path(&intent));
    let wrong = merchant.post(&cancel, &form(&[("cancellation_reason", "bored")])).await;
    assert_eq!(refusal(&wrong), (400, Value::Null, json!("cancellation_reason")));
    let given_up = merchant.post(&cancel, &form(&[("cancellation_reason", "abandoned")])).await;
    assert_eq!((given_up.status, &given_up.body["status"]), (200, &json!("canceled")));
    assert_eq!(given_up.body["cancellation_reason"], "abandoned");
    assert_eq!(given_up.body["canceled_at"], START_S);
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], true);
    let again = merchant.post(&cancel, &form(&[])).await;
    assert_eq!(refusal(&again).1, "payment_intent_unexpected_state");
    assert_eq!(again.body["error"]["payment_intent"]["status"], "canceled");
    let paid = merchant.stack.pay(json!({ "code_url": qr })).await;
    assert_eq!((paid.status, &paid.body["code"]), (409, &json!("code_closed")));
    assert_eq!(merchant.told(1).await, ["payment_intent.canceled"]);
}

#[tokio::test]
async fn a_paid_intent_cannot_be_given_up() {
    let merchant = Merchant::start().await;
    let (intent, qr) = merchant.shown("order-1").await;
    merchant.pay(&qr).await;
    let refused = merchant.post(&format!("{}/cancel", path(&intent)), &form(&[])).await;
    assert_eq!(refusal(&refused).0, 400);
    assert_eq!(refusal(&refused).1, "payment_intent_unexpected_state");
    assert_eq!(refused.body["error"]["payment_intent"]["status"], "succeeded");
}

#[tokio::test]
async fn the_intent_of_a_session_is_given_up_through_its_session_only() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let paying = json!({ "code_url": session["url"], "delayed": true });
    merchant.stack.set_faults(json!({ "refund_delay_ms": 600_000 })).await;
    let paid = merchant.stack.pay(paying).await.body;
    let id = paid["transaction_id"].as_str().unwrap();
    let refused = merchant.post(&format!("{INTENTS}/{id}/cancel"), &form(&[])).await;
    assert_eq!(refusal(&refused).1, "payment_intent_unexpected_state");
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("Expire the Checkout Session instead"), "{message}");
}

#[tokio::test]
async fn an_unknown_intent_is_missing() {
    let merchant = Merchant::start().await;
    let unknown = merchant.get(&format!("{INTENTS}/pi_x")).await;
    assert_eq!(refusal(&unknown), (404, json!("resource_missing"), json!("intent")));
    let unknown = merchant.post(&format!("{INTENTS}/pi_x/cancel"), &form(&[])).await;
    assert_eq!(refusal(&unknown), (404, json!("resource_missing"), json!("intent")));
}

#[tokio::test]
async fn a_search_finds_an_intent_only_after_a_lag() {
    let merchant = Merchant::start().await;
    let (intent, qr) = merchant.shown("order-1").await;
    merchant.shown("order-2").await;
    let query = "metadata['payment_id']:'order-1'";
    set_clock(START_S + 4);
    assert_eq!(found(&merchant, query).await, Vec::<Value>::new());
    set_clock(START_S + 5);
    assert_eq!(found(&merchant, query).await, [intent["id"].clone()]);
    assert_eq!(found(&merchant, "status:'requires_action'").await.len(), 2);
    merchant.pay(&qr).await;
    let both = format!("status:'succeeded' AND {query}");
    assert_eq!(found(&merchant, &both).await, [intent["id"].clone()]);
    merchant.stack.set_faults(json!({ "search_lag_ms": 60_000 })).await;
    let paid = merchant.paid("order-3").await;
    set_clock(START_S + 64);
    assert_eq!(found(&merchant, "metadata['payment_id']:'order-3'").await, Vec::<Value>::new());
    set_clock(START_S + 65);
    assert_eq!(found(&merchant, "metadata['payment_id']:'order-3'").await, [json!(paid)]);
}

#[tokio::test]
async fn a_search_has_pages_and_a_grammar() {
    let merchant = Merchant::start().await;
    for number in 0..3 {
        merchant.shown(&format!("order-{number}")).await;
    }
    set_clock(START_S + 60);
    let first = merchant.get(&format!("{INTENTS}/search?query=currency:'cny'&limit=2")).await.body;
    assert_eq!(first["has_more"], true);
    let next = first["next_page"].as_str().unwrap();
    let path = format!("{INTENTS}/search?query=currency:'cny'&limit=2&page={next}");
    let second = merchant.get(&path).await.body;
    assert_eq!(
        (second["has_more"].clone(), second["next_page"].clone()),
        (json!(false), json!(null))
    );
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    for (query, code, param) in [
        ("", json!("parameter_missing"), "query"),
        ("query=payment_id:'x'", Value::Null, "query"),
        ("query=status:'x'&limit=101", json!("parameter_invalid_integer"), "limit"),
    ] {
        let answer = merchant.get(&format!("{INTENTS}/search?{query}")).await;
        assert_eq!(refusal(&answer), (400, code, json!(param)), "{query}");
    }
}
