//! How Stripe says no.

use http::StatusCode;
use serde_json::{Value, json};

use crate::error::JournalError;

/// The family of a refusal.
///
/// <https://docs.stripe.com/api/errors> (read 2026-11-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Api,
    Idempotency,
    InvalidRequest,
}

/// A refused call: `{"error": {"type", "code"?, "message", "param"?}}` under an error status.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    family: Family,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    /// The PaymentIntent as it stands, where it is why.
    payment_intent: Option<Value>,
}

impl Family {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api_error",
            Self::Idempotency => "idempotency_error",
            Self::InvalidRequest => "invalid_request_error",
        }
    }
}

impl Refusal {
    fn new(status: StatusCode, family: Family, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, family, code: None, message, param: None, payment_intent: None }
    }

    /// A call that is wrong as it is.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Family::InvalidRequest, message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, Family::InvalidRequest, message)
    }

    pub(super) fn idempotency(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Family::Idempotency, message)
    }

    pub(super) fn unknown_path(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Family::InvalidRequest, message)
    }

    pub(super) fn broken() -> Self {
        let message = "An unknown error occurred. Try again later.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Family::Api, message)
    }

    /// <https://docs.stripe.com/rate-limits> (read 2026-11-25).
    pub(super) fn too_often() -> Self {
        let message = "Request rate limit exceeded.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Family::InvalidRequest, message).code("rate_limit")
    }

    pub(super) fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        Self::invalid(format!("Missing required param: {param}."))
            .code("parameter_missing")
            .param(param)
    }

    /// An object that the path names and nobody knows.
    pub(super) fn no_such(kind: &str, id: &str, param: &str) -> Self {
        let mut refusal = Self::no_such_parameter(kind, id, param);
        refusal.status = StatusCode::NOT_FOUND;
        refusal
    }

    /// An object that a parameter names and nobody knows.
    pub(super) fn no_such_parameter(kind: &str, id: &str, param: &str) -> Self {
        Self::invalid(format!("No such {kind}: '{id}'")).code("resource_missing").param(param)
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(super) fn payment_intent(mut self, intent: Value) -> Self {
        self.payment_intent = Some(intent);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn body(&self) -> Value {
        let mut error = json!({ "type": self.family.name(), "message": self.message });
        if let Some(error) = error.as_object_mut() {
            let page = |code: &str| {
                format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"))
            };
            let optional = [
                ("code", self.code.map(Value::from)),
                ("doc_url", self.code.map(|code| Value::from(page(code)))),
                ("param", self.param.clone().map(Value::from)),
                ("payment_intent", self.payment_intent.clone()),
            ];
            for (name, value) in optional {
                error.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        json!({ "error": error })
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = ?error, "a change cannot be kept");
        Self::broken()
    }
}
