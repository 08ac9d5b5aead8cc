//! One call at the gateway: verified, dispatched, answered and signed.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use super::keys::{KeyMode, Stamp};
use super::refusal::Refusal;
use super::{MOUNT_PATH, authorization, bill, close, create, query, refund};
use crate::calls;
use crate::faults::{CallFate, Failure};
use crate::state::Shared;

/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A call, exactly as it came.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path_and_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a call that succeeded answers.
#[derive(Debug)]
pub(super) enum Reply {
    Json(Value),
    /// A file: its hash was told before, and it is not signed.
    File(String),
    NoContent,
}

/// Serves every path of the protocol.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let outcome = match read(request).await {
        Ok(call) => answer(&shared, &call).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = outcome.unwrap_or_else(refused);
    let request_id = shared.lock().random.alphanumerics(32);
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), request_id);
    }
    response
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(&self.path_and_query, |(path, _)| path)
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.path_and_query.split_once('?').map(|(_, query)| query)
    }
}

async fn read(request: Request) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, REQUEST_BYTES_MAX).await;
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Call {
        method: parts.method,
        path_and_query,
        headers: parts.headers,
        body: body.map_err(|_| Refusal::parameter("the body cannot be read"))?,
    })
}

async fn answer(shared: &Shared, call: &Call) -> Result<Response, Refusal> {
    authorization::verify(&shared.wechat_pay, call, shared.now())?;
    let mode = check_headers(call)?;
    let (fate, delay) = calls::fate(shared);
    if let CallFate::FailsBefore(failure) = fate {
        return fail(failure);
    }
    let reply = dispatch(shared, call);
    sleep(delay).await;
    match fate {
        CallFate::FailsAfter(failure) => fail(failure),
        CallFate::FailsBefore(_) | CallFate::Works => signed(shared, mode, reply),
    }
}

/// Checks what every request must say about itself; answers the key that signs the reply.
fn check_headers(call: &Call) -> Result<KeyMode, Refusal> {
    let accept = call.header(ACCEPT.as_str()).unwrap_or_default();
    if !accept.contains("application/json") && !accept.contains("*/*") {
        return Err(Refusal::parameter("Accept: application/json"));
    }
    if call.header(USER_AGENT.as_str()).unwrap_or_default().is_empty() {
        return Err(Refusal::parameter("User-Agent is missing"));
    }
    let content_type = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    if !call.body.is_empty() && !content_type.starts_with("application/json") {
        return Err(Refusal::parameter("Content-Type: application/json"));
    }
    let Some(serial) = call.header("wechatpay-serial") else {
        return Ok(KeyMode::Certificate);
    };
    KeyMode::named(serial).ok_or_else(|| Refusal::parameter("Wechatpay-Serial is unknown"))
}

fn dispatch(shared: &Shared, call: &Call) -> Result<Reply, Refusal> {
    let segments = segments(call)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&call.method, segments.as_slice()) {
        (&Method::POST, ["v3", "pay", "transactions", "native"]) => create::create(shared, call),
        (&Method::GET, ["v3", "pay", "transactions", "out-trade-no", number]) => {
            query::by_number(shared, number, call.query())
        }
        (&Method::GET, ["v3", "pay", "transactions", "id", id]) => {
            query::by_transaction(shared, id, call.query())
        }
        (&Method::POST, ["v3", "pay", "transactions", "out-trade-no", number, "close"]) => {
            close::close(shared, number, &call.body)
        }
        (&Method::POST, ["v3", "refund", "domestic", "refunds"]) => refund::create(shared, call),
        (&Method::GET, ["v3", "refund", "domestic", "refunds", number]) => {
            refund::query(shared, number)
        }
        (&Method::GET, ["v3", "bill", "tradebill"]) => bill::place(shared, call),
        (&Method::GET, ["v3", "billdownload", "file"]) => bill::file(shared, call),
        _ => Err(Refusal::resource_unknown("no such call")),
    }
}

/// The path after the mount, split first and decoded then.
fn segments(call: &Call) -> Result<Vec<String>, Refusal> {
    let path = call.path().strip_prefix(MOUNT_PATH).and_then(|path| path.strip_prefix('/'));
    let path = path.ok_or_else(|| Refusal::resource_unknown("no such call"))?;
    let decoded: Option<Vec<String>> = path.split('/').map(calls::percent_decoded).collect();
    decoded.ok_or_else(|| Refusal::parameter("the path is not percent-encoded UTF-8"))
}

/// Signs a reply. Refusals are signed too, as the real gateway signs every reply to a request
/// whose own signature was right.
fn signed(
    shared: &Shared,
    mode: KeyMode,
    reply: Result<Reply, Refusal>,
) -> Result<Response, Refusal> {
    let (status, body) = match reply {
        Ok(Reply::Json(value)) => (StatusCode::OK, value.to_string()),
        Ok(Reply::File(contents)) => return Ok(Response::new(Body::from(contents))),
        Ok(Reply::NoContent) => (StatusCode::NO_CONTENT, String::new()),
        Err(refusal) => (refusal.status, refusal.body().to_string()),
    };
    let nonce = shared.lock().random.alphanumerics(32);
    let stamp = Stamp { mode, timestamp: shared.now().as_second(), nonce };
    let headers = shared.wechat_pay.signed(&stamp, body.as_bytes());
    let headers = headers.map_err(|_| Refusal::system_error())?;
    let mut response = json_response(status, body);
    response.headers_mut().extend(headers);
    Ok(response)
}

fn refused(refusal: Refusal) -> Response {
    json_response(refusal.status, refusal.body().to_string())
}

fn json_response(status: StatusCode, body: String) -> Response {
    let empty = body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if !empty {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
    }
    response
}

fn fail(failure: Failure) -> Result<Response, Refusal> {
    match failure {
        Failure::SystemError => Err(Refusal::system_error()),
        Failure::TornReply => Ok(calls::torn_reply()),
        Failure::TooOften => Err(Refusal::too_often()),
    }
}
