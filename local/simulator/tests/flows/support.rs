//! A merchant with its own signing code, a callback that records, and a clock to turn.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};
use simulator::Simulator;
use simulator::config::SimulatorConfig;
use simulator::wechat_pay::{MOUNT_PATH, MerchantSettings, merchant_settings};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// 2026-01-01T00:00:00Z.
pub(crate) const START_S: i64 = 1_767_225_600;

/// How often a condition is looked at, 10 ms apart.
const LOOKS_MAX: usize = 1_000;
/// Before a repeated delivery: so long that a test has turned the clock meanwhile, also on a busy
/// machine.
pub(crate) const UNHURRIED: Duration = Duration::from_secs(2);

thread_local! {
    static NOW_S: Cell<i64> = const { Cell::new(START_S) };
}

/// Each test runs on one thread, its servers too, so each has its own time.
pub(crate) fn clock() -> Timestamp {
    Timestamp::from_second(NOW_S.get()).unwrap()
}

pub(crate) fn set_clock(now_s: i64) {
    NOW_S.set(now_s);
}

/// A request as it was delivered to the callback.
#[derive(Clone)]
pub(crate) struct Delivered {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The merchant's callback: records everything, and answers the scripted statuses, then 200.
#[derive(Clone, Default)]
pub(crate) struct Callback {
    delivered: Arc<Mutex<Vec<Delivered>>>,
    script: Arc<Mutex<VecDeque<u16>>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

pub(crate) struct Stack {
    pub(crate) settings: MerchantSettings,
    pub(crate) callback: Callback,
    pub(crate) notify_url: String,
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
    _simulator: Simulator,
}

/// What a request is signed with; a test spoils one value at a time.
pub(crate) struct Signing {
    pub(crate) mchid: String,
    pub(crate) serial: String,
    pub(crate) key_pem: &'static str,
    pub(crate) timestamp: String,
    pub(crate) path: String,
    pub(crate) body: String,
    /// The `Wechatpay-Serial` that asks for a key.
    pub(crate) wanted_serial: Option<String>,
}

impl Callback {
    pub(crate) fn answers(&self, statuses: impl IntoIterator<Item = u16>) {
        self.script.lock().unwrap().extend(statuses);
    }

    pub(crate) fn all(&self) -> Vec<Delivered> {
        self.delivered.lock().unwrap().clone()
    }

    /// Waits until so many requests came.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Delivered> {
        eventually(|| self.all().len() >= count).await;
        self.all()
    }
}

pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..LOOKS_MAX {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(condition(), "the condition never came true");
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        let callback = Callback::default();
        let routes =
            Router::new().route("/callbacks/{gateway}", post(receive)).with_state(callback.clone());
        let callback_base = serve(routes).await;
        let callbacks_base_url = format!("{callback_base}/callbacks");
        let notify_url = format!("{callbacks_base_url}/wechat_pay");
        let mut config = SimulatorConfig::new(callbacks_base_url, std::sync::Arc::new(clock));
        config.retry_schedule = vec![Duration::from_millis(20); 4];
        config.refund_delay = Duration::from_millis(20);
        change(&mut config);
        let simulator = Simulator::start(config).unwrap();
        let base = serve(simulator.router()).await;
        Self {
            settings: merchant_settings(),
            callback,
            notify_url,
            base,
            client: Client::builder(TokioExecutor::new()).build_http(),
            _simulator: simulator,
        }
    }

    /// A well-signed call in public-key mode. Every success must be signed too.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let signing = self.signing(path, body);
        let signed = authorize(&signing, &method);
        let answer = self.send(&method, &signing.path, &signing, signed).await.unwrap();
        if answer.status < 300 {
            assert_eq!(answer.headers["wechatpay-serial"], self.settings.verify_keys[0].serial);
        }
        answer
    }

    pub(crate) fn signing(&self, path: &str, body: Option<Value>) -> Signing {
        Signing {
            mchid: self.settings.mchid.to_owned(),
            serial: self.settings.merchant_serial.to_owned(),
            key_pem: self.settings.merchant_private_key_pem,
            timestamp: NOW_S.get().to_string(),
            path: format!("{MOUNT_PATH}{path}"),
            body: body.map(|body| body.to_string()).unwrap_or_default(),
            wanted_serial: Some(self.settings.verify_keys[0].serial.to_owned()),
        }
    }

    /// Sends to a path with these headers; `None` where the reply broke.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        signing: &Signing,
        authorization: String,
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("accept", "application/json")
            .header("user-agent", "merchant/1")
            .header("authorization", authorization);
        if !signing.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(serial) = &signing.wanted_serial {
            request = request.header("wechatpay-serial", serial);
        }
        self.exchange(request.body(Full::from(signing.body.clone())).unwrap()).await
    }

    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let gateway = request.uri().path().starts_with(MOUNT_PATH);
        let response = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        if gateway && parts.status.is_success() {
            verify(&self.settings, &parts.headers, &body).unwrap();
        }
        Some(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// A file, which no signature covers: status and bytes.
    pub(crate) async fn file(&self, request: Request<Full<Bytes>>) -> (u16, Bytes) {
        let response = self.client.request(request).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A control call under `/simulator`.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        let uri = self.uri(&format!("/simulator/{path}"));
        let request = Request::builder().method(method).uri(uri);
        self.exchange(request.body(Full::from(body.to_string())).unwrap()).await.unwrap()
    }

    pub(crate) async fn pay(&self, body: Value) -> Answer {
        self.control(Method::POST, "pay", body).await
    }

    pub(crate) async fn set_faults(&self, plan: Value) {
        assert_eq!(self.control(Method::PUT, "faults", plan).await.status, 200);
    }

    /// The codes that the wallet sees.
    pub(crate) async fn codes(&self) -> Vec<Value> {
        let codes = self.control(Method::GET, "codes", json!(null)).await;
        assert_eq!(codes.status, 200, "{}", codes.body);
        codes.body["codes"].as_array().unwrap().clone()
    }

    /// The ledger's line for one payment.
    pub(crate) async fn ledger(&self, payment_id: &str) -> Value {
        let ledger = self.control(Method::GET, "ledger", json!(null)).await.body;
        let mut payments = ledger["payments"].as_array().unwrap().iter();
        payments.find(|payment| payment["payment_id"] == payment_id).cloned().unwrap()
    }

    /// Waits until the ledger's line says this.
    pub(crate) async fn ledger_says(&self, payment_id: &str, pointer: &str, value: Value) {
        for _ in 0..LOOKS_MAX {
            if self.ledger(payment_id).await.pointer(pointer) == Some(&value) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let line = self.ledger(payment_id).await;
        assert_eq!(line.pointer(pointer), Some(&value), "{pointer} of {line}");
    }

    pub(crate) fn order(&self, out_trade_no: &str) -> Value {
        json!({
            "appid": self.settings.appid,
            "mchid": self.settings.mchid,
            "description": "书桌 1 天",
            "out_trade_no": out_trade_no,
            "time_expire": "2026-01-01T08:15:00+08:00",
            "attach": "lp1:booking:order",
            "notify_url": self.notify_url,
            "amount": { "total": 1280, "currency": "CNY" },
        })
    }

    pub(crate) async fn create(&self, order: &Value) -> Answer {
        self.call(Method::POST, "/v3/pay/transactions/native", Some(order.clone())).await
    }

    /// Creates an order; answers its code.
    pub(crate) async fn created(&self, out_trade_no: &str) -> Value {
        let answer = self.create(&self.order(out_trade_no)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["code_url"].clone()
    }

    /// Creates and pays an order; answers the transaction id.
    pub(crate) async fn paid(&self, out_trade_no: &str) -> String {
        let code_url = self.created(out_trade_no).await;
        let paid = self.pay(json!({ "code_url": code_url })).await;
        assert_eq!(paid.status, 200, "{}", paid.body);
        paid.body["transaction_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn query(&self, out_trade_no: &str) -> Answer {
        let mchid = self.settings.mchid;
        let path = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={mchid}");
        self.call(Method::GET, &path, None).await
    }

    pub(crate) async fn close(&self, out_trade_no: &str) -> Answer {
        let path = format!("/v3/pay/transactions/out-trade-no/{out_trade_no}/close");
        self.call(Method::POST, &path, Some(json!({ "mchid": self.settings.mchid }))).await
    }

    pub(crate) fn refund_of(&self, transaction_id: &str, out_refund_no: &str) -> Value {
        json!({
            "transaction_id": transaction_id,
            "out_refund_no": out_refund_no,
            "reason": "duplicate_payment",
            "notify_url": self.notify_url,
            "amount": { "refund": 1280, "total": 1280, "currency": "CNY" },
        })
    }

    pub(crate) async fn refund(&self, refund: &Value) -> Answer {
        self.call(Method::POST, "/v3/refund/domestic/refunds", Some(refund.clone())).await
    }

    pub(crate) async fn refund_status(&self, out_refund_no: &str) -> Value {
        let path = format!("/v3/refund/domestic/refunds/{out_refund_no}");
        self.call(Method::GET, &path, None).await.body["status"].clone()
    }

    /// Verifies and opens a delivered notification.
    pub(crate) fn open(&self, delivered: &Delivered) -> Result<(Value, Value), &'static str> {
        verify(&self.settings, &delivered.headers, &delivered.body)?;
        let envelope: Value = serde_json::from_slice(&delivered.body).unwrap();
        let plaintext = open(self.settings.apiv3_key, &envelope);
        Ok((envelope, plaintext))
    }
}

/// The `Authorization` header over the path and body of a [`Signing`].
pub(crate) fn authorize(signing: &Signing, method: &Method) -> String {
    let nonce = "6F01E5D25EC46D00DA03DED5CE11DBFA";
    let Signing { mchid, serial, timestamp, path, body, .. } = signing;
    let message = format!("{method}\n{path}\n{timestamp}\n{nonce}\n{body}\n");
    let key = RsaKeyPair::from_pkcs8(&der(signing.key_pem)).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    let signature = STANDARD.encode(signature);
    format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"{mchid}\",nonce_str=\"{nonce}\",\
         signature=\"{signature}\",timestamp=\"{timestamp}\",serial_no=\"{serial}\""
    )
}

/// Verifies a reply or notification with the key that its serial names.
pub(crate) fn verify(
    settings: &MerchantSettings,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), &'static str> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let timestamp = header("wechatpay-timestamp").ok_or("no timestamp")?;
    if (timestamp.parse::<i64>().unwrap() - NOW_S.get()).abs() >= 300 {
        return Err("stale timestamp");
    }
    let serial = header("wechatpay-serial").ok_or("no serial")?;
    let mut keys = settings.verify_keys.iter();
    let key = keys.find(|key| key.serial == serial).ok_or("unknown serial")?;
    let nonce = header("wechatpay-nonce").ok_or("no nonce")?;
    let message = [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
    let signature = STANDARD.decode(header("wechatpay-signature").ok_or("no signature")?);
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key(key.pem));
    key.verify(&message, &signature.unwrap()).map_err(|_| "wrong signature")
}

/// Opens the sealed resource of a notification.
pub(crate) fn open(apiv3_key: &str, envelope: &Value) -> Value {
    let resource = &envelope["resource"];
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, apiv3_key.as_bytes()).unwrap());
    let nonce = resource["nonce"].as_str().unwrap().as_bytes().try_into().unwrap();
    let context = resource["associated_data"].as_str().unwrap();
    let mut sealed = STANDARD.decode(resource["ciphertext"].as_str().unwrap()).unwrap();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plaintext = key.open_in_place(nonce, Aad::from(context.as_bytes()), &mut sealed).unwrap();
    serde_json::from_slice(plaintext).unwrap()
}

/// A file of one test, fresh.
pub(crate) fn fresh_file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_file(&path);
    path
}

fn public_key(pem: &str) -> Vec<u8> {
    let der = der(pem);
    if pem.contains("BEGIN CERTIFICATE") {
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        return certificate.public_key().subject_public_key.data.to_vec();
    }
    let (_, key) = SubjectPublicKeyInfo::from_der(&der).unwrap();
    key.subject_public_key.data.to_vec()
}

pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

async fn receive(State(callback): State<Callback>, headers: HeaderMap, body: Bytes) -> StatusCode {
    callback.delivered.lock().unwrap().push(Delivered { headers, body });
    let status = callback.script.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(status).unwrap()
}

pub(crate) async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}")
}
