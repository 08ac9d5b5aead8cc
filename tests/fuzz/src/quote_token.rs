//! Quote tokens, which pages keep and send back.
//!
//! An input that begins with `{` is claims, which the deployment signs; one that begins with a zero
//! byte is the parts of a quote, which it signs too; any other is a token as it came.
//!
//! - A token is believed only if one of the keys signed exactly these characters, in the one
//!   spelling that there is of the signature.
//! - What a token says can be signed again, and says the same.
//! - A token with any character changed is refused, and so is one of a key that is gone.
//! - The token of any quote that a booking can get is short enough to be read.

use std::sync::LazyLock;

use api::request::CUSTOMER_ID_LEN_MAX;
use api::token::{Keyring, TOKEN_LEN_MAX};
use arbitrary::Unstructured;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{BookingId, Ids};
use domain::money::{Currency, Money};
use domain::product::{Flow, Kind, QUANTITY_MAX, UNIT_PRICE_MAX, Unit};
use domain::quote::{Offer, Quote};
use jiff::Timestamp;
use ring::hmac;

use crate::identifier::change_one;

/// The ids of the keys, newest first; the longest that there may be.
pub(crate) const KEY_IDS: [&str; 2] = ["key-of-this_year", "key-of-last_year"];

pub(crate) static KEYRING: LazyLock<Keyring> = LazyLock::new(|| keyring(&KEY_IDS));
pub(crate) static ANOTHERS: LazyLock<Keyring> = LazyLock::new(|| keyring(&["another"]));

fn key(id: &str) -> Vec<u8> {
    format!("{id:_<32}").into_bytes()
}

fn keyring(ids: &[&str]) -> Keyring {
    let keys: Vec<_> = ids.iter().map(|id| ((*id).to_owned(), key(id))).collect();
    Keyring::new(&keys).expect("usable keys")
}

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    match bytes {
        [0, parts @ ..] => {
            let _ = signed_quote(&mut Unstructured::new(parts));
        }
        [b'{', ..] => KEY_IDS.iter().for_each(|id| signed_claims(id, bytes)),
        _ => {
            if let Ok(text) = str::from_utf8(bytes) {
                as_it_is(text);
            }
        }
    }
}

fn as_it_is(token: &str) {
    let Some(quote) = KEYRING.verify(token) else { return };
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let genuine = KEY_IDS.iter().find(|id| sign(id, signed) == signature);
    assert!(genuine.is_some_and(|id| token.starts_with(&format!("lp1.{id}."))), "{token}");
    check_verified(token, &quote);
}

fn signed_claims(id: &str, claims: &[u8]) {
    let signed = format!("lp1.{id}.{}", URL_SAFE_NO_PAD.encode(claims));
    let token = format!("{signed}.{}", sign(id, &signed));
    if let Some(quote) = KEYRING.verify(&token) {
        check_verified(&token, &quote);
    }
}

/// The signature of a key, made by hand.
pub(crate) fn sign(id: &str, signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key(id));
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()))
}

fn check_verified(token: &str, quote: &Quote) {
    assert!(token.len() <= TOKEN_LEN_MAX);
    let again = KEYRING.sign(quote);
    assert_eq!(KEYRING.verify(&again).as_ref(), Some(quote));
    assert_eq!(ANOTHERS.verify(token), None);
    assert_eq!(KEYRING.verify(&format!("{token}A")), None);
    let (short, _) = token.split_at(token.len() - 1);
    assert_eq!(KEYRING.verify(short), None);
}

fn signed_quote(parts: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let quote = quote(parts)?;
    let token = KEYRING.sign(&quote);
    assert!(token.len() <= TOKEN_LEN_MAX, "{} characters for {quote:?}", token.len());
    assert_eq!(KEYRING.verify(&token).as_ref(), Some(&quote));
    check_verified(&token, &quote);
    let changed = change_one(parts, &token)?;
    assert!(changed == token || KEYRING.verify(&changed).is_none(), "{changed}");
    Ok(())
}

/// A quote within the bounds of products and of customers' ids.
fn quote(parts: &mut Unstructured<'_>) -> arbitrary::Result<Quote> {
    let ids = Ids::new(&[7; 32]).expect("a long secret");
    let token_id = ids.fresh_token(parts.arbitrary()?);
    let currency = Currency::parse("CNY").expect("a currency");
    let unit_price = Money::new(parts.int_in_range(1..=UNIT_PRICE_MAX)?, currency);
    let quantity = parts.int_in_range(1..=QUANTITY_MAX)?;
    let order_id = parts.arbitrary::<bool>()?.then(|| ids.order(&token_id));
    Ok(Quote {
        order_id,
        token_id,
        booking_id: BookingId::parse(&"a".repeat(32)).expect("an id"),
        customer_id: customer(parts)?,
        offer: Offer {
            flow: *parts.choose(&[Flow::SubmitOnce, Flow::OrderFirst, Flow::Instant])?,
            kind: *parts.choose(&[Kind::First, Kind::Renewal])?,
            quantity,
            unit: *parts.choose(&[Unit::Hour, Unit::Day, Unit::Month])?,
            unit_price,
            amount: unit_price.times(quantity).expect("an amount within the bounds"),
            price_version: "0123456789abcdef".to_owned(),
            term_base: if parts.arbitrary()? { Some(moment(parts)?) } else { None },
            issued_at: moment(parts)?,
            expires_at: moment(parts)?,
        },
    })
}

fn customer(parts: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let text: &str = parts.arbitrary()?;
    let end = text.floor_char_boundary(CUSTOMER_ID_LEN_MAX);
    Ok(text[..end].to_owned())
}

pub(crate) fn moment(parts: &mut Unstructured<'_>) -> arbitrary::Result<Timestamp> {
    let bounds = Timestamp::MIN.as_millisecond()..=Timestamp::MAX.as_millisecond();
    Ok(Timestamp::from_millisecond(parts.int_in_range(bounds)?).expect("within the calendar"))
}
