//! Texts as wires want them.

use std::fmt::Write;

use serde::Serialize;

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
