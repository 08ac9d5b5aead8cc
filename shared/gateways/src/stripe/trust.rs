//! Verifying notifications.
//!
//! `Stripe-Signature` holds a time and any number of signatures of it and the raw body:
//! HMAC-SHA256, under the whole secret with its `whsec_`, in lower-case hex. Source, read
//! 2026-11-24: <https://docs.stripe.com/webhooks#verify-manually>.

use http::HeaderMap;
use jiff::Timestamp;
use ring::hmac::{self, HMAC_SHA256};

use super::settings::is_webhook_secret;
use crate::Distrust;
use crate::header::{single, unix_seconds};
use crate::settings::SettingsError;
use crate::text::from_lower_hex;

/// A signature older than this is refused, as Stripe's own libraries do; one that is as far ahead
/// is refused too. In seconds.
const TOLERANCE_S: u64 = 300;
/// The most signatures that are looked at. Stripe sends one for each secret that is valid, which
/// are two while one is rolled.
const SIGNATURES_MAX: usize = 8;

/// The signing secrets of one webhook endpoint.
pub(super) struct WebhookSecrets(Vec<hmac::Key>);

impl WebhookSecrets {
    pub(super) fn new(secrets: &[String]) -> Result<Self, SettingsError> {
        if secrets.is_empty() {
            return Err(SettingsError::new("webhook_secrets", "is empty"));
        }
        let wrong = secrets.iter().position(|secret| !is_webhook_secret(secret));
        if let Some(at) = wrong {
            let field = format!("webhook_secrets[{at}]");
            return Err(SettingsError::new(field, "is not a signing secret, `whsec_…`"));
        }
        let key = |secret: &String| hmac::Key::new(HMAC_SHA256, secret.as_bytes());
        Ok(Self(secrets.iter().map(key).collect()))
    }

    /// Checks a notification, in this order: the header is there and well-formed, a signature fits
    /// the bytes, its time is near. A time is only called stale once a signature vouches for it.
    ///
    /// # Errors
    /// [`Distrust`]: the first check that failed.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Distrust> {
        let signed = Signed::read(single(headers, "stripe-signature")?)?;
        let message = [signed.timestamp.as_bytes(), b".", body].concat();
        // `hmac::verify` compares in constant time.
        let fits =
            |key| signed.signatures.iter().any(|one| hmac::verify(key, &message, one).is_ok());
        if !self.0.iter().any(fits) {
            return Err(Distrust::BadSignature);
        }
        if now.as_second().abs_diff(signed.at_s) > TOLERANCE_S {
            return Err(Distrust::StaleTimestamp);
        }
        Ok(())
    }
}

/// The parts of the header that count: `t`, and each `v1`. Other schemes are none of ours (`v0`
/// comes with events of the test mode).
struct Signed<'a> {
    timestamp: &'a str,
    at_s: i64,
    signatures: Vec<Vec<u8>>,
}

impl<'a> Signed<'a> {
    fn read(header: &'a str) -> Result<Self, Distrust> {
        let parts = || header.split(',').filter_map(|part| part.split_once('='));
        let named = |name: &'static str| {
            parts().filter(move |(found, _)| *found == name).map(|(_, value)| value)
        };
        let mut times = named("t");
        let (Some(timestamp), None) = (times.next(), times.next()) else {
            return Err(Distrust::MissingHeader);
        };
        if named("v1").next().is_none() {
            return Err(Distrust::MissingHeader);
        }
        Ok(Self {
            timestamp,
            at_s: unix_seconds(timestamp)?,
            signatures: named("v1").take(SIGNATURES_MAX).filter_map(from_lower_hex).collect(),
        })
    }
}
