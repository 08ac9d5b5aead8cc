//! The contract over HTTP: what a test's client gets is checked against the OpenAPI description,
//! and so is every request that was accepted.

mod description;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use local::client::Client;
use runtime::connectors::plain_connector;
use serde_json::Value;

use crate::contract::description::{Described, Operation, Schema, description};
use crate::faults::read;

/// Headers that an answer may carry without a word about them.
const PLAIN_HEADERS: [HeaderName; 6] = [
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::TRANSFER_ENCODING,
];

/// A client of the stack at `base_url` that fails its test at the first answer which is not as the
/// description says.
#[must_use]
pub fn client(base_url: impl Into<String>) -> Client {
    let checking = Checking { inner: plain_connector() };
    Client::over(SharedHttpConnector::new(checking), base_url)
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's method.
    pub method: Method,
    /// The request's path and query.
    pub uri: Uri,
    /// The request's headers.
    pub sent_headers: HeaderMap,
    /// The request's body.
    pub sent: Bytes,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body.
    pub body: Bytes,
}

#[derive(Debug)]
struct Checking {
    inner: SharedHttpConnector,
}

impl HttpConnector for Checking {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            let mut exchange = asked(&request);
            let mut answer = inner.call(request).await?;
            exchange.body = read(&mut answer).await?;
            exchange.status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
            exchange.headers = headers(answer.headers().iter());
            *answer.body_mut() = SdkBody::from(exchange.body.clone());
            if let Err(complaint) = check(&exchange) {
                panic!("not as docs/openapi.yaml says: {complaint}\n{exchange:#?}");
            }
            Ok(answer)
        })
    }
}

/// The request's side of an exchange.
fn asked(request: &HttpRequest) -> Exchange {
    Exchange {
        method: request.method().parse().unwrap(),
        uri: request.uri().parse().unwrap(),
        sent_headers: headers(request.headers().iter()),
        sent: Bytes::copy_from_slice(request.body().bytes().unwrap_or_default()),
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    }
}

fn headers<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// Paths of the laptop that are none of the product's: the simulator's, and Lambda's own API.
const FOREIGN: [&str; 2] = ["/simulator/", "/2015-03-31/functions/"];

/// Checks an exchange, unless its path is none of the product's.
///
/// # Errors
/// What the description does not say, or says otherwise.
pub fn check(exchange: &Exchange) -> Result<(), String> {
    let path = exchange.uri.path();
    if FOREIGN.iter().any(|prefix| path.starts_with(prefix)) {
        return Ok(());
    }
    let description = description();
    let Some((operation, parameters)) = description.operation(&exchange.method, path) else {
        let status = exchange.status.as_u16();
        let refusal = description.refusals.get(&status);
        let refusal = refusal.ok_or_else(|| format!("no route, and yet {status}"))?;
        return check_answer(exchange, refusal);
    };
    let status = exchange.status.as_u16();
    let described = operation.answers.get(&status);
    check_answer(exchange, described.ok_or_else(|| format!("no word about {status}"))?)?;
    if exchange.status.is_success() {
        check_request(exchange, operation, &parameters)
    } else {
        Ok(())
    }
}

fn check_answer(exchange: &Exchange, described: &Described) -> Result<(), String> {
    for (name, header) in &described.headers {
        match exchange.headers.get(name) {
            Some(value) => header.schema.check_text(value.to_str().unwrap(), name.as_str())?,
            None if header.is_required => return Err(format!("{name} is missing")),
            None => {}
        }
    }
    let known = |name: &&HeaderName| {
        PLAIN_HEADERS.contains(name) || described.headers.iter().any(|(known, _)| known == *name)
    };
    if let Some(name) = exchange.headers.keys().find(|name| !known(name)) {
        return Err(format!("no word about the header {name}"));
    }
    // The answer to a HEAD is that to a GET without its body (RFC 9110, 9.3.2).
    if described.content.is_empty() || exchange.method == Method::HEAD {
        let is_empty = exchange.body.is_empty();
        return if is_empty { Ok(()) } else { Err("no word about a body".to_owned()) };
    }
    let kind = media_type(&exchange.headers);
    let schema = described.content.get(&kind);
    let schema = schema.ok_or_else(|| format!("no word about {kind:?}"))?;
    if exchange.headers.contains_key(header::CONTENT_ENCODING) {
        // Only pages are compressed, and their own tests unpack them.
        return Ok(());
    }
    match kind.as_str() {
        "text/plain" | "text/html" | "image/svg+xml" => {
            let text = std::str::from_utf8(&exchange.body).map_err(|error| error.to_string())?;
            schema.check_text(text, "the answer")
        }
        _ => schema.check_json(&exchange.body, "the answer"),
    }
}

/// An accepted request must be one that the description allows.
fn check_request(
    exchange: &Exchange,
    operation: &Operation,
    in_path: &[(String, String)],
) -> Result<(), String> {
    let query = exchange.uri.query().unwrap_or_default();
    let in_query: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for parameter in &operation.parameters {
        let given = |pairs: &[(String, String)]| {
            let pair = pairs.iter().find(|(name, _)| *name == parameter.name);
            pair.map(|(_, value)| value.clone())
        };
        let value = match parameter.place.as_str() {
            "path" => given(in_path),
            "query" => given(&in_query),
            _ => {
                let value = exchange.sent_headers.get(&parameter.name);
                value.map(|value| value.to_str().unwrap().to_owned())
            }
        };
        match value {
            Some(value) => parameter.schema.check_text(&value, &parameter.name)?,
            None if parameter.is_required => {
                return Err(format!("accepted without {}", parameter.name));
            }
            None => {}
        }
    }
    let Some(body) = &operation.body else { return Ok(()) };
    match body.content.get(&media_type(&exchange.sent_headers)) {
        Some(schema) => schema.check_json(&exchange.sent, "the accepted body"),
        None if body.takes_anything => Ok(()),
        None if exchange.sent.is_empty() && !body.is_required => Ok(()),
        None => Err("no word about the media type of the accepted body".to_owned()),
    }
}

/// The media type without its parameters, in lower case; empty where there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

impl Schema {
    fn check_json(&self, body: &[u8], what: &str) -> Result<(), String> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| format!("{what} is no JSON: {error}"))?;
        self.check(&value).map_err(|complaint| format!("{what}: {complaint}"))
    }

    /// Checks what stands in a header, a path or a query: a text, or a number's digits.
    fn check_text(&self, text: &str, what: &str) -> Result<(), String> {
        let as_text = self.check(&Value::from(text));
        let as_number = || text.parse().is_ok_and(|number: i64| self.check(&number.into()).is_ok());
        match as_text {
            Err(complaint) if !as_number() => Err(format!("{what}: {complaint}")),
            Err(_) | Ok(()) => Ok(()),
        }
    }
}

/// Checks every example of the description against the schema beside it, and answers how many
/// there are.
///
/// # Errors
/// The first example that does not fit.
pub fn check_examples() -> Result<usize, String> {
    let examples = &description().examples;
    for (place, example, schema) in examples {
        schema.check(example).map_err(|complaint| format!("{place}: {complaint}"))?;
    }
    Ok(examples.len())
}
