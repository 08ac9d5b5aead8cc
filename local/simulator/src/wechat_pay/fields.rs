//! Lengths, characters and addresses, as the field tables of the official pages have them.

use std::ops::RangeInclusive;

use http::Uri;

use super::refusal::Refusal;
use super::{APPID, MCHID};

type Checked = Result<(), Refusal>;

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

/// 6 to 32 of `[0-9A-Za-z_\-|*]`.
pub(super) fn out_trade_no(value: &str) -> Checked {
    text("out_trade_no", value, 6..=32)?;
    characters("out_trade_no", value, "_-|*")
}

/// 1 to 64 of `[0-9A-Za-z_\-|*@]`.
pub(super) fn out_refund_no(value: &str) -> Checked {
    text("out_refund_no", value, 1..=64)?;
    characters("out_refund_no", value, "_-|*@")
}

/// The merchant that signed is the only one that may be named.
pub(super) fn mchid(value: &str) -> Checked {
    text("mchid", value, 1..=32)?;
    if value == MCHID { Ok(()) } else { Err(Refusal::unknown_merchant()) }
}

/// The app must be bound to the merchant.
pub(super) fn appid(value: &str) -> Checked {
    text("appid", value, 1..=32)?;
    if value == APPID { Ok(()) } else { Err(Refusal::appid_mismatch()) }
}

/// Only `CNY` is ever asked for in mainland China.
pub(super) fn currency(value: &str) -> Checked {
    if value == "CNY" { Ok(()) } else { Err(Refusal::parameter("amount.currency: CNY")) }
}

/// An amount in fen.
pub(super) fn fen(name: &str, value: i64) -> Checked {
    if value >= 1 { Ok(()) } else { Err(Refusal::parameter(format!("{name}: at least 1 fen"))) }
}

/// An `https` address without a query; `http` where the host is this machine.
pub(super) fn notify_url(value: &str, max: usize) -> Checked {
    text("notify_url", value, 1..=max)?;
    if is_callback(value) {
        return Ok(());
    }
    Err(Refusal::parameter("notify_url: an https address without query or fragment"))
}

fn characters(name: &str, value: &str, others: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    if value.chars().all(allowed) {
        return Ok(());
    }
    Err(Refusal::parameter(format!("{name}: letters, digits and {others}")))
}

fn is_callback(value: &str) -> bool {
    let Ok(uri) = value.parse::<Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else { return false };
    let secure = match uri.scheme_str() {
        Some("https") => true,
        // The real gateway wants https; the laptop has no certificate for itself.
        Some("http") => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        Some(_) | None => false,
    };
    secure && !host.is_empty() && !value.contains(['?', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_out_trade_no_keeps_to_its_length_and_characters() {
        for (value, accepted) in [
            ("123456", true),
            ("12345", false),
            ("aZ09_-|*", true),
            ("aZ09_-|*@", false),
            ("订单订单订单", false),
            ("12345678901234567890123456789012", true),
            ("123456789012345678901234567890123", false),
        ] {
            assert_eq!(out_trade_no(value).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn an_out_refund_no_keeps_to_its_length_and_characters() {
        let longest = "r".repeat(64);
        let too_long = "r".repeat(65);
        for (value, accepted) in
            [("1", true), ("", false), ("a@|*_-", true), ("a b", false), (&longest, true)]
        {
            assert_eq!(out_refund_no(value).is_ok(), accepted, "{value}");
        }
        assert!(out_refund_no(&too_long).is_err());
    }

    #[test]
    fn a_notify_url_is_https_or_local_and_has_no_query() {
        for (value, accepted) in [
            ("https://pay.example.com/v1/callbacks/wechat_pay", true),
            ("http://127.0.0.1:8080/v1/callbacks/wechat_pay", true),
            ("http://localhost/cb", true),
            ("http://pay.example.com/cb", false),
            ("https://pay.example.com/cb?order=1", false),
            ("https://pay.example.com/cb?", false),
            ("https://pay.example.com/cb#x", false),
            ("ftp://pay.example.com/cb", false),
            ("/cb", false),
            ("", false),
        ] {
            assert_eq!(notify_url(value, 255).is_ok(), accepted, "{value}");
        }
    }

    #[test]
    fn a_notify_url_keeps_to_its_length() {
        for (length, accepted) in [(254, true), (255, true), (256, false)] {
            let url = format!("{:a<length$}", "https://a/");
            assert_eq!(notify_url(&url, 255).is_ok(), accepted, "{length}");
        }
    }
}
