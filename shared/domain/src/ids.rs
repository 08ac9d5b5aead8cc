//! Derived ids: the same request always names the same thing, and an echoed id proves itself ours.
//!
//! Every id is 32 hex digits of HMAC-SHA256 under the deployment secret over the kind and the
//! length-prefixed parts. The secret never rotates: ids would stop deriving.

use std::fmt;

use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::gateway::GatewayName;

/// Hex digits in an id.
pub const ID_LEN: usize = 32;
/// The part of a booking id that names the booking; the rest names its product.
pub const BOOKING_KEY_LEN: usize = 22;
/// What every echo begins with: the release of its form.
const ECHO_PREFIX: &str = "lp1.";
/// The longest echo, in characters: WeChat Pay's `attach` is the shortest field that carries one.
pub const ECHO_LEN_MAX: usize = 128;
/// The shortest deployment secret that is accepted, in bytes.
pub const SECRET_LEN_MIN: usize = 32;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads an id; `None` unless it is 32 lower-case hex digits.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                is_id(text).then(|| Self(text.to_owned()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or("an id is 32 lower-case hex digits")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// A booking, from its customer and the creating request's `Idempotency-Key`. Its last ten
    /// digits are the product's [`ProductTag`], so that both items are read in one round trip.
    BookingId
);
id!(
    /// A quote token: fresh, or from the quote request's `Idempotency-Key` and contents.
    TokenId
);
id!(
    /// An order, from the id of the token that it was made by.
    OrderId
);
id!(
    /// A payment, from its order, gateway and attempt. It is the gateway's merchant order number.
    PaymentId
);
id!(
    /// One attempt of a refund, from the payment, the captured transaction and the attempt.
    RefundId
);

/// Ten hex digits that name a product inside its bookings' ids and in its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProductTag(String);

impl ProductTag {
    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BookingId {
    /// The digits that alone name the booking, whatever its product.
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.get(..BOOKING_KEY_LEN).unwrap_or_default()
    }

    /// The tag of the product that is booked.
    #[must_use]
    pub fn product_tag(&self) -> ProductTag {
        ProductTag(self.0.get(BOOKING_KEY_LEN..).unwrap_or_default().to_owned())
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LEN && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(is_hex_digit)
}

const fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// What a gateway carries back to us with every notification of a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Echo {
    /// The booking that pays.
    pub booking_id: BookingId,
    /// The order that is paid.
    pub order_id: OrderId,
    /// The order's position among the booking's orders.
    pub order_seq: u32,
    /// The gateway attempt that the payment is.
    pub attempt: u32,
}

/// Where a refund belongs, carried in its number at the gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefundNumber {
    /// The refund attempt.
    pub refund_id: RefundId,
    /// The digits that name its booking (see [`BookingId::key`]).
    pub booking_key: String,
    /// The position of its order among the booking's orders.
    pub order_seq: u32,
}

impl RefundNumber {
    /// The number as the gateway gets it: at most 64 characters, hex digits only.
    #[must_use]
    pub fn to_wire(&self) -> String {
        format!("{}{}{:08x}", self.refund_id, self.booking_key, self.order_seq)
    }

    /// Reads a number that a gateway sent back; `None` if it cannot be one of ours.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        let (id, rest) = text.split_at_checked(ID_LEN)?;
        let (key, seq) = rest.split_at_checked(BOOKING_KEY_LEN)?;
        if seq.len() != 8 || !is_hex(rest) {
            return None;
        }
        let order_seq = u32::from_str_radix(seq, 16).ok()?;
        Some(Self { refund_id: RefundId::parse(id)?, booking_key: key.to_owned(), order_seq })
    }
}

/// What a booking is found by without an index: each of these names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BookingReference {
    /// Its id.
    Id(BookingId),
    /// A refund's number at its gateway.
    Refund(RefundNumber),
    /// What a gateway carries back of a payment; only [`Ids::open_echo`] tells whether it is ours.
    Echo(String),
}

impl BookingReference {
    /// Reads a reference; `None` if it has the form of none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |byte: u8| byte == b'.' || is_hex_digit(byte);
        if let Some(parts) = text.strip_prefix(ECHO_PREFIX) {
            let fits = text.len() <= ECHO_LEN_MAX && parts.bytes().all(is_part);
            return fits.then(|| Self::Echo(text.to_owned()));
        }
        let id = BookingId::parse(text).map(Self::Id);
        id.or_else(|| RefundNumber::from_wire(text).map(Self::Refund))
    }

    /// The reference as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Id(booking_id) => booking_id.to_string(),
            Self::Refund(number) => number.to_wire(),
            Self::Echo(text) => text.clone(),
        }
    }
}

/// Derives ids under the deployment secret.
#[derive(Clone)]
pub struct Ids {
    key: hmac::Key,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids(..)")
    }
}

/// The parts of a keyed quote's token id: what makes a repeated request the same request.
#[derive(Clone, Copy, Debug)]
pub struct KeyedQuote<'a> {
    /// The booking that asks.
    pub booking_id: &'a BookingId,
    /// The client's `Idempotency-Key`.
    pub idempotency_key: &'a str,
    /// `first` or `renewal`.
    pub kind: &'a str,
    /// Units asked for.
    pub quantity: u32,
    /// The gateway, where the request names one.
    pub gateway: Option<&'a GatewayName>,
    /// The price version that was quoted.
    pub price_version: &'a str,
    /// The `valid_until` that a renewal starts from, in seconds; 0 for a first order.
    pub term_base_s: i64,
}

impl Ids {
    /// Ids under `secret`; `None` if it has fewer than [`SECRET_LEN_MIN`] bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= SECRET_LEN_MIN)
            .then(|| Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// Whether both derive the same ids.
    #[must_use]
    pub fn derive_like(&self, other: &Self) -> bool {
        let sample = |ids: &Self| ids.derive("sample", &[]);
        sample(self) == sample(other)
    }

    /// The booking of `customer` made under `idempotency_key`, for a product.
    #[must_use]
    pub fn booking(
        &self,
        customer: &str,
        idempotency_key: &str,
        product: &ProductTag,
    ) -> BookingId {
        let digits = self.derive("booking", &[customer.as_bytes(), idempotency_key.as_bytes()]);
        let key = digits.get(..BOOKING_KEY_LEN).unwrap_or_default();
        BookingId(format!("{key}{}", product.0))
    }

    /// The tag of a product.
    #[must_use]
    pub fn product_tag(&self, product_id: &str) -> ProductTag {
        let digits = self.derive("product", &[product_id.as_bytes()]);
        ProductTag(digits.get(BOOKING_KEY_LEN..).unwrap_or_default().to_owned())
    }

    /// The token id of a quote that was asked for under an `Idempotency-Key`.
    #[must_use]
    pub fn keyed_token(&self, quote: &KeyedQuote<'_>) -> TokenId {
        TokenId(self.derive(
            "token",
            &[
                quote.booking_id.as_str().as_bytes(),
                quote.idempotency_key.as_bytes(),
                quote.kind.as_bytes(),
                &quote.quantity.to_be_bytes(),
                quote.gateway.map_or("", GatewayName::as_str).as_bytes(),
                quote.price_version.as_bytes(),
                &quote.term_base_s.to_be_bytes(),
            ],
        ))
    }

    /// The token id made from fresh randomness.
    #[must_use]
    pub fn fresh_token(&self, randomness: [u8; 16]) -> TokenId {
        TokenId(self.derive("fresh-token", &[&randomness]))
    }

    /// The order that a token makes.
    #[must_use]
    pub fn order(&self, token: &TokenId) -> OrderId {
        OrderId(self.derive("order", &[token.0.as_bytes()]))
    }

    /// The payment of an order at a gateway, by attempt.
    #[must_use]
    pub fn payment(&self, order: &OrderId, gateway: &GatewayName, attempt: u32) -> PaymentId {
        let parts = [order.0.as_bytes(), gateway.as_str().as_bytes(), &attempt.to_be_bytes()];
        PaymentId(self.derive("payment", &parts))
    }

    /// One attempt to give a captured transaction back.
    #[must_use]
    pub fn refund(&self, payment_id: &str, transaction_id: &str, attempt: u32) -> RefundId {
        let parts = [payment_id.as_bytes(), transaction_id.as_bytes(), &attempt.to_be_bytes()];
        RefundId(self.derive("refund", &parts))
    }

    /// What names the task that gives a captured transaction back while no payment is stored for
    /// it: not the id of a refund, so that an order's refund of the same money has another task.
    #[must_use]
    pub fn unmatched_task(&self, payment_id: &str, transaction_id: &str) -> RefundId {
        let parts = [payment_id.as_bytes(), transaction_id.as_bytes()];
        RefundId(self.derive("unmatched", &parts))
    }

    /// The echo as text, at most [`ECHO_LEN_MAX`] characters.
    #[must_use]
    pub fn seal_echo(&self, echo: &Echo) -> String {
        let Echo { booking_id, order_id, order_seq, attempt } = echo;
        let mark = self.mark(echo);
        format!("{ECHO_PREFIX}{booking_id}.{order_id}.{order_seq}.{attempt}.{mark}")
    }

    /// Reads an echo; `None` unless it carries this deployment's mark.
    #[must_use]
    pub fn open_echo(&self, text: &str) -> Option<Echo> {
        let mut parts = text.strip_prefix(ECHO_PREFIX)?.split('.');
        let echo = Echo {
            booking_id: BookingId::parse(parts.next()?)?,
            order_id: OrderId::parse(parts.next()?)?,
            order_seq: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
        };
        // Comparing the whole text leaves one spelling of each number and nothing behind the mark.
        (self.seal_echo(&echo) == text).then_some(echo)
    }

    fn mark(&self, echo: &Echo) -> String {
        let parts = [
            echo.booking_id.0.as_bytes(),
            echo.order_id.0.as_bytes(),
            &echo.order_seq.to_be_bytes(),
            &echo.attempt.to_be_bytes(),
        ];
        self.derive("echo", &parts)
    }

    fn derive(&self, kind: &str, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in std::iter::once(&kind.as_bytes()).chain(parts) {
            // A length in front of each part: ("ab", "c") and ("a", "bc") are different ids.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        hex(context.sign().as_ref()).take(ID_LEN).collect()
    }
}

/// Bytes in hexadecimal, two small digits each.
pub fn hex(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    halves.filter_map(|half| char::from_digit(half.into(), 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids::new(&[7; 32]).unwrap()
    }

    #[test]
    fn every_byte_is_two_small_digits() {
        let digits = |bytes: &[u8]| hex(bytes).collect::<String>();
        assert_eq!(digits(&[0x00, 0x09, 0x0a, 0x10, 0x9f, 0xa0, 0xff]), "00090a109fa0ff");
        assert_eq!(digits(&[]), "");
    }

    #[test]
    fn only_the_same_secret_derives_the_same_ids() {
        assert!(ids().derive_like(&ids()));
        for other in [vec![8; 32], vec![7; 33]] {
            assert!(!ids().derive_like(&Ids::new(&other).unwrap()), "{other:?}");
        }
    }

    fn echo() -> Echo {
        Echo {
            booking_id: ids().booking("alice", "k", &ids().product_tag("desk")),
            order_id: ids().order(&ids().fresh_token([1; 16])),
            order_seq: 4_294_967_295,
            attempt: 99,
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(Ids::new(&[0; 31]).is_none());
        assert!(Ids::new(&[0; 32]).is_some());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let tag = ids().product_tag("desk");
        assert_ne!(ids().booking("ab", "c", &tag), ids().booking("a", "bc", &tag));
    }

    #[test]
    fn a_booking_id_names_its_product_and_its_key_does_not_depend_on_it() {
        let (desk, room) = (ids().product_tag("desk"), ids().product_tag("room"));
        let (at_desk, in_room) = (ids().booking("a", "k", &desk), ids().booking("a", "k", &room));
        assert_eq!(at_desk.product_tag(), desk);
        assert_eq!(at_desk.key(), in_room.key());
        assert_ne!(at_desk, in_room);
        assert!(BookingId::parse(at_desk.as_str()).is_some());
    }

    #[test]
    fn an_echo_fits_the_shortest_field_and_comes_back() {
        let text = ids().seal_echo(&echo());
        assert!(text.len() <= ECHO_LEN_MAX, "{}", text.len());
        assert_eq!(ids().open_echo(&text), Some(echo()));
    }

    #[test]
    fn an_echo_of_another_deployment_or_with_any_character_changed_is_not_ours() {
        let text = ids().seal_echo(&echo());
        assert_eq!(Ids::new(&[8; 32]).unwrap().open_echo(&text), None);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(ids().open_echo(&String::from_utf8(bytes).unwrap()), None, "{at}");
        }
        assert_eq!(ids().open_echo(&format!("{text}.x")), None);
    }

    /// What stands in tables and at gateways must be derived again by every release.
    #[test]
    fn what_the_first_release_derived_is_derived_again() {
        let Echo { booking_id, order_id, .. } = echo();
        let gateway = GatewayName::parse("wechat_pay").unwrap();
        let payment_id = ids().payment(&order_id, &gateway, 1);
        assert_eq!(booking_id.as_str(), "d6ddfd23041f41aec33e7cf0e6f170a3");
        assert_eq!(order_id.as_str(), "3f6c4a5c1b8f8582b511d4334e72299c");
        assert_eq!(payment_id.as_str(), "d65126b85d9d5548f0bfbbf68816bfde");
        assert_eq!(
            ids().refund(payment_id.as_str(), "4200", 1).as_str(),
            "3496c3c9967b4f728be81d2780fb6828"
        );
        assert_eq!(
            ids().unmatched_task(payment_id.as_str(), "4200").as_str(),
            "0d03a91971b39e0be2d7b48c425f2c55"
        );
        assert_eq!(
            ids().seal_echo(&echo()),
            "lp1.d6ddfd23041f41aec33e7cf0e6f170a3.3f6c4a5c1b8f8582b511d4334e72299c.\
             4294967295.99.6e9551ac018b65e492176f9e316ad3bb"
        );
        let number = "00112233445566778899aabbccddeeff0123456789abcdef01234500000011";
        let read = RefundNumber::from_wire(number).unwrap();
        assert_eq!(read.refund_id.as_str(), "00112233445566778899aabbccddeeff");
        assert_eq!((read.booking_key.as_str(), read.order_seq), ("0123456789abcdef012345", 17));
    }

    #[test]
    fn a_booking_is_referred_to_by_its_id_a_refund_number_or_an_echo() {
        let number = RefundNumber {
            refund_id: ids().refund("p", "t", 1),
            booking_key: echo().booking_id.key().to_owned(),
            order_seq: 17,
        };
        for reference in [
            BookingReference::Id(echo().booking_id),
            BookingReference::Refund(number.clone()),
            BookingReference::Echo(ids().seal_echo(&echo())),
        ] {
            assert_eq!(BookingReference::parse(&reference.to_text()), Some(reference));
        }
        let full = format!("{ECHO_PREFIX}{}", "a".repeat(ECHO_LEN_MAX - ECHO_PREFIX.len()));
        assert!(BookingReference::parse(&full).is_some());
        let id = echo().booking_id;
        for text in [
            String::new(),
            format!("{id}0"),
            id.as_str().to_uppercase(),
            format!("{}0", number.to_wire()),
            format!("{full}a"),
            format!("{ECHO_PREFIX}{id}/{id}"),
            format!("lp2.{id}"),
        ] {
            assert_eq!(BookingReference::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_refund_number_comes_back_and_fits() {
        let number = RefundNumber {
            refund_id: ids().refund("p", "t", 1),
            booking_key: echo().booking_id.key().to_owned(),
            order_seq: 17,
        };
        assert!(number.to_wire().len() <= 64);
        assert_eq!(RefundNumber::from_wire(&number.to_wire()), Some(number));
        assert_eq!(RefundNumber::from_wire("RF20260101080000000001"), None);
    }
}
