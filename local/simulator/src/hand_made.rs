//! Notifications that no payment caused, for tests of the callback.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::delivery::Outgoing;
use crate::ledger::{Deliveries, Gateway, Money, Payment, PaymentKey, Transaction};
use crate::state::Shared;
use crate::{alipay, stripe, wallet, wechat_pay};

/// What a hand-made notification tells. The names are the same for every gateway.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandMade {
    #[serde(default)]
    pub(crate) gateway: Gateway,
    pub(crate) out_trade_no: String,
    pub(crate) attach: Option<String>,
    pub(crate) amount: Money,
    pub(crate) success_time: Timestamp,
    pub(crate) transaction_id: Option<String>,
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// How a hand-made notification differs from a genuine one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    #[default]
    Valid,
    BadSignature,
    StaleTimestamp,
    WrongMerchant,
}

/// Makes a notification out of nothing, for the configured callback.
pub(crate) fn compose(shared: &Shared, request: &HandMade) -> Option<Outgoing> {
    match request.gateway {
        Gateway::WechatPay => wechat_pay::notification::hand_made(shared, request),
        Gateway::Alipay => alipay::notification::hand_made(shared, request),
        Gateway::Stripe => stripe::notification::hand_made(shared, request),
    }
}

/// Where a gateway's hand-made notifications go.
pub(crate) fn url(shared: &Shared, gateway: Gateway) -> String {
    format!("{}/{}", shared.config.callbacks_base_url.trim_end_matches('/'), gateway.name())
}

/// The payment that a hand-made notification tells of. It enters no ledger.
pub(crate) fn imagined(shared: &Shared, request: &HandMade) -> (Payment, Transaction) {
    let mut state = shared.lock();
    let number = state.ledger.next_number();
    let paid_at = request.success_time;
    let fresh = || wallet::transaction_id(request.gateway, number, paid_at, &mut state.random);
    let transaction = Transaction {
        number,
        transaction_id: request.transaction_id.clone().unwrap_or_else(fresh),
        amount: request.amount.clone(),
        paid_at,
        notifications: Deliveries::default(),
    };
    let payment = Payment {
        key: PaymentKey { gateway: request.gateway, payment_id: request.out_trade_no.clone() },
        request: Value::Null,
        amount: request.amount.clone(),
        attach: request.attach.clone(),
        notify_url: String::new(),
        created_at: paid_at,
        expires_at: paid_at,
        closed: false,
        codes: Vec::new(),
        trade: None,
        transactions: Vec::new(),
        refunds: Vec::new(),
    };
    (payment, transaction)
}
