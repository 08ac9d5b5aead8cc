//! Who may call, and who signed the reply.

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::{START_S, Stack, authorize, der, open};

const QUERY: &str = "/v3/pay/transactions/out-trade-no/order-1?mchid=1900000001";

#[tokio::test]
async fn a_call_that_is_not_signed_exactly_as_sent_is_refused() {
    let stack = Stack::start().await;
    let path = "/v3/pay/transactions/native";
    let genuine = || stack.signing(path, Some(stack.order("order-1")));
    let on_wire = genuine();
    let mut spoiled = Vec::new();
    spoiled.push({
        let mut signing = genuine();
        signing.body.push(' ');
        signing
    });
    spoiled.push({
        let mut signing = genuine();
        signing.path = path.to_owned();
        signing
    });
    spoiled.push({
        let mut signing = genuine();
        signing.mchid = "1900000002".to_owned();
        signing
    });
    spoiled.push({
        let mut signing = genuine();
        signing.serial = stack.settings.verify_keys[1].serial.to_owned();
        signing
    });
    spoiled.push({
        let mut signing = genuine();
        signing.key_pem = include_str!("../../keys/platform_private_key.pem");
        signing
    });
    for signing in &spoiled {
        let signed = authorize(signing, &Method::POST);
        let answer = stack.send(&Method::POST, &on_wire.path, &on_wire, signed).await.unwrap();
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("SIGN_ERROR")));
    }
    let signed = authorize(&on_wire, &Method::PUT);
    let answer = stack.send(&Method::POST, &on_wire.path, &on_wire, signed).await.unwrap();
    assert_eq!(answer.status, 401);
    let signed = authorize(&on_wire, &Method::POST);
    let answer = stack.send(&Method::POST, &on_wire.path, &on_wire, signed).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_call_is_refused_when_its_clock_is_more_than_five_minutes_off() {
    let stack = Stack::start().await;
    for (offset_s, status) in [(-301, 401), (-300, 404), (300, 404), (301, 401)] {
        let mut signing = stack.signing(QUERY, None);
        signing.timestamp = (START_S + offset_s).to_string();
        let signed = authorize(&signing, &Method::GET);
        let answer = stack.send(&Method::GET, &signing.path, &signing, signed).await.unwrap();
        assert_eq!(answer.status, status, "{offset_s}");
    }
}

#[tokio::test]
async fn a_call_says_what_it_accepts_and_who_it_is() {
    let stack = Stack::start().await;
    let signing = stack.signing(QUERY, None);
    let send = |headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(stack.uri(&signing.path));
        request = request.header("authorization", authorize(&signing, &Method::GET));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        stack.exchange(request.body(Full::default()).unwrap())
    };
    let (accept, agent) = (("accept", "application/json"), ("user-agent", "merchant/1"));
    for (headers, status) in [
        (vec![accept, agent], 404),
        (vec![agent], 400),
        (vec![accept], 400),
        (vec![accept, agent, ("wechatpay-serial", "PUB_KEY_ID_1")], 400),
    ] {
        assert_eq!(send(&headers).await.unwrap().status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn a_reply_is_signed_by_the_key_that_the_request_names() {
    let stack = Stack::start().await;
    stack.created("order-1").await;
    let [public_key, certificate] = stack.settings.verify_keys.clone();
    for (wanted, used) in [
        (Some(public_key.serial), public_key.serial),
        (Some(certificate.serial), certificate.serial),
        (None, certificate.serial),
    ] {
        let mut signing = stack.signing(QUERY, None);
        signing.wanted_serial = wanted.map(str::to_owned);
        let signed = authorize(&signing, &Method::GET);
        let answer = stack.send(&Method::GET, &signing.path, &signing, signed).await.unwrap();
        assert_eq!(answer.headers["wechatpay-serial"], used);
    }
}

#[tokio::test]
async fn an_unknown_call_is_refused() {
    let stack = Stack::start().await;
    for (method, path) in [
        (Method::GET, "/v3/certificates"),
        (Method::GET, "/v3/pay/transactions/native"),
        (Method::GET, "/v3/pay/transactions/out-trade-no"),
    ] {
        let answer = stack.call(method, path, None).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("RESOURCE_NOT_EXISTS")));
    }
}

#[tokio::test]
async fn the_certificate_bears_the_serial_of_the_settings() {
    let stack = Stack::start().await;
    let key = &stack.settings.verify_keys[1];
    let der = der(key.pem);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let serial: String = certificate.raw_serial().iter().map(|b| format!("{b:02X}")).collect();
    assert_eq!(serial, key.serial);
}

/// The tests open notifications with their own code: here it meets an independent sender's.
#[tokio::test]
async fn the_tests_open_what_an_independent_sender_sealed() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/wechat.json")).unwrap();
    let body = vectors["inbound"][0]["body"].as_str().unwrap();
    let envelope = serde_json::from_str(body).unwrap();
    let plaintext = open(vectors["config"]["apiv3_key"].as_str().unwrap(), &envelope);
    assert_eq!(plaintext["out_trade_no"], vectors["order"]["out_trade_no"]);
    assert_eq!(plaintext["amount"]["total"], vectors["order"]["total_fen"]);
}
