//! Tokens of checkout links, which pages keep and send as credentials.
//!
//! An input that begins with `{` is claims, which the deployment signs; one that begins with a zero
//! byte is the parts of a link, which it signs too; any other is a token as it came.
//!
//! - A token is believed only if one of the keys signed exactly these characters, in the one
//!   spelling that there is of the signature.
//! - It holds until the moment that it says, and not from then on.
//! - What a token says can be signed again, and says the same.
//! - A token with any character changed is refused, and so is one of a key that is gone.
//! - A link's token is no quote token, and a quote token is no link's.
//! - The token of any link that can be made is short enough to be read.

use api::link::{LINK_TTL_S_MAX, LINK_TTL_S_MIN, Link};
use api::problem::Problem;
use api::return_url::RETURN_URL_LEN_MAX;
use api::token::TOKEN_LEN_MAX;
use arbitrary::Unstructured;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::BookingId;
use jiff::{SignedDuration, Timestamp};

use crate::identifier::change_one;
use crate::quote_token::{ANOTHERS, KEY_IDS, KEYRING, moment, sign};

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    match bytes {
        [0, parts @ ..] => {
            let _ = signed_link(&mut Unstructured::new(parts));
        }
        [b'{', ..] => KEY_IDS.iter().for_each(|id| signed_claims(id, bytes)),
        _ => {
            if let Ok(text) = str::from_utf8(bytes) {
                as_it_is(text);
            }
        }
    }
}

/// What a token says, whenever that is looked at; `None` unless it is believed.
fn read(token: &str) -> Option<Link> {
    Link::verify(token, &KEYRING, Timestamp::MIN).ok()
}

fn as_it_is(token: &str) {
    let Some(link) = read(token) else { return };
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let genuine = KEY_IDS.iter().find(|id| sign(id, signed) == signature);
    assert!(genuine.is_some_and(|id| token.starts_with(&format!("lpl1.{id}."))), "{token}");
    check_verified(token, &link);
}

fn signed_claims(id: &str, claims: &[u8]) {
    for form in ["lpl1", "lp1"] {
        let signed = format!("{form}.{id}.{}", URL_SAFE_NO_PAD.encode(claims));
        let token = format!("{signed}.{}", sign(id, &signed));
        if let Some(link) = read(&token) {
            assert_eq!(form, "lpl1");
            check_verified(&token, &link);
        }
    }
}

fn check_verified(token: &str, link: &Link) {
    assert!(token.len() <= TOKEN_LEN_MAX);
    assert_eq!(read(&link.sign(&KEYRING)).as_ref(), Some(link));
    assert_eq!(KEYRING.verify(token), None, "a quote token too");
    let is_invalid = |token: &str, keyring| {
        matches!(Link::verify(token, keyring, Timestamp::MIN), Err(Problem::LinkInvalid))
    };
    assert!(is_invalid(token, &ANOTHERS));
    assert!(is_invalid(&format!("{token}A"), &KEYRING));
    let (short, _) = token.split_at(token.len() - 1);
    assert!(is_invalid(short, &KEYRING));
    let at = |now| Link::verify(token, &KEYRING, now);
    assert!(matches!(at(link.expires), Err(Problem::LinkExpired)));
    if let Ok(before) = link.expires.checked_sub(SignedDuration::from_millis(1)) {
        assert_eq!(at(before).ok().as_ref(), Some(link));
    }
}

fn signed_link(parts: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let ttl_s = parts.int_in_range(LINK_TTL_S_MIN..=LINK_TTL_S_MAX)?;
    let now = moment(parts)?;
    let booking = BookingId::parse(&"a".repeat(32)).expect("an id");
    let return_url = if parts.arbitrary()? { Some(return_url(parts)?) } else { None };
    // A link that would outlive the calendar is not made.
    let Ok(link) = Link::new(booking, return_url, Some(ttl_s), now) else { return Ok(()) };
    let token = link.sign(&KEYRING);
    assert_eq!(read(&token).as_ref(), Some(&link), "{} characters", token.len());
    check_verified(&token, &link);
    let changed = change_one(parts, &token)?;
    assert!(changed == token || read(&changed).is_none(), "{changed}");
    Ok(())
}

/// Whatever fits the bound and is visible ASCII without quotes, as return URLs are.
fn return_url(parts: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let length = parts.int_in_range(0..=RETURN_URL_LEN_MAX)?;
    let letter = char::from(parts.int_in_range(b'#'..=b'[')?);
    Ok(std::iter::repeat_n(letter, length).collect())
}
