//! Quote tokens: what the page showed, signed.
//!
//! `lp1.<key id>.<claims>.<signature>`: the claims are base64url JSON, the signature is
//! HMAC-SHA256 over everything before it. Keys rotate: the newest signs, all of them verify.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{BookingId, OrderId, TokenId};
use domain::money::{Currency, Money};
use domain::product::{Flow, Kind, Unit};
use domain::quote::{Offer, Quote};
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest token that is looked at, in characters.
pub const TOKEN_LEN_MAX: usize = 2_048;
/// The shortest signing key, in bytes.
pub const KEY_LEN_MIN: usize = 32;
const FORM: &str = "lp1";

/// The keys that sign and verify tokens, newest first.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<(String, hmac::Key)>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

/// Why a keyring cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidKeyring {
    /// There is no key.
    #[error("token_keys: at least one key is needed")]
    Empty,
    /// A key id is malformed or there twice.
    #[error("token_keys: key ids are 1 to 16 of A-Z, a-z, 0-9, - and _, each of them once")]
    KeyId,
    /// A key is too short.
    #[error("token_keys: a key has at least {KEY_LEN_MIN} bytes")]
    TooShort,
}

/// What a token says, in its own short words.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    id: TokenId,
    booking: BookingId,
    customer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
    flow: Flow,
    kind: Kind,
    quantity: u32,
    unit: Unit,
    unit_price: i64,
    amount: i64,
    currency: Currency,
    price_version: String,
    #[serde(skip_serializing_if = "Option::is_none", default, with = "millisecond::optional")]
    base: Option<Timestamp>,
    #[serde(with = "millisecond::required")]
    issued: Timestamp,
    #[serde(with = "millisecond::required")]
    expires: Timestamp,
}

impl Keyring {
    /// A keyring of (key id, key) pairs, newest first.
    ///
    /// # Errors
    /// [`InvalidKeyring`].
    pub fn new(keys: &[(String, Vec<u8>)]) -> Result<Self, InvalidKeyring> {
        if keys.is_empty() {
            return Err(InvalidKeyring::Empty);
        }
        let mut ring: Vec<(String, hmac::Key)> = vec![];
        for (id, key) in keys {
            if !is_key_id(id) || ring.iter().any(|(other, _)| other == id) {
                return Err(InvalidKeyring::KeyId);
            }
            if key.len() < KEY_LEN_MIN {
                return Err(InvalidKeyring::TooShort);
            }
            ring.push((id.clone(), hmac::Key::new(hmac::HMAC_SHA256, key)));
        }
        Ok(Self { keys: ring })
    }

    /// Signs a quote with the newest key.
    #[must_use]
    pub fn sign(&self, quote: &Quote) -> String {
        self.seal(FORM, &Claims::of(quote))
    }

    /// Reads a token; `None` unless one of the keys signed exactly these characters.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Quote> {
        self.open(FORM, token).map(Claims::quote)
    }

    /// Signs claims as a token of a form with the newest key. The form is signed too, so that a
    /// token of one form is none of another.
    pub(crate) fn seal(&self, form: &str, claims: &impl Serialize) -> String {
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        // There is always a key; `new` sees to that.
        let Some((id, key)) = self.keys.first() else {
            return String::new();
        };
        let signed = format!("{form}.{id}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Reads the claims of a token of a form; `None` unless one of the keys signed exactly these
    /// characters.
    pub(crate) fn open<T: DeserializeOwned>(&self, form: &str, token: &str) -> Option<T> {
        if token.len() > TOKEN_LEN_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let mut parts = signed.split('.');
        let (own_form, id, claims) = (parts.next()?, parts.next()?, parts.next()?);
        if own_form != form || parts.next().is_some() {
            return None;
        }
        let (_, key) = self.keys.iter().find(|(known, _)| known == id)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        hmac::verify(key, signed.as_bytes(), &signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        serde_json::from_slice(&claims).ok()
    }
}

fn is_key_id(id: &str) -> bool {
    (1..=16).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl Claims {
    fn of(quote: &Quote) -> Self {
        let Quote { token_id, booking_id, customer_id, order_id, offer } = quote.clone();
        Self {
            id: token_id,
            booking: booking_id,
            customer: customer_id,
            order: order_id,
            flow: offer.flow,
            kind: offer.kind,
            quantity: offer.quantity,
            unit: offer.unit,
            unit_price: offer.unit_price.amount,
            amount: offer.amount.amount,
            currency: offer.amount.currency,
            price_version: offer.price_version,
            base: offer.term_base,
            issued: offer.issued_at,
            expires: offer.expires_at,
        }
    }

    fn quote(self) -> Quote {
        Quote {
            token_id: self.id,
            booking_id: self.booking,
            customer_id: self.customer,
            order_id: self.order,
            offer: Offer {
                flow: self.flow,
                kind: self.kind,
                quantity: self.quantity,
                unit: self.unit,
                unit_price: Money::new(self.unit_price, self.currency),
                amount: Money::new(self.amount, self.currency),
                price_version: self.price_version,
                term_base: self.base,
                issued_at: self.issued,
                expires_at: self.expires,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::Ids;

    fn keyring(ids: &[&str]) -> Keyring {
        let keys: Vec<_> =
            ids.iter().map(|id| ((*id).to_owned(), format!("{id:_<32}").into_bytes())).collect();
        Keyring::new(&keys).unwrap()
    }

    fn quote() -> Quote {
        let ids = Ids::new(&[1; 32]).unwrap();
        let cny = Currency::parse("CNY").unwrap();
        let token_id = ids.fresh_token([3; 16]);
        Quote {
            order_id: Some(ids.order(&token_id)),
            token_id,
            booking_id: ids.booking("alice", "k", &ids.product_tag("desk")),
            customer_id: "alice \"é".to_owned(),
            offer: Offer {
                flow: Flow::OrderFirst,
                kind: Kind::Renewal,
                quantity: 3,
                unit: Unit::Day,
                unit_price: Money::new(990, cny),
                amount: Money::new(2970, cny),
                price_version: "0123456789abcdef".to_owned(),
                term_base: Some("2026-12-01T00:00:00.001Z".parse().unwrap()),
                issued_at: "2026-11-23T00:00:00.002Z".parse().unwrap(),
                expires_at: "2026-11-23T00:15:00.002Z".parse().unwrap(),
            },
        }
    }

    #[test]
    fn a_signed_quote_comes_back_whole() {
        let ring = keyring(&["a"]);
        let token = ring.sign(&quote());
        assert!(token.len() <= TOKEN_LEN_MAX, "{}", token.len());
        assert_eq!(ring.verify(&token), Some(quote()));
    }

    #[test]
    fn a_token_of_the_first_release_is_read() {
        let token = "lp1.2026-11.eyJpZCI6ImU0ODJhMWQ3Nzc4MWU4MjFiMDk1NzFkYzAxODU3MzZhIiwiYm9v\
             a2luZyI6IjNhMzg5NzcyZDI4MWQ1YTY1NDE5OTVjMDg1YjkwNTg2IiwiY3VzdG9tZXIiOiJh\
             bGljZSBcIsOpIiwib3JkZXIiOiJiNTdmNTBmNjg0OTU1N2RjNWQ3YzI5ZDY4M2I0ZDA2MSIs\
             ImZsb3ciOiJvcmRlcl9maXJzdCIsImtpbmQiOiJyZW5ld2FsIiwicXVhbnRpdHkiOjMsInVu\
             aXQiOiJkYXkiLCJ1bml0X3ByaWNlIjo5OTAsImFtb3VudCI6Mjk3MCwiY3VycmVuY3kiOiJD\
             TlkiLCJwcmljZV92ZXJzaW9uIjoiMDEyMzQ1Njc4OWFiY2RlZiIsImJhc2UiOjE3OTYwODMy\
             MDAwMDEsImlzc3VlZCI6MTc5NTM5MjAwMDAwMiwiZXhwaXJlcyI6MTc5NTM5MjkwMDAwMn0.\
             GHYyQ-MOtJXesREnRb4OXS60owIJPvoUkGdWwV_tX84";
        assert_eq!(keyring(&["2026-11"]).verify(token), Some(quote()));
        assert_eq!(keyring(&["2026-11"]).sign(&quote()), token, "and by that release, in turn");
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let ring = keyring(&["a"]);
        let token = ring.sign(&quote());
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(ring.verify(&changed), None, "character {at}, bit {bit}");
            }
        }
        for at in 0..token.len() {
            assert_eq!(ring.verify(&token[..at]), None);
        }
        assert_eq!(ring.verify(&format!("{token}A")), None);
    }

    #[test]
    fn old_keys_verify_and_the_newest_signs() {
        let (old, both, new) = (keyring(&["a"]), keyring(&["b", "a"]), keyring(&["b"]));
        let from_old = old.sign(&quote());
        let from_both = both.sign(&quote());
        assert_eq!(both.verify(&from_old), Some(quote()));
        assert_eq!(new.verify(&from_both), Some(quote()));
        assert_eq!(old.verify(&from_both), None);
        assert_eq!(new.verify(&from_old), None);
    }

    #[test]
    fn unusable_keyrings_are_refused() {
        let key = || vec![0; 32];
        for (keys, problem) in [
            (vec![], InvalidKeyring::Empty),
            (vec![("a.b".to_owned(), key())], InvalidKeyring::KeyId),
            (vec![("a".to_owned(), key()), ("a".to_owned(), key())], InvalidKeyring::KeyId),
            (vec![("a".to_owned(), vec![0; 31])], InvalidKeyring::TooShort),
        ] {
            assert_eq!(Keyring::new(&keys).unwrap_err(), problem);
        }
    }
}
