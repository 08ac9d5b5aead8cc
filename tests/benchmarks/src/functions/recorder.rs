//! Stands before the store and before the gateway, and notes what they are asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri, header};
use runtime::connectors::plain_connector;
use runtime::transport::Transport;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest request that is passed on, in bytes: what DynamoDB takes.
const REQUEST_LEN_MAX: usize = 16 * 1024 * 1024;

/// A recorder on ports of its own. Dropping it ends it.
pub struct Recorder {
    /// Where it stands for the store.
    pub store_url: String,
    /// Where it stands for the gateway, without the path.
    pub gateway_url: String,
    noted: Noted,
    serving: [JoinHandle<()>; 2],
}

type Noted = Arc<Mutex<Vec<Value>>>;

/// How a request is noted, which is passed on to a URI.
type Note = fn(&Uri, &Parts, &[u8]) -> Result<Value, String>;

#[derive(Clone)]
struct Passing {
    to: String,
    note: Note,
    transport: Transport,
    noted: Noted,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

impl Recorder {
    /// A recorder before the store at an address, and before the gateway at another.
    ///
    /// # Errors
    /// A line about a port.
    pub async fn start(store: &str, gateway: &str) -> Result<Self, String> {
        let noted = Noted::default();
        let passing = |to: &str, note| Passing {
            to: to.trim_end_matches('/').to_owned(),
            note,
            transport: Transport::new(plain_connector()),
            noted: Arc::clone(&noted),
        };
        let (store_url, store) = serve(passing(store, table_call)).await?;
        let (gateway_url, gateway) = serve(passing(gateway, gateway_call)).await?;
        Ok(Self { store_url, gateway_url, noted, serving: [store, gateway] })
    }

    /// What was asked so far: of the store `operation` and `body` of each call, of the gateway
    /// `method`, `url`, `headers` and `body`.
    pub fn calls(&self) -> Vec<Value> {
        self.noted.lock().unwrap().clone()
    }
}

async fn serve(passing: Passing) -> Result<(String, JoinHandle<()>), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let router = Router::new().fallback(pass).with_state(passing);
    let serving = tokio::spawn(async move {
        // It serves until it is aborted.
        let _ = axum::serve(listener, router).await;
    });
    Ok((format!("http://{address}"), serving))
}

async fn pass(State(passing): State<Passing>, request: Request) -> Response {
    match passed(&passing, request).await {
        Ok(response) => response,
        Err(line) => (StatusCode::BAD_GATEWAY, line).into_response(),
    }
}

async fn passed(passing: &Passing, request: Request) -> Result<Response, String> {
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, REQUEST_LEN_MAX).await;
    let body = body.map_err(|error| error.to_string())?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let uri: Uri = format!("{}{target}", passing.to).parse().map_err(|_| "the address")?;
    let noted = (passing.note)(&uri, &parts, &body)?;
    passing.noted.lock().unwrap().push(noted);
    parts.uri = uri;
    without_framing(&mut parts.headers);
    let reply = passing.transport.send(Request::from_parts(parts, body)).await;
    let (mut parts, body): (_, Bytes) = reply.map_err(|error| error.to_string())?.into_parts();
    without_framing(&mut parts.headers);
    Ok(Response::from_parts(parts, body.into()))
}

/// What each connection makes by itself.
fn without_framing(headers: &mut HeaderMap) {
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
}

fn table_call(_: &Uri, parts: &Parts, body: &[u8]) -> Result<Value, String> {
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (_, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
    let asked: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(json!({ "operation": operation, "body": asked }))
}

fn gateway_call(uri: &Uri, parts: &Parts, body: &[u8]) -> Result<Value, String> {
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), json!(value.to_str().ok())));
    Ok(json!({
        "method": parts.method.as_str(),
        "url": uri.to_string(),
        "headers": headers.collect::<Map<_, _>>(),
        "body": std::str::from_utf8(body).map_err(|error| error.to_string())?,
    }))
}
