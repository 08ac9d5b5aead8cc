//! What the open platform's console gives a merchant, and how it is read.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::settings::{Fields, SettingsError, each, text};

const BASE_URL: &str = "https://openapi.alipay.com";

/// One merchant's settings. Its `Debug` shows no secret.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct AlipaySettings {
    /// The app that the payments belong to.
    pub app_id: String,
    /// The account that the money goes to, `2088…`; notifications for another are refused.
    pub seller_id: String,
    /// The app's private key: PKCS#8 or PKCS#1, PEM. Secret.
    pub app_private_key_pem: String,
    /// Alipay's public keys for this app, PEM. All are tried, because a change of key has no
    /// overlap: the current one first, the previous one after it. Not the app's own public key.
    pub verify_keys: Vec<String>,
    /// Where the API lives, without `/gateway.do`; the production host unless given.
    pub base_url: String,
    /// Where the gateway sends its notifications: `https`, public, without a query string.
    pub notify_url: String,
}

impl fmt::Debug for AlipaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlipaySettings")
            .field("app_id", &self.app_id)
            .field("seller_id", &self.seller_id)
            .field("app_private_key_pem", &"***")
            .field("verify_keys", &self.verify_keys.len())
            .field("base_url", &self.base_url)
            .field("notify_url", &self.notify_url)
            .finish()
    }
}

impl TryFrom<Value> for AlipaySettings {
    type Error = SettingsError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let mut fields = Fields::of(value, "")?;
        let settings = Self {
            app_id: fields.text("app_id")?,
            seller_id: fields.text("seller_id")?,
            app_private_key_pem: fields.text("app_private_key_pem")?,
            verify_keys: each(fields.list("verify_keys")?, "verify_keys", text)?,
            base_url: fields.optional_text("base_url")?.unwrap_or_else(|| BASE_URL.to_owned()),
            notify_url: fields.text("notify_url")?,
        };
        fields.finish()?;
        Ok(settings)
    }
}
