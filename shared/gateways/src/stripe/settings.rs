//! What Stripe's dashboard gives a merchant, and the checks that refuse it at start-up.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::settings::{Fields, SettingsError, each, text};

const BASE_URL: &str = "https://api.stripe.com";
/// Secret keys and restricted keys, with whether they move real money.
const KEY_PREFIXES: &[(&str, bool)] =
    &[("sk_live_", true), ("rk_live_", true), ("sk_test_", false), ("rk_test_", false)];
const WEBHOOK_SECRET_PREFIX: &str = "whsec_";

/// One account's settings. Its `Debug` shows no secret.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct StripeSettings {
    /// A secret key, or a restricted one. Its mode decides which objects are believed. Secret.
    pub secret_key: String,
    /// Signing secrets of the webhook endpoint; all are tried, because a rolled one stays valid
    /// beside the new one for a while. Secret.
    pub webhook_secrets: Vec<String>,
    /// What the payer is shown.
    pub code: StripeCode,
    /// Where Checkout sends the payer who has paid. It may hold `{CHECKOUT_SESSION_ID}`.
    pub success_url: Option<String>,
    /// Where Checkout sends the payer who turns back.
    pub cancel_url: Option<String>,
    /// Where the API lives; the production host unless given. It may have a path.
    pub base_url: String,
}

/// What the payer's QR code holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StripeCode {
    /// The address of a page of Checkout, with every way to pay that the dashboard allows.
    CheckoutSession,
    /// A code of WeChat Pay, which its app scans.
    WechatPayQr,
}

impl fmt::Debug for StripeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeSettings")
            .field("secret_key", &"***")
            .field("webhook_secrets", &vec!["***"; self.webhook_secrets.len()])
            .field("code", &self.code)
            .field("success_url", &self.success_url)
            .field("cancel_url", &self.cancel_url)
            .field("base_url", &self.base_url)
            .finish()
    }
}

impl TryFrom<Value> for StripeSettings {
    type Error = SettingsError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let mut fields = Fields::of(value, "")?;
        let settings = Self {
            secret_key: fields.text("secret_key")?,
            webhook_secrets: each(fields.list("webhook_secrets")?, "webhook_secrets", text)?,
            code: code(fields.optional_text("code")?.as_deref())?,
            success_url: fields.optional_text("success_url")?,
            cancel_url: fields.optional_text("cancel_url")?,
            base_url: fields.optional_text("base_url")?.unwrap_or_else(|| BASE_URL.to_owned()),
        };
        fields.finish()?;
        Ok(settings)
    }
}

fn code(text: Option<&str>) -> Result<StripeCode, SettingsError> {
    match text {
        None | Some("checkout_session") => Ok(StripeCode::CheckoutSession),
        Some("wechat_pay_qr") => Ok(StripeCode::WechatPayQr),
        Some(_) => {
            Err(SettingsError::new("code", "is neither `checkout_session` nor `wechat_pay_qr`"))
        }
    }
}

/// Whether a key moves real money: its mode, which every object of Stripe's carries too.
///
/// # Errors
/// [`SettingsError`]: it is no secret key. A publishable one (`pk_`) could create nothing.
pub(super) fn livemode(key: &str) -> Result<bool, SettingsError> {
    let refuse =
        || SettingsError::new("secret_key", "is not `sk_` or `rk_` with `live_` or `test_`");
    let fits = |prefix| key.strip_prefix(prefix).is_some_and(is_token);
    let row = KEY_PREFIXES.iter().find(|(prefix, _)| fits(*prefix)).ok_or_else(refuse)?;
    Ok(row.1)
}

/// Whether it is a signing secret.
pub(super) fn is_webhook_secret(secret: &str) -> bool {
    secret.strip_prefix(WEBHOOK_SECRET_PREFIX).is_some_and(is_token)
}

fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic();
    !text.is_empty() && text.bytes().all(is_plain)
}
