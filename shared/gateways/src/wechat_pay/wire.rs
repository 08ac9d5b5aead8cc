//! The JSON objects of API v3. Fields that nothing reads are left out.
//!
//! Pages of the merchant documentation, read 2026-11-23: "Native 下单"
//! (<https://pay.weixin.qq.com/doc/v3/merchant/4012791877>), "商户订单号查询订单", "关闭订单",
//! "退款申请", "查询单笔退款", "支付成功回调通知", "退款结果回调通知".

use domain::gateway::Capture;
use domain::money::{Currency, Money};
use serde::{Deserialize, Serialize};

use crate::text::id;

/// The only currency of a mainland merchant, and what an absent `currency` means.
pub(super) const CURRENCY: &str = "CNY";

/// Body of `POST /v3/pay/transactions/native`.
#[derive(Serialize)]
pub(super) struct NativeOrder<'a> {
    pub(super) appid: &'a str,
    pub(super) mchid: &'a str,
    pub(super) description: &'a str,
    pub(super) out_trade_no: &'a str,
    pub(super) time_expire: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) attach: &'a str,
    pub(super) notify_url: &'a str,
    pub(super) amount: OrderAmount<'a>,
}

#[derive(Serialize)]
pub(super) struct OrderAmount<'a> {
    pub(super) total: i64,
    pub(super) currency: &'a str,
}

/// Body of `POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close`.
#[derive(Serialize)]
pub(super) struct CloseOrder<'a> {
    pub(super) mchid: &'a str,
}

/// Body of `POST /v3/refund/domestic/refunds`.
#[derive(Serialize)]
pub(super) struct NewRefund<'a> {
    pub(super) transaction_id: &'a str,
    pub(super) out_refund_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) reason: &'a str,
    pub(super) notify_url: &'a str,
    pub(super) amount: NewRefundAmount<'a>,
}

#[derive(Serialize)]
pub(super) struct NewRefundAmount<'a> {
    pub(super) refund: i64,
    pub(super) total: i64,
    pub(super) currency: &'a str,
}

/// 200 of creating.
#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) code_url: String,
}

/// Body of an error.
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// 200 of a query, and what a `TRANSACTION.SUCCESS` notification seals.
#[derive(Deserialize)]
pub(super) struct Transaction {
    pub(super) mchid: String,
    pub(super) appid: String,
    pub(super) out_trade_no: String,
    pub(super) trade_state: String,
    pub(super) attach: Option<String>,
    transaction_id: Option<String>,
    success_time: Option<String>,
    amount: Option<TransactionAmount>,
}

#[derive(Deserialize)]
struct TransactionAmount {
    /// The order's amount. `payer_total` is lower by any coupon that the gateway pays for.
    total: Option<i64>,
    currency: Option<String>,
}

impl Transaction {
    /// What was captured; `None` where a part of it is absent or malformed.
    pub(super) fn capture(&self) -> Option<Capture> {
        let amount = self.amount.as_ref()?;
        Some(Capture {
            transaction_id: id(self.transaction_id.as_deref()?)?,
            captured: money(amount.total?, amount.currency.as_deref())?,
            paid_at: self.success_time.as_deref()?.parse().ok()?,
        })
    }

    /// The echo field, where it is not empty.
    pub(super) fn echo(self) -> Option<String> {
        self.attach.filter(|echo| !echo.is_empty())
    }
}

/// 200 of refunding and of asking for a refund.
#[derive(Deserialize)]
pub(super) struct Refund {
    pub(super) out_refund_no: String,
    pub(super) transaction_id: String,
    pub(super) out_trade_no: String,
    pub(super) status: String,
    pub(super) amount: RefundAmount,
}

/// What a `REFUND.*` notification seals. Its state is `refund_status`, in replies it is `status`.
#[derive(Deserialize)]
pub(super) struct RefundNotice {
    pub(super) mchid: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) out_refund_no: String,
    pub(super) refund_status: String,
    pub(super) amount: RefundAmount,
}

#[derive(Deserialize)]
pub(super) struct RefundAmount {
    total: i64,
    refund: i64,
    currency: Option<String>,
}

impl RefundAmount {
    /// What goes back.
    pub(super) fn refund(&self) -> Option<Money> {
        money(self.refund, self.currency.as_deref())
    }

    /// Whether all of `amount`, and nothing else, goes back.
    pub(super) fn is_all_of(&self, amount: Money) -> bool {
        self.refund() == Some(amount) && self.total == amount.amount
    }
}

fn money(amount: i64, currency: Option<&str>) -> Option<Money> {
    let currency = Currency::parse(currency.unwrap_or(CURRENCY))?;
    (amount > 0).then_some(Money::new(amount, currency))
}

/// The part of a notification that says what it is about.
#[derive(Deserialize)]
pub(super) struct NotificationKind {
    pub(super) event_type: String,
}

/// The part of a notification that holds its sealed contents.
#[derive(Deserialize)]
pub(super) struct Notification {
    pub(super) resource: Resource,
}

#[derive(Deserialize)]
pub(super) struct Resource {
    pub(super) algorithm: String,
    pub(super) ciphertext: String,
    pub(super) associated_data: Option<String>,
    pub(super) nonce: String,
}
