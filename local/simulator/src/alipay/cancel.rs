//! Cancelling: a trade that is not paid is closed, and one that is paid is refunded.
//!
//! Every call is counted, because a merchant who means "close" must never end up here.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::fields;
use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::trade::{self, Name, Status, Trade};
use crate::delivery;
use crate::ledger::{Deliveries, Event, Money, Refund, RefundOutcome, Transaction};
use crate::state::{Shared, State};

/// How long after its beginning a trade can be cancelled.
const CANCELLABLE: SignedDuration = SignedDuration::from_hours(24);

/// The fields are those of `AlipayTradeCancelModel` in Alipay's own Python SDK 3.7.1411, read
/// 2026-11-24; the page is <https://docs.open.alipay.com/api_1/alipay.trade.cancel>.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelRequest {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
}

/// Closes or refunds the trade. Whether it stops a code that nobody scanned is not documented:
/// here it does not.
pub(super) fn cancel(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let CancelRequest { out_trade_no, trade_no } = fields::biz_content(&call.biz_content)?;
    let name = Name { out_trade_no: out_trade_no.as_ref(), trade_no: trade_no.as_ref() };
    name.check()?;
    let now = shared.now();
    let mut state = shared.lock();
    state.record(vec![Event::CancelAsked])?;
    let trade = match trade::find(&mut state, &name, now) {
        Ok(trade) => trade,
        Err(unknown) if unknown == Refusal::trade_unknown() => {
            let reply = Object::success().with_some("out_trade_no", out_trade_no);
            return Ok(reply.with("retry_flag", "N"));
        }
        Err(refusal) => return Err(refusal),
    };
    let action = match (trade.transaction(), trade.status(now)) {
        (Some(paid), Status::Success) => {
            give_back(shared, &mut state, &trade, paid, now)?;
            "refund"
        }
        (_, Status::Finished) => {
            return Err(Refusal::business("ACQ.TRADE_HAS_FINISHED", "交易已完结"));
        }
        (Some(_), Status::Closed) => {
            let text = "退款金额有误";
            return Err(Refusal::business("ACQ.REASON_TRADE_REFUND_FEE_ERR", text));
        }
        (None, _) | (Some(_), Status::WaitBuyerPay) => {
            state.record(vec![Event::PaymentClosed { payment: trade.payment.key.clone() }])?;
            "close"
        }
    };
    Ok(Object::success()
        .with("action", action)
        .with("out_trade_no", trade.payment.key.payment_id)
        .with("retry_flag", "N")
        .with("trade_no", trade.trade_no))
}

/// Refunds all that is left, at once.
fn give_back(
    shared: &Shared,
    state: &mut State,
    trade: &Trade,
    paid: &Transaction,
    now: Timestamp,
) -> Result<(), Refusal> {
    if now.duration_since(trade.created_at()) > CANCELLABLE {
        return Err(Refusal::business("ACQ.TRADE_CANCEL_TIME_OUT", "超过撤销时间范围"));
    }
    let left = trade.payment.refundable(paid);
    let number = state.ledger.next_number();
    let refund_id = trade::trade_no(number, now, &mut state.random);
    let refund = Refund {
        number,
        refund_no: refund_id.clone(),
        refund_id,
        transaction_id: paid.transaction_id.clone(),
        request: Value::Null,
        amount: Money { amount: left, currency: paid.amount.currency.clone() },
        notify_url: Some(trade.payment.notify_url.clone()),
        created_at: now,
        outcome: RefundOutcome::Success,
        settled: None,
        notifications: Deliveries::default(),
    };
    let settlement = delivery::settlement(state, &trade.payment.key, &refund, now);
    let mut events = vec![Event::RefundAccepted { payment: trade.payment.key.clone(), refund }];
    events.extend(settlement.events);
    state.record(events)?;
    shared.start(settlement.jobs);
    Ok(())
}
