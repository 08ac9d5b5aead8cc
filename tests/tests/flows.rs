//! The three flows over HTTP, from the first quote to the last renewal.

use jiff::{SignedDuration, Timestamp};
use local::client::Client;
use serde_json::{Value, json};
use tests::{
    Window, World, expect, expect_problem, gateway, open_booking, refused_unchanged, text, time,
};

const FLOWS: [&str; 3] = ["submit_once", "order_first", "instant"];

#[tokio::test]
async fn each_flow_sells_a_booking_and_renews_it() {
    let world = World::start().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let bought = window.buy(&world, 2).await;
        assert_eq!(bought["status"], "active", "{product}");
        assert_eq!(bought["renewals"], 0);
        let renewed = window.buy(&world, 1).await;
        assert_eq!(renewed["renewals"], 1, "{product}");
        assert_eq!(renewed["live_order"], json!(null));
        assert_eq!(renewed["orders"].as_array().unwrap().len(), 2);
        let kinds: Vec<_> = renewed["orders"].as_array().unwrap().iter().collect();
        assert_eq!((&kinds[0]["kind"], &kinds[1]["kind"]), (&json!("renewal"), &json!("first")));
        assert_eq!(kinds[0]["amount"], json!({ "amount": 990, "currency": "CNY" }));
        assert_eq!(kinds[1]["amount"], json!({ "amount": 2560, "currency": "CNY" }));
    }
}

#[tokio::test]
async fn each_flow_renews_up_to_the_limit_and_no_further() {
    let world = World::start_unsettled().await;
    for flow in FLOWS {
        let product = format!("twice-{}", flow.replace('_', "-"));
        world.sell(&product, json!({ "flow": flow, "max_renewals": 2 })).await;
        let window = world.booking_of("alice", &product).await;
        for renewals in 0..=2 {
            let booking = window.buy(&world, 1).await;
            assert_eq!(booking["renewals"], renewals, "{flow}");
        }
        let again = window.quote_at(1, gateway());
        let limit = (409, "renewal_limit_reached");
        let problem = refused_unchanged(&world, &window, limit, again).await;
        assert_eq!(problem["max_renewals"], 2, "{flow}");
    }
}

#[tokio::test]
async fn a_quote_taken_before_the_last_renewal_does_not_pass_the_limit() {
    let world = World::start_unsettled().await;
    world.sell("once-more", json!({ "flow": "submit_once", "max_renewals": 1 })).await;
    let window = world.booking_of("alice", "once-more").await;
    window.buy(&world, 1).await;
    let kept = expect(201, window.quote(1).await);
    window.buy(&world, 1).await;
    let order = window.order(&kept["quote"]["token"]);
    refused_unchanged(&world, &window, (409, "renewal_limit_reached"), order).await;
}

#[tokio::test]
async fn a_product_without_renewals_is_bought_once() {
    let world = World::start_unsettled().await;
    world.sell("once", json!({ "max_renewals": 0 })).await;
    let window = world.booking_of("alice", "once").await;
    window.buy(&world, 1).await;
    let again = window.quote(1);
    let limit = (409, "renewal_limit_reached");
    let problem = refused_unchanged(&world, &window, limit, again).await;
    assert_eq!(problem["max_renewals"], 0);
}

#[tokio::test]
async fn a_booking_keeps_the_renewals_and_the_zone_that_it_was_opened_with() {
    let world = World::start().await;
    world.sell("pinned", json!({ "max_renewals": 1, "time_zone": "Europe/Berlin" })).await;
    world.clock.set("2026-10-24T10:00:00Z".parse().unwrap());
    let window = world.booking_of("alice", "pinned").await;
    world.sell("pinned", json!({ "max_renewals": 9, "time_zone": "UTC" })).await;
    let bought = window.buy(&world, 1).await;
    // A day in Berlin that has 25 hours.
    assert_eq!(term_length(&bought), SignedDuration::from_hours(25));
    window.buy(&world, 1).await;
    let limit = expect_problem(409, "renewal_limit_reached", window.quote(1).await);
    assert_eq!(limit["max_renewals"], 1);
}

fn term_length(booking: &Value) -> SignedDuration {
    let term = &booking["term"];
    time(&term["valid_until"]).duration_since(time(&term["starts_at"]))
}

/// Buys and renews from a moment on, and compares the end after each with what it would be had
/// the first payment been applied at that very moment.
async fn check_term(world: &World, unit: &str, zone: &str, from: &str, ends: &[(u32, &str)]) {
    let name = format!("{unit}-{}", from.to_lowercase().replace([':', '.', '+'], "-"));
    world.sell(&name, json!({ "flow": "instant", "unit": unit, "time_zone": zone })).await;
    let from: Timestamp = from.parse().unwrap();
    world.clock.set(from);
    let window = world.booking_of("alice", &name).await;
    let mut starts_at = None;
    for (quantity, end) in ends {
        let booking = window.buy(world, *quantity).await;
        let started = time(&booking["term"]["starts_at"]);
        // The first payment sets the start, and no renewal moves it.
        assert_eq!(*starts_at.get_or_insert(started), started);
        let delay = started.duration_since(from);
        assert!(delay.as_secs() < 60 && !delay.is_negative(), "{started}");
        let wanted = end.parse::<Timestamp>().unwrap().duration_since(from);
        assert_eq!(term_length(&booking), wanted, "{from} + {quantity} {unit} in {zone}");
        world.clock.advance_s(1_800);
    }
}

#[tokio::test]
async fn the_term_ends_right_to_the_second_whatever_the_calendar_does() {
    let world = World::start().await;
    let shanghai = "Asia/Shanghai";
    let berlin = "Europe/Berlin";
    // 31 January in Shanghai is still 30 January in UTC.
    let zone_month = [(1, "2026-02-27T17:00:00Z")];
    check_term(&world, "month", shanghai, "2026-01-30T17:00:00Z", &zone_month).await;
    let hours = [(3, "2026-01-31T04:00:00Z"), (2, "2026-01-31T06:00:00Z")];
    check_term(&world, "hour", shanghai, "2026-01-31T01:00:00Z", &hours).await;
    let month_ends = [
        (1, "2026-02-28T02:00:00Z"),
        (1, "2026-03-31T02:00:00Z"),
        (1, "2026-04-30T02:00:00Z"),
        (21, "2028-01-31T02:00:00Z"),
        (1, "2028-02-29T02:00:00Z"),
    ];
    check_term(&world, "month", shanghai, "2026-01-31T02:00:00Z", &month_ends).await;
    // 02:30 is skipped on 29 March in Berlin.
    let gap = [(1, "2026-03-29T01:30:00Z"), (1, "2026-03-30T00:30:00Z")];
    check_term(&world, "day", berlin, "2026-03-28T01:30:00Z", &gap).await;
    let spring = [(1, "2026-03-29T10:00:00Z"), (1, "2026-03-30T10:00:00Z")];
    check_term(&world, "day", berlin, "2026-03-28T11:00:00Z", &spring).await;
    let spring_hours = [(24, "2026-03-29T12:00:00Z")];
    check_term(&world, "hour", berlin, "2026-03-28T12:00:00Z", &spring_hours).await;
    let autumn = [(1, "2026-10-25T11:00:00Z"), (1, "2026-10-26T11:00:00Z")];
    check_term(&world, "day", berlin, "2026-10-24T10:00:00Z", &autumn).await;
    let autumn_month = [(1, "2026-11-24T11:30:00Z")];
    check_term(&world, "month", berlin, "2026-10-24T10:30:00Z", &autumn_month).await;
}

#[tokio::test]
async fn a_tier_prices_the_whole_quantity_of_first_bookings_and_renewals() {
    let world = World::start().await;
    let cny = |amount: i64| json!({ "amount": amount, "currency": "CNY" });
    let tier = json!({
        "min_quantity": 7, "first_unit_price": cny(1000), "renewal_unit_price": cny(700),
    });
    world.sell("tiered", json!({ "flow": "submit_once", "tiers": [tier] })).await;
    let window = world.booking_of("alice", "tiered").await;
    for (kind, prices) in [("first", [1280, 1000]), ("renewal", [990, 700])] {
        for (quantity, unit_price) in [(6, prices[0]), (7, prices[1]), (90, prices[1])] {
            let quote = expect(201, window.quote(quantity).await)["quote"].clone();
            assert_eq!(quote["kind"], kind);
            assert_eq!(quote["unit_price"], cny(unit_price), "{kind} {quantity}");
            assert_eq!(quote["amount"], cny(unit_price * i64::from(quantity)), "{kind} {quantity}");
        }
        window.buy(&world, 7).await;
    }
}

#[tokio::test]
async fn a_booking_is_over_at_the_end_of_its_term_and_takes_no_money_from_then_on() {
    let world = World::start_unsettled().await;
    for flow in FLOWS {
        let product = format!("hourly-{}", flow.replace('_', "-"));
        world.sell(&product, json!({ "flow": flow, "unit": "hour", "quote_ttl_s": 7200 })).await;
        let window = world.booking_of("alice", &product).await;
        let bought = window.buy(&world, 1).await;
        let quoted = match flow {
            "instant" => Value::Null,
            _ => expect(201, window.quote(1).await),
        };
        let version = window.look().await["version"].clone();
        let end = time(&bought["term"]["valid_until"]);
        world.clock.set(end.checked_sub(SignedDuration::from_secs(60)).unwrap());
        assert_eq!(window.look().await["status"], "active", "{flow}");
        world.clock.set(end);
        let over = window.look().await;
        assert_eq!((&over["status"], &over["version"]), (&json!("expired"), &version), "{flow}");
        assert_eq!(over["term"], bought["term"]);
        let not_payable = (409, "booking_not_payable");
        let quote = window.quote_at(1, gateway());
        refused_unchanged(&world, &window, not_payable, quote).await;
        refused_unchanged(&world, &window, not_payable, window.cancel()).await;
        match flow {
            "submit_once" => {
                let order = window.order(&quoted["quote"]["token"]);
                refused_unchanged(&world, &window, not_payable, order).await;
            }
            "order_first" => {
                let generate = window.generate(&quoted);
                refused_unchanged(&world, &window, not_payable, generate).await;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_customer_sees_twenty_bookings_a_page_newest_first() {
    let world = World::start().await;
    let alice = world.nobody().as_customer("alice");
    let mut opened = vec![];
    for number in 0..25 {
        let product = ["desk-submit", "desk-order", "desk-instant"][number % 3];
        let reply = open_booking(&alice, product, &format!("key-{number}")).await;
        opened.push(expect(201, reply)["booking_id"].clone());
        world.clock.advance_s(1);
    }
    world.booking_of("bob", "desk-order").await;
    opened.reverse();
    let (first, cursor) = page(&alice, None).await;
    let (second, last) = page(&alice, Some(&text(&cursor))).await;
    assert_eq!((first.len(), second.len(), last), (20, 5, Value::Null));
    let listed: Vec<_> = first.iter().chain(&second).map(|b| b["booking_id"].clone()).collect();
    assert_eq!(listed, opened);
    // Each is the booking as it reads alone, without its ended orders.
    for listed in [&first[0], &second[4]] {
        let path = format!("/v1/bookings/{}", text(&listed["booking_id"]));
        let mut alone = expect(200, alice.get(path).await.unwrap());
        alone.as_object_mut().unwrap().remove("orders");
        assert_eq!(alone, *listed);
    }
    assert_eq!(page(&world.nobody().as_customer("carol"), None).await, (vec![], Value::Null));
    // A cursor of one customer shows another nothing that is not theirs.
    let (foreign, _) = page(&world.nobody().as_customer("bob"), Some(&text(&cursor))).await;
    assert!(foreign.iter().all(|booking| !opened.contains(&booking["booking_id"])));
}

async fn page(client: &Client, cursor: Option<&str>) -> (Vec<Value>, Value) {
    let query = cursor.map(|cursor| format!("?cursor={}", cursor.replace('#', "%23")));
    let path = format!("/v1/bookings{}", query.unwrap_or_default());
    let body = expect(200, client.get(path).await.unwrap());
    (body["bookings"].as_array().unwrap().clone(), body["next_cursor"].clone())
}

#[tokio::test]
async fn a_list_shows_what_has_become_of_each_booking() {
    let world = World::start().await;
    world.sell("hourly", json!({ "unit": "hour" })).await;
    let active = world.booking_of("alice", "desk-order").await;
    active.buy(&world, 1).await;
    let over = world.booking_of("alice", "hourly").await;
    over.buy(&world, 1).await;
    let pending = world.booking_of("alice", "desk-instant").await;
    let gone = world.booking_of("alice", "desk-submit").await;
    expect(200, gone.cancel().await);
    world.clock.advance_s(3_601);
    let quoted = expect(201, pending.quote_at(1, gateway()).await);
    let (bookings, _) = page(&active.client, None).await;
    for (window, status) in [
        (&active, "active"),
        (&over, "expired"),
        (&pending, "pending_payment"),
        (&gone, "cancelled"),
    ] {
        let of = |booking: &&Value| window.path.ends_with(&text(&booking["booking_id"]));
        let listed = bookings.iter().find(of).unwrap();
        assert_eq!(listed["status"], status);
    }
    let of = |booking: &&Value| pending.path.ends_with(&text(&booking["booking_id"]));
    assert_eq!(bookings.iter().find(of).unwrap()["live_order"], quoted["order"]);
}

#[tokio::test]
async fn a_booking_shows_its_newest_twenty_orders() {
    let world = World::start().await;
    let window = world.booking_of("alice", "desk-order").await;
    let mut made = vec![];
    for quantity in 1..=23 {
        made.push(expect(201, window.quote(quantity).await)["order"]["order_id"].clone());
    }
    let booking = window.look().await;
    let shown = booking["orders"].as_array().unwrap();
    assert_eq!(shown.len(), 20);
    assert_eq!(shown[0], booking["live_order"]);
    let shown: Vec<_> = shown.iter().map(|order| &order["order_id"]).collect();
    assert_eq!(shown, made.iter().rev().take(20).collect::<Vec<_>>());
}

/// The tag of a booking now, by which reading it again answers 304 without a body.
async fn tag(window: &Window) -> String {
    let reply = window.client.get(&window.path).await.unwrap();
    assert_eq!(reply.status, 200);
    let tag = reply.headers["etag"].to_str().unwrap().to_owned();
    for known in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
        let unchanged = window.look_unless(&known).await;
        assert_eq!((unchanged.status, unchanged.body), (304, Value::Null), "{known}");
        assert_eq!(unchanged.headers["etag"], tag.as_str());
    }
    tag
}

#[tokio::test]
async fn a_known_booking_is_not_sent_again_until_something_or_the_time_changes_it() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let mut tags = vec![tag(&window).await];
    let changed = async |tags: &mut Vec<String>, what: &str| {
        let reply = window.look_unless(tags.last().unwrap()).await;
        assert_eq!(reply.status, 200, "{what}");
        let now = tag(&window).await;
        assert!(!tags.contains(&now), "{what}: {now} in {tags:?}");
        tags.push(now);
        reply.body
    };
    expect(201, window.quote(1).await);
    changed(&mut tags, "an order was made").await;
    world.clock.advance_s(901);
    let booking = changed(&mut tags, "its quote expired by time alone").await;
    assert_eq!(booking["live_order"].get("quote"), None);
    let quoted = expect(201, window.quote(2).await);
    let made = expect(201, window.generate(&quoted).await);
    changed(&mut tags, "there is a code").await;
    world.clock.advance_s(901);
    let booking = changed(&mut tags, "the code is not to be paid any more").await;
    assert_eq!(booking["live_order"]["payment"]["code_url"], json!(null));
    assert_eq!(booking["live_order"]["order_id"], made["order"]["order_id"]);
    let bought = window.buy(&world, 1).await;
    changed(&mut tags, "it was bought").await;
    world.clock.set(time(&bought["term"]["valid_until"]));
    let booking = changed(&mut tags, "the term ended by time alone").await;
    assert_eq!(booking["status"], "expired");
}

#[tokio::test]
async fn a_second_device_goes_on_with_the_live_order_where_the_first_stopped() {
    let world = World::start().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let phone = world.booking_of("alice", product).await;
        let quoted = expect(201, phone.quote_at(3, gateway()).await);
        let laptop = Window { client: world.nobody().as_customer("alice"), ..phone.clone() };
        let seen = laptop.look().await["live_order"].clone();
        let code = match product {
            "desk-submit" => {
                assert_eq!(seen, Value::Null);
                expect(201, phone.order(&quoted["quote"]["token"]).await)["payment"].clone()
            }
            "desk-order" => {
                assert_eq!(seen, quoted["order"]);
                assert_eq!(seen["quote"], quoted["quote"]);
                let quoted = json!({ "order": seen, "quote": seen["quote"] });
                expect(201, laptop.generate(&quoted).await)["payment"].clone()
            }
            _ => quoted["payment"].clone(),
        };
        // Once there is a code, both devices see it, and no token is needed to pay it.
        for device in [&phone, &laptop] {
            let live = device.look().await["live_order"].clone();
            assert_eq!(live["payment"], code);
            assert_eq!(live.get("quote"), None, "{product}");
        }
        world.pay(&code["code_url"]).await;
        laptop.until("it is bought", |booking| booking["status"] == "active").await;
    }
}

#[tokio::test]
async fn a_dropped_order_is_gone_and_the_booking_can_order_again() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(2).await;
        let order_id = &made["order"]["order_id"];
        let token = expect(201, window.quote_at(2, gateway()).await)["quote"]["token"].clone();
        let live = window.look().await["live_order"]["order_id"].clone();
        let dropped = expect(200, window.cancel_order(&live).await);
        assert_eq!((&dropped["status"], &dropped["order_id"]), (&json!("cancelled"), &live));
        assert_eq!(dropped["reason"], "order_cancelled");
        let booking = window.look().await;
        assert_eq!(booking["live_order"], Value::Null);
        assert_eq!(booking["status"], "pending_payment");
        let again = expect(200, window.cancel_order(&live).await);
        assert_eq!(again["status"], "cancelled");
        assert_eq!(window.look().await["version"], booking["version"]);
        world.until_closed(&made["payment"]["payment_id"]).await;
        if product == "desk-submit" {
            assert_eq!(live, *order_id);
            // An unused quote outlives an order that was dropped.
            expect(201, window.order(&token).await);
        } else {
            let generate = window.pay_order(&live, &token, gateway());
            refused_unchanged(&world, &window, (409, "order_closed"), generate).await;
        }
        let bought = window.buy(&world, 1).await;
        assert_eq!(bought["status"], "active", "{product}");
    }
}

#[tokio::test]
async fn only_a_pending_order_can_be_dropped() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let older = expect(201, window.quote(1).await)["order"]["order_id"].clone();
    let newer = expect(201, window.quote(2).await)["order"].clone();
    let cancel = window.cancel_order(&older);
    let problem = refused_unchanged(&world, &window, (409, "order_superseded"), cancel).await;
    assert_eq!(problem["live_order"], newer);
    let paid = window.buy(&world, 3).await["orders"][0]["order_id"].clone();
    let cancel = window.cancel_order(&paid);
    refused_unchanged(&world, &window, (409, "order_already_paid"), cancel).await;
    let unknown = json!("0".repeat(32));
    let cancel = window.cancel_order(&unknown);
    refused_unchanged(&world, &window, (404, "not_found"), cancel).await;
    // An order of another booking is none of this one.
    let other = world.booking_of("alice", "desk-instant").await;
    let foreign = expect(201, other.quote_at(1, gateway()).await);
    let cancel = window.cancel_order(&foreign["order"]["order_id"]);
    refused_unchanged(&world, &window, (404, "not_found"), cancel).await;
    assert_eq!(other.look().await["live_order"], foreign["order"]);
}

#[tokio::test]
async fn a_cancelled_booking_takes_nothing_any_more() {
    let world = World::start_unsettled().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let quoted = expect(201, window.quote_at(1, gateway()).await);
        let cancelled = expect(200, window.cancel().await);
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["live_order"], Value::Null);
        if product != "desk-submit" {
            let order = &cancelled["orders"][0];
            assert_eq!(
                (&order["status"], &order["reason"]),
                (&json!("cancelled"), &json!("booking_cancelled"),)
            );
        }
        let again = expect(200, window.cancel().await);
        assert_eq!(again["version"], cancelled["version"], "{product}");
        let not_payable = (409, "booking_not_payable");
        let quote = window.quote_at(1, gateway());
        refused_unchanged(&world, &window, not_payable, quote).await;
        if product == "desk-submit" {
            let order = window.order(&quoted["quote"]["token"]);
            refused_unchanged(&world, &window, not_payable, order).await;
        } else {
            let closed = (409, "order_closed");
            let generate = window.generate(&quoted);
            let problem = refused_unchanged(&world, &window, closed, generate).await;
            assert_eq!(problem["offer"], Value::Null);
            // Dropping what the booking dropped already is a repeat.
            let order_id = &quoted["order"]["order_id"];
            let dropped = expect(200, window.cancel_order(order_id).await);
            assert_eq!(dropped["status"], "cancelled");
        }
    }
}

#[tokio::test]
async fn a_paid_booking_cannot_be_cancelled() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    window.buy(&world, 1).await;
    let cancel = window.cancel();
    refused_unchanged(&world, &window, (409, "booking_not_payable"), cancel).await;
}

#[tokio::test]
async fn money_for_what_was_cancelled_goes_back_in_full_and_says_why() {
    let world = World::start().await;
    world.refund_at_once().await;
    for cancel_all in [false, true] {
        let window = world.booking_under("alice", "desk-order", &format!("{cancel_all}")).await;
        let made = window.code_for(2).await;
        if cancel_all {
            expect(200, window.cancel().await);
        } else {
            expect(200, window.cancel_order(&made["order"]["order_id"]).await);
        }
        world.pay_with(json!({ "code_url": made["payment"]["code_url"], "force": true })).await;
        let back = |booking: &Value| booking["orders"][0]["refunds"][0]["status"] == "succeeded";
        let booking = window.until("the money is back", back).await;
        let order = &booking["orders"][0];
        assert_eq!(order["status"], "cancelled");
        assert_eq!(order["refunds"][0]["reason"], "cancelled");
        assert_eq!(order["refunds"][0]["amount"], order["amount"]);
        assert_eq!(booking["term"], Value::Null);
        let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
        assert_eq!(ledger["refunded"], ledger["captured"]);
        assert_eq!(ledger["captured"], order["amount"]);
    }
}

#[tokio::test]
async fn a_retired_product_takes_no_new_bookings_and_no_renewals() {
    let world = World::start_unsettled().await;
    world.sell("old", json!({})).await;
    let window = world.booking_of("alice", "old").await;
    let bought = window.buy(&world, 1).await;
    world.change_product("old", "gateways", json!([])).await;
    let alice = &window.client;
    let refused = open_booking(alice, "old", "another").await;
    expect_problem(409, "booking_not_payable", refused);
    // The same request as before is still the same request.
    let repeated = expect(200, open_booking(alice, "old", "alice-old").await);
    assert_eq!(repeated, bought);
    let quote = window.quote(1);
    refused_unchanged(&world, &window, (409, "booking_not_payable"), quote).await;
}
