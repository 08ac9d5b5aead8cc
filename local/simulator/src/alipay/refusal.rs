//! How the gateway says no. All of it comes under HTTP 200.

use serde_json::Value;

use super::parameters::Call;
use super::reply::Object;
use crate::error::JournalError;

/// A refused call: the gateway's code, and what it means in particular.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: &'static str,
    message: &'static str,
    sub_code: &'static str,
    sub_message: String,
    out_trade_no: Option<String>,
    pub(super) origin: Origin,
}

/// Who refused, which decides how the reply looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The gateway itself, before the method was reached: the reply is not signed.
    Gateway,
    /// What the method stands for: the reply is signed.
    Business,
}

impl Refusal {
    pub(super) fn missing(sub_code: &'static str) -> Self {
        Self::gateway("40001", "Missing Required Arguments", sub_code, "缺少必选参数")
    }

    pub(super) fn invalid(sub_code: &'static str, sub_message: impl Into<String>) -> Self {
        Self::gateway("40002", "Invalid Arguments", sub_code, sub_message)
    }

    pub(super) fn parameter(sub_message: impl Into<String>) -> Self {
        Self::business("ACQ.INVALID_PARAMETER", sub_message)
    }

    /// The trade, or the code, is not as the call needs it.
    pub(super) fn business(sub_code: &'static str, sub_message: impl Into<String>) -> Self {
        Self {
            code: "40004",
            message: "Business Failed",
            sub_code,
            sub_message: sub_message.into(),
            out_trade_no: None,
            origin: Origin::Business,
        }
    }

    pub(super) fn trade_unknown() -> Self {
        Self::business("ACQ.TRADE_NOT_EXIST", "交易不存在")
    }

    pub(super) fn trade_closed() -> Self {
        Self::business("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    }

    /// Nothing was sold on that day, or its bill is still being written.
    pub(super) fn no_bill() -> Self {
        Self::business("isp.bill_not_exist", "账单不存在")
    }

    pub(super) fn bill_arguments(sub_message: impl Into<String>) -> Self {
        Self::business("isv.invalid_arguments", sub_message)
    }

    /// The trade broke under the method: whether it took effect is not known.
    pub(super) fn system_error() -> Self {
        Self::business("ACQ.SYSTEM_ERROR", "系统错误")
    }

    /// The gateway broke: whether the method took effect is not known.
    pub(super) fn unavailable() -> Self {
        Self {
            code: "20000",
            message: "Service Currently Unavailable",
            sub_code: "isp.unknow-error",
            sub_message: "系统繁忙".to_owned(),
            out_trade_no: None,
            origin: Origin::Business,
        }
    }

    /// The gateway's own limit of calls: the method was not reached.
    ///
    /// "公共错误码" (read 2026-11-25).
    pub(super) fn too_often() -> Self {
        Self::gateway("40005", "Call Limited", "isv.app-call-limited", "应用调用次数超限")
    }

    /// Says which of the merchant's numbers it is about, where the call gave one.
    pub(super) fn about(mut self, call: &Call) -> Self {
        let number = call.biz_content.get("out_trade_no").and_then(Value::as_str);
        self.out_trade_no = number.map(str::to_owned);
        self
    }

    pub(super) fn object(self) -> Object {
        Object::default()
            .with("code", self.code)
            .with("msg", self.message)
            .with("sub_code", self.sub_code)
            .with("sub_msg", self.sub_message)
            .with_some("out_trade_no", self.out_trade_no)
    }

    fn gateway(
        code: &'static str,
        message: &'static str,
        sub_code: &'static str,
        sub_message: impl Into<String>,
    ) -> Self {
        let sub_message = sub_message.into();
        let origin = Origin::Gateway;
        Self { code, message, sub_code, sub_message, out_trade_no: None, origin }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        tracing::error!(error = ?error, "a change cannot be kept");
        Self::system_error()
    }
}
