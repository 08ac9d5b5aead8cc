//! What each request costs at the store, against the table of limits, and how large items get.
//!
//! Counted beneath the SDK while requests come in over HTTP, at a booking's first order and at its
//! 2,000th. `cargo test --test limits -- --nocapture` prints what was measured.

use aws_sdk_dynamodb::Client as StoreClient;
use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, Pins, Refund,
    RefundReason, RefundStatus, Term,
};
use domain::change::{Change, Ending};
use domain::ids::Ids;
use domain::money::{Currency, Money};
use domain::product::{Flow, Kind, LatePayment, Unit};
use embedded::EmbeddedStore;
use embedded::meter::Meter;
use jiff::Timestamp;
use local::client::{Client, Reply};
use local::stack::TABLE;
use serde_json::{Value, json};
use store::Store;
use store::schema::{DUE_INDEX, DUE_SHARDS, create_table};
use tests::history::booking_after;
use tests::metering::{meter_of, metered};
use tests::{Window, World, expect, gateway, gateway_name};

/// How many orders an old booking has had.
const ORDERS_BEFORE: u32 = 2_000;
/// How many ended orders a read shows.
const ORDERS_SHOWN: u32 = 20;
/// What one write unit writes.
const WRITE_UNIT_BYTES: u64 = 1_024;

/// A row of the table of limits.
#[derive(Clone, Copy)]
struct Limit {
    request: &'static str,
    trips: u64,
    read_units: u64,
    write_units: u64,
}

impl Limit {
    const fn of(request: &'static str, trips: u64, read_units: u64, write_units: u64) -> Self {
        Self { request, trips, read_units, write_units }
    }

    /// What it comes to at this run's gateway. The address of a page of Stripe's is some 360
    /// characters: with it the booking passes 1 KB, so that each write of a booking that holds one
    /// costs two units more. `writes` says how many writes of this request are more than fit.
    fn here(self, writes: u64) -> Self {
        match gateway() {
            "stripe" => Self { write_units: self.write_units + 2 * writes, ..self },
            _ => self,
        }
    }
}

const QUOTE_SUBMIT: Limit = Limit::of("quote, submit_once", 1, 2, 0);
const QUOTE_ORDER: Limit = Limit::of("quote, order_first, voiding nothing", 2, 2, 6);
const QUOTE_ORDER_BARE: Limit = Limit::of("quote, order_first, voiding an order", 2, 2, 6);
const QUOTE_ORDER_CODE: Limit = Limit::of("quote, order_first, voiding a code", 2, 2, 9);
const CREATE_ORDER: Limit = Limit::of("create-order, voiding nothing", 3, 3, 11);
const CREATE_ORDER_CODE: Limit = Limit::of("create-order, voiding a code", 3, 3, 14);
const QUOTE_INSTANT: Limit = Limit::of("quote, instant, voiding nothing", 3, 3, 11);
const QUOTE_INSTANT_CODE: Limit = Limit::of("quote, instant, voiding a code", 3, 3, 14);
const GENERATE: Limit = Limit::of("generate-payment", 3, 3, 9);
const APPLIED: Limit = Limit::of("notification, applied", 2, 3, 9);
const REFUNDED: Limit = Limit::of("notification, refunded", 2, 3, 8);
const DUPLICATE: Limit = Limit::of("notification, duplicate", 1, 3, 0);
const GET: Limit = Limit::of("GET booking", 1, 6, 0);
const GET_UNCHANGED: Limit = Limit::of("GET booking, 304", 1, 1, 0);
const MAKE_LINK: Limit = Limit::of("checkout-link", 1, 1, 0);
const LINKED_PRODUCT: Limit = Limit::of("GET product, by a link", 1, 2, 0);
const NO_TRIP: Limit = Limit::of("page, picture, or a link refused", 0, 0, 0);
const INSPECT: Limit = Limit::of("operations, a booking", 6, 20, 0);
const TASKS: Limit = Limit::of("operations, tasks", DUE_SHARDS as u64 + 1, 22, 0);
const FIGURES: Limit = Limit::of("operations, figures", 1, 128, 0);
const IDLE: Limit = Limit::of("settle, idle minute", DUE_SHARDS as u64, DUE_SHARDS as u64, 0);

/// What was measured: for whom, against which limit, round trips, half read units, write units.
type Measured = (String, Limit, [u64; 3]);

/// Counts what requests cost.
struct Bill {
    meter: Meter,
    who: String,
    measured: Vec<Measured>,
}

impl Bill {
    async fn count<T>(&mut self, limit: Limit, request: impl Future<Output = T>) -> T {
        drop(self.meter.take());
        let answer = request.await;
        let calls = self.meter.take();
        let trips = u64::try_from(calls.len()).unwrap();
        let halves = calls.iter().map(|call| call.read_half_units).sum();
        let writes = calls.iter().map(|call| call.write_units).sum();
        self.measured.push((self.who.clone(), limit, [trips, halves, writes]));
        answer
    }

    /// Prints what was measured, and fails if any of it is over its limit.
    #[track_caller]
    fn check(self) {
        let mut over = vec![];
        println!("{:<42}{:<38}{:>8}{:>12}{:>12}", "request", "booking", "trips", "RRU", "WRU");
        for (who, limit, [trips, halves, writes]) in self.measured {
            let Limit { request, trips: trips_max, read_units, write_units } = limit;
            let fits = trips <= trips_max && halves <= 2 * read_units && writes <= write_units;
            let reads = format!("{}.{}/{read_units}", halves / 2, halves % 2 * 5);
            let line = format!(
                "{request:<42}{who:<38}{:>8}{reads:>12}{:>12}",
                format!("{trips}/{trips_max}"),
                format!("{writes}/{write_units}"),
            );
            println!("{line}{}", if fits { "" } else { "  OVER" });
            if !fits {
                over.push(line);
            }
        }
        assert!(over.is_empty(), "over the limit:\n{}", over.join("\n"));
    }
}

/// A quiet stack: no worker, and gateways that tell nothing unless asked to.
async fn quiet() -> (World, Meter) {
    let (meter, wrap) = metered();
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(wrap);
    })
    .await;
    world.faults(json!({ "notifications_dropped": 1 })).await;
    let meter = meter.get().unwrap().clone();
    (world, meter)
}

/// A customer whose id is a UUID.
fn customer(number: u32) -> String {
    format!("1b4e28ba-2fa1-11d2-883f-{number:012}")
}

async fn replay(world: &World, paid: &Value) -> Reply {
    let body = json!({ "transaction_id": paid["transaction_id"] });
    world.nobody().post("/simulator/replay", &body).await.unwrap()
}

/// Delivers a payment's notification and counts it.
async fn deliver(bill: &mut Bill, limit: Limit, world: &World, paid: &Value) {
    let told = expect(200, bill.count(limit, replay(world, paid)).await);
    assert!([200, 204].contains(&told["status"].as_u64().unwrap()), "{told}");
}

async fn submit_once(bill: &mut Bill, window: &Window) {
    let quoted = expect(201, bill.count(QUOTE_SUBMIT, window.quote(90)).await);
    let token = &quoted["quote"]["token"];
    expect(201, bill.count(CREATE_ORDER, window.order(token)).await);
    let quoted = expect(201, bill.count(QUOTE_SUBMIT, window.quote(89)).await);
    let token = &quoted["quote"]["token"];
    expect(201, bill.count(CREATE_ORDER_CODE.here(2), window.order(token)).await);
}

async fn instant(bill: &mut Bill, window: &Window) {
    expect(201, bill.count(QUOTE_INSTANT, window.quote_at(90, gateway())).await);
    expect(201, bill.count(QUOTE_INSTANT_CODE.here(2), window.quote_at(89, gateway())).await);
}

/// Buys, and is told of every kind of payment on the way: applied, voided, repeated.
async fn order_first(bill: &mut Bill, world: &World, window: &Window) {
    expect(201, bill.count(QUOTE_ORDER, window.quote(90)).await);
    let quoted = expect(201, bill.count(QUOTE_ORDER_BARE, window.quote(89)).await);
    let voided = expect(201, bill.count(GENERATE, window.generate(&quoted)).await);
    let quoted = expect(201, bill.count(QUOTE_ORDER_CODE.here(1), window.quote(88)).await);
    let live = expect(201, bill.count(GENERATE, window.generate(&quoted)).await);
    let paid = world.pay(&live["payment"]["code_url"]).await;
    deliver(bill, APPLIED, world, &paid).await;
    deliver(bill, DUPLICATE, world, &paid).await;
    assert_eq!(window.look().await["status"], "active");
    let paid = world.pay(&voided["payment"]["code_url"]).await;
    deliver(bill, REFUNDED, world, &paid).await;
    deliver(bill, DUPLICATE, world, &paid).await;
    // The same again for a renewal, and an amount that differs.
    for (amount, limit) in [(None, APPLIED), (Some(1), REFUNDED)] {
        let quoted = expect(201, bill.count(QUOTE_ORDER, window.quote(90)).await);
        let live = expect(201, bill.count(GENERATE, window.generate(&quoted)).await);
        let mut body = json!({ "code_url": live["payment"]["code_url"] });
        if let Some(amount) = amount {
            body["amount"] = json!({ "amount": amount, "currency": "CNY" });
        }
        let paid = world.pay_with(body).await;
        deliver(bill, limit, world, &paid).await;
        deliver(bill, DUPLICATE, world, &paid).await;
    }
}

/// So many orders more, each with a voided code that was paid all the same and goes back.
async fn fill_with_refunds(world: &World, window: &Window) {
    let mut codes = vec![];
    for _ in 0..ORDERS_SHOWN {
        codes.push(window.code_for(90).await["payment"]["code_url"].clone());
    }
    expect(201, window.quote(90).await);
    for code in codes {
        let paid = world.pay(&code).await;
        expect(200, replay(world, &paid).await);
    }
}

async fn read(bill: &mut Bill, window: &Window) {
    let client = &window.client;
    let answer = bill.count(GET, client.get(&window.path)).await.unwrap();
    let tag = answer.headers["etag"].to_str().unwrap().to_owned();
    expect(200, answer);
    expect(304, bill.count(GET_UNCHANGED, window.look_unless(&tag)).await);
    operate(bill, client, window).await;
}

/// Reads what an operator reads.
async fn operate(bill: &mut Bill, client: &Client, window: &Window) {
    let operator = client.as_customer("admin");
    let inspect = format!("/v1/operations/bookings/{}", window.booking_id());
    expect(200, bill.count(INSPECT, operator.get(inspect)).await.unwrap());
    expect(200, bill.count(TASKS, operator.get("/v1/operations/tasks")).await.unwrap());
}

/// Makes a link and does with it what costs nothing; answers the window that it opens.
async fn by_link(bill: &mut Bill, world: &World, window: &Window) -> Window {
    let token = bill.count(MAKE_LINK, window.link()).await;
    let linked = window.by_link(&token);
    let product = format!("{}/product", linked.path);
    expect(200, bill.count(LINKED_PRODUCT, linked.client.get(product)).await.unwrap());
    let draw = json!({ "code": "c" });
    assert_eq!(bill.count(NO_TRIP, linked.post("qr", &draw)).await.status, 200);
    let page = bill.count(NO_TRIP, world.nobody().get("/checkout")).await.unwrap();
    assert_eq!(page.status, 200);
    let forged = window.by_link(&format!("{token}A"));
    expect(401, bill.count(NO_TRIP, forged.quote(1)).await);
    linked
}

#[tokio::test]
async fn every_request_by_a_link_holds_the_limit_of_the_same_by_a_jwt() {
    let (world, meter) = quiet().await;
    let mut bill = Bill { meter, who: "by a link".to_owned(), measured: vec![] };
    for product in ["desk-submit", "desk-instant", "desk-order"] {
        let window = booking_after(&world, &customer(1), product, 0).await;
        let linked = by_link(&mut bill, &world, &window).await;
        match product {
            "desk-submit" => submit_once(&mut bill, &linked).await,
            "desk-instant" => instant(&mut bill, &linked).await,
            _ => order_first(&mut bill, &world, &linked).await,
        }
        read(&mut bill, &linked).await;
    }
    bill.check();
}

#[tokio::test]
async fn every_request_holds_its_limit_at_the_first_order_and_at_the_2000th() {
    let (world, meter) = quiet().await;
    let mut bill = Bill { meter, who: String::new(), measured: vec![] };
    for (number, orders) in [(1, 0), (2, ORDERS_BEFORE)] {
        let customer = customer(number);
        for product in ["desk-submit", "desk-instant", "desk-order"] {
            bill.who = format!("{product} after {orders} orders");
            let window = booking_after(&world, &customer, product, orders).await;
            read(&mut bill, &window).await;
            match product {
                "desk-submit" => submit_once(&mut bill, &window).await,
                "desk-instant" => instant(&mut bill, &window).await,
                _ => order_first(&mut bill, &world, &window).await,
            }
            read(&mut bill, &window).await;
            if product == "desk-order" && orders > 0 {
                "desk-order full of refunds".clone_into(&mut bill.who);
                fill_with_refunds(&world, &window).await;
                let shown = window.look().await["orders"].as_array().unwrap().len();
                assert_eq!(shown, usize::try_from(ORDERS_SHOWN).unwrap());
                read(&mut bill, &window).await;
            }
        }
    }
    let sizes = ["summary", "order#", "task#query", "task#close", "task#refund", "made#"];
    for prefix in sizes {
        println!("largest item {prefix:<12} {:>5} bytes", bill.meter.largest_item(prefix));
    }
    bill.check();
}

/// The largest price of a unit of which a gateway takes ninety.
fn largest_price() -> i64 {
    match gateway() {
        "stripe" => 1_111_111,
        _ => 9_999_999,
    }
}

#[tokio::test]
async fn every_request_holds_its_limit_for_the_longest_ids_and_largest_amounts() {
    let (world, meter) = quiet().await;
    let mut bill = Bill { meter, who: "longest ids, largest amounts".to_owned(), measured: vec![] };
    for (seeded, letter) in [("desk-submit", "s"), ("desk-instant", "i"), ("desk-order", "o")] {
        let product = letter.repeat(40);
        let mut definition = world.definition(seeded).await;
        definition["time_zone"] = json!("America/Argentina/Buenos_Aires");
        for price in ["first_unit_price", "renewal_unit_price"] {
            definition[price] = json!({ "amount": largest_price(), "currency": "CNY" });
        }
        definition["gateways"] = json!([gateway()]);
        world.define(&product, &definition).await;
        let window = booking_after(&world, &customer(1), &product, ORDERS_SHOWN).await;
        match letter {
            "s" => submit_once(&mut bill, &window).await,
            "i" => instant(&mut bill, &window).await,
            _ => {
                order_first(&mut bill, &world, &window).await;
                fill_with_refunds(&world, &window).await;
            }
        }
        read(&mut bill, &window).await;
    }
    bill.check();
}

#[tokio::test]
async fn an_idle_minute_is_one_read_a_shard_and_figures_are_one_scan() {
    let (world, meter) = quiet().await;
    let mut bill = Bill { meter, who: "with tasks that are not due".to_owned(), measured: vec![] };
    for number in 0..8 {
        world.booking_of(&customer(number), "desk-order").await.code_for(1).await;
    }
    let operator = world.admin();
    expect(200, bill.count(FIGURES, operator.get("/v1/operations/figures")).await.unwrap());
    let ran = bill.count(IDLE, settle::run_due(&world.stack.deps)).await.unwrap();
    assert_eq!(ran, 0);
    bill.check();
}

/// A booking as large as real ones get: a renewal, live, with its code.
fn largest_booking(ids: &Ids) -> Booking {
    let product = "p".repeat(40);
    let cny = |amount| Money::new(amount, Currency::parse("CNY").unwrap());
    let at = |ms: i64| Timestamp::from_millisecond(1_772_323_200_123_i64 + ms).unwrap();
    let token_id = ids.fresh_token([9; 16]);
    let order_id = ids.order(&token_id);
    let gateway = gateway_name();
    let payment = Payment {
        payment_id: ids.payment(&order_id, &gateway, 1),
        gateway,
        attempt: 1,
        status: PaymentStatus::Creating,
        code_url: Some(format!("weixin://wxpay/bizpayurl?pr={}", "z".repeat(32))),
        gateway_ref: None,
        transaction_id: None,
        paid_at: None,
    };
    assert_eq!(payment.code_url.as_ref().unwrap().len(), 60);
    let order = Order {
        order_id,
        seq: 12_345,
        kind: Kind::Renewal,
        status: OrderStatus::Pending,
        reason: None,
        quantity: 10_000,
        unit_price: cny(99_999_999),
        amount: cny(999_999_999),
        price_version: "0123456789abcdef".to_owned(),
        flow: Flow::SubmitOnce,
        late_payment: LatePayment::Refund,
        token_id,
        quote_issued_at: at(1),
        quote_expires_at: at(2),
        created_at: at(3),
        pay_by: Some(at(4)),
        superseded_by: None,
        revision: 0,
        payments: vec![payment],
        refunds: vec![],
    };
    Booking {
        booking_id: ids.booking("c", "k", &ids.product_tag(&product)),
        customer_id: customer(1),
        product_id: product,
        status: BookingStatus::PendingPayment,
        version: 123_456,
        pins: Pins {
            unit: Unit::Month,
            time_zone: "America/Argentina/Buenos_Aires".to_owned(),
            currency: Currency::parse("CNY").unwrap(),
            max_renewals: 1_000,
        },
        created_at: at(5),
        term: Some(Term { starts_at: at(6), valid_until: at(7) }),
        quantity_paid: 123_456,
        renewals: 999,
        orders_made: 12_346,
        live_order: Some(order),
    }
}

/// The same order as it ends: voided with a reason, paid all the same, and on its way back.
fn ended(ids: &Ids, order: &Order) -> Order {
    let mut order = order.clone();
    order.seq -= 1;
    order.status = OrderStatus::Superseded;
    order.reason = Some(EndReason::BookingCancelled);
    order.superseded_by = Some(ids.order(&ids.fresh_token([8; 16])));
    let transaction_id = "4".repeat(32);
    let payment = order.payments.first_mut().unwrap();
    payment.status = PaymentStatus::Paid;
    payment.transaction_id = Some(transaction_id.clone());
    payment.paid_at = Some(order.created_at);
    order.refunds.push(Refund {
        refund_id: ids.refund(payment.payment_id.as_str(), &transaction_id, 1),
        payment_id: payment.payment_id.clone(),
        transaction_id,
        attempt: 10,
        status: RefundStatus::NeedsAttention,
        amount: order.amount,
        reason: RefundReason::BookingNotPayable,
        updated_at: order.created_at,
        attention: Some("refund_reversed".to_owned()),
        extra_attempts: 0,
        failed_attempts: vec![1, 2, 3],
        paid_at: None,
    });
    order
}

#[tokio::test]
async fn a_booking_with_its_live_order_and_each_ended_order_fit_one_write_unit() {
    let embedded = EmbeddedStore::in_memory().unwrap();
    let meter = meter_of(embedded.clone());
    let client = StoreClient::from_conf(embedded.sdk_config().http_client(meter.clone()).build());
    create_table(&client, TABLE).await.unwrap();
    let store = Store::new(client, TABLE);
    let ids = Ids::new(&[7; 32]).unwrap();
    let booking = largest_booking(&ids);
    store.open_booking(&booking, "open").await.unwrap();
    let mut change = Change::of(&booking);
    change.ended = vec![ended(&ids, booking.live_order.as_ref().unwrap())];
    store.commit(&change, "change").await.unwrap();
    // An order that ends tells of it in the same item.
    let mut voiding = Change::of(&change.booking);
    let newer = ids.order(&ids.fresh_token([8; 16]));
    voiding.end_live_order(Ending::superseded_by(newer), booking.created_at);
    assert_eq!(voiding.events.len(), 1);
    store.commit(&voiding, "void").await.unwrap();
    for prefix in ["summary", "order#", "booking#"] {
        let bytes = meter.largest_item(prefix);
        println!("largest {prefix:<10} {bytes:>5} bytes");
        assert!((1..=WRITE_UNIT_BYTES).contains(&bytes), "{prefix}: {bytes} bytes");
    }
}

#[tokio::test]
async fn the_task_that_keeps_a_create_request_fits_one_write_unit_for_the_desks() {
    let (world, meter) = quiet().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = booking_after(&world, &customer(1), product, 1).await;
        let made = window.code_for(90).await;
        assert!(made["payment"]["code_url"].is_string());
        let bytes = meter.largest_item("task#query");
        println!("{product:<14} task#query {bytes:>5} bytes");
        assert!((1..=WRITE_UNIT_BYTES).contains(&bytes), "{product}: {bytes} bytes");
    }
}

#[tokio::test]
async fn the_index_of_due_tasks_is_the_one_that_is_counted() {
    let (world, _) = quiet().await;
    let client = world.table_client();
    let described = client.describe_table().table_name(TABLE).send().await.unwrap();
    let indexes = described.table.unwrap().global_secondary_indexes.unwrap();
    let names: Vec<_> = indexes.iter().filter_map(|index| index.index_name()).collect();
    assert_eq!(names, [DUE_INDEX]);
}
