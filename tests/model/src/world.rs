//! What there is in a small world, and what bounds it.

use std::sync::LazyLock;

use domain::decide::start_payment::{At, PaymentPlan};
use domain::gateway::GatewayName;
use domain::ids::Ids;
use domain::money::{Currency, Money};
use domain::product::{Flow, LatePayment, PriceCheck, Product, ProductDefinition, Unit};
use jiff::Timestamp;

use crate::milestone::Milestone;

/// How long quotes and payments live, in seconds: the shortest that a product may have.
const TTL_S: u32 = 300;
/// How long after `pay_by` gateway B's unpaid code lives, in seconds: nobody can close it.
pub const CODE_OUTLIVES_S: i64 = 120;
/// Renewals that a booking may see.
const RENEWALS_MAX: u32 = 1;
/// The moment that the clock starts at.
const START_S: i64 = 1_772_323_200;

/// One of the two gateways. They differ in what they say of a code that nobody has paid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Gateway {
    /// It knows a code from its creation on, and closes it when told to.
    A,
    /// It knows a code only once it is paid: an unpaid one is 'not found', cannot be closed, and
    /// ends by itself some time after `pay_by`.
    B,
}

impl Gateway {
    /// Its name in products and payments.
    #[must_use]
    pub fn name(self) -> &'static GatewayName {
        match self {
            Self::A => &NAMES.0,
            Self::B => &NAMES.1,
        }
    }

    /// The gateway of that name.
    #[must_use]
    pub fn named(name: &GatewayName) -> Self {
        if *name == NAMES.1 { Self::B } else { Self::A }
    }
}

static NAMES: LazyLock<(GatewayName, GatewayName)> =
    LazyLock::new(|| (name("gateway_a"), name("gateway_b")));

/// Ids under a fixed secret: the same history has the same ids in every run.
pub static IDS: LazyLock<Ids> = LazyLock::new(|| fixed(Ids::new(&[7; 32])));

/// The product before and after its price changes, and as either flow and policy sells it.
static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    let mut all = vec![];
    for flow in [Flow::SubmitOnce, Flow::OrderFirst, Flow::Instant] {
        for late_payment in [LatePayment::Accept, LatePayment::Refund] {
            for first_price in [1_000, 1_100] {
                all.push(define(flow, late_payment, first_price));
            }
        }
    }
    all
});

/// What is there unless the model itself is wrong.
#[expect(clippy::panic, reason = "a model that is wrong must not go on and find nothing")]
pub(crate) fn fixed<T>(value: Option<T>) -> T {
    value.unwrap_or_else(|| panic!("the model is wrong"))
}

fn name(text: &str) -> GatewayName {
    fixed(GatewayName::parse(text))
}

fn define(flow: Flow, late_payment: LatePayment, first_price: i64) -> Product {
    let currency = fixed(Currency::parse("CNY"));
    let definition = ProductDefinition {
        name: "Desk".to_owned(),
        flow,
        // An hour is the same everywhere: calendars have tests of their own.
        unit: Unit::Hour,
        time_zone: "UTC".to_owned(),
        first_unit_price: Money::new(first_price, currency),
        renewal_unit_price: Money::new(800, currency),
        tiers: vec![],
        min_quantity: 1,
        max_quantity: 4,
        max_renewals: RENEWALS_MAX,
        currency,
        quote_ttl_s: TTL_S,
        payment_ttl_s: Some(TTL_S),
        price_check: PriceCheck::On,
        late_payment,
        gateways: vec![Gateway::A.name().clone(), Gateway::B.name().clone()],
    };
    fixed(Product::define("desk", definition).ok())
}

/// The moment that many seconds after the clock's start.
#[must_use]
pub fn moment(seconds: i64) -> Timestamp {
    fixed(START_S.checked_add(seconds).and_then(|second| Timestamp::from_second(second).ok()))
}

/// How a payment is to be made at a gateway. The request's text decides nothing.
#[must_use]
pub fn at(gateway: Gateway) -> At<'static> {
    At { gateway: gateway.name(), create_body: &body }
}

/// The request that creates a payment, as short as it may be.
#[must_use]
pub fn body(plan: &PaymentPlan) -> String {
    plan.payment_id.to_string()
}

/// Everything that bounds a small world. Numbers count over a whole history.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name on the command line.
    pub name: &'static str,
    /// How the product is sold.
    pub flow: Flow,
    /// What becomes of late payments.
    pub late_payment: LatePayment,
    /// The gateways that customers choose from.
    pub gateways: &'static [Gateway],
    /// The moments at which the clock stands, in seconds from its start. The last one is so late
    /// that nothing is on its way any more.
    pub clock_s: &'static [i64],
    /// The last of those moments, counted from 0, at which customers ask for anything.
    pub asking_until: u8,
    /// New quotes: each is another window's, for one unit more than the one before it.
    pub quotes: u8,
    /// Payments that are started.
    pub payments: u8,
    /// Codes that a wallet pays.
    pub captures: u8,
    /// Paid codes that are paid once more.
    pub second_captures: u8,
    /// Captures of another amount, among all captures.
    pub odd_captures: u8,
    /// Changes of the price.
    pub price_changes: u8,
    /// Orders that are dropped.
    pub dropped_orders: u8,
    /// Cancellations of the booking.
    pub cancellations: u8,
    /// Creates that a gateway finally refuses.
    pub refusals: u8,
    /// Refund attempts that fail, are finally refused, or are taken back after they arrived.
    pub refund_faults: u8,
    /// Functions that run at the same time.
    pub running: u8,
    /// How long after `pay_by` + the longest function time-out gateway A is not believed when it
    /// does not know a code, in seconds.
    pub grace_s: i64,
    /// How many steps from the beginning are looked at, where the world is too large to be explored
    /// to its end.
    pub depth: Option<usize>,
    /// What must be reached somewhere in this world.
    pub milestones: &'static [Milestone],
}

impl World {
    /// The product as it is after so many changes of its price.
    #[must_use]
    pub fn product(&self, price_changes: u8) -> &'static Product {
        let sold = |product: &&Product| {
            product.flow == self.flow && product.late_payment == self.late_payment
        };
        fixed(PRODUCTS.iter().filter(sold).nth(usize::from(price_changes)))
    }

    /// The clock's moment, in seconds from its start.
    #[must_use]
    pub fn second(&self, at: u8) -> i64 {
        fixed(self.clock_s.get(usize::from(at)).copied())
    }

    /// How many moments the clock has after this one.
    #[must_use]
    pub fn is_last(&self, at: u8) -> bool {
        usize::from(at).saturating_add(1) >= self.clock_s.len()
    }

    /// For how long 'not found' is not believed at a gateway, from `pay_by` + the longest function
    /// time-out on, in seconds.
    #[must_use]
    pub const fn grace_of(&self, gateway: Gateway) -> i64 {
        match gateway {
            Gateway::A => self.grace_s,
            Gateway::B => self.grace_s.saturating_add(CODE_OUTLIVES_S),
        }
    }
}
