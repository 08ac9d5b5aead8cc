//! Which currencies and amounts are taken.

use domain::money::Currency;

use super::settings::StripeCode;
use crate::AmountLimits;

/// The largest amount: eight digits. Source: <https://docs.stripe.com/currencies>, read 2026-11-24.
const AMOUNT_MAX: i64 = 99_999_999;

/// The smallest amount in each currency that is taken, in minor units.
///
/// Only currencies whose minor unit (ISO 4217) is the unit of Stripe's API are here, so that no
/// amount is ever converted: two decimals, none (`JPY`, `KRW`), or three. Left out are the three
/// whose units differ, where an amount would be wrong a hundredfold: `ISK` and `UGX` have no
/// decimals, and the API counts hundredths; `MGA` has two, and the API counts whole ones. `HUF` and
/// `TWD` are whole only when they are paid out.
///
/// The minimum is that of the page wherever it has one. What it has none for (`CNY`, `KRW`, `TWD`,
/// and all with three decimals) is held to the worth of 0.50 USD, rounded up. Where the account is
/// paid out in another currency, Stripe converts and compares there; what falls below is refused
/// when the payment is created.
/// Source: <https://docs.stripe.com/currencies>, "Minimum and maximum charge amounts", "Special
/// cases", read 2026-11-24.
const MINIMA: &[(&str, i64)] = &[
    ("AED", 200),
    ("AUD", 50),
    ("BHD", 200),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CNY", 400),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JOD", 400),
    ("JPY", 50),
    ("KRW", 1_000),
    ("KWD", 200),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("OMR", 200),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("TND", 2_000),
    ("TWD", 2_000),
    ("USD", 50),
];

/// With three decimals, the last digit must be 0, for the sake of Stripe's partners.
/// Source: <https://docs.stripe.com/currencies>, "Three-decimal currencies", read 2026-11-24.
const THREE_DECIMALS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];
const THREE_DECIMALS_STEP: i64 = 10;
/// The largest amount that is such a multiple.
const THREE_DECIMALS_MAX: i64 = 99_999_990;

/// What WeChat Pay takes through Stripe; the account's country decides which of them.
/// Source: <https://docs.stripe.com/payments/wechat-pay>, read 2026-11-24.
const WECHAT_PAY: &[&str] =
    &["AUD", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "HKD", "JPY", "NOK", "SEK", "SGD", "USD"];

/// What is taken in a currency; `None` if it is not taken.
pub(super) fn limits(code: StripeCode, currency: Currency) -> Option<AmountLimits> {
    let name = currency.as_str();
    let is_taken = match code {
        StripeCode::CheckoutSession => true,
        StripeCode::WechatPayQr => WECHAT_PAY.contains(&name),
    };
    let (_, min) = MINIMA.iter().find(|(known, _)| *known == name && is_taken)?;
    let (step, max) = match THREE_DECIMALS.contains(&name) {
        true => (THREE_DECIMALS_STEP, THREE_DECIMALS_MAX),
        false => (1, AMOUNT_MAX),
    };
    Some(AmountLimits { min: *min, max, step })
}
