//! One call at the gateway: authenticated, run once under its key, answered.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{Full, Limited};
use serde_json::Value;
use tokio::time::sleep;

use super::balance::ListMovements;
use super::book::{Change, StoredResult};
use super::execution::{Cause, Execution};
use super::form::{self, Form, Pairs};
use super::idempotency::Keyed;
use super::intent::{Cancel, NewIntent};
use super::objects::Expansion;
use super::refund::{ListRefunds, NewRefund};
use super::refusal::Refusal;
use super::search::Search;
use super::session::{ListSessions, NewSession};
use super::{MOUNT_PATH, authorization, expiry, intent, refund, session};
use crate::faults::{CallFate, Failure};
use crate::state::Shared;

/// The longest request that is read.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// A call, exactly as it came.
struct Call {
    method: Method,
    /// Below the mount, such as `/v1/refunds`.
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What a call is answered.
struct Reply {
    status: StatusCode,
    body: Value,
    /// The call that had this result first, where this one repeats it.
    repeats: Option<String>,
}

/// Something that a call asks to be done, its parameters checked.
enum Command {
    CreateSession(NewSession),
    ExpireSession(String, Expansion),
    CreateIntent(NewIntent),
    CancelIntent(String, Cancel),
    CreateRefund(NewRefund),
}

/// Serves every path of the API.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let request_id = format!("req_{}", shared.lock().random.alphanumerics(14));
    let (mut response, echoed) = match read(request).await {
        Ok(call) => {
            let response = answer(&shared, &call, &request_id).await.unwrap_or_else(refused);
            (response, echoed(&call))
        }
        Err(refusal) => (refused(refusal), HeaderMap::new()),
    };
    response.headers_mut().extend(echoed);
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), request_id);
    }
    response
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn read(request: Request) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, REQUEST_BYTES_MAX).await;
    let path = parts.uri.path().strip_prefix(MOUNT_PATH).unwrap_or_default().to_owned();
    Ok(Call {
        method: parts.method,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.map_err(|_| Refusal::invalid("The request body cannot be read"))?,
    })
}

/// What every reply says of its call.
fn echoed(call: &Call) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let version = authorization::version(call.header("stripe-version")).ok();
    let version = version.map(HeaderValue::from_static);
    headers.extend(version.map(|version| (HeaderName::from_static("stripe-version"), version)));
    let key = call.headers.get("idempotency-key").cloned();
    headers.extend(key.map(|key| (HeaderName::from_static("idempotency-key"), key)));
    headers
}

async fn answer(shared: &Shared, call: &Call, request_id: &str) -> Result<Response, Refusal> {
    authorization::verify(call.header(AUTHORIZATION.as_str()))?;
    authorization::version(call.header("stripe-version"))?;
    let (fate, delay) = fate(shared);
    if let CallFate::FailsBefore(failure) = fate {
        return fail(failure);
    }
    let reply = dispatch(shared, call, request_id);
    sleep(delay).await;
    match fate {
        CallFate::FailsAfter(failure) => fail(failure),
        CallFate::FailsBefore(_) | CallFate::Works => reply.map(response),
    }
}

fn fate(shared: &Shared) -> (CallFate, Duration) {
    let mut state = shared.lock();
    let plan = state.faults.clone();
    (plan.call_fate(&mut state.random), plan.call_delay())
}

fn dispatch(shared: &Shared, call: &Call, request_id: &str) -> Result<Reply, Refusal> {
    expiry::expire_due(shared)?;
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    match call.method {
        Method::GET => get(shared, call, &segments).map(Reply::fresh),
        Method::POST => post(shared, call, &segments, request_id),
        _ => Err(unknown(call)),
    }
}

fn get(shared: &Shared, call: &Call, segments: &[&str]) -> Result<Value, Refusal> {
    let form = Form::new(&form::pairs(call.query.as_bytes())?)?;
    let now = shared.now();
    let state = shared.lock();
    let ledger = &state.ledger;
    match segments {
        ["v1", "checkout", "sessions"] => ListSessions::read(form)?.answer(ledger),
        ["v1", "checkout", "sessions", id] => session::retrieve(ledger, id, form),
        ["v1", "payment_intents", "search"] => Ok(Search::read(form)?.answer(ledger, now)),
        ["v1", "payment_intents", id] => intent::retrieve(ledger, id, form),
        ["v1", "balance_transactions"] => ListMovements::read(form)?.answer(ledger),
        ["v1", "refunds"] => ListRefunds::read(form)?.answer(ledger),
        ["v1", "refunds", id] => refund::retrieve(ledger, id, form),
        _ => Err(unknown(call)),
    }
}

/// A key with a result decides before the parameters are looked at: times in them may have passed.
fn post(
    shared: &Shared,
    call: &Call,
    segments: &[&str],
    request_id: &str,
) -> Result<Reply, Refusal> {
    let parameters = parameters(call)?;
    let key = call.header("idempotency-key");
    let keyed = key.map(|key| Keyed::new(key, &call.path, parameters.clone())).transpose()?;
    let now = shared.now();
    let mut state = shared.lock();
    if let Some(keyed) = &keyed
        && let Some(stored) = state.ledger.stripe().result(&keyed.key, now)
    {
        keyed.check(stored)?;
        return Ok(Reply::repeated(stored));
    }
    let form = Form::new(&parameters)?;
    let command = Command::read(segments, form, now)?.ok_or_else(|| unknown(call))?;
    let cause = Cause {
        request_id: request_id.to_owned(),
        idempotency_key: keyed.as_ref().map(|keyed| keyed.key.clone()),
    };
    let breaks = {
        let share = state.faults.failures_kept;
        state.random.hits(share)
    };
    let mut execution = Execution::caused(shared, &mut state, cause);
    let result = if breaks { Err(Refusal::broken()) } else { command.run(&mut execution) };
    let reply = result.map_or_else(
        |refusal| {
            execution.abandon();
            Reply::refused(&refusal)
        },
        Reply::fresh,
    );
    if let Some(keyed) = keyed {
        execution.change(Change::Result(reply.stored(keyed, request_id, now)));
    }
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(reply)
}

/// The decoded body of a form.
fn parameters(call: &Call) -> Result<Pairs, Refusal> {
    let content_type = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    if !call.body.is_empty() && !content_type.starts_with(FORM) {
        let message = format!("Invalid request (check that your POST content type is {FORM})");
        return Err(Refusal::invalid(message));
    }
    let mut parameters = form::pairs(call.query.as_bytes())?;
    parameters.extend(form::pairs(&call.body)?);
    Ok(parameters)
}

impl Command {
    /// Checks the parameters of a path; nothing where the path is not known.
    fn read(segments: &[&str], form: Form, now: jiff::Timestamp) -> Result<Option<Self>, Refusal> {
        Ok(Some(match segments {
            ["v1", "checkout", "sessions"] => Self::CreateSession(NewSession::read(form, now)?),
            ["v1", "checkout", "sessions", id, "expire"] => {
                Self::ExpireSession((*id).to_owned(), session::read_expansion(form)?)
            }
            ["v1", "payment_intents"] => Self::CreateIntent(NewIntent::read(form)?),
            ["v1", "payment_intents", id, "cancel"] => {
                Self::CancelIntent((*id).to_owned(), Cancel::read(form)?)
            }
            ["v1", "refunds"] => Self::CreateRefund(NewRefund::read(form)?),
            _ => return Ok(None),
        }))
    }

    fn run(self, execution: &mut Execution<'_>) -> Result<Value, Refusal> {
        match self {
            Self::CreateSession(request) => session::create(execution, request),
            Self::ExpireSession(id, expansion) => session::expire(execution, &id, &expansion),
            Self::CreateIntent(request) => intent::create(execution, request),
            Self::CancelIntent(id, request) => intent::cancel(execution, &id, request),
            Self::CreateRefund(request) => refund::create(execution, request),
        }
    }
}

impl Reply {
    fn fresh(body: Value) -> Self {
        Self { status: StatusCode::OK, body, repeats: None }
    }

    fn refused(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body(), repeats: None }
    }

    fn repeated(stored: &StoredResult) -> Self {
        Self {
            status: StatusCode::from_u16(stored.status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: stored.body.clone(),
            repeats: Some(stored.request_id.clone()),
        }
    }

    /// The result as it is kept under the key of its call.
    fn stored(&self, keyed: Keyed, request_id: &str, now: jiff::Timestamp) -> StoredResult {
        StoredResult {
            key: keyed.key,
            path: keyed.path,
            parameters: keyed.parameters,
            status: self.status.as_u16(),
            body: self.body.clone(),
            request_id: request_id.to_owned(),
            stored_at: now,
        }
    }
}

fn unknown(call: &Call) -> Refusal {
    let Call { method, path, .. } = call;
    Refusal::unknown_path(format!("Unrecognized request URL ({method}: {path})."))
}

fn refused(refusal: Refusal) -> Response {
    response(Reply::refused(&refusal))
}

fn response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(format!("{:#}\n", reply.body)));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(first) = reply.repeats {
        let replayed = HeaderValue::from_static("true");
        headers.insert(HeaderName::from_static("idempotent-replayed"), replayed);
        let first = HeaderValue::from_str(&first).ok();
        headers.extend(first.map(|first| (HeaderName::from_static("original-request"), first)));
    }
    response
}

fn fail(failure: Failure) -> Result<Response, Refusal> {
    match failure {
        Failure::SystemError => Err(Refusal::broken()),
        Failure::TooOften => Err(Refusal::too_often()),
        // A body that breaks its own limit ends the connection before the reply is whole.
        Failure::TornReply => Ok(Response::new(Body::new(Limited::new(Full::from("{}"), 1)))),
    }
}
