//! A small JSON client, for the program's commands and for tests over HTTP.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use runtime::connectors::{plain_connector, system_connector};
use runtime::transport::{NoReply, Transport};
use serde_json::Value;

/// The largest reply that is read, in bytes: the ledger of a long day on a laptop.
const REPLY_LEN_MAX: usize = 256 * 1024 * 1024;
/// How long a reply may take: after 30 s API Gateway gives up for us.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls one server, as one customer or as nobody.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Arc<Transport>,
    base_url: String,
    bearer: Option<String>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body as JSON; null where it is none.
    pub body: Value,
}

/// A call to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Call {
    /// A call with a method and a path.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: vec![], body: None }
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").raw(body.to_string())
    }

    /// With a body as it is.
    #[must_use]
    pub fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Client {
    /// A client of the server at `base_url`, by TLS where that begins with `https:`.
    #[must_use]
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url = base_url.into();
        // Root certificates are read only where they are needed.
        let is_tls = base_url.starts_with("https:");
        Self::over(if is_tls { system_connector() } else { plain_connector() }, base_url)
    }

    /// A client of the server at `base_url` by a connector of the caller's.
    #[must_use]
    pub fn over(connector: SharedHttpConnector, base_url: impl Into<String>) -> Self {
        let transport =
            Transport::with_timeout(connector, REPLY_TIMEOUT).reading_up_to(REPLY_LEN_MAX);
        Self { transport: Arc::new(transport), base_url: base_url.into(), bearer: None }
    }

    /// The same client that waits longer, or less long, for each reply.
    #[must_use]
    pub fn waiting_up_to(&self, timeout: Duration) -> Self {
        let transport = self.transport.as_ref().clone().waiting_up_to(timeout);
        Self { transport: Arc::new(transport), ..self.clone() }
    }

    /// The same client with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { bearer: Some(format!("Bearer {token}")), ..self.clone() }
    }

    /// The same client with the laptop's credentials of a customer.
    #[must_use]
    pub fn as_customer(&self, customer_id: &str) -> Self {
        self.with_token(&format!("dev:{customer_id}"))
    }

    /// Sends a call.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn send(&self, call: Call) -> Result<Reply, NoReply> {
        let mut request =
            Request::builder().method(call.method).uri(format!("{}{}", self.base_url, call.path));
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, bearer);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request = request.body(call.body.unwrap_or_default());
        let request = request.map_err(|error| NoReply(error.to_string()))?;
        self.transport.send(request).await.map(reply)
    }

    /// Sends a `GET`.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn get(&self, path: impl Into<String>) -> Result<Reply, NoReply> {
        self.send(Call::new(Method::GET, path)).await
    }

    /// Sends a `POST` with a JSON body.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn post(&self, path: impl Into<String>, body: &Value) -> Result<Reply, NoReply> {
        self.send(Call::new(Method::POST, path).json(body)).await
    }

    /// Sends a `PUT` with a JSON body.
    ///
    /// # Errors
    /// [`NoReply`].
    pub async fn put(&self, path: impl Into<String>, body: &Value) -> Result<Reply, NoReply> {
        self.send(Call::new(Method::PUT, path).json(body)).await
    }
}

fn reply(response: Response<Bytes>) -> Reply {
    let (parts, body) = response.into_parts();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Reply { status: parts.status.as_u16(), headers: parts.headers, body }
}
