//! A trade, as queries, refunds and notifications see it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::time::beijing_date;
use super::{fields, yuan};
use crate::error::JournalError;
use crate::ledger::{
    Event, Gateway, Payment, PaymentKey, Refund, RefundOutcome, Settled, Transaction,
};
use crate::random::Random;
use crate::state::State;

/// The one buyer: the wallet.
pub(super) const BUYER_ID: &str = "2088902000000001";

pub(super) const BUYER_LOGON_ID: &str = "159****5620";

/// How long after its payment a trade can be refunded; contracts differ, a year is usual.
const REFUNDABLE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The state of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    WaitBuyerPay,
    Success,
    /// Paid, and too old to be refunded.
    Finished,
    /// Not paid in time or closed, or paid and all of it given back.
    Closed,
}

/// What names a trade: either number, of which Alipay's own counts where both are given.
pub(super) struct Name<'a> {
    pub(super) out_trade_no: Option<&'a String>,
    pub(super) trade_no: Option<&'a String>,
}

/// A trade of a payment: the one that the scan began, or one of a second capture.
pub(super) struct Trade {
    pub(super) payment: Payment,
    pub(super) trade_no: String,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WaitBuyerPay => "WAIT_BUYER_PAY",
            Self::Success => "TRADE_SUCCESS",
            Self::Finished => "TRADE_FINISHED",
            Self::Closed => "TRADE_CLOSED",
        }
    }
}

impl Name<'_> {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if let Some(number) = self.out_trade_no {
            fields::out_trade_no(number)?;
        }
        if let Some(number) = self.trade_no {
            fields::text("trade_no", number, 1..=64)?;
        }
        if self.out_trade_no.is_none() && self.trade_no.is_none() {
            return Err(Refusal::parameter("out_trade_no or trade_no is required"));
        }
        Ok(())
    }
}

impl Trade {
    /// Its capture, once it is paid.
    pub(super) fn transaction(&self) -> Option<&Transaction> {
        self.payment.transaction(&self.trade_no)
    }

    pub(super) fn status(&self, now: Timestamp) -> Status {
        let Some(transaction) = self.transaction() else {
            return if self.payment.closed { Status::Closed } else { Status::WaitBuyerPay };
        };
        if self.refunded() >= transaction.amount.amount {
            return Status::Closed;
        }
        let finished = now.duration_since(transaction.paid_at) > REFUNDABLE;
        if finished { Status::Finished } else { Status::Success }
    }

    /// What the trade is about, in fen: what was captured, or else what was asked for.
    pub(super) fn total(&self) -> i64 {
        self.transaction().map_or(self.payment.amount.amount, |paid| paid.amount.amount)
    }

    /// All fen of the trade that have arrived back.
    pub(super) fn refunded(&self) -> i64 {
        let returned = self.returned().map(|(_, refund)| refund.amount.amount);
        returned.fold(0, i64::saturating_add)
    }

    /// All fen that had arrived back when this refund had: `refund_fee` is a running total.
    pub(super) fn refunded_until(&self, refund: &Refund) -> i64 {
        let Some(settled) = &refund.settled else {
            return 0;
        };
        let until = (settled.at, refund.number);
        let earlier = self.returned().filter(|(at, one)| (at.at, one.number) <= until);
        earlier.fold(0, |sum: i64, (_, one)| sum.saturating_add(one.amount.amount))
    }

    /// The refund that the merchant asked for under this number: numbers are unique in a trade.
    pub(super) fn refund(&self, out_request_no: &str) -> Option<&Refund> {
        let mut refunds = self.payment.refunds_of(&self.trade_no);
        refunds.find(|refund| out_request_no_of(refund) == out_request_no)
    }

    /// When the scan began it; a second capture begins when it is paid.
    pub(super) fn created_at(&self) -> Timestamp {
        let scanned = self.payment.trade.as_ref().filter(|trade| trade.trade_no == self.trade_no);
        let paid_at = self.transaction().map(|transaction| transaction.paid_at);
        scanned.map(|trade| trade.scanned_at).or(paid_at).unwrap_or(self.payment.created_at)
    }

    /// A text of the precreate request.
    pub(super) fn requested(&self, name: &str) -> Option<&str> {
        self.payment.request.get(name)?.as_str()
    }

    fn returned(&self) -> impl Iterator<Item = (&Settled, &Refund)> {
        let refunds = self.payment.refunds_of(&self.trade_no);
        let ended = refunds.filter_map(|refund| Some((refund.settled.as_ref()?, refund)));
        ended.filter(|(settled, _)| settled.outcome == RefundOutcome::Success)
    }
}

pub(super) fn key(out_trade_no: &str) -> PaymentKey {
    PaymentKey { gateway: Gateway::Alipay, payment_id: out_trade_no.to_owned() }
}

/// 28 digits; the running number at the end keeps them unique.
pub(crate) fn trade_no(number: u64, begun_at: Timestamp, random: &mut Random) -> String {
    format!("{}2200{}{number:010}", beijing_date(begun_at), random.digits(6))
}

/// The number that the merchant gave a refund, or the gateway's where a person made it.
pub(super) fn out_request_no_of(refund: &Refund) -> &str {
    let given = refund.request.get("out_request_no").and_then(Value::as_str);
    given.unwrap_or(&refund.refund_no)
}

/// Where the money came from, in the spelling of replies.
pub(super) fn fund_bills(fen: i64) -> Value {
    json!([{ "amount": yuan::written(fen), "fund_channel": "ALIPAYACCOUNT" }])
}

/// The trade of this name. A code that nobody scanned is none.
pub(super) fn find(state: &mut State, name: &Name<'_>, now: Timestamp) -> Result<Trade, Refusal> {
    name.check()?;
    let payment = match (name.trade_no, name.out_trade_no) {
        (Some(number), _) => state.ledger.payment_by_transaction(number),
        (None, Some(number)) => state.ledger.payment(&key(number)),
        (None, None) => None,
    };
    let payment = payment.filter(|payment| payment.key.gateway == Gateway::Alipay).cloned();
    let mut payment = payment.ok_or_else(Refusal::trade_unknown)?;
    close_if_late(state, &mut payment, now)?;
    let first = payment.transactions.first().map(|paid| &paid.transaction_id);
    let begun = payment.trade.as_ref().map(|trade| &trade.trade_no);
    let trade_no = name.trade_no.or(first).or(begun).cloned();
    Ok(Trade { trade_no: trade_no.ok_or_else(Refusal::trade_unknown)?, payment })
}

/// Closes a trade whose time to pay is over, as the real gateway does by itself.
pub(super) fn close_if_late(
    state: &mut State,
    payment: &mut Payment,
    now: Timestamp,
) -> Result<(), JournalError> {
    let unpaid = payment.trade.is_some() && payment.transactions.is_empty() && !payment.closed;
    if unpaid && now > payment.expires_at {
        state.record(vec![Event::PaymentClosed { payment: payment.key.clone() }])?;
        payment.closed = true;
    }
    Ok(())
}
