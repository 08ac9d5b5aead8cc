//! The keys on both sides, signing, verifying and sealing.
//!
//! Public, so that tests of whoever reads notifications can make genuine ones without a server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::signature::RsaKeyPair;

use crate::error::StartError;
use crate::rsa;

/// The serial of the merchant's certificate.
pub(crate) const MERCHANT_SERIAL: &str = "4C415443485041590000000000000000000000A1";

/// The id of the public key (public-key mode).
pub(crate) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000000012026112300000000000001";

/// The serial of `keys/platform_certificate.pem` (certificate mode).
pub(crate) const CERTIFICATE_SERIAL: &str = "4C41544348504159000000000000000000000001";

/// Seals notifications: 32 bytes.
pub(crate) const APIV3_KEY: &str = "LatchpaySimulatorApiV3Key0123456";

/// The scheme that requests, replies and notifications name.
pub(crate) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// Every key that the server holds.
pub struct Keys {
    merchant: Vec<u8>,
    public_key: RsaKeyPair,
    certificate: RsaKeyPair,
}

/// Which of its two keys the gateway signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMode {
    /// The key that replies and notifications name by its id.
    PublicKey,
    /// The key of the platform certificate.
    Certificate,
}

/// What goes into the signature of a reply or notification, besides the body.
pub struct Stamp {
    /// The key.
    pub mode: KeyMode,
    /// Unix seconds.
    pub timestamp: i64,
    /// Fresh randomness; it goes into a header.
    pub nonce: String,
}

impl KeyMode {
    /// What `Wechatpay-Serial` names the key by.
    #[must_use]
    pub fn serial(self) -> &'static str {
        match self {
            Self::PublicKey => PUBLIC_KEY_ID,
            Self::Certificate => CERTIFICATE_SERIAL,
        }
    }

    /// The key of that name.
    #[must_use]
    pub fn named(serial: &str) -> Option<Self> {
        [Self::PublicKey, Self::Certificate].into_iter().find(|mode| mode.serial() == serial)
    }
}

impl Keys {
    /// The throw-away keys of the laptop.
    ///
    /// # Errors
    /// [`StartError::Key`]: an embedded key cannot be read.
    pub fn embedded() -> Result<Self, StartError> {
        Ok(Self {
            merchant: rsa::der(
                "merchant_public_key.pem",
                include_str!("../../keys/merchant_public_key.pem"),
            )?,
            public_key: rsa::private_key(
                "wechatpay_private_key.pem",
                include_str!("../../keys/wechatpay_private_key.pem"),
            )?,
            certificate: rsa::private_key(
                "platform_private_key.pem",
                include_str!("../../keys/platform_private_key.pem"),
            )?,
        })
    }

    /// Whether the merchant signed this message; the signature is base64.
    pub(crate) fn merchant_signed(&self, message: &[u8], signature: &str) -> bool {
        rsa::signed(&self.merchant, message, signature)
    }

    /// The headers that sign a body.
    ///
    /// # Errors
    /// [`Unspecified`]: the nonce fits no header.
    pub fn signed(&self, stamp: &Stamp, body: &[u8]) -> Result<HeaderMap, Unspecified> {
        let timestamp = stamp.timestamp.to_string();
        let mut message = format!("{timestamp}\n{}\n", stamp.nonce).into_bytes();
        message.extend_from_slice(body);
        message.push(b'\n');
        let signature = self.sign(stamp.mode, &message)?;
        let values = [
            ("wechatpay-timestamp", timestamp.as_str()),
            ("wechatpay-nonce", stamp.nonce.as_str()),
            ("wechatpay-signature", signature.as_str()),
            ("wechatpay-serial", stamp.mode.serial()),
            ("wechatpay-signature-type", SCHEME),
        ];
        let headers = values.into_iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).map_err(|_| Unspecified)?;
            Ok((HeaderName::from_static(name), value))
        });
        headers.collect()
    }

    fn sign(&self, mode: KeyMode, message: &[u8]) -> Result<String, Unspecified> {
        let key = match mode {
            KeyMode::PublicKey => &self.public_key,
            KeyMode::Certificate => &self.certificate,
        };
        rsa::sign(key, message)
    }
}

/// Seals a notification's content with the APIv3 key; the nonce is 12 characters. Base64.
///
/// # Errors
/// [`Unspecified`]: the nonce has another length.
pub fn seal(plaintext: &[u8], nonce: &str, context: &str) -> Result<String, Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, APIV3_KEY.as_bytes())?);
    let nonce: [u8; NONCE_LEN] = nonce.as_bytes().try_into().map_err(|_| Unspecified)?;
    let mut sealed = plaintext.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::from(context.as_bytes()), &mut sealed)?;
    Ok(STANDARD.encode(sealed))
}
