//! What the merchant platform gives a merchant, and the checks that refuse it at start-up.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::settings::{Fields, SettingsError, each, text};

const BASE_URL: &str = "https://api.mch.weixin.qq.com";
/// A certificate's serial number has at most 20 octets (RFC 5280, section 4.1.2.2).
const SERIAL_LEN_MAX: usize = 40;

/// One merchant's settings. Its `Debug` shows no secret.
///
/// Numbers and keys are those that the merchant platform shows.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct WechatPaySettings {
    /// The merchant's number.
    pub mchid: String,
    /// The app that the payments belong to; it must be bound to `mchid`.
    pub appid: String,
    /// The serial number of the merchant's own API certificate, in hex. Not the platform's.
    pub merchant_serial: String,
    /// The private key of that certificate: PKCS#8 or PKCS#1, PEM. Secret.
    pub merchant_private_key_pem: String,
    /// `APIv3` keys of 32 bytes; all are tried, because a change of key has no overlap. Secret.
    pub apiv3_keys: Vec<String>,
    /// The gateway's own keys. The first public key among them is asked for in every request.
    pub verify_keys: Vec<VerifyKeySettings>,
    /// Where the API lives; the production host unless given. It may have a path.
    pub base_url: String,
    /// Where the gateway sends its notifications: `https`, public, without a query string.
    pub notify_url: String,
}

/// A key that the gateway signs with.
#[derive(Clone, Debug)]
pub struct VerifyKeySettings {
    /// What `Wechatpay-Serial` names it by: `PUB_KEY_ID_…`, or a certificate's serial in hex.
    pub serial: String,
    /// A `PUBLIC KEY` for the first kind, a `CERTIFICATE` for the second.
    pub pem: String,
}

impl fmt::Debug for WechatPaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serials: Vec<_> = self.verify_keys.iter().map(|key| &key.serial).collect();
        f.debug_struct("WechatPaySettings")
            .field("mchid", &self.mchid)
            .field("appid", &self.appid)
            .field("merchant_serial", &self.merchant_serial)
            .field("merchant_private_key_pem", &"***")
            .field("apiv3_keys", &vec!["***"; self.apiv3_keys.len()])
            .field("verify_keys", &serials)
            .field("base_url", &self.base_url)
            .field("notify_url", &self.notify_url)
            .finish()
    }
}

impl TryFrom<Value> for WechatPaySettings {
    type Error = SettingsError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let mut fields = Fields::of(value, "")?;
        let settings = Self {
            mchid: fields.text("mchid")?,
            appid: fields.text("appid")?,
            merchant_serial: fields.text("merchant_serial")?,
            merchant_private_key_pem: fields.text("merchant_private_key_pem")?,
            apiv3_keys: each(fields.list("apiv3_keys")?, "apiv3_keys", text)?,
            verify_keys: each(fields.list("verify_keys")?, "verify_keys", verify_key)?,
            base_url: fields.optional_text("base_url")?.unwrap_or_else(|| BASE_URL.to_owned()),
            notify_url: fields.text("notify_url")?,
        };
        fields.finish()?;
        Ok(settings)
    }
}

fn verify_key(value: Value, name: &str) -> Result<VerifyKeySettings, SettingsError> {
    let mut fields = Fields::of(value, name)?;
    let read = |fields: &mut Fields, field| {
        let text = fields.text(field);
        text.map_err(|error| error.within(name))
    };
    let key =
        VerifyKeySettings { serial: read(&mut fields, "serial")?, pem: read(&mut fields, "pem")? };
    fields.finish().map_err(|error| error.within(name))?;
    Ok(key)
}

/// A certificate's serial number, as the gateway spells it: upper-case hex.
pub(super) fn hex_serial(text: &str, field: &str) -> Result<String, SettingsError> {
    let fits = (1..=SERIAL_LEN_MAX).contains(&text.len());
    if !fits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(SettingsError::new(field, "is not a serial number in hex"));
    }
    Ok(text.to_ascii_uppercase())
}
