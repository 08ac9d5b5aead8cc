//! What handlers depend on: one plain struct, made once per sandbox; each invocation has its
//! deadline in a copy.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::view::ViewContext;
use domain::decide::Env;
use domain::ids::{Ids, hex};
use gateways::registry::Registry;
use gateways::{Gateway, Stamp};
use jiff::Timestamp;
use store::Store;

use api::link::LinkSettings;
use api::token::Keyring;
use domain::gateway::GatewayName;

use crate::deadline::Deadline;
use crate::transport::SharedTransport;

/// Tells the time, to the millisecond.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Draws 16 random bytes.
pub type Randomness = Arc<dyn Fn() -> [u8; 16] + Send + Sync>;

/// What every handler gets.
#[derive(Clone)]
pub struct Deps {
    /// The table.
    pub store: Store,
    /// The configured gateways.
    pub gateways: Registry,
    /// Sends requests to gateways.
    pub transport: SharedTransport,
    /// Signs and verifies quote tokens and checkout links.
    pub keyring: Keyring,
    /// Where checkout links lead.
    pub links: LinkSettings,
    /// Derives ids.
    pub ids: Ids,
    /// The clock.
    pub clock: Clock,
    /// The randomness.
    pub randomness: Randomness,
    /// When the invocation is cut off.
    pub deadline: Deadline,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("gateways", &self.gateways).finish_non_exhaustive()
    }
}

impl Deps {
    /// The same for an invocation with this deadline.
    #[must_use]
    pub fn until(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Fresh random bytes.
    #[must_use]
    pub fn fresh(&self) -> [u8; 16] {
        (self.randomness)()
    }

    /// What decisions may use as of now.
    #[must_use]
    pub fn env(&self) -> Env<'_> {
        Env { ids: &self.ids, now: self.now() }
    }

    /// What views need as of now.
    #[must_use]
    pub fn view(&self) -> ViewContext<'_> {
        ViewContext { keyring: &self.keyring, now: self.now() }
    }

    /// What signing a gateway request needs.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { now: self.now(), nonce: self.fresh() }
    }

    /// A fresh token for one decided commit.
    #[must_use]
    pub fn request_token(&self) -> String {
        hex(&self.fresh()).collect()
    }

    /// The gateway of that name.
    #[must_use]
    pub fn gateway(&self, name: &GatewayName) -> Option<&Arc<dyn Gateway>> {
        self.gateways.get(name)
    }

    /// Waits a random part of `longest`.
    pub async fn wait_up_to(&self, longest: Duration) {
        let [draw, ..] = self.fresh();
        let part = longest.checked_mul(u32::from(draw)).unwrap_or(longest);
        tokio::time::sleep(part.checked_div(255).unwrap_or_default()).await;
    }
}
