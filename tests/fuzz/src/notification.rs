//! Notifications: headers and body, from anybody on the internet.
//!
//! An input is a message. With the mark `sealed` its body is what the gateway seals in a
//! notification of that kind, and with the mark `signed` what it signs; otherwise the message comes
//! as it is.
//!
//! - A notification is believed only if the gateway signed exactly these bytes, and, where it signs
//!   anew for each delivery, just now.
//! - What it tells is what the gateway said: no amount, id or state comes from anywhere else.
//! - It is acknowledged as done only for [`Acknowledgement::Done`].

use gateways::{Acknowledgement, Distrust, Event};
use runtime::news::news_of;

use crate::message::Message;
use crate::peer::{self, Peer};

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
    let Message { headers, body, .. } = message;
    let verdict = peer.gateway().verify(headers, body, message.now());
    assert_eq!(verdict, peer.gateway().verify(headers, body, message.now()));
    match verdict {
        Ok(events) => {
            assert!(peer.has_signed(headers, body, message.now()), "believed: {message:?}");
            events.iter().for_each(follow);
        }
        Err(distrust) => check_answer(peer, Acknowledgement::Refused(distrust)),
    }
    check_answer(peer, Acknowledgement::Retry);
    check_answer(peer, Acknowledgement::Done);
}

/// The gateway signs a body that is not of its making: it may be unreadable, never a forgery.
fn signed(peer: &dyn Peer, message: &Message<'_>) {
    let headers = peer.sign(message.now().as_second(), message.body);
    match peer.gateway().verify(&headers, message.body, message.now()) {
        Ok(events) => events.iter().for_each(follow),
        Err(distrust) => check_is_about_contents(distrust),
    }
}

fn sealed(peer: &dyn Peer, message: &Message<'_>, kind: &str) {
    let body = peer.seal(kind, message.body);
    let headers = peer.sign(message.now().as_second(), &body);
    match peer.gateway().verify(&headers, &body, message.now()) {
        Ok(events) => {
            for event in &events {
                follow(event);
                // Contents that only a laxer reader takes have no second opinion to compare with.
                if let Ok(contents) = serde_json::from_slice(message.body) {
                    peer.check_event(kind, &contents, event);
                }
            }
        }
        Err(distrust) => check_is_about_contents(distrust),
    }
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
