//! Signing what goes out.
//!
//! `RSASSA-PKCS1-v1_5` with SHA-256 over five lines, each ended by a line feed.
//! Source: API v3 guide, chapter "签名生成", read 2026-11-23,
//! <https://wechatpay-api.gitbook.io/wechatpay-api-v3/qian-ming-zhi-nan-1/qian-ming-sheng-cheng>.

use http::{HeaderValue, Method};

use super::settings::{WechatPaySettings, hex_serial};
use crate::Stamp;
use crate::rsa::SigningKey;
use crate::settings::{SettingsError, identifier};
use crate::text::upper_hex;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The merchant's signing key and the names that it signs under.
pub(super) struct Signer {
    mchid: String,
    serial: String,
    key: SigningKey,
}

/// What a signature covers.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a Method,
    /// Path and query, exactly as they are sent.
    pub(super) target: &'a str,
    pub(super) body: &'a str,
}

impl Signer {
    pub(super) fn new(settings: &WechatPaySettings) -> Result<Self, SettingsError> {
        Ok(Self {
            mchid: identifier(&settings.mchid, "mchid")?,
            serial: hex_serial(&settings.merchant_serial, "merchant_serial")?,
            key: SigningKey::from_pem(
                &settings.merchant_private_key_pem,
                "merchant_private_key_pem",
            )?,
        })
    }

    /// The merchant's public key, PKCS#1 DER.
    pub(super) fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// The value of `Authorization`.
    ///
    /// Every part of it was checked at start-up; if it could not be built all the same, the
    /// request goes out unsigned, which the gateway answers with `SIGN_ERROR`: not known.
    pub(super) fn authorization(&self, unsigned: &Unsigned<'_>, stamp: Stamp) -> HeaderValue {
        let Unsigned { method, target, body } = unsigned;
        let timestamp = stamp.now.as_second();
        let nonce = upper_hex(&stamp.nonce);
        let message = format!("{method}\n{target}\n{timestamp}\n{nonce}\n{body}\n");
        let signature = self.key.sign(message.as_bytes());
        let Self { mchid, serial, .. } = self;
        let value = format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
             timestamp=\"{timestamp}\",serial_no=\"{serial}\""
        );
        let mut value =
            HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(SCHEME));
        value.set_sensitive(true);
        value
    }
}
