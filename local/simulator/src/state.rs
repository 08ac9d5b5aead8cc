//! What all routes and the delivery worker share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::alipay;
use crate::config::SimulatorConfig;
use crate::delivery::{Client, Job};
use crate::error::{JournalError, StartError};
use crate::faults::FaultPlan;
use crate::journal::Journal;
use crate::ledger::{Event, Ledger};
use crate::random::Random;
use crate::wechat_pay::keys::Keys;

/// Everything of one simulator.
pub(crate) struct Shared {
    pub(crate) config: SimulatorConfig,
    pub(crate) wechat_pay: Keys,
    pub(crate) alipay: alipay::keys::Keys,
    pub(crate) client: Client,
    /// Counts deliveries, so that a held notification sees that another overtook it.
    pub(crate) overtaken: watch::Sender<u64>,
    jobs: mpsc::UnboundedSender<Job>,
    state: Mutex<State>,
}

/// What changes, behind the one lock. The lock is never held across a wait.
pub(crate) struct State {
    pub(crate) ledger: Ledger,
    pub(crate) random: Random,
    pub(crate) faults: FaultPlan,
    journal: Journal,
}

impl Shared {
    pub(crate) fn open(
        config: SimulatorConfig,
        jobs: mpsc::UnboundedSender<Job>,
    ) -> Result<Self, StartError> {
        let (journal, ledger) = Journal::open(config.data.as_deref())?;
        // After a restart the same seed must not repeat the nonces of the first run.
        let random = Random::new(config.seed ^ ledger.last_number().rotate_left(32));
        let faults = FaultPlan::default();
        let client = Client::new(config.courier.clone());
        Ok(Self {
            config,
            wechat_pay: Keys::embedded()?,
            alipay: alipay::keys::Keys::embedded()?,
            client,
            overtaken: watch::Sender::new(0),
            jobs,
            state: Mutex::new(State { ledger, random, faults, journal }),
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.config.clock)()
    }

    /// A panic elsewhere leaves the ledger between two whole changes, so it stays usable.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands work to the delivery worker; after the simulator was dropped it is not done.
    pub(crate) fn start(&self, jobs: Vec<Job>) {
        for job in jobs {
            if self.jobs.send(job).is_err() {
                tracing::debug!("the simulator has stopped");
            }
        }
    }
}

impl State {
    /// Keeps the events of one change, then makes them true.
    pub(crate) fn record(&mut self, events: Vec<Event>) -> Result<(), JournalError> {
        self.journal.append(&events)?;
        events.into_iter().for_each(|event| self.ledger.apply(event));
        Ok(())
    }
}
