//! Opening, showing, listing and expiring Checkout Sessions.

use serde_json::{Value, json};

use super::support::{Merchant, form, refusal, with};
use crate::support::{START_S, set_clock};

const SESSIONS: &str = "/v1/checkout/sessions";

fn path(session: &Value) -> String {
    format!("{SESSIONS}/{}", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_session_is_open_and_has_a_page_to_pay() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let id = session["id"].as_str().unwrap();
    assert!(id.starts_with("cs_test_") && id.len() == 66, "{id}");
    let url = session["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("https://checkout.stripe.com/c/pay/{id}#")), "{url}");
    for (name, value) in [
        ("object", json!("checkout.session")),
        ("status", json!("open")),
        ("payment_status", json!("unpaid")),
        ("payment_intent", json!(null)),
        ("amount_total", json!(1280)),
        ("currency", json!("cny")),
        ("client_reference_id", json!("order-1")),
        ("created", json!(START_S)),
        ("expires_at", json!(START_S + 1_860)),
        ("livemode", json!(false)),
        ("mode", json!("payment")),
        ("metadata", json!({ "payment_id": "order-1", "echo": "lp1:booking:order" })),
        ("payment_method_types", json!(["card", "alipay"])),
    ] {
        assert_eq!(session[name], value, "{name}");
    }
    assert_eq!(merchant.get(&path(&session)).await.body, session);
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["gateway"], "stripe");
    assert_eq!(line["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    assert_eq!(line["code_urls"], json!([url]));
}

#[tokio::test]
async fn a_paid_session_shows_its_payment_intent_and_charge() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 60);
    let transaction_id = merchant.pay(&session["url"]).await;
    let plain = merchant.get(&path(&session)).await.body;
    assert_eq!(plain["status"], "complete");
    assert_eq!(plain["payment_status"], "paid");
    assert_eq!(plain["payment_intent"], transaction_id.as_str());
    assert_eq!(plain["url"], json!(null));
    let query = "expand[]=payment_intent&expand[]=payment_intent.latest_charge";
    let shown = merchant.get(&format!("{}?{query}", path(&session))).await.body;
    let intent = &shown["payment_intent"];
    assert_eq!(intent["id"], transaction_id.as_str());
    assert_eq!(intent["status"], "succeeded");
    assert_eq!(intent["amount_received"], 1280);
    assert_eq!(intent["metadata"]["payment_id"], "order-1");
    assert_eq!(intent["latest_charge"]["object"], "charge");
    assert_eq!(intent["latest_charge"]["created"], START_S + 60);
    assert_eq!(intent["latest_charge"]["payment_intent"], transaction_id.as_str());
    let some = merchant.get(&format!("{}?expand[0]=payment_intent", path(&session))).await.body;
    assert!(some["payment_intent"]["latest_charge"].is_string());
    let other = merchant.get(&format!("{}?expand[]=customer.x", path(&session))).await;
    assert_eq!(refusal(&other), (400, Value::Null, json!("expand")));
}

#[tokio::test]
async fn a_malformed_session_is_refused_by_the_name_of_the_field() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order-1");
    let price = "line_items[0][price_data]";
    let currency = &format!("{price}[currency]");
    let unit_amount = &format!("{price}[unit_amount]");
    let product = &format!("{price}[product_data][name]");
    for (name, value, code, param) in [
        ("unknown", Some("1"), "parameter_unknown", "unknown"),
        ("line_items[0][tax]", Some("1"), "parameter_unknown", "line_items[0][tax]"),
        ("payment_intent_data[x]", Some("1"), "parameter_unknown", "payment_intent_data[x]"),
        ("mode", None, "parameter_missing", "mode"),
        ("mode", Some("gift"), "", "mode"),
        ("mode", Some(""), "parameter_invalid_empty", "mode"),
        ("success_url", None, "parameter_missing", "success_url"),
        ("success_url", Some("pay.example.com"), "url_invalid", "success_url"),
        ("cancel_url", Some("pay.example.com"), "url_invalid", "cancel_url"),
        (currency, None, "parameter_missing", currency),
        (currency, Some("CNY"), "", currency),
        (currency, Some("xxx"), "", currency),
        (unit_amount, None, "parameter_missing", unit_amount),
        (unit_amount, Some("12.80"), "parameter_invalid_integer", unit_amount),
        (unit_amount, Some("-5"), "parameter_invalid_integer", unit_amount),
        (unit_amount, Some("399"), "amount_too_small", "line_items"),
        (unit_amount, Some("100000000"), "amount_too_large", "line_items"),
        (product, None, "parameter_missing", product),
        ("line_items[0][quantity]", None, "parameter_missing", "line_items[0][quantity]"),
        (
            "line_items[0][quantity]",
            Some("0"),
            "parameter_invalid_integer",
            "line_items[0][quantity]",
        ),
        ("client_reference_id", Some(&"r".repeat(201)), "", "client_reference_id"),
        ("metadata[k]", Some(&"v".repeat(501)), "", "metadata[k]"),
        ("payment_method_types[0]", Some("cash"), "", "payment_method_types[0]"),
        (
            "payment_method_types[0]",
            Some("wechat_pay"),
            "parameter_missing",
            "payment_method_options[wechat_pay][client]",
        ),
    ] {
        let answer = merchant.post(SESSIONS, &with(&order, name, value)).await;
        let code = if code.is_empty() { Value::Null } else { json!(code) };
        assert_eq!(refusal(&answer), (400, code, json!(param)), "{name} {value:?}");
    }
    let none: Vec<_> =
        order.iter().filter(|(name, _)| !name.starts_with("line_items")).cloned().collect();
    let answer = merchant.post(SESSIONS, &none).await;
    assert_eq!(refusal(&answer), (400, json!("parameter_missing"), json!("line_items")));
    let ledger = merchant.stack.control(http::Method::GET, "ledger", json!(null)).await.body;
    assert_eq!(ledger["payments"], json!([]));
}

#[tokio::test]
async fn the_smallest_and_longest_fields_are_accepted() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order-1");
    let unit_amount = "line_items[0][price_data][unit_amount]";
    for (name, value) in [
        (unit_amount, "400"),
        (unit_amount, "99999999"),
        ("client_reference_id", &"r".repeat(200)),
        ("metadata[k]", &"v".repeat(500)),
        ("line_items[0][quantity]", "2"),
    ] {
        let answer = merchant.post(SESSIONS, &with(&order, name, Some(value))).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
    let mut wechat_pay = with(&order, "payment_method_types[0]", Some("wechat_pay"));
    wechat_pay = with(&wechat_pay, "payment_method_options[wechat_pay][client]", Some("web"));
    let answer = merchant.post(SESSIONS, &wechat_pay).await;
    assert_eq!(answer.body["payment_method_types"], json!(["wechat_pay"]));
}

#[tokio::test]
async fn lines_are_summed_in_one_currency() {
    let merchant = Merchant::start().await;
    let second = form(&[
        ("line_items[1][quantity]", "3"),
        ("line_items[1][price_data][currency]", "cny"),
        ("line_items[1][price_data][unit_amount]", "100"),
        ("line_items[1][price_data][product_data][name]", "灯"),
    ]);
    let order: Vec<_> = merchant.order("order-1").into_iter().chain(second).collect();
    assert_eq!(merchant.post(SESSIONS, &order).await.body["amount_total"], 1580);
    let mixed = with(&order, "line_items[1][price_data][currency]", Some("usd"));
    let answer = merchant.post(SESSIONS, &mixed).await;
    assert_eq!(refusal(&answer), (400, Value::Null, json!("line_items")));
}

#[tokio::test]
async fn a_session_lives_at_least_half_an_hour_and_less_than_a_day() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order-1");
    for (life_s, status) in [(1_799, 400), (1_800, 200), (86_399, 200), (86_400, 400)] {
        let expires_at = (START_S + life_s).to_string();
        let answer = merchant.post(SESSIONS, &with(&order, "expires_at", Some(&expires_at))).await;
        assert_eq!(answer.status, status, "{life_s}");
    }
    let answer = merchant.post(SESSIONS, &with(&order, "expires_at", None)).await;
    assert_eq!(answer.body["expires_at"], START_S + 86_400);
}

#[tokio::test]
async fn an_open_session_can_be_expired_once() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    let expire = format!("{}/expire", path(&session));
    let expired = merchant.post(&expire, &form(&[])).await;
    assert_eq!((expired.status, &expired.body["status"]), (200, &json!("expired")));
    assert_eq!(expired.body["url"], json!(null));
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], true);
    let again = merchant.post(&expire, &form(&[])).await;
    assert_eq!(refusal(&again), (400, Value::Null, Value::Null));
    let message = again.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("has a status of `expired`"), "{message}");
    assert_eq!(merchant.told(1).await, ["checkout.session.expired"]);
    let event = merchant.event("checkout.session.expired");
    assert_eq!(event["data"]["object"], merchant.get(&path(&session)).await.body);
}

#[tokio::test]
async fn a_paid_session_cannot_be_expired() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    merchant.pay(&session["url"]).await;
    let refused = merchant.post(&format!("{}/expire", path(&session)), &form(&[])).await;
    assert_eq!(refused.status, 400);
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("has a status of `complete`"), "{message}");
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], false);
}

#[tokio::test]
async fn a_session_expires_by_the_clock() {
    let merchant = Merchant::start().await;
    let session = merchant.opened("order-1").await;
    set_clock(START_S + 1_859);
    assert_eq!(merchant.get(&path(&session)).await.body["status"], "open");
    set_clock(START_S + 1_860);
    assert_eq!(merchant.get(&path(&session)).await.body["status"], "expired");
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], true);
    merchant.told(1).await;
    let event = merchant.event("checkout.session.expired");
    assert_eq!(event["created"], START_S + 1_860);
    assert_eq!(event["request"], json!({ "id": null, "idempotency_key": null }));
}

#[tokio::test]
async fn a_second_session_of_one_number_opens_the_payment_again() {
    let merchant = Merchant::start().await;
    let first = merchant.opened("order-1").await;
    merchant.post(&format!("{}/expire", path(&first)), &form(&[])).await;
    let second = merchant.opened("order-1").await;
    let line = merchant.stack.ledger("order-1").await;
    assert_eq!(line["closed"], false);
    assert_eq!(line["code_urls"].as_array().unwrap().len(), 2);
    merchant.post(&format!("{}/expire", path(&second)), &form(&[])).await;
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], true);
}

#[tokio::test]
async fn sessions_are_listed_the_newest_first() {
    let merchant = Merchant::start().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        set_clock(START_S + number);
        ids.insert(0, merchant.opened(&format!("order-{number}")).await["id"].clone());
    }
    let paid = merchant.paid("order-3").await;
    let listed = async |query: String| {
        let list = merchant.get(&format!("{SESSIONS}?{query}")).await.body;
        let found = list["data"].as_array().unwrap().iter();
        (found.map(|it| it["id"].clone()).collect::<Vec<_>>(), list["has_more"].clone())
    };
    let (all, more) = listed(format!("created[lt]={}&status=open", START_S + 9)).await;
    assert_eq!((all, more), (ids.clone(), json!(false)));
    let (some, more) = listed("limit=2&status=open".to_owned()).await;
    assert_eq!((some, more), (ids[..2].to_vec(), json!(true)));
    let after = ids[1].as_str().unwrap();
    assert_eq!(listed(format!("starting_after={after}")).await.0, ids[2..]);
    assert_eq!(
        listed(format!("created[gte]={}&created[lte]={}", START_S + 1, START_S + 1)).await.0,
        [ids[1].clone()]
    );
    let (of_intent, _) = listed(format!("payment_intent={paid}")).await;
    assert_eq!(of_intent.len(), 1);
    assert_eq!(listed("payment_intent=pi_x".to_owned()).await.0, Vec::<Value>::new());
}

#[tokio::test]
async fn an_unknown_session_is_missing() {
    let merchant = Merchant::start().await;
    let found = merchant.get(&format!("{SESSIONS}/cs_test_x")).await;
    assert_eq!(refusal(&found), (404, json!("resource_missing"), json!("session")));
    let expired = merchant.post(&format!("{SESSIONS}/cs_test_x/expire"), &form(&[])).await;
    assert_eq!(refusal(&expired), (404, json!("resource_missing"), json!("session")));
}

#[tokio::test]
async fn a_session_without_a_number_is_known_by_its_id() {
    let merchant = Merchant::start().await;
    let order = with(&merchant.order("order-1"), "client_reference_id", None);
    merchant.post(SESSIONS, &order).await;
    assert_eq!(merchant.stack.ledger("order-1").await["closed"], false);
    let nameless = with(&order, "metadata[payment_id]", None);
    let session = merchant.post(SESSIONS, &nameless).await.body;
    let id = session["id"].as_str().unwrap();
    assert_eq!(merchant.stack.ledger(id).await["payment_id"], id);
}
