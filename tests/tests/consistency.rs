//! What a page showed holds, or nothing happens: prices, lifetimes, newer orders and late money.

use jiff::{SignedDuration, Timestamp};
use local::client::Reply;
use serde_json::{Value, json};
use tests::{
    Window, World, expect, expect_problem, gateway, order_in, refused_unchanged, text, time,
};

fn cny(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "CNY" })
}

/// What a customer holds who has been quoted: the reply, and the request that takes the quote up.
async fn take_up(window: &Window, quoted: &Value) -> Reply {
    if quoted["order"].is_null() {
        window.order(&quoted["quote"]["token"]).await
    } else {
        window.generate(quoted).await
    }
}

// Prices that change between the quote and the first code.

/// A booking of a product like `desk-order`, bought once if it is to be renewed.
async fn booking(world: &World, product: &str, differences: Value, is_active: bool) -> Window {
    world.sell(product, differences).await;
    let window = world.booking_of("alice", product).await;
    if is_active {
        window.buy(world, 1).await;
    }
    window
}

/// Changes a product under a quote. The quote is refused with the offer as it is now, and whoever
/// takes that up gets the new price.
async fn check_stale(world: &World, flow: &str, is_active: bool, field: &str, value: &Value) {
    let case = format!("{flow}, active: {is_active}, {field} = {value}");
    let name = format!("{flow}-{is_active}-{field}-{}", value.to_string().len());
    let window = booking(world, &name, json!({ "flow": flow }), is_active).await;
    let quoted = expect(201, window.quote(3).await);
    let product = world.change_product(&name, field, value.clone()).await;
    let stale = (409, "quote_stale");
    let problem = refused_unchanged(world, &window, stale, take_up(&window, &quoted)).await;
    let offer = &problem["offer"];
    if is_active && field == "unit" {
        // A paid booking cannot be continued in another unit: there is nothing to offer.
        assert_eq!(*offer, Value::Null, "{case}");
        let quote = window.quote(3);
        refused_unchanged(world, &window, (409, "booking_not_payable"), quote).await;
        return;
    }
    let price = if is_active { "renewal_unit_price" } else { "first_unit_price" };
    assert_eq!(offer["unit_price"], product[price], "{case}");
    assert_eq!(offer["price_version"], product["price_version"], "{case}");
    assert_ne!(offer["price_version"], quoted["quote"]["price_version"], "{case}");
    assert_eq!((&offer["kind"], &offer["quantity"]), (&quoted["quote"]["kind"], &json!(3)));
    let made = if product["flow"] == "submit_once" {
        expect(201, window.order(&offer["token"]).await)
    } else {
        // Making this offer would create an order: that is for the customer to say.
        assert_eq!(offer["token"], Value::Null, "{case}");
        expect(201, window.quote_at(3, gateway()).await)
    };
    assert_eq!(made["order"]["amount"], offer["amount"], "{case}");
    if !quoted["order"].is_null() {
        let orders = window.look().await;
        let voided = order_in(&orders, &quoted["order"]["order_id"]).unwrap().clone();
        assert_eq!(voided["status"], "superseded", "{case}");
        assert_eq!(voided["superseded_by"], made["order"]["order_id"], "{case}");
    }
}

#[tokio::test]
async fn a_quote_whose_product_changed_is_stale_and_nothing_was_created() {
    let world = World::start_unsettled().await;
    let tier = json!([{
        "min_quantity": 4, "first_unit_price": cny(100), "renewal_unit_price": cny(100),
    }]);
    let changes = [
        ("first_unit_price", cny(1281)),
        ("renewal_unit_price", cny(989)),
        ("unit", json!("month")),
        ("time_zone", json!("Europe/Berlin")),
        ("max_quantity", json!(89)),
        ("max_renewals", json!(11)),
        ("tiers", tier),
    ];
    for flow in ["submit_once", "order_first"] {
        for is_active in [false, true] {
            for (field, value) in &changes {
                check_stale(&world, flow, is_active, field, value).await;
            }
            for other in ["submit_once", "order_first", "instant"] {
                if other != flow {
                    check_stale(&world, flow, is_active, "flow", &json!(other)).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_quote_survives_changes_that_it_does_not_depend_on() {
    let world = World::start_unsettled().await;
    for flow in ["submit_once", "order_first"] {
        let product = format!("steady-{}", flow.replace('_', "-"));
        let window = booking(&world, &product, json!({ "flow": flow }), false).await;
        let quoted = expect(201, window.quote(3).await);
        for (field, value) in [
            ("name", json!("Another name")),
            ("quote_ttl_s", json!(301)),
            ("payment_ttl_s", json!(301)),
            ("late_payment", json!("refund")),
            ("first_unit_price", cny(400)),
            ("first_unit_price", cny(1280)),
        ] {
            world.change_product(&product, field, value).await;
        }
        let made = expect(201, take_up(&window, &quoted).await);
        assert_eq!(made["order"]["amount"], quoted["quote"]["amount"]);
    }
}

#[tokio::test]
async fn a_renewal_quoted_before_another_renewal_was_paid_is_stale() {
    let world = World::start_unsettled().await;
    let window = booking(&world, "renewed", json!({ "flow": "submit_once" }), true).await;
    let kept = expect(201, window.quote(1).await);
    let renewed = window.buy(&world, 1).await;
    let order = window.order(&kept["quote"]["token"]);
    let problem = refused_unchanged(&world, &window, (409, "quote_stale"), order).await;
    let offered = expect(201, window.order(&problem["offer"]["token"]).await);
    assert_eq!(renewed["renewals"], 1);
    world.pay(&offered["payment"]["code_url"]).await;
    window.until("the offer is bought", |booking| booking["renewals"] == 2).await;
}

#[tokio::test]
async fn a_first_quote_is_stale_once_another_window_has_bought_the_booking() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let kept = expect(201, window.quote(1).await);
    window.buy(&world, 1).await;
    let order = window.order(&kept["quote"]["token"]);
    let problem = refused_unchanged(&world, &window, (409, "quote_stale"), order).await;
    assert_eq!(problem["offer"]["kind"], "renewal");
    assert_eq!(problem["offer"]["unit_price"], cny(990));
}

#[tokio::test]
async fn a_quote_for_a_quantity_that_is_no_longer_sold_is_stale_without_an_offer() {
    let world = World::start_unsettled().await;
    let window = booking(&world, "smaller", json!({ "flow": "submit_once" }), false).await;
    let quoted = expect(201, window.quote(90).await);
    world.change_product("smaller", "max_quantity", json!(30)).await;
    let order = window.order(&quoted["quote"]["token"]);
    let problem = refused_unchanged(&world, &window, (409, "quote_stale"), order).await;
    assert_eq!(problem["offer"], Value::Null);
}

#[tokio::test]
async fn without_price_check_an_order_keeps_its_price_but_not_beyond_its_quote() {
    let world = World::start_unsettled().await;
    let unchecked = json!({ "price_check": "off" });
    for is_active in [false, true] {
        let product = format!("unchecked-{is_active}");
        let window = booking(&world, &product, unchecked.clone(), is_active).await;
        let quoted = expect(201, window.quote(2).await);
        world.change_product(&product, "first_unit_price", cny(500)).await;
        world.change_product(&product, "renewal_unit_price", cny(500)).await;
        let made = expect(201, window.generate(&quoted).await);
        assert_eq!(made["order"]["amount"], quoted["quote"]["amount"]);
        let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
        assert_eq!(ledger["amount"], quoted["quote"]["amount"]);
        let quoted = expect(201, window.quote(2).await);
        assert_eq!(quoted["quote"]["unit_price"], cny(500));
        world.clock.advance_s(901);
        let generate = window.generate(&quoted);
        refused_unchanged(&world, &window, (409, "quote_expired"), generate).await;
    }
}

#[tokio::test]
async fn once_there_is_a_payment_neither_price_nor_expiry_is_checked_again() {
    let world = World::start_unsettled().await;
    for flow in ["submit_once", "order_first", "instant"] {
        let product = format!("paying-{}", flow.replace('_', "-"));
        let lifetimes = json!({ "flow": flow, "quote_ttl_s": 300, "payment_ttl_s": 900 });
        let window = booking(&world, &product, lifetimes, false).await;
        let quoted = expect(201, window.quote_at(2, gateway()).await);
        let token = &quoted["quote"]["token"];
        let made = match flow {
            "instant" => quoted.clone(),
            _ => expect(201, take_up(&window, &quoted).await),
        };
        world.change_product(&product, "first_unit_price", cny(500)).await;
        world.clock.advance_s(600);
        let order_id = &made["order"]["order_id"];
        let again = expect(200, window.pay_order(order_id, token, gateway()).await);
        assert_eq!(again["payment"], made["payment"], "{flow}");
        if flow == "submit_once" {
            let again = expect(200, window.order(token).await);
            assert_eq!(again["payment"], made["payment"]);
        }
        world.pay(&made["payment"]["code_url"]).await;
        let paid = window.until("it is bought", |booking| booking["status"] == "active").await;
        assert_eq!(paid["orders"][0]["amount"], quoted["quote"]["amount"], "{flow}");
    }
}

// Quotes that have expired.

#[tokio::test]
async fn an_expired_quote_brings_the_offer_as_it_is_now_and_nothing_was_created() {
    let world = World::start_unsettled().await;
    for flow in ["submit_once", "order_first"] {
        for is_active in [false, true] {
            let product = format!("expiring-{}-{is_active}", flow.replace('_', "-"));
            let lifetime = json!({ "flow": flow, "quote_ttl_s": 300 });
            let window = booking(&world, &product, lifetime, is_active).await;
            let quoted = expect(201, window.quote(2).await);
            let end = time(&quoted["quote"]["expires_at"]);
            world.clock.set(end);
            let expired = (409, "quote_expired");
            let request = take_up(&window, &quoted);
            let problem = refused_unchanged(&world, &window, expired, request).await;
            let offer = &problem["offer"];
            assert_eq!(offer["amount"], quoted["quote"]["amount"]);
            assert!(time(&offer["expires_at"]) > world.clock.now());
            if flow == "submit_once" {
                expect(201, window.order(&offer["token"]).await);
            } else {
                assert_eq!(offer["token"], Value::Null);
                // An order without a code is not shown with a token that has expired.
                assert_eq!(window.look().await["live_order"].get("quote"), None);
                let again = expect(201, window.quote(2).await);
                expect(201, window.generate(&again).await);
            }
        }
    }
}

#[tokio::test]
async fn a_quote_holds_until_its_last_second() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order"] {
        let window = world.booking_of("alice", product).await;
        let quoted = expect(201, window.quote(2).await);
        let end = time(&quoted["quote"]["expires_at"]);
        world.clock.set(end.checked_sub(SignedDuration::from_secs(30)).unwrap());
        let made = expect(201, take_up(&window, &quoted).await);
        // The code lives its whole time from when it was made.
        let lives = time(&made["order"]["pay_by"]).duration_since(world.clock.now());
        assert!((890..=900).contains(&lives.as_secs()), "{lives}");
        assert_eq!(made["payment"]["expires_at"], made["order"]["pay_by"]);
    }
}

// Newer orders.

#[tokio::test]
async fn a_change_of_quantity_voids_the_older_order_and_its_money_goes_back() {
    let world = World::start().await;
    world.refund_at_once().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let older = window.code_for(1).await;
        let newer = window.code_for(2).await;
        let booking = window.look().await;
        let voided = order_in(&booking, &older["order"]["order_id"]).unwrap();
        assert_eq!(voided["status"], "superseded", "{product}");
        assert_eq!(voided["superseded_by"], newer["order"]["order_id"]);
        assert_eq!(voided["payment"], Value::Null);
        assert_eq!(voided["payments"][0]["code_url"], Value::Null);
        assert_eq!(booking["live_order"]["order_id"], newer["order"]["order_id"]);
        closed_by_worker(&world, &older["payment"]["payment_id"]).await;
        world.pay_with(json!({ "code_url": older["payment"]["code_url"], "force": true })).await;
        let booking = window.until("the money is back", |booking| refunded(booking, &older)).await;
        let refund = &order_in(&booking, &older["order"]["order_id"]).unwrap()["refunds"][0];
        assert_eq!(refund["reason"], "superseded");
        assert_eq!(refund["amount"], older["order"]["amount"]);
        assert_eq!(refund["payment_id"], older["payment"]["payment_id"]);
        assert_eq!(booking["status"], "pending_payment", "the booking is as it was");
        assert_eq!(booking["term"], Value::Null);
        assert_eq!(booking["live_order"]["payment"], newer["payment"]);
        let ledger = world.ledger_of(&older["payment"]["payment_id"]).await;
        assert_eq!(ledger["captured"], cny(1280));
        assert_eq!(ledger["refunded"], cny(1280));
        world.pay(&newer["payment"]["code_url"]).await;
        let paid = window.until("it is bought", |booking| booking["status"] == "active").await;
        let voided = order_in(&paid, &older["order"]["order_id"]).unwrap();
        assert_eq!(voided["status"], "superseded");
    }
}

/// Waits for the stack's own worker to close a code.
async fn closed_by_worker(world: &World, payment_id: &Value) {
    for _ in 0..1_000 {
        if world.ledger_of(payment_id).await["closed"] == true {
            return;
        }
        tokio::time::sleep(tests::GLANCE).await;
    }
    panic!("the worker has not closed {payment_id}");
}

fn refunded(booking: &Value, made: &Value) -> bool {
    order_in(booking, &made["order"]["order_id"])
        .is_some_and(|order| order["refunds"][0]["status"] == "succeeded")
}

#[tokio::test]
async fn a_window_with_an_older_order_is_told_of_the_live_one() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let older = expect(201, window.quote_at(1, gateway()).await);
        let newer = expect(201, window.quote_at(2, gateway()).await);
        let superseded = (409, "order_superseded");
        let generate = window.generate(&older);
        let problem = refused_unchanged(&world, &window, superseded, generate).await;
        assert_eq!(problem["live_order"], newer["order"], "{product}");
        if product == "desk-order" {
            // What came with the problem is enough to go on.
            let live = &problem["live_order"];
            let token = &live["quote"]["token"];
            let made = window.pay_order(&live["order_id"], token, gateway()).await;
            expect(201, made);
        }
        let live = window.look().await["live_order"]["order_id"].clone();
        expect(200, window.cancel_order(&live).await);
        let generate = window.generate(&older);
        let problem = refused_unchanged(&world, &window, superseded, generate).await;
        assert_eq!(problem["live_order"], Value::Null);
    }
}

#[tokio::test]
async fn an_order_that_has_ended_takes_no_payment() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let (order_id, token) = started(&window, 1).await;
        expect(200, window.cancel_order(&order_id).await);
        let closed = (409, "order_closed");
        let generate = window.pay_order(&order_id, &token, gateway());
        let problem = refused_unchanged(&world, &window, closed, generate).await;
        assert_eq!(problem["offer"]["amount"], cny(1280));
        let is_free = product == "desk-submit";
        assert_eq!(problem["offer"]["token"].is_string(), is_free, "{product}");
        let (order_id, token) = started(&window, 1).await;
        let code = window.look().await["live_order"]["payment"]["code_url"].clone();
        world.pay(&code).await;
        window.until("it is bought", |booking| booking["status"] == "active").await;
        let generate = window.pay_order(&order_id, &token, gateway());
        refused_unchanged(&world, &window, (409, "order_already_paid"), generate).await;
        if product == "desk-submit" {
            // The same token again is the same order, whatever has become of it.
            let again = expect(200, window.order(&token).await);
            assert_eq!(
                (&again["order"]["order_id"], &again["order"]["status"]),
                (&order_id, &json!("paid"),)
            );
        }
    }
}

/// Starts a payment by whatever the flow asks for: the order's id and its token.
async fn started(window: &Window, quantity: u32) -> (Value, Value) {
    let quoted = expect(201, window.quote_at(quantity, gateway()).await);
    let made = match &quoted["payment"] {
        Value::Null => expect(201, take_up(window, &quoted).await),
        _ => quoted.clone(),
    };
    (made["order"]["order_id"].clone(), quoted["quote"]["token"].clone())
}

#[tokio::test]
async fn only_submit_once_creates_orders_by_tokens() {
    let world = World::start_unsettled().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let quoted = expect(201, window.quote_at(1, gateway()).await);
        let mismatch = (409, "flow_mismatch");
        for token in [quoted["quote"]["token"].clone(), json!("made up"), json!("")] {
            refused_unchanged(&world, &window, mismatch, window.order(&token)).await;
        }
    }
}

#[tokio::test]
async fn windows_that_order_at_once_leave_one_live_order_and_void_the_others_in_turn() {
    let world = World::start().await;
    for product in ["desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let asking: Vec<_> = (1..=6_u32)
            .map(|quantity| {
                let window = window.clone();
                tokio::spawn(async move { window.quote_at(quantity, gateway()).await })
            })
            .collect();
        let mut made = 0;
        for reply in asking {
            let reply = reply.await.unwrap();
            if reply.status == 201 {
                made += 1;
            } else if reply.body["code"] == "version_conflict" {
                assert_eq!(
                    (reply.status, &reply.headers["retry-after"]),
                    (409, &"1".parse().unwrap())
                );
            } else {
                // Its code was voided by a later window before it could be shown.
                expect_problem(409, "order_superseded", reply);
                made += 1;
            }
        }
        assert!(made >= 2, "{product}: windows that order at once both succeed");
        let booking = window.look().await;
        let orders = booking["orders"].as_array().unwrap();
        assert_eq!(orders.len(), made, "{product}");
        assert_eq!(orders[0]["status"], "pending");
        for pair in orders.windows(2) {
            assert_eq!(pair[1]["status"], "superseded");
            assert_eq!(pair[1]["superseded_by"], pair[0]["order_id"]);
        }
    }
}

#[tokio::test]
async fn of_two_windows_that_both_pay_one_buys_and_the_other_gets_its_money_back() {
    let world = World::start().await;
    world.refund_at_once().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let first = window.code_for(1).await;
        let second = window.code_for(2).await;
        let pay = |made: &Value| {
            let body = json!({ "code_url": made["payment"]["code_url"], "force": true });
            world.pay_with(body)
        };
        tokio::join!(pay(&first), pay(&second));
        let booking = window
            .until("both are settled", |booking| {
                booking["status"] == "active" && refunded(booking, &first)
            })
            .await;
        let quantity_of = |made: &Value| order_in(&booking, &made["order"]["order_id"]).cloned();
        assert_eq!(quantity_of(&second).unwrap()["status"], "paid", "{product}");
        assert_eq!(quantity_of(&second).unwrap()["refunds"], json!([]));
        assert_eq!(quantity_of(&first).unwrap()["status"], "superseded");
        let [lost, kept] = [&first, &second].map(|made| made["payment"]["payment_id"].clone());
        let lost = world.ledger_of(&lost).await;
        assert_eq!(lost["refunded"], lost["captured"]);
        assert_eq!(world.ledger_of(&kept).await["refunded"], cny(0));
    }
}

// The end of an order's time.

#[tokio::test]
async fn after_pay_by_no_code_is_shown_and_the_order_ends_with_its_code_closed() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let (order_id, token) = started(&window, 2).await;
        let live = window.look().await["live_order"].clone();
        let lives = time(&live["pay_by"]).duration_since(time(&live["created_at"])).as_secs();
        assert!((lives - if product == "desk-instant" { 120 } else { 900 }).abs() < 10, "{lives}");
        world.clock.set(time(&live["pay_by"]));
        let over = window.look().await["live_order"].clone();
        assert_eq!(over["status"], "pending", "{product}");
        assert_eq!(over["payment"]["code_url"], Value::Null);
        assert_eq!(over["payments"][0]["code_url"], Value::Null);
        let closed = (409, "order_closed");
        let generate = window.pay_order(&order_id, &token, gateway());
        let problem = refused_unchanged(&world, &window, closed, generate).await;
        assert_eq!(problem["offer"]["quantity"], 2);
        if product == "desk-submit" {
            let again = expect(200, window.order(&token).await);
            assert_eq!(again["payment"]["code_url"], Value::Null);
        }
        let is_over = |booking: &Value| booking["live_order"].is_null();
        let booking = world.settle_until(&window, "the order has ended", is_over).await;
        let order = &booking["orders"][0];
        assert_eq!((&order["status"], &order["reason"]), (&json!("expired"), &json!("unpaid")));
        assert_eq!(order["payments"][0]["status"], "closed");
        let payment_id = &order["payments"][0]["payment_id"];
        assert_eq!(world.ledger_of(payment_id).await["closed"], true, "{product}");
        let generate = window.pay_order(&order_id, &token, gateway());
        refused_unchanged(&world, &window, closed, generate).await;
        let cancel = window.cancel_order(&order_id);
        refused_unchanged(&world, &window, closed, cancel).await;
        assert_eq!(window.buy(&world, 1).await["status"], "active");
    }
}

#[tokio::test]
async fn the_stack_ends_an_order_in_time_by_itself() {
    let world = World::start().await;
    let window = world.booking_of("alice", "desk-instant").await;
    let made = window.code_for(1).await;
    world.clock.set(time(&made["order"]["pay_by"]));
    let booking = window.until("it has ended", |booking| booking["live_order"].is_null()).await;
    assert_eq!(booking["orders"][0]["status"], "expired");
    assert_eq!(world.ledger_of(&made["payment"]["payment_id"]).await["closed"], true);
}

#[tokio::test]
async fn a_renewal_is_to_be_paid_before_the_term_ends() {
    let world = World::start_unsettled().await;
    for flow in ["submit_once", "order_first", "instant"] {
        let product = format!("ending-{}", flow.replace('_', "-"));
        let hourly = json!({ "flow": flow, "unit": "hour", "payment_ttl_s": 900 });
        let window = booking(&world, &product, hourly, true).await;
        let bought = window.look().await;
        let end = time(&bought["term"]["valid_until"]);
        // Long before the end the payment lives its usual time; near it, until the end.
        let made = window.code_for(1).await;
        assert!(time(&made["order"]["pay_by"]) < end);
        for before_s in [899, 30] {
            world.clock.set(end.checked_sub(SignedDuration::from_secs(before_s)).unwrap());
            let made = window.code_for(2).await;
            let pay_by = &made["order"]["pay_by"];
            assert_eq!(*pay_by, bought["term"]["valid_until"], "{flow}, {before_s} s before");
            assert_eq!(made["payment"]["expires_at"], *pay_by);
        }
        world.clock.set(end);
        let code = window.look().await["live_order"]["payment"]["code_url"].clone();
        assert_eq!(code, Value::Null);
        let over = |booking: &Value| booking["live_order"].is_null();
        let booking = world.settle_until(&window, "the order has ended", over).await;
        assert_eq!(booking["orders"][0]["status"], "expired", "{flow}");
        assert_eq!(booking["status"], "expired");
        assert_eq!(booking["term"], bought["term"]);
    }
}

#[tokio::test]
async fn a_renewal_paid_in_time_counts_though_we_hear_of_it_when_the_booking_is_over() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    for (after_end_s, outcome) in [(-1, "paid"), (1, "refunded")] {
        let product = format!("heard-late-{outcome}");
        let window = booking(&world, &product, json!({ "unit": "hour" }), true).await;
        let bought = window.look().await;
        let end = time(&bought["term"]["valid_until"]);
        world.clock.set(end.checked_sub(SignedDuration::from_secs(120)).unwrap());
        let made = window.code_for(1).await;
        world.clock.set(end.checked_add(SignedDuration::from_secs(600)).unwrap());
        assert_eq!(window.look().await["status"], "expired");
        let paid_at = end.checked_add(SignedDuration::from_secs(after_end_s)).unwrap();
        let code = &made["payment"]["code_url"];
        world.pay_with(json!({ "code_url": code, "paid_at": paid_at })).await;
        if outcome == "paid" {
            let renewed = window.until("it is renewed", |b| b["status"] == "active").await;
            let gained = time(&renewed["term"]["valid_until"]).duration_since(end);
            assert_eq!(gained, SignedDuration::from_hours(1));
        } else {
            let is_back = |booking: &Value| refunded(booking, &made);
            let booking = world.settle_until(&window, "the money is back", is_back).await;
            let order = order_in(&booking, &made["order"]["order_id"]).unwrap();
            assert_eq!(order["refunds"][0]["reason"], "booking_not_payable");
            assert_eq!((&booking["status"], &booking["renewals"]), (&json!("expired"), &json!(0)));
        }
    }
}

/// A payment made some seconds after `pay_by` (0: just in time), heard of much later.
struct Late {
    policy: &'static str,
    price_changes: bool,
    after_s: i64,
    counts: bool,
}

#[tokio::test]
async fn a_late_payment_counts_only_where_the_product_takes_it_at_an_unchanged_price() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    let late =
        |policy, price_changes, after_s, counts| Late { policy, price_changes, after_s, counts };
    let cases = [
        late("accept", false, 0, true),
        late("accept", false, 1, true),
        late("accept", false, 600, true),
        late("accept", true, 0, true),
        late("accept", true, 1, false),
        late("accept", true, 600, false),
        late("refund", false, 0, true),
        late("refund", false, 1, false),
        late("refund", true, 0, true),
        late("refund", true, 600, false),
    ];
    let flows = ["submit_once", "order_first", "instant"];
    for (number, (case, flow)) in cases.iter().zip(flows.into_iter().cycle()).enumerate() {
        check_late(&world, &format!("late-{number}"), flow, case).await;
    }
}

async fn check_late(world: &World, product: &str, flow: &str, late: &Late) {
    let differences = json!({ "flow": flow, "late_payment": late.policy });
    let window = booking(world, product, differences, false).await;
    let made = window.code_for(2).await;
    if late.price_changes {
        world.change_product(product, "first_unit_price", cny(400)).await;
    }
    // The policy is the order's own: what the product says later is for later orders.
    let other = if late.policy == "accept" { "refund" } else { "accept" };
    world.change_product(product, "late_payment", json!(other)).await;
    let pay_by = time(&made["order"]["pay_by"]);
    world.clock.set(pay_by.checked_add(SignedDuration::from_secs(700)).unwrap());
    let paid_at = Timestamp::from_second(pay_by.as_second() + late.after_s).unwrap();
    let code = &made["payment"]["code_url"];
    world.pay_with(json!({ "code_url": code, "paid_at": paid_at })).await;
    let order_id = &made["order"]["order_id"];
    let Late { policy, price_changes, after_s, .. } = late;
    let case = format!("{flow}, {policy}, price changes: {price_changes}, {after_s} s late");
    let order = |booking: &Value| order_in(booking, order_id).cloned().unwrap();
    if late.counts {
        let settled = |booking: &Value| booking["status"] == "active";
        let booking = window.until(&case, settled).await;
        assert_eq!(order(&booking)["status"], "paid", "{case}");
    } else {
        let settled = |booking: &Value| refunded(booking, &made);
        let booking = world.settle_until(&window, &case, settled).await;
        let order = order(&booking);
        assert_eq!(order["status"], "expired", "{case}");
        assert_eq!(order["reason"], "late_payment", "{case}");
        assert_eq!(order["refunds"][0]["reason"], "late_payment", "{case}");
        assert_eq!(booking["live_order"], Value::Null, "{case}");
        assert_eq!(booking["status"], "pending_payment", "{case}");
        let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
        assert_eq!(ledger["refunded"], ledger["captured"], "{case}");
    }
}

#[tokio::test]
async fn money_for_an_order_that_has_expired_goes_back() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    let window = world.booking_of("alice", "desk-instant").await;
    let made = window.code_for(1).await;
    world.clock.set(time(&made["order"]["pay_by"]));
    let over = |booking: &Value| booking["live_order"].is_null();
    world.settle_until(&window, "the order has ended", over).await;
    world.pay_with(json!({ "code_url": made["payment"]["code_url"], "force": true })).await;
    let is_back = |booking: &Value| refunded(booking, &made);
    let booking = world.settle_until(&window, "the money is back", is_back).await;
    assert_eq!(booking["orders"][0]["status"], "expired");
    assert_eq!(booking["orders"][0]["refunds"][0]["reason"], "expired");
}

// Money that does not fit.

#[tokio::test]
async fn a_differing_amount_is_never_applied_and_the_order_can_be_paid_again_a_few_times() {
    let world = World::start_unsettled().await;
    world.refund_at_once().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let mut paid = vec![];
    for (attempt, amount) in [1, 1279, 1281, 99_999, 2].into_iter().enumerate() {
        let made = expect(201, window.generate(&quoted).await);
        let payment_id = made["payment"]["payment_id"].clone();
        assert!(!paid.contains(&payment_id), "a spent attempt is not shown again");
        let code = &made["payment"]["code_url"];
        world.pay_with(json!({ "code_url": code, "amount": cny(amount) })).await;
        let is_back =
            |booking: &Value| booking["live_order"]["refunds"][attempt]["status"] == "succeeded";
        let booking = world.settle_until(&window, "the money is back", is_back).await;
        let order = &booking["live_order"];
        assert_eq!(order["status"], "pending");
        assert_eq!(order["refunds"][attempt]["reason"], "amount_mismatch");
        assert_eq!(order["refunds"][attempt]["amount"], cny(amount));
        assert_eq!(order["payment"], Value::Null);
        paid.push(payment_id);
    }
    let generate = window.generate(&quoted);
    refused_unchanged(&world, &window, (409, "attempts_exhausted"), generate).await;
    for payment_id in &paid {
        let ledger = world.ledger_of(payment_id).await;
        assert_eq!(ledger["refunded"], ledger["captured"]);
    }
    assert_eq!(window.buy(&world, 1).await["status"], "active", "a new order can be paid");
}

#[tokio::test]
async fn a_code_paid_twice_buys_once_and_the_second_capture_goes_back() {
    let world = World::start().await;
    world.refund_at_once().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let code = &made["payment"]["code_url"];
    world.pay(code).await;
    world.pay_with(json!({ "code_url": code, "force": true })).await;
    let booking = window.until("one is back", |booking| refunded(booking, &made)).await;
    let order = &booking["orders"][0];
    assert_eq!(order["status"], "paid");
    assert_eq!(order["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(order["refunds"][0]["reason"], "duplicate_payment");
    assert_eq!((&booking["status"], &booking["renewals"]), (&json!("active"), &json!(0)));
    let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
    assert_eq!((&ledger["captured"], &ledger["refunded"]), (&cny(2560), &cny(1280)));
}

#[tokio::test]
async fn a_payment_whose_notification_was_lost_is_found_when_the_code_is_asked_for_again() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let (order_id, token) = started(&window, 1).await;
        let code = window.look().await["live_order"]["payment"]["code_url"].clone();
        world.faults(json!({ "notifications_dropped": 1.0 })).await;
        world.pay(&code).await;
        world.faults(json!({})).await;
        assert_eq!(window.look().await["status"], "pending_payment");
        let again = window.pay_order(&order_id, &token, gateway()).await;
        expect_problem(409, "order_already_paid", again);
        assert_eq!(window.look().await["status"], "active", "{product}");
    }
}

#[tokio::test]
async fn a_payment_whose_notification_was_lost_is_found_by_asking_in_time() {
    let world = World::start_unsettled().await;
    world.faults(json!({ "notifications_dropped": 1.0 })).await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    world.pay(&made["payment"]["code_url"]).await;
    world.settle().await;
    assert_eq!(window.look().await["status"], "pending_payment");
    world.clock.advance_s(61);
    world.settle().await;
    assert_eq!(window.look().await["status"], "active");
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_leaves_one_payment_that_the_same_request_finishes() {
    let world = World::start_unsettled().await;
    for fault in ["calls_failed_before", "calls_failed_after"] {
        for product in ["desk-submit", "desk-order", "desk-instant"] {
            let key = format!("{fault}-{product}");
            let window = world.booking_under("alice", product, &key).await;
            let body = json!({ "quantity": 1, "gateway": gateway() });
            let quote = window.quote_keyed(&body, "quote");
            let quoted = match product {
                "desk-instant" => Value::Null,
                _ => expect(201, quote.await),
            };
            let request = async || match product {
                "desk-instant" => window.quote_keyed(&body, "quote").await,
                _ => take_up(&window, &quoted).await,
            };
            world.faults(json!({ fault: 1.0 })).await;
            let failed = request().await;
            assert_eq!(failed.headers["retry-after"], "2");
            expect_problem(503, "gateway_unavailable", failed);
            let live = window.look().await["live_order"].clone();
            assert_eq!(live["payment"]["status"], "creating", "{key}");
            assert_eq!(live["payment"]["code_url"], Value::Null);
            world.faults(json!({})).await;
            let made = expect(200, request().await);
            assert_eq!(made["payment"]["payment_id"], live["payment"]["payment_id"], "{key}");
            world.pay(&made["payment"]["code_url"]).await;
            window.until("it is bought", |booking| booking["status"] == "active").await;
        }
    }
}

// Tokens.

/// The token with one character changed, at positions spread over all of it.
fn changed_tokens(token: &str) -> Vec<String> {
    let characters: Vec<char> = token.chars().collect();
    let step = characters.len().div_ceil(55);
    let spread = (0..characters.len()).step_by(step);
    let ends = [0, 1, 2, 3].into_iter().chain(characters.len() - 4..characters.len());
    let change = |at: usize| {
        let mut changed = characters.clone();
        changed[at] = match changed[at] {
            'A'..='Z' => changed[at].to_ascii_lowercase(),
            'a'..='z' => changed[at].to_ascii_uppercase(),
            '0' => '1',
            _ => '0',
        };
        changed.into_iter().collect()
    };
    spread.chain(ends).map(change).collect()
}

/// Tokens that are none, however much they look like one.
fn ruined_tokens(token: &str, other: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let others: Vec<&str> = other.split('.').collect();
    vec![
        String::new(),
        " ".to_owned(),
        ".".repeat(3),
        parts[..3].join("."),
        format!("{}.", parts[..3].join(".")),
        parts[2].to_owned(),
        token[..token.len() / 2].to_owned(),
        token[..token.len() - 1].to_owned(),
        token[1..].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        format!("{token}.{}", parts[3]),
        format!(" {token}"),
        format!("{token}\n"),
        token.to_uppercase(),
        "é".repeat(100),
        "A".repeat(3_000),
        format!("{token}{}", "A".repeat(40_000)),
        // Claims of one quote under the signature of another.
        [parts[0], parts[1], others[2], parts[3]].join("."),
        [parts[0], parts[1], parts[2], others[3]].join("."),
        [parts[0], "other", parts[2], parts[3]].join("."),
        ["lp2", parts[1], parts[2], parts[3]].join("."),
    ]
}

/// Sends tokens with one request after the other; none of them may do anything.
async fn check_tampered(
    world: &World,
    window: &Window,
    tokens: &[String],
    send: impl AsyncFn(&Value) -> Reply,
) {
    let before = window.state(world).await;
    for token in tokens {
        let reply = send(&json!(token)).await;
        assert_eq!(reply.body["code"], "quote_tampered", "{token}");
        expect_problem(422, "quote_tampered", reply);
    }
    assert_eq!(window.state(world).await, before, "a changed token does nothing");
}

#[tokio::test]
async fn a_changed_token_creates_no_order() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    let token = text(&expect(201, window.quote(1).await)["quote"]["token"]);
    let other = text(&expect(201, window.quote(9).await)["quote"]["token"]);
    let tokens = [changed_tokens(&token), ruined_tokens(&token, &other)].concat();
    check_tampered(&world, &window, &tokens, async |token| window.order(token).await).await;
    expect(201, window.order(&json!(token)).await);
}

#[tokio::test]
async fn a_changed_token_generates_no_payment_and_shows_none() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let older = expect(201, window.quote(9).await);
    let quoted = expect(201, window.quote(1).await);
    let order_id = &quoted["order"]["order_id"];
    let [token, other] = [&quoted, &older].map(|quoted| text(&quoted["quote"]["token"]));
    let tokens = [changed_tokens(&token), ruined_tokens(&token, &other)].concat();
    let send = async |token: &Value| window.pay_order(order_id, token, gateway()).await;
    check_tampered(&world, &window, &tokens, send).await;
    expect(201, send(&json!(token)).await);
    check_tampered(&world, &window, &tokens, send).await;
    expect(200, send(&json!(token)).await);
}

#[tokio::test]
async fn a_token_is_good_for_its_own_booking_customer_and_order_only() {
    let world = World::start_unsettled().await;
    let elsewhere = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let second = world.booking_under("alice", product, &format!("second-{product}")).await;
        let of_bob = world.booking_of("bob", product).await;
        let far = elsewhere.booking_of("alice", product).await;
        let older = expect(201, window.quote_at(3, gateway()).await);
        let own = expect(201, window.quote_at(1, gateway()).await);
        let mut foreign = vec![];
        for window in [&second, &of_bob, &far] {
            let quoted = expect(201, window.quote_at(1, gateway()).await);
            foreign.push(text(&quoted["quote"]["token"]));
        }
        if product == "desk-submit" {
            let send = async |token: &Value| window.order(token).await;
            check_tampered(&world, &window, &foreign, send).await;
            let made = expect(201, window.order(&own["quote"]["token"]).await);
            // Made by one token, an order is not shown to another.
            foreign.push(text(&older["quote"]["token"]));
            let order_id = &made["order"]["order_id"];
            let send = async |token: &Value| window.pay_order(order_id, token, gateway()).await;
            check_tampered(&world, &window, &foreign, send).await;
        } else {
            foreign.push(text(&older["quote"]["token"]));
            let order_id = &own["order"]["order_id"];
            let send = async |token: &Value| window.pay_order(order_id, token, gateway()).await;
            check_tampered(&world, &window, &foreign, send).await;
            let token = [text(&own["quote"]["token"])];
            let older_id = &older["order"]["order_id"];
            let unknown_id = json!("0".repeat(32));
            for order_id in [older_id, &unknown_id] {
                let send = async |token: &Value| window.pay_order(order_id, token, gateway()).await;
                check_tampered(&world, &window, &token, send).await;
            }
        }
        // Somebody else's booking is not there, whatever token is held.
        let stranger = window.in_hands_of("bob");
        let before = window.state(&world).await;
        for token in [&own["quote"]["token"], &json!(foreign[1]), &json!("")] {
            expect_problem(404, "not_found", stranger.order(token).await);
            let order_id = json!("0".repeat(32));
            let generate = stranger.pay_order(&order_id, token, gateway()).await;
            expect_problem(404, "not_found", generate);
        }
        assert_eq!(window.state(&world).await, before);
    }
}
