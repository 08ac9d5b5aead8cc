//! What queries and notifications show, and how this gateway numbers things.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::time::{beijing, beijing_date};
use super::{APPID, MCHID};
use crate::ledger::{
    Gateway, Ledger, Payment, PaymentKey, Refund, RefundKey, RefundOutcome, Transaction,
};
use crate::random::Random;

pub(super) const OPENID: &str = "oLatchpay-simulated-payer001";

/// The state of an order, as far as Native payments reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TradeState {
    NotPaid,
    Success,
    Refund,
    Closed,
}

impl TradeState {
    fn name(self) -> &'static str {
        match self {
            Self::NotPaid => "NOTPAY",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::Closed => "CLOSED",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::NotPaid => "订单未支付",
            Self::Success => "支付成功",
            Self::Refund => "订单发生过退款",
            Self::Closed => "订单已关闭",
        }
    }
}

pub(super) fn key(out_trade_no: &str) -> PaymentKey {
    PaymentKey { gateway: Gateway::WechatPay, payment_id: out_trade_no.to_owned() }
}

pub(super) fn refund_key(out_refund_no: &str) -> RefundKey {
    RefundKey { gateway: Gateway::WechatPay, refund_no: out_refund_no.to_owned() }
}

/// The payment of a transaction of this gateway.
pub(super) fn by_transaction<'a>(ledger: &'a Ledger, transaction_id: &str) -> Option<&'a Payment> {
    let payment = ledger.payment_by_transaction(transaction_id);
    payment.filter(|payment| payment.key.gateway == Gateway::WechatPay)
}

/// 28 digits; the running number at the end keeps them unique.
pub(crate) fn transaction_id(number: u64, paid_at: Timestamp, random: &mut Random) -> String {
    format!("420000{}{}{number:010}", random.digits(4), beijing_date(paid_at))
}

/// 28 digits; the running number at the end keeps them unique.
pub(crate) fn refund_id(number: u64, created_at: Timestamp, random: &mut Random) -> String {
    format!("503000{}{}{number:010}", random.digits(4), beijing_date(created_at))
}

/// An order without a transaction: neither paid nor in any way final but by a close.
pub(super) fn unpaid(payment: &Payment) -> Value {
    let state = if payment.closed { TradeState::Closed } else { TradeState::NotPaid };
    let mut object = json!({
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": payment.key.payment_id,
        "trade_state": state.name(),
        "trade_state_desc": state.description(),
        "amount": { "total": payment.amount.amount, "payer_currency": "CNY" },
        "promotion_detail": [],
    });
    set(&mut object, "attach", payment.attach.as_deref());
    object
}

/// A paid order, seen through one of its transactions.
pub(super) fn paid(payment: &Payment, transaction: &Transaction, state: TradeState) -> Value {
    let (total, currency) = (transaction.amount.amount, &transaction.amount.currency);
    let mut object = json!({
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": payment.key.payment_id,
        "transaction_id": transaction.transaction_id,
        "trade_type": "NATIVE",
        "trade_state": state.name(),
        "trade_state_desc": state.description(),
        "bank_type": "OTHERS",
        "success_time": beijing(transaction.paid_at),
        "payer": { "openid": OPENID },
        "amount": {
            "total": total,
            "payer_total": total,
            "currency": currency,
            "payer_currency": currency,
        },
        "promotion_detail": [],
    });
    set(&mut object, "attach", payment.attach.as_deref());
    object
}

/// The reply to creating and to querying a refund.
pub(super) fn refund(payment: &Payment, refund: &Refund, total: i64) -> Value {
    let mut object = json!({
        "refund_id": refund.refund_id,
        "out_refund_no": refund.refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": payment.key.payment_id,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": beijing(refund.created_at),
        "status": refund_status(refund),
        "funds_account": "AVAILABLE",
        "amount": {
            "total": total,
            "refund": refund.amount.amount,
            "payer_total": total,
            "payer_refund": refund.amount.amount,
            "settlement_total": total,
            "settlement_refund": refund.amount.amount,
            "discount_refund": 0,
            "currency": refund.amount.currency,
        },
        "promotion_detail": [],
    });
    set(&mut object, "success_time", refunded_at(refund).as_deref());
    object
}

/// What a refund's notification carries: another shape than the reply.
pub(super) fn refund_notice(payment: &Payment, refund: &Refund, total: i64) -> Value {
    let mut object = json!({
        "mchid": MCHID,
        "out_trade_no": payment.key.payment_id,
        "transaction_id": refund.transaction_id,
        "out_refund_no": refund.refund_no,
        "refund_id": refund.refund_id,
        "refund_status": refund_status(refund),
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": total,
            "refund": refund.amount.amount,
            "payer_total": total,
            "payer_refund": refund.amount.amount,
        },
    });
    set(&mut object, "success_time", refunded_at(refund).as_deref());
    object
}

pub(super) fn refund_status(refund: &Refund) -> &'static str {
    match refund.settled.as_ref().map(|settled| settled.outcome) {
        None => "PROCESSING",
        Some(RefundOutcome::Success | RefundOutcome::FailedLater) => "SUCCESS",
        Some(RefundOutcome::Abnormal) => "ABNORMAL",
        Some(RefundOutcome::Closed) => "CLOSED",
    }
}

/// What the gateway says of a body that it cannot read.
pub(super) fn bad_json(error: serde_json::Error) -> Refusal {
    Refusal::parameter(error.to_string())
}

fn refunded_at(refund: &Refund) -> Option<String> {
    let settled = refund.settled.as_ref()?;
    (settled.outcome == RefundOutcome::Success).then(|| beijing(settled.at))
}

fn set(object: &mut Value, name: &str, value: Option<&str>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), Value::from(value));
    }
}
