//! Gateways' replies, read by every reader of the adapter.
//!
//! An input is a message; the mark `status` is its HTTP status, and the mark `ref` what the payment
//! is called by the gateway itself. With the mark `signed` the gateway signs the body, at Alipay as
//! the contents of the name that the mark gives.
//!
//! - Where replies are signed, one that is not changes nothing: it leads to asking, to the same
//!   attempt again, or nowhere.
//! - A status that is neither 2xx nor 4xx tells nothing, signed or not.
//! - What a reply is read as, it says, about what was asked, and may be believed for: the tables of
//!   the adapters' `reply.rs`.
//! - A refusal's code and message have at most [`CODE_LEN_MAX`] and [`MESSAGE_LEN_MAX`] bytes.

use bytes::Bytes;
use gateways::{
    CloseOutcome, CreateOutcome, Gateway, QueryOutcome, RefundOutcome, Refusal, TooOften,
};
use http::{Response, StatusCode};
use jiff::Timestamp;

use crate::message::Message;
use crate::peer::{self, Asked, Peer, Reply, Sent, Told};

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
    let (sent, is_signed) = sent(peer, &message);
    let mut reply = Response::new(Bytes::from(sent.body));
    *reply.status_mut() = status;
    *reply.headers_mut() = sent.headers;
    let asked = Asked::in_message(&message);
    let told = read(peer.gateway(), &asked, &reply, message.now());
    check_refusals(&told);
    let reply = Reply { status: status.as_u16(), body: reply.body(), is_signed };
    peer.check_reply(&asked, &reply, &told);
    if !reply.is_success() && !reply.is_refusal() {
        check_nothing_told(&told);
    }
}

/// The reply, and whether the gateway has signed it.
fn sent(peer: &dyn Peer, message: &Message<'_>) -> (Sent, bool) {
    let now = message.now();
    let name = message.mark("signed");
    let signed = name.and_then(|name| peer.sign_reply(now.as_second(), name, message.body));
    signed.map(|sent| (sent, true)).unwrap_or_else(|| {
        let sent = Sent { headers: message.headers.clone(), body: message.body.to_vec() };
        let is_signed = peer.has_signed_reply(&sent, now);
        (sent, is_signed)
    })
}

fn read(gateway: &dyn Gateway, asked: &Asked<'_>, reply: &Response<Bytes>, now: Timestamp) -> Told {
    Told {
        created: gateway.read_create(reply, now),
        queried: gateway.read_query(&asked.payment, reply, now),
        owner: gateway.read_owner(reply, now),
        closed: gateway.read_close(reply, now),
        refunded: gateway.read_refund(&asked.refund, reply, now),
        refund_found: gateway.read_query_refund(&asked.refund, reply, now),
    }
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
        QueryOutcome::TooOften(TooOften { refusal, .. }) | QueryOutcome::Unknown(refusal) => {
            Some(refusal)
        }
        QueryOutcome::Paid(_)
        | QueryOutcome::Returned(_)
        | QueryOutcome::Unpaid
        | QueryOutcome::Closed
        | QueryOutcome::NotFound => None,
    };
    let closed = match &told.closed {
        CloseOutcome::Ask(refusal)
        | CloseOutcome::TooOften(TooOften { refusal, .. })
        | CloseOutcome::Unknown(refusal) => Some(refusal),
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
        | RefundOutcome::TooOften(TooOften { refusal, .. })
        | RefundOutcome::Stuck(refusal)
        | RefundOutcome::Unknown(refusal) => Some(refusal),
        RefundOutcome::Succeeded | RefundOutcome::Processing | RefundOutcome::NotFound => None,
    }
}
