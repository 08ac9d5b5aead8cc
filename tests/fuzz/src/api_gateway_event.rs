//! API Gateway's events (HTTP API, payload format 2.0), as JSON.
//!
//! Only events that API Gateway can send are looked at: see `is_sendable`. The conversion that
//! comes before ours panics on others, and no caller can make them.
//!
//! - Method, headers, body bytes and request id are the event's own.
//! - The caller is who the authorizer's claims name, and nobody else.
//! - A plain path is the event's own, below its stage; a query is the event's own.
//! - The request that comes of it keeps the properties of requests.

use api::request::Caller;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::LambdaRequest;

use crate::request::check_request;

/// The longest request line and headers that API Gateway takes, in bytes: a quota of HTTP APIs,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>, read
/// 2026-11-24.
const HEAD_LEN_MAX: usize = 10_240;

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Ok(LambdaRequest::ApiGatewayV2(event)) = serde_json::from_slice(bytes) else { return };
    if !is_sendable(&event) {
        return;
    }
    let request = runtime::lambda::request(LambdaRequest::ApiGatewayV2(event.clone()).into());
    let context = &event.request_context;
    assert_eq!(request.method, context.http.method);
    assert_eq!(request.request_id, context.request_id.clone().unwrap_or_default());
    assert_eq!(request.body, body_of(&event).expect("a body that can be sent"));
    for (name, value) in event.headers.iter().filter(|(name, _)| *name != http::header::COOKIE) {
        assert!(request.headers.get_all(name).iter().any(|one| one == value), "{name}");
    }
    check_caller(&event, &request);
    let raw_path = event.raw_path.as_deref().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    if raw_path.bytes().all(is_plain) {
        assert_eq!(request.path, below(raw_path, context.stage.as_deref()));
        let raw_query = event.raw_query_string.as_deref().filter(|query| !query.is_empty());
        assert_eq!(request.query.as_deref(), raw_query);
    }
    check_request(&request);
}

/// Whether API Gateway can send such an event: it takes a request only for a host name of its own,
/// over HTTPS, within its quotas, keeps the query as it came in a valid target, and encodes itself
/// what it says is base64.
fn is_sendable(event: &ApiGatewayV2httpRequest) -> bool {
    let raw_path = event.raw_path.as_deref().unwrap_or_default();
    let raw_query = event.raw_query_string.as_deref().unwrap_or_default();
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-')
    };
    let host = match event.headers.get("host").map(|value| value.to_str()) {
        Some(host) => host.ok(),
        None => event.request_context.domain_name.as_deref(),
    };
    let stage = event.request_context.stage.as_deref();
    let is_https = event.headers.get("x-forwarded-proto").is_none_or(|value| value == "https");
    is_https
        && host.is_some_and(|host| is_name(host) && !host.starts_with(['.', '-']))
        && stage.is_some_and(|stage| stage == "$default" || is_name(stage))
        && raw_path.starts_with('/')
        && raw_path.len() + raw_query.len() <= HEAD_LEN_MAX
        && !raw_query.contains('#')
        && format!("/?{raw_query}").parse::<Uri>().is_ok()
        && body_of(event).is_some()
}

/// The raw bytes of the body, where it is one.
fn body_of(event: &ApiGatewayV2httpRequest) -> Option<Vec<u8>> {
    let text = event.body.as_deref().unwrap_or_default();
    if event.is_base64_encoded { STANDARD.decode(text).ok() } else { Some(text.into()) }
}

fn check_caller(event: &ApiGatewayV2httpRequest, request: &api::request::Request) {
    let authorizer = event.request_context.authorizer.as_ref();
    let claims = authorizer.and_then(|one| one.jwt.as_ref()).map(|jwt| &jwt.claims);
    let named = claims.and_then(|claims| claims.get("sub"));
    match &request.caller {
        Some(Caller::Customer { subject, scopes }) => {
            assert_eq!(Some(subject), named);
            let scope = claims.and_then(|claims| claims.get("scope"));
            let words = scope.map(String::as_str).unwrap_or_default().split_whitespace();
            assert!(words.eq(scopes));
        }
        Some(Caller::LinkHolder(booking_id)) => panic!("no event brings a link of {booking_id:?}"),
        None => assert_eq!(named, None),
    }
}

/// The path below the stage, which stands in front of it where it has a name.
fn below<'a>(raw_path: &'a str, stage: Option<&str>) -> &'a str {
    let stage = stage.filter(|stage| *stage != "$default");
    let below = stage.and_then(|stage| raw_path.strip_prefix(&format!("/{stage}")));
    below.filter(|below| below.starts_with('/')).unwrap_or(raw_path)
}
