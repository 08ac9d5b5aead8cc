//! Keys out of PEM texts.

use x509_parser::pem::{Pem, parse_x509_pem};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::settings::SettingsError;
use crate::text::upper_hex;

/// The key lengths that a signature is verified with, in bits.
const KEY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The only PEM block in `text`.
pub(crate) fn one_block(text: &str, field: &str) -> Result<Pem, SettingsError> {
    let (rest, block) = parse_x509_pem(text.as_bytes())
        .map_err(|_| SettingsError::new(field, "is not a PEM text"))?;
    if !rest.trim_ascii().is_empty() {
        return Err(SettingsError::new(field, "holds more than one PEM block"));
    }
    Ok(block)
}

/// The RSA key of a `PUBLIC KEY` block's contents, as PKCS#1 DER.
pub(crate) fn public_key(der: &[u8], field: &str) -> Result<Vec<u8>, SettingsError> {
    let (rest, spki) = SubjectPublicKeyInfo::from_der(der)
        .map_err(|_| SettingsError::new(field, "is not a public key"))?;
    if !rest.is_empty() {
        return Err(SettingsError::new(field, "is not a public key"));
    }
    rsa_key(&spki, field)
}

/// What a `CERTIFICATE` block holds.
pub(crate) struct Certificate {
    /// Its serial number in upper-case hex.
    pub(crate) serial: String,
    /// Its RSA key, as PKCS#1 DER.
    pub(crate) public_key: Vec<u8>,
}

/// Reads a `CERTIFICATE` block's contents. Neither issuer nor dates are checked: the merchant
/// platform vouches for it, and a certificate that has run out is taken out of the settings.
pub(crate) fn certificate(der: &[u8], field: &str) -> Result<Certificate, SettingsError> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|_| SettingsError::new(field, "is not an X.509 certificate"))?;
    let serial = certificate.raw_serial();
    // DER puts a zero in front of a number whose first bit is set.
    let serial = serial.strip_prefix(&[0]).unwrap_or(serial);
    Ok(Certificate {
        serial: upper_hex(serial),
        public_key: rsa_key(certificate.public_key(), field)?,
    })
}

fn rsa_key(spki: &SubjectPublicKeyInfo<'_>, field: &str) -> Result<Vec<u8>, SettingsError> {
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) if KEY_BITS.contains(&key.key_size()) => {
            Ok(spki.subject_public_key.data.to_vec())
        }
        Ok(_) | Err(_) => Err(SettingsError::new(field, "is not an RSA key of 2048 to 8192 bits")),
    }
}
