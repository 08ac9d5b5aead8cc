//! Asking whether a refund has arrived. A success of the call says nothing about the refund.

use serde::Deserialize;

use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::time::beijing;
use super::trade::{self, Name};
use super::{fields, yuan};
use crate::ledger::RefundOutcome;
use crate::state::Shared;

/// <https://open.fliggy.com/docs/api.htm?apiId=1049&docType=4>, Alipay's page as Fliggy shows it,
/// and `AlipayTradeFastpayRefundQueryModel` in Alipay's own Python SDK 3.7.1411, both read
/// 2026-11-24.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundQueryRequest {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    out_request_no: String,
    query_options: Option<Vec<String>>,
}

/// The refund, with a status only once its money is back.
pub(super) fn query(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let request: RefundQueryRequest = fields::biz_content(&call.biz_content)?;
    fields::text("out_request_no", &request.out_request_no, 1..=64)?;
    let RefundQueryRequest { out_trade_no, trade_no, out_request_no, query_options } = &request;
    let name = Name { out_trade_no: out_trade_no.as_ref(), trade_no: trade_no.as_ref() };
    let trade = trade::find(&mut shared.lock(), &name, shared.now())?;
    let Some(refund) = trade.refund(out_request_no) else {
        return Ok(Object::success());
    };
    let settled = refund.settled.as_ref();
    let returned = settled.filter(|settled| settled.outcome == RefundOutcome::Success);
    let dated = query_options.iter().flatten().any(|option| option == "gmt_refund_pay");
    let paid_back_at = returned.filter(|_| dated).map(|settled| beijing(settled.at));
    Ok(Object::success()
        .with_some("gmt_refund_pay", paid_back_at)
        .with("out_request_no", out_request_no.as_str())
        .with("out_trade_no", trade.payment.key.payment_id.as_str())
        .with("refund_amount", yuan::written(refund.amount.amount))
        .with_some("refund_status", returned.map(|_| "REFUND_SUCCESS"))
        .with("total_amount", yuan::written(trade.total()))
        .with("trade_no", trade.trade_no.as_str()))
}
