//! Requests: bounds, headers, and JSON bodies read into types with the faulty field named.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use domain::attention::NOTE_LEN_MAX;
use domain::booking::Booking;
use domain::gateway::GatewayName;
use domain::ids::{BookingId, OrderId};

use crate::problem::Problem;

/// The largest body, in bytes.
pub const BODY_LEN_MAX: usize = 64 * 1024;
/// The longest `Idempotency-Key`, in characters.
pub const IDEMPOTENCY_KEY_LEN_MAX: usize = 64;
/// The longest customer id, in bytes: it is stored in each booking.
pub const CUSTOMER_ID_LEN_MAX: usize = 128;
/// The scope that may write products.
pub const SCOPE_PRODUCTS_WRITE: &str = "products:write";
/// The scope that may see and release what waits for a person.
pub const SCOPE_ATTENTION_WRITE: &str = "attention:write";

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Whom the authorizer in front of the function vouches for.
    Customer {
        /// The JWT's `sub`.
        subject: String,
        /// The JWT's scopes.
        scopes: Vec<String>,
    },
    /// Whoever holds a checkout link of this booking.
    LinkHolder(BookingId),
}

/// For whom a booking is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claimant<'a> {
    /// For a customer, whose own bookings these may be.
    Customer(&'a str),
    /// For whoever holds a link of this booking, and of no other.
    LinkHolder(&'a BookingId),
}

impl Claimant<'_> {
    /// Whether a booking is the claimant's.
    #[must_use]
    pub fn may_have(self, booking: &Booking) -> bool {
        match self {
            Self::Customer(customer_id) => booking.customer_id == customer_id,
            Self::LinkHolder(booking_id) => booking.booking_id == *booking_id,
        }
    }
}

/// A request, whichever way it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path as sent, without the query.
    pub path: String,
    /// Query, without the question mark.
    pub query: Option<String>,
    /// Headers.
    pub headers: HeaderMap,
    /// The raw bytes, no longer base64.
    pub body: Bytes,
    /// Who calls; `None` where nobody vouches for anybody.
    pub caller: Option<Caller>,
    /// Names the request in logs.
    pub request_id: String,
}

/// The body of `POST /v1/bookings`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct OpenBooking {
    /// What to book.
    pub product_id: String,
}

/// The body of `POST …/quotes`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct AskQuote {
    /// Units.
    pub quantity: u32,
    /// Where it is to be paid.
    pub gateway: Option<String>,
}

/// The body of `POST …/orders`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct CreateOrder {
    /// The token that the page holds.
    pub quote_token: String,
    /// Where it is to be paid.
    pub gateway: String,
}

/// The body of `POST …/payments`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct GeneratePayment {
    /// The order to be paid.
    pub order_id: OrderId,
    /// The token that the page holds.
    pub quote_token: String,
    /// Where it is to be paid.
    pub gateway: String,
}

/// The body of `POST …/checkout-link`.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct MakeLink {
    /// Where the page sends the customer back to.
    pub return_url: Option<String>,
    /// How long the link is to hold, in seconds.
    pub expires_in_s: Option<u32>,
}

/// The body of `POST …/qr`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct DrawCode {
    /// What the picture is to say.
    pub code: String,
}

/// The body of `POST …/retry` and `POST …/resolve`.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ReleaseAttention {
    /// What the caller says to it.
    pub note: Option<String>,
}

impl ReleaseAttention {
    /// The note, where there is one.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] unless it is 1 to 500 characters, not all of them blank.
    pub fn note(&self) -> Result<Option<&str>, Problem> {
        let Some(note) = self.note.as_deref() else { return Ok(None) };
        let fits = !note.trim().is_empty() && note.chars().count() <= NOTE_LEN_MAX;
        let rule = || format!("1 to {NOTE_LEN_MAX} characters that say something");
        if fits { Ok(Some(note)) } else { Err(Problem::invalid("note", rule())) }
    }
}

impl Request {
    /// The caller's customer id.
    ///
    /// # Errors
    /// [`Problem::Unauthenticated`] if no authorizer vouches for a caller.
    pub fn customer(&self) -> Result<&str, Problem> {
        match self.claimant()? {
            Claimant::Customer(customer_id) => Ok(customer_id),
            Claimant::LinkHolder(_) => Err(Problem::Unauthenticated),
        }
    }

    /// For whom the caller asks.
    ///
    /// # Errors
    /// [`Problem::Unauthenticated`] if neither an authorizer nor a link vouches for a caller.
    pub fn claimant(&self) -> Result<Claimant<'_>, Problem> {
        match self.caller.as_ref().ok_or(Problem::Unauthenticated)? {
            Caller::Customer { subject, .. } => {
                let fits = (1..=CUSTOMER_ID_LEN_MAX).contains(&subject.len());
                if fits { Ok(Claimant::Customer(subject)) } else { Err(Problem::Unauthenticated) }
            }
            Caller::LinkHolder(booking_id) => Ok(Claimant::LinkHolder(booking_id)),
        }
    }

    /// Refuses a caller without a scope.
    ///
    /// # Errors
    /// [`Problem::Unauthenticated`], [`Problem::Forbidden`].
    pub fn require_scope(&self, scope: &str) -> Result<(), Problem> {
        self.customer()?;
        let held = match &self.caller {
            Some(Caller::Customer { scopes, .. }) => scopes.as_slice(),
            Some(Caller::LinkHolder(_)) | None => &[],
        };
        if held.iter().any(|one| one == scope) { Ok(()) } else { Err(Problem::Forbidden) }
    }

    /// The body as JSON of a type.
    ///
    /// # Errors
    /// [`Problem::TooLarge`], [`Problem::NotJson`], [`Problem::InvalidRequest`] naming the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.check_size()?;
        if !self.is_json() {
            return Err(Problem::NotJson);
        }
        // The readers of our types also take arrays of bare values, which no client should send.
        if self.body.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
            return Err(Problem::invalid("body", "a JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let inner = error.inner();
            let path = error.path().to_string();
            // A question mark stands for a field whose name was not read to its end; and a name may
            // be empty.
            let field = match path.trim_end_matches(".?") {
                "." if inner.classify() == Category::Data => named_in(&inner.to_string()),
                "." | "?" | "" => "body".to_owned(),
                path => path.to_owned(),
            };
            Problem::invalid(field, inner.to_string())
        })?;
        reader.end().map_err(|error| Problem::invalid("body", error.to_string()))?;
        Ok(value)
    }

    /// The body as JSON of a type, or what stands for it where there is no body at all.
    ///
    /// # Errors
    /// Like [`Request::json`].
    pub fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// Refuses a body over the bound.
    ///
    /// # Errors
    /// [`Problem::TooLarge`].
    pub fn check_size(&self) -> Result<(), Problem> {
        if self.body.len() > BODY_LEN_MAX { Err(Problem::TooLarge) } else { Ok(()) }
    }

    /// The client's `Idempotency-Key`, where it sent one.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] unless it is 1 to 64 visible ASCII characters.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(value) = self.headers.get("idempotency-key") else {
            return Ok(None);
        };
        let text = value.to_str().ok().filter(|text| {
            (1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let rule = || format!("1 to {IDEMPOTENCY_KEY_LEN_MAX} visible ASCII characters");
        text.map(Some).ok_or_else(|| Problem::invalid("Idempotency-Key", rule()))
    }

    /// Whether the client has the representation of that tag, by `If-None-Match`: compared weakly
    /// (RFC 9110, 8.8.3.2) against a list of tags.
    #[must_use]
    pub fn knows(&self, tag: &str) -> bool {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let known = self.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut known = known.into_iter().flat_map(|known| known.split(','));
        known.any(|one| one.trim() == "*" || strong(one) == strong(tag))
    }

    /// The token of `Authorization: Bearer …`; schemes have no case (RFC 9110, 11.1).
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let credentials = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = credentials.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// One parameter of the query, percent-decoded.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] if it is given twice or is no UTF-8 text.
    pub fn query_parameter(&self, name: &str) -> Result<Option<String>, Problem> {
        let pairs = form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let first = values.next();
        match values.next() {
            Some(_) => Err(Problem::invalid(name, "given more than once")),
            None => Ok(first),
        }
    }

    /// Where a page starts, as an earlier page gave it in `cursor`.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] naming `cursor`, unless `read` takes it.
    pub fn cursor<T>(&self, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let unknown = || Problem::invalid("cursor", "not one that an earlier page gave");
        let text = self.query_parameter("cursor")?;
        text.map(|text| read(&text).ok_or_else(unknown)).transpose()
    }

    fn is_json(&self) -> bool {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    }
}

/// Reads the name of a gateway. One that cannot be a name is not accepted by any product.
///
/// # Errors
/// [`Problem::GatewayNotAccepted`].
pub fn gateway_name(text: &str) -> Result<GatewayName, Problem> {
    GatewayName::parse(text).ok_or(Problem::GatewayNotAccepted)
}

/// The field that a message about a whole object names, such as a missing one.
fn named_in(message: &str) -> String {
    let mut parts = message.split('`');
    parts.nth(1).unwrap_or("body").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str, body: &str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        Request {
            method: Method::POST,
            path: "/".to_owned(),
            query: None,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            caller: None,
            request_id: String::new(),
        }
    }

    #[test]
    fn a_malformed_body_names_its_field() {
        for (body, field) in [
            ("{}", "quantity"),
            (r#"{"quantity":1,"colour":2}"#, "colour"),
            (r#"{"quantity":-1}"#, "quantity"),
            (r#"{"quantity":1.5}"#, "quantity"),
            (r#"{"quantity":"1"}"#, "quantity"),
            (r#"{"quantity":4294967296}"#, "quantity"),
            (r#"{"quantity":1,"quantity":2}"#, "quantity"),
            (r#"{"quantity":1}{}"#, "body"),
            ("", "body"),
            ("[", "body"),
            ("{", "body"),
            (r#"{"quantity":1"#, "body"),
            (r#"{"quantity":1 "gateway":"x"}"#, "body"),
            (r#"{"quantity":1,"gate"#, "body"),
            (r#"{"quantity":x}"#, "quantity"),
            ("[1,null]", "body"),
            (r#"{"":1}"#, "body"),
            (" null", "body"),
        ] {
            match request("application/json", body).json::<AskQuote>() {
                Err(Problem::InvalidRequest { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_note_has_its_bounds_in_characters() {
        for (note, fits) in [
            (None, true),
            (Some(String::new()), false),
            (Some("  ".to_owned()), false),
            (Some("x".to_owned()), true),
            (Some("退".repeat(NOTE_LEN_MAX)), true),
            (Some("退".repeat(NOTE_LEN_MAX + 1)), false),
        ] {
            let given = ReleaseAttention { note: note.clone() };
            assert_eq!(given.note().ok(), fits.then_some(note.as_deref()), "{note:?}");
        }
    }

    #[test]
    fn only_json_is_read_and_only_up_to_the_bound() {
        let ask = r#"{"quantity":1}"#;
        assert!(request("application/json; charset=utf-8", ask).json::<AskQuote>().is_ok());
        let text = request("text/plain", ask).json::<AskQuote>();
        assert!(matches!(text, Err(Problem::NotJson)));
        let padding = " ".repeat(BODY_LEN_MAX - ask.len());
        let full = request("application/json", &format!("{ask}{padding}"));
        assert!(full.json::<AskQuote>().is_ok());
        let over = request("application/json", &format!("{ask}{padding} "));
        assert!(matches!(over.json::<AskQuote>(), Err(Problem::TooLarge)));
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (known, knows) in [
            ("W/\"3-p00\"", true),
            ("\"3-p00\"", true),
            ("\"1\", W/\"3-p00\"", true),
            ("*", true),
            ("W/\"3-p01\"", false),
            ("", false),
        ] {
            let mut one = request("application/json", "{}");
            one.headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            assert_eq!(one.knows("W/\"3-p00\""), knows, "{known}");
        }
        assert!(!request("application/json", "{}").knows("W/\"3-p00\""));
    }

    #[test]
    fn an_idempotency_key_has_its_bounds() {
        let mut one = request("application/json", "{}");
        assert_eq!(one.idempotency_key().unwrap(), None);
        for (key, fits) in [
            ("a", true),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
            ("a b", false),
            ("", false),
        ] {
            one.headers.insert("idempotency-key", key.parse().unwrap());
            assert_eq!(one.idempotency_key().is_ok(), fits, "{key}");
        }
    }
}
