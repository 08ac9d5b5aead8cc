//! Sending requests to gateways, through the same connector that the store's SDK uses.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};

/// How long one call to a gateway may take, reading included.
pub const GATEWAY_TIMEOUT: Duration = Duration::from_secs(8);
/// The largest reply of a gateway that is read, in bytes.
pub const REPLY_LEN_MAX: usize = 1024 * 1024;

/// No usable reply: whether the request had an effect is not known.
#[derive(Debug, thiserror::Error)]
#[error("no reply: {0}")]
pub struct NoReply(pub String);

/// Sends requests. What varies (the network, a simulation, an injected fault) varies beneath, in
/// the connector.
#[derive(Clone, Debug)]
pub struct Transport {
    connector: SharedHttpConnector,
    timeout: Duration,
    reply_len_max: usize,
}

/// A transport that handlers share.
pub type SharedTransport = Arc<Transport>;

impl Transport {
    /// A transport over a connector.
    #[must_use]
    pub fn new(connector: SharedHttpConnector) -> Self {
        Self::with_timeout(connector, GATEWAY_TIMEOUT)
    }

    /// A transport that waits longer, or less long, for each reply.
    #[must_use]
    pub fn with_timeout(connector: SharedHttpConnector, timeout: Duration) -> Self {
        Self { connector, timeout, reply_len_max: REPLY_LEN_MAX }
    }

    /// The same transport with another bound on each reply, in bytes.
    #[must_use]
    pub fn reading_up_to(self, reply_len_max: usize) -> Self {
        Self { reply_len_max, ..self }
    }

    /// The same transport that waits longer, or less long, for each reply.
    #[must_use]
    pub fn waiting_up_to(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends one request, once, and reads the whole reply.
    ///
    /// # Errors
    /// [`NoReply`] whatever the cause: nothing is known of the outcome.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoReply> {
        match tokio::time::timeout(self.timeout, self.send_unbounded(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NoReply(format!("none within {:?}", self.timeout))),
        }
    }

    async fn send_unbounded(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoReply> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).map_err(no_reply)?;
        let reply = self.connector.call(request).await.map_err(no_reply)?;
        let reply = reply.try_into_http1x().map_err(no_reply)?;
        let (parts, body) = reply.into_parts();
        let body = Limited::new(body, self.reply_len_max).collect().await;
        let body = body.map_err(|error| NoReply(error.to_string()))?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }
}

fn no_reply(error: impl std::error::Error) -> NoReply {
    NoReply(api::problem::error_chain(&error))
}
