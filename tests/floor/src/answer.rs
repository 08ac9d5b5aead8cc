//! The answer that the function gave.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lambda_http::{Body, Error, Response};
use serde_json::Value;

/// An answer to a request, with a body of bytes where API Gateway is given base64.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    /// Reads what a function answered to API Gateway.
    ///
    /// # Errors
    /// A line, if that was no answer.
    pub fn read(recorded: &Value) -> Result<Self, Error> {
        let status = recorded["statusCode"].as_u64().ok_or("an answer without a status")?;
        let text = recorded["body"].as_str().unwrap_or_default();
        let body = match recorded["isBase64Encoded"].as_bool() {
            Some(true) => Body::Binary(STANDARD.decode(text)?),
            Some(false) | None => Body::Text(text.to_owned()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        Ok(Self { status: StatusCode::from_u16(u16::try_from(status)?)?, headers, body })
    }

    /// The answer once more.
    #[must_use]
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}
