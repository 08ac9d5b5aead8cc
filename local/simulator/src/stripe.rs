//! Stripe: Checkout Sessions, PaymentIntents of WeChat Pay, refunds and webhooks.
//!
//! Rules are those of `docs.stripe.com/api` (read 2026-11-24). Where the pages leave a choice, this
//! server takes the stricter one: a parameter that is real but not simulated is unknown here.
//!
//! How the fault plan's `refund_outcome` looks at Stripe:
//!
//! - `success`: `pending`, then `succeeded`;
//! - `closed`: `pending`, then `failed`;
//! - `abnormal`: the balance is too low, so the call is refused with `balance_insufficient`;
//! - `failed_later`: `pending`, `succeeded`, and `failed` after the same delay once more.

mod authorization;
mod balance;
pub(crate) mod book;
pub(crate) mod console;
mod currency;
mod execution;
pub(crate) mod expiry;
mod form;
mod idempotency;
mod intent;
mod list;
pub(crate) mod notification;
pub(crate) mod objects;
pub(crate) mod refund;
mod refusal;
mod search;
pub(crate) mod server;
mod session;
pub mod signature;
pub(crate) mod wallet;

use std::time::Duration;

use jiff::Timestamp;

use crate::delivery::Job;
use crate::ledger::Ledger;

/// Where the server is mounted; the API's own paths, `/v1/…`, follow.
pub const MOUNT_PATH: &str = "/simulator/stripe";

/// The API version of the account, of its webhook endpoint and of every call that names none.
pub(crate) const API_VERSION: &str = "2025-04-30.basil";

/// What a call may name as `Stripe-Version`: the account's version, and that of the newest SDKs.
pub(crate) const API_VERSIONS: [&str; 2] = [API_VERSION, "2026-10-28.endive"];

/// The account's secret key.
pub(crate) const SECRET_KEY: &str = "sk_test_latchpaySimulatorThrowAwayKey000001";

/// The secret of the webhook endpoint.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_latchpaySimulatorThrowAwaySecretNew01";

/// The secret that the endpoint had before; it signs too while it is being rolled.
pub(crate) const WEBHOOK_SECRET_PREVIOUS: &str = "whsec_latchpaySimulatorThrowAwaySecretOld01";

/// What an adapter must be configured with to talk to this server.
///
/// Throw-away values, public on purpose.
#[derive(Clone)]
pub struct MerchantSettings {
    /// The key that calls carry.
    pub secret_key: &'static str,
    /// The secrets that verify webhooks, the current one first.
    pub webhook_secrets: [&'static str; 2],
    /// The version that webhooks have, and that calls should name.
    pub api_version: &'static str,
}

/// The settings of the one account that this server knows.
#[must_use]
pub fn merchant_settings() -> MerchantSettings {
    MerchantSettings {
        secret_key: SECRET_KEY,
        webhook_secrets: [WEBHOOK_SECRET, WEBHOOK_SECRET_PREVIOUS],
        api_version: API_VERSION,
    }
}

/// What a restart interrupted: sessions that end by themselves, and money on its way.
pub(crate) fn resumed(ledger: &Ledger, now: Timestamp, settling: Duration) -> Vec<Job> {
    let expiring = ledger
        .stripe()
        .open_sessions()
        .map(|session| Job::ExpireSessions { wait: expiry::wait(session.expires_at, now) });
    let intents = ledger.stripe().intents().filter(|intent| intent.is_processing());
    let arriving =
        intents.map(|intent| Job::SettleIntent { intent_id: intent.id.clone(), wait: settling });
    expiring.chain(arriving).collect()
}
