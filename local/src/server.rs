//! HTTP on the laptop's port: axum requests become ours, and a stand-in for the JWT authorizer.

use std::sync::Arc;

use api::request::{BODY_LEN_MAX, Caller, Request, SCOPE_ATTENTION_WRITE, SCOPE_PRODUCTS_WRITE};
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use bytes::Bytes;
use runtime::deps::Deps;
use runtime::serve::unanswered;
use serde_json::json;

use crate::dispatch::{dispatch, work_as};
use crate::lambda::{Functions, invocation_path};

/// Who answers: the handlers in this process, or real Lambda binaries.
#[derive(Clone, Debug)]
pub struct Server {
    /// What the handlers work with.
    pub deps: Arc<Deps>,
    /// The Lambda binaries, where they are to answer.
    pub functions: Option<Functions>,
}

/// Every route of the product, and the Lambda API's call for the function that no route reaches.
pub fn router(server: Server) -> Router {
    Router::new()
        .route(&invocation_path("reconcile"), routing::post(reconcile))
        .fallback(routing::any(serve))
        .with_state(server)
}

async fn serve(State(server): State<Server>, request: axum::extract::Request) -> Response {
    let request = read(&server.deps, request).await;
    let answer = match &server.functions {
        Some(functions) => functions.dispatch(&request).await,
        None => dispatch(&server.deps, &request).await,
    };
    answer.map(Body::from)
}

/// Invokes `reconcile` as the Lambda API does, for whoever may see what waits for a person.
async fn reconcile(State(server): State<Server>, request: axum::extract::Request) -> Response {
    let request = read(&server.deps, request).await;
    if let Err(problem) = request.require_scope(SCOPE_ATTENTION_WRITE) {
        return unanswered(&request, &problem).map(Body::from);
    }
    let event = serde_json::from_slice(&request.body).unwrap_or_default();
    match work_as("reconcile", reconcile::handle_event(&server.deps, event)).await {
        Ok(report) => axum::Json(report).into_response(),
        Err(problem) => {
            let said = format!("{problem:?}");
            axum::Json(json!({ "errorMessage": said, "errorType": "Error" })).into_response()
        }
    }
}

async fn read(deps: &Deps, request: axum::extract::Request) -> Request {
    let (parts, body) = request.into_parts();
    // A body over the bound is cut one byte behind it: enough for the handler to refuse it.
    let body = match to_bytes(body, BODY_LEN_MAX).await {
        Ok(body) => body,
        Err(_) => Bytes::from(vec![b' '; BODY_LEN_MAX.saturating_add(1)]),
    };
    let request = Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        caller: None,
        headers: parts.headers,
        body,
        request_id: deps.request_token(),
    };
    let caller = caller(&request);
    Request { caller, ..request }
}

/// The stand-in for the authorizer: `Bearer dev:<customer_id>` is that customer, and `dev:admin`
/// may also write products, and see and release what waits for a person.
fn caller(request: &Request) -> Option<Caller> {
    let subject = request.bearer()?.strip_prefix("dev:")?.to_owned();
    let scopes = match subject.as_str() {
        "admin" => vec![SCOPE_PRODUCTS_WRITE.to_owned(), SCOPE_ATTENTION_WRITE.to_owned()],
        _ => vec![],
    };
    Some(Caller::Customer { subject, scopes })
}
