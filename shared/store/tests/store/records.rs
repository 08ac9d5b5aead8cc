//! Records to store, in any state.

use std::sync::LazyLock;

use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Pins, Refund,
    RefundReason, RefundStatus, Term, Unmatched,
};
use domain::change::Change;
use domain::gateway::GatewayName;
use domain::ids::{BookingId, Ids, OrderId, PaymentId, TokenId};
use domain::money::{Currency, Money};
use domain::product::{
    Flow, Kind, LatePayment, PriceCheck, Product, ProductDefinition, Tier, Unit,
};
use domain::task::{Record, Task, TaskKind};
use jiff::Timestamp;
use store::Store;

pub(crate) static IDS: LazyLock<Ids> = LazyLock::new(|| Ids::new(&[7; 32]).unwrap());

pub(crate) fn t(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_323_200_000_i64.checked_add(ms).unwrap()).unwrap()
}

pub(crate) fn cny(amount: i64) -> Money {
    Money::new(amount, Currency::parse("CNY").unwrap())
}

pub(crate) fn wechat() -> GatewayName {
    GatewayName::parse("wechat_pay").unwrap()
}

pub(crate) fn product(product_id: &str) -> Product {
    let from = ProductDefinition {
        name: "Desk 桌".to_owned(),
        flow: Flow::OrderFirst,
        unit: Unit::Day,
        time_zone: "Asia/Shanghai".to_owned(),
        first_unit_price: cny(1280),
        renewal_unit_price: cny(990),
        tiers: vec![Tier {
            min_quantity: 7,
            first_unit_price: cny(1000),
            renewal_unit_price: cny(900),
        }],
        min_quantity: 1,
        max_quantity: 90,
        max_renewals: 12,
        currency: Currency::parse("CNY").unwrap(),
        quote_ttl_s: 900,
        payment_ttl_s: Some(600),
        price_check: PriceCheck::Off,
        late_payment: LatePayment::Refund,
        gateways: vec![wechat(), GatewayName::parse("stripe").unwrap()],
    };
    Product::define(product_id, from).unwrap()
}

pub(crate) fn booking_id(customer: &str, key: &str) -> BookingId {
    IDS.booking(customer, key, &IDS.product_tag("desk"))
}

/// A booking at version 1, without orders.
pub(crate) fn booking(customer: &str, key: &str) -> Booking {
    Booking {
        booking_id: booking_id(customer, key),
        customer_id: customer.to_owned(),
        product_id: "desk".to_owned(),
        status: BookingStatus::PendingPayment,
        version: 1,
        pins: Pins::of(&product("desk")),
        created_at: t(0),
        term: None,
        quantity_paid: 0,
        renewals: 0,
        orders_made: 0,
        live_order: None,
    }
}

/// The same booking, stored.
pub(crate) async fn opened(store: &Store, customer: &str, key: &str) -> Booking {
    let booking = booking(customer, key);
    let stored = store.open_booking(&booking, &token()).await.unwrap();
    assert_eq!(stored, store::Opened::New);
    booking
}

/// A request token that was never used.
pub(crate) fn token() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(1))
}

/// The token that made a booking's order of a position, in one of several windows.
pub(crate) fn token_id(booking: &Booking, seq: u32, window: u8) -> TokenId {
    let mut bytes = [window; 16];
    bytes[..4].copy_from_slice(&seq.to_be_bytes());
    bytes[4..12].copy_from_slice(&booking.booking_id.as_str().as_bytes()[..8]);
    IDS.fresh_token(bytes)
}

/// A pending order.
pub(crate) fn order(booking: &Booking, seq: u32, window: u8) -> Order {
    let token_id = token_id(booking, seq, window);
    Order {
        order_id: IDS.order(&token_id),
        seq,
        kind: Kind::First,
        status: OrderStatus::Pending,
        reason: None,
        quantity: 3,
        unit_price: cny(1280),
        amount: cny(3840),
        price_version: "0123456789abcdef".to_owned(),
        flow: Flow::OrderFirst,
        late_payment: LatePayment::Accept,
        token_id,
        quote_issued_at: t(1),
        quote_expires_at: t(900_001),
        created_at: t(2),
        pay_by: None,
        superseded_by: None,
        revision: 0,
        payments: vec![],
        refunds: vec![],
    }
}

/// An ended order as it is read after the commit that wrote it.
pub(crate) fn stored(order: &Order, booking: &Booking) -> Order {
    Order { revision: booking.version, ..order.clone() }
}

/// The change by which a window makes a booking's next order, voiding the older one.
pub(crate) fn next_order(booking: &Booking, window: u8) -> Change {
    let order = order(booking, booking.orders_made, window);
    let mut change = Change::of(booking);
    let ending = domain::change::Ending::superseded_by(order.order_id.clone());
    change.end_live_order(ending, t(3));
    change.made = Some((order.order_id.clone(), order.seq));
    change.booking.orders_made = order.seq.checked_add(1).unwrap();
    change.booking.live_order = Some(order);
    change
}

/// Commits a change and answers the booking as it then is.
pub(crate) async fn commit(store: &Store, change: Change) -> Booking {
    store.commit(&change, &token()).await.unwrap();
    change.booking
}

pub(crate) fn payment_id(order_id: &OrderId) -> PaymentId {
    IDS.payment(order_id, &wechat(), 1)
}

/// A payment with everything that one can carry.
pub(crate) fn payment(order_id: &OrderId, status: PaymentStatus) -> Payment {
    Payment {
        payment_id: payment_id(order_id),
        gateway: wechat(),
        attempt: 1,
        status,
        code_url: Some("weixin://wxpay/bizpayurl?pr=é\"\\".to_owned()),
        gateway_ref: Some("cs_1".to_owned()),
        transaction_id: Some("4200002345202611231234567890".to_owned()),
        paid_at: Some(t(4)),
    }
}

/// A refund with everything that one can carry.
pub(crate) fn refund(payment_id: &PaymentId, reason: RefundReason, status: RefundStatus) -> Refund {
    Refund {
        refund_id: IDS.refund(payment_id.as_str(), "4200", 2),
        payment_id: payment_id.clone(),
        transaction_id: "4200".to_owned(),
        attempt: 2,
        status,
        amount: cny(i64::MAX),
        reason,
        updated_at: t(5),
        attention: Some("many_tries".to_owned()),
        extra_attempts: 1,
        failed_attempts: vec![1],
        paid_at: Some(t(4)),
    }
}

/// An ended order with everything that one can carry.
pub(crate) fn full_order(booking: &Booking, seq: u32) -> Order {
    let plain = order(booking, seq, 9);
    let payment = payment(&plain.order_id, PaymentStatus::Paid);
    let refund = refund(&payment.payment_id, RefundReason::Superseded, RefundStatus::Submitted);
    Order {
        kind: Kind::Renewal,
        status: OrderStatus::Superseded,
        reason: Some(EndReason::LatePayment),
        quantity: u32::MAX,
        pay_by: Some(t(600_000)),
        superseded_by: Some(IDS.order(&token_id(booking, seq, 8))),
        payments: vec![payment.clone(), Payment { code_url: None, attempt: 2, ..payment }],
        refunds: vec![refund],
        ..plain
    }
}

/// The state of a booking with everything that one can carry.
pub(crate) fn full_booking(booking: &Booking) -> Booking {
    let seq = 4_000_000_000;
    let live = Order { status: OrderStatus::Pending, ..full_order(booking, seq) };
    Booking {
        status: BookingStatus::Active,
        version: booking.version.checked_add(1).unwrap(),
        term: Some(Term { starts_at: t(-1), valid_until: t(i64::from(u32::MAX)) }),
        quantity_paid: u32::MAX,
        renewals: 12,
        orders_made: 4_000_000_001,
        live_order: Some(live),
        ..booking.clone()
    }
}

pub(crate) fn unmatched(booking_id: &BookingId) -> (Unmatched, Task) {
    let order_id = IDS.order(&IDS.fresh_token([3; 16]));
    let refund = refund(&payment_id(&order_id), RefundReason::Unmatched, RefundStatus::Due);
    let own_task = IDS.unmatched_task(refund.payment_id.as_str(), &refund.transaction_id);
    let kind = TaskKind::Refund {
        payment_id: refund.payment_id.clone(),
        transaction_id: refund.transaction_id.clone(),
        first_refund_id: own_task.clone(),
    };
    let task = Task { kind, record: Record::Unmatched, ..close_task(booking_id, 1, 0) };
    let (booking_id, own_task) = (booking_id.clone(), Some(own_task));
    (Unmatched { booking_id, version: 1, gateway: wechat(), refund, own_task }, task)
}

/// A task that closes one of a booking's payments, due at a time.
pub(crate) fn close_task(booking_id: &BookingId, payment: u8, due_ms: i64) -> Task {
    let order_id = IDS.order(&IDS.fresh_token([payment; 16]));
    Task {
        booking_id: booking_id.clone(),
        kind: TaskKind::ClosePayment { payment_id: payment_id(&order_id) },
        record: Record::Order { order_id, order_seq: 3 },
        due_at: t(due_ms),
        tries: 0,
        attention: None,
    }
}

/// Stores a booking with these tasks.
pub(crate) async fn with_tasks(store: &Store, key: &str, tasks: Vec<Task>) -> Booking {
    let booking = opened(store, "alice", key).await;
    commit(store, Change { tasks, ..Change::of(&booking) }).await
}
