//! What gateways tell, through the simulator and its wire format: each row of the table in its
//! order of precedence, and what is not believed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::problem::Problem;
use domain::booking::{OrderStatus, RefundStatus};
use domain::gateway::GatewayName;
use domain::ids::Echo;
use gateways::{Event, PaymentRef};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::client::{Call, Reply};
use runtime::gateway_calls;
use runtime::news::record_event;
use serde_json::{Value, json};
use settle::TRIES_UNTIL_ATTENTION;
use tests::faults::{Failure, Fate, Faults};
use tests::gateway::{refund_by_hand, ways_of};
use tests::quiet::{at_gateway, create_at_gateway, owed_at, refund_of, replay};
use tests::{
    GLANCE, PATIENCE, Window, World, acknowledged, expect, expect_problem, gateway, gateway_name,
    order_in, text, time, ways,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CALLBACK: &str = "/v1/callbacks/wechat_pay";
const DAY_S: i64 = 86_400;

/// A world in which notifications are only told by the test, and tasks only run by it.
async fn quiet_world() -> World {
    quiet_world_with(|_| {}).await
}

async fn quiet_world_with(change: impl FnOnce(&mut local::stack::Options)) -> World {
    let world = World::start_with(|options| {
        options.settle = false;
        change(options);
    })
    .await;
    world.faults(quiet(json!({}))).await;
    world
}

/// A fault plan under which the gateways say nothing by themselves and refund at once.
fn quiet(more: Value) -> Value {
    let mut faults = json!({ "notifications_dropped": 1.0, "refund_delay_ms": 0 });
    faults.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    faults
}

/// Captures money that nobody hears of.
async fn capture(world: &World, code: &Value, more: Value) -> Value {
    let mut body = json!({ "code_url": code });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.pay_with(body).await
}

/// Tells of captured money; answers the callback's status.
async fn tell(world: &World, paid: &Value) -> Value {
    replay(world, &json!({ "transaction_id": paid["transaction_id"] })).await
}

/// Captures money and tells of it, which must be acknowledged.
async fn pay_and_tell(world: &World, code: &Value, more: Value) -> Value {
    let paid = capture(world, code, more).await;
    assert_eq!(tell(world, &paid).await, acknowledged());
    paid
}

/// The refunds of an order as `(reason, fen)`.
async fn refunds(window: &Window, order_id: &Value) -> Vec<(String, i64)> {
    let booking = window.look().await;
    let order = order_in(&booking, order_id).unwrap();
    let refunds = order["refunds"].as_array().unwrap().iter();
    refunds.map(|it| (text(&it["reason"]), it["amount"]["amount"].as_i64().unwrap())).collect()
}

async fn status_of(window: &Window, order_id: &Value) -> String {
    text(&order_in(&window.look().await, order_id).unwrap()["status"])
}

/// The status and the refunds of an order after money for it was told of.
#[track_caller]
fn check(got: (String, Vec<(String, i64)>), status: &str, refunds: &[(&str, i64)]) {
    let refunds: Vec<_> = refunds.iter().map(|(why, fen)| ((*why).to_owned(), *fen)).collect();
    assert_eq!(got, (status.to_owned(), refunds));
}

async fn standing(window: &Window, made: &Value) -> (String, Vec<(String, i64)>) {
    let order_id = &made["order"]["order_id"];
    (status_of(window, order_id).await, refunds(window, order_id).await)
}

fn code(made: &Value) -> &Value {
    &made["payment"]["code_url"]
}

fn cny(amount: i64) -> Value {
    json!({ "amount": { "amount": amount, "currency": "CNY" } })
}

/// A whole second after, or before, a moment that a view tells.
fn off(moment: &Value, seconds: i64) -> Value {
    let whole = Timestamp::from_second(time(moment).as_second()).unwrap();
    json!({ "paid_at": whole.checked_add(SignedDuration::from_secs(seconds)).unwrap() })
}

/// Closes a payment at the gateway behind our back, as somebody at the merchant may.
async fn close_at_gateway(world: &World, window: &Window, made: &Value) {
    let deps = &world.stack.deps;
    let gateway = deps.gateway(&gateway_name()).unwrap();
    let payment_id = text(&made["payment"]["payment_id"]);
    let (_, orders) = world.stored(window).await;
    let mut payments = orders.iter().flat_map(|order| &order.payments);
    let stored = payments.find(|payment| payment.payment_id.as_str() == payment_id).unwrap();
    let gateway_ref = stored.gateway_ref.as_deref();
    let payment = PaymentRef { payment_id: &payment_id, gateway_ref };
    let closed = gateway_calls::close(deps, gateway.as_ref(), &payment).await;
    assert_eq!(closed, gateways::CloseOutcome::Closed);
}

// ---- Applied ----

#[tokio::test]
async fn a_payment_that_fits_is_applied_in_every_flow() {
    let world = quiet_world().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(3).await;
        pay_and_tell(&world, code(&made), json!({})).await;
        check(standing(&window, &made).await, "paid", &[]);
        let booking = window.look().await;
        assert_eq!(booking["status"], "active", "{product}");
        assert_eq!(booking["live_order"], json!(null));
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_notification_that_arrives_before_the_create_call_returned_is_applied() {
    let world = World::start().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let quoted = match product {
            "desk-instant" => Value::Null,
            _ => expect(201, window.quote(2).await),
        };
        world.faults(json!({ "call_delay_ms": 2_000 })).await;
        let clicking = window.clone();
        let click = tokio::spawn(async move {
            match product {
                "desk-submit" => clicking.order(&quoted["quote"]["token"]).await,
                "desk-order" => clicking.generate(&quoted).await,
                _ => clicking.quote_at(2, gateway()).await,
            }
        });
        let unseen = until_code(&world).await;
        world.pay(&unseen).await;
        window.until("the payment is applied", |booking| booking["status"] == "active").await;
        assert!(!click.is_finished(), "the create call must still be under way");
        expect_problem(409, "order_already_paid", click.await.unwrap());
        world.faults(json!({})).await;
        world.until_settled(&[window]).await;
    }
}

/// The code of an unpaid payment, as soon as the gateway has one.
async fn until_code(world: &World) -> Value {
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        let ledger = world.ledger().await;
        let unpaid = ledger.iter().find(|one| one["captured"]["amount"] == 0);
        if let Some(code) = unpaid.and_then(|one| one["code_urls"].get(0)) {
            return code.clone();
        }
        tokio::time::sleep(GLANCE).await;
    }
    panic!("the gateway has issued no code");
}

#[tokio::test]
async fn a_notification_that_comes_a_day_late_counts_by_its_payment_time() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(30).await;
    let paid = capture(&world, code(&made), json!({})).await;
    world.clock.advance_s(DAY_S);
    assert_eq!(tell(&world, &paid).await, acknowledged());
    check(standing(&window, &made).await, "paid", &[]);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_renewal_paid_in_time_counts_although_the_booking_ran_out_before_we_heard() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let first = window.code_for(1).await;
    pay_and_tell(&world, code(&first), json!({})).await;
    let renewal = window.code_for(1).await;
    let paid = capture(&world, code(&renewal), json!({})).await;
    world.clock.advance_s(DAY_S + 60);
    assert_eq!(window.look().await["status"], "expired");
    assert_eq!(tell(&world, &paid).await, acknowledged());
    check(standing(&window, &renewal).await, "paid", &[]);
    let booking = window.look().await;
    assert_eq!(booking["status"], "active", "it goes on from where it ended");
    assert_eq!(booking["renewals"], 1);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn money_for_a_payment_stored_as_closed_goes_through_the_same_table() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = code_with_token(&window, 1).await;
    close_at_gateway(&world, &window, &made).await;
    let again = expect(201, repeat(&window, &made).await);
    assert_ne!(again["payment"]["payment_id"], made["payment"]["payment_id"]);
    // The order is still live, and it is its money: the first to arrive buys it.
    pay_and_tell(&world, code(&made), json!({ "force": true })).await;
    check(standing(&window, &made).await, "paid", &[]);
    pay_and_tell(&world, code(&again), json!({ "force": true })).await;
    check(standing(&window, &made).await, "paid", &[("duplicate_payment", 1280)]);
    world.drive(&[window]).await;
}

/// Generates a payment once more for what [`code_with_token`] made.
async fn repeat(window: &Window, made: &Value) -> Reply {
    window.pay_order(&made["order"]["order_id"], &made["token"], gateway()).await
}

// ---- Already settled ----

#[tokio::test]
async fn the_same_transaction_again_changes_nothing_whatever_has_happened_since() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = window.code_for(1).await;
    let made = code_with_token(&window, 2).await;
    let returned = pay_and_tell(&world, code(&old), json!({ "force": true })).await;
    let other = pay_and_tell(&world, code(&made), cny(1)).await;
    let live = expect(201, repeat(&window, &made).await);
    let applied = pay_and_tell(&world, code(&live), json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    let settled = window.look().await;
    let ledger = world.money().await;
    world.change_product("desk-order", "first_unit_price", cny(500)["amount"].clone()).await;
    world.clock.advance_s(3 * DAY_S);
    for paid in [&returned, &applied, &other, &applied, &returned] {
        assert_eq!(tell(&world, paid).await, acknowledged());
    }
    world.settle().await;
    let seen = window.look().await;
    assert_eq!((&seen["version"], &seen["orders"]), (&settled["version"], &settled["orders"]));
    assert_eq!(world.money().await, ledger);
}

#[tokio::test]
async fn notifications_that_come_twice_and_out_of_order_settle_like_single_ones() {
    let world = World::start().await;
    let faults = json!({ "notifications_duplicated": 1.0, "notifications_reordered": 1.0 });
    world.faults(faults).await;
    let mut windows = vec![];
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let old = window.code_for(1).await;
        let live = window.code_for(2).await;
        for made in [&old, &live] {
            world.pay_with(json!({ "code_url": code(made), "force": true })).await;
        }
        windows.push(window);
    }
    world.until_settled(&windows).await;
    for window in windows {
        assert_eq!(window.look().await["status"], "active");
    }
}

#[tokio::test]
async fn a_refund_is_heard_of_before_and_after_the_payment_that_it_gives_back() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = window.code_for(1).await;
    let live = window.code_for(2).await;
    let paid = capture(&world, code(&old), json!({ "force": true })).await;
    assert_eq!(tell(&world, &paid).await, acknowledged());
    // From here on the gateway tells of refunds, and of the payment again in between.
    world.faults(json!({ "notifications_duplicated": 1.0 })).await;
    world.settle().await;
    assert_eq!(tell(&world, &paid).await, acknowledged());
    world.until_refunded(&window, &old).await;
    assert_eq!(tell(&world, &paid).await, acknowledged());
    check(standing(&window, &old).await, "superseded", &[("superseded", 1280)]);
    world.pay(code(&live)).await;
    window.until("applied", |booking| booking["status"] == "active").await;
    world.drive(&[window]).await;
}

trait UntilRefunded {
    async fn until_refunded(&self, window: &Window, made: &Value);
}

impl UntilRefunded for World {
    async fn until_refunded(&self, window: &Window, made: &Value) {
        let order_id = &made["order"]["order_id"];
        window
            .until("the refund has succeeded", |booking| {
                order_in(booking, order_id).unwrap()["refunds"][0]["status"] == "succeeded"
            })
            .await;
    }
}

// ---- Owed back, row by row ----

#[tokio::test]
async fn a_second_transaction_of_the_same_payment_goes_back_by_itself() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(2).await;
    pay_and_tell(&world, code(&made), json!({})).await;
    // Whatever its amount: it is the second transaction that decides.
    let forced = |amount: i64| {
        let mut more = cny(amount);
        more["force"] = json!(true);
        more
    };
    pay_and_tell(&world, code(&made), forced(2560)).await;
    pay_and_tell(&world, code(&made), forced(7)).await;
    let twice = [("duplicate_payment", 2560), ("duplicate_payment", 7)];
    check(standing(&window, &made).await, "paid", &twice);

    let old = window.code_for(1).await;
    let _live = window.code_for(1).await;
    pay_and_tell(&world, code(&old), forced(990)).await;
    pay_and_tell(&world, code(&old), forced(990)).await;
    let both = [("superseded", 990), ("duplicate_payment", 990)];
    check(standing(&window, &old).await, "superseded", &both);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn another_amount_goes_back_and_the_order_can_still_be_paid() {
    let world = quiet_world().await;
    for (customer, amount) in [("alice", 1279), ("bob", 1281), ("carol", 1)] {
        for product in ["desk-submit", "desk-order", "desk-instant"] {
            let window = world.booking_of(customer, product).await;
            let made = code_with_token(&window, 1).await;
            pay_and_tell(&world, code(&made), cny(amount)).await;
            check(standing(&window, &made).await, "pending", &[("amount_mismatch", amount)]);
            let seen = window.look().await;
            assert_eq!(seen["live_order"]["payment"], json!(null), "{product}");
            assert_eq!(seen["live_order"]["payments"][0]["status"], "paid");
            let again = expect(201, repeat(&window, &made).await);
            assert_eq!(again["order"]["order_id"], made["order"]["order_id"]);
            assert_eq!(again["order"]["pay_by"], made["order"]["pay_by"], "`pay_by` never moves");
            pay_and_tell(&world, code(&again), json!({})).await;
            check(standing(&window, &made).await, "paid", &[("amount_mismatch", amount)]);
            world.drive(&[window]).await;
        }
    }
}

/// A code like [`Window::code_for`] makes it, with the token that its order was made by.
async fn code_with_token(window: &Window, quantity: u32) -> Value {
    let quoted = window.quote_at(quantity, gateway()).await;
    let quoted = expect(201, quoted);
    let token = &quoted["quote"]["token"];
    let mut made = if quoted["order"].is_null() {
        expect(201, window.order(token).await)
    } else if quoted["payment"].is_null() {
        expect(201, window.generate(&quoted).await)
    } else {
        json!({ "order": quoted["order"], "payment": quoted["payment"] })
    };
    made["token"] = token.clone();
    made
}

#[tokio::test]
async fn attempts_that_captured_money_which_goes_back_are_spent_and_bounded() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let first = code_with_token(&window, 1).await;
    let mut made = first.clone();
    for spent in 1..=5 {
        pay_and_tell(&world, code(&made), cny(100 + spent)).await;
        let again = repeat(&window, &first).await;
        if spent == 5 {
            expect_problem(409, "attempts_exhausted", again);
        } else {
            made = expect(201, again);
        }
    }
    world.drive(std::slice::from_ref(&window)).await;
    world.clock.set(time(&first["order"]["pay_by"]));
    world.clock.advance_s(1);
    world.settle().await;
    assert_eq!(status_of(&window, &first["order"]["order_id"]).await, "expired");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn another_currency_goes_back() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let dollars = json!({ "amount": { "amount": 1280, "currency": "USD" } });
    if !ways().takes_other_currencies {
        let body = json!({ "code_url": code(&made), "amount": dollars["amount"] });
        let refused = world.nobody().post("/simulator/pay", &body).await.unwrap();
        expect_problem(400, "invalid_request", refused);
        return;
    }
    pay_and_tell(&world, code(&made), dollars).await;
    check(standing(&window, &made).await, "pending", &[("amount_mismatch", 1280)]);
    assert_eq!(
        window.look().await["live_order"]["refunds"][0]["amount"],
        json!({ "amount": 1280, "currency": "USD" })
    );
    world.settle().await;
    let order_id = made["order"]["order_id"].clone();
    let ledger = world.ledger_of(&made["payment"]["payment_id"]).await;
    assert_eq!(ledger["refunds"][0]["amount"], json!({ "amount": 1280, "currency": "USD" }));
    for _ in 0..10 {
        world.clock.advance_s(61);
        tokio::time::sleep(GLANCE).await;
        world.settle().await;
    }
    let booking = window.look().await;
    assert_eq!(order_in(&booking, &order_id).unwrap()["refunds"][0]["status"], "succeeded");
}

#[tokio::test]
async fn an_order_paid_through_another_of_its_payments_gives_the_second_back() {
    let world = quiet_world().await;
    for (customer, amount, reason) in
        [("alice", 1280, "duplicate_payment"), ("bob", 1281, "amount_mismatch")]
    {
        let window = world.booking_of(customer, "desk-order").await;
        let first = code_with_token(&window, 1).await;
        close_at_gateway(&world, &window, &first).await;
        let second = expect(201, repeat(&window, &first).await);
        pay_and_tell(&world, code(&second), json!({})).await;
        let mut forced = cny(amount);
        forced["force"] = json!(true);
        pay_and_tell(&world, code(&first), forced).await;
        check(standing(&window, &first).await, "paid", &[(reason, amount)]);
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn money_for_an_order_that_has_ended_goes_back_with_its_end_as_the_reason() {
    let world = quiet_world().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        for (reason, amount) in [
            ("superseded", 1280),
            ("cancelled", 1280),
            ("expired", 1280),
            // An amount that differs is reported as that, whatever became of the order.
            ("superseded", 1281),
            ("cancelled", 1281),
            ("expired", 1281),
        ] {
            let window = world.booking_of(&format!("{reason}-{amount}"), product).await;
            let made = window.code_for(1).await;
            end(&world, &window, &made, reason).await;
            let mut forced = cny(amount);
            forced["force"] = json!(true);
            pay_and_tell(&world, code(&made), forced).await;
            let told = if amount == 1280 { reason } else { "amount_mismatch" };
            check(standing(&window, &made).await, reason, &[(told, amount)]);
            world.drive(&[window]).await;
        }
    }
}

/// Ends an order by what its status is to be.
async fn end(world: &World, window: &Window, made: &Value, status: &str) {
    match status {
        "superseded" => {
            window.code_for(2).await;
        }
        "cancelled" => {
            expect(200, window.cancel_order(&made["order"]["order_id"]).await);
        }
        _ => {
            world.clock.set(time(&made["order"]["pay_by"]));
            world.clock.advance_s(1);
            world.settle().await;
        }
    }
    assert_eq!(status_of(window, &made["order"]["order_id"]).await, status);
}

#[tokio::test]
async fn an_old_order_paid_late_is_reported_as_superseded_and_not_as_late() {
    let world = quiet_world().await;
    world.sell("strict", json!({ "late_payment": "refund" })).await;
    let window = world.booking_of("alice", "strict").await;
    let old = window.code_for(1).await;
    let live = window.code_for(2).await;
    let mut late = off(&old["order"]["pay_by"], 1);
    late["force"] = json!(true);
    pay_and_tell(&world, code(&old), late).await;
    check(standing(&window, &old).await, "superseded", &[("superseded", 1280)]);
    assert_eq!(status_of(&window, &live["order"]["order_id"]).await, "pending");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn money_for_a_cancelled_booking_goes_back() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    expect(200, window.cancel().await);
    pay_and_tell(&world, code(&made), json!({ "force": true })).await;
    check(standing(&window, &made).await, "cancelled", &[("cancelled", 1280)]);
    let booking = window.look().await;
    assert_eq!(booking["status"], "cancelled");
    assert_eq!(booking["orders"][0]["reason"], "booking_cancelled");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_renewal_paid_after_the_booking_ran_out_goes_back_even_where_late_money_counts() {
    let world = quiet_world().await;
    world.sell("strict", json!({ "late_payment": "refund" })).await;
    for (product, amount, reason) in [
        ("desk-order", 990, "booking_not_payable"),
        // A kind that does not fit comes before lateness, and another amount before both.
        ("strict", 990, "booking_not_payable"),
        ("strict", 991, "amount_mismatch"),
    ] {
        let window = world.booking_of(&format!("{reason}-{product}"), product).await;
        let first = window.code_for(1).await;
        pay_and_tell(&world, code(&first), json!({})).await;
        let valid_until = time(&window.look().await["term"]["valid_until"]);
        let just_before = valid_until.checked_sub(SignedDuration::from_secs(20)).unwrap();
        world.clock.set(just_before);
        let renewal = window.code_for(1).await;
        assert_eq!(time(&renewal["order"]["pay_by"]), valid_until, "at most `valid_until`");
        // Some codes outlive `pay_by`, and elsewhere the money may have been on its way.
        world.clock.advance_s(30);
        let mut forced = cny(amount);
        forced["force"] = json!(true);
        let paid = capture(&world, code(&renewal), forced).await;
        assert_eq!(tell(&world, &paid).await, acknowledged());
        check(standing(&window, &renewal).await, "pending", &[(reason, amount)]);
        world.drive(std::slice::from_ref(&window)).await;
        assert_eq!(status_of(&window, &renewal["order"]["order_id"]).await, "expired");
        let booking = window.look().await;
        assert_eq!((&booking["status"], &booking["renewals"]), (&json!("expired"), &json!(0)));
    }
}

#[tokio::test]
async fn a_payment_at_the_last_second_counts_and_a_later_one_by_the_products_policy() {
    let world = quiet_world().await;
    world.sell("strict", json!({ "late_payment": "refund" })).await;
    let refunded = [("late_payment", 1280)];
    for (product, seconds, status, refunds) in [
        ("desk-order", 0, "paid", &[][..]),
        ("desk-order", 1, "paid", &[]),
        ("desk-order", DAY_S, "paid", &[]),
        ("strict", -1, "paid", &[]),
        ("strict", 0, "paid", &[]),
        ("strict", 1, "expired", &refunded),
        ("strict", DAY_S, "expired", &refunded),
    ] {
        let window = world.booking_of(&format!("late-{seconds}"), product).await;
        let made = window.code_for(1).await;
        let paid = capture(&world, code(&made), off(&made["order"]["pay_by"], seconds)).await;
        // When we hear of it does not matter.
        world.clock.advance_s(2 * DAY_S);
        assert_eq!(tell(&world, &paid).await, acknowledged());
        check(standing(&window, &made).await, status, refunds);
        let seen = window.look().await;
        let order = order_in(&seen, &made["order"]["order_id"]).unwrap();
        let reason = if status == "expired" { json!("late_payment") } else { json!(null) };
        assert_eq!(order["reason"], reason, "{product} {seconds}");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_changed_price_refuses_late_money_and_not_money_in_time() {
    let world = quiet_world().await;
    world.sell("changing", json!({})).await;
    for (round, seconds, status, refunds) in
        [(1, 0, "paid", &[][..]), (2, 1, "expired", &[("late_payment", 0)])]
    {
        let window = world.booking_of(&format!("customer-{round}"), "changing").await;
        let made = window.code_for(1).await;
        let paid = capture(&world, code(&made), off(&made["order"]["pay_by"], seconds)).await;
        let price = json!({ "amount": 2000 + round, "currency": "CNY" });
        world.change_product("changing", "first_unit_price", price).await;
        assert_eq!(tell(&world, &paid).await, acknowledged());
        let fen = made["order"]["amount"]["amount"].as_i64().unwrap();
        let refunds: Vec<_> = refunds.iter().map(|(reason, _)| (*reason, fen)).collect();
        check(standing(&window, &made).await, status, &refunds);
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_payment_told_without_its_time_is_asked_for() {
    let world = quiet_world().await;
    // Only Alipay's events may lack it.
    let window = world.booking_of("alice", "desk-order").await.paying_at("alipay");
    let made = window.code_for(1).await;
    let own = echo_of(&world, &window, &made).await;
    let (deps, gateway) = (&world.stack.deps, GatewayName::parse("alipay").unwrap());
    let undated = |echo: Option<&str>| Event::PaidUndated {
        payment_id: text(&made["payment"]["payment_id"]),
        echo: echo.map(str::to_owned),
    };
    // A gateway that contradicts its own event is to tell it again.
    let told = record_event(deps, &gateway, &undated(Some(&own))).await;
    assert!(matches!(told, Err(Problem::GatewayUnavailable)), "{told:?}");
    capture(&world, code(&made), json!({})).await;
    // Not provably ours: the gateway is not even asked.
    for foreign in [None, Some("cart=7")] {
        record_event(deps, &gateway, &undated(foreign)).await.unwrap();
        check(standing(&window, &made).await, "pending", &[]);
    }
    for _ in 0..2 {
        record_event(deps, &gateway, &undated(Some(&own))).await.unwrap();
        check(standing(&window, &made).await, "paid", &[]);
    }
    world.drive(&[window]).await;
}

// ---- Not ours, and ours without a payment ----

fn handmade(payment_id: &str, attach: Option<&str>, world: &World) -> Value {
    json!({
        "gateway": gateway(),
        "out_trade_no": payment_id,
        "attach": attach,
        "amount": { "amount": 1280, "currency": "CNY" },
        "success_time": world.clock.now(),
    })
}

async fn notify(world: &World, body: &Value) -> Value {
    expect(200, world.nobody().post("/simulator/notify", body).await.unwrap())
}

/// What a payment's notification carries back.
async fn echo_of(world: &World, window: &Window, made: &Value) -> String {
    let (booking, orders) = world.stored(window).await;
    let order = orders.iter().find(|it| json!(it.order_id) == made["order"]["order_id"]).unwrap();
    let payment_id = &made["payment"]["payment_id"];
    let payment = order.payments.iter().find(|it| json!(it.payment_id) == *payment_id).unwrap();
    world.stack.deps.ids.seal_echo(&Echo {
        booking_id: booking.booking_id.clone(),
        order_id: order.order_id.clone(),
        order_seq: order.seq,
        attempt: payment.attempt,
    })
}

#[tokio::test]
async fn a_payment_of_somebody_else_is_acknowledged_and_nothing_is_stored() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let payment_id = text(&made["payment"]["payment_id"]);
    let echo = echo_of(&world, &window, &made).await;
    let (status, answer) = ways().acknowledgement;
    let before = window.state(&world).await;
    let other_id = "0123456789abcdef0123456789abcdef";
    for (number, attach) in [
        ("SHOP-20261123-1", None),
        ("SHOP-20261123-1", Some("cart=7")),
        (other_id, Some("lp1.not.ours.at.all.x")),
        // The mark is genuine, but it does not name this payment.
        (other_id, Some(echo.as_str())),
        // Our own payment without its mark, or with a mark that was changed.
        (payment_id.as_str(), None),
        (payment_id.as_str(), Some("")),
        (payment_id.as_str(), Some(&echo.replace(".0.1.", ".0.2."))),
        (payment_id.as_str(), Some(&echo.replace(".0.1.", ".1.1."))),
        (payment_id.as_str(), Some(&echo.to_uppercase())),
        (payment_id.as_str(), Some(&echo[..echo.len() - 1])),
    ] {
        let told = notify(&world, &handmade(number, attach, &world)).await;
        assert_eq!(told, json!({ "status": status, "body": answer }), "{number} {attach:?}");
        world.settle().await;
        assert_eq!(window.state(&world).await, before, "{number} {attach:?}");
    }
    let told = notify(&world, &handmade(&payment_id, Some(&echo), &world)).await;
    assert_eq!(told["status"], acknowledged());
    check(standing(&window, &made).await, "paid", &[]);
}

/// Money that is provably ours for a payment that is not stored.
struct Lost {
    body: Value,
    booking_key: String,
    payment_id: String,
}

/// Builds it: the order and its payment were never made; the booking, if `window` names one, was.
fn lost(world: &World, window: Option<&Window>, seed: u8, transaction_id: &str) -> Lost {
    let ids = &world.stack.deps.ids;
    let nowhere = || ids.booking("nobody", &seed.to_string(), &ids.product_tag("desk-order"));
    let booking_id = window.map_or_else(nowhere, Window::booking_id);
    let order_id = ids.order(&ids.fresh_token([seed; 16]));
    let payment_id = ids.payment(&order_id, &gateway_name(), 1);
    let booking_key = booking_id.key().to_owned();
    let echo = ids.seal_echo(&Echo { booking_id, order_id, order_seq: 0, attempt: 1 });
    let mut body = handmade(payment_id.as_str(), Some(&echo), world);
    body["transaction_id"] = json!(transaction_id);
    Lost { body, booking_key, payment_id: payment_id.as_str().to_owned() }
}

async fn unmatched_status(world: &World, lost: &Lost, transaction: &str) -> Option<RefundStatus> {
    let store = &world.stack.deps.store;
    let stored = store.unmatched(&lost.booking_key, &lost.payment_id, transaction).await.unwrap();
    stored.map(|stored| stored.refund.status)
}

/// Where a refund stands once its gateway was asked for money that it has never captured.
fn never_captured() -> RefundStatus {
    if ways().refuses_impossible_refunds { RefundStatus::NeedsAttention } else { RefundStatus::Due }
}

#[tokio::test]
async fn money_of_ours_without_a_stored_payment_is_stored_and_given_back() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    window.code_for(1).await;
    let before = window.look().await;
    for (seed, window) in [(1, None), (2, Some(&window))] {
        let lost = lost(&world, window, seed, "42000001");
        assert_eq!(notify(&world, &lost.body).await["status"], acknowledged());
        assert_eq!(unmatched_status(&world, &lost, "42000001").await, Some(RefundStatus::Due));
        // Again, and by another transaction.
        assert_eq!(notify(&world, &lost.body).await["status"], acknowledged());
        let mut second = lost.body.clone();
        second["transaction_id"] = json!("42000002");
        assert_eq!(notify(&world, &second).await["status"], acknowledged());
        world.settle().await;
        // The simulated gateway has never captured it.
        for transaction in ["42000001", "42000002"] {
            let status = unmatched_status(&world, &lost, transaction).await;
            assert_eq!(status, Some(never_captured()), "{transaction}");
        }
        assert_eq!(notify(&world, &lost.body).await["status"], acknowledged());
        world.settle().await;
    }
    let seen = window.look().await;
    assert_eq!((&seen["version"], &seen["orders"]), (&before["version"], &before["orders"]));
}

#[tokio::test]
async fn unmatched_money_that_the_gateway_captured_goes_back_in_full() {
    let world = quiet_world().await;
    let ids = &world.stack.deps.ids;
    let lost = lost(&world, None, 3, "unused");
    // A payment of ours at the gateway that the table has never seen, as after a lost table.
    let echo = text(&lost.body["attach"]);
    let code = create_at_gateway(&world, &lost.payment_id, &echo).await;
    let paid = pay_and_tell(&world, &code, json!({})).await;
    let transaction = text(&paid["transaction_id"]);
    assert_eq!(unmatched_status(&world, &lost, &transaction).await, Some(RefundStatus::Due));
    // The gateway gives the first attempt up.
    world.faults(quiet(json!({ "refund_outcome": "closed" }))).await;
    world.settle().await;
    tokio::time::sleep(GLANCE).await;
    world.faults(quiet(json!({}))).await;
    for _ in 0..100 {
        world.settle().await;
        tokio::time::sleep(GLANCE).await;
        world.clock.advance_s(61);
        if unmatched_status(&world, &lost, &transaction).await == Some(RefundStatus::Succeeded) {
            break;
        }
    }
    let ledger = world.ledger_of(&json!(lost.payment_id)).await;
    assert_eq!(ledger["refunded"], json!({ "amount": 1280, "currency": "CNY" }), "{ledger:#}");
    let refunds = ledger["refunds"].as_array().unwrap();
    let ends: &[&str] =
        if ways().renumbers_refunds { &["closed", "success"] } else { &["success"] };
    assert_eq!(refunds.len(), ends.len());
    for (attempt, (refund, status)) in (1..).zip(refunds.iter().zip(ends)) {
        let refund_id = ids.refund(&lost.payment_id, &transaction, attempt);
        assert!(text(&refund["refund_no"]).starts_with(refund_id.as_str()));
        assert_eq!(refund["status"], *status);
    }
    let mut told = world.events();
    told.retain(|event| event["type"] == "payment.refunded");
    assert_eq!(told.len(), 1, "{told:#?}");
    let told = &told[0]["data"];
    assert_eq!((&told["order_id"], &told["reason"]), (&json!(""), &json!("unmatched")));
    assert_eq!((&told["payment_id"], &told["amount"]), (&json!(lost.payment_id), &json!("1280")));
}

#[tokio::test]
async fn unmatched_money_is_acknowledged_only_once_it_is_stored() {
    let store = Faults::default();
    let world = quiet_world_with(|options| options.wrap_store = Some(store.wrap_store())).await;
    for (seed, fate) in [
        (11, Fate::FailsBefore(Failure::NoAnswer)),
        (12, Fate::FailsBefore(Failure::TransactionConflict)),
        (13, Fate::FailsBefore(Failure::Throttled)),
    ] {
        let lost = lost(&world, None, seed, "42000001");
        store.follow(move |call| if call.is_write() { fate } else { Fate::Works });
        let status = notify(&world, &lost.body).await["status"].clone();
        assert!(store.heal() > 0);
        assert_eq!(unmatched_status(&world, &lost, "42000001").await, None);
        assert_eq!(status, 500, "{fate:?}: nothing is stored, so nothing may be acknowledged");
        assert_eq!(notify(&world, &lost.body).await["status"], acknowledged());
        assert_eq!(unmatched_status(&world, &lost, "42000001").await, Some(RefundStatus::Due));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unmatched_money_told_of_many_times_at_once_is_stored_once() {
    let world = Arc::new(quiet_world().await);
    let lost = lost(&world, None, 31, "42000001");
    let telling = (0..8).map(|_| {
        let (world, body) = (Arc::clone(&world), lost.body.clone());
        tokio::spawn(async move { notify(&world, &body).await["status"].clone() })
    });
    for told in telling.collect::<Vec<_>>() {
        assert_eq!(told.await.unwrap(), acknowledged());
    }
    world.settle().await;
    let status = unmatched_status(&world, &lost, "42000001").await;
    assert_eq!(status, Some(never_captured()));
}

// ---- Refunds that we did not make ----

/// Refunds a transaction in the merchant's console and waits until the gateway has done it.
async fn refunded_by_hand(world: &World, paid: &Value) -> Value {
    let refund_no = refund_by_hand(world, &paid["transaction_id"]).await;
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        if world.ledger_of(&paid["payment_id"]).await["refunds"][0]["status"] == "success" {
            return json!({ "refund_no": refund_no });
        }
        tokio::time::sleep(GLANCE).await;
    }
    panic!("the gateway has not refunded {refund_no}");
}

#[tokio::test]
async fn a_refund_that_we_did_not_make_is_stored_and_flagged_once() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let paid = pay_and_tell(&world, code(&made), json!({})).await;
    let flagged = async || {
        let booking = window.look().await;
        let refunds = order_in(&booking, &made["order"]["order_id"]).unwrap()["refunds"].clone();
        assert_eq!(booking["status"], "active", "what was applied stays applied");
        refunds.as_array().unwrap().clone()
    };
    let refund = refunded_by_hand(&world, &paid).await;
    world.faults(quiet(json!({ "calls_failed_before": 1.0 }))).await;
    if !ways().names_refunded_payment {
        // Only the gateway can tell whose payment it was; until it answers, nothing is
        // acknowledged.
        assert_eq!(replay(&world, &refund).await, 500);
        assert_eq!(flagged().await, Vec::<Value>::new());
        world.faults(quiet(json!({}))).await;
    }
    let (one, other) = tokio::join!(replay(&world, &refund), replay(&world, &refund));
    assert_eq!((one, other), (json!(acknowledged()), json!(acknowledged())));
    world.faults(quiet(json!({}))).await;
    assert_eq!(replay(&world, &refund).await, acknowledged());
    let refunds = flagged().await;
    assert_eq!(refunds.len(), 1, "{refunds:?}");
    assert_eq!(refunds[0]["reason"], "foreign_refund");
    assert_eq!(refunds[0]["status"], "needs_attention");
    assert_eq!(refunds[0]["amount"]["amount"], 1280);
}

#[tokio::test]
async fn money_that_somebody_gave_back_by_hand_does_not_go_back_again() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = window.code_for(1).await;
    window.code_for(2).await;
    let paid = pay_and_tell(&world, code(&old), json!({ "force": true })).await;
    refunded_by_hand(&world, &paid).await;
    // A person has to see that it was done by hand: at once where the gateway finally refuses
    // ours, else after many tries.
    let runs = if ways().refuses_impossible_refunds { 1 } else { TRIES_UNTIL_ATTENTION };
    for run in 1..=runs {
        world.settle().await;
        let expected = if run == runs { "needs_attention" } else { "due" };
        assert_eq!(refund_of(&window, &old).await["status"], expected, "after {run} runs");
        world.clock.advance_s(3_601);
    }
    let ledger = world.ledger_of(&paid["payment_id"]).await;
    assert_eq!(ledger["refunded"]["amount"], 1280);
    assert_eq!(ledger["refunds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refund_that_comes_inside_a_payments_event_is_recorded_with_the_payment() {
    let world = quiet_world().await;
    // Ours: the event of the whole refund is the trade's, which is closed with it.
    let (window, old) = owed_at(&world, "alice", "alipay").await;
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    let ours = at_gateway(&world, &old).await[0]["refund_no"].clone();
    let before = window.look().await;
    let told = replay(&world, &json!({ "refund_no": ours })).await;
    assert_eq!(told, ways_of("alipay").acknowledgement.0);
    assert_eq!(window.look().await["version"], before["version"], "all of it was known");

    // The same where nothing of it was known, and nobody of ours has refunded.
    let window = world.booking_of("bob", "desk-order").await.paying_at("alipay");
    let made = window.code_for(1).await;
    let paid = capture(&world, code(&made), json!({})).await;
    let by_hand = refunded_by_hand(&world, &paid).await;
    for _ in 0..2 {
        assert_eq!(replay(&world, &by_hand).await, ways_of("alipay").acknowledgement.0);
        check(standing(&window, &made).await, "paid", &[("foreign_refund", 1280)]);
    }
}

#[tokio::test]
async fn a_refund_of_ours_that_only_a_payments_event_tells_of_is_done() {
    let world = quiet_world().await;
    let (window, old) = owed_at(&world, "alice", "alipay").await;
    world.faults(quiet(json!({ "refund_delay_ms": 1 }))).await;
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "submitted");
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        if at_gateway(&world, &old).await[0]["status"] == "success" {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    let ours = at_gateway(&world, &old).await[0]["refund_no"].clone();
    for _ in 0..2 {
        let told = replay(&world, &json!({ "refund_no": ours })).await;
        assert_eq!(told, ways_of("alipay").acknowledgement.0);
        assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    }
    check(standing(&window, &old).await, "superseded", &[("superseded", 1280)]);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn money_that_two_kinds_of_events_tell_of_is_one_transaction() {
    let world = World::start_unsettled().await;
    world.faults(json!({ "notifications_duplicated": 1.0 })).await;
    for is_superseded in [false, true] {
        let window = world.booking_of(&format!("{is_superseded}"), "desk-order").await;
        let window = window.paying_at("stripe");
        let made = window.code_for(1).await;
        if is_superseded {
            window.code_for(2).await;
        }
        let before = window.look().await["version"].as_u64().unwrap();
        let body = json!({ "code_url": code(&made), "force": true });
        let paid = world.pay_with(body).await;
        // The session's, the PaymentIntent's and its charge's, each of them twice.
        let mut notifications = Value::Null;
        for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
            notifications = world.ledger_of(&paid["payment_id"]).await["notifications"].clone();
            if notifications["acknowledged"].as_u64().unwrap() >= 6 {
                break;
            }
            tokio::time::sleep(GLANCE).await;
        }
        assert!(notifications["acknowledged"].as_u64().unwrap() >= 6, "{notifications}");
        assert_eq!(window.look().await["version"], before + 1, "recorded in one commit");
        if is_superseded {
            check(standing(&window, &made).await, "superseded", &[("superseded", 1280)]);
        } else {
            check(standing(&window, &made).await, "paid", &[]);
        }
        world.drive(&[window]).await;
    }
}

// ---- Not believed ----

#[tokio::test]
async fn a_notification_that_is_not_believed_is_refused_and_nothing_is_stored() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let echo = echo_of(&world, &window, &made).await;
    let payment_id = text(&made["payment"]["payment_id"]);
    let unmatched = lost(&world, None, 21, "42000001");
    let before = window.state(&world).await;
    let mut modes = vec!["bad_signature", "wrong_merchant"];
    modes.extend(ways().signs_time.then_some("stale_timestamp"));
    for mode in modes {
        let (status, answer) = (ways().distrust)(mode);
        // Before every other row: fitting, somebody else's, and without a stored payment.
        for mut body in [
            handmade(&payment_id, Some(&echo), &world),
            handmade("SHOP-20261123-1", None, &world),
            unmatched.body.clone(),
        ] {
            body["mode"] = json!(mode);
            let told = notify(&world, &body).await;
            assert_eq!(told, json!({ "status": status, "body": answer }), "{mode}");
        }
        world.settle().await;
        assert_eq!(window.state(&world).await, before, "{mode}");
        assert_eq!(unmatched_status(&world, &unmatched, "42000001").await, None);
    }
    if !ways().signs_time {
        // The gateway repeats the very same signature for a day.
        let mut body = handmade(&payment_id, Some(&echo), &world);
        body["mode"] = json!("stale_timestamp");
        assert_eq!(notify(&world, &body).await["status"], acknowledged());
        check(standing(&window, &made).await, "paid", &[]);
    }
}

/// A notification as it came over the wire.
#[derive(Clone, Debug)]
struct Wire {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Wire {
    async fn send(&self, world: &World) -> u16 {
        let mut call = Call::new(Method::POST, CALLBACK).raw(self.body.clone());
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        world.nobody().send(call).await.unwrap().status
    }

    fn without(&self, name: &str) -> Self {
        let headers = self.headers.iter().filter(|(known, _)| known != name).cloned().collect();
        Self { headers, ..self.clone() }
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.without(name);
        changed.headers.push((name.to_owned(), value.to_owned()));
        changed
    }

    fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(known, _)| known == name).unwrap().1.clone()
    }
}

/// Catches the one notification that a gateway sends to the address that this answers.
async fn catch() -> (String, Arc<Mutex<Option<Wire>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/caught", listener.local_addr().unwrap());
    let caught = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&caught);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![];
        let wire = loop {
            stream.read_buf(&mut bytes).await.unwrap();
            if let Some(wire) = read_wire(&bytes) {
                break wire;
            }
        };
        *keep.lock().unwrap() = Some(wire);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    });
    (url, caught)
}

fn read_wire(bytes: &[u8]) -> Option<Wire> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let lines = head.lines().skip(1).map(|line| line.split_once(": ").unwrap());
    let mut headers: Vec<_> =
        lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let len: usize =
        headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
    let body = bytes[end + 4..].to_vec();
    headers.retain(|(name, _)| name.starts_with("wechatpay-") || name == "content-type");
    (body.len() == len).then_some(Wire { headers, body })
}

/// A payable order at WeChat Pay whose genuine notification goes to the test instead of to us.
async fn intercepted(world: &World, window: &Window) -> (Value, Wire) {
    let quoted = expect(201, window.quote(1).await);
    world.faults(quiet(json!({ "calls_failed_before": 1.0 }))).await;
    expect_problem(503, "gateway_unavailable", window.generate(&quoted).await);
    world.faults(json!({})).await;
    let create_body = world.create_body(window).await;
    let (url, caught) = catch().await;
    let mut body: Value = serde_json::from_str(&create_body).unwrap();
    body["notify_url"] = json!(url);
    let deps = &world.stack.deps;
    let gateway = deps.gateway(&GatewayName::parse(window.gateway).unwrap()).unwrap();
    let created = gateway_calls::create(
        deps,
        gateway.as_ref(),
        &text(&body["out_trade_no"]),
        &body.to_string(),
    )
    .await;
    let gateways::CreateOutcome::Payable { code_url, .. } = created else { panic!("{created:?}") };
    world.pay(&json!(code_url)).await;
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        if let Some(wire) = caught.lock().unwrap().clone() {
            return (quoted, wire);
        }
        tokio::time::sleep(GLANCE).await;
    }
    panic!("no notification came");
}

#[tokio::test]
async fn a_notification_with_any_part_changed_is_refused_and_the_genuine_one_is_applied() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await.paying_at("wechat_pay");
    let (made, genuine) = intercepted(&world, &window).await;
    let before = window.state(&world).await;
    for at in (0..genuine.body.len()).step_by(7) {
        let mut changed = genuine.clone();
        changed.body[at] ^= 1;
        assert_eq!(changed.send(&world).await, 401, "byte {at}");
    }
    let mut longer = genuine.clone();
    longer.body.push(b' ');
    let now_s = genuine.header("wechatpay-timestamp").parse::<i64>().unwrap();
    let mut twice = genuine.clone();
    twice.headers.push(("wechatpay-nonce".to_owned(), "x".to_owned()));
    for (what, changed) in [
        ("a longer body", longer),
        ("no body", Wire { body: vec![], ..genuine.clone() }),
        ("no signature", genuine.without("wechatpay-signature")),
        ("no serial", genuine.without("wechatpay-serial")),
        ("no nonce", genuine.without("wechatpay-nonce")),
        ("no timestamp", genuine.without("wechatpay-timestamp")),
        ("two nonces", twice),
        ("another time", genuine.with("wechatpay-timestamp", &(now_s + 1).to_string())),
        ("another nonce", genuine.with("wechatpay-nonce", "n")),
        ("an unknown key", genuine.with("wechatpay-serial", "PUB_KEY_ID_0")),
        ("no base64", genuine.with("wechatpay-signature", "?")),
        ("the probe", genuine.with("wechatpay-signature", "WECHATPAY/SIGNTEST/x")),
    ] {
        assert_eq!(changed.send(&world).await, 401, "{what}");
    }
    assert_eq!(window.state(&world).await, before);
    assert_eq!(genuine.send(&world).await, 204);
    check(standing(&window, &made).await, "paid", &[]);
    assert_eq!(genuine.send(&world).await, 204, "at once again");
    // A delivery is signed afresh each time: an old one was recorded by somebody.
    world.clock.advance_s(300);
    assert_eq!(genuine.send(&world).await, 401);
}

#[tokio::test]
async fn a_callback_of_an_unknown_gateway_or_with_too_much_in_it_is_refused() {
    let world = World::start_unsettled().await;
    let empty = |path: &str| Call::new(Method::POST, path).raw("{}");
    let nobody = world.nobody();
    expect_problem(404, "not_found", nobody.send(empty("/v1/callbacks/cash")).await.unwrap());
    assert_eq!(nobody.send(empty(CALLBACK)).await.unwrap().status, 401);
    let large = Call::new(Method::POST, CALLBACK).raw(vec![b'x'; 65 * 1024]);
    assert_eq!(nobody.send(large).await.unwrap().status, 413);
    let read = Call::new(Method::GET, CALLBACK);
    assert!(matches!(nobody.send(read).await.unwrap().status, 404 | 405));
}

// ---- Durable before acknowledged ----

#[tokio::test]
async fn a_notification_is_acknowledged_only_once_what_it_caused_is_stored() {
    let store = Faults::default();
    let world = quiet_world_with(|options| options.wrap_store = Some(store.wrap_store())).await;
    let mut windows = vec![];
    for (at, failure) in [Failure::NoAnswer, Failure::TransactionConflict, Failure::Throttled]
        .into_iter()
        .enumerate()
    {
        for kind in ["applied", "refunded"] {
            let window = world.booking_of(&format!("{kind}-{at}"), "desk-order").await;
            let made = window.code_for(1).await;
            if kind == "refunded" {
                window.code_for(2).await;
            }
            let paid = capture(&world, code(&made), json!({ "force": true })).await;
            let before = window.look().await;
            for reads in [false, true] {
                store.follow(move |call| {
                    let hit = if reads { !call.is_write() } else { call.is_write() };
                    // The SDK repeats what is throttled; nothing is gained by waiting for that.
                    let failure = if reads { Failure::NoAnswer } else { failure };
                    if hit { Fate::FailsBefore(failure) } else { Fate::Works }
                });
                let status = tell(&world, &paid).await;
                assert!(store.heal() > 0);
                assert_eq!(status, 500, "{kind} {failure:?}");
                assert_eq!(window.look().await["version"], before["version"]);
            }
            assert_eq!(tell(&world, &paid).await, acknowledged());
            let status = if kind == "applied" { "paid" } else { "superseded" };
            assert_eq!(status_of(&window, &made["order"]["order_id"]).await, status);
            windows.push(window);
        }
    }
    world.drive(&windows).await;
}

#[tokio::test]
async fn a_gateway_repeats_by_itself_what_was_not_acknowledged() {
    let store = Faults::default();
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(store.wrap_store());
    })
    .await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    store.follow(|_| Fate::FailsBefore(Failure::NoAnswer));
    let paid = world.pay(code(&made)).await;
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        let ledger = world.ledger_of(&paid["payment_id"]).await;
        let notifications = &ledger["notifications"];
        let count = |name: &str| notifications[name].as_u64().unwrap();
        assert!(count("acknowledged") <= ways().idle_notifications, "{notifications}");
        if count("sent") > ways().idle_notifications {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(store.heal() > 0);
    window.until("the payment is applied", |booking| booking["status"] == "active").await;
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders[0].status, OrderStatus::Paid);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_code_that_the_customer_refused_first_is_paid_or_closed_like_any_other() {
    let world = World::start().await;
    let refuse = async |made: &Value| {
        let code = json!({ "code_url": made["payment"]["code_url"] });
        expect(200, world.nobody().post("/simulator/refuse", &code).await.unwrap())
    };
    let window = world.booking_of("alice", "desk-order").await;
    let first = window.code_for(1).await;
    refuse(&first).await;
    let second = window.code_for(2).await;
    world.until_closed(&first["payment"]["payment_id"]).await;
    refuse(&second).await;
    world.pay(&second["payment"]["code_url"]).await;
    let active = window.until("it is applied", |booking| booking["status"] == "active").await;
    assert_eq!(order_in(&active, &second["order"]["order_id"]).unwrap()["status"], "paid");
}
