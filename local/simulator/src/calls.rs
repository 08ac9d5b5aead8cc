//! What a call at any gateway goes through, whatever protocol it speaks.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http_body_util::{Full, Limited};

use crate::faults::CallFate;
use crate::state::Shared;

/// What the fault plan does to this call, and the wait between its effect and its reply.
pub(crate) fn fate(shared: &Shared) -> (CallFate, Duration) {
    let mut state = shared.lock();
    let plan = state.faults.clone();
    (plan.call_fate(&mut state.random), plan.call_delay())
}

/// A reply that breaks off: a body over its own limit ends the connection before it is whole.
pub(crate) fn torn_reply() -> Response {
    Response::new(Body::new(Limited::new(Full::from("{}"), 1)))
}

/// Percent-decodes once; nothing where that does not give UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                hex_digit(bytes.next()?)?.checked_mul(16)?.checked_add(hex_digit(bytes.next()?)?)?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_percent_decoded_once() {
        for (encoded, decoded) in [
            ("a%7Cb%2A", Some("a|b*")),
            ("%257C", Some("%7C")),
            ("plain-_", Some("plain-_")),
            ("%", None),
            ("%7", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(percent_decoded(encoded).as_deref(), decoded, "{encoded}");
        }
    }
}
