//! Asking what became of a trade.

use serde::Deserialize;

use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::time::beijing;
use super::trade::{self, BUYER_ID, BUYER_LOGON_ID, Name};
use super::{fields, yuan};
use crate::state::Shared;

/// The fields are those of `AlipayTradeQueryModel` in Alipay's own Python SDK 3.7.1411, read
/// 2026-11-24; the page is <https://docs.open.alipay.com/api_1/alipay.trade.query>.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryRequest {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    query_options: Option<Vec<String>>,
}

/// The trade under either number.
pub(super) fn query(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let request: QueryRequest = fields::biz_content(&call.biz_content)?;
    let QueryRequest { out_trade_no, trade_no, query_options } = &request;
    for option in query_options.iter().flatten() {
        fields::text("query_options", option, 1..=1024)?;
    }
    let name = Name { out_trade_no: out_trade_no.as_ref(), trade_no: trade_no.as_ref() };
    let now = shared.now();
    let trade = trade::find(&mut shared.lock(), &name, now)?;
    let paid = trade.transaction();
    let received = yuan::written(paid.map_or(0, |paid| paid.amount.amount));
    Ok(Object::success()
        .with("buyer_logon_id", BUYER_LOGON_ID)
        .with("buyer_pay_amount", received.as_str())
        .with("buyer_user_id", BUYER_ID)
        .with_some("fund_bill_list", paid.map(|paid| trade::fund_bills(paid.amount.amount)))
        .with("invoice_amount", received.as_str())
        .with("out_trade_no", trade.payment.key.payment_id.as_str())
        .with("point_amount", "0.00")
        .with("receipt_amount", received)
        .with_some("send_pay_date", paid.map(|paid| beijing(paid.paid_at)))
        .with("total_amount", yuan::written(trade.total()))
        .with("trade_no", trade.trade_no.as_str())
        .with("trade_status", trade.status(now).name()))
}
