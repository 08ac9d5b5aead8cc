//! Builders of what decisions read, in any state, and the checks that every change must pass.
//!
//! The clock of these tests starts at [`t`]`(0)`: then the quote is made and with it the order.

use std::fmt::Debug;
use std::sync::LazyLock;

use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Pins, Refund,
    RefundReason, RefundStatus, Term,
};
use domain::change::Change;
use domain::decide::Env;
use domain::decide::start_payment::{At, PaymentPlan};
use domain::gateway::{Capture, GatewayName};
use domain::ids::{Ids, PaymentId, TokenId};
use domain::money::{Currency, Money};
use domain::product::{Flow, Kind, LatePayment, PriceCheck, Product, ProductDefinition, Unit};
use domain::quote::Quote;
use domain::task::{Task, TaskKind};
use jiff::Timestamp;

/// The product that [`pending`] and [`order`] are of, defined once: many thousands of cases are.
pub(crate) static DESK: LazyLock<Product> = LazyLock::new(|| product(|_| {}));
pub(crate) static IDS: LazyLock<Ids> = LazyLock::new(|| Ids::new(&[7; 32]).unwrap());
pub(crate) static WECHAT: LazyLock<GatewayName> = LazyLock::new(|| gateway("wechat_pay"));
pub(crate) static ALIPAY: LazyLock<GatewayName> = LazyLock::new(|| gateway("alipay"));
pub(crate) static STRIPE: LazyLock<GatewayName> = LazyLock::new(|| gateway("stripe"));

pub(crate) const DAY_MS: i64 = 86_400_000;
/// When quotes end: the product's 900 seconds after they were made.
pub(crate) const QUOTE_ENDS_MS: i64 = 900_000;
/// When an order's payments end: the product's 600 seconds after the first was written.
pub(crate) const PAY_BY_MS: i64 = 600_000;
/// When an active booking's term ends.
pub(crate) const TERM_ENDS_MS: i64 = 20 * DAY_MS;

fn gateway(name: &str) -> GatewayName {
    GatewayName::parse(name).unwrap()
}

/// The moment that many milliseconds after 2026-03-01T00:00:00Z.
pub(crate) fn t(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_323_200_000 + ms).unwrap()
}

pub(crate) fn env(ms: i64) -> Env<'static> {
    Env { ids: &IDS, now: t(ms) }
}

pub(crate) fn money(amount: i64, currency: &str) -> Money {
    Money::new(amount, Currency::parse(currency).unwrap())
}

pub(crate) fn cny(amount: i64) -> Money {
    money(amount, "CNY")
}

/// A product of CNY 12.80 a day, 9.90 for renewals, 1 to 90 days, 12 renewals, changed as told.
pub(crate) fn product(change: impl FnOnce(&mut ProductDefinition)) -> Product {
    let mut from = ProductDefinition {
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
        payment_ttl_s: Some(600),
        price_check: PriceCheck::On,
        late_payment: LatePayment::Accept,
        gateways: vec![WECHAT.clone(), ALIPAY.clone(), STRIPE.clone()],
    };
    change(&mut from);
    Product::define("desk", from).unwrap()
}

pub(crate) fn product_of(flow: Flow) -> Product {
    product(|p| p.flow = flow)
}

/// The same product priced in dollars.
pub(crate) fn in_dollars(from: &mut ProductDefinition) {
    from.currency = Currency::parse("USD").unwrap();
    from.first_unit_price = money(200, "USD");
    from.renewal_unit_price = money(150, "USD");
}

pub(crate) fn retired(from: &mut ProductDefinition) {
    from.gateways = vec![];
}

/// A booking of [`DESK`] that was never paid for.
pub(crate) fn pending() -> Booking {
    PENDING.clone()
}

static PENDING: LazyLock<Booking> = LazyLock::new(|| {
    let tag = IDS.product_tag("desk");
    Booking {
        booking_id: IDS.booking("alice", "key", &tag),
        customer_id: "alice".to_owned(),
        product_id: "desk".to_owned(),
        status: BookingStatus::PendingPayment,
        version: 41,
        pins: Pins::of(&DESK),
        created_at: t(-DAY_MS),
        term: None,
        quantity_paid: 0,
        renewals: 0,
        orders_made: 0,
        live_order: None,
    }
});

/// A booking that was paid for: 30 days of which 20 are left, renewed once.
pub(crate) fn active() -> Booking {
    Booking {
        status: BookingStatus::Active,
        term: Some(Term { starts_at: t(TERM_ENDS_MS - 30 * DAY_MS), valid_until: t(TERM_ENDS_MS) }),
        quantity_paid: 30,
        renewals: 1,
        orders_made: 2,
        ..pending()
    }
}

pub(crate) fn cancelled() -> Booking {
    Booking { status: BookingStatus::Cancelled, ..pending() }
}

pub(crate) fn booking_for(kind: Kind) -> Booking {
    match kind {
        Kind::First => pending(),
        Kind::Renewal => active(),
    }
}

pub(crate) fn with_live(booking: Booking, order: Order) -> Booking {
    Booking { orders_made: order.seq + 1, live_order: Some(order), ..booking }
}

pub(crate) fn token(number: u8) -> TokenId {
    IDS.fresh_token([number; 16])
}

/// A pending order of 3 days without payments, made of [`token`]`(number)` at `t(0)`.
pub(crate) fn order(number: u8, kind: Kind) -> Order {
    let unit_price = DESK.unit_price(kind, 3);
    Order {
        order_id: IDS.order(&token(number)),
        seq: u32::from(number),
        kind,
        status: OrderStatus::Pending,
        reason: None,
        quantity: 3,
        unit_price,
        amount: unit_price.times(3).unwrap(),
        price_version: DESK.price_version.clone(),
        flow: Flow::OrderFirst,
        late_payment: LatePayment::Accept,
        token_id: token(number),
        quote_issued_at: t(0),
        quote_expires_at: t(QUOTE_ENDS_MS),
        created_at: t(0),
        pay_by: None,
        superseded_by: None,
        revision: 0,
        payments: vec![],
        refunds: vec![],
    }
}

/// The order with payments at these gateways and in these states, in that order.
pub(crate) fn with_payments(order: Order, payments: &[(&GatewayName, PaymentStatus)]) -> Order {
    payments.iter().fold(order, |mut order, (gateway, status)| {
        let earlier = order.payments.iter().filter(|p| p.gateway == **gateway);
        let attempt = u32::try_from(earlier.count()).unwrap() + 1;
        let known = matches!(status, PaymentStatus::Payable | PaymentStatus::Paid);
        order.payments.push(Payment {
            payment_id: IDS.payment(&order.order_id, gateway, attempt),
            gateway: (*gateway).clone(),
            attempt,
            status: *status,
            code_url: known.then(|| format!("code:{gateway}:{attempt}")),
            gateway_ref: None,
            transaction_id: (*status == PaymentStatus::Paid).then(|| format!("tx-{gateway}")),
            paid_at: None,
        });
        order.pay_by = Some(t(PAY_BY_MS));
        order
    })
}

/// The order as it stands after its end, its open payments closing.
pub(crate) fn ended(order: Order, status: OrderStatus) -> Order {
    let mut order = Order { status, ..order };
    for payment in order.payments.iter_mut().filter(|p| p.is_open()) {
        payment.status = PaymentStatus::Closing;
        payment.code_url = None;
    }
    order.reason = match status {
        OrderStatus::Expired => Some(EndReason::Unpaid),
        OrderStatus::Cancelled => Some(EndReason::OrderCancelled),
        OrderStatus::Pending | OrderStatus::Paid | OrderStatus::Superseded | OrderStatus::Stale => {
            None
        }
    };
    order.superseded_by = (status == OrderStatus::Superseded).then(|| IDS.order(&token(u8::MAX)));
    order
}

pub(crate) const ENDED: [OrderStatus; 5] = [
    OrderStatus::Paid,
    OrderStatus::Superseded,
    OrderStatus::Stale,
    OrderStatus::Expired,
    OrderStatus::Cancelled,
];

pub(crate) const PAYMENT_STATUSES: [PaymentStatus; 6] = [
    PaymentStatus::Creating,
    PaymentStatus::Payable,
    PaymentStatus::Closing,
    PaymentStatus::Paid,
    PaymentStatus::Closed,
    PaymentStatus::Failed,
];

pub(crate) fn capture(transaction_id: &str, captured: Money, paid_at_ms: i64) -> Capture {
    Capture { transaction_id: transaction_id.to_owned(), captured, paid_at: t(paid_at_ms) }
}

pub(crate) fn refund(payment: &PaymentId, transaction_id: &str, amount: Money) -> Refund {
    Refund {
        refund_id: IDS.refund(payment.as_str(), transaction_id, 1),
        payment_id: payment.clone(),
        transaction_id: transaction_id.to_owned(),
        attempt: 1,
        status: RefundStatus::Due,
        amount,
        reason: RefundReason::AmountMismatch,
        updated_at: t(0),
        attention: None,
        extra_attempts: 0,
        failed_attempts: vec![],
        paid_at: None,
    }
}

/// The token of the order, as the booking's page got it.
pub(crate) fn quote_of(booking: &Booking, order: &Order) -> Quote {
    Quote::of_order(booking, order)
}

/// A create request that shows everything that it was made of.
pub(crate) fn body(plan: &PaymentPlan) -> String {
    format!("{plan:?}")
}

pub(crate) fn at(gateway: &GatewayName) -> At<'_> {
    At { gateway, create_body: &body }
}

/// Decides twice: decisions are deterministic and leave what was read as it was.
pub(crate) fn decided<R, T>(read: &R, decide: impl Fn(&R) -> T) -> T
where
    R: Clone + PartialEq + Debug,
    T: PartialEq + Debug,
{
    let before = read.clone();
    let decision = decide(read);
    assert_eq!(decision, decide(read), "the same again");
    assert_eq!(*read, before, "what was read");
    decision
}

/// The change's refund tasks.
pub(crate) fn to_refund(change: &Change) -> Vec<&Task> {
    let tasks = change.tasks.iter();
    tasks.filter(|task| matches!(task.kind, TaskKind::Refund { .. })).collect()
}

/// What holds of every change, whoever decided it.
pub(crate) fn check_change(before: &Booking, change: &Change) {
    rules::check_change(before, change).unwrap();
}
