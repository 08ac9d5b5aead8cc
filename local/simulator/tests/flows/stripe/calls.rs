//! Who may call, how, and what every reply says.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use simulator::stripe::MOUNT_PATH;

use super::support::{Headers, Merchant, encoded, form, refusal, with};

#[tokio::test]
async fn a_call_without_the_accounts_key_is_refused() {
    let merchant = Merchant::start().await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:", merchant.settings.secret_key)));
    for (authorization, status) in [
        (None, 401),
        (Some("Bearer sk_test_other"), 401),
        (Some("Basic c2tfdGVzdF9vdGhlcjo="), 401),
        (Some(basic.as_str()), 404),
    ] {
        let headers = Headers { authorization, ..merchant.headers() };
        let answer = merchant.send(Method::GET, "/v1/refunds/re_1", String::new(), headers).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, status, "{authorization:?}");
        assert_eq!(answer.body["error"]["type"], "invalid_request_error");
        assert!(answer.headers["request-id"].to_str().unwrap().starts_with("req_"));
    }
}

#[tokio::test]
async fn a_call_names_a_known_version_or_none() {
    let merchant = Merchant::start().await;
    for (version, status, answered) in [
        (None, 200, Some("2025-04-30.basil")),
        (Some("2025-04-30.basil"), 200, Some("2025-04-30.basil")),
        (Some("2026-10-28.endive"), 200, Some("2026-10-28.endive")),
        (Some("2025-04-30"), 400, None),
    ] {
        let headers = Headers { version, ..merchant.headers() };
        let answer = merchant.send(Method::GET, "/v1/refunds", String::new(), headers).await;
        let answer = answer.unwrap();
        let header = answer.headers.get("stripe-version").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status, header), (status, answered), "{version:?}");
    }
}

#[tokio::test]
async fn an_unknown_path_method_or_body_is_refused() {
    let merchant = Merchant::start().await;
    for (method, path, status) in [
        (Method::GET, "/v1/unknown", 404),
        (Method::GET, "/v2/refunds", 404),
        (Method::POST, "/v1/refunds/re_1", 404),
        (Method::DELETE, "/v1/refunds/re_1", 404),
        (Method::GET, "/v1/refunds?limit=101", 400),
        (Method::GET, "/v1/refunds?unknown=1", 400),
    ] {
        let answer = merchant.send(method.clone(), path, String::new(), merchant.headers()).await;
        assert_eq!(answer.unwrap().status, status, "{method} {path}");
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(merchant.stack.uri(&format!("{MOUNT_PATH}/v1/refunds")))
        .header("authorization", format!("Bearer {}", merchant.settings.secret_key))
        .header("content-type", "application/json")
        .body(Full::from("{}"))
        .unwrap();
    assert_eq!(merchant.stack.exchange(request).await.unwrap().status, 400);
    let longest = with(&merchant.order("order-1"), "unknown", Some(&"x".repeat(64 * 1024)));
    let answer = merchant.post("/v1/checkout/sessions", &longest).await;
    assert_eq!(refusal(&answer), (400, Value::Null, Value::Null));
}

#[tokio::test]
async fn a_call_that_is_one_too_many_is_refused_and_its_key_is_as_good_as_new() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "calls_too_often": 1 })).await;
    let order = merchant.order("order-1");
    let refused = merchant.post_keyed("/v1/checkout/sessions", &order, "key").await;
    assert_eq!(refusal(&refused), (429, json!("rate_limit"), Value::Null));
    merchant.stack.set_faults(json!({})).await;
    let made = merchant.post_keyed("/v1/checkout/sessions", &order, "key").await;
    assert_eq!((made.status, made.headers.get("idempotent-replayed")), (200, None));
}

#[tokio::test]
async fn a_call_that_fails_before_has_no_effect_and_one_that_fails_after_is_replayed() {
    let merchant = Merchant::start().await;
    for (fault, effect, replayed) in
        [("calls_failed_before", 0, None), ("calls_failed_after", 12, Some("true"))]
    {
        let mut plan = json!({});
        plan[fault] = json!(1);
        merchant.stack.set_faults(plan).await;
        let mut looks = HashSet::new();
        for number in 0..12 {
            let order = merchant.order(&format!("{fault}-{number}"));
            let key = format!("pay:{fault}-{number}");
            let headers = Headers { key: Some(&key), ..merchant.headers() };
            let path = "/v1/checkout/sessions";
            let answer = merchant.send(Method::POST, path, encoded(&order), headers).await;
            looks.insert(answer.map(|it| (it.status, it.body["error"]["type"].to_string())));
        }
        let broke = Some((500, "\"api_error\"".to_owned()));
        assert_eq!(looks, HashSet::from([broke, None]));
        merchant.stack.set_faults(json!({})).await;
        let sessions = merchant.get("/v1/checkout/sessions?limit=100&status=open").await.body;
        assert_eq!(sessions["data"].as_array().unwrap().len(), effect, "{fault}");
        let order = merchant.order(&format!("{fault}-0"));
        let key = format!("pay:{fault}-0");
        let again = merchant.post_keyed("/v1/checkout/sessions", &order, &key).await;
        assert_eq!((again.status, &again.body["status"]), (200, &json!("open")));
        let header = again.headers.get("idempotent-replayed").map(|it| it.to_str().unwrap());
        assert_eq!(header, replayed, "{fault}");
        merchant.post(&expire_path(&again.body), &form(&[])).await;
    }
}

#[tokio::test]
async fn the_vectors_requests_are_accepted_as_they_are() {
    let merchant = Merchant::start().await;
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/stripe.json")).unwrap();
    let row = |name: &str| {
        let mut rows = vectors["requests"].as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).unwrap()["form_body"].as_str().unwrap().to_owned()
    };
    let create = row("checkout_session_create");
    let headers = Headers { key: Some("pay:1"), ..merchant.headers() };
    let path = "/v1/checkout/sessions";
    let session = merchant.send(Method::POST, path, create, headers).await.unwrap();
    assert_eq!(session.status, 200, "{}", session.body);
    assert_eq!(session.body["amount_total"], 1099);
    assert_eq!(session.body["metadata"]["order_no"], "P20260101080000000001");
    let transaction_id = merchant.pay(&session.body["url"]).await;
    let refund = row("refund_create").replace("pi_3PubVector00000000000001", &transaction_id);
    let refunded = merchant.send(Method::POST, "/v1/refunds", refund, merchant.headers()).await;
    let refunded = refunded.unwrap();
    assert_eq!(refunded.status, 200, "{}", refunded.body);
    assert_eq!(refunded.body["metadata"]["refund_no"], "RF20260101080000000001");
}

fn expire_path(session: &Value) -> String {
    format!("/v1/checkout/sessions/{}/expire", session["id"].as_str().unwrap())
}

#[tokio::test]
async fn one_seed_gives_one_run() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let merchant = Merchant::start_with(|config| config.seed = seed).await;
        let session = merchant.opened("order-1").await;
        let transaction_id = merchant.pay(&session["url"]).await;
        let refund = merchant.refund(&transaction_id, "refund-1").await.body;
        runs.push((session, transaction_id, refund));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
