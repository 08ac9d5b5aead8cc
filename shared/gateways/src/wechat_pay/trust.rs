//! Verifying what comes in: replies and notifications are signed the same way.
//!
//! Two modes at once: public keys (`PUB_KEY_ID_…`, no expiry) and platform certificates. While a
//! merchant moves between them the gateway picks by chance, so that the key is always the one that
//! `Wechatpay-Serial` names. Source, read 2026-11-23:
//! <https://pay.weixin.qq.com/docs/merchant/development/interface-rules/build-verify-sign-src.html>

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use super::settings::{VerifyKeySettings, hex_serial};
use crate::header::{single, unix_seconds};
use crate::rsa::VerifyingKey;
use crate::settings::SettingsError;
use crate::{Distrust, pem};

/// A signature this old, or this far ahead, is refused: the official SDKs' rule, in seconds.
const SIGNATURE_LIFE_S: u64 = 300;
const PUBLIC_KEY_PREFIX: &str = "PUB_KEY_ID_";

/// The gateway's keys by serial.
pub(super) struct VerifyKeys(Vec<VerifyKey>);

struct VerifyKey {
    serial: String,
    key: VerifyingKey,
}

impl VerifyKeys {
    /// Reads the keys. `own` is the merchant's public key: taking it for the gateway's is the
    /// mistake that makes every verification fail.
    pub(super) fn new(settings: &[VerifyKeySettings], own: &[u8]) -> Result<Self, SettingsError> {
        if settings.is_empty() {
            return Err(SettingsError::new("verify_keys", "is empty"));
        }
        let mut keys: Vec<VerifyKey> = Vec::with_capacity(settings.len());
        for (at, row) in settings.iter().enumerate() {
            let field = format!("verify_keys[{at}]");
            let key = verify_key(row, own).map_err(|error| error.within(&field))?;
            if keys.iter().any(|known| known.serial == key.serial) {
                let error = SettingsError::new("serial", "is given twice");
                return Err(error.within(&field));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The public key that the gateway is asked to sign its replies with: the first one given.
    pub(super) fn public_key_id(&self) -> Option<HeaderValue> {
        let mut serials = self.0.iter().map(|key| key.serial.as_str());
        let id = serials.find(|serial| serial.starts_with(PUBLIC_KEY_PREFIX))?;
        HeaderValue::from_str(id).ok()
    }

    /// Checks a message, in this order: the headers are there and well-formed, the key is known,
    /// the signature fits the bytes, its time is near. A time is only called stale once the
    /// signature vouches for it.
    ///
    /// # Errors
    /// [`Distrust`]: the first check that failed.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Distrust> {
        let signed = Headers::read(headers)?;
        let mut keys = self.0.iter();
        let key = keys.find(|key| key.serial == signed.serial).ok_or(Distrust::UnknownKey)?;
        if !key.key.has_signed(&signed.message(body), signed.signature) {
            return Err(Distrust::BadSignature);
        }
        if now.as_second().abs_diff(signed.at_s) >= SIGNATURE_LIFE_S {
            return Err(Distrust::StaleTimestamp);
        }
        Ok(())
    }
}

/// The headers that carry a signature.
struct Headers<'a> {
    timestamp: &'a str,
    at_s: i64,
    nonce: &'a str,
    serial: &'a str,
    signature: &'a str,
}

impl<'a> Headers<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Distrust> {
        let timestamp = single(headers, "wechatpay-timestamp")?;
        Ok(Self {
            timestamp,
            at_s: unix_seconds(timestamp)?,
            nonce: single(headers, "wechatpay-nonce")?,
            serial: single(headers, "wechatpay-serial")?,
            signature: single(headers, "wechatpay-signature")?,
        })
    }

    fn message(&self, body: &[u8]) -> Vec<u8> {
        let head = format!("{}\n{}\n", self.timestamp, self.nonce);
        [head.as_bytes(), body, b"\n"].concat()
    }
}

fn verify_key(row: &VerifyKeySettings, own: &[u8]) -> Result<VerifyKey, SettingsError> {
    let block = pem::one_block(&row.pem, "pem")?;
    let (serial, key) = match block.label.as_str() {
        "PUBLIC KEY" => (public_key_id(&row.serial)?, pem::public_key(&block.contents, "pem")?),
        "CERTIFICATE" => from_certificate(row, &block.contents)?,
        _ => {
            let problem = "is neither a `PUBLIC KEY` nor a `CERTIFICATE`";
            return Err(SettingsError::new("pem", problem));
        }
    };
    if key == own {
        return Err(SettingsError::new("pem", "is the merchant's own key"));
    }
    Ok(VerifyKey { serial, key: VerifyingKey::new(key) })
}

fn public_key_id(serial: &str) -> Result<String, SettingsError> {
    let is_id = serial
        .strip_prefix(PUBLIC_KEY_PREFIX)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !is_id {
        return Err(SettingsError::new("serial", "of a public key must be its id, `PUB_KEY_ID_…`"));
    }
    Ok(serial.to_owned())
}

fn from_certificate(
    row: &VerifyKeySettings,
    der: &[u8],
) -> Result<(String, Vec<u8>), SettingsError> {
    let serial = hex_serial(&row.serial, "serial")?;
    let certificate = pem::certificate(der, "pem")?;
    if certificate.serial != serial {
        return Err(SettingsError::new("serial", "is not the certificate's own"));
    }
    Ok((serial, certificate.public_key))
}
