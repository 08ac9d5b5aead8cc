//! Closing an order that nobody paid. Its number stays used for ever.

use serde::Deserialize;

use super::fields;
use super::objects::{bad_json, key};
use super::refusal::Refusal;
use super::server::Reply;
use crate::ledger::Event;
use crate::state::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseRequest {
    mchid: String,
}

/// Closes the order; a paid one stays paid.
pub(super) fn close(shared: &Shared, out_trade_no: &str, body: &[u8]) -> Result<Reply, Refusal> {
    let request: CloseRequest = serde_json::from_slice(body).map_err(bad_json)?;
    fields::mchid(&request.mchid)?;
    fields::out_trade_no(out_trade_no)?;
    let mut state = shared.lock();
    let payment = state.ledger.payment(&key(out_trade_no)).ok_or_else(Refusal::order_unknown)?;
    if !payment.transactions.is_empty() {
        return Err(Refusal::order_paid());
    }
    if payment.closed {
        return Err(Refusal::order_closed());
    }
    let closed = Event::PaymentClosed { payment: payment.key.clone() };
    state.record(vec![closed])?;
    Ok(Reply::NoContent)
}
