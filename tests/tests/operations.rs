//! What operators read: a booking with its timeline, the tasks, and the figures of a day.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{Echo, OrderId, PaymentId, RefundId, RefundNumber};
use http::Method;
use jiff::tz::TimeZone;
use local::client::Call;
use local::stack::TABLE;
use operations::PAGE;
use serde_json::{Value, json};
use store::bookings::ORDERS_MAX;
use tests::gateway::{refuse_refund, relent};
use tests::quiet::{NOWHERE_STORED, owed, quiet_world, tell_of_nothing_stored};
use tests::{Window, World, expect, expect_problem, gateway, gateway_name, text, time};

const TASKS: &str = "/v1/operations/tasks";
/// The longest that the page may be, compressed, in bytes.
const PAGE_LEN_MAX: usize = 32 * 1_024;
const FIGURES: &str = "/v1/operations/figures";

fn of_booking(reference: &str) -> String {
    format!("/v1/operations/bookings/{reference}")
}

/// An answer to the operator.
async fn read(world: &World, path: &str) -> Value {
    expect(200, world.admin().get(path).await.unwrap())
}

async fn inspect(world: &World, window: &Window) -> Value {
    read(world, &of_booking(window.booking_id().as_str())).await
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no array"))
}

/// The entries of a kind, newest first.
fn entries<'a>(inspected: &'a Value, what: &str) -> Vec<&'a Value> {
    array(&inspected["timeline"]).iter().filter(|it| it["what"] == what).collect()
}

/// The one entry of a kind.
#[track_caller]
fn entry<'a>(inspected: &'a Value, what: &str) -> &'a Value {
    let found = entries(inspected, what);
    let [one] = found[..] else { panic!("{what}: {:#}", inspected["timeline"]) };
    one
}

/// What happened, newest first.
fn told(inspected: &Value) -> Vec<String> {
    array(&inspected["timeline"]).iter().map(|it| text(&it["what"])).collect()
}

// ---- Who may read ----

#[tokio::test]
async fn only_who_may_see_what_waits_may_read_what_is_stored() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let own = of_booking(window.booking_id().as_str());
    let unknown = of_booking(&"0".repeat(32));
    for path in [own.as_str(), &unknown, TASKS, FIGURES] {
        let nobody = world.nobody().get(path).await.unwrap();
        expect_problem(401, "unauthenticated", nobody);
        let customer = window.client.get(path).await.unwrap();
        expect_problem(403, "forbidden", customer);
    }
    expect_problem(404, "not_found", world.admin().get(&unknown).await.unwrap());
    read(&world, &own).await;
}

#[tokio::test]
async fn the_page_is_open_to_everybody_and_runs_and_calls_nothing_of_others() {
    let world = World::start_unsettled().await;
    for client in [world.nobody(), world.nobody().as_customer("alice"), world.admin()] {
        let ask = || Call::new(Method::GET, "/operator").header("accept-encoding", "gzip, br");
        let page = client.send(ask()).await.unwrap();
        assert_eq!((page.status, &page.headers["content-encoding"]), (200, &"br".parse().unwrap()));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        for rule in [
            "default-src 'none'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let again = ask().header("if-none-match", page.headers["etag"].to_str().unwrap());
        assert_eq!(client.send(again).await.unwrap().status, 304);
    }
    assert!(PAGE.brotli.len() < PAGE_LEN_MAX, "{} bytes", PAGE.brotli.len());
}

// ---- A booking ----

#[tokio::test]
async fn a_timeline_tells_from_the_opening_to_the_refund_who_replaced_whom() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    let seen = inspect(&world, &window).await;
    assert_eq!(seen["booking_id"], json!(window.booking_id()));
    assert_eq!(seen["booking"]["customer_id"], "alice");
    assert_eq!(seen["booking"]["orders_made"], 2);
    assert_eq!(seen["product"]["product_id"], "desk-order");
    let [live, ended] = &array(&seen["orders"])[..] else { panic!("{seen:#}") };
    assert_eq!((&live["status"], &live["position"]), (&json!("pending"), &json!(1)));
    assert_eq!((&ended["status"], &ended["position"]), (&json!("superseded"), &json!(0)));
    let payment = &ended["payments"][0];
    assert_eq!(payment["payment_id"], old["payment"]["payment_id"]);
    assert_eq!((&payment["gateway"], &payment["applied"]), (&json!(gateway()), &json!(false)));

    let captured = entry(&seen, "payment_captured");
    assert_eq!(captured["at"], payment["paid_at"]);
    assert_eq!(captured["transaction_id"], payment["transaction_id"]);
    assert_eq!(captured["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    let superseded = entry(&seen, "order_superseded");
    assert_eq!(superseded["order_id"], ended["order_id"]);
    assert_eq!(superseded["replaced_by"], live["order_id"]);
    assert_eq!(superseded["at"], live["created_at"]);
    let refund = entry(&seen, "refund_due");
    assert_eq!(refund["refund_id"], ended["refunds"][0]["refund_id"]);
    assert_eq!(
        (&refund["reason"], &refund["at"]),
        (&json!("superseded"), &ended["refunds"][0]["updated_at"])
    );
    assert_eq!(entries(&seen, "order_made").len(), 2);
    assert_eq!(told(&seen).last().map(String::as_str), Some("booking_opened"));
    let kinds: BTreeSet<_> = array(&seen["tasks"]).iter().map(|it| text(&it["kind"])).collect();
    assert!(kinds.contains("refund") && kinds.contains("query_payment"), "{kinds:?}");

    world.drive(std::slice::from_ref(&window)).await;
    let seen = inspect(&world, &window).await;
    entry(&seen, "refund_succeeded");
    assert_eq!(entries(&seen, "refund_due").len(), 0, "a refund is told once, as it stands");
}

#[tokio::test]
async fn a_paid_booking_tells_when_its_term_began_and_by_which_payment() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-submit").await;
    window.buy(&world, 2).await;
    let seen = inspect(&world, &window).await;
    let (began, term) = (entry(&seen, "term_started"), &seen["booking"]["term"]);
    assert_eq!(began["at"], term["starts_at"]);
    let paid = entry(&seen, "order_paid");
    assert_eq!((&paid["at"], &paid["order_id"]), (&json!(null), &seen["orders"][0]["order_id"]));
    assert_eq!(seen["orders"][0]["payments"][0]["applied"], true);
    let at = |what: &str| told(&seen).iter().position(|it| it == what).unwrap();
    assert!(at("order_paid") < at("payment_captured") && at("payment_captured") < at("order_made"));
}

#[tokio::test]
async fn a_dropped_order_and_one_that_nobody_paid_are_told_with_their_reasons() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let dropped = window.code_for(1).await;
    expect(200, window.cancel_order(&dropped["order"]["order_id"]).await);
    window.code_for(2).await;
    world.settle().await;
    world.clock.advance_s(7_201);
    world.settle_until(&window, "it expires", |booking| booking["live_order"].is_null()).await;
    let seen = inspect(&world, &window).await;
    assert_eq!(entry(&seen, "order_cancelled")["reason"], "order_cancelled");
    let expired = entry(&seen, "order_expired");
    assert_eq!((&expired["reason"], &expired["at"]), (&json!("unpaid"), &json!(null)));
}

#[tokio::test]
async fn what_waits_and_what_people_did_about_it_is_in_the_timeline() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    refuse_refund(&world, &old["payment"]["payment_id"]).await;
    world.settle().await;
    let seen = inspect(&world, &window).await;
    let [waiting] = &array(&seen["attention"])[..] else { panic!("{seen:#}") };
    let raised = entry(&seen, "attention_raised");
    assert_eq!(raised["attention_id"], waiting["attention_id"]);
    assert_eq!((&raised["at"], &raised["reason"]), (&waiting["since"], &waiting["reason"]));
    let refund = entry(&seen, "refund_needs_attention");
    assert_eq!(seen["orders"][1]["refunds"][0]["attention"], waiting["reason"]);
    assert_eq!(refund["refund_id"], seen["orders"][1]["refunds"][0]["refund_id"]);

    relent(&world, &old["payment"]["payment_id"]).await;
    let (booking, name) = (text(&waiting["booking_id"]), text(&waiting["attention_id"]));
    let path = format!("/v1/attention/{booking}/{name}/resolve");
    let body = json!({ "note": "paid back by bank transfer" });
    expect(200, world.admin().post(&path, &body).await.unwrap());
    let seen = inspect(&world, &window).await;
    assert_eq!(seen["attention"], json!([]));
    let resolved = entry(&seen, "attention_resolved");
    assert_eq!((&resolved["by"], &resolved["note"]), (&json!("admin"), &body["note"]));
    assert_eq!(resolved["at"], seen["audit"][0]["at"]);
    assert_eq!(entry(&seen, "attention_raised")["at"], waiting["since"]);
}

#[tokio::test]
async fn no_answer_to_an_operator_carries_a_code_or_a_token() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let code = text(&made["payment"]["code_url"]);
    window.quote(2).await;
    for path in [of_booking(window.booking_id().as_str()), TASKS.to_owned(), FIGURES.to_owned()] {
        let answer = read(&world, &path).await.to_string();
        for secret in [code.as_str(), "lp1.", "code_url", "token", "create_body"] {
            assert!(!answer.contains(secret), "{path} has {secret}");
        }
    }
}

#[tokio::test]
async fn money_without_a_stored_payment_is_shown_even_without_its_booking() {
    let world = quiet_world().await;
    let ids = &world.stack.deps.ids;
    let echo = tell_of_nothing_stored(&world).await;
    let booking_id = &echo.booking_id;
    let payment_id = ids.payment(&echo.order_id, &gateway_name(), 1);
    let number = RefundNumber {
        refund_id: ids.refund(payment_id.as_str(), NOWHERE_STORED, 1),
        booking_key: booking_id.key().to_owned(),
        order_seq: 0,
    };
    for reference in [booking_id.to_string(), number.to_wire(), ids.seal_echo(&echo)] {
        let seen = read(&world, &of_booking(&reference)).await;
        assert_eq!(seen["booking_id"], json!(booking_id));
        assert_eq!((&seen["booking"], &seen["product"]), (&json!(null), &json!(null)));
        assert_eq!(seen["orders"], json!([]));
        let [money] = &array(&seen["unmatched"])[..] else { panic!("{seen:#}") };
        assert_eq!(money["refund"]["reason"], "unmatched");
        assert_eq!(entry(&seen, "payment_captured")["transaction_id"], NOWHERE_STORED);
        entry(&seen, "refund_due");
    }
    let other_tag = format!("{}{}", booking_id.key(), "0".repeat(10));
    let seen = world.admin().get(of_booking(&other_tag)).await.unwrap();
    assert_eq!(seen.status, 404, "an id that does not exist has nobody's money");
}

// ---- Finding one ----

fn id<T>(value: &Value, parse: impl Fn(&str) -> Option<T>) -> T {
    parse(&text(value)).unwrap()
}

#[tokio::test]
async fn a_booking_is_found_by_what_a_gateways_console_shows() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    let ids = &world.stack.deps.ids;
    let echo = Echo {
        booking_id: window.booking_id(),
        order_id: id(&old["order"]["order_id"], OrderId::parse),
        order_seq: 0,
        attempt: 1,
    };
    let by_id = inspect(&world, &window).await;
    let refund_id = id(&by_id["orders"][1]["refunds"][0]["refund_id"], RefundId::parse);
    let payment_id = id(&old["payment"]["payment_id"], PaymentId::parse);
    let booking_key = window.booking_id().key().to_owned();
    let number = RefundNumber { refund_id, booking_key, order_seq: 0 };
    for reference in [ids.seal_echo(&echo), number.to_wire()] {
        assert_eq!(read(&world, &of_booking(&reference)).await, by_id, "{reference}");
    }
    let forged = ids.seal_echo(&echo).replace("lp1.", "lp1.0");
    let elsewhere = RefundNumber { booking_key: "0".repeat(22), ..number };
    let no_booking = payment_id.to_string();
    for reference in [forged, elsewhere.to_wire(), no_booking, "alice".to_owned()] {
        let reply = world.admin().get(of_booking(&reference)).await.unwrap();
        expect_problem(404, "not_found", reply);
    }
}

#[tokio::test]
async fn older_orders_come_page_by_page_and_each_says_when_it_was_superseded() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let count = 2 * ORDERS_MAX + 5;
    let mut made = vec![];
    for number in 0..count {
        let quoted = expect(201, window.quote(u32::try_from(number % 90 + 1).unwrap()).await);
        made.push(quoted["order"]["order_id"].clone());
    }
    let own = of_booking(window.booking_id().as_str());
    let (mut path, mut positions, mut ended) = (own.clone(), BTreeSet::new(), BTreeSet::new());
    let mut pages = 0;
    loop {
        let page = read(&world, &path).await;
        pages += 1;
        assert!(array(&page["orders"]).len() <= ORDERS_MAX + 1);
        positions.extend(array(&page["orders"]).iter().map(|it| it["position"].as_u64().unwrap()));
        let timed = entries(&page, "order_superseded").into_iter().filter(|it| !it["at"].is_null());
        ended.extend(timed.map(|it| text(&it["order_id"])));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{own}?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((pages, positions.len()), (3, count));
    let all_but_the_live_one = made[..count - 1].iter().map(text).collect();
    assert_eq!(ended, all_but_the_live_one);

    // An older order is found with its page.
    let echo = |order_seq: u32| Echo {
        booking_id: window.booking_id(),
        order_id: id(&made[usize::try_from(order_seq).unwrap()], OrderId::parse),
        order_seq,
        attempt: 1,
    };
    let oldest_shown = u32::try_from(count - ORDERS_MAX - 1).unwrap();
    for (order_seq, first) in [(oldest_shown, count - 1), (oldest_shown - 1, count - 21), (0, 1)] {
        let echo = world.stack.deps.ids.seal_echo(&echo(order_seq));
        let page = read(&world, &of_booking(&echo)).await;
        assert_eq!(page["orders"][0]["position"], json!(first), "{order_seq}");
        let order_id = &made[usize::try_from(order_seq).unwrap()];
        assert!(array(&page["orders"]).iter().any(|it| it["order_id"] == *order_id));
    }
    for cursor in ["x", "-1", "4294967296", ""] {
        let reply = world.admin().get(format!("{own}?cursor={cursor}")).await.unwrap();
        expect_problem(400, "invalid_request", reply);
    }
}

// ---- Tasks ----

#[tokio::test]
async fn tasks_are_listed_page_by_page_the_longest_due_first_whether_due_or_not() {
    let world = quiet_world().await;
    assert_eq!(read(&world, TASKS).await, json!({ "tasks": [], "next_cursor": null }));
    let mut expected = BTreeSet::new();
    for number in 0..45 {
        let window = world.booking_of(&format!("c{number}"), "desk-order").await;
        let made = window.code_for(1).await;
        expected.insert(text(&made["payment"]["payment_id"]));
    }
    let (mut path, mut seen, mut pages) = (TASKS.to_owned(), vec![], 0);
    loop {
        let page = read(&world, &path).await;
        pages += 1;
        seen.extend(array(&page["tasks"]).clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{TASKS}?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 45));
    assert!(seen.iter().map(|it| time(&it["due_at"])).is_sorted());
    assert!(seen.iter().all(|it| it["kind"] == "query_payment" && it["tries"] == 0));
    assert_eq!(seen.iter().map(|it| text(&it["payment_id"])).collect::<BTreeSet<_>>(), expected);
    for cursor in ["", "~~~", "x~~~"] {
        let reply = world.admin().get(format!("{TASKS}?cursor={cursor}")).await.unwrap();
        expect_problem(400, "invalid_request", reply);
    }
}

// ---- Figures ----

/// The figures of today in a zone.
async fn figures(world: &World) -> Value {
    read(world, &format!("{FIGURES}?time_zone=Asia/Shanghai")).await
}

#[tokio::test]
async fn the_figures_of_a_day_add_up_to_what_was_captured() {
    let world = quiet_world().await;
    // Noon in Shanghai, so that the day does not end meanwhile.
    let tomorrow = world.clock.now().to_zoned(TimeZone::UTC).date().tomorrow().unwrap();
    world.clock.set(tomorrow.at(4, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp());
    let (window, _) = owed(&world, "alice").await;
    world
        .settle_until(&window, "the refund succeeds", |booking| {
            world.clock.advance_s(60);
            array(&booking["orders"]).iter().any(|it| it["refunds"][0]["status"] == "succeeded")
        })
        .await;
    let bob = world.booking_of("bob", "desk-submit").await;
    let bought = bob.code_for(2).await;
    let paid = world.pay(&bought["payment"]["code_url"]).await;
    tests::quiet::tell(&world, &paid["transaction_id"]).await;
    let all = figures(&world).await;
    assert_eq!(all["bookings_opened"], 2);
    let orders = json!({
        "made": 3, "pending": 1, "paid": 1, "superseded": 1,
        "stale": 0, "expired": 0, "cancelled": 0,
    });
    assert_eq!(all["orders"], orders);
    let sums = |count: u64, amount: i64| match count {
        0 => json!({ "count": 0, "amounts": [] }),
        _ => json!({ "count": count, "amounts": [{ "amount": amount, "currency": "CNY" }] }),
    };
    let money = json!([{
        "gateway": gateway(),
        "captured": sums(2, 3840),
        "applied": sums(1, 2560),
        "given_back": sums(1, 1280),
        "refunded": sums(1, 1280),
        "owed": sums(0, 0),
    }]);
    assert_eq!((&all["money"], &all["next_cursor"]), (&money, &json!(null)));
    assert_eq!(all["time_zone"], "Asia/Shanghai");
    assert!(time(&all["from"]) <= world.clock.now() && world.clock.now() < time(&all["until"]));

    world.clock.advance_s(86_400);
    let tomorrow = figures(&world).await;
    assert_eq!((&tomorrow["bookings_opened"], &tomorrow["orders"]["made"]), (&json!(0), &json!(0)));
    let path = format!("{FIGURES}?time_zone=Asia/Shanghai&day={}", text(&all["day"]));
    assert_eq!(read(&world, &path).await, all);
    assert_eq!(read(&world, FIGURES).await["time_zone"], "UTC");
}

#[tokio::test]
async fn the_pages_of_a_large_table_add_up_to_its_figures() {
    let world = World::start_unsettled().await;
    let client = world.table_client();
    for number in 0..8 {
        world.booking_of(&format!("c{number}"), "desk-order").await;
        let put = client
            .put_item()
            .table_name(TABLE)
            .item("pk", AttributeValue::S(format!("other#{number}")))
            .item("sk", AttributeValue::S("other".to_owned()))
            .item("filler", AttributeValue::S("x".repeat(300_000)));
        put.send().await.unwrap();
    }
    let (mut path, mut pages, mut opened) = (FIGURES.to_owned(), 0, 0);
    loop {
        let page = read(&world, &path).await;
        pages += 1;
        opened += page["bookings_opened"].as_u64().unwrap();
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{FIGURES}?cursor={cursor}"),
            None => break,
        }
    }
    assert!(pages > 1, "the table has one page");
    assert_eq!(opened, 8);
}

#[tokio::test]
async fn figures_of_no_day_no_zone_or_no_page_are_refused() {
    let world = World::start_unsettled().await;
    for (query, field) in [
        ("day=today", "day"),
        ("day=2026-02-30", "day"),
        ("day=9999-12-31", "day"),
        ("day=2026-01-01&day=2026-01-02", "day"),
        ("time_zone=Mars/Olympus", "time_zone"),
        ("time_zone=", "time_zone"),
        ("cursor=", "cursor"),
        ("cursor=%2A", "cursor"),
    ] {
        let reply = world.admin().get(format!("{FIGURES}?{query}")).await.unwrap();
        assert_eq!(expect_problem(400, "invalid_request", reply)["field"], field, "{query}");
    }
}
