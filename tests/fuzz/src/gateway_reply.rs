//! Gateways' replies, read by every reader of the adapter.
//!
//! An input is a message; the mark `status` is its HTTP status, and with the mark `signed` the
//! gateway signs its body.
//!
//! - A reply that the gateway has not signed changes nothing: it leads to asking, to the same
//!   attempt again, or nowhere.
//! - A status that is neither 2xx nor 4xx tells nothing, signed or not.
//! - What a signed reply is read as, it says, about what was asked.
//! - A refusal's code and message have at most [`CODE_LEN_MAX`] and [`MESSAGE_LEN_MAX`] bytes.

use bytes::Bytes;
use gateways::{CloseOutcome, CreateOutcome, Gateway, QueryOutcome, RefundOutcome, Refusal};
use http::{Response, StatusCode};
use jiff::Timestamp;

use crate::message::Message;
use crate::peer::{self, PAYMENT, Told, refund};

/// The longest code that is kept for logs, in bytes.
pub const CODE_LEN_MAX: usize = 64;
/// The longest message that is kept for logs, in bytes.
pub const MESSAGE_LEN_MAX: usize = 256;

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let message = Message::read(bytes);
    let peer = peer::named(&message);
    let status = message.mark("status").and_then(|text| text.parse().ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
    let mut reply = Response::new(Bytes::copy_from_slice(message.body));
    *reply.status_mut() = status;
    let is_signed = if message.mark("signed").is_some() {
        *reply.headers_mut() = peer.sign(message.now().as_second(), message.body);
        true
    } else {
        *reply.headers_mut() = message.headers.clone();
        peer.has_signed(&message.headers, message.body, message.now())
    };
    let told = read(peer.gateway(), &reply, message.now());
    check_refusals(&told);
    // A body that only a laxer reader takes has no second opinion to compare with.
    match serde_json::from_slice(message.body) {
        _ if !is_signed => check_unsigned(&told),
        Ok(body) => peer.check_reply(status.as_u16(), &body, &told),
        Err(_) => {}
    }
    if !status.is_success() && !status.is_client_error() {
        check_nothing_told(&told);
    }
}

fn read(gateway: &dyn Gateway, reply: &Response<Bytes>, now: Timestamp) -> Told {
    Told {
        created: gateway.read_create(reply, now),
        queried: gateway.read_query(&PAYMENT, reply, now),
        owner: gateway.read_owner(reply, now),
        closed: gateway.read_close(reply, now),
        refunded: gateway.read_refund(&refund(), reply, now),
        refund_found: gateway.read_query_refund(&refund(), reply, now),
    }
}

fn check_unsigned(told: &Told) {
    assert!(matches!(told.created, CreateOutcome::Unknown(_) | CreateOutcome::AlreadyPaid));
    assert!(matches!(told.queried, QueryOutcome::Unknown(_)));
    assert!(told.owner.is_err());
    assert!(matches!(told.closed, CloseOutcome::Unknown(_) | CloseOutcome::Ask(_)));
    assert!(matches!(told.refunded, RefundOutcome::Unknown(_) | RefundOutcome::Later(_)));
    assert!(matches!(told.refund_found, RefundOutcome::Unknown(_) | RefundOutcome::NotFound));
}

fn check_nothing_told(told: &Told) {
    assert!(matches!(told.created, CreateOutcome::Unknown(_)));
    assert!(matches!(told.queried, QueryOutcome::Unknown(_)));
    assert!(told.owner.is_err());
    assert!(matches!(told.closed, CloseOutcome::Unknown(_)));
    assert!(matches!(told.refunded, RefundOutcome::Unknown(_)));
    assert!(matches!(told.refund_found, RefundOutcome::Unknown(_)));
}

fn check_refusals(told: &Told) {
    let created = match &told.created {
        CreateOutcome::Refused(refusal) | CreateOutcome::Unknown(refusal) => Some(refusal),
        CreateOutcome::Payable { .. } | CreateOutcome::AlreadyPaid | CreateOutcome::Closed => None,
    };
    let queried = match &told.queried {
        QueryOutcome::Unknown(refusal) => Some(refusal),
        QueryOutcome::Paid(_)
        | QueryOutcome::Unpaid
        | QueryOutcome::Closed
        | QueryOutcome::NotFound => None,
    };
    let closed = match &told.closed {
        CloseOutcome::Ask(refusal) | CloseOutcome::Unknown(refusal) => Some(refusal),
        CloseOutcome::Closed | CloseOutcome::NotFound | CloseOutcome::Named(_) => None,
    };
    let refunds = [&told.refunded, &told.refund_found].map(of_refund);
    let asked = [created, queried, told.owner.as_ref().err(), closed];
    for Refusal { code, message, .. } in asked.into_iter().chain(refunds).flatten() {
        assert!(code.len() <= CODE_LEN_MAX && message.len() <= MESSAGE_LEN_MAX);
    }
}

fn of_refund(outcome: &RefundOutcome) -> Option<&Refusal> {
    match outcome {
        RefundOutcome::Failed(refusal)
        | RefundOutcome::Refused(refusal)
        | RefundOutcome::Later(refusal)
        | RefundOutcome::Stuck(refusal)
        | RefundOutcome::Unknown(refusal) => Some(refusal),
        RefundOutcome::Succeeded | RefundOutcome::Processing | RefundOutcome::NotFound => None,
    }
}
