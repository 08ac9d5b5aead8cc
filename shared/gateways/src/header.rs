//! Headers that vouch for a message.

use http::HeaderMap;

use crate::Distrust;

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

/// A time in seconds of Unix time, in digits.
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
