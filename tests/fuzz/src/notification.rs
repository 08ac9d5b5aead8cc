//! Notifications: headers and body, from anybody on the internet.
//!
//! An input is a message. With the mark `sealed` its body is the part of a notification of that
//! kind that the payer's side can influence, around which the gateway puts the rest, and with the
//! mark `signed` what the gateway signs; otherwise the message comes as it is.
//!
//! - A notification is believed only if the gateway signed exactly these bytes, or at Alipay
//!   exactly these fields, and, where it signs anew for each delivery, just now.
//! - What it tells is what the gateway said: no amount, id or state comes from anywhere else.
//! - It is acknowledged as done only for [`Acknowledgement::Done`].

use gateways::{Acknowledgement, Distrust, Event};
use runtime::news::news_of;

use crate::message::Message;
use crate::peer::{self, Peer, Sent};

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let message = Message::read(bytes);
    let peer = peer::named(&message);
    match (message.mark("sealed"), message.mark("signed")) {
        (Some(kind), _) => sealed(peer, &message, kind),
        (None, Some(_)) => signed(peer, &message),
        (None, None) => as_it_is(peer, &message),
    }
}

fn as_it_is(peer: &dyn Peer, message: &Message<'_>) {
    let sent = Sent { headers: message.headers.clone(), body: message.body.to_vec() };
    let verify = || peer.gateway().verify(&sent.headers, &sent.body, message.now());
    let verdict = verify();
    assert_eq!(verdict, verify());
    match verdict {
        Ok(events) => {
            assert!(peer.has_signed(&sent, message.now()), "believed: {message:?}");
            events.iter().for_each(follow);
        }
        Err(distrust) => check_answer(peer, Acknowledgement::Refused(distrust)),
    }
    check_answer(peer, Acknowledgement::Retry);
    check_answer(peer, Acknowledgement::Done);
}

fn signed(peer: &dyn Peer, message: &Message<'_>) {
    events(peer, message, message.body).iter().for_each(follow);
}

fn sealed(peer: &dyn Peer, message: &Message<'_>, kind: &str) {
    for event in events(peer, message, &peer.seal(kind, message.body)) {
        follow(&event);
        peer.check_event(kind, message.body, &event);
    }
}

/// What is told by a body that the gateway signs, though it is not of its making: it may be
/// unreadable, never a forgery.
fn events(peer: &dyn Peer, message: &Message<'_>, body: &[u8]) -> Vec<Event> {
    let Some(Sent { headers, body }) = peer.sign(message.now().as_second(), body) else {
        return vec![];
    };
    let verdict = peer.gateway().verify(&headers, &body, message.now());
    verdict.unwrap_or_else(|distrust| {
        check_is_about_contents(distrust);
        vec![]
    })
}

fn check_is_about_contents(distrust: Distrust) {
    match distrust {
        Distrust::Unreadable | Distrust::WrongMerchant => {}
        Distrust::BadSignature
        | Distrust::StaleTimestamp
        | Distrust::UnknownKey
        | Distrust::MissingHeader => panic!("a signed notification is refused: {distrust:?}"),
    }
}

fn check_answer(peer: &dyn Peer, acknowledgement: Acknowledgement) {
    let is_success = peer.gateway().acknowledge(acknowledgement).status().is_success();
    assert_eq!(is_success, acknowledgement == Acknowledgement::Done, "{acknowledgement:?}");
}

/// What an event carries is read further.
fn follow(event: &Event) {
    match event {
        Event::Paid { payment_id, echo, .. } | Event::PaidUndated { payment_id, echo, .. } => {
            crate::identifier::check(payment_id.as_bytes());
            crate::identifier::check(echo.as_deref().unwrap_or_default().as_bytes());
        }
        Event::Refund { number, outcome, .. } => {
            crate::identifier::check(number.as_bytes());
            let _ = news_of(outcome);
        }
        Event::Dispute { number, .. } => crate::identifier::check(number.as_bytes()),
    }
}
