//! The keys on both sides, and what is signed with them.
//!
//! Public, so that tests of whoever reads notifications can make genuine ones without a server.

use ring::error::Unspecified;
use ring::signature::RsaKeyPair;
use serde::{Deserialize, Serialize};

use crate::error::StartError;
use crate::rsa;

/// The only kind of signature that is still accepted: RSA with SHA-256.
pub(crate) const SIGN_TYPE: &str = "RSA2";

/// Every key that the server holds.
pub struct Keys {
    app: Vec<u8>,
    current: RsaKeyPair,
    previous: RsaKeyPair,
}

/// Which of its two keys Alipay signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlipayKey {
    /// The key that is in force.
    #[default]
    Current,
    /// The key that was in force before.
    Previous,
}

impl Keys {
    /// The throw-away keys of the laptop.
    ///
    /// # Errors
    /// [`StartError::Key`]: an embedded key cannot be read.
    pub fn embedded() -> Result<Self, StartError> {
        Ok(Self {
            app: rsa::der(
                "alipay_app_public_key.pem",
                include_str!("../../keys/alipay_app_public_key.pem"),
            )?,
            current: rsa::private_key(
                "alipay_private_key.pem",
                include_str!("../../keys/alipay_private_key.pem"),
            )?,
            previous: rsa::private_key(
                "alipay_previous_private_key.pem",
                include_str!("../../keys/alipay_previous_private_key.pem"),
            )?,
        })
    }

    /// Whether the app signed this text.
    pub(super) fn app_signed(&self, text: &str, signature: &str) -> bool {
        rsa::signed(&self.app, text.as_bytes(), signature)
    }

    /// Signs a text; base64.
    ///
    /// # Errors
    /// [`Unspecified`]: the system gives no randomness.
    pub fn sign(&self, key: AlipayKey, text: &str) -> Result<String, Unspecified> {
        let key = match key {
            AlipayKey::Current => &self.current,
            AlipayKey::Previous => &self.previous,
        };
        rsa::sign(key, text.as_bytes())
    }
}

/// The text that is signed: `name=value` in the order of the names, joined with `&`, the values
/// as they are and not encoded. Empty ones are left out.
///
/// It is what Alipay's own SDKs do; `tests/vectors/alipay.json` has the texts of an independent
/// one.
pub fn signed_text<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut values: Vec<_> = values.filter(|(_, value)| !value.is_empty()).collect();
    values.sort_unstable();
    let pairs: Vec<_> = values.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}
