//! What the laptop stack decides for the simulator.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

/// Waits between deliveries of one notification: the gateways' own schedules, shortened.
pub const RETRY_SCHEDULE_MS: [u64; 7] = [200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/// How long a refund stays in progress, in milliseconds.
pub const REFUND_DELAY_MS: u64 = 300;

/// Tells the gateways' time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Carries a notification to its callback; nothing where it is not answered in time.
pub type Courier = Arc<dyn Fn(Request<Bytes>) -> Carrying + Send + Sync>;

/// A notification on its way.
pub type Carrying = Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send>>;

/// How the simulator runs.
pub struct SimulatorConfig {
    /// Where hand-made notifications go; the gateway's name is appended, as in
    /// `http://127.0.0.1:8080/v1/callbacks` + `/wechat_pay`. Genuine notifications go to the
    /// address that their own payment or refund was given.
    pub callbacks_base_url: String,
    /// The gateways' clock.
    pub clock: Clock,
    /// Where randomness starts: nonces, and which calls and notifications the faults hit.
    pub seed: u64,
    /// The file that keeps the state; `None` keeps it in memory only.
    pub data: Option<PathBuf>,
    /// The waits between deliveries of a notification that is not acknowledged.
    pub retry_schedule: Vec<Duration>,
    /// The time from accepting a refund to its outcome.
    pub refund_delay: Duration,
    /// Who carries notifications; `None` sends them over plain HTTP.
    pub courier: Option<Courier>,
}

impl SimulatorConfig {
    /// In memory, with the default schedule, refund delay and seed 0.
    pub fn new(callbacks_base_url: impl Into<String>, clock: Clock) -> Self {
        Self {
            callbacks_base_url: callbacks_base_url.into(),
            clock,
            seed: 0,
            data: None,
            retry_schedule: RETRY_SCHEDULE_MS.map(Duration::from_millis).to_vec(),
            refund_delay: Duration::from_millis(REFUND_DELAY_MS),
            courier: None,
        }
    }
}
