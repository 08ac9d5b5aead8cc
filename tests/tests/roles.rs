//! The functions' roles: each allows what its function does at the table, and nothing else.
//!
//! That nothing more is done shows in every test over HTTP, because the stack refuses it. Here
//! everything is done that a function can do, so that what is allowed for nothing shows too.

use domain::ids::Echo;
use http::Method;
use local::client::Call;
use local::lambda::invocation_path;
use serde_json::{Value, json};
use settle::TRIES_UNTIL_ATTENTION;
use tests::gateway::{refuse_refund, relent};
use tests::quiet::{create_at_gateway, faults, owed, quiet_world, tell};
use tests::roles::ALLOWED;
use tests::{World, expect, expect_problem, gateway, gateway_name, text};

/// Longer than any pause between two tries.
const PAUSE_S: i64 = 3_601;

/// The gateway's answer to the code's creation is lost, the code is paid, and nobody tells of it.
/// The same request finds out.
async fn windows_that_ask_again(world: &World) {
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let quoted = match product {
            "desk-instant" => json!(null),
            _ => expect(201, window.quote(1).await),
        };
        let click = async || match product {
            "desk-submit" => window.order(&quoted["quote"]["token"]).await,
            "desk-order" => window.generate(&quoted).await,
            _ => {
                let body = json!({ "quantity": 1, "gateway": gateway() });
                window.quote_keyed(&body, "again").await
            }
        };
        faults(world, json!({ "calls_failed_after": 1.0 })).await;
        expect_problem(503, "gateway_unavailable", click().await);
        faults(world, json!({})).await;
        let payment_id = window.look().await["live_order"]["payment"]["payment_id"].clone();
        let ledger = world.ledger_of(&payment_id).await;
        world.pay(&ledger["code_urls"][0]).await;
        click().await;
        assert_eq!(window.look().await["status"], "active", "{product}");
    }
}

/// What a customer does with bookings beside buying.
async fn bookings(world: &World) {
    let window = world.booking_of("bob", "desk-order").await;
    let made = window.code_for(1).await;
    expect(200, window.cancel_order(&made["order"]["order_id"]).await);
    expect(200, window.cancel().await);
    window.link().await;
    expect(200, window.client.get("/v1/bookings").await.unwrap());
    let tag = window.look_unless("\"none\"").await.headers["etag"].clone();
    assert_eq!(window.look_unless(tag.to_str().unwrap()).await.status, 304);
}

/// Money for a payment that is stored nowhere.
async fn unmatched(world: &World, seed: u8) -> Value {
    let deps = &world.stack.deps;
    let booking_id = world.booking_of("carol", "desk-order").await.booking_id();
    let order_id = deps.ids.order(&deps.ids.fresh_token([seed; 16]));
    let payment_id = deps.ids.payment(&order_id, &gateway_name(), 1);
    let echo = deps.ids.seal_echo(&Echo { booking_id, order_id, order_seq: 0, attempt: 1 });
    let code = create_at_gateway(world, payment_id.as_str(), &echo).await;
    world.pay(&code).await
}

/// What a gateway tells, and what is done about it afterwards.
async fn money_that_goes_back(world: &World) {
    let bought = world.booking_of("frank", "desk-order").await.code_for(1).await;
    let paid = world.pay(&bought["payment"]["code_url"]).await;
    tell(world, &paid["transaction_id"]).await;
    let paid = unmatched(world, 1).await;
    tell(world, &paid["transaction_id"]).await;
    tell(world, &paid["transaction_id"]).await;
    let (window, old) = owed(world, "dave").await;
    let payment_id = &old["payment"]["payment_id"];
    refuse_refund(world, payment_id).await;
    world.settle().await;
    relent(world, payment_id).await;
    let admin = world.admin();
    expect(200, admin.get("/v1/attention").await.unwrap());
    let path = format!("/v1/attention/{}", window.booking_id());
    let of_booking = expect(200, admin.get(&path).await.unwrap());
    let one = &of_booking["attention"][0];
    let retry = format!("{path}/{}/retry", text(&one["attention_id"]));
    expect(200, admin.send(Call::new(Method::POST, &retry)).await.unwrap());
    expect(200, admin.send(Call::new(Method::POST, &retry)).await.unwrap());
    world.settle().await;
}

/// What an operator reads beside what waits.
async fn operations(world: &World) {
    let window = world.booking_of("grace", "desk-order").await;
    window.code_for(1).await;
    let booking = format!("/v1/operations/bookings/{}", window.booking_id());
    for path in [booking.as_str(), "/v1/operations/tasks", "/v1/operations/figures"] {
        expect(200, world.admin().get(path).await.unwrap());
    }
}

/// A code that cannot be closed is raised after many tries, and comes off the list when it is.
async fn work_that_is_raised_and_ends(world: &World) {
    let window = world.booking_of("erin", "desk-order").await;
    window.code_for(1).await;
    faults(world, json!({ "calls_failed_before": 1.0 })).await;
    window.quote(2).await;
    for _ in 0..=TRIES_UNTIL_ATTENTION {
        world.settle().await;
        world.clock.advance_s(PAUSE_S);
    }
    faults(world, json!({ "calls_failed_before": 0.0 })).await;
    world.clock.advance_s(PAUSE_S);
    world.settle().await;
}

/// The bill of a day with money that nothing is recorded of, compared twice.
async fn bills(world: &World) {
    let bills = world.stack.deps.gateway(&gateway_name()).unwrap().bills().unwrap();
    let day = bills.offset().to_datetime(world.clock.now()).date().tomorrow().unwrap();
    world.clock.set(bills.offset().to_timestamp(day.at(12, 0, 0, 0)).unwrap());
    unmatched(world, 2).await;
    world.clock.advance_s(48 * PAUSE_S);
    for _ in 0..2 {
        let ask = json!({ "gateway": gateway(), "day": day });
        expect(200, world.admin().post(invocation_path("reconcile"), &ask).await.unwrap());
    }
}

#[tokio::test]
async fn every_role_allows_what_its_function_does_and_nothing_else() {
    let world = quiet_world().await;
    let definition = world.definition("desk-order").await;
    world.define("desk-other", &definition).await;
    windows_that_ask_again(&world).await;
    bookings(&world).await;
    money_that_goes_back(&world).await;
    operations(&world).await;
    work_that_is_raised_and_ends(&world).await;
    bills(&world).await;
    let used = world.roles.used();
    for (role, allowed) in &*ALLOWED {
        let used = used.get(role).cloned().unwrap_or_default();
        let unused: Vec<_> = allowed.difference(&used).collect();
        assert_eq!(used, *allowed, "{role} needs no {unused:?}");
    }
}
