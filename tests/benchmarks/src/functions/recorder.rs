//! Stands before the store and notes what it is asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use runtime::connectors::plain_connector;
use runtime::transport::Transport;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest request that is passed on, in bytes: what DynamoDB takes.
const REQUEST_LEN_MAX: usize = 16 * 1024 * 1024;

/// A recorder on a port of its own. Dropping it ends it.
pub struct Recorder {
    /// Where it listens.
    pub url: String,
    noted: Noted,
    serving: JoinHandle<()>,
}

type Noted = Arc<Mutex<Vec<Value>>>;

#[derive(Clone)]
struct Passing {
    store: String,
    transport: Transport,
    noted: Noted,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Recorder {
    /// A recorder before the store at an address.
    ///
    /// # Errors
    /// A line about the port.
    pub async fn start(store: &str) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let noted = Noted::default();
        let transport = Transport::new(plain_connector());
        let passing = Passing { store: store.to_owned(), transport, noted: Arc::clone(&noted) };
        let router = Router::new().fallback(pass).with_state(passing);
        let serving = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url: format!("http://{address}"), noted, serving })
    }

    /// What was asked so far: `operation` and `body` of each call.
    pub fn calls(&self) -> Vec<Value> {
        self.noted.lock().unwrap().clone()
    }
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    match passed(&passing, request).await {
        Ok(response) => response,
        Err(line) => (StatusCode::BAD_GATEWAY, line).into_response(),
    }
}

async fn passed(passing: &Passing, request: Request) -> Result<Response, String> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, REQUEST_LEN_MAX).await;
    let body = body.map_err(|error| error.to_string())?;
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (_, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    passing.noted.lock().unwrap().push(json!({ "operation": operation, "body": asked }));
    let mut on = http::Request::new(body);
    *on.method_mut() = parts.method;
    *on.uri_mut() = passing.store.parse().map_err(|_| "the store's address".to_owned())?;
    for name in ["x-amz-target", "content-type", "authorization"] {
        if let Some(value) = parts.headers.get(name) {
            on.headers_mut().insert(name, value.clone());
        }
    }
    let reply = passing.transport.send(on).await.map_err(|error| error.to_string())?;
    let (parts, body): (_, Bytes) = reply.into_parts();
    Ok((parts.status, [("content-type", "application/x-amz-json-1.0")], body).into_response())
}
