//! Currencies, and which amounts of them Stripe takes.
//!
//! <https://docs.stripe.com/currencies> (read 2026-11-24): zero-decimal and three-decimal
//! currencies, minimum and maximum charge amounts.

use super::refusal::Refusal;
use crate::ledger::Money;

/// Eight digits, in any currency.
const AMOUNT_MAX: i64 = 99_999_999;

/// The last digit of a three-decimal amount is 0.
const THREE_DECIMAL_STEP: i64 = 10;

/// A currency, and the smallest amount of it that can be charged, in minor units.
struct Currency {
    name: &'static str,
    decimals: u8,
    min: i64,
}

const fn currency(name: &'static str, decimals: u8, min: i64) -> Currency {
    Currency { name, decimals, min }
}

/// The table of minimum amounts where it has one, else about half a US dollar.
const CURRENCIES: [Currency; 32] = [
    currency("aed", 2, 200),
    currency("aud", 2, 50),
    currency("bhd", 3, 200),
    currency("brl", 2, 50),
    currency("cad", 2, 50),
    currency("chf", 2, 50),
    currency("clp", 0, 500),
    currency("cny", 2, 400),
    currency("czk", 2, 1_500),
    currency("dkk", 2, 250),
    currency("eur", 2, 50),
    currency("gbp", 2, 30),
    currency("hkd", 2, 400),
    currency("huf", 2, 17_500),
    currency("inr", 2, 50),
    currency("jod", 3, 400),
    currency("jpy", 0, 50),
    currency("krw", 0, 700),
    currency("kwd", 3, 200),
    currency("mxn", 2, 1_000),
    currency("myr", 2, 200),
    currency("nok", 2, 300),
    currency("nzd", 2, 50),
    currency("omr", 3, 200),
    currency("pln", 2, 200),
    currency("ron", 2, 200),
    currency("sek", 2, 300),
    currency("sgd", 2, 50),
    currency("thb", 2, 1_000),
    currency("tnd", 3, 2_000),
    currency("usd", 2, 50),
    currency("vnd", 0, 13_000),
];

/// What WeChat Pay can be charged in.
const WECHAT_PAY: [&str; 12] =
    ["aud", "cad", "chf", "cny", "dkk", "eur", "gbp", "hkd", "jpy", "nok", "sek", "sgd"];

/// What Alipay can be charged in.
const ALIPAY: [&str; 10] = ["aud", "cad", "cny", "eur", "gbp", "hkd", "jpy", "myr", "nzd", "sgd"];

/// Both take this as well.
const EVERY_METHOD: &str = "usd";

/// Refuses a currency that is not one of Stripe's, in lower case.
pub(super) fn check_name(name: &str, param: &str) -> Result<(), Refusal> {
    if find(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = CURRENCIES.iter().map(|known| known.name).collect();
    let names = names.join(", ");
    let message =
        format!("Invalid currency: {name}. Stripe currently supports these currencies: {names}");
    Err(Refusal::invalid(message).param(param))
}

/// Refuses what is not a whole number of the currency's smallest coin.
pub(super) fn check_step(amount: i64, name: &str, param: &str) -> Result<(), Refusal> {
    let three_decimals = find(name).is_some_and(|currency| currency.decimals == 3);
    if !three_decimals || amount.checked_rem(THREE_DECIMAL_STEP) == Some(0) {
        return Ok(());
    }
    let message = format!("Invalid amount: the last digit of an amount in {name} must be 0");
    Err(Refusal::invalid(message).code("parameter_invalid_integer").param(param))
}

/// Refuses an amount that cannot be charged; the currency is one of Stripe's.
pub(super) fn check_charge(money: &Money, param: &str) -> Result<(), Refusal> {
    let name = wire(&money.currency);
    check_step(money.amount, &name, param)?;
    let min = find(&name).map_or(AMOUNT_MAX, |currency| currency.min);
    if money.amount < min {
        let message = format!("Amount must be at least {}", shown(min, &name));
        return Err(Refusal::invalid(message).code("amount_too_small").param(param));
    }
    if money.amount > AMOUNT_MAX {
        let message = format!("Amount must be no more than {}", shown(AMOUNT_MAX, &name));
        return Err(Refusal::invalid(message).code("amount_too_large").param(param));
    }
    Ok(())
}

/// Refuses a payment method that cannot be charged in the currency.
pub(super) fn check_method(method: &str, name: &str) -> Result<(), Refusal> {
    let taken = match method {
        "wechat_pay" => WECHAT_PAY.contains(&name) || name == EVERY_METHOD,
        "alipay" => ALIPAY.contains(&name) || name == EVERY_METHOD,
        _ => true,
    };
    if taken {
        return Ok(());
    }
    let message = format!("The currency provided ({name}) is invalid for {method} payments");
    Err(Refusal::invalid(message).param("payment_method_types"))
}

/// The currency as the ledger has it.
pub(super) fn ledger(name: &str) -> String {
    name.to_ascii_uppercase()
}

/// The currency as the wire has it.
pub(super) fn wire(currency: &str) -> String {
    currency.to_ascii_lowercase()
}

/// An amount as a message shows it, such as `12.80 cny`.
pub(super) fn shown(amount: i64, name: &str) -> String {
    let decimals = usize::from(find(name).map_or(0, |currency| currency.decimals));
    let digits = format!("{amount:0width$}", width = decimals.saturating_add(1));
    match digits.split_at_checked(digits.len().saturating_sub(decimals)) {
        Some((whole, part)) if !part.is_empty() => format!("{whole}.{part} {name}"),
        Some(_) | None => format!("{digits} {name}"),
    }
}

fn find(name: &str) -> Option<&'static Currency> {
    CURRENCIES.iter().find(|currency| currency.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charged(amount: i64, currency: &str) -> bool {
        check_charge(&Money { amount, currency: currency.to_owned() }, "amount").is_ok()
    }

    #[test]
    fn an_amount_is_charged_from_the_minimum_to_eight_digits() {
        for (amount, currency, accepted) in [
            (399, "CNY", false),
            (400, "CNY", true),
            (49, "USD", false),
            (50, "USD", true),
            (49, "JPY", false),
            (50, "JPY", true),
            (99_999_999, "USD", true),
            (100_000_000, "USD", false),
        ] {
            assert_eq!(charged(amount, currency), accepted, "{amount} {currency}");
        }
    }

    #[test]
    fn the_last_digit_of_three_decimals_is_zero() {
        for (amount, accepted) in [(5_120, true), (5_124, false), (5_130, true), (5_129, false)] {
            assert_eq!(charged(amount, "KWD"), accepted, "{amount}");
        }
        assert!(charged(5_124, "USD"));
    }

    #[test]
    fn a_currency_is_lower_case_and_known() {
        for (name, accepted) in [("cny", true), ("CNY", false), ("xxx", false), ("", false)] {
            assert_eq!(check_name(name, "currency").is_ok(), accepted, "{name}");
        }
    }

    #[test]
    fn an_amount_is_shown_with_the_decimals_of_its_currency() {
        for (amount, name, text) in [
            (1_280, "cny", "12.80 cny"),
            (5, "usd", "0.05 usd"),
            (500, "jpy", "500 jpy"),
            (5_120, "kwd", "5.120 kwd"),
        ] {
            assert_eq!(shown(amount, name), text);
        }
    }

    #[test]
    fn wechat_pay_and_alipay_have_currencies_of_their_own() {
        for (method, name, accepted) in [
            ("wechat_pay", "cny", true),
            ("wechat_pay", "myr", false),
            ("alipay", "myr", true),
            ("alipay", "usd", true),
            ("alipay", "chf", false),
            ("card", "kwd", true),
        ] {
            assert_eq!(check_method(method, name).is_ok(), accepted, "{method} {name}");
        }
    }
}
