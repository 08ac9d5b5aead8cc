//! Short texts that come back to us: echoes, refund numbers, ids, names and page cursors.
//!
//! An input that begins with a zero byte is the parts of an echo and of a refund number; any other
//! is a text.
//!
//! - An echo opens only if it carries this deployment's mark, and then sealing what it says gives
//!   the same text. Another deployment opens none of ours.
//! - A refund number, an id, a gateway's name and a currency have one spelling: what is read is
//!   written the same.
//! - What is sealed or written fits the shortest field that a gateway has for it, and comes back.

use std::sync::LazyLock;

use arbitrary::Unstructured;
use domain::gateway::GatewayName;
use domain::ids::{BOOKING_KEY_LEN, BookingId, Echo, ID_LEN, Ids, OrderId, RefundId, RefundNumber};
use domain::money::Currency;
use store::bookings::is_page_start;

/// The longest echo, in characters: WeChat Pay's `attach` is the shortest field that carries one.
pub const ECHO_LEN_MAX: usize = 128;
/// The longest refund number, in characters: the shortest field of a gateway that takes one.
pub const REFUND_NUMBER_LEN_MAX: usize = 64;

static OURS: LazyLock<Ids> = LazyLock::new(|| ids(7));
static ANOTHERS: LazyLock<Ids> = LazyLock::new(|| ids(8));

fn ids(byte: u8) -> Ids {
    Ids::new(&[byte; 32]).expect("a long secret")
}

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    if let [0, parts @ ..] = bytes {
        let _ = written(&mut Unstructured::new(parts));
    } else if let Ok(text) = str::from_utf8(bytes) {
        read(text);
    }
}

fn read(text: &str) {
    if let Some(echo) = OURS.open_echo(text) {
        assert_eq!(OURS.seal_echo(&echo), text);
        assert!(text.len() <= ECHO_LEN_MAX);
        assert_eq!(ANOTHERS.open_echo(text), None);
    }
    if let Some(number) = RefundNumber::from_wire(text) {
        assert_eq!(number.to_wire(), text);
    }
    if let Some(id) = BookingId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert_eq!(format!("{}{}", id.key(), id.product_tag().as_str()), text);
    }
    if let Some(name) = GatewayName::parse(text) {
        assert!(name.as_str() == text && (1..=GatewayName::LEN_MAX).contains(&text.len()));
    }
    if let Some(currency) = Currency::parse(text) {
        assert_eq!(currency.as_str(), text);
    }
    if is_page_start(text) {
        let id = text.rsplit('#').next().and_then(BookingId::parse);
        assert!(id.is_some() && text.is_ascii(), "{text}");
    }
}

fn written(parts: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let echo = Echo {
        booking_id: BookingId::parse(&digits(parts, ID_LEN)?).expect("an id"),
        order_id: OrderId::parse(&digits(parts, ID_LEN)?).expect("an id"),
        order_seq: parts.arbitrary()?,
        attempt: parts.arbitrary()?,
    };
    let text = OURS.seal_echo(&echo);
    assert!(text.len() <= ECHO_LEN_MAX, "{} characters", text.len());
    assert_eq!(OURS.open_echo(&text), Some(echo));
    read(&text);
    let changed = change_one(parts, &text)?;
    assert!(changed == text || OURS.open_echo(&changed).is_none(), "{changed}");
    let number = RefundNumber {
        refund_id: RefundId::parse(&digits(parts, ID_LEN)?).expect("an id"),
        booking_key: digits(parts, BOOKING_KEY_LEN)?,
        order_seq: parts.arbitrary()?,
    };
    let text = number.to_wire();
    assert!(text.len() <= REFUND_NUMBER_LEN_MAX, "{} characters", text.len());
    assert_eq!(RefundNumber::from_wire(&text), Some(number));
    Ok(())
}

fn digits(parts: &mut Unstructured<'_>, len: usize) -> arbitrary::Result<String> {
    let bytes = parts.bytes(len)?;
    Ok(bytes.iter().map(|byte| format!("{:x}", byte % 16)).collect())
}

/// The same text with one character that may be another.
pub(crate) fn change_one(parts: &mut Unstructured<'_>, text: &str) -> arbitrary::Result<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = parts.choose_index(bytes.len())?;
    bytes[at] = parts.int_in_range(b' '..=b'~')?;
    Ok(String::from_utf8(bytes).expect("only ASCII was changed"))
}
