//! Amounts as Alipay writes them: yuan in decimal notation. No float touches them.

use domain::money::{Currency, Money};

/// The only currency of a mainland merchant.
pub(super) const CURRENCY: &str = "CNY";

/// One yuan in fen.
const YUAN: i64 = 100;

/// Yuan with two decimals, from fen.
pub(super) fn text(amount: Money) -> String {
    let (yuan, fen) = (amount.amount / YUAN, amount.amount % YUAN);
    format!("{yuan}.{fen:02}")
}

/// The amount of a text in yuan with at most two decimals: `10.9` is `10.90`. `None` if it is
/// anything else, a sign included.
pub(super) fn amount(text: &str) -> Option<Money> {
    let (yuan, fen) = text.split_once('.').unwrap_or((text, "0"));
    let fen = match fen.len() {
        1 => digits(fen)?.checked_mul(10)?,
        2 => digits(fen)?,
        _ => return None,
    };
    let amount = digits(yuan)?.checked_mul(YUAN)?.checked_add(fen)?;
    Some(Money::new(amount, Currency::parse(CURRENCY)?))
}

fn digits(text: &str) -> Option<i64> {
    // `parse` alone would take a sign.
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
