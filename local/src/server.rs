//! HTTP on the laptop's port: axum requests become ours, a stand-in for the JWT authorizer, the
//! laptop's own pages, and a clock that can be turned.

use std::sync::Arc;

use api::problem::Problem;
use api::request::{BODY_LEN_MAX, Caller, Request, SCOPE_ATTENTION_WRITE, SCOPE_PRODUCTS_WRITE};
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware, routing};
use bytes::Bytes;
use http::{HeaderValue, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use runtime::deps::Deps;
use runtime::serve::unanswered;
use serde::Deserialize;
use serde_json::json;

use crate::clock::TurnedClock;
use crate::dispatch::{dispatch, work_as};
use crate::lambda::{Functions, invocation_path};
use crate::pages;

/// How far the clock is turned at once: a year.
const ADVANCE_S_MAX: i64 = 366 * 24 * 60 * 60;

/// Who answers: the handlers in this process, or real Lambda binaries.
#[derive(Clone)]
pub struct Server {
    /// What the handlers work with.
    pub deps: Arc<Deps>,
    /// The Lambda binaries, where they are to answer.
    pub functions: Option<Functions>,
    /// The clock of everything.
    pub clock: TurnedClock,
}

/// How far the clock is to be turned.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    advance_s: i64,
}

/// Every route of the product beside the simulator's, the Lambda API's call for the function that
/// no route reaches, the laptop's own pages, and the clock.
pub fn router(simulator: Router, server: Server) -> Router {
    let dated = middleware::map_response_with_state(server.clock.clone(), date);
    Router::new()
        .route(&invocation_path("reconcile"), routing::post(reconcile))
        .route("/", routing::get(home))
        .route("/simulator/wallet", routing::get(wallet))
        .route("/simulator/clock", routing::get(read_clock).post(turn_clock))
        .fallback(routing::any(serve))
        .with_state(server)
        .merge(simulator)
        .layer(dated)
}

async fn home(State(server): State<Server>, request: axum::extract::Request) -> Response {
    pages::HOME.answer(&read(&server.deps, request).await).map(Body::from)
}

async fn wallet(State(server): State<Server>, request: axum::extract::Request) -> Response {
    pages::WALLET.answer(&read(&server.deps, request).await).map(Body::from)
}

/// `Date` is the server's clock, so it is turned with it.
async fn date(State(clock): State<TurnedClock>, mut response: Response) -> Response {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&clock.now());
    // Only a year that has no four digits cannot be written.
    let date = date.ok().and_then(|date| HeaderValue::try_from(date).ok());
    if let Some(date) = date {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn read_clock(State(server): State<Server>) -> Response {
    Json(json!({ "now": server.clock.now() })).into_response()
}

/// Lets time pass for everything in this process.
async fn turn_clock(State(server): State<Server>, request: axum::extract::Request) -> Response {
    let request = read(&server.deps, request).await;
    let seconds = match serde_json::from_slice::<Turn>(&request.body) {
        Ok(turn) if (1..=ADVANCE_S_MAX).contains(&turn.advance_s) => turn.advance_s,
        Ok(_) | Err(_) => {
            let problem = Problem::invalid("advance_s", "must be from 1 to 31622400");
            return unanswered(&request, &problem).map(Body::from);
        }
    };
    server.clock.advance_s(seconds);
    match server.clock.keep() {
        Ok(()) => Json(json!({ "now": server.clock.now() })).into_response(),
        Err(error) => {
            let problem = Problem::Internal(error.to_string());
            unanswered(&request, &problem).map(Body::from)
        }
    }
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
