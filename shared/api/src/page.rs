//! Pages: whole documents, put together and compressed when their function was built.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};

use crate::request::Request;
use crate::respond::{Answer, with_header};

/// Every page's headers beside its policy. Its address may hold a secret in its fragment, so that
/// it tells nobody where it was; what it never uses is switched off.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    // A page that was mended is in force at once; where nothing changed, asking costs no body.
    (header::CACHE_CONTROL, "no-cache"),
    (header::VARY, "Accept-Encoding"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// A page as the package `page-builder` leaves it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The document.
    pub identity: &'static [u8],
    /// The document as gzip.
    pub gzip: &'static [u8],
    /// The document as Brotli.
    pub brotli: &'static [u8],
    /// Its `ETag`; weak, because it is the same whichever way the document is compressed.
    pub tag: &'static str,
    /// Its `Content-Security-Policy`.
    pub policy: &'static str,
}

/// Says of an answer, in its extensions, that its body is the same at each call.
#[derive(Clone, Copy, Debug)]
pub struct Unchanging(pub &'static [u8]);

impl Page {
    /// The page, compressed as the client takes it; 304 where the client has it.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let (body, encoding) = self.encoded(&request.headers);
        let is_known = request.knows(self.tag);
        let mut answer = Response::new(Bytes::new());
        if is_known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            *answer.body_mut() = Bytes::from_static(body);
            answer.extensions_mut().insert(Unchanging(body));
            if let Some(encoding) = encoding {
                answer = with_header(answer, header::CONTENT_ENCODING, encoding);
            }
        }
        for (name, value) in HEADERS {
            answer = with_header(answer, name, value);
        }
        let answer = with_header(answer, header::CONTENT_SECURITY_POLICY, self.policy);
        with_header(answer, header::ETAG, self.tag)
    }

    fn encoded(&self, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        for (name, body) in [("br", self.brotli), ("gzip", self.gzip)] {
            if accepts(headers, name) {
                return (body, Some(name));
            }
        }
        (self.identity, None)
    }
}

/// Whether the client takes an encoding (RFC 9110, 12.5.3): by its name or, where that does not
/// stand there, by the asterisk; and not with a weight of zero.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let mut by_asterisk = false;
    for coding in codings {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let is_wanted = !is_zero(weight);
        if name.trim().eq_ignore_ascii_case(encoding) {
            return is_wanted;
        }
        by_asterisk |= name.trim() == "*" && is_wanted;
    }
    by_asterisk
}

/// `q=0`, with up to three digits of nothing behind it.
fn is_zero(weight: &str) -> bool {
    let value = weight.split_once('=').map(|(_, value)| value.trim());
    value.is_some_and(|value| value.starts_with('0') && value.bytes().all(|it| b"0.".contains(&it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Page = Page {
        identity: b"identity",
        gzip: b"gzip",
        brotli: b"br",
        tag: "W/\"1\"",
        policy: "default-src 'none'",
    };

    fn ask(name: HeaderName, value: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        PAGE.answer(&Request {
            method: http::Method::GET,
            path: "/checkout".to_owned(),
            query: None,
            headers,
            body: Bytes::new(),
            caller: None,
            request_id: String::new(),
        })
    }

    #[test]
    fn a_page_comes_as_small_as_the_client_takes_it() {
        for (accepted, encoding) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("GZIP", "gzip"),
            ("br;q=0, gzip", "gzip"),
            ("br; q=0.000, *", "gzip"),
            ("br;q=0.001", "br"),
            ("br;q=1.0, gzip;q=0.5", "br"),
            ("*", "br"),
            ("*;q=0", ""),
            ("*;q=0, gzip", "gzip"),
            ("identity", ""),
            ("brotli", ""),
            ("deflate", ""),
            ("", ""),
        ] {
            let answer = ask(header::ACCEPT_ENCODING, accepted);
            let told = answer.headers().get(header::CONTENT_ENCODING);
            let told = told.map(|value| value.to_str().unwrap()).unwrap_or_default();
            assert_eq!(told, encoding, "{accepted}");
            let body = if encoding.is_empty() { "identity" } else { encoding };
            assert_eq!(answer.body(), body, "{accepted}");
        }
    }

    #[test]
    fn a_known_page_is_not_sent_again_and_keeps_its_policy() {
        for (known, status) in [("W/\"1\"", 304), ("\"1\"", 304), ("W/\"2\"", 200)] {
            let answer = ask(header::IF_NONE_MATCH, known);
            assert_eq!(answer.status().as_u16(), status, "{known}");
            assert_eq!(answer.body().is_empty(), status == 304, "{known}");
            for name in [header::ETAG, header::CONTENT_SECURITY_POLICY, header::VARY] {
                assert!(answer.headers().contains_key(&name), "{known} {name}");
            }
        }
    }
}
