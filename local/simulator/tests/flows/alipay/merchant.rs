//! A merchant with its own signing code, and a callback that answers as Alipay wants it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::tz::Offset;
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};
use simulator::alipay::{GATEWAY_PATH, MerchantSettings, merchant_settings};
use simulator::config::SimulatorConfig;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::support::{Stack, clock, der, eventually, serve};

pub(crate) type Parameters = BTreeMap<String, String>;

/// The merchant's callback: records every form, and answers the script, then `success`.
#[derive(Clone, Default)]
pub(crate) struct Callback {
    delivered: Arc<Mutex<Vec<Bytes>>>,
    script: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
}

pub(crate) struct Merchant {
    pub(crate) stack: Stack,
    pub(crate) settings: MerchantSettings,
    pub(crate) callback: Callback,
    pub(crate) notify_url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A reply of the gateway, whose signature was right if it has one.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) key: String,
    pub(crate) object: Value,
    pub(crate) text: String,
    pub(crate) signed: bool,
}

impl Callback {
    pub(crate) fn answers(&self, script: impl IntoIterator<Item = (u16, &'static str)>) {
        self.script.lock().unwrap().extend(script);
    }

    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.delivered.lock().unwrap().clone()
    }

    pub(crate) fn all(&self) -> Vec<Parameters> {
        self.bodies().iter().map(|body| form(str::from_utf8(body).unwrap())).collect()
    }

    /// Waits until so many forms came.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Parameters> {
        eventually(|| self.bodies().len() >= count).await;
        self.all()
    }
}

impl Reply {
    /// The code that says what happened: that of the business where there is one.
    pub(crate) fn code(&self) -> &str {
        let code = self.object.get("sub_code").unwrap_or(&self.object["code"]);
        code.as_str().unwrap()
    }

    pub(crate) fn succeeded(self) -> Value {
        assert_eq!(self.code(), "10000", "{}", self.text);
        self.object
    }
}

impl Merchant {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        let callback = Callback::default();
        let routes =
            Router::new().route("/callbacks/alipay", post(receive)).with_state(callback.clone());
        let base = serve(routes).await;
        let callbacks_base_url = format!("{base}/callbacks");
        let notify_url = format!("{callbacks_base_url}/alipay");
        let stack = Stack::start_with(|config| {
            config.callbacks_base_url = callbacks_base_url;
            change(config);
        })
        .await;
        Self {
            stack,
            settings: merchant_settings(),
            callback,
            notify_url,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The public parameters of a well-formed call, not yet signed.
    pub(crate) fn parameters(&self, method: &str, biz_content: &Value) -> Parameters {
        let beijing = Offset::constant(8).to_datetime(clock());
        let parameters = [
            ("app_id", self.settings.app_id.to_owned()),
            ("method", method.to_owned()),
            ("charset", "utf-8".to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("timestamp", beijing.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            ("version", "1.0".to_owned()),
            ("notify_url", self.notify_url.clone()),
            ("biz_content", biz_content.to_string()),
        ];
        parameters.map(|(name, value)| (name.to_owned(), value)).into()
    }

    pub(crate) fn sign(&self, parameters: &mut Parameters) {
        let key = RsaKeyPair::from_pkcs8(&der(self.settings.app_private_key_pem)).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        let text = signed_text(parameters, &["sign"]);
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        parameters.insert("sign".to_owned(), STANDARD.encode(signature));
    }

    /// Sends parameters as they are, in the body; `None` where the reply broke.
    pub(crate) async fn send(&self, parameters: &Parameters) -> Option<Reply> {
        self.post("", &encoded(parameters)).await
    }

    pub(crate) async fn post(&self, query: &str, form: &str) -> Option<Reply> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.stack.uri(&format!("{GATEWAY_PATH}{query}")))
            .header("content-type", "application/x-www-form-urlencoded;charset=utf-8");
        self.exchange(request.body(Full::from(form.to_owned())).unwrap()).await
    }

    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Option<Reply> {
        let response = self.client.request(request).await.ok()?;
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some(self.read(str::from_utf8(&body).unwrap()))
    }

    /// A well-signed call.
    pub(crate) async fn call(&self, method: &str, biz_content: &Value) -> Reply {
        let mut parameters = self.parameters(method, biz_content);
        self.sign(&mut parameters);
        self.send(&parameters).await.unwrap()
    }

    pub(crate) fn order(&self, out_trade_no: &str) -> Value {
        json!({
            "out_trade_no": out_trade_no,
            "total_amount": "12.80",
            "subject": "书桌 1 天",
            "time_expire": "2026-01-01 08:15:00",
            "qr_code_timeout_express": "15m",
            "passback_params": "lp1.booking.order",
        })
    }

    pub(crate) async fn precreate(&self, order: &Value) -> Reply {
        self.call("alipay.trade.precreate", order).await
    }

    /// Precreates an order; answers its code.
    pub(crate) async fn precreated(&self, out_trade_no: &str) -> Value {
        self.precreate(&self.order(out_trade_no)).await.succeeded()["qr_code"].clone()
    }

    pub(crate) async fn scan(&self, code_url: &Value) -> crate::support::Answer {
        self.stack.control(Method::POST, "scan", json!({ "code_url": code_url })).await
    }

    /// Precreates and scans an order; answers its code.
    pub(crate) async fn scanned(&self, out_trade_no: &str) -> Value {
        let code_url = self.precreated(out_trade_no).await;
        assert_eq!(self.scan(&code_url).await.status, 200);
        code_url
    }

    /// Precreates and pays an order; answers its trade.
    pub(crate) async fn paid(&self, out_trade_no: &str) -> String {
        let code_url = self.precreated(out_trade_no).await;
        let paid = self.stack.pay(json!({ "code_url": code_url })).await;
        assert_eq!(paid.status, 200, "{}", paid.body);
        paid.body["transaction_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Reply {
        self.call("alipay.trade.query", &json!({ "out_trade_no": out_trade_no })).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Reply {
        self.call("alipay.trade.close", &json!({ "out_trade_no": out_trade_no })).await
    }

    pub(crate) async fn cancel(&self, out_trade_no: &str) -> Reply {
        self.call("alipay.trade.cancel", &json!({ "out_trade_no": out_trade_no })).await
    }

    pub(crate) async fn refund(&self, trade_no: &str, number: &str, yuan: &str) -> Reply {
        let refund = json!({
            "trade_no": trade_no,
            "out_request_no": number,
            "refund_amount": yuan,
            "refund_reason": "duplicate_payment",
        });
        self.call("alipay.trade.refund", &refund).await
    }

    pub(crate) async fn refund_query(&self, trade_no: &str, number: &str) -> Reply {
        let asked = json!({
            "trade_no": trade_no,
            "out_request_no": number,
            "query_options": ["gmt_refund_pay"],
        });
        self.call("alipay.trade.fastpay.refund.query", &asked).await
    }

    pub(crate) async fn control(&self, path: &str, body: Value) -> crate::support::Answer {
        self.stack.control(Method::POST, path, body).await
    }

    pub(crate) async fn signs_with(&self, key: &str) {
        let answer = self.stack.control(Method::PUT, "alipay/key", json!({ "signs": key })).await;
        assert_eq!(answer.status, 200);
    }

    /// Whether Alipay's current key signed this form.
    pub(crate) fn is_genuine(&self, notice: &Parameters) -> bool {
        let text = signed_text(notice, &["sign", "sign_type"]);
        notice["sign_type"] == "RSA2"
            && verified(self.settings.alipay_public_key_pem, &text, &notice["sign"])
    }

    /// Cuts the object out as it was sent, because that text is what is signed.
    fn read(&self, body: &str) -> Reply {
        let parsed: BTreeMap<String, Value> = serde_json::from_str(body).unwrap();
        let key = parsed.keys().find(|key| *key != "sign").unwrap().clone();
        let rest = body.strip_prefix(&format!("{{\"{key}\":")).unwrap();
        let sign = parsed.get("sign").map(|sign| sign.as_str().unwrap());
        let end = sign.map_or("}".to_owned(), |sign| format!(",\"sign\":\"{sign}\"}}"));
        let text = rest.strip_suffix(&end).unwrap().to_owned();
        let keys =
            [self.settings.alipay_public_key_pem, self.settings.previous_alipay_public_key_pem];
        if let Some(sign) = sign {
            assert!(keys.iter().any(|pem| verified(pem, &text, sign)), "{text}");
        }
        Reply { object: parsed[&key].clone(), signed: sign.is_some(), key, text }
    }
}

/// What is signed: everything but these names, sorted, empty values left out.
pub(crate) fn signed_text(parameters: &Parameters, without: &[&str]) -> String {
    let kept = parameters
        .iter()
        .filter(|(name, value)| !value.is_empty() && !without.contains(&name.as_str()));
    kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

pub(crate) fn verified(public_key_pem: &str, text: &str, sign: &str) -> bool {
    let der = der(public_key_pem);
    let (_, key) = SubjectPublicKeyInfo::from_der(&der).unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.subject_public_key.data);
    key.verify(text.as_bytes(), &STANDARD.decode(sign).unwrap()).is_ok()
}

/// Encodes every byte but letters and digits, which any reader of forms must understand.
pub(crate) fn encoded(parameters: &Parameters) -> String {
    let value = |value: &str| -> String {
        let bytes = value.bytes().map(|byte| match byte {
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        });
        bytes.collect()
    };
    let pairs = parameters.iter().map(|(name, text)| format!("{name}={}", value(text)));
    pairs.collect::<Vec<_>>().join("&")
}

fn form(body: &str) -> Parameters {
    let pairs = body.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), decoded(value))
    });
    let pairs: Vec<_> = pairs.collect();
    let parameters: Parameters = pairs.iter().cloned().collect();
    assert_eq!(parameters.len(), pairs.len(), "a name stands twice in {body}");
    parameters
}

fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at(2);
                bytes.push(u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap());
                rest = after;
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn receive(State(callback): State<Callback>, body: Bytes) -> (StatusCode, &'static str) {
    callback.delivered.lock().unwrap().push(body);
    let (status, body) = callback.script.lock().unwrap().pop_front().unwrap_or((200, "success"));
    (StatusCode::from_u16(status).unwrap(), body)
}
