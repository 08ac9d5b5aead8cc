//! Several gateways on one order: one current payment, switching closes the other, and whatever
//! is paid twice goes back once.

use std::sync::Arc;

use domain::booking::PaymentStatus;
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use serde_json::{Value, json};
use tests::gateway::EVERY_GATEWAY;
use tests::quiet::{faults, quiet_world, refund_of};
use tests::{Window, World, expect, expect_problem, order_in, text};

/// Every pair of two different gateways, both ways round.
fn pairs() -> Vec<(&'static str, &'static str)> {
    let every = EVERY_GATEWAY;
    let both = every.iter().flat_map(|one| every.iter().map(move |other| (*one, *other)));
    both.filter(|(one, other)| one != other).collect()
}

/// An order of a fresh booking, as its quote answered it.
async fn ordered(world: &World, customer: &str) -> (Window, Value) {
    let window = world.booking_of(customer, "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    (window, quoted)
}

/// The order's payment at a gateway; the answer must have a status.
async fn at(window: &Window, quoted: &Value, gateway: &str, status: u16) -> Value {
    let (order_id, token) = (&quoted["order"]["order_id"], &quoted["quote"]["token"]);
    expect(status, window.pay_order(order_id, token, gateway).await)
}

/// Has the gateway tell of captured money; it must be acknowledged.
async fn tell(world: &World, paid: &Value) {
    let replay = json!({ "transaction_id": paid["transaction_id"] });
    let told = expect(200, world.nobody().post("/simulator/replay", &replay).await.unwrap());
    assert!(matches!(told["status"].as_u64(), Some(200 | 204)), "{told}");
}

/// The statuses of the live or ended order's payments, oldest first.
async fn statuses(world: &World, window: &Window) -> Vec<PaymentStatus> {
    let (_, orders) = world.stored(window).await;
    orders.last().unwrap().payments.iter().map(|payment| payment.status).collect()
}

#[tokio::test]
async fn switching_makes_the_other_payment_current_and_closes_the_first() {
    let world = quiet_world().await;
    for (first, second) in pairs() {
        let (window, quoted) = ordered(&world, &format!("{first}-{second}")).await;
        let one = at(&window, &quoted, first, 201).await;
        let other = at(&window, &quoted, second, 201).await;
        assert_ne!(one["payment"]["payment_id"], other["payment"]["payment_id"]);
        assert_eq!(other["payment"]["gateway"], second);
        let order = &window.look().await["live_order"];
        assert_eq!(order["payment"]["payment_id"], other["payment"]["payment_id"]);
        assert_eq!(order["pay_by"], one["order"]["pay_by"], "set once");
        world.until_closed(&one["payment"]["payment_id"]).await;
        assert_eq!(
            statuses(&world, &window).await,
            [PaymentStatus::Closed, PaymentStatus::Payable],
            "{first} then {second}"
        );
        let pay = json!({ "code_url": one["payment"]["code_url"] });
        let refused = world.nobody().post("/simulator/pay", &pay).await.unwrap();
        expect_problem(409, "code_closed", refused);
        let paid = world.pay(&other["payment"]["code_url"]).await;
        tell(&world, &paid).await;
        assert_eq!(window.look().await["status"], "active");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn switching_there_and_back_makes_a_new_attempt_and_shows_no_closed_code() {
    let world = quiet_world().await;
    for (first, second) in pairs() {
        let (window, quoted) = ordered(&world, &format!("{first}-{second}")).await;
        let one = at(&window, &quoted, first, 201).await;
        let other = at(&window, &quoted, second, 201).await;
        let back = at(&window, &quoted, first, 201).await;
        let again = at(&window, &quoted, first, 200).await;
        assert_eq!(again["payment"], back["payment"], "the same payment, as long as it is current");
        let codes = [&one, &other, &back].map(|made| made["payment"]["code_url"].clone());
        assert!(codes[0] != codes[1] && codes[1] != codes[2] && codes[0] != codes[2], "{codes:?}");
        world.until_closed(&one["payment"]["payment_id"]).await;
        world.until_closed(&other["payment"]["payment_id"]).await;
        let paid = world.pay(&back["payment"]["code_url"]).await;
        tell(&world, &paid).await;
        let booking = window.look().await;
        assert_eq!(booking["status"], "active", "{first} {second} {first}");
        let order = order_in(&booking, &back["order"]["order_id"]).unwrap();
        assert_eq!(order["payments"].as_array().unwrap().len(), 3);
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn of_two_gateways_that_both_captured_one_is_applied_and_one_goes_back_whoever_tells_first() {
    let world = quiet_world().await;
    for (first, second) in pairs() {
        for is_reversed in [false, true] {
            let customer = format!("{first}-{second}-{is_reversed}");
            let (window, quoted) = ordered(&world, &customer).await;
            let one = at(&window, &quoted, first, 201).await;
            let other = at(&window, &quoted, second, 201).await;
            // Both codes are out, and both are paid before anybody hears of either.
            let mut paid = [
                world.pay(&one["payment"]["code_url"]).await,
                world.pay(&other["payment"]["code_url"]).await,
            ];
            if is_reversed {
                paid.reverse();
            }
            for one in &paid {
                tell(&world, one).await;
            }
            let booking = window.look().await;
            assert_eq!(booking["status"], "active");
            let order = order_in(&booking, &quoted["order"]["order_id"]).unwrap();
            let [refund] = order["refunds"].as_array().unwrap().as_slice() else {
                panic!("one goes back: {order:#}");
            };
            assert_eq!(refund["reason"], "duplicate_payment");
            assert_eq!(refund["payment_id"], paid[1]["payment_id"], "the one told of last");
            world.drive(&[window]).await;
            let refunded = world.ledger_of(&paid[1]["payment_id"]).await["refunded"].clone();
            assert_eq!(refunded, json!({ "amount": 1280, "currency": "CNY" }));
            let kept = world.ledger_of(&paid[0]["payment_id"]).await["refunded"].clone();
            assert_eq!(kept["amount"], 0);
        }
    }
}

#[tokio::test]
async fn what_nobody_told_of_is_found_when_the_other_gateways_code_is_closed() {
    let world = quiet_world().await;
    for (first, second) in pairs() {
        let (window, quoted) = ordered(&world, &format!("{first}-{second}")).await;
        let one = at(&window, &quoted, first, 201).await;
        world.pay(&one["payment"]["code_url"]).await;
        at(&window, &quoted, second, 201).await;
        let order_id = quoted["order"]["order_id"].clone();
        world
            .settle_until(&window, "the lost payment is applied", |booking| {
                order_in(booking, &order_id).is_some_and(|order| order["status"] == "paid")
            })
            .await;
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn windows_that_choose_different_gateways_at_once_leave_one_current_payment() {
    let world = Arc::new(World::start().await);
    let (window, quoted) = ordered(&world, "alice").await;
    let clicks = (0..12).map(|number| {
        let (window, quoted) = (window.clone(), quoted.clone());
        tokio::spawn(async move {
            let gateway = EVERY_GATEWAY[number % EVERY_GATEWAY.len()];
            let (order_id, token) = (&quoted["order"]["order_id"], &quoted["quote"]["token"]);
            window.pay_order(order_id, token, gateway).await
        })
    });
    let mut codes = vec![];
    for click in clicks.collect::<Vec<_>>() {
        let reply = click.await.unwrap();
        match reply.status {
            200 | 201 => codes.push(reply.body["payment"]["code_url"].clone()),
            409 => assert!(
                matches!(
                    reply.body["code"].as_str(),
                    Some("version_conflict" | "attempts_exhausted")
                ),
                "{reply:?}"
            ),
            _ => panic!("{reply:?}"),
        }
    }
    assert!(!codes.is_empty());
    for code in &codes {
        // Whatever is still payable is paid.
        world.nobody().post("/simulator/pay", &json!({ "code_url": code })).await.unwrap();
    }
    let order_id = quoted["order"]["order_id"].clone();
    window
        .until("one of them is applied", |booking| {
            order_in(booking, &order_id).is_some_and(|order| order["status"] == "paid")
        })
        .await;
    // A code that lost its race before its window saw it was never scanned: it takes its time.
    world.drive(&[window]).await;
}

/// A code of a gateway at which nothing exists until somebody scans it.
async fn unscanned(world: &World, window: &Window, quantity: u32) -> Value {
    let quoted = expect(201, window.quote(quantity).await);
    let body = json!({
        "order_id": quoted["order"]["order_id"],
        "quote_token": quoted["quote"]["token"],
        "gateway": "alipay",
    });
    let made = window.client.post(format!("{}/payments", window.path), &body).await.unwrap();
    let made = expect(201, made);
    assert_eq!(world.ledger_of(&made["payment"]["payment_id"]).await["closed"], false);
    made
}

/// How long after `pay_by` an unscanned code waits at most, in seconds.
fn grace_s(world: &World) -> i64 {
    let alipay = world.stack.deps.gateways.get(&"alipay".to_owned().try_into().unwrap()).unwrap();
    alipay.not_found_grace_s() + i64::from(FUNCTION_TIMEOUT_S_MAX)
}

#[tokio::test]
async fn an_unscanned_code_waits_out_its_grace_without_noise_and_then_counts_as_closed() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = unscanned(&world, &window, 1).await;
    let pay_by = tests::time(&old["order"]["pay_by"]);
    expect(201, window.quote(2).await);
    let over = pay_by.as_second() + grace_s(&world);
    while world.clock.now().as_second() < over {
        world.settle().await;
        let task = world.next_task(&window).await.expect("it waits for the end of its grace");
        assert_eq!((task.tries, task.attention), (0, None), "no noise");
        let (_, orders) = world.stored(&window).await;
        assert_eq!(orders[0].payments[0].status, PaymentStatus::Closing, "not closed too soon");
        world.turn_to_next_task().await;
    }
    world.clock.advance_s(2);
    world.settle().await;
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders[0].payments[0].status, PaymentStatus::Closed);
    assert!(world.next_task(&window).await.is_none(), "nothing is left to do");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn an_unscanned_code_of_a_voided_order_that_is_scanned_and_paid_gives_the_money_back() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = unscanned(&world, &window, 1).await;
    expect(201, window.quote(2).await);
    world.settle().await;
    let paid = world.pay(&old["payment"]["code_url"]).await;
    tell(&world, &paid).await;
    assert_eq!(refund_of(&window, &old).await["reason"], "superseded");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn an_unscanned_code_that_is_paid_in_time_is_applied() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = unscanned(&world, &window, 1).await;
    world.clock.advance_s(70);
    world.settle().await;
    let paid = world.pay(&made["payment"]["code_url"]).await;
    tell(&world, &paid).await;
    assert_eq!(window.look().await["status"], "active");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_gateway_that_is_silent_can_be_left_for_another() {
    let world = quiet_world().await;
    for (first, second) in pairs() {
        let (window, quoted) = ordered(&world, &format!("{first}-{second}")).await;
        faults(&world, json!({ "calls_failed_after": 1.0 })).await;
        let (order_id, token) = (&quoted["order"]["order_id"], &quoted["quote"]["token"]);
        let silent = window.pay_order(order_id, token, first).await;
        expect_problem(503, "gateway_unavailable", silent);
        faults(&world, json!({})).await;
        let other = at(&window, &quoted, second, 201).await;
        let paid = world.pay(&other["payment"]["code_url"]).await;
        tell(&world, &paid).await;
        let booking = window.look().await;
        assert_eq!(booking["status"], "active");
        let order = order_in(&booking, order_id).unwrap();
        assert_eq!(text(&order["payment"]["gateway"]), second);
        world.drive(&[window]).await;
    }
}
