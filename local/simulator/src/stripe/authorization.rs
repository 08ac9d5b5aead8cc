//! Who calls, and in which version: the `Authorization` and `Stripe-Version` headers.
//!
//! <https://docs.stripe.com/api/authentication> and <https://docs.stripe.com/api/versioning>
//! (read 2026-11-24).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::Refusal;
use super::{API_VERSION, API_VERSIONS, SECRET_KEY};

/// Refuses a call without the account's key; either scheme carries it.
pub(super) fn verify(header: Option<&str>) -> Result<(), Refusal> {
    let key = header.and_then(key).filter(|key| !key.is_empty());
    match key {
        Some(key) if key == SECRET_KEY => Ok(()),
        Some(key) => {
            Err(Refusal::unauthorized(format!("Invalid API Key provided: {}", masked(&key))))
        }
        None => Err(Refusal::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization \
             header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )),
    }
}

/// The version that answers the call.
pub(super) fn version(header: Option<&str>) -> Result<&'static str, Refusal> {
    let Some(asked) = header else {
        return Ok(API_VERSION);
    };
    let known = API_VERSIONS.into_iter().find(|version| *version == asked);
    known.ok_or_else(|| Refusal::invalid(format!("Invalid Stripe API version: {asked}")))
}

/// The key is the bearer token, or the user of Basic without a password.
fn key(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    Some(pair.strip_suffix(':')?.to_owned())
}

/// Shows a key's first letters only.
fn masked(key: &str) -> String {
    let shown: String = key.chars().take("sk_test_".len()).collect();
    format!("{shown}{}", "*".repeat(key.chars().count().saturating_sub(shown.chars().count())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_comes_as_a_bearer_token_or_as_the_user_of_basic() {
        let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
        for (header, accepted) in [
            (Some(format!("Bearer {SECRET_KEY}")), true),
            (Some(format!("bearer {SECRET_KEY}")), true),
            (basic(&format!("{SECRET_KEY}:")), true),
            (basic(SECRET_KEY), false),
            (basic(&format!("{SECRET_KEY}:password")), false),
            (Some(format!("Bearer {SECRET_KEY}x")), false),
            (Some(SECRET_KEY.to_owned()), false),
            (Some("Bearer ".to_owned()), false),
            (None, false),
        ] {
            assert_eq!(verify(header.as_deref()).is_ok(), accepted, "{header:?}");
        }
    }

    #[test]
    fn a_wrong_key_is_shown_masked() {
        let refusal = verify(Some("Bearer sk_test_secret")).unwrap_err();
        assert_eq!(refusal.message(), "Invalid API Key provided: sk_test_******");
    }

    #[test]
    fn only_known_versions_are_answered_and_none_is_the_accounts() {
        assert_eq!(version(None), Ok(API_VERSION));
        assert_eq!(version(Some(API_VERSION)), Ok(API_VERSION));
        assert_eq!(version(Some("2026-10-28.endive")), Ok("2026-10-28.endive"));
        assert!(version(Some("2025-04-30")).is_err());
    }
}
