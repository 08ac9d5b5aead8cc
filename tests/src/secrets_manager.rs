//! A stand-in for AWS Secrets Manager on a port: it answers `GetSecretValue` on the wire, to
//! requests that are signed as the real one demands, and fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The secret that it holds.
pub const SECRET_ARN: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:latchpay-AbCdEf";
/// Its region.
pub const REGION: &str = "eu-central-1";
/// What the caller's session proves itself by.
pub const SESSION_TOKEN: &str = "session-token-of-the-role";

/// How it fails once.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It answers a status with the name of an exception.
    Refuses(u16, &'static str),
    /// It answers with a body of its own.
    Says(Value),
    /// It takes the request and never answers.
    Silence,
}

/// The running stand-in. Dropping it stops it.
pub struct SecretsManagerStandIn {
    /// Where it serves.
    pub url: String,
    held: Arc<Mutex<Held>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Held {
    json: String,
    version: u32,
    faults: VecDeque<Fault>,
    calls: u32,
}

impl Drop for SecretsManagerStandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl SecretsManagerStandIn {
    /// Starts it with a document.
    pub async fn start(document: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::new(Mutex::new(Held::default()));
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&held));
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let stand_in = Self { url, held, server };
        stand_in.rotate(document.to_string());
        stand_in
    }

    /// Puts another version of the secret.
    pub fn rotate(&self, json: impl Into<String>) {
        let mut held = self.held.lock().unwrap();
        held.json = json.into();
        held.version += 1;
    }

    /// Fails the next requests, one after the other, instead of answering them.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.held.lock().unwrap().faults = faults.into_iter().collect();
    }

    /// How many requests have come since it was last asked.
    pub fn calls(&self) -> u32 {
        std::mem::take(&mut self.held.lock().unwrap().calls)
    }
}

async fn answer(State(held): State<Arc<Mutex<Held>>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(fault) = check(&headers, &body) {
        return refusal(400, fault);
    }
    let fault = {
        let mut held = held.lock().unwrap();
        held.calls += 1;
        held.faults.pop_front()
    };
    match fault {
        None => {
            let held = held.lock().unwrap();
            reply(200, &secret_string(held.version, &held.json))
        }
        Some(Fault::Says(body)) => reply(200, &body),
        Some(Fault::Refuses(status, kind)) => refusal(status, kind),
        Some(Fault::Silence) => std::future::pending().await,
    }
}

/// What `GetSecretValue` answers about a text.
#[must_use]
pub fn secret_string(version: u32, json: &str) -> Value {
    json!({
        "ARN": SECRET_ARN,
        "CreatedDate": 1_795_392_000.25,
        "Name": "latchpay",
        "SecretString": json,
        "VersionId": format!("{version:08}-0000-4000-8000-000000000000"),
        "VersionStages": ["AWSCURRENT"],
    })
}

/// Refuses a request that the real service would not take: another operation, another secret, or
/// no signature by Signature Version 4 over what it demands.
fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    if text("x-amz-target") != "secretsmanager.GetSecretValue" {
        return Err("UnknownOperationException");
    }
    if text("content-type") != "application/x-amz-json-1.1" {
        return Err("SerializationException");
    }
    let authorization = text(header::AUTHORIZATION.as_str());
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=");
    let (credential, rest) = parts.and_then(|parts| parts.split_once(", ")).unwrap_or_default();
    let (signed, signature) = rest.split_once(", Signature=").unwrap_or_default();
    let day = text("x-amz-date").get(..8).unwrap_or_default();
    let scope = format!("/{day}/{REGION}/secretsmanager/aws4_request");
    let signs = |name: &str| signed.split(['=', ';']).any(|one| one == name);
    let is_signed = credential.ends_with(&scope)
        && ["host", "x-amz-date", "x-amz-target", "x-amz-security-token"].into_iter().all(signs)
        && signature.len() == 64
        && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_signed || text("x-amz-security-token") != SESSION_TOKEN {
        return Err("IncompleteSignature");
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    if asked == json!({ "SecretId": SECRET_ARN }) {
        Ok(())
    } else {
        Err("ResourceNotFoundException")
    }
}

fn refusal(status: u16, kind: &str) -> Response {
    reply(status, &json!({ "__type": kind, "Message": format!("refused as {kind}") }))
}

fn reply(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let content_type = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, content_type, body.to_string()).into_response()
}
