//! From a request to an answer: the handler, its problems told, one log line.

use std::pin::Pin;

use api::problem::{Problem, error_chain};
use api::request::Request;
use api::respond::{self, Answer};
use api::texts::Language;

use crate::deps::Deps;

/// What a handler is doing.
pub type Handled<'a> = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'a>>;

/// A function's handler: Lambda, the laptop stack and the tests call the same one.
pub type Handler = for<'a> fn(&'a Deps, &'a Request) -> Handled<'a>;

/// Runs a handler and tells its problem if it has one.
pub async fn answer(deps: &Deps, request: &Request, handle: Handler) -> Answer {
    let outcome = match request.check_size() {
        Ok(()) => handle(deps, request).await,
        Err(problem) => Err(problem),
    };
    let answer = outcome.unwrap_or_else(|problem| unanswered(request, &problem));
    let status = answer.status().as_u16();
    tracing::info!(
        request.id = request.request_id,
        method = request.method.as_str(),
        path = request.path,
        status,
        "answered"
    );
    answer
}

/// Tells a problem in the caller's language, and logs it if it is ours.
#[must_use]
pub fn unanswered(request: &Request, problem: &Problem) -> Answer {
    log_problem(request, problem);
    respond::problem(problem, Language::of(&request.headers), &request.request_id)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all that is not our own fault")]
/// Our own faults are logged with their causes; a caller's are told to the caller.
fn log_problem(request: &Request, problem: &Problem) {
    let (_, code) = problem.spec();
    match problem {
        Problem::Internal(cause) => {
            tracing::error!(request.id = request.request_id, code, cause, "failed");
        }
        Problem::StoreUnavailable(Some(error)) => {
            let cause = error_chain(error);
            tracing::error!(request.id = request.request_id, code, cause, "store unavailable");
        }
        _ => tracing::debug!(request.id = request.request_id, code, "refused"),
    }
}
