//! The gateways' side of the laptop: servers that speak the real wire protocols, and controls.
//!
//! One wallet, one ledger and one fault plan serve every gateway; each gateway is one module that
//! verifies, decides and signs as the real one does. Nothing here shares code with the adapters
//! that it is used to check.
//!
//! ```text
//! /simulator/wechat_pay/v3/…   WeChat Pay API v3, Native, signed both ways
//! /simulator/alipay/gateway.do Alipay open platform, precreated QR codes, RSA2
//! /simulator/alipay/downloadBillFile.resource   Alipay's bills
//! /simulator/alipay/key        which of its keys Alipay signs with
//! /simulator/scan              the customer's wallet scans a code and does not pay yet
//! /simulator/stripe/v1/…       Stripe API, Checkout Sessions and PaymentIntents, webhooks
//! /simulator/codes             the codes that there are to scan, as a wallet sees them
//! /simulator/pay               the customer's wallet pays a code
//! /simulator/refuse            the customer's wallet does not pay a code after all
//! /simulator/ledger            what every gateway knows
//! /simulator/faults            delays, losses and failures from now on
//! /simulator/replay            an old notification once more
//! /simulator/notify            a hand-made notification
//! /simulator/refund            money given back in the merchant's own console
//! /simulator/dispute           a customer disputes a payment
//! ```
//!
//! What must not be here: our domain, store or gateway crates, and money as a float.

pub mod alipay;
mod calls;
mod codes;
pub mod config;
mod console;
mod control;
mod delivery;
pub mod error;
mod faults;
mod hand_made;
mod journal;
mod ledger;
mod problem;
mod random;
mod rsa;
mod state;
pub mod stripe;
mod wallet;
pub mod wechat_pay;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post, put};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::config::SimulatorConfig;
use crate::error::StartError;
use crate::state::Shared;

/// The running gateways. Dropping it stops notifications and refunds, as a kill would.
pub struct Simulator {
    shared: Arc<Shared>,
    worker: AbortHandle,
}

impl Simulator {
    /// Reads the stored state, and takes up the notifications and refunds that were under way.
    ///
    /// # Errors
    /// [`StartError`]: outside a tokio runtime, or the state cannot be read.
    pub fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (jobs, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::open(config, jobs)?);
        let worker = runtime.spawn(delivery::work(Arc::clone(&shared), queue));
        delivery::resume(&shared);
        Ok(Self { shared, worker: worker.abort_handle() })
    }

    /// What `GET /simulator/ledger` answers as `payments`, the oldest first.
    #[must_use]
    pub fn payments(&self) -> Vec<Value> {
        control::all_payments(&self.shared)
    }

    /// One of [`Simulator::payments`], by the number that the merchant gave it.
    #[must_use]
    pub fn payment(&self, payment_id: &str) -> Option<Value> {
        control::payment_of(&self.shared, payment_id)
    }

    /// Every route, each with its `/simulator` prefix.
    ///
    /// Serve or merge it as it is: under another prefix the signed paths would not match.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/simulator/pay", post(control::pay))
            .route("/simulator/codes", get(control::codes))
            .route("/simulator/scan", post(control::scan))
            .route("/simulator/refuse", post(control::refuse))
            .route("/simulator/ledger", get(control::ledger))
            .route("/simulator/faults", get(control::faults).put(control::set_faults))
            .route("/simulator/replay", post(control::replay))
            .route("/simulator/notify", post(control::notify))
            .route("/simulator/refund", post(control::refund))
            .route("/simulator/alipay/key", put(control::set_alipay_key))
            .route(alipay::GATEWAY_PATH, any(alipay::server::serve))
            .route(alipay::BILL_PATH, get(alipay::server::serve_bill))
            .route("/simulator/dispute", post(control::dispute))
            .route("/simulator/stripe/{*path}", any(stripe::server::serve))
            .route("/simulator/wechat_pay/{*path}", any(wechat_pay::server::serve))
            .with_state(Arc::clone(&self.shared))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.worker.abort();
    }
}
