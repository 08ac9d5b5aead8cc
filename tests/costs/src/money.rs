//! Dollars without floats.

use std::fmt;

use serde::Deserialize;
use serde::de::Error;

/// How many decimals a price may have.
const DECIMALS_MAX: usize = 12;
/// Picodollars in a dollar.
const DOLLAR: u128 = 1_000_000_000_000;
/// Picodollars in a cent.
const CENT: u128 = DOLLAR / 100;

/// An amount of dollars, exact to the picodollar: prices of a unit are small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Dollars(u128);

impl Dollars {
    /// Reads `0.0000133334`; `None` unless it is a plain decimal.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(decimals) {
            return None;
        }
        let padded = format!("{decimals:0<DECIMALS_MAX$}");
        let decimals: u128 = (padded.len() == DECIMALS_MAX).then(|| padded.parse().ok())??;
        let whole: u128 = whole.parse().ok()?;
        Some(Self(whole.checked_mul(DOLLAR)?.checked_add(decimals)?))
    }

    /// What `units` come to where this is the price of `per` of them.
    #[must_use]
    pub const fn of(self, units: u128, per: u128) -> Self {
        Self(self.0 * units / per)
    }
}

impl std::iter::Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

/// In dollars and cents, half a cent rounded up.
impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = (self.0 + CENT / 2) / CENT;
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text} is no plain decimal")))
    }
}

#[cfg(test)]
mod tests {
    use super::Dollars;

    #[test]
    fn a_price_is_a_plain_decimal_of_twelve_decimals_at_most() {
        for (text, read) in [
            ("0.625", Some(625_000_000_000)),
            ("1", Some(1_000_000_000_000)),
            ("0.0000133334", Some(13_333_400)),
            ("0.000000000001", Some(1)),
            ("0.0000000000001", None),
            ("", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("1,5", None),
        ] {
            assert_eq!(Dollars::parse(text), read.map(Dollars), "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_cents_and_half_a_cent_counts_as_one() {
        for (text, shown) in
            [("0", "0.00"), ("0.0049", "0.00"), ("0.005", "0.01"), ("12.3", "12.30")]
        {
            assert_eq!(Dollars::parse(text).unwrap().to_string(), shown);
        }
        let price = Dollars::parse("0.625").unwrap();
        assert_eq!(price.of(24_000_000, 1_000_000).to_string(), "15.00");
    }
}
