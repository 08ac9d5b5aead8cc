//! The Alipay open platform for a merchant in mainland China: precreated QR codes, RSA2.
//!
//! What each method takes is said with its request. Where the provider leaves a choice, this server
//! takes the stricter one; `docs/simulator.md` lists what it chose.
//!
//! A precreated code is not a trade: the trade begins when a wallet scans, and until then asking
//! and closing find nothing. A trade that nobody paid in time is closed when it is next looked at.
//!
//! The fault plan's refund outcomes mean here: `success` with a delay of 0 answers
//! `fund_change` `Y` at once, with a longer one `N` and the money arrives later; `closed` accepts
//! (`N`) and nothing ever happens, until the same number is sent again under another plan;
//! `abnormal` refuses because the trade is frozen, which only a person can change.

mod bill;
mod cancel;
mod close;
mod fields;
pub mod keys;
pub(crate) mod notification;
mod parameters;
mod precreate;
mod query;
mod refund;
mod refund_query;
mod refusal;
mod reply;
pub(crate) mod server;
mod time;
pub(crate) mod trade;
mod yuan;

/// Where the server is mounted.
pub const MOUNT_PATH: &str = "/simulator/alipay";

/// Where the gateway listens: one address for all methods.
pub const GATEWAY_PATH: &str = "/simulator/alipay/gateway.do";

/// Where the bills are downloaded whose addresses it gives out.
pub const BILL_PATH: &str = "/simulator/alipay/downloadBillFile.resource";

/// The one app that this server knows.
pub(crate) const APP_ID: &str = "2021000000000001";

/// The account that the app sells for.
pub(crate) const SELLER_ID: &str = "2088000000000001";

/// What an adapter must be configured with to talk to this server.
///
/// Throw-away values, public on purpose.
#[derive(Clone)]
pub struct MerchantSettings {
    /// The app's number.
    pub app_id: &'static str,
    /// The merchant's account number, which notifications name.
    pub seller_id: &'static str,
    /// The app's RSA key, PKCS#8 PEM.
    pub app_private_key_pem: &'static str,
    /// Alipay's key for this app, SPKI PEM: it verifies replies and notifications.
    pub alipay_public_key_pem: &'static str,
    /// Alipay's key before it changed, SPKI PEM. It signs while `/simulator/alipay/key` says so.
    pub previous_alipay_public_key_pem: &'static str,
}

/// The settings of the one app that this server knows.
#[must_use]
pub fn merchant_settings() -> MerchantSettings {
    MerchantSettings {
        app_id: APP_ID,
        seller_id: SELLER_ID,
        app_private_key_pem: include_str!("../keys/alipay_app_private_key.pem"),
        alipay_public_key_pem: include_str!("../keys/alipay_public_key.pem"),
        previous_alipay_public_key_pem: include_str!("../keys/alipay_previous_public_key.pem"),
    }
}
