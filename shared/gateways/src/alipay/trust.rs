//! Signing and verifying: one text of sorted parameters in both directions, and the raw text of
//! a reply's inner object.
//!
//! RSASSA-PKCS1-v1_5 with SHA-256 (`RSA2`); the SHA-1 of `RSA` is refused. Source: open platform,
//! "签名" and "验签", <https://opendocs.alipay.com/common/02mse7>, read 2026-11-23.

use std::collections::BTreeMap;

use crate::rsa::VerifyingKey;
use crate::settings::SettingsError;
use crate::{Distrust, pem};

/// The only kind of signature that is made and believed.
pub(super) const SIGN_TYPE: &str = "RSA2";

/// Alipay's keys for the app. A signature does not name its key, so that all are tried.
pub(super) struct VerifyKeys(Vec<VerifyingKey>);

impl VerifyKeys {
    /// Reads the keys. `own` is the app's public key: taking it for Alipay's is the mistake that
    /// makes every verification fail.
    pub(super) fn new(pems: &[String], own: &[u8]) -> Result<Self, SettingsError> {
        if pems.is_empty() {
            return Err(SettingsError::new("verify_keys", "is empty"));
        }
        let mut keys: Vec<Vec<u8>> = Vec::with_capacity(pems.len());
        for (at, text) in pems.iter().enumerate() {
            let field = format!("verify_keys[{at}]");
            let key = public_key(text, &field)?;
            if key == own {
                return Err(SettingsError::new(field, "is the app's own key"));
            }
            if keys.contains(&key) {
                return Err(SettingsError::new(field, "is given twice"));
            }
            keys.push(key);
        }
        Ok(Self(keys.into_iter().map(VerifyingKey::new).collect()))
    }

    /// Whether one of the keys has signed `message`.
    pub(super) fn have_signed(&self, message: &[u8], signature: &str) -> bool {
        self.0.iter().any(|key| key.has_signed(message, signature))
    }

    /// Checks a notification and answers its fields.
    ///
    /// # Errors
    /// [`Distrust`]: the first check that failed.
    pub(super) fn check_notification(&self, body: &[u8]) -> Result<NotificationFields, Distrust> {
        let mut fields = decoded(body)?;
        let signature = fields.remove("sign").ok_or(Distrust::MissingHeader)?;
        // What says how it was signed is not part of what was signed.
        let sign_type = fields.remove("sign_type").ok_or(Distrust::MissingHeader)?;
        if sign_type != SIGN_TYPE {
            return Err(Distrust::BadSignature);
        }
        let pairs = || fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let has_signed = |message: String| self.have_signed(message.as_bytes(), &signature);
        // Of Alipay's own SDKs some sign fields without a value and some leave them out. They are
        // never read, so that either may be believed.
        if has_signed(joined(pairs())) || has_signed(signed_text(pairs())) {
            return Ok(NotificationFields(fields));
        }
        Err(Distrust::BadSignature)
    }
}

/// The fields of a verified notification.
pub(super) struct NotificationFields(BTreeMap<String, String>);

impl NotificationFields {
    /// The value of a field, where it has one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The text that a request's signature covers: its sorted parameters as they are before they are
/// escaped, without those that are empty.
pub(super) fn signed_text<'a>(sorted: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    joined(sorted.filter(|(_, value)| !value.is_empty()))
}

fn joined<'a>(sorted: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    sorted.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The fields of a form, decoded once. Of two with one name, either could be the forged one, so
/// that no signature can vouch for them.
fn decoded(body: &[u8]) -> Result<BTreeMap<String, String>, Distrust> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Distrust::BadSignature);
        }
    }
    Ok(fields)
}

fn public_key(text: &str, field: &str) -> Result<Vec<u8>, SettingsError> {
    let block = pem::one_block(text, field)?;
    if block.label != "PUBLIC KEY" {
        return Err(SettingsError::new(field, "is not a PEM `PUBLIC KEY`"));
    }
    pem::public_key(&block.contents, field)
}
