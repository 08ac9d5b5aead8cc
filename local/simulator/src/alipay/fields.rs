//! Lengths and characters, as the field tables of the official pages have them.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;
use super::{time, yuan};

type Checked = Result<(), Refusal>;

/// The largest amount: 100,000,000 yuan.
const FEN_MAX: i64 = 10_000_000_000;

/// The longest timeout: 15 days, in minutes.
const TIMEOUT_MIN_MAX: i64 = 15 * 24 * 60;

/// Reads `biz_content`; a field that the method does not know is refused.
pub(super) fn biz_content<T: DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    serde_json::from_value(value.clone()).map_err(|error| Refusal::parameter(error.to_string()))
}

/// A text field; lengths count characters.
pub(super) fn text(name: &str, value: &str, lengths: RangeInclusive<usize>) -> Checked {
    if lengths.contains(&value.chars().count()) {
        return Ok(());
    }
    let (min, max) = (lengths.start(), lengths.end());
    Err(Refusal::parameter(format!("{name}: {min} to {max} characters")))
}

/// A text field that may be absent.
pub(super) fn optional_text(name: &str, value: Option<&String>, max: usize) -> Checked {
    value.map_or(Ok(()), |value| text(name, value, 0..=max))
}

/// A nested object that may be absent; what is in it changes nothing here.
pub(super) fn optional_object(name: &str, value: Option<&Value>) -> Checked {
    if value.is_none_or(Value::is_object) {
        return Ok(());
    }
    Err(Refusal::parameter(format!("{name}: an object")))
}

/// 1 to 64 of `[0-9A-Za-z_]`.
pub(super) fn out_trade_no(value: &str) -> Checked {
    text("out_trade_no", value, 1..=64)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if value.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::parameter("out_trade_no: letters, digits and _"))
}

/// What is sold: none of the characters that the pages forbid.
pub(super) fn subject(value: &str) -> Checked {
    text("subject", value, 1..=256)?;
    if value.contains(['/', '=', '&']) {
        return Err(Refusal::parameter("subject: none of / = &"));
    }
    Ok(())
}

/// The merchant's own text must be sent URL-encoded, inside the encoding of the form.
pub(super) fn passback_params(value: &str) -> Checked {
    text("passback_params", value, 0..=512)?;
    let encoded = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()+%".contains(&byte);
    if value.bytes().all(encoded) {
        return Ok(());
    }
    Err(Refusal::parameter("passback_params: URL-encoded"))
}

/// An amount in yuan, at least a fen, as fen.
pub(super) fn fen(name: &str, value: &str) -> Result<i64, Refusal> {
    let fen = yuan::parse(value).filter(|fen| *fen >= 1);
    let fen = fen.ok_or_else(|| Refusal::parameter(format!("{name}: yuan, 0.01 or more")))?;
    if fen > FEN_MAX {
        return Err(Refusal::business("ACQ.TOTAL_FEE_EXCEED", "订单总金额不在允许范围内"));
    }
    Ok(fen)
}

/// When a relative timeout ends: `1m` to `15d` in minutes, hours or days, or `1c`, the midnight
/// of the day.
pub(super) fn timeout(name: &str, value: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let end = if value == "1c" { time::midnight(now) } else { after_timeout(value, now) };
    end.ok_or_else(|| Refusal::parameter(format!("{name}: 1m to 15d")))
}

fn after_timeout(value: &str, now: Timestamp) -> Option<Timestamp> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    let count: i64 =
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    let minutes = match unit {
        "m" => Some(count),
        "h" => count.checked_mul(60),
        "d" => count.checked_mul(24 * 60),
        _ => None,
    }?;
    let length =
        SignedDuration::from_mins((1..=TIMEOUT_MIN_MAX).contains(&minutes).then_some(minutes)?);
    now.checked_add(length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_out_trade_no_keeps_to_its_length_and_characters() {
        let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
        for (value, accepted) in [
            ("a", true),
            ("", false),
            ("aZ09_", true),
            ("a-b", false),
            ("订单", false),
            (longest.as_str(), true),
            (too_long.as_str(), false),
        ] {
            assert_eq!(out_trade_no(value).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn a_subject_holds_none_of_the_forbidden_characters() {
        for (value, accepted) in
            [("书桌 1 天", true), ("", false), ("a/b", false), ("a=b", false), ("a&b", false)]
        {
            assert_eq!(subject(value).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn passback_params_come_encoded() {
        for (value, accepted) in
            [("lp1.a%3Db", true), ("a b", false), ("a=b", false), ("a&b", false), ("书", false)]
        {
            assert_eq!(passback_params(value).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn an_amount_is_between_a_fen_and_a_hundred_million_yuan() {
        for (value, accepted) in
            [("0.01", true), ("0.00", false), ("100000000.00", true), ("100000000.01", false)]
        {
            assert_eq!(fen("total_amount", value).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn a_timeout_is_a_whole_number_of_minutes_hours_or_days() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (value, end) in [
            ("1m", Some("2026-01-01T00:01:00Z")),
            ("2h", Some("2026-01-01T02:00:00Z")),
            ("15d", Some("2026-01-16T00:00:00Z")),
            ("1c", Some("2026-01-01T16:00:00Z")),
            ("0m", None),
            ("16d", None),
            ("21601m", None),
            ("1.5h", None),
            ("-1m", None),
            ("2c", None),
            ("m", None),
            ("1分", None),
            ("", None),
        ] {
            let end = end.map(|end| end.parse().unwrap());
            assert_eq!(timeout("timeout_express", value, now).ok(), end, "{value}");
        }
    }
}
