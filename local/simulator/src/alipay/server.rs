//! One call at the gateway: verified, dispatched, answered and signed.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, StatusCode};
use ring::error::Unspecified;
use tokio::time::sleep;

use super::parameters::{Call, Parameters};
use super::refusal::{Origin, Refusal};
use super::reply::Object;
use super::{bill, cancel, close, precreate, query, refund, refund_query};
use crate::calls;
use crate::faults::{CallFate, Failure};
use crate::state::Shared;

/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The key of a reply to a call whose method the gateway does not know.
const UNKNOWN_METHOD_KEY: &str = "error_response";

/// What can be called.
#[derive(Clone, Copy)]
enum Method {
    Precreate,
    Query,
    Close,
    Cancel,
    Refund,
    RefundQuery,
    Bill,
}

impl Method {
    const ALL: [Self; 7] = [
        Self::Precreate,
        Self::Query,
        Self::Close,
        Self::Cancel,
        Self::Refund,
        Self::RefundQuery,
        Self::Bill,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Precreate => "alipay.trade.precreate",
            Self::Query => "alipay.trade.query",
            Self::Close => "alipay.trade.close",
            Self::Cancel => "alipay.trade.cancel",
            Self::Refund => "alipay.trade.refund",
            Self::RefundQuery => "alipay.trade.fastpay.refund.query",
            Self::Bill => "alipay.data.dataservice.bill.downloadurl.query",
        }
    }

    fn response_key(self) -> String {
        format!("{}_response", self.name().replace('.', "_"))
    }

    fn call(self, shared: &Shared, call: &Call, host: &str) -> Result<Object, Refusal> {
        match self {
            Self::Precreate => precreate::precreate(shared, call),
            Self::Query => query::query(shared, call),
            Self::Close => close::close(shared, call),
            Self::Cancel => cancel::cancel(shared, call),
            Self::Refund => refund::refund(shared, call),
            Self::RefundQuery => refund_query::query(shared, call),
            Self::Bill => bill::place(shared, call, host),
        }
    }
}

/// Serves every method.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let host = host(&request);
    let named = read(request).await.and_then(|parameters| Ok((method(&parameters)?, parameters)));
    let mut response = match named {
        Ok((method, parameters)) => answer(&shared, method, &parameters, &host).await,
        Err(refusal) => reply(&shared, UNKNOWN_METHOD_KEY, Err(refusal)),
    };
    let trace_id = shared.lock().random.alphanumerics(32);
    if let Ok(trace_id) = HeaderValue::from_str(&trace_id) {
        response.headers_mut().insert("trace_id", trace_id);
    }
    response
}

/// Serves the archive of a bill. Whoever has its address may have it: nothing is signed.
pub(crate) async fn serve_bill(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (fate, delay) = calls::fate(&shared);
    let answering = |status| {
        let mut response = Response::default();
        *response.status_mut() = status;
        response
    };
    let failed = |failure| match failure {
        Failure::SystemError => answering(StatusCode::INTERNAL_SERVER_ERROR),
        Failure::TornReply => calls::torn_reply(),
        Failure::TooOften => answering(StatusCode::TOO_MANY_REQUESTS),
    };
    if let CallFate::FailsBefore(failure) = fate {
        return failed(failure);
    }
    let archive = bill::archive(&shared, request.uri().query().unwrap_or_default());
    sleep(delay).await;
    match fate {
        CallFate::FailsAfter(failure) => failed(failure),
        CallFate::FailsBefore(_) | CallFate::Works => archive,
    }
}

/// What the caller calls this server.
fn host(request: &Request) -> String {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    host.unwrap_or_default().to_owned()
}

/// A body of another type than a form is not read, so that its parameters are missing.
async fn read(request: Request) -> Result<Parameters, Refusal> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type
        .is_some_and(|content_type| content_type.starts_with("application/x-www-form-urlencoded"));
    let unreadable = || Refusal::invalid("isv.invalid-parameter", "the body cannot be read");
    let body = to_bytes(body, REQUEST_BYTES_MAX).await.map_err(|_| unreadable())?;
    let form = if is_form { str::from_utf8(&body).map_err(|_| unreadable())? } else { "" };
    Parameters::read(parts.uri.query().unwrap_or_default(), form)
}

fn method(parameters: &Parameters) -> Result<Method, Refusal> {
    let name = parameters.get("method").ok_or_else(|| Refusal::missing("isv.missing-method"))?;
    let method = Method::ALL.into_iter().find(|method| method.name() == name);
    method.ok_or_else(|| Refusal::invalid("isv.invalid-method", "不存在的方法名"))
}

async fn answer(shared: &Shared, method: Method, parameters: &Parameters, host: &str) -> Response {
    let key = method.response_key();
    let call = match parameters.verified(&shared.alipay, shared.now()) {
        Ok(call) => call,
        Err(refusal) => return reply(shared, &key, Err(refusal)),
    };
    let (fate, delay) = calls::fate(shared);
    if let CallFate::FailsBefore(failure) = fate {
        return fail(shared, &key, failure);
    }
    let outcome = method.call(shared, &call, host).map_err(|refusal| refusal.about(&call));
    sleep(delay).await;
    match fate {
        CallFate::FailsAfter(failure) => fail(shared, &key, failure),
        CallFate::FailsBefore(_) | CallFate::Works => reply(shared, &key, outcome),
    }
}

/// Both ways in which the real gateway says that it does not know come by chance.
fn fail(shared: &Shared, key: &str, failure: Failure) -> Response {
    match failure {
        Failure::SystemError => {
            let gateway = shared.lock().random.coin();
            let refusal = if gateway { Refusal::unavailable() } else { Refusal::system_error() };
            reply(shared, key, Err(refusal))
        }
        Failure::TornReply => calls::torn_reply(),
        Failure::TooOften => reply(shared, key, Err(Refusal::too_often())),
    }
}

/// The reply, signed over the exact text of the object in it.
fn reply(shared: &Shared, key: &str, outcome: Result<Object, Refusal>) -> Response {
    let (object, origin) = match outcome {
        Ok(object) => (object, Origin::Business),
        Err(refusal) => {
            let origin = refusal.origin;
            (refusal.object(), origin)
        }
    };
    let text = object.text();
    let Ok(sign) = signature(shared, origin, &text) else {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let mut response = Response::new(Body::from(format!("{{\"{key}\":{text}{sign}}}")));
    let html = HeaderValue::from_static("text/html;charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// The field that follows the object; nothing where the reply is not signed.
fn signature(shared: &Shared, origin: Origin, text: &str) -> Result<String, Unspecified> {
    let key = shared.lock().ledger.alipay_key();
    match origin {
        Origin::Gateway => Ok(String::new()),
        Origin::Business => Ok(format!(",\"sign\":\"{}\"", shared.alipay.sign(key, text)?)),
    }
}
