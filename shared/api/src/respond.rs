//! Responses: JSON bodies and problem bodies with their headers.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::texts::{Language, texts};

/// An answer.
pub type Answer = Response<Bytes>;

/// A JSON answer.
///
/// # Errors
/// [`Problem::Internal`] if the body cannot be written.
pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Answer, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::Internal(error.to_string()))?;
    Ok(with_type(status, "application/json", bytes))
}

/// JSON that is written already and the same for everybody; caches may keep it for so many seconds.
#[must_use]
pub fn lasting_json(body: &'static str, age_s_max: u32) -> Answer {
    let answer = with_type(StatusCode::OK, "application/json", body.into());
    with_header(answer, header::CACHE_CONTROL, &format!("public, max-age={age_s_max}"))
}

/// A picture.
#[must_use]
pub fn svg(document: String) -> Answer {
    with_type(StatusCode::OK, "image/svg+xml", document.into_bytes())
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// The same answer with a header more; a value that no header can carry is left out.
#[must_use]
pub fn with_header(mut answer: Answer, name: header::HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// The answer that tells a problem, in the caller's language.
#[must_use]
pub fn problem(problem: &Problem, language: Language, request_id: &str) -> Answer {
    let (status, code) = problem.spec();
    let (title, detail) = texts(problem, language);
    let mut body = Map::new();
    body.insert("type".to_owned(), json!(format!("urn:latchpay:problem:{code}")));
    body.insert("title".to_owned(), json!(title));
    body.insert("status".to_owned(), json!(status.as_u16()));
    body.insert("detail".to_owned(), json!(detail));
    body.insert("instance".to_owned(), json!(format!("urn:latchpay:request:{request_id}")));
    body.insert("code".to_owned(), json!(code));
    body.extend(extras(problem));
    let bytes = Value::Object(body).to_string().into_bytes();
    let answer = with_type(status, "application/problem+json", bytes);
    let answer = with_header(answer, header::CONTENT_LANGUAGE, language.tag());
    match problem.retry_after_s() {
        Some(seconds) => with_header(answer, header::RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}

/// What a problem carries beside its words, so that the page can go on.
fn extras(problem: &Problem) -> Vec<(String, Value)> {
    let extra = |name: &str, value: Value| vec![(name.to_owned(), value)];
    match problem {
        Problem::InvalidRequest { field, .. } => extra("field", json!(field)),
        Problem::QuoteStale { offer }
        | Problem::QuoteExpired { offer }
        | Problem::OrderClosed { offer } => extra("offer", json!(offer)),
        Problem::OrderSuperseded { live_order } => extra("live_order", json!(live_order)),
        Problem::QuantityOutOfRange { min, max } => {
            vec![("min".to_owned(), json!(min)), ("max".to_owned(), json!(max))]
        }
        Problem::RenewalLimitReached { max_renewals } => extra("max_renewals", json!(max_renewals)),
        Problem::Unauthenticated
        | Problem::LinkInvalid
        | Problem::LinkExpired
        | Problem::Forbidden
        | Problem::NotFound
        | Problem::OrderAlreadyPaid
        | Problem::BookingNotPayable
        | Problem::FlowMismatch
        | Problem::AttemptsExhausted
        | Problem::RetryNotPossible
        | Problem::VersionConflict
        | Problem::QuoteTampered
        | Problem::GatewayNotAccepted
        | Problem::IdempotencyMismatch
        | Problem::TooLarge
        | Problem::NotJson
        | Problem::GatewayRefused
        | Problem::GatewayUnavailable
        | Problem::StoreUnavailable(_)
        | Problem::OutOfTime
        | Problem::Internal(_) => vec![],
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
