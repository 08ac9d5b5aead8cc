//! Answers as API Gateway takes them.
//!
//! Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs
//! in API Gateway", the response of format 2.0; read 2026-11-25. `lambda_http` would write the
//! same, and copy each body on the way.

use std::sync::{Arc, Mutex, PoisonError};

use api::page::Unchanging;
use api::respond::Answer;
use bytes::Bytes;
use http::HeaderMap;
use lambda_http::Body as Encoded;
use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// An answer on its way to API Gateway.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ApiGatewayAnswer {
    status_code: u16,
    #[serde(serialize_with = "write_headers")]
    headers: HeaderMap,
    body: Body,
    is_base64_encoded: bool,
}

/// A body in the form in which it goes out.
#[derive(Debug)]
enum Body {
    Text(Bytes),
    /// In base64, which API Gateway decodes again.
    Binary(Encoded),
    /// Written before.
    Kept(Arc<RawValue>),
}

/// Keeps the last body that never changes in the form in which it goes out, because that costs more
/// than the rest of such an answer.
#[derive(Default, Debug)]
pub struct Keeper(Mutex<Option<Kept>>);

#[derive(Clone, Debug)]
struct Kept {
    of: &'static [u8],
    written: Arc<RawValue>,
    is_base64_encoded: bool,
}

impl Keeper {
    /// The answer in the form in which it goes out.
    #[must_use]
    pub fn answer(&self, answer: Answer) -> ApiGatewayAnswer {
        let (parts, bytes) = answer.into_parts();
        let unchanging = parts.extensions.get::<Unchanging>();
        let (body, is_base64_encoded) = match unchanging.and_then(|body| self.kept(body.0)) {
            Some(kept) => (Body::Kept(kept.written), kept.is_base64_encoded),
            None => body(bytes),
        };
        let status_code = parts.status.as_u16();
        ApiGatewayAnswer { status_code, headers: parts.headers, body, is_base64_encoded }
    }

    /// What is kept of this body, or will be from now on; `None` if it cannot be written.
    fn kept(&self, of: &'static [u8]) -> Option<Kept> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = last.as_ref().filter(|kept| std::ptr::eq(kept.of, of)) {
            return Some(kept.clone());
        }
        let (body, is_base64_encoded) = body(Bytes::from_static(of));
        let written = to_raw_value(&body).ok()?.into();
        *last = Some(Kept { of, written, is_base64_encoded });
        last.clone()
    }
}

/// Text as it is; what is none, such as a compressed page, in base64.
fn body(bytes: Bytes) -> (Body, bool) {
    match std::str::from_utf8(&bytes) {
        Ok(_) => (Body::Text(bytes), false),
        Err(_) => (Body::Binary(Encoded::Binary(bytes.into())), true),
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(bytes) => {
                serializer.serialize_str(std::str::from_utf8(bytes).map_err(S::Error::custom)?)
            }
            Self::Binary(encoded) => encoded.serialize(serializer),
            Self::Kept(written) => written.as_ref().serialize(serializer),
        }
    }
}

/// Each header once: no answer has one twice.
fn write_headers<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(headers.len()))?;
    for (name, value) in headers {
        map.serialize_entry(name.as_str(), value.to_str().map_err(S::Error::custom)?)?;
    }
    map.end()
}
