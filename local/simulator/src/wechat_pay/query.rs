//! Asking what became of a payment.

use serde_json::Value;

use super::fields;
use super::objects::{self, TradeState, key};
use super::refusal::Refusal;
use super::server::Reply;
use crate::ledger::{Payment, Transaction};
use crate::state::Shared;

/// The order under the merchant's number; its first transaction once it is paid.
pub(super) fn by_number(
    shared: &Shared,
    out_trade_no: &str,
    query: Option<&str>,
) -> Result<Reply, Refusal> {
    check_query(query)?;
    fields::out_trade_no(out_trade_no)?;
    let state = shared.lock();
    let payment = state.ledger.payment(&key(out_trade_no)).ok_or_else(Refusal::order_unknown)?;
    Ok(Reply::Json(match payment.transactions.first() {
        Some(transaction) => paid(payment, transaction),
        None => objects::unpaid(payment),
    }))
}

/// The order through one of its transactions: only paid orders have any.
pub(super) fn by_transaction(
    shared: &Shared,
    transaction_id: &str,
    query: Option<&str>,
) -> Result<Reply, Refusal> {
    check_query(query)?;
    let state = shared.lock();
    let known = objects::by_transaction(&state.ledger, transaction_id);
    let payment = known.ok_or_else(Refusal::order_unknown)?;
    let transaction = payment.transaction(transaction_id).ok_or_else(Refusal::order_unknown)?;
    Ok(Reply::Json(paid(payment, transaction)))
}

fn paid(payment: &Payment, transaction: &Transaction) -> Value {
    let refunded = payment.refunds_of(&transaction.transaction_id).next().is_some();
    let state = if refunded { TradeState::Refund } else { TradeState::Success };
    objects::paid(payment, transaction, state)
}

/// The query names the merchant, and nothing else.
fn check_query(query: Option<&str>) -> Result<(), Refusal> {
    let mchid = query.and_then(|query| query.strip_prefix("mchid="));
    fields::mchid(mchid.ok_or_else(|| Refusal::parameter("mchid is missing"))?)
}
