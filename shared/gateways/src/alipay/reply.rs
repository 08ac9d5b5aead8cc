//! Reading replies: it happened, it did not happen, it is not known.
//!
//! What a reply may be believed for:
//!
//! - **10000** only with a valid signature, and only under the name of the call that was made;
//!   otherwise it is treated as forged and nothing is known. It never means more than that the call
//!   was taken: whether money moved is said by fields.
//! - **40004**, a refusal of the business itself, with a valid signature is Alipay's word.
//! - **a refusal** without one may only lead to asking or to trying again, never to a change of
//!   state: on its strength nothing becomes closed, failed, refused or not found. Faults at the
//!   gateway's door (20001, 40001, 40002, 40006) often come so, as `error_response`.
//! - **everything else** tells nothing: 20000, `SYSTEM_ERROR`, and whatever is no 200.
//!
//! A signature covers the inner object and nothing else: neither the name of the call nor a time.
//! An old reply is kept out by TLS, and by comparing what it is about with what was asked.
//!
//! | answer | with signature | without |
//! | --- | --- | --- |
//! | create: `TRADE_HAS_SUCCESS` | `AlreadyPaid` | `AlreadyPaid`: it only means asking |
//! | create: `TRADE_HAS_CLOSE` | `Closed` | `Unknown` |
//! | create: a code of [`CREATE_FINAL`], 40006 | `Refused` | `Unknown` |
//! | query: `TRADE_NOT_EXIST` | `NotFound` | `Unknown` |
//! | close: `TRADE_NOT_EXIST` | `NotFound` | `Ask` |
//! | close: any other refusal | `Ask` | `Ask` |
//! | any call but create: 40005, a code of [`TOO_OFTEN`] | `TooOften` | `TooOften` |
//! | refund: `fund_change` is `Y` | `Succeeded` | `Unknown` |
//! | refund: 10000 without it | `Processing`: only asking tells | `Unknown` |
//! | refund: a code of [`REFUND_LATER`], at the door | `Later` | `Later`: the same number again |
//! | refund: a code of [`REFUND_FINAL`] | `Refused` | `Unknown` |
//! | refund: a code of [`REFUND_STUCK`] | `Stuck` | `Unknown` |
//! | refund query: `REFUND_SUCCESS` | `Succeeded` | `Unknown` |
//! | refund query: 10000 without a status | `NotFound`: repeating is idempotent | `Unknown` |
//! | bill: `bill_not_exist` | an empty day, or `NotReady` while it may be late | `Unknown` |

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::Alipay;
use super::request::{CLOSE, PRECREATE, QUERY, REFUND, REFUND_QUERY};
use super::wire::{Closed, Created, Envelope, FoundRefund, Head, Refunded, Trade};
use crate::header::retry_after;
use crate::text::code_url;
use crate::{
    CloseOutcome, CreateOutcome, Distrust, Owner, PaymentRef, QueryOutcome, RefundOutcome,
    RefundRequest, Refusal, TooOften, yuan,
};

/// The call was taken. Source of all `code`s: "公共错误码", read 2026-11-23.
const TAKEN: &str = "10000";
/// Alipay is not available: nothing is known.
const UNAVAILABLE: &str = "20000";
/// The business refuses; `sub_code` says why.
const BUSINESS: &str = "40004";
/// The merchant's app, or all of it, calls too often.
const CALL_LIMITED: &str = "40005";
/// The merchant has no contract for the call.
const NO_PERMISSION: &str = "40006";
/// Faults at the gateway's door: token, missing and invalid parameters, permission.
const AT_THE_DOOR: &[&str] = &["20001", "40001", "40002", NO_PERMISSION];

/// Codes that finally refuse an order. `CONTEXT_INCONSISTENT` is not among them: the number is in
/// use, perhaps by our own earlier sending, so that only asking tells. Codes are compared without
/// what stands before the last dot, because `ACQ.` is also spelled `AQC.` and `aop.ACQ.`.
const CREATE_FINAL: &[&str] = &[
    "ACCESS_FORBIDDEN",
    "BUYER_SELLER_EQUAL",
    "EXIST_FORBIDDEN_WORD",
    "INVALID_PARAMETER",
    "PARTNER_ERROR",
    "SELLER_BEEN_BLOCKED",
    "TOTAL_FEE_EXCEED",
];

/// What `sub_code` says of a gateway that is called too often: by an app, or a method by it.
const TOO_OFTEN: &[&str] = &["app-call-limited", "method-call-limited"];

/// Codes after which the same refund is tried again, later. The merchant's balance passes, and so
/// does a charge that cannot be given back now.
const REFUND_LATER: &[&str] = &["SELLER_BALANCE_NOT_ENOUGH", "REFUND_CHARGE_ERROR"];

/// Codes that finally refuse a refund: too late, a payer or a contract that cannot take it, or a
/// sum that is more than what is left of the trade. `TRADE_HAS_CLOSE` is not among them, because
/// the money may be back through this very refund; nor is a trade that is said to be unpaid, which
/// contradicts the capture. Both are asked for.
const REFUND_FINAL: &[&str] = &[
    "BUYER_ENABLE_STATUS_FORBID",
    "BUYER_ERROR",
    "BUYER_NOT_EXIST",
    "CUSTOMER_VALIDATE_ERROR",
    "NOT_ALLOW_PARTIAL_REFUND",
    "ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND",
    "REASON_TRADE_REFUND_FEE_ERR",
    "REFUND_AMT_NOT_EQUAL_TOTAL",
    "REFUND_FEE_ERROR",
    "TRADE_HAS_FINISHED",
    "TRADE_NOT_ALLOW_REFUND",
];

/// Codes for which a person has to act: a frozen trade, and a number that stands for another
/// amount. The second can only be somebody else's doing, and whether money went back under the
/// number is for the query to tell: neither a new number nor giving up would be safe.
const REFUND_STUCK: &[&str] = &["REASON_TRADE_BEEN_FREEZEN", "DISCORDANT_REPEAT_REQUEST"];

/// What is not a success.
pub(super) enum Fault {
    /// Alipay says no.
    Declined(Declined),
    /// Alipay says only that it is called too often.
    TooOften(TooOften),
    /// Nothing that can be used.
    Unusable(Refusal),
}

pub(super) struct Declined {
    code: String,
    /// What stands behind the last dot of `sub_code`.
    sub_code: String,
    is_signed: bool,
    pub(super) refusal: Refusal,
}

impl Declined {
    fn is_any_of(&self, sub_codes: &[&str]) -> bool {
        self.code == BUSINESS && sub_codes.contains(&self.sub_code.as_str())
    }

    pub(super) fn is_signed_any_of(&self, sub_codes: &[&str]) -> bool {
        self.is_signed && self.is_any_of(sub_codes)
    }
}

impl Alipay {
    pub(super) fn created(&self, reply: &Response<Bytes>) -> CreateOutcome {
        match self.read::<Created>(PRECREATE, reply) {
            Ok(created) => match code_url(&created.qr_code) {
                Some(code_url) => CreateOutcome::Payable { code_url, gateway_ref: None },
                None => CreateOutcome::Unknown(unreadable(reply)),
            },
            Err(Fault::Declined(declined)) => create_declined(declined),
            Err(Fault::TooOften(TooOften { refusal, .. }) | Fault::Unusable(refusal)) => {
                CreateOutcome::Unknown(refusal)
            }
        }
    }

    pub(super) fn queried(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
    ) -> QueryOutcome {
        match self.read::<Trade>(QUERY, reply) {
            Ok(trade) if trade.out_trade_no != payment.payment_id => {
                QueryOutcome::Unknown(mismatch(reply))
            }
            Ok(trade) => trade_status(&trade, reply),
            Err(Fault::Declined(declined)) => query_declined(declined),
            Err(Fault::TooOften(too_often)) => QueryOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => QueryOutcome::Unknown(refusal),
        }
    }

    pub(super) fn owner(&self, reply: &Response<Bytes>) -> Result<Option<Owner>, Refusal> {
        match self.read::<Trade>(QUERY, reply) {
            Ok(trade) => {
                let payment_id = trade.out_trade_no.clone();
                Ok(trade.echo().map(|echo| Owner { payment_id, echo }))
            }
            Err(Fault::Declined(declined)) if is_unknown_trade(&declined) => Ok(None),
            Err(Fault::Declined(declined)) => Err(declined.refusal),
            Err(Fault::TooOften(TooOften { refusal, .. }) | Fault::Unusable(refusal)) => {
                Err(refusal)
            }
        }
    }

    pub(super) fn closed(&self, reply: &Response<Bytes>) -> CloseOutcome {
        match self.read::<Closed>(CLOSE, reply) {
            Ok(Closed {}) => CloseOutcome::Closed,
            Err(Fault::Declined(declined)) if is_unknown_trade(&declined) => CloseOutcome::NotFound,
            Err(Fault::Declined(declined)) => CloseOutcome::Ask(declined.refusal),
            Err(Fault::TooOften(too_often)) => CloseOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => CloseOutcome::Unknown(refusal),
        }
    }

    pub(super) fn refund_made(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
    ) -> RefundOutcome {
        match self.read::<Refunded>(REFUND, reply) {
            Ok(made) => refund_taken(refund, &made, reply),
            Err(Fault::Declined(declined)) => refund_declined(declined),
            Err(Fault::TooOften(too_often)) => RefundOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => RefundOutcome::Unknown(refusal),
        }
    }

    pub(super) fn refund_queried(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
    ) -> RefundOutcome {
        match self.read::<FoundRefund>(REFUND_QUERY, reply) {
            Ok(found) => refund_found(refund, &found, reply),
            Err(Fault::Declined(declined)) => RefundOutcome::Unknown(declined.refusal),
            Err(Fault::TooOften(too_often)) => RefundOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => RefundOutcome::Unknown(refusal),
        }
    }

    /// Reads the reply to `method`, as far as it may be believed.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        reply: &Response<Bytes>,
    ) -> Result<T, Fault> {
        let unusable = || Fault::Unusable(unreadable(reply));
        if reply.status() != StatusCode::OK {
            return Err(unusable());
        }
        let envelope: Envelope<'_> =
            serde_json::from_slice(reply.body()).map_err(|_| unusable())?;
        let name = format!("{}_response", method.replace('.', "_"));
        let (said, contents) = envelope.only(&[&name, "error_response"]).ok_or_else(unusable)?;
        let head: Head = serde_json::from_str(contents).map_err(|_| unusable())?;
        let signed = self.check_reply(&envelope, contents);
        if head.code != TAKEN {
            return Err(declined(head, signed.is_ok(), reply));
        }
        if said != name {
            return Err(unusable());
        }
        signed.map_err(|distrust| {
            let message = "a success that is not validly signed tells nothing";
            Fault::Unusable(refusal(reply, distrust.as_str(), message))
        })?;
        serde_json::from_str(contents).map_err(|_| unusable())
    }

    fn check_reply(&self, envelope: &Envelope<'_>, contents: &str) -> Result<(), Distrust> {
        let (_, signature) = envelope.only(&["sign"]).ok_or(Distrust::MissingHeader)?;
        let signature: String =
            serde_json::from_str(signature).map_err(|_| Distrust::MissingHeader)?;
        let is_signed = self.verify_keys.have_signed(contents.as_bytes(), &signature);
        is_signed.then_some(()).ok_or(Distrust::BadSignature)
    }
}

fn declined(head: Head, is_signed: bool, reply: &Response<Bytes>) -> Fault {
    let code = head.sub_code.as_deref().unwrap_or(&head.code);
    let refusal = refusal(reply, code, head.sub_msg.as_deref().unwrap_or(&head.msg));
    let sub_code = head.sub_code.as_deref().and_then(|code| code.rsplit('.').next());
    let sub_code = sub_code.unwrap_or_default().to_owned();
    if head.code == UNAVAILABLE || sub_code == "SYSTEM_ERROR" {
        return Fault::Unusable(refusal);
    }
    if head.code == CALL_LIMITED || TOO_OFTEN.contains(&sub_code.as_str()) {
        return Fault::TooOften(TooOften { refusal, retry_after: retry_after(reply.headers()) });
    }
    Fault::Declined(Declined { code: head.code, sub_code, is_signed, refusal })
}

/// There is no trade until somebody scans the code, and as long as the code lives there may be one.
fn is_unknown_trade(declined: &Declined) -> bool {
    declined.is_signed_any_of(&["TRADE_NOT_EXIST"])
}

fn create_declined(declined: Declined) -> CreateOutcome {
    if declined.is_any_of(&["TRADE_HAS_SUCCESS"]) {
        return CreateOutcome::AlreadyPaid;
    }
    if !declined.is_signed {
        return CreateOutcome::Unknown(declined.refusal);
    }
    if declined.is_any_of(&["TRADE_HAS_CLOSE"]) {
        return CreateOutcome::Closed;
    }
    if declined.code == NO_PERMISSION || declined.is_any_of(CREATE_FINAL) {
        return CreateOutcome::Refused(declined.refusal);
    }
    CreateOutcome::Unknown(declined.refusal)
}

fn query_declined(declined: Declined) -> QueryOutcome {
    if is_unknown_trade(&declined) {
        return QueryOutcome::NotFound;
    }
    QueryOutcome::Unknown(declined.refusal)
}

/// `TRADE_CLOSED` is an order that nobody paid in time, or one that was paid and went back in full.
/// Where the payment time is not told, calling it closed costs nobody anything: either nothing was
/// captured, or all of it is back with the payer.
fn trade_status(trade: &Trade, reply: &Response<Bytes>) -> QueryOutcome {
    match trade.trade_status.as_str() {
        "WAIT_BUYER_PAY" => QueryOutcome::Unpaid,
        "TRADE_CLOSED" if !trade.was_paid() => QueryOutcome::Closed,
        "TRADE_SUCCESS" | "TRADE_FINISHED" | "TRADE_CLOSED" => match trade.capture() {
            Some(capture) if trade.trade_status == "TRADE_CLOSED" => {
                QueryOutcome::Returned(capture)
            }
            Some(capture) => QueryOutcome::Paid(capture),
            None => QueryOutcome::Unknown(unreadable(reply)),
        },
        other => QueryOutcome::Unknown(refusal(reply, other, "an unknown trade_status")),
    }
}

/// `fund_change` is `N`, or absent, for a repeat of a refund that succeeded as well as for one that
/// has not moved the money yet.
fn refund_taken(
    asked: &RefundRequest<'_>,
    told: &Refunded,
    reply: &Response<Bytes>,
) -> RefundOutcome {
    let is_asked = told.trade_no == asked.transaction_id && told.out_trade_no == asked.payment_id;
    if !is_asked {
        return RefundOutcome::Unknown(mismatch(reply));
    }
    if told.fund_change.as_deref() != Some("Y") {
        return RefundOutcome::Processing;
    }
    // The sum of all that went back is this refund, because a refund is always of everything.
    match told.refund_fee.as_deref().and_then(yuan::amount) {
        Some(sum) if sum == asked.amount => RefundOutcome::Succeeded,
        Some(_) => RefundOutcome::Unknown(mismatch(reply)),
        None => RefundOutcome::Unknown(unreadable(reply)),
    }
}

fn refund_declined(declined: Declined) -> RefundOutcome {
    let is_at_the_door = AT_THE_DOOR.contains(&declined.code.as_str());
    if is_at_the_door || declined.is_any_of(REFUND_LATER) {
        return RefundOutcome::Later(declined.refusal);
    }
    if !declined.is_signed {
        return RefundOutcome::Unknown(declined.refusal);
    }
    if declined.is_any_of(REFUND_FINAL) {
        return RefundOutcome::Refused(declined.refusal);
    }
    if declined.is_any_of(REFUND_STUCK) {
        return RefundOutcome::Stuck(declined.refusal);
    }
    RefundOutcome::Unknown(declined.refusal)
}

/// Without a status the refund was not received, or failed, or is not done yet: sending the same
/// number again is right in all three, because it is refunded once.
fn refund_found(
    asked: &RefundRequest<'_>,
    told: &FoundRefund,
    reply: &Response<Bytes>,
) -> RefundOutcome {
    let status = told.refund_status.as_deref().unwrap_or_default();
    let is_done = match status {
        "" => false,
        "REFUND_SUCCESS" => true,
        _ => {
            let message = "an unknown refund_status";
            return RefundOutcome::Unknown(refusal(reply, status, message));
        }
    };
    let names = [
        (&told.trade_no, asked.transaction_id),
        (&told.out_trade_no, asked.payment_id),
        (&told.out_request_no, asked.number),
    ];
    // A success says of what it is; without one, what is said must not be of something else.
    let is_asked = names.iter().all(|(told, asked)| match told.as_deref() {
        Some(told) => told == *asked,
        None => !is_done,
    });
    if !is_asked {
        return RefundOutcome::Unknown(mismatch(reply));
    }
    if !is_done {
        return RefundOutcome::NotFound;
    }
    match told.refund_amount.as_deref().and_then(yuan::amount) {
        Some(amount) if amount == asked.amount => RefundOutcome::Succeeded,
        Some(_) => RefundOutcome::Unknown(mismatch(reply)),
        None => RefundOutcome::Unknown(unreadable(reply)),
    }
}

pub(super) fn unreadable(reply: &Response<Bytes>) -> Refusal {
    refusal(reply, "unreadable", "the reply is not what was expected")
}

pub(super) fn mismatch(reply: &Response<Bytes>) -> Refusal {
    refusal(reply, "mismatch", "the reply is about something else")
}

pub(super) fn refusal(reply: &Response<Bytes>, code: &str, message: &str) -> Refusal {
    Refusal::new(reply.status().as_u16(), code, message)
}
