//! Reads the deployment's secret from AWS Secrets Manager, within bounds of time and size.

use std::fmt;
use std::time::Duration;

use api::problem::error_chain;
use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// The largest secret, in bytes: what Secrets Manager itself allows
/// (API reference, `GetSecretValue`, `SecretString`; read 2026-11).
pub const SECRET_LEN_MAX: usize = 65_536;
/// The largest reply that is read, in bytes: JSON spells some characters with two or six.
const REPLY_LEN_MAX: usize = SECRET_LEN_MAX * 2;
/// How often the SDK sends one question.
const SENDS_MAX: u32 = 3;
/// How long one sending may take.
const SEND_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Where Secrets Manager is, and as whom it is asked.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    /// The region.
    pub region: Region,
    /// The function's credentials.
    pub credentials: Credentials,
    /// Another address than the region's own.
    pub endpoint_url: Option<String>,
}

/// Reads one secret, again and again.
#[derive(Clone, Debug)]
pub struct SecretReader {
    client: Client,
    secret_arn: String,
}

/// A secret as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// The document.
    pub json: String,
    /// Names the version: a rotated secret has another.
    pub version_id: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("version_id", &self.version_id).finish_non_exhaustive()
    }
}

/// Why the secret was not read. Nothing here quotes it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Secrets Manager did not answer in time.
    #[error("Secrets Manager did not answer within {0:?}")]
    Late(Duration),
    /// Secrets Manager refused, or cannot be reached. Carries the causes as text: the SDK's error
    /// holds the reply, and what it shows of that is not ours to say.
    #[error("Secrets Manager did not give the secret: {0}")]
    Refused(String),
    /// The secret is binary.
    #[error("the secret is binary, and a text is needed")]
    Binary,
    /// The secret is larger than it may be.
    #[error("the secret has more than {SECRET_LEN_MAX} bytes")]
    TooLarge,
}

impl SecretReader {
    /// A reader of the secret with this ARN or name, over a connector.
    #[must_use]
    pub fn new(at: SecretsManager, secret_arn: String, connector: SharedHttpConnector) -> Self {
        let bounded = SharedHttpConnector::new(Bounded(connector));
        let builder = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client_fn(move |_, _| bounded.clone()))
            .region(at.region)
            .credentials_provider(at.credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(SENDS_MAX))
            .timeout_config(
                TimeoutConfig::builder().operation_attempt_timeout(SEND_TIMEOUT).build(),
            );
        let builder = match at.endpoint_url {
            Some(url) => builder.endpoint_url(url),
            None => builder,
        };
        Self { client: Client::from_conf(builder.build()), secret_arn }
    }

    /// Reads the current version of the secret within a bound, all sendings included.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn read(&self, within: Duration) -> Result<Secret, ReadError> {
        let call = self.client.get_secret_value().secret_id(&self.secret_arn).send();
        match tokio::time::timeout(within, call).await {
            Ok(Ok(output)) => secret(output),
            Ok(Err(error)) => Err(ReadError::Refused(error_chain(&error))),
            Err(_) => Err(ReadError::Late(within)),
        }
    }
}

fn secret(output: GetSecretValueOutput) -> Result<Secret, ReadError> {
    let json = output.secret_string.ok_or(ReadError::Binary)?;
    if json.len() > SECRET_LEN_MAX {
        return Err(ReadError::TooLarge);
    }
    Ok(Secret { json, version_id: output.version_id.unwrap_or_default() })
}

/// A connector whose replies end in an error behind [`REPLY_LEN_MAX`]: the SDK has no such bound.
#[derive(Debug)]
struct Bounded(SharedHttpConnector);

impl HttpConnector for Bounded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let reply = self.0.call(request);
        let bound = |body| SdkBody::from_body_1_x(Limited::new(body, REPLY_LEN_MAX));
        HttpConnectorFuture::new(async move { Ok(reply.await?.map(bound)) })
    }
}
