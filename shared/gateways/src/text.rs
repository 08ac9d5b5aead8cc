//! Texts as wires want them.

use std::fmt::Write;

use serde::Serialize;

use crate::{CODE_URL_LEN_MAX, ID_LEN_MAX};

/// `text` as one segment of a path or one value of a query: everything but RFC 3986's unreserved
/// characters is escaped, so that nothing on the way rewrites what was signed.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// At most the first `len_max` bytes of `text`, ended where a character ends.
pub(crate) fn cut(text: &str, len_max: usize) -> &str {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or_default()
}

/// A gateway's own id of something; `None` if it is empty, or longer than any that it gives.
pub(crate) fn id(text: &str) -> Option<String> {
    (1..=ID_LEN_MAX).contains(&text.len()).then(|| text.to_owned())
}

/// A gateway's own id in a bill, which may have none; `None` if it is longer than any that it
/// gives.
pub(crate) fn id_in_bill(text: &str) -> Option<String> {
    (text.len() <= ID_LEN_MAX).then(|| text.to_owned())
}

/// What a QR code is to encode; `None` if it is empty, or longer than can be kept and drawn.
pub(crate) fn code_url(text: &str) -> Option<String> {
    (1..=CODE_URL_LEN_MAX).contains(&text.len()).then(|| text.to_owned())
}

/// `bytes` as upper-case hex digits.
pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// A request's contents. Structs of texts and numbers always serialise; empty contents would be
/// refused as malformed.
pub(crate) fn json(contents: &impl Serialize) -> String {
    serde_json::to_string(contents).unwrap_or_default()
}

/// The bytes that lower-case hex digits stand for; `None` if `text` is anything else.
pub(crate) fn from_lower_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)?.wrapping_shl(4) | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}
