//! Giving money back: accepted at once, settled later.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields;
use super::objects::{self, bad_json, key, refund_key};
use super::refusal::Refusal;
use super::server::{Call, Reply};
use crate::delivery::Job;
use crate::ledger::{Deliveries, Event, Ledger, Money, Payment, Refund, Transaction};
use crate::state::{Shared, State};

const NOTIFY_URL_LEN_MAX: usize = 256;

/// How long after its payment a refund is still possible, in seconds.
const REFUNDABLE_S: i64 = 365 * 24 * 60 * 60;

/// How many refunds one order may have.
const REFUNDS_MAX: usize = 50;

/// How far apart the refunds of one order must be, in seconds.
const REFUND_INTERVAL_S: i64 = 60;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundRequest {
    transaction_id: Option<String>,
    out_trade_no: Option<String>,
    out_refund_no: String,
    reason: Option<String>,
    notify_url: Option<String>,
    funds_account: Option<String>,
    amount: Amount,
    goods_detail: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    refund: i64,
    total: i64,
    currency: String,
}

/// Accepts a refund; the same number again is the same refund.
pub(super) fn create(shared: &Shared, call: &Call) -> Result<Reply, Refusal> {
    let request: RefundRequest = serde_json::from_slice(&call.body).map_err(bad_json)?;
    check(&request)?;
    let parameters = serde_json::to_value(&request).map_err(bad_json)?;
    let now = shared.now();
    let mut state = shared.lock();
    let key = refund_key(&request.out_refund_no);
    if let Some(payment) = state.ledger.payment_by_refund(&key) {
        return repeated(payment, &key.refund_no, &parameters);
    }
    let (payment, transaction) = refundable(&state.ledger, &request, now)?;
    let (payment, total) = (payment.clone(), transaction.amount.amount);
    let transaction_id = transaction.transaction_id.clone();
    let refund = refund(&mut state, request, parameters, transaction_id, now);
    let reply = Reply::Json(objects::refund(&payment, &refund, total));
    let wait = state.faults.refund_delay(shared.config.refund_delay);
    state.record(vec![Event::RefundAccepted { payment: payment.key, refund }])?;
    drop(state);
    shared.start(vec![Job::SettleRefund { refund: key, wait }]);
    Ok(reply)
}

/// What became of a refund.
pub(super) fn query(shared: &Shared, out_refund_no: &str) -> Result<Reply, Refusal> {
    fields::out_refund_no(out_refund_no)?;
    let state = shared.lock();
    let payment = state.ledger.payment_by_refund(&refund_key(out_refund_no));
    let payment = payment.ok_or_else(unknown_refund)?;
    let refund = payment.refund(out_refund_no).ok_or_else(unknown_refund)?;
    Ok(Reply::Json(view(payment, refund)))
}

fn check(request: &RefundRequest) -> Result<(), Refusal> {
    fields::out_refund_no(&request.out_refund_no)?;
    fields::optional_text("reason", request.reason.as_ref(), 80)?;
    if let Some(url) = &request.notify_url {
        fields::notify_url(url, NOTIFY_URL_LEN_MAX)?;
    }
    if request.funds_account.as_ref().is_some_and(|account| account != "AVAILABLE") {
        return Err(Refusal::parameter("funds_account: AVAILABLE"));
    }
    fields::fen("amount.refund", request.amount.refund)?;
    fields::fen("amount.total", request.amount.total)?;
    if request.transaction_id.is_none() && request.out_trade_no.is_none() {
        return Err(Refusal::parameter("transaction_id or out_trade_no is required"));
    }
    Ok(())
}

fn repeated(payment: &Payment, refund_no: &str, parameters: &Value) -> Result<Reply, Refusal> {
    let refund = payment.refund(refund_no).ok_or_else(unknown_refund)?;
    if refund.request != *parameters {
        return Err(Refusal::invalid_request("the refund number was used with other parameters"));
    }
    Ok(Reply::Json(view(payment, refund)))
}

/// The transaction that may be refunded by this much now.
fn refundable<'a>(
    ledger: &'a Ledger,
    request: &RefundRequest,
    now: Timestamp,
) -> Result<(&'a Payment, &'a Transaction), Refusal> {
    let (payment, transaction) = named(ledger, request)?;
    if request.amount.currency != transaction.amount.currency {
        return Err(Refusal::parameter("amount.currency is not that of the payment"));
    }
    if request.amount.total != transaction.amount.amount {
        return Err(Refusal::invalid_request("amount.total is not that of the payment"));
    }
    let age_s = now.as_second().saturating_sub(transaction.paid_at.as_second());
    if age_s > REFUNDABLE_S {
        return Err(Refusal::invalid_request("the payment is older than 365 days"));
    }
    check_others(payment, transaction, request.amount.refund, now)?;
    Ok((payment, transaction))
}

fn named<'a>(
    ledger: &'a Ledger,
    request: &RefundRequest,
) -> Result<(&'a Payment, &'a Transaction), Refusal> {
    let payment = match (&request.transaction_id, &request.out_trade_no) {
        (Some(id), _) => objects::by_transaction(ledger, id),
        (None, Some(number)) => ledger.payment(&key(number)),
        (None, None) => None,
    };
    let unknown = || Refusal::resource_unknown("the order does not exist");
    let payment = payment.ok_or_else(unknown)?;
    if request.out_trade_no.as_ref().is_some_and(|number| *number != payment.key.payment_id) {
        return Err(Refusal::parameter("transaction_id and out_trade_no do not match"));
    }
    let transaction = match &request.transaction_id {
        Some(id) => payment.transaction(id),
        None => payment.transactions.first(),
    };
    let unpaid = || Refusal::invalid_request("the order is not paid");
    Ok((payment, transaction.ok_or_else(unpaid)?))
}

/// Refunds that did not close count against the sum, the number and the pace.
fn check_others(
    payment: &Payment,
    transaction: &Transaction,
    amount: i64,
    now: Timestamp,
) -> Result<(), Refusal> {
    let others = payment.refunds_of(&transaction.transaction_id).filter(|other| other.counts());
    let (mut sum, mut count) = (amount, 0_usize);
    let mut latest = None;
    for other in others {
        sum = sum.saturating_add(other.amount.amount);
        count = count.saturating_add(1);
        latest = latest.max(Some(other.created_at));
    }
    if sum > transaction.amount.amount {
        return Err(Refusal::invalid_request("the refunds exceed the payment"));
    }
    if count >= REFUNDS_MAX {
        return Err(Refusal::invalid_request("the order has 50 refunds already"));
    }
    let since = latest.map(|at| now.as_second().saturating_sub(at.as_second()));
    if since.is_some_and(|since_s| since_s < REFUND_INTERVAL_S) {
        return Err(Refusal::invalid_request("refund again after 1 minute"));
    }
    Ok(())
}

fn refund(
    state: &mut State,
    request: RefundRequest,
    parameters: Value,
    transaction_id: String,
    now: Timestamp,
) -> Refund {
    let number = state.ledger.next_number();
    Refund {
        number,
        refund_no: request.out_refund_no,
        refund_id: objects::refund_id(number, now, &mut state.random),
        transaction_id,
        request: parameters,
        amount: Money { amount: request.amount.refund, currency: request.amount.currency },
        notify_url: request.notify_url,
        created_at: now,
        outcome: state.faults.refund_outcome,
        settled: None,
        notifications: Deliveries::default(),
    }
}

fn view(payment: &Payment, refund: &Refund) -> Value {
    let transaction = payment.transaction(&refund.transaction_id);
    let total = transaction.map_or(0, |transaction| transaction.amount.amount);
    objects::refund(payment, refund, total)
}

fn unknown_refund() -> Refusal {
    Refusal::resource_unknown("the refund does not exist")
}
