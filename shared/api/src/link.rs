//! Checkout links: one booking, handed over for a while.
//!
//! `<base>/checkout#lpl1.<key id>.<claims>.<signature>`: a token like a quote's, of a form of its
//! own, in the address's fragment, which browsers send to nobody. Whoever holds the link may see
//! and pay that booking, and nothing else. It does not say whose booking it is: it was made by the
//! booking's customer, and a booking never changes hands.

use domain::ids::BookingId;
use jiff::fmt::serde::timestamp::millisecond;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::return_url::ReturnUrls;
use crate::token::Keyring;

/// How long a link holds where its maker does not say, in seconds.
pub const LINK_TTL_S: u32 = 3_600;
/// The shortest that a link may hold, in seconds.
pub const LINK_TTL_S_MIN: u32 = 60;
/// The longest that a link may hold, in seconds: seven days.
pub const LINK_TTL_S_MAX: u32 = 7 * 24 * 3_600;
/// The path of the page that links lead to.
pub const PAGE_PATH: &str = "/checkout";
const FORM: &str = "lpl1";

/// What a deployment says about links.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkSettings {
    /// What stands before [`PAGE_PATH`]; `None` for the host that the request came to.
    pub base_url: Option<String>,
    /// Where the page may send a customer back to.
    pub return_urls: ReturnUrls,
}

/// What a link says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The booking that it is for.
    pub booking: BookingId,
    /// Where the page sends the customer back to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub return_url: Option<String>,
    /// When it was made.
    #[serde(with = "millisecond::required")]
    pub issued: Timestamp,
    /// From when on it holds no longer.
    #[serde(with = "millisecond::required")]
    pub expires: Timestamp,
}

impl Link {
    /// A link for a booking, from now on.
    ///
    /// # Errors
    /// [`Problem::InvalidRequest`] for a lifetime out of bounds.
    pub fn new(
        booking: BookingId,
        return_url: Option<String>,
        ttl_s: Option<u32>,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let ttl_s = ttl_s.unwrap_or(LINK_TTL_S);
        let rule = || format!("{LINK_TTL_S_MIN} to {LINK_TTL_S_MAX} seconds");
        if !(LINK_TTL_S_MIN..=LINK_TTL_S_MAX).contains(&ttl_s) {
            return Err(Problem::invalid("expires_in_s", rule()));
        }
        let expires = now.checked_add(SignedDuration::from_secs(i64::from(ttl_s)));
        let expires = expires.map_err(|_| Problem::invalid("expires_in_s", rule()))?;
        Ok(Self { booking, return_url, issued: now, expires })
    }

    /// The link's token, signed by the newest key.
    #[must_use]
    pub fn sign(&self, keyring: &Keyring) -> String {
        keyring.seal(FORM, self)
    }

    /// Reads a token that holds.
    ///
    /// # Errors
    /// [`Problem::LinkInvalid`] unless one of the keys signed exactly these characters;
    /// [`Problem::LinkExpired`].
    pub fn verify(token: &str, keyring: &Keyring, now: Timestamp) -> Result<Self, Problem> {
        let link: Self = keyring.open(FORM, token).ok_or(Problem::LinkInvalid)?;
        if now < link.expires { Ok(link) } else { Err(Problem::LinkExpired) }
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

    fn now() -> Timestamp {
        "2026-11-25T00:00:00.001Z".parse().unwrap()
    }

    fn link(ttl_s: Option<u32>) -> Result<Link, Problem> {
        let ids = Ids::new(&[1; 32]).unwrap();
        let booking = ids.booking("alice", "k", &ids.product_tag("desk"));
        Link::new(booking, Some("https://shop.example.com/é".to_owned()), ttl_s, now())
    }

    fn verify(token: &str, ring: &Keyring, at: Timestamp) -> Result<Link, &'static str> {
        Link::verify(token, ring, at).map_err(|problem| problem.spec().1)
    }

    #[test]
    fn a_link_comes_back_whole_until_it_expires() {
        let (ring, link) = (keyring(&["a"]), link(None).unwrap());
        let token = link.sign(&ring);
        let moment_ms = SignedDuration::from_millis(1);
        assert_eq!(verify(&token, &ring, now()), Ok(link.clone()));
        assert_eq!(verify(&token, &ring, link.expires - moment_ms), Ok(link.clone()));
        assert_eq!(verify(&token, &ring, link.expires), Err("link_expired"));
        assert_eq!(verify(&token, &ring, link.expires + moment_ms), Err("link_expired"));
    }

    #[test]
    fn a_link_with_any_bit_changed_is_invalid_even_after_its_time() {
        let (ring, link) = (keyring(&["a"]), link(None).unwrap());
        let token = link.sign(&ring);
        for at in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert_eq!(verify(&changed, &ring, link.expires), Err("link_invalid"), "{at}");
            }
            assert_eq!(verify(&token[..at], &ring, now()), Err("link_invalid"), "{at}");
        }
        assert_eq!(verify(&format!("{token}A"), &ring, now()), Err("link_invalid"));
    }

    #[test]
    fn old_keys_verify_links_until_they_are_gone() {
        let (old, both, new) = (keyring(&["a"]), keyring(&["b", "a"]), keyring(&["b"]));
        let link = link(None).unwrap();
        let from_old = link.sign(&old);
        assert_eq!(verify(&from_old, &both, now()), Ok(link.clone()));
        assert_eq!(verify(&from_old, &new, now()), Err("link_invalid"));
        assert_eq!(verify(&link.sign(&both), &new, now()), Ok(link));
    }

    #[test]
    fn a_link_holds_for_a_minute_at_least_and_a_week_at_most() {
        for (ttl_s, fits) in [
            (0, false),
            (LINK_TTL_S_MIN - 1, false),
            (LINK_TTL_S_MIN, true),
            (LINK_TTL_S_MAX, true),
            (LINK_TTL_S_MAX + 1, false),
            (u32::MAX, false),
        ] {
            assert_eq!(link(Some(ttl_s)).is_ok(), fits, "{ttl_s}");
        }
        let day = link(Some(86_400)).unwrap();
        assert_eq!(day.expires.duration_since(day.issued), SignedDuration::from_secs(86_400));
    }
}
