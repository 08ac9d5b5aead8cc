//! Signing what goes out.
//!
//! `RSASSA-PKCS1-v1_5` with SHA-256 over five lines, each ended by a line feed.
//! Source: API v3 guide, chapter "签名生成", read 2026-11-23,
//! <https://wechatpay-api.gitbook.io/wechatpay-api-v3/qian-ming-zhi-nan-1/qian-ming-sheng-cheng>.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method};
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;

use super::pem;
use super::settings::{WechatPaySettings, hex_serial, identifier};
use crate::Stamp;
use crate::settings::SettingsError;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The merchant's signing key and the names that it signs under.
pub(super) struct Signer {
    mchid: String,
    serial: String,
    key: KeyPair,
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
            key: private_key(&settings.merchant_private_key_pem)?,
        })
    }

    /// The merchant's public key, PKCS#1 DER.
    pub(super) fn public_key(&self) -> &[u8] {
        self.key.public().as_ref()
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
        let signature = self.sign(message.as_bytes());
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

    fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.key.public().modulus_len()];
        // PKCS#1 v1.5 signatures are deterministic: ring asks for a generator and draws nothing.
        let signed =
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| STANDARD.encode(&signature)).unwrap_or_default()
    }
}

/// `bytes` as upper-case hex digits.
pub(super) fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn private_key(text: &str) -> Result<KeyPair, SettingsError> {
    let field = "merchant_private_key_pem";
    let block = pem::one_block(text, field)?;
    if block.label != "PRIVATE KEY" {
        return Err(SettingsError::new(field, "is not a PEM `PRIVATE KEY` (PKCS#8)"));
    }
    KeyPair::from_pkcs8(&block.contents)
        .map_err(|_| SettingsError::new(field, "is not an RSA key of 2048 to 4096 bits"))
}
