//! Where a request's [`Deps`] come from: made when the sandbox starts, and renewed when the secret
//! was rotated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::problem::error_chain;
use jiff::Timestamp;

use crate::config::{ConfigError, GatewayChoice, Opened};
use crate::deps::Deps;
use crate::secret_reader::{Secret, SecretReader};
use crate::telemetry::{Metric, count};

/// How old what was read of the secret may be when a request begins.
pub const SECRET_AGE_MAX: Duration = Duration::from_secs(300);
/// How soon the secret is read again after that failed, or after it was refused.
pub const READ_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How long reading the secret may take while the sandbox starts; Lambda allows 10 s for all.
pub const START_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may wait for the secret to be read again.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(1);

/// Gives each request the dependencies that hold when it begins.
#[derive(Debug)]
pub struct DepsSource {
    reader: Option<SecretReader>,
    choice: GatewayChoice,
    current: Mutex<Current>,
}

/// What holds now. The mutex around it is held for moments, never while something is waited for.
#[derive(Debug)]
struct Current {
    deps: Arc<Deps>,
    version_id: String,
    read_again_at: Timestamp,
}

impl DepsSource {
    /// A source of dependencies that never change.
    #[must_use]
    pub fn fixed(deps: Deps) -> Self {
        Self::new(None, GatewayChoice::default(), deps, String::new())
    }

    /// Reads the secret for the first time; `make` makes the dependencies from what it opens to
    /// with the gateways of `choice`.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be read or does not open.
    pub async fn start(
        reader: SecretReader,
        choice: GatewayChoice,
        make: impl FnOnce(Opened) -> Deps,
    ) -> Result<Self, ConfigError> {
        let secret = reader.read(START_TIMEOUT).await?;
        let deps = make(choice.open(&secret.json)?);
        Ok(Self::new(Some(reader), choice, deps, secret.version_id))
    }

    fn new(
        reader: Option<SecretReader>,
        choice: GatewayChoice,
        deps: Deps,
        version_id: String,
    ) -> Self {
        let read_again_at = later(deps.now(), SECRET_AGE_MAX);
        let current = Current { deps: Arc::new(deps), version_id, read_again_at };
        Self { reader, choice, current: Mutex::new(current) }
    }

    /// The dependencies for a request that begins now. Reads the secret again if what is known of
    /// it is too old, within [`REFRESH_TIMEOUT`]; if that fails, what was known holds on.
    pub async fn current(&self) -> Arc<Deps> {
        if let Some(reader) = &self.reader
            && self.claim_reading()
        {
            match reader.read(REFRESH_TIMEOUT).await {
                Ok(secret) => self.adopt(secret),
                Err(error) => {
                    let cause = error_chain(&error);
                    tracing::warn!(cause, "secret not read; the last one holds on");
                    count(Metric::SecretNotRead, &[], "");
                }
            }
        }
        Arc::clone(&self.lock().deps)
    }

    /// Whether the secret is to be read again, and by this request: others go on meanwhile.
    fn claim_reading(&self) -> bool {
        let mut current = self.lock();
        let now = current.deps.now();
        let is_due = now >= current.read_again_at;
        if is_due {
            current.read_again_at = later(now, READ_AGAIN_AFTER);
        }
        is_due
    }

    fn adopt(&self, secret: Secret) {
        let mut current = self.lock();
        if secret.version_id != current.version_id {
            match self.renewed(&current.deps, &secret) {
                Ok(deps) => {
                    tracing::info!(version = secret.version_id, "secret renewed");
                    current.deps = Arc::new(deps);
                    current.version_id = secret.version_id;
                }
                Err(error) => {
                    let cause = error_chain(&error);
                    let version = secret.version_id;
                    tracing::error!(version, cause, "secret refused; the last one holds on");
                    count(Metric::SecretRefused, &[], "");
                    return;
                }
            }
        }
        current.read_again_at = later(current.deps.now(), SECRET_AGE_MAX);
    }

    /// The same dependencies with what another version of the secret opens to.
    fn renewed(&self, deps: &Deps, secret: &Secret) -> Result<Deps, ConfigError> {
        let Opened { ids, keyring, gateways } = self.choice.open(&secret.json)?;
        if !ids.derive_like(&deps.ids) {
            return Err(ConfigError::IdSecretChanged);
        }
        Ok(Deps { ids, keyring, gateways, ..deps.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        // Each change is one assignment after all that may fail: a panic leaves nothing half done.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}
