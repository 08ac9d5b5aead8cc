//! Amounts as China's gateways write them: yuan in decimal notation. No float touches them.

use domain::money::{Currency, Money};

/// The only currency of a mainland merchant.
pub(crate) const CURRENCY: &str = "CNY";

/// One yuan in fen.
const YUAN: i64 = 100;

/// Yuan with two decimals, from fen.
pub(crate) fn text(amount: Money) -> String {
    let (yuan, fen) = (amount.amount / YUAN, amount.amount % YUAN);
    format!("{yuan}.{fen:02}")
}

/// The amount of a text in yuan, as [`fen`] reads it.
pub(crate) fn amount(text: &str) -> Option<Money> {
    Some(Money::new(fen(text)?, Currency::parse(CURRENCY)?))
}

/// The fen of a text in yuan with at most two decimals: `10.9` is `10.90`. `None` if it is
/// anything else, a sign included.
pub(crate) fn fen(text: &str) -> Option<i64> {
    let (yuan, fen) = text.split_once('.').unwrap_or((text, "0"));
    let fen = match fen.len() {
        1 => digits(fen)?.checked_mul(10)?,
        2 => digits(fen)?,
        _ => return None,
    };
    digits(yuan)?.checked_mul(YUAN)?.checked_add(fen)
}

fn digits(text: &str) -> Option<i64> {
    // `parse` alone would take a sign.
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_to_the_fen_and_nothing_else_is() {
        for (text, expected) in [
            ("0.01", Some(1)),
            ("12.80", Some(1280)),
            ("12.8", Some(1280)),
            ("12", Some(1200)),
            ("0.00", Some(0)),
            (" 0.00", None),
            ("12.", None),
            ("12.801", None),
            ("-0.01", None),
            ("+0.01", None),
            (".5", None),
            ("1,000.00", None),
            ("1e3", None),
            ("", None),
            ("92233720368547758.08", None),
            ("92233720368547758.07", Some(i64::MAX)),
        ] {
            assert_eq!(fen(text), expected, "{text:?}");
        }
    }
}
