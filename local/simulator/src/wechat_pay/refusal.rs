//! How the gateway says no.

use http::StatusCode;
use serde_json::{Value, json};

use crate::error::JournalError;

/// A refused call: `{"code", "message"}` under an error status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn sign_error(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message)
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    pub(super) fn appid_mismatch() -> Self {
        let message = "appid and mchid do not match";
        Self::new(StatusCode::BAD_REQUEST, "APPID_MCHID_NOT_MATCH", message)
    }

    pub(super) fn unknown_merchant() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MCH_NOT_EXISTS", "the merchant does not exist")
    }

    pub(super) fn order_closed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "the order is closed")
    }

    pub(super) fn order_paid() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ORDERPAID", "the order is paid")
    }

    pub(super) fn number_used() -> Self {
        Self::new(StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "201 商户订单号重复")
    }

    pub(super) fn order_unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "the order does not exist")
    }

    pub(super) fn resource_unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", message)
    }

    pub(super) fn no_statement() -> Self {
        let message = "there were no trades on that day";
        Self::new(StatusCode::BAD_REQUEST, "NO_STATEMENT_EXIST", message)
    }

    pub(super) fn statement_creating() -> Self {
        let message = "the bill is written at ten o'clock of the next day";
        Self::new(StatusCode::BAD_REQUEST, "STATEMENT_CREATING", message)
    }

    /// <https://pay.weixin.qq.com/doc/v3/merchant/4012791862>, common errors (read 2026-11-25).
    pub(super) fn too_often() -> Self {
        let message = "频率限制，请降低调用频率";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED", message)
    }

    pub(super) fn system_error() -> Self {
        let message = "the system failed, try again later";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", message)
    }

    pub(super) fn body(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = ?error, "a change cannot be kept");
        Self::system_error()
    }
}
