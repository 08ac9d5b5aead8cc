//! Reading notifications whose signature has been checked.
//!
//! Fields: "当面付异步通知", <https://opendocs.alipay.com/open/194/103296>, read 2026-11-23.

use super::Alipay;
use super::trust::NotificationFields;
use super::wire::capture;
use crate::text::id;
use crate::{Distrust, Event, NamedPayment, RefundOutcome, yuan};

impl Alipay {
    /// What a verified notification tells. Those that are not about our work tell nothing, and so
    /// do those of a trade that waits or was closed unpaid: asking finds these out.
    ///
    /// A refund has no notification of its own. It comes inside its trade's, which is closed once
    /// everything is back.
    pub(super) fn events(&self, fields: &NotificationFields) -> Result<Vec<Event>, Distrust> {
        if fields.get("app_id") != Some(self.app_id.as_str()) {
            return Err(Distrust::WrongMerchant);
        }
        let Some(status) = fields.get("trade_status") else {
            return Ok(Vec::new());
        };
        if fields.get("seller_id") != Some(self.seller_id.as_str()) {
            return Err(Distrust::WrongMerchant);
        }
        let refunded = refunded(fields)?;
        let was_paid = match status {
            "TRADE_SUCCESS" | "TRADE_FINISHED" => true,
            "TRADE_CLOSED" => refunded.is_some() && fields.get("gmt_payment").is_some(),
            _ => return Ok(Vec::new()),
        };
        let paid = if was_paid { Some(paid(fields)?) } else { None };
        Ok(paid.into_iter().chain(refunded).collect())
    }
}

fn paid(fields: &NotificationFields) -> Result<Event, Distrust> {
    let payment_id = needed(fields, "out_trade_no")?;
    let echo = fields.get("passback_params").map(str::to_owned);
    let Some(paid_at) = fields.get("gmt_payment") else {
        return Ok(Event::PaidUndated { payment_id, echo });
    };
    let (trade_no, amount) = (needed(fields, "trade_no")?, needed(fields, "total_amount")?);
    let capture = capture(&trade_no, &amount, paid_at).ok_or(Distrust::Unreadable)?;
    Ok(Event::Paid { payment_id, echo, gateway_ref: None, capture })
}

/// The refund inside a trade's notification. `refund_fee` is what has gone back in all: of several
/// refunds in part, which are not ours, each event tells the sum up to it.
fn refunded(fields: &NotificationFields) -> Result<Option<Event>, Distrust> {
    let Some(refund_fee) = fields.get("refund_fee") else {
        return Ok(None);
    };
    let amount = yuan::amount(refund_fee).ok_or(Distrust::Unreadable)?;
    if amount.amount == 0 {
        return Ok(None);
    }
    let payment_id = needed(fields, "out_trade_no")?;
    // A refund that was made without a number has its trade's.
    let number = id(fields.get("out_biz_no").unwrap_or(&payment_id)).ok_or(Distrust::Unreadable)?;
    Ok(Some(Event::Refund {
        payment: NamedPayment {
            transaction_id: needed(fields, "trade_no")?,
            payment_id: Some(payment_id),
            echo: fields.get("passback_params").map(str::to_owned),
        },
        number,
        amount,
        outcome: RefundOutcome::Succeeded,
    }))
}

fn needed(fields: &NotificationFields, name: &str) -> Result<String, Distrust> {
    fields.get(name).map(str::to_owned).ok_or(Distrust::Unreadable)
}
