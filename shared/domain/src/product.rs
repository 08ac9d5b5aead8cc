//! Products: rate plans, what they cost, and what makes one acceptable.

use jiff::tz::TimeZone;
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::gateway::GatewayName;
use crate::ids::hex;
use crate::money::{Currency, Money};

/// The longest product id, in characters: it is stored in each of its bookings.
pub const PRODUCT_ID_LEN_MAX: usize = 40;
/// The longest product name, in characters: gateways show it to the payer.
pub const NAME_LEN_MAX: usize = 80;
/// The largest quantity of one order.
pub const QUANTITY_MAX: u32 = 10_000;
/// The largest `max_renewals`.
pub const MAX_RENEWALS_MAX: u32 = 1_000;
/// The most quantity tiers.
pub const TIERS_MAX: usize = 10;
/// The most gateways of one product.
pub const GATEWAYS_MAX: usize = 8;
/// The largest unit price, in minor units: times [`QUANTITY_MAX`] it still fits in 64 bits.
pub const UNIT_PRICE_MAX: i64 = 100_000_000_000;
/// Shortest lifetime of a quote and of a payment, in seconds.
pub const TTL_S_MIN: u32 = 300;
/// Shortest lifetime where the flow is `instant`, in seconds.
pub const INSTANT_TTL_S_MIN: u32 = 60;
/// Longest lifetime of a quote and of a payment, in seconds.
pub const TTL_S_MAX: u32 = 7_200;
/// How many hex digits of the digest a price version keeps.
const PRICE_VERSION_LEN: usize = 16;

/// What a quantity counts. Days and months are calendar units of the product's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 3,600 seconds.
    Hour,
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
}

/// Which of the three flows a product sells by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// Price first, then order and payment in one submission.
    SubmitOnce,
    /// The quote makes the order, a click makes its payment.
    OrderFirst,
    /// The quote makes order and payment at once.
    Instant,
}

/// Whether a price must still hold when an order's first payment is generated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceCheck {
    /// It must.
    On,
    /// The order's price stands.
    Off,
}

/// What becomes of a payment that was made after `pay_by` while its order was still live.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatePayment {
    /// It counts if the price has not changed.
    Accept,
    /// It goes back.
    Refund,
}

/// Prices from a quantity on; they hold for the whole quantity, not only for what exceeds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The smallest quantity that gets these prices.
    pub min_quantity: u32,
    /// For the first booking.
    pub first_unit_price: Money,
    /// For renewals.
    pub renewal_unit_price: Money,
}

/// `first` buys a booking, `renewal` extends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The first order of a booking.
    First,
    /// An extension of an active booking.
    Renewal,
}

impl Kind {
    /// The kind as routes, items and ids spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Renewal => "renewal",
        }
    }
}

/// What a caller says of a product; [`Product::define`] turns it into one.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductDefinition {
    /// What customers and gateways show.
    pub name: String,
    /// How it is sold.
    pub flow: Flow,
    /// What a quantity counts.
    pub unit: Unit,
    /// IANA name of the zone whose calendar days and months count.
    pub time_zone: String,
    /// Price of one unit of a first order.
    pub first_unit_price: Money,
    /// Price of one unit of a renewal.
    pub renewal_unit_price: Money,
    /// Other prices from larger quantities on, by ascending `min_quantity`.
    #[serde(default)]
    pub tiers: Vec<Tier>,
    /// Smallest quantity of an order.
    pub min_quantity: u32,
    /// Largest quantity of an order.
    pub max_quantity: u32,
    /// How often a booking may be renewed.
    pub max_renewals: u32,
    /// The one currency of all its prices.
    pub currency: Currency,
    /// How long a quote holds, in seconds.
    #[serde(default = "quote_ttl_s_default")]
    pub quote_ttl_s: u32,
    /// How long a payment can be made, in seconds; by default 900, for `instant` 120.
    pub payment_ttl_s: Option<u32>,
    /// Whether `order_first` checks the price again at the first payment.
    #[serde(default = "price_check_default")]
    pub price_check: PriceCheck,
    /// What becomes of late payments.
    #[serde(default = "late_payment_default")]
    pub late_payment: LatePayment,
    /// Accepted gateways; none at all retires the product.
    pub gateways: Vec<GatewayName>,
}

const fn quote_ttl_s_default() -> u32 {
    900
}

const fn price_check_default() -> PriceCheck {
    PriceCheck::On
}

const fn late_payment_default() -> LatePayment {
    LatePayment::Accept
}

/// A rate plan that is sold. Never deleted; without gateways it is retired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Product {
    /// Chosen by the operator: `a`-`z`, `0`-`9`, `-` and `_`.
    pub product_id: String,
    /// What customers and gateways show.
    pub name: String,
    /// How it is sold.
    pub flow: Flow,
    /// What a quantity counts.
    pub unit: Unit,
    /// IANA name of the zone whose calendar days and months count.
    pub time_zone: String,
    /// Price of one unit of a first order.
    pub first_unit_price: Money,
    /// Price of one unit of a renewal.
    pub renewal_unit_price: Money,
    /// Other prices from larger quantities on, by ascending `min_quantity`.
    pub tiers: Vec<Tier>,
    /// Smallest quantity of an order.
    pub min_quantity: u32,
    /// Largest quantity of an order.
    pub max_quantity: u32,
    /// How often a booking may be renewed.
    pub max_renewals: u32,
    /// The one currency of all its prices.
    pub currency: Currency,
    /// Changes with anything that a quote depends on.
    pub price_version: String,
    /// How long a quote holds, in seconds.
    pub quote_ttl_s: u32,
    /// How long a payment can be made, in seconds.
    pub payment_ttl_s: u32,
    /// Whether `order_first` checks the price again at the first payment.
    pub price_check: PriceCheck,
    /// What becomes of late payments.
    pub late_payment: LatePayment,
    /// Accepted gateways.
    pub gateways: Vec<GatewayName>,
}

/// What is wrong with a product's definition.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct InvalidProduct {
    /// The field at fault.
    pub field: &'static str,
    /// The rule that it breaks.
    pub rule: String,
}

impl InvalidProduct {
    fn new(field: &'static str, rule: impl Into<String>) -> Self {
        Self { field, rule: rule.into() }
    }
}

impl Product {
    /// Makes a product of what a caller says.
    ///
    /// # Errors
    /// [`InvalidProduct`] names the first field that breaks a rule.
    pub fn define(product_id: &str, from: ProductDefinition) -> Result<Self, InvalidProduct> {
        let payment_ttl_s = from.payment_ttl_s.unwrap_or(match from.flow {
            Flow::SubmitOnce | Flow::OrderFirst => 900,
            Flow::Instant => 120,
        });
        let mut product = Self {
            product_id: product_id.to_owned(),
            name: from.name,
            flow: from.flow,
            unit: from.unit,
            time_zone: from.time_zone,
            first_unit_price: from.first_unit_price,
            renewal_unit_price: from.renewal_unit_price,
            tiers: from.tiers,
            min_quantity: from.min_quantity,
            max_quantity: from.max_quantity,
            max_renewals: from.max_renewals,
            currency: from.currency,
            price_version: String::new(),
            quote_ttl_s: from.quote_ttl_s,
            payment_ttl_s,
            price_check: from.price_check,
            late_payment: from.late_payment,
            gateways: from.gateways,
        };
        product.check_names()?;
        product.check_quantities()?;
        product.check_prices()?;
        product.check_lifetimes()?;
        product.price_version = product.digest_of_price();
        Ok(product)
    }

    /// Whether it is sold at all.
    #[must_use]
    pub const fn is_retired(&self) -> bool {
        self.gateways.is_empty()
    }

    /// The price of one unit in an order of `quantity` units.
    #[must_use]
    pub fn unit_price(&self, kind: Kind, quantity: u32) -> Money {
        let tier = self.tiers.iter().rev().find(|tier| tier.min_quantity <= quantity);
        match (kind, tier) {
            (Kind::First, Some(tier)) => tier.first_unit_price,
            (Kind::Renewal, Some(tier)) => tier.renewal_unit_price,
            (Kind::First, None) => self.first_unit_price,
            (Kind::Renewal, None) => self.renewal_unit_price,
        }
    }

    /// The smallest and the largest amount that one order can come to, in minor units.
    #[must_use]
    pub fn amount_range(&self) -> (i64, i64) {
        // A unit price is constant between two tiers: the extremes lie at the ends of a stretch.
        let starts = self.tiers.iter().map(|tier| tier.min_quantity);
        let ends = starts.clone().map(|start| start.saturating_sub(1));
        let quantities = starts.chain(ends).chain([self.min_quantity, self.max_quantity]);
        let amounts = self.amounts_of(quantities);
        amounts.fold((i64::MAX, 0), |(min, max), amount| (min.min(amount), max.max(amount)))
    }

    /// Whether every order comes to a multiple of `step` minor units.
    #[must_use]
    pub fn comes_in_multiples_of(&self, step: i64) -> bool {
        // A unit price is constant between two tiers: if two amounts in a row are multiples, their
        // difference is, and so are all that follow.
        let starts = self.tiers.iter().map(|tier| tier.min_quantity).chain([self.min_quantity]);
        let quantities = starts.flat_map(|start| [start, start.saturating_add(1)]);
        self.amounts_of(quantities).all(|amount| amount.checked_rem(step) == Some(0))
    }

    /// What orders of these quantities come to, as far as they can be ordered.
    fn amounts_of(&self, quantities: impl Iterator<Item = u32>) -> impl Iterator<Item = i64> {
        quantities
            .filter(|quantity| (self.min_quantity..=self.max_quantity).contains(quantity))
            .flat_map(|quantity| [Kind::First, Kind::Renewal].map(|kind| (kind, quantity)))
            .filter_map(|(kind, quantity)| self.unit_price(kind, quantity).times(quantity))
            .map(|money| money.amount)
    }

    fn check_names(&self) -> Result<(), InvalidProduct> {
        let id = &self.product_id;
        let id_fits = (1..=PRODUCT_ID_LEN_MAX).contains(&id.len())
            && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if !id_fits {
            let rule = format!("1 to {PRODUCT_ID_LEN_MAX} of a-z, 0-9, - and _");
            return Err(InvalidProduct::new("product_id", rule));
        }
        let name_fits = (1..=NAME_LEN_MAX).contains(&self.name.chars().count())
            && !self.name.trim().is_empty()
            && !self.name.chars().any(char::is_control);
        if !name_fits {
            let rule = format!("1 to {NAME_LEN_MAX} characters, not blank, no control characters");
            return Err(InvalidProduct::new("name", rule));
        }
        if TimeZone::get(&self.time_zone).is_err() {
            return Err(InvalidProduct::new("time_zone", "a name of the IANA time zone database"));
        }
        self.check_gateways()
    }

    fn check_gateways(&self) -> Result<(), InvalidProduct> {
        let mut names = self.gateways.clone();
        names.sort();
        names.dedup();
        if names.len() != self.gateways.len() || names.len() > GATEWAYS_MAX {
            let rule = format!("at most {GATEWAYS_MAX} names, each of them once");
            return Err(InvalidProduct::new("gateways", rule));
        }
        Ok(())
    }

    fn check_quantities(&self) -> Result<(), InvalidProduct> {
        if self.min_quantity == 0 || self.min_quantity > self.max_quantity {
            return Err(InvalidProduct::new("min_quantity", "1 to max_quantity"));
        }
        if self.max_quantity > QUANTITY_MAX {
            return Err(InvalidProduct::new("max_quantity", format!("at most {QUANTITY_MAX}")));
        }
        if self.max_renewals > MAX_RENEWALS_MAX {
            return Err(InvalidProduct::new("max_renewals", format!("at most {MAX_RENEWALS_MAX}")));
        }
        let ascending = self
            .tiers
            .iter()
            .zip(self.tiers.iter().skip(1))
            .all(|(a, b)| a.min_quantity < b.min_quantity);
        let in_range = self
            .tiers
            .iter()
            .all(|tier| (self.min_quantity..=self.max_quantity).contains(&tier.min_quantity));
        if self.tiers.len() > TIERS_MAX || !ascending || !in_range {
            let rule = format!(
                "at most {TIERS_MAX}, by ascending min_quantity, each between min_quantity and \
                 max_quantity"
            );
            return Err(InvalidProduct::new("tiers", rule));
        }
        Ok(())
    }

    fn check_prices(&self) -> Result<(), InvalidProduct> {
        let tiers = self.tiers.iter().flat_map(|tier| {
            [("tiers", tier.first_unit_price), ("tiers", tier.renewal_unit_price)]
        });
        let prices = [
            ("first_unit_price", self.first_unit_price),
            ("renewal_unit_price", self.renewal_unit_price),
        ];
        for (field, price) in prices.into_iter().chain(tiers) {
            if price.currency != self.currency {
                let rule = format!("in the product's currency, {}", self.currency);
                return Err(InvalidProduct::new(field, rule));
            }
            if !(1..=UNIT_PRICE_MAX).contains(&price.amount) {
                let rule = format!("1 to {UNIT_PRICE_MAX} minor units");
                return Err(InvalidProduct::new(field, rule));
            }
        }
        Ok(())
    }

    fn check_lifetimes(&self) -> Result<(), InvalidProduct> {
        let min = match self.flow {
            Flow::SubmitOnce | Flow::OrderFirst => TTL_S_MIN,
            Flow::Instant => INSTANT_TTL_S_MIN,
        };
        for (field, ttl_s) in
            [("quote_ttl_s", self.quote_ttl_s), ("payment_ttl_s", self.payment_ttl_s)]
        {
            if !(min..=TTL_S_MAX).contains(&ttl_s) {
                let rule = format!("{min} to {TTL_S_MAX} seconds");
                return Err(InvalidProduct::new(field, rule));
            }
        }
        Ok(())
    }

    /// A digest of what quotes depend on, so that equal prices have equal versions.
    fn digest_of_price(&self) -> String {
        let priced = format!(
            "{:?} {:?} {} {:?} {:?} {:?} {} {} {} {}",
            self.flow,
            self.unit,
            self.time_zone,
            self.first_unit_price,
            self.renewal_unit_price,
            self.tiers,
            self.min_quantity,
            self.max_quantity,
            self.max_renewals,
            self.currency,
        );
        let digest = digest::digest(&digest::SHA256, priced.as_bytes());
        hex(digest.as_ref()).take(PRICE_VERSION_LEN).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cny(amount: i64) -> Money {
        Money::new(amount, Currency::parse("CNY").unwrap())
    }

    fn definition() -> ProductDefinition {
        ProductDefinition {
            name: "Desk".to_owned(),
            flow: Flow::OrderFirst,
            unit: Unit::Day,
            time_zone: "Asia/Shanghai".to_owned(),
            first_unit_price: cny(1280),
            renewal_unit_price: cny(990),
            tiers: vec![],
            min_quantity: 1,
            max_quantity: 90,
            max_renewals: 12,
            currency: Currency::parse("CNY").unwrap(),
            quote_ttl_s: 900,
            payment_ttl_s: None,
            price_check: PriceCheck::On,
            late_payment: LatePayment::Accept,
            gateways: vec![GatewayName::parse("wechat_pay").unwrap()],
        }
    }

    fn define(change: impl Fn(&mut ProductDefinition)) -> Result<Product, &'static str> {
        let mut from = definition();
        change(&mut from);
        Product::define("desk", from).map_err(|error| error.field)
    }

    #[test]
    fn each_broken_rule_names_its_field() {
        type Case = (&'static str, fn(&mut ProductDefinition));
        let cases: [Case; 19] = [
            ("name", |p| p.name = String::new()),
            ("name", |p| p.name = "  ".to_owned()),
            ("name", |p| p.name = "x".repeat(81)),
            ("name", |p| p.name = "a\nb".to_owned()),
            ("time_zone", |p| p.time_zone = "Asia/Shangri-La".to_owned()),
            ("min_quantity", |p| p.min_quantity = 0),
            ("min_quantity", |p| p.min_quantity = 91),
            ("max_quantity", |p| p.max_quantity = QUANTITY_MAX + 1),
            ("max_renewals", |p| p.max_renewals = MAX_RENEWALS_MAX + 1),
            ("first_unit_price", |p| p.first_unit_price = cny(0)),
            ("first_unit_price", |p| p.first_unit_price = cny(UNIT_PRICE_MAX + 1)),
            ("renewal_unit_price", |p| p.renewal_unit_price = cny(-1)),
            ("first_unit_price", |p| p.currency = Currency::parse("USD").unwrap()),
            ("quote_ttl_s", |p| p.quote_ttl_s = 299),
            ("quote_ttl_s", |p| p.quote_ttl_s = 7_201),
            ("payment_ttl_s", |p| p.payment_ttl_s = Some(299)),
            ("payment_ttl_s", |p| {
                p.flow = Flow::Instant;
                p.payment_ttl_s = Some(59);
            }),
            ("gateways", |p| p.gateways.push(p.gateways[0].clone())),
            ("tiers", |p| {
                p.tiers = [5, 5].map(|min_quantity| tier(min_quantity, 1000, 900)).to_vec();
            }),
        ];
        for (field, change) in cases {
            assert_eq!(define(change).unwrap_err(), field);
        }
        for id in ["", "Desk", "a b", &"a".repeat(41)] {
            assert_eq!(Product::define(id, definition()).unwrap_err().field, "product_id");
        }
    }

    fn tier(min_quantity: u32, first: i64, renewal: i64) -> Tier {
        Tier { min_quantity, first_unit_price: cny(first), renewal_unit_price: cny(renewal) }
    }

    #[test]
    fn lifetimes_at_their_bounds_are_taken() {
        assert!(define(|p| p.quote_ttl_s = 300).is_ok());
        assert!(define(|p| p.payment_ttl_s = Some(7_200)).is_ok());
        let instant = define(|p| p.flow = Flow::Instant).unwrap();
        assert_eq!(instant.payment_ttl_s, 120);
    }

    #[test]
    fn a_tier_prices_the_whole_quantity_from_its_start_on() {
        let product = define(|p| p.tiers = vec![tier(7, 1000, 900), tier(30, 800, 700)]).unwrap();
        for (quantity, first, renewal) in
            [(1, 1280, 990), (6, 1280, 990), (7, 1000, 900), (29, 1000, 900), (30, 800, 700)]
        {
            assert_eq!(product.unit_price(Kind::First, quantity), cny(first), "{quantity}");
            assert_eq!(product.unit_price(Kind::Renewal, quantity), cny(renewal), "{quantity}");
        }
    }

    #[test]
    fn the_amount_range_sees_the_last_quantity_before_a_cheaper_tier() {
        let product = define(|p| p.tiers = vec![tier(60, 10, 5)]).unwrap();
        assert_eq!(product.amount_range(), (300, 59 * 1280));
    }

    #[test]
    fn every_amount_is_a_multiple_or_the_product_is_not() {
        for (first, renewal, quantities, tiers, step, is_one) in [
            (1280, 990, (1, 90), vec![], 1, true),
            (1280, 990, (1, 90), vec![], 10, true),
            (1281, 990, (1, 90), vec![], 10, false),
            (1280, 991, (1, 90), vec![], 10, false),
            (5, 5, (2, 2), vec![], 10, true),
            (5, 5, (2, 3), vec![], 10, false),
            (10, 10, (1, 90), vec![tier(60, 10, 5)], 10, false),
            (10, 10, (1, 60), vec![tier(60, 10, 5)], 10, true),
            (10, 10, (1, 59), vec![tier(59, 10, 5)], 10, false),
        ] {
            let product = define(|p| {
                p.first_unit_price = cny(first);
                p.renewal_unit_price = cny(renewal);
                (p.min_quantity, p.max_quantity) = quantities;
                p.tiers = tiers.clone();
            })
            .unwrap();
            let told = product.comes_in_multiples_of(step);
            assert_eq!(told, is_one, "{first} {renewal} {quantities:?} {tiers:?} {step}");
        }
    }

    #[test]
    fn the_price_version_follows_what_quotes_depend_on_and_nothing_else() {
        let version = |change: fn(&mut ProductDefinition)| define(change).unwrap().price_version;
        let base = version(|_| {});
        assert_eq!(base, version(|p| p.name = "Other".to_owned()));
        assert_eq!(base, version(|p| p.quote_ttl_s = 600));
        for changed in [
            version(|p| p.first_unit_price = cny(1281)),
            version(|p| p.renewal_unit_price = cny(991)),
            version(|p| p.unit = Unit::Month),
            version(|p| p.flow = Flow::SubmitOnce),
            version(|p| p.time_zone = "UTC".to_owned()),
            version(|p| p.max_quantity = 91),
            version(|p| p.max_renewals = 13),
            version(|p| p.tiers = vec![tier(5, 1, 1)]),
        ] {
            assert_ne!(base, changed);
        }
    }
}
