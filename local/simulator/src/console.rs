//! The merchant's own console at a gateway, where a person gives money back by hand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delivery::Job;
use crate::ledger::{
    Deliveries, Event, Gateway, Money, Payment, Refund, RefundKey, RefundOutcome, Transaction,
};
use crate::problem::Problem;
use crate::random::Random;
use crate::state::{Shared, State};
use crate::{alipay, stripe, wechat_pay};

/// What to give back: all that is left unless an amount is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundRequest {
    transaction_id: String,
    amount: Option<Money>,
}

/// A refund under a number that the gateway made up.
#[derive(Serialize)]
pub(crate) struct Refunded {
    refund_no: String,
    payment_id: String,
    transaction_id: String,
    amount: Money,
}

/// Gives money back without the merchant's program: it succeeds, after the plan's delay.
pub(crate) fn refund(shared: &Shared, request: &RefundRequest) -> Result<Refunded, Problem> {
    let mut state = shared.lock();
    let payment = state.ledger.payment_by_transaction(&request.transaction_id);
    let payment = payment.cloned().ok_or(Problem::UnknownTransaction)?;
    let refund_id: fn(u64, Timestamp, &mut Random) -> String = match payment.key.gateway {
        Gateway::WechatPay => wechat_pay::objects::refund_id,
        Gateway::Alipay => alipay::trade::trade_no,
        Gateway::Stripe => {
            drop(state);
            return refund_at_stripe(shared, payment.key.payment_id, request);
        }
    };
    let transaction = payment.transaction(&request.transaction_id);
    let transaction = transaction.ok_or(Problem::UnknownTransaction)?;
    let amount = amount(&payment, transaction, request)?;
    let refund = accepted(shared, &mut state, &payment, transaction, amount.clone(), refund_id);
    let refund_no = refund.refund_no.clone();
    let wait = state.faults.refund_delay(shared.config.refund_delay);
    state.record(vec![Event::RefundAccepted { payment: payment.key.clone(), refund }])?;
    drop(state);
    let key = RefundKey { gateway: payment.key.gateway, refund_no: refund_no.clone() };
    shared.start(vec![Job::SettleRefund { refund: key, wait }]);
    Ok(Refunded {
        refund_no,
        payment_id: payment.key.payment_id,
        transaction_id: request.transaction_id.clone(),
        amount,
    })
}

/// Stripe names its refunds itself, and tells of them under that name.
fn refund_at_stripe(
    shared: &Shared,
    payment_id: String,
    request: &RefundRequest,
) -> Result<Refunded, Problem> {
    let RefundRequest { transaction_id, amount } = request;
    let refund = stripe::console::refund(shared, transaction_id, amount.as_ref())?;
    let Refund { refund_no, transaction_id, amount, .. } = refund;
    Ok(Refunded { refund_no, payment_id, transaction_id, amount })
}

fn amount(
    payment: &Payment,
    transaction: &Transaction,
    request: &RefundRequest,
) -> Result<Money, Problem> {
    let left = payment.refundable(transaction);
    let all = || Money { amount: left, currency: transaction.amount.currency.clone() };
    let amount = request.amount.clone().unwrap_or_else(all);
    if amount.currency != transaction.amount.currency || !(1..=left).contains(&amount.amount) {
        return Err(Problem::Refused("less than that is left of the transaction".to_owned()));
    }
    Ok(amount)
}

fn accepted(
    shared: &Shared,
    state: &mut State,
    payment: &Payment,
    transaction: &Transaction,
    amount: Money,
    refund_id: fn(u64, Timestamp, &mut Random) -> String,
) -> Refund {
    let now = shared.now();
    let number = state.ledger.next_number();
    let refund_id = refund_id(number, now, &mut state.random);
    Refund {
        number,
        refund_no: refund_id.clone(),
        refund_id,
        transaction_id: transaction.transaction_id.clone(),
        request: Value::Null,
        amount,
        notify_url: Some(payment.notify_url.clone()),
        created_at: now,
        outcome: RefundOutcome::Success,
        settled: None,
        notifications: Deliveries::default(),
    }
}
