//! Closing a trade that nobody paid. A code that nobody scanned cannot be closed.

use serde::Deserialize;
use serde_json::Value;

use super::fields;
use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::trade::{self, Name, Status};
use crate::ledger::Event;
use crate::state::Shared;

/// The fields are those of `AlipayTradeCloseModel` in Alipay's own Python SDK 3.7.1411, read
/// 2026-11-24; the page is <https://docs.open.alipay.com/api_1/alipay.trade.close>.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    operator_id: Option<String>,
    extend_params: Option<Value>,
}

/// Closes the trade; a paid one stays paid, and a closed one is refused.
pub(super) fn close(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let request: CloseRequest = fields::biz_content(&call.biz_content)?;
    fields::optional_text("operator_id", request.operator_id.as_ref(), 28)?;
    let CloseRequest { out_trade_no, trade_no, operator_id: _, extend_params } = &request;
    fields::optional_object("extend_params", extend_params.as_ref())?;
    let name = Name { out_trade_no: out_trade_no.as_ref(), trade_no: trade_no.as_ref() };
    let now = shared.now();
    let mut state = shared.lock();
    let trade = trade::find(&mut state, &name, now)?;
    match trade.status(now) {
        Status::WaitBuyerPay => {}
        Status::Success | Status::Finished | Status::Closed => {
            return Err(Refusal::business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法"));
        }
    }
    state.record(vec![Event::PaymentClosed { payment: trade.payment.key.clone() }])?;
    Ok(Object::success()
        .with("out_trade_no", trade.payment.key.payment_id)
        .with("trade_no", trade.trade_no))
}
