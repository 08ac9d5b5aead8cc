//! Reading replies: it happened, it did not happen, it is not known.
//!
//! What a reply may be believed for. No reply is signed: TLS and the host vouch for it, and what
//! shows that Stripe itself answered is the shape of its objects.
//!
//! - **2xx** with the object that was asked for, of our key's mode and about our payment, is the
//!   gateway's word. Anything else in a 2xx tells nothing.
//! - **4xx** with Stripe's error object is the gateway's word about this request. Without one it
//!   comes from something on the way (a proxy's page), and tells nothing.
//! - **401, 403, 404** speak of our own key: it is wrong, or of another account or mode, where an
//!   id that Stripe gave us is not known. They say nothing about the payment.
//! - **everything else** tells nothing. Under one `Idempotency-Key` Stripe repeats a 5xx too.
//!
//! | answer | outcome |
//! | --- | --- |
//! | create: a session `open` / an intent with its QR data | `Payable` |
//! | create: `complete`, `succeeded` | `AlreadyPaid`: it only means asking |
//! | create: `expired`, `canceled` | `Closed` |
//! | create: 400 `invalid_request_error`, 402 `card_error` | `Refused` |
//! | query: an intent `succeeded`, its charge there | `Paid` |
//! | query: a session `open`, or complete and still being paid; an intent not final | `Unpaid` |
//! | query: a session `expired`, or complete and failed; an intent `canceled` | `Closed` |
//! | query, close: a search that finds nothing | `NotFound` |
//! | any call but create: 429, other than of a lock | `TooOften` |
//! | query: any other error | `Unknown` |
//! | close: `expired`, `canceled` | `Closed` |
//! | close: a search that finds an intent with a code of its own | `Named` |
//! | close: a search that finds another one, 400, 404 | `Ask` |
//! | refund: a code of [`REFUND_LATER`], 401, 403 | `Later` |
//! | refund: a code of [`REFUND_FINAL`] | `Refused` |
//! | refund: `charge_already_refunded`, any other error | `Unknown`: the refunds are listed next |
//! | refund query: the last page, and ours is not on it | `NotFound` |
//! | owner: 404 `resource_missing`, or an intent without our words | no payment of ours |
//!
//! Source of statuses and errors, read 2026-11-24: <https://docs.stripe.com/api/errors>,
//! <https://docs.stripe.com/error-codes>,
//! <https://docs.stripe.com/payments/paymentintents/lifecycle>; of limits, read 2026-11-25:
//! <https://docs.stripe.com/rate-limits>.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::wire::{Expandable, Found, Intent, Page, Problem, Refund, Session};
use super::{QR_CODE, Stripe};
use crate::header::retry_after;
use crate::text::{code_url, id};
use crate::{
    CloseOutcome, CreateOutcome, Owner, PaymentRef, QueryOutcome, RefundOutcome, RefundRequest,
    Refusal, TooOften,
};

/// The code of a 429 that speaks of one object which another request is changing, and not of how
/// often we call.
const LOCKED: &str = "lock_timeout";

/// Codes after which the same refund is tried again, later. Locks pass, and the account
/// is topped up; `resource_missing` is of our own settings, because the transaction's id came from
/// Stripe: it is repeated until somebody repairs them, and flagged meanwhile like anything that
/// takes long.
const REFUND_LATER: &[&str] =
    &["balance_insufficient", "insufficient_funds", LOCKED, "resource_missing"];

/// Codes that finally refuse a refund. `charge_already_refunded` and an amount that exceeds the
/// rest are not among them: our own earlier sending may be why, so that only asking tells.
const REFUND_FINAL: &[&str] = &["charge_disputed", "refund_disputed_payment"];

/// An error of Stripe's.
pub(super) struct Declined {
    status: StatusCode,
    kind: String,
    refusal: Refusal,
}

impl Declined {
    fn is(&self, status: StatusCode, kind: &str) -> bool {
        self.status == status && self.kind == kind
    }

    fn is_any_of(&self, codes: &[&str]) -> bool {
        codes.contains(&self.refusal.code.as_str())
    }
}

pub(super) enum Fault {
    /// 4xx with Stripe's error object.
    Declined(Declined),
    /// The same, and it only says that we call too often.
    TooOften(TooOften),
    /// Nothing that can be used.
    Unusable(Refusal),
}

impl Fault {
    pub(super) fn into_refusal(self) -> Refusal {
        match self {
            Self::Declined(Declined { refusal, .. })
            | Self::TooOften(TooOften { refusal, .. })
            | Self::Unusable(refusal) => refusal,
        }
    }
}

impl Stripe {
    pub(super) fn created(&self, reply: &Response<Bytes>) -> CreateOutcome {
        let (status, found) = match read::<Found>(reply) {
            Ok(read) => read,
            Err(Fault::Declined(declined)) => return create_declined(declined),
            Err(fault @ (Fault::TooOften(_) | Fault::Unusable(_))) => {
                return CreateOutcome::Unknown(fault.into_refusal());
            }
        };
        match found {
            Found::Session(session) if self.is_of_mode(session.livemode) => {
                created_session(&session, status)
            }
            Found::Intent(intent) if self.is_of_mode(intent.livemode) => {
                created_intent(&intent, status)
            }
            Found::Session(_) | Found::Intent(_) | Found::Search(_) => {
                CreateOutcome::Unknown(mismatch(status))
            }
        }
    }

    pub(super) fn queried(
        &self,
        payment: &PaymentRef<'_>,
        reply: &Response<Bytes>,
    ) -> QueryOutcome {
        let (status, found) = match read::<Found>(reply) {
            Ok(read) => read,
            Err(Fault::TooOften(too_often)) => return QueryOutcome::TooOften(too_often),
            Err(fault @ (Fault::Declined(_) | Fault::Unusable(_))) => {
                return QueryOutcome::Unknown(fault.into_refusal());
            }
        };
        match (payment.gateway_ref, found) {
            (Some(id), Found::Session(session)) if self.is_asked(id, payment, &session) => {
                session_state(&session, status)
            }
            (Some(id), Found::Intent(intent))
                if intent.id == id && self.is_of(payment, &intent) =>
            {
                intent_state(&intent, status)
            }
            (None, Found::Search(page))
                if page.data.iter().all(|intent| self.is_of(payment, intent)) =>
            {
                search_state(&page, status)
            }
            (Some(_) | None, Found::Session(_) | Found::Intent(_) | Found::Search(_)) => {
                QueryOutcome::Unknown(mismatch(status))
            }
        }
    }

    fn is_asked(&self, id: &str, payment: &PaymentRef<'_>, session: &Session) -> bool {
        session.id == id
            && session.client_reference_id.as_deref() == Some(payment.payment_id)
            && self.is_of_mode(session.livemode)
    }

    fn is_of(&self, payment: &PaymentRef<'_>, intent: &Intent) -> bool {
        intent.metadata.payment_id.as_deref() == Some(payment.payment_id)
            && self.is_of_mode(intent.livemode)
    }

    pub(super) fn owner(&self, reply: &Response<Bytes>) -> Result<Option<Owner>, Refusal> {
        match read::<Found>(reply) {
            Ok((_, Found::Intent(intent))) if self.is_of_mode(intent.livemode) => {
                let echo = intent.metadata.echo().map(str::to_owned);
                let payment_id = intent.metadata.payment_id;
                Ok(payment_id.zip(echo).map(|(payment_id, echo)| Owner { payment_id, echo }))
            }
            Ok((status, Found::Session(_) | Found::Intent(_) | Found::Search(_))) => {
                Err(mismatch(status))
            }
            Err(Fault::Declined(declined))
                if declined.status == StatusCode::NOT_FOUND
                    && declined.is_any_of(&["resource_missing"]) =>
            {
                Ok(None)
            }
            Err(fault) => Err(fault.into_refusal()),
        }
    }

    /// `expired` and `canceled` are the only successes of closing.
    pub(super) fn closed(&self, reply: &Response<Bytes>) -> CloseOutcome {
        let (status, found) = match read::<Found>(reply) {
            Ok(read) => read,
            Err(Fault::Declined(declined)) => return close_declined(declined),
            Err(Fault::TooOften(too_often)) => return CloseOutcome::TooOften(too_often),
            Err(Fault::Unusable(refusal)) => return CloseOutcome::Unknown(refusal),
        };
        match found {
            Found::Session(session) if self.is_of_mode(session.livemode) => {
                match session.status.as_deref() {
                    Some("expired") => CloseOutcome::Closed,
                    other => CloseOutcome::Ask(not_closed(status, other.unwrap_or_default())),
                }
            }
            Found::Intent(intent) if self.is_of_mode(intent.livemode) => {
                match intent.status.as_str() {
                    "canceled" => CloseOutcome::Closed,
                    other => CloseOutcome::Ask(not_closed(status, other)),
                }
            }
            Found::Search(page)
                if page.data.iter().all(|intent| self.is_of_mode(intent.livemode)) =>
            {
                search_closed(&page, status)
            }
            Found::Session(_) | Found::Intent(_) | Found::Search(_) => {
                CloseOutcome::Unknown(mismatch(status))
            }
        }
    }
}

pub(super) fn refund_made(asked: &RefundRequest<'_>, reply: &Response<Bytes>) -> RefundOutcome {
    match read::<Refund>(reply) {
        Ok((status, made)) if is_numbered(asked, &made) => refund_reply(asked, &made, status),
        Ok((status, _)) => RefundOutcome::Unknown(mismatch(status)),
        Err(Fault::Declined(declined)) => refund_declined(declined),
        Err(Fault::TooOften(too_often)) => RefundOutcome::TooOften(too_often),
        Err(Fault::Unusable(refusal)) => RefundOutcome::Unknown(refusal),
    }
}

/// The refunds of a payment, newest first. Should the number be there twice, because two sendings
/// of different hours met, the one that did not fail counts.
pub(super) fn refund_queried(asked: &RefundRequest<'_>, reply: &Response<Bytes>) -> RefundOutcome {
    let (status, page) = match read::<Page<Refund>>(reply) {
        Ok(read) => read,
        Err(Fault::TooOften(too_often)) => return RefundOutcome::TooOften(too_often),
        Err(fault @ (Fault::Declined(_) | Fault::Unusable(_))) => {
            return RefundOutcome::Unknown(fault.into_refusal());
        }
    };
    let ours = page.data.iter().filter(|refund| is_numbered(asked, refund));
    let mut outcomes: Vec<_> = ours.map(|refund| refund_reply(asked, refund, status)).collect();
    outcomes.sort_by_key(|outcome| matches!(outcome, RefundOutcome::Failed(_)));
    match outcomes.into_iter().next() {
        Some(outcome) => outcome,
        None if page.has_more => RefundOutcome::Unknown(refusal(
            status,
            "more_pages",
            "the refund may be on a page that was not read",
        )),
        None => RefundOutcome::NotFound,
    }
}

/// Reads a reply, as far as it may be believed.
pub(super) fn read<T: DeserializeOwned>(reply: &Response<Bytes>) -> Result<(StatusCode, T), Fault> {
    let (status, body) = (reply.status(), reply.body());
    if status.is_success() {
        return serde_json::from_slice(body)
            .map(|value| (status, value))
            .map_err(|_| Fault::Unusable(unreadable(status)));
    }
    match serde_json::from_slice::<Problem>(body) {
        Ok(Problem { error }) => {
            let code = error.code.as_deref().unwrap_or(&error.kind);
            let refusal = refusal(status, code, error.message.as_deref().unwrap_or_default());
            if status == StatusCode::TOO_MANY_REQUESTS && code != LOCKED {
                let retry_after = retry_after(reply.headers());
                return Err(Fault::TooOften(TooOften { refusal, retry_after }));
            }
            Err(match status.is_client_error() {
                true => Fault::Declined(Declined { status, kind: error.kind, refusal }),
                false => Fault::Unusable(refusal),
            })
        }
        Err(_) => Err(Fault::Unusable(unreadable(status))),
    }
}

fn created_session(session: &Session, status: StatusCode) -> CreateOutcome {
    let code = session.url.as_deref().and_then(code_url).zip(id(&session.id));
    match (session.status.as_deref(), code) {
        (Some("open"), Some((code_url, id))) => {
            CreateOutcome::Payable { code_url, gateway_ref: Some(id) }
        }
        (Some("complete"), _) => CreateOutcome::AlreadyPaid,
        (Some("expired"), _) => CreateOutcome::Closed,
        (Some(_) | None, _) => CreateOutcome::Unknown(unreadable(status)),
    }
}

fn created_intent(intent: &Intent, status: StatusCode) -> CreateOutcome {
    let code = intent.qr_code().and_then(code_url).zip(id(&intent.id));
    match (intent.status.as_str(), code) {
        ("requires_action", Some((code_url, id))) => {
            CreateOutcome::Payable { code_url, gateway_ref: Some(id) }
        }
        ("succeeded", _) => CreateOutcome::AlreadyPaid,
        ("canceled", _) => CreateOutcome::Closed,
        (_, _) => CreateOutcome::Unknown(unreadable(status)),
    }
}

/// A request that is invalid made nothing. A payment method that was declined leaves an intent
/// that waits for another one, which nobody gives it.
fn create_declined(declined: Declined) -> CreateOutcome {
    let is_invalid = declined.is(StatusCode::BAD_REQUEST, "invalid_request_error");
    if is_invalid || declined.is(StatusCode::PAYMENT_REQUIRED, "card_error") {
        return CreateOutcome::Refused(declined.refusal);
    }
    CreateOutcome::Unknown(declined.refusal)
}

fn close_declined(declined: Declined) -> CloseOutcome {
    match declined.status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => CloseOutcome::Ask(declined.refusal),
        _ => CloseOutcome::Unknown(declined.refusal),
    }
}

fn refund_declined(declined: Declined) -> RefundOutcome {
    let is_of_our_key = matches!(declined.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if is_of_our_key || declined.is_any_of(REFUND_LATER) {
        return RefundOutcome::Later(declined.refusal);
    }
    if declined.is_any_of(REFUND_FINAL) {
        return RefundOutcome::Refused(declined.refusal);
    }
    RefundOutcome::Unknown(declined.refusal)
}

/// `requires_payment_method` is also where an intent returns to when paying failed.
fn intent_state(intent: &Intent, status: StatusCode) -> QueryOutcome {
    match intent.status.as_str() {
        "succeeded" => match intent.capture() {
            Some(capture) if intent.has_gone_back() => QueryOutcome::Returned(capture),
            Some(capture) => QueryOutcome::Paid(capture),
            None => QueryOutcome::Unknown(unreadable(status)),
        },
        "requires_payment_method"
        | "requires_confirmation"
        | "requires_action"
        | "processing"
        | "requires_capture" => QueryOutcome::Unpaid,
        "canceled" => QueryOutcome::Closed,
        other => QueryOutcome::Unknown(refusal(status, other, "an unknown status of an intent")),
    }
}

/// Money decides before the session does. A session that has ended is closed only when no money is
/// on its way; one that is complete and whose intent wants another payment method has failed.
fn session_state(session: &Session, status: StatusCode) -> QueryOutcome {
    let intent = match &session.payment_intent {
        None => None,
        Some(Expandable::Object(intent)) => Some(intent),
        Some(Expandable::Id(_)) => return QueryOutcome::Unknown(unreadable(status)),
    };
    let told = intent.map(|intent| (intent.status.as_str(), intent_state(intent, status)));
    let session_status = session.status.as_deref().unwrap_or_default();
    match (session_status, told) {
        (_, Some(("succeeded", told))) => told,
        ("open", _) => QueryOutcome::Unpaid,
        ("expired" | "complete", Some(("processing" | "requires_capture", told))) => told,
        ("expired", None | Some((_, QueryOutcome::Unpaid | QueryOutcome::Closed))) => {
            QueryOutcome::Closed
        }
        ("complete", Some(("requires_payment_method" | "canceled", _)))
            if session.payment_status.as_deref() == Some("unpaid") =>
        {
            QueryOutcome::Closed
        }
        ("complete", Some((_, QueryOutcome::Unpaid)))
            if session.payment_status.as_deref() == Some("unpaid") =>
        {
            QueryOutcome::Unpaid
        }
        (other, _) => {
            QueryOutcome::Unknown(refusal(status, other, "an unknown status of a session"))
        }
    }
}

/// The intents that a search found under our id: the one that says most counts. What it finds may
/// be some time old, but what is paid or closed stays so.
fn search_state(page: &Page<Intent>, status: StatusCode) -> QueryOutcome {
    if page.has_more {
        return QueryOutcome::Unknown(too_many(status));
    }
    let rank = |outcome: &QueryOutcome| match outcome {
        QueryOutcome::Paid(_) | QueryOutcome::Returned(_) => 0,
        QueryOutcome::TooOften(_) | QueryOutcome::Unknown(_) => 1,
        QueryOutcome::Unpaid => 2,
        QueryOutcome::Closed => 3,
        QueryOutcome::NotFound => 4,
    };
    let outcomes = page.data.iter().map(|intent| intent_state(intent, status));
    outcomes.min_by_key(rank).unwrap_or(QueryOutcome::NotFound)
}

fn search_closed(page: &Page<Intent>, status: StatusCode) -> CloseOutcome {
    if page.has_more {
        return CloseOutcome::Unknown(too_many(status));
    }
    let mut open = page.data.iter().filter(|intent| intent.status != "canceled");
    match (page.data.is_empty(), open.next()) {
        (true, _) => CloseOutcome::NotFound,
        (false, None) => CloseOutcome::Closed,
        (false, Some(intent)) if intent.metadata.code.as_deref() == Some(QR_CODE) => {
            CloseOutcome::Named(intent.id.clone())
        }
        (false, Some(intent)) => CloseOutcome::Ask(not_closed(status, &intent.status)),
    }
}

fn is_numbered(asked: &RefundRequest<'_>, told: &Refund) -> bool {
    told.metadata.refund_number.as_deref() == Some(asked.number)
}

fn refund_reply(asked: &RefundRequest<'_>, told: &Refund, status: StatusCode) -> RefundOutcome {
    let is_asked = told.payment_intent.as_deref() == Some(asked.transaction_id)
        && told.metadata.payment_id.as_deref() == Some(asked.payment_id)
        && told.amount() == Some(asked.amount);
    if !is_asked {
        return RefundOutcome::Unknown(mismatch(status));
    }
    refund_state(told, status.as_u16())
}

/// `succeeded` can still turn `failed`, when the payer's bank does not take the money; it is back
/// on our balance then. `http_status` is 0 for a notification, which is no reply.
pub(super) fn refund_state(refund: &Refund, http_status: u16) -> RefundOutcome {
    let status = refund.status.as_deref().unwrap_or_default();
    let reason = refund.failure_reason.as_deref().unwrap_or(status);
    match status {
        "succeeded" => RefundOutcome::Succeeded,
        "pending" | "requires_action" => RefundOutcome::Processing,
        "failed" | "canceled" => RefundOutcome::Failed(Refusal::new(
            http_status,
            reason,
            "not paid; a new refund is needed",
        )),
        other => {
            RefundOutcome::Unknown(Refusal::new(http_status, other, "an unknown refund status"))
        }
    }
}

fn not_closed(status: StatusCode, state: &str) -> Refusal {
    refusal(status, state, "it is not closed")
}

fn too_many(status: StatusCode) -> Refusal {
    refusal(status, "more_pages", "the search found more than one page")
}

pub(super) fn unreadable(status: StatusCode) -> Refusal {
    refusal(status, "unreadable", "the reply is not what was expected")
}

fn mismatch(status: StatusCode) -> Refusal {
    refusal(status, "mismatch", "the reply is about something else")
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Refusal {
    Refusal::new(status.as_u16(), code, message)
}

#[cfg(test)]
mod tests {
    use domain::money::{Currency, Money};
    use serde_json::{Value, json};

    use super::*;

    fn asked() -> RefundRequest<'static> {
        RefundRequest {
            payment_id: "8f14e45fceea167a5a36dedd4bea2543",
            transaction_id: "pi_1",
            number: "c9f0f895fb98ab9159f51fd0297e236d0011",
            amount: Money::new(1_280, Currency::parse("CNY").unwrap()),
            reason: "superseded",
        }
    }

    fn reply(status: u16, body: &Value) -> Response<Bytes> {
        Response::builder().status(status).body(Bytes::from(body.to_string())).unwrap()
    }

    fn refund(number: &str, status: &Value) -> Value {
        json!({
            "id": "re_1",
            "object": "refund",
            "amount": 1_280,
            "currency": "cny",
            "payment_intent": "pi_1",
            "status": status,
            "metadata": { "refund_number": number, "payment_id": asked().payment_id },
        })
    }

    #[test]
    fn a_refund_without_a_status_hides_no_other_refund_and_says_nothing_of_its_own() {
        for (status, outcome) in [
            (json!("succeeded"), RefundOutcome::Succeeded),
            (
                Value::Null,
                RefundOutcome::Unknown(refusal(StatusCode::OK, "", "an unknown refund status")),
            ),
        ] {
            let list = [refund("by hand", &Value::Null), refund(asked().number, &status)];
            let page = reply(200, &json!({ "object": "list", "data": list, "has_more": false }));
            assert_eq!(refund_queried(&asked(), &page), outcome);
        }
    }

    #[test]
    fn an_error_without_a_message_is_the_gateway_s_word_all_the_same() {
        let error = json!({ "type": "invalid_request_error", "code": "charge_disputed" });
        for message in [None, Some(Value::Null), Some(json!(""))] {
            let mut error = error.clone();
            error.as_object_mut().unwrap().extend(message.map(|one| ("message".to_owned(), one)));
            let outcome = refund_made(&asked(), &reply(400, &json!({ "error": error })));
            assert!(matches!(outcome, RefundOutcome::Refused(_)), "{error}: {outcome:?}");
        }
    }
}
