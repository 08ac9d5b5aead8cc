//! RSASSA-PKCS1-v1_5 with SHA-256, as China's gateways sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};

use crate::pem;
use crate::settings::SettingsError;

/// A merchant's own key, which signs requests.
pub(crate) struct SigningKey(KeyPair);

impl SigningKey {
    /// The key of a PEM `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1).
    ///
    /// # Errors
    /// [`SettingsError`] of `field`: it is anything else.
    pub(crate) fn from_pem(text: &str, field: &str) -> Result<Self, SettingsError> {
        let block = pem::one_block(text, field)?;
        let key = match block.label.as_str() {
            "PRIVATE KEY" => KeyPair::from_pkcs8(&block.contents),
            "RSA PRIVATE KEY" => KeyPair::from_der(&block.contents),
            _ => {
                let problem = "is neither a `PRIVATE KEY` nor an `RSA PRIVATE KEY`";
                return Err(SettingsError::new(field, problem));
            }
        };
        key.map(Self)
            .map_err(|_| SettingsError::new(field, "is not an RSA key of 2048 to 4096 bits"))
    }

    /// The public half, PKCS#1 DER.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public().as_ref()
    }

    /// The signature in base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.0.public().modulus_len()];
        // PKCS#1 v1.5 signatures are deterministic: ring asks for a generator and draws nothing.
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map(|()| STANDARD.encode(&signature)).unwrap_or_default()
    }
}

/// A gateway's key, which verifies what comes in.
pub(crate) struct VerifyingKey(UnparsedPublicKey<Vec<u8>>);

impl VerifyingKey {
    /// The key of a PKCS#1 DER, as [`pem::public_key`] reads it.
    pub(crate) fn new(public_key: Vec<u8>) -> Self {
        Self(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key))
    }

    /// Whether a signature in base64 is of these bytes.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        let signature = STANDARD.decode(signature);
        signature.is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}
