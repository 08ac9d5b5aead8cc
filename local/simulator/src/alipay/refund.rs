//! Giving money back, once for each number that the merchant gives a refund.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::time::beijing;
use super::trade::{self, BUYER_ID, BUYER_LOGON_ID, Name, Status, Trade};
use super::{fields, yuan};
use crate::delivery::{self, Job};
use crate::ledger::{
    Deliveries, Event, Gateway, Money, Refund, RefundKey, RefundOutcome, Settled, Transaction,
};
use crate::state::{Shared, State};

/// How far apart the refunds of one trade must be, in seconds.
const REFUND_INTERVAL_S: i64 = 3;

/// The fields are those of `AlipayTradeRefundModel` in Alipay's own Python SDK 3.7.1411, read
/// 2026-11-24; the page is <https://docs.open.alipay.com/api_1/alipay.trade.refund>.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    refund_amount: String,
    refund_currency: Option<String>,
    out_request_no: Option<String>,
    refund_reason: Option<String>,
    query_options: Option<Vec<Value>>,
    operator_id: Option<String>,
    store_id: Option<String>,
    terminal_id: Option<String>,
    goods_detail: Option<Value>,
    refund_goods_detail: Option<Value>,
}

/// What is to be given back of a trade.
struct Wanted<'a> {
    trade: &'a Trade,
    transaction: &'a Transaction,
    out_request_no: &'a str,
    fen: i64,
    parameters: Value,
}

/// Whether money moved because of this very call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FundChange {
    Yes,
    No,
}

/// Accepts a refund; the same number again is the same refund.
pub(super) fn refund(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let request: RefundRequest = fields::biz_content(&call.biz_content)?;
    let fen = check(&request)?;
    let parameters = serde_json::to_value(&request);
    let parameters = parameters.map_err(|error| Refusal::parameter(error.to_string()))?;
    let RefundRequest { out_trade_no, trade_no, out_request_no, .. } = &request;
    let name = Name { out_trade_no: out_trade_no.as_ref(), trade_no: trade_no.as_ref() };
    let now = shared.now();
    let mut state = shared.lock();
    let mut trade = trade::find(&mut state, &name, now)?;
    let unpaid = || Refusal::business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法");
    let transaction = trade.transaction().ok_or_else(unpaid)?;
    // A refund without a number of its own has that of the trade.
    let out_request_no = out_request_no.as_ref().unwrap_or(&trade.payment.key.payment_id);
    let known = trade.refund(out_request_no).cloned();
    if known.as_ref().is_some_and(|known| known.amount.amount != fen) {
        let text = "退款请求号已使用, 金额不一致";
        return Err(Refusal::business("ACQ.DISCORDANT_REPEAT_REQUEST", text));
    }
    if known.as_ref().is_some_and(Refund::counts) {
        return Ok(reply(&trade, fen, FundChange::No));
    }
    let wanted = Wanted { trade: &trade, transaction, out_request_no, fen, parameters };
    check_refundable(&wanted, &request, now)?;
    let (refund, accepted) = accept(&mut state, &wanted, known, now)?;
    let change = begin(shared, &mut state, &trade, accepted, &refund, now)?;
    if let Some(payment) = state.ledger.payment(&trade.payment.key) {
        trade.payment = payment.clone();
    }
    Ok(reply(&trade, fen, change))
}

fn check(request: &RefundRequest) -> Result<i64, Refusal> {
    if let Some(number) = &request.out_request_no {
        fields::text("out_request_no", number, 1..=64)?;
    }
    if request.refund_currency.as_ref().is_some_and(|currency| currency != "CNY") {
        return Err(Refusal::parameter("refund_currency: CNY"));
    }
    fields::optional_text("refund_reason", request.refund_reason.as_ref(), 256)?;
    fields::optional_text("operator_id", request.operator_id.as_ref(), 30)?;
    fields::optional_text("store_id", request.store_id.as_ref(), 32)?;
    fields::optional_text("terminal_id", request.terminal_id.as_ref(), 32)?;
    fields::fen("refund_amount", &request.refund_amount)
}

/// Whether the trade may be refunded by this much now.
fn check_refundable(
    wanted: &Wanted<'_>,
    request: &RefundRequest,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Wanted { trade, transaction, fen, .. } = wanted;
    match trade.status(now) {
        Status::WaitBuyerPay | Status::Success => {}
        Status::Finished => {
            let text = "交易已完结";
            return Err(Refusal::business("ACQ.TRADE_HAS_FINISHED", text));
        }
        Status::Closed => return Err(Refusal::trade_closed()),
    }
    let exceeds = *fen > trade.payment.refundable(transaction);
    // Only a refund of everything goes without a number of its own.
    let partial = request.out_request_no.is_none() && *fen != transaction.amount.amount;
    if exceeds || partial {
        let text = "退款金额超限";
        return Err(Refusal::business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", text));
    }
    check_pace(trade, now)
}

/// The pages ask for three seconds between the refunds of one trade, and name no code for less.
/// Our choice is the one that says nothing final. A refund that came to nothing does not count.
fn check_pace(trade: &Trade, now: Timestamp) -> Result<(), Refusal> {
    let others = trade.payment.refunds_of(&trade.trade_no).filter(|other| other.counts());
    let latest = others.map(|other| other.created_at).max();
    let since_s = latest.map(|at| now.as_second().saturating_sub(at.as_second()));
    if since_s.is_some_and(|since_s| since_s < REFUND_INTERVAL_S) {
        return Err(Refusal::system_error());
    }
    Ok(())
}

/// The refund as it is now, and what is to be kept of it.
fn accept(
    state: &mut State,
    wanted: &Wanted<'_>,
    known: Option<Refund>,
    now: Timestamp,
) -> Result<(Refund, Event), Refusal> {
    let outcome = state.faults.refund_outcome;
    match outcome {
        RefundOutcome::Success | RefundOutcome::Closed | RefundOutcome::FailedLater => {}
        RefundOutcome::Abnormal => {
            let text = "交易已经被冻结";
            return Err(Refusal::business("ACQ.REASON_TRADE_BEEN_FREEZEN", text));
        }
    }
    let Some(mut refund) = known else {
        let refund = new_refund(state, wanted, outcome, now);
        let payment = wanted.trade.payment.key.clone();
        return Ok((refund.clone(), Event::RefundAccepted { payment, refund }));
    };
    refund.outcome = outcome;
    refund.settled = None;
    let reopened = Event::RefundReopened { refund: refund_key(&refund), outcome };
    Ok((refund, reopened))
}

fn new_refund(
    state: &mut State,
    wanted: &Wanted<'_>,
    outcome: RefundOutcome,
    now: Timestamp,
) -> Refund {
    let number = state.ledger.next_number();
    let Wanted { trade, transaction, out_request_no, fen, parameters } = wanted;
    let mut refund = Refund {
        number,
        refund_no: (*out_request_no).to_owned(),
        refund_id: trade::trade_no(number, now, &mut state.random),
        transaction_id: transaction.transaction_id.clone(),
        request: parameters.clone(),
        amount: Money { amount: *fen, currency: transaction.amount.currency.clone() },
        notify_url: Some(trade.payment.notify_url.clone()),
        created_at: now,
        outcome,
        settled: None,
        notifications: Deliveries::default(),
    };
    if let Some(request) = refund.request.as_object_mut() {
        request.insert("out_request_no".to_owned(), Value::from(*out_request_no));
    }
    // Numbers are unique in a trade only, but the ledger keeps the refunds of all.
    if state.ledger.payment_by_refund(&refund_key(&refund)).is_some() {
        refund.refund_no = format!("{out_request_no}@{}", trade.trade_no);
    }
    refund
}

/// Keeps the refund, and settles it at once where the plan has no delay.
fn begin(
    shared: &Shared,
    state: &mut State,
    trade: &Trade,
    accepted: Event,
    refund: &Refund,
    now: Timestamp,
) -> Result<FundChange, Refusal> {
    let wait = state.faults.refund_delay(shared.config.refund_delay);
    let at_once = wait.is_zero() && refund.outcome == RefundOutcome::Success;
    let mut events = vec![accepted];
    let mut jobs = vec![Job::SettleRefund { refund: refund_key(refund), wait }];
    if at_once {
        let settlement = delivery::settlement(state, &trade.payment.key, refund, now);
        events.extend(settlement.events);
        jobs = settlement.jobs;
    }
    state.record(events)?;
    shared.start(jobs);
    Ok(if at_once { FundChange::Yes } else { FundChange::No })
}

/// `refund_fee` is what has gone back of the whole trade so far.
fn reply(trade: &Trade, fen: i64, change: FundChange) -> Object {
    let (change, sent_back) = match change {
        FundChange::Yes => ("Y", fen),
        FundChange::No => ("N", 0),
    };
    let settled = trade.payment.refunds_of(&trade.trade_no).filter_map(|one| one.settled.as_ref());
    let successes = settled.filter(|settled| settled.outcome == RefundOutcome::Success);
    let latest = successes.map(|Settled { at, .. }| *at).max();
    Object::success()
        .with("buyer_logon_id", BUYER_LOGON_ID)
        .with("buyer_user_id", BUYER_ID)
        .with("fund_change", change)
        .with_some("gmt_refund_pay", latest.map(beijing))
        .with("out_trade_no", trade.payment.key.payment_id.as_str())
        .with("refund_fee", yuan::written(trade.refunded()))
        .with("send_back_fee", yuan::written(sent_back))
        .with("trade_no", trade.trade_no.as_str())
}

fn refund_key(refund: &Refund) -> RefundKey {
    RefundKey { gateway: Gateway::Alipay, refund_no: refund.refund_no.clone() }
}
