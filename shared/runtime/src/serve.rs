//! From a request to an answer: the handler, its problems told, one log line.

use std::borrow::Cow;
use std::pin::Pin;

use api::link::Link;
use api::problem::{Problem, error_chain};
use api::request::{Caller, Request};
use api::respond::{self, Answer};
use api::route::{LINK_PREFIX, Route};
use api::texts::Language;
use gateways::Acknowledgement;
use http::StatusCode;
use tracing::Instrument;

use crate::deps::Deps;
use crate::telemetry::{Metric, measure, request_span};

/// What a handler is doing.
pub type Handled<'a> = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'a>>;

/// A function's handler: Lambda, the laptop stack and the tests call the same one.
pub type Handler = for<'a> fn(&'a Deps, &'a Request) -> Handled<'a>;

/// The name in metrics of what is no route.
const NO_ROUTE: &str = "none";

/// Runs a handler and tells its problem if it has one. Every line on the way carries the request's
/// id, and the ids of what it is about. When the time is up the handler is dropped: whatever it has
/// begun stands as after a kill.
pub async fn answer(deps: &Deps, request: &Request, handle: Handler) -> Answer {
    let route = Route::parse(&request.method, &request.path).ok();
    let span = request_span(request, route.as_ref());
    answer_measured(deps, request, handle, route.as_ref()).instrument(span).await
}

async fn answer_measured(
    deps: &Deps,
    request: &Request,
    handle: Handler,
    route: Option<&Route>,
) -> Answer {
    let began = deps.now();
    let outcome = match admit(deps, request, route) {
        Ok(request) => deps.deadline.within(began, handle(deps, &request)).await,
        Err(problem) => Some(Err(problem)),
    };
    let answer = match outcome {
        Some(Ok(answer)) => answer,
        Some(Err(problem)) => unanswered(request, &problem),
        None => out_of_time(deps, request, route),
    };
    let route = route.map_or(NO_ROUTE, Route::name);
    let status = answer.status();
    let duration_ms = deps.now().duration_since(began).as_millis();
    let duration_ms = i64::try_from(duration_ms).unwrap_or(i64::MAX);
    tracing::info!(route, status = status.as_u16(), duration_ms, "answered");
    measure(
        &[(Metric::Requests, 1), (Metric::RequestDuration, duration_ms)],
        &[("route", route), ("status", class(status))],
    );
    answer
}

/// Lets a request in. On the routes of checkout links the link says who calls, and nobody else
/// does: it has to hold, and to be of the very booking that the route names.
fn admit<'a>(
    deps: &Deps,
    request: &'a Request,
    route: Option<&Route>,
) -> Result<Cow<'a, Request>, Problem> {
    request.check_size()?;
    if !request.path.starts_with(LINK_PREFIX) {
        return Ok(Cow::Borrowed(request));
    }
    let booking_id = route.and_then(Route::booking_id).ok_or(Problem::NotFound)?;
    let token = request.bearer().ok_or(Problem::Unauthenticated)?;
    let link = Link::verify(token, &deps.keyring, deps.now())?;
    if link.booking != *booking_id {
        return Err(Problem::NotFound);
    }
    let caller = Some(Caller::LinkHolder(link.booking));
    Ok(Cow::Owned(Request { caller, ..request.clone() }))
}

/// What is said when the time is up: to a gateway, in its own words, to send it again.
fn out_of_time(deps: &Deps, request: &Request, route: Option<&Route>) -> Answer {
    let told = unanswered(request, &Problem::OutOfTime);
    let Some(Route::Callback(name)) = route else { return told };
    deps.gateway(name).map_or(told, |gateway| gateway.acknowledge(Acknowledgement::Retry))
}

/// The class of a status: what a caller, a gateway or we have to do with it.
#[must_use]
pub fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    }
}

/// Tells a problem in the caller's language, and logs it if it is ours.
#[must_use]
pub fn unanswered(request: &Request, problem: &Problem) -> Answer {
    log_problem(problem);
    respond::problem(problem, Language::of(&request.headers), &request.request_id)
}

/// Our own faults are logged with their causes; a caller's are told to the caller.
fn log_problem(problem: &Problem) {
    let (_, code) = problem.spec();
    match cause_of(problem) {
        Some(cause) => tracing::error!(code, cause, "failed"),
        None => tracing::debug!(code, "refused"),
    }
}

/// What logs say of a problem beside its code: its cause, where that is our own fault. What a
/// problem carries for its caller, such as a quote token, is not for logs.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "all that is not our own fault")]
pub fn cause_of(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Internal(cause) => Some(cause.clone()),
        Problem::StoreUnavailable(Some(error)) => Some(error_chain(error)),
        Problem::OutOfTime => Some("not done in time".to_owned()),
        _ => None,
    }
}
