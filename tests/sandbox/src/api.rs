//! The Runtime API of one sandbox: hands out invocations, and takes what came of them.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes"; read
//! 2026-11-25.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex as Queue, oneshot, watch};

/// The largest answer that Lambda takes, in bytes.
const ANSWER_LEN_MAX: usize = 6 * 1024 * 1024;
/// How many invocations may wait: a sandbox serves one at a time.
const WAITING_MAX: usize = 1;
/// Where the function says it is.
const FUNCTION_ARN: &str = "arn:aws:lambda:local:000000000000:function:sandbox";

/// One invocation on its way into the function.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline_ms: i64,
    pub(crate) answered: oneshot::Sender<Outcome>,
}

/// What came of an invocation.
pub(crate) type Outcome = Result<Bytes, FunctionError>;

/// An error that the function itself reports.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug, thiserror::Error)]
#[error("{kind}: {message}")]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// Its kind.
    #[serde(rename = "errorType", default)]
    pub kind: String,
    /// What it says.
    #[serde(rename = "errorMessage", default)]
    pub message: String,
}

/// The side of the Runtime API that Lambda has.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) invocations: Sender<Invocation>,
    /// How often it has asked for an invocation.
    pub(crate) asked: watch::Receiver<u64>,
    /// Why it cannot start, where it says so.
    pub(crate) not_started: watch::Receiver<Option<FunctionError>>,
}

#[derive(Clone)]
struct Api {
    waiting: Arc<Queue<Receiver<Invocation>>>,
    running: Arc<Mutex<HashMap<String, oneshot::Sender<Outcome>>>>,
    asked: Arc<watch::Sender<u64>>,
    not_started: Arc<watch::Sender<Option<FunctionError>>>,
}

/// The routes of the Runtime API, and the handle that invokes through them.
pub(crate) fn runtime_api() -> (Router, Handle) {
    let (invocations, waiting) = channel(WAITING_MAX);
    let (asking, asked) = watch::channel(0);
    let (failing, not_started) = watch::channel(None);
    let api = Api {
        waiting: Arc::new(Queue::new(waiting)),
        running: Arc::default(),
        asked: Arc::new(asking),
        not_started: Arc::new(failing),
    };
    let router = Router::new()
        .route("/2018-06-01/runtime/init/error", routing::post(init_error))
        .route("/2018-06-01/runtime/invocation/next", routing::get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", routing::post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", routing::post(error))
        .layer(DefaultBodyLimit::max(ANSWER_LEN_MAX))
        .with_state(api);
    (router, Handle { invocations, asked, not_started })
}

impl Api {
    fn running(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Outcome>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes an outcome on to whoever waits for it.
    fn finish(&self, request_id: &str, outcome: Outcome) -> StatusCode {
        let answered = self.running().remove(request_id);
        match answered.map(|answered| answered.send(outcome)) {
            Some(Ok(())) => StatusCode::ACCEPTED,
            Some(Err(_)) | None => StatusCode::BAD_REQUEST,
        }
    }
}

/// Waits for an invocation, as long as it takes.
async fn next(State(api): State<Api>) -> Response {
    let mut waiting = api.waiting.lock().await;
    api.asked.send_modify(|times| *times = times.saturating_add(1));
    let Some(invocation) = waiting.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Invocation { request_id, event, deadline_ms, answered } = invocation;
    api.running().insert(request_id.clone(), answered);
    let headers = [
        ("lambda-runtime-aws-request-id", request_id.clone()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", FUNCTION_ARN.to_owned()),
        ("lambda-runtime-trace-id", format!("Root=1-5bef4de7-{request_id:.24};Sampled=0")),
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
    ];
    (headers, event).into_response()
}

async fn response(
    State(api): State<Api>,
    Path(request_id): Path<String>,
    answer: Bytes,
) -> StatusCode {
    api.finish(&request_id, Ok(answer))
}

async fn error(State(api): State<Api>, Path(request_id): Path<String>, said: Bytes) -> StatusCode {
    api.finish(&request_id, Err(read(&said)))
}

async fn init_error(State(api): State<Api>, said: Bytes) -> StatusCode {
    api.not_started.send_replace(Some(read(&said)));
    StatusCode::ACCEPTED
}

fn read(said: &[u8]) -> FunctionError {
    serde_json::from_slice(said).unwrap_or_else(|_| FunctionError {
        kind: "Unreadable".to_owned(),
        message: String::from_utf8_lossy(said).into_owned(),
    })
}
