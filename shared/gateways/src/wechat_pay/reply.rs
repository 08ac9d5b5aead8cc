//! Reading replies: it happened, it did not happen, it is not known.
//!
//! What a reply may be believed for:
//!
//! - **2xx** only with a valid, fresh signature; otherwise it is treated as forged and nothing is
//!   known.
//! - **4xx** with a valid, fresh signature is the gateway's word. This is the usual case: it signs
//!   its reply to every request whose own signature was right. (Both rules: API v3 guide, chapter
//!   "签名验证", read 2026-11-23.)
//! - **4xx** without one may only lead to asking or to trying again, never to a change of state: on
//!   its strength nothing becomes closed, failed, refused or not found. A forged refusal could
//!   otherwise leave an open code that nobody closes, or paid money that nobody looks for.
//! - **everything else** tells nothing.
//!
//! | answer | with signature | without |
//! | --- | --- | --- |
//! | create: `ORDERPAID` | `AlreadyPaid` | `AlreadyPaid`: it only means asking |
//! | create: `ORDER_CLOSED` | `Closed` | `Unknown` |
//! | create: a code of [`CREATE_FINAL`] | `Refused` | `Unknown` |
//! | query: `ORDER_NOT_EXIST` / `ORDER_CLOSED` | `NotFound` / `Closed` | `Unknown` |
//! | close: `ORDER_CLOSED` / `ORDER_NOT_EXIST` | `Closed` / `NotFound` | `Ask` |
//! | close: any other code | `Ask` | `Ask` |
//! | any call but create: 429, a code of [`TOO_OFTEN`] | `TooOften` | `TooOften` |
//! | refund: a code of [`REFUND_LATER`] | `Later` | `Later`: the same number again |
//! | refund: a code of [`REFUND_FINAL`] | `Refused` | `Unknown` |
//! | refund query: `RESOURCE_NOT_EXISTS` | `NotFound` | `NotFound`: repeating is idempotent |

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::WechatPay;
use super::wire::{Created, Problem, Refund, Transaction};
use crate::header::retry_after;
use crate::text::code_url;
use crate::{
    CloseOutcome, CreateOutcome, Owner, PaymentRef, QueryOutcome, RefundOutcome, RefundRequest,
    Refusal, TooOften,
};

/// Codes that finally refuse an order. `INVALID_REQUEST` and `OUT_TRADE_NO_USED` are not among
/// them: they are also the answer to a number that is already in use, perhaps by our own earlier
/// sending, so that only asking tells. Codes are compared without underscores, because the older
/// pages spell them so.
const CREATE_FINAL: &[&str] = &[
    "ACCOUNTERROR",
    "APPIDMCHIDNOTMATCH",
    "MCHNOTEXISTS",
    "NOAUTH",
    "PARAMERROR",
    "RULELIMIT",
    "TRADEERROR",
];

/// Codes of a gateway that is called too often, which mostly come with status 429.
const TOO_OFTEN: &[&str] =
    &["FREQUENCYLIMITED", "FREQUENCYLIMITEDEXCEED", "FREQUENCYLIMITEXCEED", "RATELIMITEXCEEDED"];

/// Codes after which the same refund is tried again, later. The merchant's balance passes;
/// the rest are faults of our own settings, which say nothing about the payer's money: they are
/// repeated until somebody repairs them, and flagged meanwhile like anything that takes long.
const REFUND_LATER: &[&str] = &[
    "NOTENOUGH",
    "BIZERRNEEDRETRY",
    "APPIDMCHIDNOTMATCH",
    "MCHNOTEXISTS",
    "NOAUTH",
    "PARAMERROR",
    "REQUESTBLOCKED",
    "SIGNERROR",
];

/// Codes that finally refuse a refund.
const REFUND_FINAL: &[&str] = &[
    "INVALIDREQUEST",
    "ORDERNOTEXIST",
    "RESOURCENOTEXISTS",
    "TRADEOVERDUE",
    "USERACCOUNTABNORMAL",
];

/// Words in the message of an `INVALID_REQUEST` that only asks for patience ("less than 1 minute
/// after the previous refund"). Too many words here cost a repeat, too few a refund.
const PATIENCE: &[&str] = &["分钟", "稍后", "频", "minute", "later", "frequen"];

/// Words in the message of an `INVALID_REQUEST` for an order whose money is back already: perhaps
/// through this very refund, so that only asking tells.
const ALREADY_BACK: &[&str] = &["全额退款", "已退款", "already refunded", "fully refunded"];

/// A reply, as far as it may be believed.
enum Judged<'a> {
    /// 2xx with a valid signature.
    Success(StatusCode, &'a [u8]),
    /// 4xx.
    Declined(Declined),
    /// 4xx that says nothing else than that we call too often.
    TooOften(TooOften),
    /// Nothing that can be used.
    Unusable(Refusal),
}

pub(super) struct Declined {
    /// The code without underscores.
    code: String,
    /// Whether the signature is valid and fresh.
    is_signed: bool,
    pub(super) refusal: Refusal,
}

impl Declined {
    /// Whether the gateway signs that it declines for one of these reasons.
    pub(super) fn is_signed_any_of(&self, codes: &[&str]) -> bool {
        self.is_signed && self.is_any_of(codes)
    }

    fn is_any_of(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    fn is_invalid_request_saying(&self, words: &[&str]) -> bool {
        let message = self.refusal.message.to_lowercase();
        self.code == "INVALIDREQUEST" && words.iter().any(|word| message.contains(word))
    }
}

impl WechatPay {
    pub(super) fn created(&self, reply: &Response<Bytes>, now: Timestamp) -> CreateOutcome {
        match self.read_json::<Created>(reply, now) {
            Ok((_, created)) => match code_url(&created.code_url) {
                Some(code_url) => CreateOutcome::Payable { code_url, gateway_ref: None },
                None => CreateOutcome::Unknown(unreadable(reply.status())),
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
        now: Timestamp,
    ) -> QueryOutcome {
        match self.read_json::<Transaction>(reply, now) {
            Ok((status, transaction)) => {
                let is_asked = transaction.out_trade_no == payment.payment_id;
                if is_asked && self.is_ours(&transaction) {
                    trade_state(&transaction, status)
                } else {
                    QueryOutcome::Unknown(mismatch(status))
                }
            }
            Err(Fault::Declined(declined)) => query_declined(declined),
            Err(Fault::TooOften(too_often)) => QueryOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => QueryOutcome::Unknown(refusal),
        }
    }

    pub(super) fn owner(
        &self,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> Result<Option<Owner>, Refusal> {
        match self.read_json::<Transaction>(reply, now) {
            Ok((_, transaction)) if self.is_ours(&transaction) => {
                let payment_id = transaction.out_trade_no.clone();
                Ok(transaction.echo().map(|echo| Owner { payment_id, echo }))
            }
            Ok(_) => Ok(None),
            Err(Fault::Declined(declined)) => match query_declined(declined) {
                QueryOutcome::NotFound | QueryOutcome::Closed => Ok(None),
                QueryOutcome::Unknown(refusal)
                | QueryOutcome::TooOften(TooOften { refusal, .. }) => Err(refusal),
                QueryOutcome::Paid(_) | QueryOutcome::Returned(_) | QueryOutcome::Unpaid => {
                    Ok(None)
                }
            },
            Err(Fault::TooOften(TooOften { refusal, .. }) | Fault::Unusable(refusal)) => {
                Err(refusal)
            }
        }
    }

    /// 204 is the only success of closing. A 202 (`USERPAYING`) and anything else asks.
    pub(super) fn closed(&self, reply: &Response<Bytes>, now: Timestamp) -> CloseOutcome {
        match self.judge(reply, now) {
            Judged::Success(StatusCode::NO_CONTENT, _) => CloseOutcome::Closed,
            Judged::Success(status, body) => {
                CloseOutcome::Ask(problem(status, body).unwrap_or_else(|| unreadable(status)))
            }
            Judged::Declined(declined) => close_declined(declined),
            Judged::TooOften(too_often) => CloseOutcome::TooOften(too_often),
            Judged::Unusable(refusal) => CloseOutcome::Unknown(refusal),
        }
    }

    pub(super) fn refund_made(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome {
        match self.read_json::<Refund>(reply, now) {
            Ok((status, made)) => refund_reply(refund, &made, status),
            Err(Fault::Declined(declined)) => refund_declined(declined),
            Err(Fault::TooOften(too_often)) => RefundOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => RefundOutcome::Unknown(refusal),
        }
    }

    pub(super) fn refund_queried(
        &self,
        refund: &RefundRequest<'_>,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> RefundOutcome {
        match self.read_json::<Refund>(reply, now) {
            Ok((status, found)) => refund_reply(refund, &found, status),
            Err(Fault::Declined(declined)) if declined.is_any_of(&["RESOURCENOTEXISTS"]) => {
                RefundOutcome::NotFound
            }
            Err(Fault::Declined(declined)) => RefundOutcome::Unknown(declined.refusal),
            Err(Fault::TooOften(too_often)) => RefundOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => RefundOutcome::Unknown(refusal),
        }
    }

    fn judge<'a>(&self, reply: &'a Response<Bytes>, now: Timestamp) -> Judged<'a> {
        let (status, body) = (reply.status(), reply.body().as_ref());
        let signed = self.verify_keys.check(reply.headers(), body, now);
        if status.is_success() {
            return match signed {
                Ok(()) => Judged::Success(status, body),
                Err(distrust) => Judged::Unusable(refusal(
                    status,
                    distrust.as_str(),
                    "a reply that is not validly signed tells nothing",
                )),
            };
        }
        let refusal = problem(status, body).unwrap_or_else(|| unreadable(status));
        if !status.is_client_error() {
            return Judged::Unusable(refusal);
        }
        let code = refusal.code.replace('_', "");
        if status == StatusCode::TOO_MANY_REQUESTS || TOO_OFTEN.contains(&code.as_str()) {
            let retry_after = retry_after(reply.headers());
            return Judged::TooOften(TooOften { refusal, retry_after });
        }
        Judged::Declined(Declined { code, is_signed: signed.is_ok(), refusal })
    }

    pub(super) fn read_json<T: DeserializeOwned>(
        &self,
        reply: &Response<Bytes>,
        now: Timestamp,
    ) -> Result<(StatusCode, T), Fault> {
        match self.judge(reply, now) {
            Judged::Success(status, body) => serde_json::from_slice(body)
                .map(|value| (status, value))
                .map_err(|_| Fault::Unusable(unreadable(status))),
            Judged::Declined(declined) => Err(Fault::Declined(declined)),
            Judged::TooOften(too_often) => Err(Fault::TooOften(too_often)),
            Judged::Unusable(refusal) => Err(Fault::Unusable(refusal)),
        }
    }
}

pub(super) enum Fault {
    Declined(Declined),
    TooOften(TooOften),
    Unusable(Refusal),
}

fn create_declined(declined: Declined) -> CreateOutcome {
    if declined.is_any_of(&["ORDERPAID"]) {
        return CreateOutcome::AlreadyPaid;
    }
    if !declined.is_signed {
        return CreateOutcome::Unknown(declined.refusal);
    }
    if declined.is_any_of(&["ORDERCLOSED"]) {
        return CreateOutcome::Closed;
    }
    if declined.is_any_of(CREATE_FINAL) {
        return CreateOutcome::Refused(declined.refusal);
    }
    CreateOutcome::Unknown(declined.refusal)
}

fn query_declined(declined: Declined) -> QueryOutcome {
    if !declined.is_signed {
        return QueryOutcome::Unknown(declined.refusal);
    }
    match declined.code.as_str() {
        "ORDERNOTEXIST" => QueryOutcome::NotFound,
        "ORDERCLOSED" => QueryOutcome::Closed,
        _ => QueryOutcome::Unknown(declined.refusal),
    }
}

fn close_declined(declined: Declined) -> CloseOutcome {
    if !declined.is_signed {
        return CloseOutcome::Ask(declined.refusal);
    }
    match declined.code.as_str() {
        "ORDERCLOSED" => CloseOutcome::Closed,
        "ORDERNOTEXIST" => CloseOutcome::NotFound,
        _ => CloseOutcome::Ask(declined.refusal),
    }
}

fn refund_declined(declined: Declined) -> RefundOutcome {
    let is_impatient = declined.is_invalid_request_saying(PATIENCE);
    if is_impatient || declined.is_any_of(REFUND_LATER) {
        return RefundOutcome::Later(declined.refusal);
    }
    let is_final = declined.is_signed && declined.is_any_of(REFUND_FINAL);
    if is_final && !declined.is_invalid_request_saying(ALREADY_BACK) {
        return RefundOutcome::Refused(declined.refusal);
    }
    RefundOutcome::Unknown(declined.refusal)
}

/// `REFUND` is a paid order that was refunded at least in part. `USERPAYING` and `PAYERROR` come
/// from card readers and are not final.
fn trade_state(transaction: &Transaction, status: StatusCode) -> QueryOutcome {
    match transaction.trade_state.as_str() {
        "SUCCESS" | "REFUND" => match transaction.capture() {
            Some(capture) if transaction.trade_state == "REFUND" => QueryOutcome::Returned(capture),
            Some(capture) => QueryOutcome::Paid(capture),
            None => QueryOutcome::Unknown(unreadable(status)),
        },
        "NOTPAY" | "USERPAYING" | "PAYERROR" => QueryOutcome::Unpaid,
        "CLOSED" | "REVOKED" => QueryOutcome::Closed,
        other => QueryOutcome::Unknown(refusal(status, other, "an unknown trade_state")),
    }
}

fn refund_reply(asked: &RefundRequest<'_>, told: &Refund, status: StatusCode) -> RefundOutcome {
    let is_asked = told.out_refund_no == asked.number
        && told.transaction_id == asked.transaction_id
        && told.out_trade_no == asked.payment_id
        && told.amount.is_all_of(asked.amount);
    if !is_asked {
        return RefundOutcome::Unknown(mismatch(status));
    }
    refund_state(&told.status, status.as_u16())
}

/// `http_status` is 0 for a notification, which is no reply.
pub(super) fn refund_state(state: &str, http_status: u16) -> RefundOutcome {
    let refusal = |message: &str| Refusal::new(http_status, state, message);
    match state {
        "SUCCESS" => RefundOutcome::Succeeded,
        "PROCESSING" => RefundOutcome::Processing,
        "CLOSED" => RefundOutcome::Failed(refusal("closed unpaid; a new number is needed")),
        "ABNORMAL" => RefundOutcome::Stuck(refusal(
            "the payer's account does not take it; act in the merchant platform",
        )),
        _ => RefundOutcome::Unknown(refusal("an unknown refund state")),
    }
}

fn problem(status: StatusCode, body: &[u8]) -> Option<Refusal> {
    let problem: Problem = serde_json::from_slice(body).ok()?;
    Some(refusal(status, &problem.code, &problem.message))
}

pub(super) fn unreadable(status: StatusCode) -> Refusal {
    refusal(status, "unreadable", "the reply is not what was expected")
}

pub(super) fn mismatch(status: StatusCode) -> Refusal {
    refusal(status, "mismatch", "the reply is about something else")
}

pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Refusal {
    Refusal::new(status.as_u16(), code, message)
}
