//! RSA-SHA256 as the gateways sign with it, and the embedded keys. Signatures are base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};

use crate::error::StartError;

/// Reads a PKCS#8 PEM; the name is for the error.
pub(crate) fn private_key(name: &'static str, pem: &str) -> Result<RsaKeyPair, StartError> {
    RsaKeyPair::from_pkcs8(&der(name, pem)?).map_err(|_| StartError::Key { name })
}

/// What a PEM holds; the name is for the error.
pub(crate) fn der(name: &'static str, pem: &str) -> Result<Vec<u8>, StartError> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).map_err(|_| StartError::Key { name })
}

pub(crate) fn sign(key: &RsaKeyPair, message: &[u8]) -> Result<String, Unspecified> {
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
    Ok(STANDARD.encode(signature))
}

/// Whether the owner of this public key (PKCS#1 DER) signed the message.
pub(crate) fn signed(public_key: &[u8], message: &[u8], signature: &str) -> bool {
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
    let signature = STANDARD.decode(signature);
    signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
}
