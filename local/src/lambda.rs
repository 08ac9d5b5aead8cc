//! The laptop's port in front of real Lambda binaries: requests become API Gateway events for
//! `cargo lambda watch`, as the deployed HTTP API makes them, authorizer context included.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use api::problem::Problem;
use api::request::{Caller, Request};
use api::respond::Answer;
use api::route::Route;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use runtime::config::{SECRETS, TABLE_NAME};
use runtime::connectors::plain_connector;
use runtime::serve::unanswered;
use runtime::transport::Transport;
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a function may take: the first call may have to compile it.
const INVOKE_TIMEOUT: Duration = Duration::from_secs(600);

/// Names the address of the store.
pub const STORE_URL: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Invokes functions by the Lambda API.
#[derive(Clone, Debug)]
pub struct Functions {
    transport: Transport,
    base_url: String,
}

/// Where a function is invoked, below a Lambda endpoint.
#[must_use]
pub fn invocation_path(function: &str) -> String {
    format!("/2015-03-31/functions/{function}/invocations")
}

/// What a function answers to an API Gateway event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionAnswer {
    status_code: u16,
    #[serde(default)]
    headers: std::collections::HashMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Functions {
    /// The functions behind a Lambda endpoint, such as `http://127.0.0.1:9000`.
    #[must_use]
    pub fn at(base_url: impl Into<String>) -> Self {
        let transport = Transport::with_timeout(plain_connector(), INVOKE_TIMEOUT);
        Self { transport, base_url: base_url.into() }
    }

    /// Answers a request by the function that its route belongs to.
    pub async fn dispatch(&self, request: &Request) -> Answer {
        match self.invoke(request).await {
            Ok(answer) => answer,
            Err(problem) => unanswered(request, &problem),
        }
    }

    async fn invoke(&self, request: &Request) -> Result<Answer, Problem> {
        let function = Route::parse(&request.method, &request.path)?.function();
        let url = format!("{}{}", self.base_url, invocation_path(function));
        let failed = |what: String| Problem::Internal(format!("{function}: {what}"));
        let call = http::Request::post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(event(request).to_string()))
            .map_err(|error| failed(error.to_string()))?;
        let reply = self.transport.send(call).await.map_err(|error| failed(error.to_string()))?;
        let answer: FunctionAnswer = serde_json::from_slice(reply.body())
            .map_err(|_| failed(String::from_utf8_lossy(reply.body()).into_owned()))?;
        answer_of(answer).map_err(failed)
    }
}

fn answer_of(from: FunctionAnswer) -> Result<Answer, String> {
    let body = from.body.unwrap_or_default();
    let body = match from.is_base64_encoded {
        true => STANDARD.decode(body).map_err(|error| error.to_string())?,
        false => body.into_bytes(),
    };
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() =
        StatusCode::from_u16(from.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in from.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    Ok(answer)
}

/// The event of an HTTP API, payload format 2.0.
#[must_use]
pub fn event(request: &Request) -> Value {
    let (body, is_base64) = body_of(request);
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.to_string(), json!(value.to_str().ok()?))))
        .collect();
    let authorizer = match &request.caller {
        Some(Caller::Customer { subject, scopes }) => Some(json!({ "jwt": {
            "claims": { "sub": subject, "scope": scopes.join(" ") },
            "scopes": null,
        }})),
        // The function reads the link itself.
        Some(Caller::LinkHolder(_)) | None => None,
    };
    let mut context = json!({
        "accountId": "laptop",
        "apiId": "laptop",
        "domainName": "127.0.0.1",
        "http": {
            "method": request.method.as_str(),
            "path": request.path,
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
        },
        "requestId": request.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "timeEpoch": 0,
    });
    if let (Some(authorizer), Some(context)) = (authorizer, context.as_object_mut()) {
        context.insert("authorizer".to_owned(), authorizer);
    }
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query.as_deref().unwrap_or_default(),
        "headers": headers,
        "requestContext": context,
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// A body as API Gateway hands it over: text where it is text, base64 otherwise.
fn body_of(request: &Request) -> (String, bool) {
    match std::str::from_utf8(&request.body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&request.body), true),
    }
}

/// The environment of the functions on this laptop. Written out it is a file as `cargo lambda watch
/// --env-file` reads it.
#[derive(Clone)]
pub struct Environment(Vec<(&'static str, String)>);

impl Environment {
    /// The environment for a store and its table, with these secrets.
    #[must_use]
    pub fn new(secrets: String, store_url: String, table: &str) -> Self {
        Self(vec![
            (TABLE_NAME, table.to_owned()),
            (SECRETS, secrets),
            ("AWS_REGION", "local".to_owned()),
            ("AWS_ACCESS_KEY_ID", "laptop".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "laptop".to_owned()),
            (STORE_URL, store_url),
        ])
    }

    /// The same with another value of a variable.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The variables, as a process takes them.
    #[must_use]
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        self.0.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            if value.contains('"') {
                // Its reader makes every `\n` a line break, which JSON does not allow in a text.
                writeln!(f, "{name}='{}'", value.replace("\\n", "\\u000a"))?;
            } else {
                writeln!(f, "{name}={value}")?;
            }
        }
        Ok(())
    }
}
