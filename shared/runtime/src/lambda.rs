//! The Lambda side: events become requests, answers become responses.

use std::pin::Pin;

use api::problem::{Problem, error_chain};
use api::request::{Caller, Request};
use bytes::Bytes;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, Error, RequestExt, service_fn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tracing::Instrument;

use crate::api_gateway::Keeper;
use crate::config::{source_from_environment, start_logs};
use crate::deadline::Deadline;
use crate::deps::Deps;
use crate::serve::{Handler, answer, cause_of};
use crate::source::DepsSource;
use crate::telemetry::{event_span, traced};

/// Starts logs and reads the configuration. The runtime shows an error as `Debug` writes it, so it
/// is put into words here.
async fn start() -> Result<DepsSource, Error> {
    start_logs();
    source_from_environment().await.map_err(|error| Error::from(error_chain(&error)))
}

/// The dependencies of one invocation, which is cut off at a moment in milliseconds since 1970.
async fn invoked(source: &DepsSource, deadline_ms: u64) -> Deps {
    let deps = source.current().await;
    deps.until(Deadline::of_invocation(deadline_ms, deps.now()))
}

/// Serves API Gateway requests with a handler until the sandbox ends.
///
/// # Errors
/// What is wrong with the configuration, or with the Lambda runtime.
pub async fn serve(handle: Handler) -> Result<(), Error> {
    let source = start().await?;
    let (source, keeper) = (&source, &Keeper::default());
    lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| async move {
        let LambdaEvent { payload, context } = event;
        traced(context.xray_trace_id.as_deref(), async {
            let deps = invoked(source, context.deadline).await;
            let answer = answer(&deps, &request(payload.into()), handle).await;
            Ok::<_, Error>(keeper.answer(answer))
        })
        .await
    }))
    .await
}

/// The answer to an event that is on its way.
pub type HandledEvent<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;

/// What handles events that are no requests.
pub type EventHandler = for<'a> fn(&'a Deps, Value) -> HandledEvent<'a>;

/// Serves events that are no requests, such as a schedule's or a stream's, until the sandbox ends.
///
/// # Errors
/// What is wrong with the configuration, or with the Lambda runtime.
pub async fn serve_events(handle: EventHandler) -> Result<(), Error> {
    let source = start().await?;
    let source = &source;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let failed = |problem: Problem| {
            let (_, code) = problem.spec();
            Error::from(format!("{code}: {}", cause_of(&problem).unwrap_or_default()))
        };
        let context = event.context;
        traced(context.xray_trace_id.as_deref(), async {
            let deps = invoked(source, context.deadline).await;
            handle(&deps, event.payload).instrument(event_span()).await.map_err(failed)
        })
        .await
    }))
    .await
}

/// Reads an API Gateway event. The body is the raw bytes, whether they came as base64 or not.
#[must_use]
pub fn request(event: lambda_http::Request) -> Request {
    let context = event.request_context_ref().cloned();
    let query = event.uri().query().map(str::to_owned);
    let (parts, body) = event.into_parts();
    let body = match body {
        Body::Empty => Bytes::new(),
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    };
    let (caller, request_id, stage) = match context {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let jwt = context.authorizer.and_then(|authorizer| authorizer.jwt);
            (jwt.and_then(|jwt| caller(&jwt.claims)), context.request_id, context.stage)
        }
        _ => (None, None, None),
    };
    Request {
        method: parts.method,
        path: without_stage(parts.uri.path(), stage.as_deref()).to_owned(),
        query,
        headers: parts.headers,
        body,
        caller,
        request_id: request_id.unwrap_or_default(),
    }
}

/// The path below a stage that has a name of its own, which stands in front of every path.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let below = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    below.filter(|below| below.starts_with('/')).unwrap_or(path)
}

/// The caller that the authorizer's claims name.
fn caller(claims: &std::collections::HashMap<String, String>) -> Option<Caller> {
    let subject = claims.get("sub")?.clone();
    let scopes = claims.get("scope").map(String::as_str).unwrap_or_default();
    let scopes = scopes.split_whitespace().map(str::to_owned).collect();
    Some(Caller::Customer { subject, scopes })
}
