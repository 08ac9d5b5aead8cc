//! How large items can get: the largest of each kind, as they are stored, against its bound.

use aws_sdk_dynamodb::Client as StoreClient;
use domain::attention::{Action, Attention, AttentionId, Audit, NOTE_LEN_MAX, Subject};
use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Pins, Refund,
    RefundReason, RefundStatus, Term, Unmatched,
};
use domain::change::{Change, UnmatchedChange};
use domain::decide::record_refund::{REFUND_ATTEMPTS_EXTRA_MAX, REFUND_ATTEMPTS_TOTAL_MAX};
use domain::decide::start_payment::ATTEMPTS_MAX;
use domain::event::Event;
use domain::gateway::GatewayName;
use domain::ids::{BookingId, Ids};
use domain::money::{Currency, Money};
use domain::product::{
    Flow, GATEWAYS_MAX, Kind, LatePayment, MAX_RENEWALS_MAX, NAME_LEN_MAX, PRODUCT_ID_LEN_MAX,
    PriceCheck, Product, ProductDefinition, QUANTITY_MAX, TIERS_MAX, TTL_S_MAX, Tier,
    UNIT_PRICE_MAX, Unit,
};
use domain::task::{Record, Task, TaskKind};
use embedded::EmbeddedStore;
use embedded::meter::Meter;
use gateways::{CODE_URL_LEN_MAX, CREATE_BODY_LEN_MAX, ID_LEN_MAX};
use jiff::Timestamp;
use local::stack::TABLE;
use store::Store;
use store::schema::{ITEM_BYTES_MAX, REFUND_BYTES_MAX, create_table};
use tests::metering::meter_of;

/// The longest customer id, of the API.
const CUSTOMER_ID_LEN_MAX: usize = api::request::CUSTOMER_ID_LEN_MAX;
/// The longest name in the IANA time zone database.
const TIME_ZONE: &str = "America/Argentina/ComodRivadavia";
/// The longest code of a gateway by which something is refused: it becomes the reason to look.
const REASON_LEN_MAX: usize = 64;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_323_200_123_i64 + ms).unwrap()
}

fn cny(amount: i64) -> Money {
    Money::new(amount, Currency::parse("CNY").unwrap())
}

/// A gateway whose name is as long as one may be.
fn gateway_name(number: usize) -> GatewayName {
    let letter = char::from(b'a' + u8::try_from(number).unwrap());
    GatewayName::parse(&letter.to_string().repeat(GatewayName::LEN_MAX)).unwrap()
}

fn largest_product() -> Product {
    let tier = |number: usize| Tier {
        min_quantity: QUANTITY_MAX - u32::try_from(TIERS_MAX - number).unwrap(),
        first_unit_price: cny(UNIT_PRICE_MAX),
        renewal_unit_price: cny(UNIT_PRICE_MAX),
    };
    let definition = ProductDefinition {
        name: "\u{1f4ba}".repeat(NAME_LEN_MAX),
        flow: Flow::SubmitOnce,
        unit: Unit::Month,
        time_zone: TIME_ZONE.to_owned(),
        first_unit_price: cny(UNIT_PRICE_MAX),
        renewal_unit_price: cny(UNIT_PRICE_MAX),
        tiers: (0..TIERS_MAX).map(tier).collect(),
        min_quantity: 1,
        max_quantity: QUANTITY_MAX,
        max_renewals: MAX_RENEWALS_MAX,
        currency: Currency::parse("CNY").unwrap(),
        quote_ttl_s: TTL_S_MAX,
        payment_ttl_s: Some(TTL_S_MAX),
        price_check: PriceCheck::Off,
        late_payment: LatePayment::Refund,
        gateways: (0..GATEWAYS_MAX).map(gateway_name).collect(),
    };
    Product::define(&"p".repeat(PRODUCT_ID_LEN_MAX), definition).unwrap()
}

fn largest_refund(ids: &Ids, payment: &Payment, transaction_id: String) -> Refund {
    Refund {
        refund_id: ids.refund(payment.payment_id.as_str(), &transaction_id, 1),
        payment_id: payment.payment_id.clone(),
        transaction_id,
        attempt: REFUND_ATTEMPTS_TOTAL_MAX,
        status: RefundStatus::NeedsAttention,
        amount: cny(i64::MAX),
        reason: RefundReason::BookingNotPayable,
        updated_at: at(1),
        attention: Some("r".repeat(REASON_LEN_MAX)),
        extra_attempts: REFUND_ATTEMPTS_EXTRA_MAX,
        failed_attempts: (1..=REFUND_ATTEMPTS_TOTAL_MAX).collect(),
        paid_at: Some(at(2)),
    }
}

/// An order without payments, as long as everything in it may be.
fn bare_order(ids: &Ids) -> Order {
    let token_id = ids.fresh_token([9; 16]);
    Order {
        order_id: ids.order(&token_id),
        seq: u32::MAX - 1,
        kind: Kind::Renewal,
        status: OrderStatus::Superseded,
        reason: Some(EndReason::BookingCancelled),
        quantity: QUANTITY_MAX,
        unit_price: cny(UNIT_PRICE_MAX),
        amount: cny(UNIT_PRICE_MAX * i64::from(QUANTITY_MAX)),
        price_version: largest_product().price_version,
        flow: Flow::SubmitOnce,
        late_payment: LatePayment::Refund,
        token_id,
        quote_issued_at: at(1),
        quote_expires_at: at(2),
        created_at: at(3),
        pay_by: Some(at(4)),
        superseded_by: Some(ids.order(&ids.fresh_token([8; 16]))),
        revision: 0,
        payments: vec![],
        refunds: vec![],
    }
}

/// An order that was tried as often as it may be, and each time paid and given back.
fn largest_order(ids: &Ids) -> Order {
    let mut order = bare_order(ids);
    let tries = (0..GATEWAYS_MAX).flat_map(|number| (1..=ATTEMPTS_MAX).map(move |it| (number, it)));
    for (number, attempt) in tries {
        let gateway = gateway_name(number);
        let payment = Payment {
            payment_id: ids.payment(&order.order_id, &gateway, attempt),
            gateway,
            attempt,
            status: PaymentStatus::Creating,
            code_url: None,
            gateway_ref: Some("g".repeat(ID_LEN_MAX)),
            transaction_id: Some("t".repeat(ID_LEN_MAX)),
            paid_at: Some(at(5)),
        };
        order.refunds.push(largest_refund(ids, &payment, "t".repeat(ID_LEN_MAX)));
        order.payments.push(payment);
    }
    // Only one code is shown, and only the one that is shown is kept.
    order.payments.last_mut().unwrap().code_url = Some("u".repeat(CODE_URL_LEN_MAX));
    order
}

fn largest_booking(ids: &Ids) -> Booking {
    let product = largest_product();
    Booking {
        booking_id: ids.booking("c", "k", &ids.product_tag(&product.product_id)),
        customer_id: "c".repeat(CUSTOMER_ID_LEN_MAX),
        pins: Pins::of(&product),
        product_id: product.product_id,
        status: BookingStatus::PendingPayment,
        version: u64::MAX - 2,
        created_at: at(6),
        term: Some(Term { starts_at: at(7), valid_until: at(8) }),
        quantity_paid: u32::MAX,
        renewals: MAX_RENEWALS_MAX,
        orders_made: u32::MAX,
        live_order: Some(largest_order(ids)),
    }
}

fn largest_task(booking_id: &BookingId, order: &Order, kind: TaskKind) -> Task {
    Task {
        booking_id: booking_id.clone(),
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        kind,
        due_at: at(9),
        tries: u32::MAX,
        attention: Some("r".repeat(REASON_LEN_MAX)),
    }
}

/// One task of each kind.
fn largest_tasks(booking: &Booking) -> Vec<Task> {
    let order = booking.live_order.as_ref().unwrap();
    let refund = order.refunds.first().unwrap();
    let payment_id = refund.payment_id.clone();
    let kinds = [
        TaskKind::QueryPayment {
            payment_id: payment_id.clone(),
            create_body: "b".repeat(CREATE_BODY_LEN_MAX),
        },
        TaskKind::ClosePayment { payment_id: payment_id.clone() },
        TaskKind::Refund {
            payment_id,
            transaction_id: refund.transaction_id.clone(),
            first_refund_id: refund.refund_id.clone(),
        },
    ];
    kinds.map(|kind| largest_task(&booking.booking_id, order, kind)).into()
}

fn largest_attention(booking: &Booking) -> Attention {
    let order = booking.live_order.as_ref().unwrap();
    let refund = order.refunds.first().unwrap();
    Attention {
        attention_id: AttentionId::reconciliation(&refund.refund_id),
        booking_id: booking.booking_id.clone(),
        subject: Subject::Reconciliation,
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        payment_id: refund.payment_id.clone(),
        transaction_id: Some(refund.transaction_id.clone()),
        amount: Some(refund.amount),
        reason: "r".repeat(REASON_LEN_MAX),
        since: at(10),
    }
}

fn largest_audit(raised: &Attention) -> Audit {
    Audit {
        booking_id: raised.booking_id.clone(),
        attention_id: raised.attention_id.clone(),
        action: Action::Resolve,
        by: "o".repeat(CUSTOMER_ID_LEN_MAX),
        note: Some("\u{1f4ba}".repeat(NOTE_LEN_MAX)),
        reason: raised.reason.clone(),
        since: raised.since,
        at: at(11),
    }
}

/// A store on an empty table, with a meter beneath it.
async fn metered_store() -> (Store, Meter) {
    let embedded = EmbeddedStore::in_memory().unwrap();
    let meter = meter_of(embedded.clone());
    let client = StoreClient::from_conf(embedded.sdk_config().http_client(meter.clone()).build());
    create_table(&client, TABLE).await.unwrap();
    (Store::new(client, TABLE), meter)
}

/// Stores a booking with its live order and one that has ended, and all that stands beside them.
async fn store_booking(store: &Store, ids: &Ids) {
    let booking = largest_booking(ids);
    store.open_booking(&booking, "open").await.unwrap();
    let mut change = Change::of(&booking);
    let newer = ids.fresh_token([7; 16]);
    let mut ended = booking.live_order.clone().unwrap();
    ended.order_id = ids.order(&newer);
    change.made = Some((ended.order_id.clone(), ended.seq));
    for order in [booking.live_order.as_ref().unwrap(), &ended] {
        let refund = order.refunds.first().unwrap();
        let id = &booking.booking_id;
        change.events.push(Event::payment_refunded(id, Some(&order.order_id), refund));
    }
    change.ended = vec![ended];
    change.tasks = largest_tasks(&booking);
    store.commit(&change, "change").await.unwrap();
    let raised = largest_attention(&booking);
    store.raise_unbooked(&raised, "raise").await.unwrap();
    store.release_unbooked(&largest_audit(&raised), "release").await.unwrap();
}

/// Stores money without a payment, and what its refund tells.
async fn store_unmatched(store: &Store, ids: &Ids) {
    let booking = largest_booking(ids);
    let order = booking.live_order.as_ref().unwrap();
    let payment = order.payments.first().unwrap();
    let refund = largest_refund(ids, payment, "t".repeat(ID_LEN_MAX));
    let event = Event::payment_refunded(&booking.booking_id, Some(&order.order_id), &refund);
    let (booking_id, gateway) = (booking.booking_id.clone(), gateway_name(0));
    let own_task = Some(ids.unmatched_task(payment.payment_id.as_str(), &refund.transaction_id));
    let version = u64::MAX - 1;
    let unmatched = Unmatched { booking_id, version, gateway, refund, own_task };
    let task = largest_tasks(&booking).pop().unwrap();
    store.commit_unmatched(&unmatched, &task, "unmatched").await.unwrap();
    let mut change = UnmatchedChange::of(&unmatched);
    change.event = Some(event);
    store.update_unmatched(&change, "refunded").await.unwrap();
}

#[tokio::test]
async fn the_largest_item_of_each_kind_stays_within_its_bound() {
    let (store, meter) = metered_store().await;
    let ids = Ids::new(&[7; 32]).unwrap();
    let product = largest_product();
    store.put_product(&product, &ids.product_tag(&product.product_id)).await.unwrap();
    // Both have the same task; only the booking's commit may find it there.
    store_unmatched(&store, &ids).await;
    store_booking(&store, &ids).await;
    let mut off = vec![];
    for (sort_key, bytes_max) in ITEM_BYTES_MAX {
        let bytes = meter.largest_item(sort_key);
        println!("largest {sort_key:<12} {bytes:>6} of {bytes_max:>6} bytes");
        // A bound that is far off says nothing.
        if bytes > bytes_max || bytes <= bytes_max / 2 {
            off.push((sort_key, bytes));
        }
    }
    assert!(off.is_empty(), "{off:?}");
}

#[tokio::test]
async fn each_further_refund_adds_no_more_to_its_order_than_its_bound() {
    let ids = Ids::new(&[7; 32]).unwrap();
    let mut sizes = vec![];
    for further in [0, 1] {
        let (store, meter) = metered_store().await;
        let mut booking = largest_booking(&ids);
        let order = booking.live_order.as_mut().unwrap();
        let payment = order.payments.first().unwrap().clone();
        for _ in 0..further {
            order.refunds.push(largest_refund(&ids, &payment, "f".repeat(ID_LEN_MAX)));
        }
        store.open_booking(&booking, "open").await.unwrap();
        sizes.push(meter.largest_item("summary"));
    }
    let added = sizes[1] - sizes[0];
    println!("a further refund {added} of {REFUND_BYTES_MAX} bytes");
    assert!((REFUND_BYTES_MAX / 2..=REFUND_BYTES_MAX).contains(&added), "{added}");
}

#[test]
fn the_bounds_of_items_are_those_of_the_page() {
    let page = include_str!("../../docs/limits.md");
    for (sort_key, bytes_max) in ITEM_BYTES_MAX {
        let row = format!("| `{sort_key}` | {bytes_max} |");
        assert!(page.lines().any(|line| line.ends_with(&row)), "{row}");
    }
    assert!(page.contains(&format!("at most {REFUND_BYTES_MAX} bytes")));
}
