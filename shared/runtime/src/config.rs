//! Configuration: read once per sandbox, from the function's environment and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use api::link::LinkSettings;
use api::return_url::{InvalidReturnUrls, ReturnUrls, is_base_url};
use api::token::{InvalidKeyring, Keyring};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use domain::gateway::GatewayName;
use domain::ids::{Ids, SECRET_LEN_MIN};
use gateways::registry::Registry;
use gateways::settings::SettingsError;
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use store::Store;
use store::schema::CALL_TIMEOUT;
use tracing::level_filters::LevelFilter;

use crate::connectors::{aws_connector, system_connector};
use crate::deadline::Deadline;
use crate::deps::{Clock, Deps, Randomness};
use crate::secret_reader::{ReadError, SecretReader, SecretsManager};
use crate::secrets::Secrets;
use crate::source::DepsSource;
use crate::telemetry::start_json;
use crate::transport::Transport;

/// Names the table.
pub const TABLE_NAME: &str = "TABLE_NAME";
/// Names the secret of AWS Secrets Manager that holds what a deployment keeps secret, as JSON:
/// `id_secret`, `token_keys` and `gateways`.
pub const SECRET_ARN: &str = "LATCHPAY_SECRET_ARN";
/// Carries the same document itself, for a laptop.
pub const SECRETS: &str = "LATCHPAY_SECRETS";
/// Names the gateways to use, between commas; without it, all that the secrets have.
pub const GATEWAYS: &str = "LATCHPAY_GATEWAYS";
/// Names the deployment in metrics.
pub const STAGE: &str = "LATCHPAY_STAGE";
/// What stands before the path of the checkout page in links; without it the host that the request
/// came to.
pub const CHECKOUT_URL: &str = "LATCHPAY_CHECKOUT_URL";
/// Where the checkout page may send a customer back to: URLs parted by commas.
pub const RETURN_URLS: &str = "LATCHPAY_RETURN_URLS";
/// The name of a deployment that has none.
const STAGE_UNNAMED: &str = "unnamed";
/// What a function logs.
const LOG_LEVEL: LevelFilter = LevelFilter::INFO;
/// How often the SDK sends one call.
const SENDS_MAX: u32 = 3;
/// How long one sending may take.
const SEND_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Why a deployment cannot start. Names the setting, never its value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable is not set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The checkout page's address is no address.
    #[error("{CHECKOUT_URL} is not https:// and a host, with nothing behind it")]
    CheckoutUrl,
    /// A return URL cannot be used.
    #[error("{RETURN_URLS}: {0}")]
    ReturnUrls(#[from] InvalidReturnUrls),
    /// The roots that AWS's services are certified under cannot be used.
    #[error("the root certificates of AWS's services cannot be used: {0}")]
    Roots(String),
    /// Nothing says where the secrets are.
    #[error("neither {SECRET_ARN} nor {SECRETS} is set")]
    NoSecrets,
    /// Two things say where the secrets are.
    #[error("{SECRET_ARN} and {SECRETS} are both set, and only one may be")]
    SecretsTwice,
    /// The secret cannot be read.
    #[error("the secret that {SECRET_ARN} names cannot be read")]
    Unread(#[from] ReadError),
    /// A later version of the secret would derive other ids.
    #[error("id_secret is another one than at the start, and must never change")]
    IdSecretChanged,
    /// The secrets are no JSON.
    #[error("the secrets are no JSON, at line {line}, column {column}")]
    Secrets {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// A field of the secrets is missing, unknown or of another kind.
    #[error("the secrets: {field} {problem}")]
    Setting {
        /// The path of the field, such as `token_keys[0].key`.
        field: String,
        /// What is wrong with it. A fixed text: it cannot quote a secret.
        problem: &'static str,
    },
    /// The id secret is too short.
    #[error("id_secret has fewer than {SECRET_LEN_MIN} characters")]
    IdSecret,
    /// The token keys cannot be used.
    #[error(transparent)]
    TokenKeys(#[from] InvalidKeyring),
    /// A gateway's settings cannot be used.
    #[error("gateways.{0}")]
    Gateways(SettingsError),
    /// The gateways to use are not written as names between commas.
    #[error("{GATEWAYS} is no list of gateways")]
    GatewayNames,
    /// A gateway is to be used, and the secrets do not have it.
    #[error("gateways.{0} is missing, and {GATEWAYS} names it")]
    GatewayMissing(GatewayName),
}

/// What secrets make: ids, token keys and gateways.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Derives ids.
    pub ids: Ids,
    /// Signs and verifies tokens.
    pub keyring: Keyring,
    /// The configured gateways.
    pub gateways: Registry,
}

/// Reads secrets from their JSON.
///
/// # Errors
/// [`ConfigError`] names the setting at fault.
pub fn open_secrets(json: &str) -> Result<Opened, ConfigError> {
    let secrets = Secrets::read(json)?;
    Ok(Opened {
        ids: Ids::new(secrets.id_secret.as_bytes()).ok_or(ConfigError::IdSecret)?,
        keyring: Keyring::new(&secrets.token_keys)?,
        gateways: Registry::from_settings(&secrets.gateways.to_string())
            .map_err(ConfigError::Gateways)?,
    })
}

/// Which of the secrets' gateways a deployment uses; all of them unless told otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GatewayChoice(Vec<GatewayName>);

impl GatewayChoice {
    /// Reads names between commas.
    ///
    /// # Errors
    /// [`ConfigError::GatewayNames`].
    pub fn read(names: &str) -> Result<Self, ConfigError> {
        let names: Option<Vec<_>> = names.split(',').map(GatewayName::parse).collect();
        names.map(Self).ok_or(ConfigError::GatewayNames)
    }

    /// Reads secrets from their JSON, and leaves out the gateways that are not to be used.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting at fault, or the gateway that is missing.
    pub fn open(&self, json: &str) -> Result<Opened, ConfigError> {
        let opened = open_secrets(json)?;
        if self.0.is_empty() {
            return Ok(opened);
        }
        let chosen = self.0.iter().map(|name| {
            let gateway = opened.gateways.get(name).cloned();
            gateway.ok_or_else(|| ConfigError::GatewayMissing(name.clone()))
        });
        let gateways = Registry::new(chosen.collect::<Result<_, _>>()?);
        Ok(Opened { gateways, ..opened })
    }
}

/// Starts the lines of a deployed function: logs and metrics.
pub fn start_logs() {
    let stage = variable(STAGE).unwrap_or_else(|_| STAGE_UNNAMED.to_owned());
    start_json(LOG_LEVEL, stage, system_clock());
}

/// The dependencies of a deployed function, which follow its secret. Reads the secret once.
///
/// # Errors
/// [`ConfigError`] names what is missing or wrong.
pub async fn source_from_environment() -> Result<DepsSource, ConfigError> {
    let secrets = Secrecy::from_environment()?;
    let choice = match variable(GATEWAYS) {
        Ok(names) => GatewayChoice::read(&names)?,
        Err(_) => GatewayChoice::default(),
    };
    let table_name = variable(TABLE_NAME)?;
    let links = links_from_environment()?;
    let aws = Aws::from_environment()?;
    let connector = aws_connector(aws.region.as_ref()).map_err(ConfigError::Roots)?;
    let client = Client::from_conf(aws.store_config(connector.clone()));
    let transport = Arc::new(Transport::new(system_connector()));
    let make = |Opened { ids, keyring, gateways }| Deps {
        store: Store::new(client, table_name),
        gateways,
        transport,
        keyring,
        links,
        ids,
        clock: system_clock(),
        randomness: system_randomness(),
        deadline: Deadline::NONE,
    };
    match secrets {
        Secrecy::Document(json) => Ok(DepsSource::fixed(make(choice.open(&json)?))),
        Secrecy::Named(arn) => {
            let reader = SecretReader::new(aws.secrets_manager(), arn, connector);
            DepsSource::start(reader, choice, make).await
        }
    }
}

fn links_from_environment() -> Result<LinkSettings, ConfigError> {
    let base_url = variable(CHECKOUT_URL).ok();
    if base_url.as_deref().is_some_and(|base_url| !is_base_url(base_url)) {
        return Err(ConfigError::CheckoutUrl);
    }
    let return_urls = variable(RETURN_URLS).unwrap_or_default();
    Ok(LinkSettings { base_url, return_urls: ReturnUrls::parse(&return_urls)? })
}

/// Where the environment has the secrets.
enum Secrecy {
    /// In itself.
    Document(String),
    /// In Secrets Manager, under this ARN.
    Named(String),
}

impl Secrecy {
    fn from_environment() -> Result<Self, ConfigError> {
        match (variable(SECRET_ARN).ok(), variable(SECRETS).ok()) {
            (Some(arn), None) => Ok(Self::Named(arn)),
            (None, Some(json)) => Ok(Self::Document(json)),
            (Some(_), Some(_)) => Err(ConfigError::SecretsTwice),
            (None, None) => Err(ConfigError::NoSecrets),
        }
    }
}

/// The system's clock, to the millisecond: items keep no more.
#[must_use]
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    let now = || Timestamp::from_millisecond(Timestamp::now().as_millisecond());
    Arc::new(move || now().unwrap_or_default())
}

/// The system's randomness.
#[must_use]
pub fn system_randomness() -> Randomness {
    let random = SystemRandom::new();
    Arc::new(move || {
        let mut bytes = [0; 16];
        // Without randomness nothing may be signed or named: there is no safe way on.
        #[expect(clippy::expect_used, reason = "the operating system always has randomness")]
        random.fill(&mut bytes).expect("randomness");
        bytes
    })
}

/// How every SDK client of ours behaves, whatever is beneath it.
#[must_use]
pub fn sdk_behaviour(builder: aws_sdk_dynamodb::config::Builder) -> Config {
    builder
        .behavior_version(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(SENDS_MAX))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_TIMEOUT)
                .operation_attempt_timeout(SEND_TIMEOUT)
                .build(),
        )
        .build()
}

/// Region, credentials and endpoints from the function's environment; without the chain of
/// providers that a sandbox does not need, it starts faster.
struct Aws {
    region: Region,
    credentials: Credentials,
}

impl Aws {
    fn from_environment() -> Result<Self, ConfigError> {
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        Ok(Self { region: Region::new(variable("AWS_REGION")?), credentials })
    }

    fn store_config(&self, connector: SharedHttpConnector) -> Config {
        let builder = Config::builder()
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .region(self.region.clone())
            .credentials_provider(self.credentials.clone());
        sdk_behaviour(match variable("AWS_ENDPOINT_URL_DYNAMODB") {
            Ok(endpoint) => builder.endpoint_url(endpoint),
            Err(_) => builder,
        })
    }

    fn secrets_manager(self) -> SecretsManager {
        let endpoint_url = variable("AWS_ENDPOINT_URL_SECRETS_MANAGER").ok();
        SecretsManager { region: self.region, credentials: self.credentials, endpoint_url }
    }
}

fn variable(name: &'static str) -> Result<String, ConfigError> {
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    let value = std::env::var(name);
    value.ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}
