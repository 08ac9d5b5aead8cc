//! WeChat Pay API v3 for a direct merchant, Native (QR) payments.
//!
//! Rules are those of the official pages at `pay.weixin.qq.com/doc/v3/merchant` (read 2026-11-23).
//! Where the pages leave a choice, this server takes the stricter one.

mod authorization;
mod bill;
mod close;
mod create;
mod fields;
pub mod keys;
pub(crate) mod notification;
pub(crate) mod objects;
mod query;
mod refund;
mod refusal;
pub(crate) mod server;
mod time;

/// Where the server is mounted. The path is part of what is signed, this prefix included.
pub const MOUNT_PATH: &str = "/simulator/wechat_pay";

/// The one merchant that this server knows.
pub(crate) const MCHID: &str = "1900000001";

/// The one app of that merchant.
pub(crate) const APPID: &str = "wx00000000latchpay";

/// What an adapter must be configured with to talk to this server.
///
/// Throw-away values, public on purpose.
#[derive(Clone)]
pub struct MerchantSettings {
    /// The merchant's number.
    pub mchid: &'static str,
    /// The app that is bound to the merchant.
    pub appid: &'static str,
    /// The serial of the merchant's own certificate, which its requests name.
    pub merchant_serial: &'static str,
    /// The merchant's RSA key, PKCS#8 PEM.
    pub merchant_private_key_pem: &'static str,
    /// The APIv3 key, 32 ASCII bytes, which opens notifications.
    pub apiv3_key: &'static str,
    /// The keys that verify replies and notifications; both are in use at once.
    pub verify_keys: [VerifyKey; 2],
}

/// A key of WeChat Pay, and the serial by which replies and notifications name it.
#[derive(Clone)]
pub struct VerifyKey {
    /// `PUB_KEY_ID_…`, or the certificate's serial in upper-case hex.
    pub serial: &'static str,
    /// PEM: a `PUBLIC KEY` (SPKI) or a `CERTIFICATE`.
    pub pem: &'static str,
}

/// The settings of the one merchant that this server knows.
#[must_use]
pub fn merchant_settings() -> MerchantSettings {
    MerchantSettings {
        mchid: MCHID,
        appid: APPID,
        merchant_serial: keys::MERCHANT_SERIAL,
        merchant_private_key_pem: include_str!("../keys/merchant_private_key.pem"),
        apiv3_key: keys::APIV3_KEY,
        verify_keys: [
            VerifyKey {
                serial: keys::PUBLIC_KEY_ID,
                pem: include_str!("../keys/wechatpay_public_key.pem"),
            },
            VerifyKey {
                serial: keys::CERTIFICATE_SERIAL,
                pem: include_str!("../keys/platform_certificate.pem"),
            },
        ],
    }
}
