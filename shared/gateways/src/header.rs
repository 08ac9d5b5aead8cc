//! Headers that vouch for a message, and what a refusal says in one.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::{Distrust, RETRY_AFTER_MAX};

/// The value of a header that must be there once: of two, either could be the forged one.
///
/// # Errors
/// [`Distrust::MissingHeader`]: it is absent, there twice, or no visible ASCII.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Distrust> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Distrust::MissingHeader),
        (None | Some(_), None | Some(_)) => Err(Distrust::MissingHeader),
    }
}

/// A time in seconds of Unix time, or a number of seconds, in digits.
///
/// # Errors
/// [`Distrust::MissingHeader`]: it is anything else.
pub(crate) fn unix_seconds(text: &str) -> Result<i64, Distrust> {
    // `parse` alone would take a sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Distrust::MissingHeader);
    }
    text.parse().map_err(|_| Distrust::MissingHeader)
}

/// How long a caller should wait, where a reply says it in seconds; at most [`RETRY_AFTER_MAX`].
/// The header may also name a date, which none of our gateways does. Source: RFC 9110, section
/// 10.2.3.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = unix_seconds(single(headers, RETRY_AFTER.as_str()).ok()?).ok()?;
    let wait = Duration::from_secs(u64::try_from(seconds).ok()?);
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_seconds_and_bounded() {
        let max_s = RETRY_AFTER_MAX.as_secs();
        for (text, wait_s) in [
            ("0", Some(0)),
            ("1", Some(1)),
            ("60", Some(max_s)),
            ("61", Some(max_s)),
            ("9223372036854775807", Some(max_s)),
            ("9223372036854775808", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("Wed, 25 Nov 2026 08:00:00 GMT", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers), wait_s.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
