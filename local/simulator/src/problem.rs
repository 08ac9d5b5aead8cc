//! What a control call answers when it cannot do as asked (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::error::JournalError;

/// Why a control call was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    InvalidRequest(String),
    #[error("no gateway issued this code")]
    UnknownCode,
    #[error("no gateway knows this transaction")]
    UnknownTransaction,
    #[error("no gateway knows an ended refund of this number")]
    UnknownRefund,
    #[error("the payment was paid already")]
    AlreadyPaid,
    #[error("the payment was closed")]
    CodeClosed,
    #[error("the code or its payment has expired")]
    CodeExpired,
    #[error("the gateway refuses: {0}")]
    Refused(String),
    #[error("the callback did not answer")]
    CallbackUnreachable,
    #[error("the notification cannot be signed")]
    Unsigned,
    #[error("the change cannot be kept")]
    NotKept(#[from] JournalError),
}

impl Problem {
    /// Status, stable code and title.
    fn spec(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request", "The request is malformed")
            }
            Self::UnknownCode => (StatusCode::NOT_FOUND, "unknown_code", "Unknown code"),
            Self::UnknownTransaction => {
                (StatusCode::NOT_FOUND, "unknown_transaction", "Unknown transaction")
            }
            Self::UnknownRefund => (StatusCode::NOT_FOUND, "unknown_refund", "Unknown refund"),
            Self::AlreadyPaid => (StatusCode::CONFLICT, "already_paid", "Already paid"),
            Self::CodeClosed => (StatusCode::CONFLICT, "code_closed", "The code is closed"),
            Self::CodeExpired => (StatusCode::CONFLICT, "code_expired", "The code has expired"),
            Self::Refused(_) => (StatusCode::CONFLICT, "refused", "The gateway refuses"),
            Self::CallbackUnreachable => {
                (StatusCode::BAD_GATEWAY, "callback_unreachable", "No answer from the callback")
            }
            Self::Unsigned | Self::NotKept(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The simulator failed")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = self.spec();
        if let Self::NotKept(error) = &self {
            tracing::error!(error = ?error, "a change cannot be kept");
        }
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": self.to_string(),
            "code": code,
        });
        let problem_json = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, problem_json)], body.to_string()).into_response()
    }
}
