//! How a call must look before the gateway looks at what it asks for.

use http::Request;
use http_body_util::Full;
use serde_json::json;
use simulator::alipay::GATEWAY_PATH;

use super::merchant::{Merchant, Parameters, encoded};
use crate::support::{START_S, set_clock};

const METHOD: &str = "alipay.trade.precreate";

async fn check(spoil: impl Fn(&mut Parameters), key: &str, code: &str) {
    let merchant = Merchant::start().await;
    let mut parameters = merchant.parameters(METHOD, &merchant.order("order_1"));
    spoil(&mut parameters);
    merchant.sign(&mut parameters);
    let reply = merchant.send(&parameters).await.unwrap();
    assert_eq!((reply.key.as_str(), reply.code()), (key, code));
    assert!(!reply.signed, "{}", reply.text);
}

#[tokio::test]
async fn a_public_parameter_that_is_missing_or_wrong_is_refused() {
    let method_key = "alipay_trade_precreate_response";
    for (name, value, key, code) in [
        ("method", "", "error_response", "isv.missing-method"),
        ("method", "alipay.trade.pay", "error_response", "isv.invalid-method"),
        ("app_id", "", method_key, "isv.missing-app-id"),
        ("app_id", "2021000000000002", method_key, "isv.invalid-app-id"),
        ("sign_type", "", method_key, "isv.missing-signature-type"),
        ("sign_type", "RSA", method_key, "isv.invalid-signature-type"),
        ("charset", "gbk", method_key, "isv.invalid-charset"),
        ("charset", "", method_key, "isv.invalid-charset"),
        ("format", "xml", method_key, "isv.invalid-format"),
        ("timestamp", "", method_key, "isv.missing-timestamp"),
        ("timestamp", "2026-01-01 00:00:00", method_key, "isv.invalid-timestamp"),
        ("version", "", method_key, "isv.missing-version"),
        ("version", "2.0", method_key, "isv.invalid-parameter"),
        ("notify_url", "/callbacks", method_key, "isv.invalid-parameter"),
        ("biz_content", "{", method_key, "isv.illegal-json"),
        ("sgin", "x", method_key, "isv.invalid-parameter"),
    ] {
        let spoil = |parameters: &mut Parameters| {
            parameters.insert(name.to_owned(), value.to_owned());
        };
        check(spoil, key, code).await;
    }
}

#[tokio::test]
async fn a_clock_may_be_off_by_a_quarter_of_an_hour() {
    let merchant = Merchant::start().await;
    let mut parameters = merchant.parameters(METHOD, &merchant.order("order_1"));
    merchant.sign(&mut parameters);
    for (now_s, code) in [
        (START_S - 901, "isv.invalid-timestamp"),
        (START_S - 900, "10000"),
        (START_S + 899, "10000"),
        (START_S + 901, "isv.invalid-timestamp"),
    ] {
        set_clock(now_s);
        assert_eq!(merchant.send(&parameters).await.unwrap().code(), code, "{now_s}");
    }
}

#[tokio::test]
async fn a_call_that_was_changed_or_not_signed_is_refused() {
    let merchant = Merchant::start().await;
    let mut parameters = merchant.parameters(METHOD, &merchant.order("order_1"));
    let unsigned = merchant.send(&parameters).await.unwrap();
    assert_eq!(unsigned.code(), "isv.missing-signature");
    merchant.sign(&mut parameters);
    for name in ["biz_content", "notify_url", "sign"] {
        let mut changed = parameters.clone();
        changed.get_mut(name).unwrap().insert(0, ' ');
        let reply = merchant.send(&changed).await.unwrap();
        let code =
            if name == "notify_url" { "isv.invalid-parameter" } else { "isv.invalid-signature" };
        assert_eq!(reply.code(), code, "{name}");
        assert!(!reply.signed);
    }
    assert_eq!(merchant.send(&parameters).await.unwrap().code(), "10000");
}

#[tokio::test]
async fn parameters_stand_in_the_query_the_body_or_both() {
    let merchant = Merchant::start().await;
    let mut parameters = merchant.parameters(METHOD, &merchant.order("order_1"));
    merchant.sign(&mut parameters);
    let mut query = parameters.clone();
    query.retain(|name, _| name != "biz_content");
    parameters.retain(|name, _| name == "biz_content");
    let (query, body) = (encoded(&query), encoded(&parameters));
    let split = merchant.post(&format!("?{query}"), &body).await.unwrap();
    assert_eq!(split.code(), "10000");
    let all = format!("{query}&{body}");
    assert_eq!(merchant.post("", &all).await.unwrap().code(), "10000");
    let get = Request::get(merchant.stack.uri(&format!("{GATEWAY_PATH}?{all}")));
    let got = merchant.exchange(get.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(got.code(), "10000");
    let twice = merchant.post(&format!("?{all}"), &body).await.unwrap();
    assert_eq!((twice.key.as_str(), twice.code()), ("error_response", "isv.invalid-parameter"));
    let typed = Request::post(merchant.stack.uri(GATEWAY_PATH))
        .header("content-type", "application/json")
        .body(Full::from(all))
        .unwrap();
    assert_eq!(merchant.exchange(typed).await.unwrap().code(), "isv.missing-method");
}

#[tokio::test]
async fn a_success_and_a_business_failure_are_signed_over_the_text_as_it_is_sent() {
    let merchant = Merchant::start().await;
    let created = merchant.precreate(&merchant.order("order_1")).await;
    assert!(created.signed);
    assert!(
        created.text.starts_with(r#"{"code":"10000","msg":"Success","out_trade_no":"order_1","#)
    );
    assert!(
        created.text.contains(r#""qr_code":"https:\/\/qr.alipay.com\/bax"#),
        "{}",
        created.text
    );
    let unknown = merchant.query("order_2").await;
    assert!(unknown.signed);
    let text = [
        r#"{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST","#,
        r#""sub_msg":"交易不存在","out_trade_no":"order_2"}"#,
    ];
    assert_eq!(unknown.text, text.concat());
}

#[tokio::test]
async fn either_key_of_alipay_signs_but_only_one_at_a_time() {
    let merchant = Merchant::start().await;
    merchant.signs_with("previous").await;
    merchant.paid("order_1").await;
    let notice = &merchant.callback.wait(1).await[0];
    assert!(!merchant.is_genuine(notice));
    merchant.signs_with("current").await;
    merchant.paid("order_2").await;
    assert!(merchant.is_genuine(&merchant.callback.wait(2).await[1]));
    let unknown = merchant.stack.control(http::Method::PUT, "alipay/key", json!({ "signs": "x" }));
    assert_eq!(unknown.await.status, 400);
}
