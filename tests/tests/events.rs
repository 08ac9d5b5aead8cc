//! Events for the merchant's own systems: each cause tells once, by the very pipe of the template.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::events::{check, shapes};
use tests::gateway::{refuse_refund, relent};
use tests::quiet::{owed, pay_and_tell, quiet_world, refund_of, tell};
use tests::{GLANCE, Window, World, expect, order_in, text, time, ways};

/// How many minutes a refund takes at most.
const MINUTES_MAX: u32 = 30;

/// Every type of event.
const TYPES: [&str; 5] = [
    "booking.activated",
    "booking.renewed",
    "order.superseded",
    "payment.refunded",
    "needs_attention",
];

fn types(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| text(&event["type"])).collect()
}

fn of_type(world: &World, event_type: &str) -> Vec<Value> {
    let mut events = world.events();
    events.retain(|event| event["type"] == event_type);
    events
}

/// Settles, a minute after the other, until all refunds of what was made have succeeded.
async fn until_refunded(world: &World, window: &Window, made: &Value) {
    for _ in 0..MINUTES_MAX {
        world.settle().await;
        let booking = window.look().await;
        let order = order_in(&booking, &made["order"]["order_id"]).unwrap();
        let mut refunds = order["refunds"].as_array().unwrap().iter();
        if refunds.all(|refund| refund["status"] == "succeeded") {
            return;
        }
        tokio::time::sleep(GLANCE).await;
        world.clock.advance_s(61);
    }
    panic!("the money is not back: {:#}", window.look().await);
}

#[tokio::test]
async fn each_paid_order_tells_once_that_its_booking_was_activated_or_renewed() {
    let world = quiet_world().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        for (event_type, quantity, amount) in
            [("booking.activated", 3, "3840"), ("booking.renewed", 1, "990")]
        {
            let before = world.events().len();
            let made = window.code_for(quantity).await;
            assert_eq!(world.events().len(), before, "an order that is only made tells nothing");
            let paid = pay_and_tell(&world, &made, json!({})).await;
            tell(&world, &paid["transaction_id"]).await;
            world.settle().await;
            let told = world.events().split_off(before);
            assert_eq!(types(&told), [event_type], "{product}");
            let [event] = &told[..] else { unreachable!() };
            assert_eq!(event["id"], format!("order-{}", text(&made["order"]["order_id"])));
            let (data, booking) = (&event["data"], window.look().await);
            assert_eq!(data["booking_id"], booking["booking_id"]);
            assert_eq!(data["order_id"], made["order"]["order_id"]);
            assert_eq!(data["payment_id"], made["payment"]["payment_id"]);
            assert_eq!(data["quantity"], quantity.to_string());
            assert_eq!((&data["amount"], &data["currency"]), (&json!(amount), &json!("CNY")));
            assert_eq!(data["valid_until"], booking["term"]["valid_until"]);
        }
    }
}

#[tokio::test]
async fn a_voided_order_names_the_one_that_replaced_it_and_its_money_is_told_to_be_back() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    let live = window.look().await["live_order"]["order_id"].clone();
    let told = world.events();
    assert_eq!(types(&told), ["order.superseded"], "money that is owed is not back yet");
    assert_eq!(told[0]["data"]["order_id"], old["order"]["order_id"]);
    assert_eq!(told[0]["data"]["superseded_by"], live);
    until_refunded(&world, &window, &old).await;
    let told = world.events().split_off(1);
    assert_eq!(types(&told), ["payment.refunded"]);
    let (data, refund) = (&told[0]["data"], refund_of(&window, &old).await);
    assert_eq!(told[0]["id"], format!("refund-{}", text(&refund["refund_id"])));
    assert_eq!(data["refund_id"], refund["refund_id"]);
    assert_eq!(data["payment_id"], old["payment"]["payment_id"]);
    assert_eq!(data["order_id"], old["order"]["order_id"]);
    assert_eq!((&data["amount"], &data["reason"]), (&json!("1280"), &json!("superseded")));
}

#[tokio::test]
async fn orders_that_were_dropped_expired_or_never_paid_tell_nothing() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    expect(200, window.cancel_order(&made["order"]["order_id"]).await);
    let made = window.code_for(1).await;
    world.clock.set(time(&made["order"]["pay_by"]));
    world.clock.advance_s(ways().not_found_grace_s);
    world
        .settle_until(&window, "the order is expired", |booking| {
            order_in(booking, &made["order"]["order_id"]).unwrap()["status"] == "expired"
        })
        .await;
    window.code_for(1).await;
    expect(200, window.cancel().await);
    assert_eq!(world.events(), Vec::<Value>::new());
}

#[tokio::test]
async fn of_windows_that_order_at_once_each_voided_order_tells_once_by_which_it_was_replaced() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let windows: Vec<_> = (1..=8)
        .map(|quantity| {
            let window = window.clone();
            tokio::spawn(async move { window.quote(quantity).await })
        })
        .collect();
    for asked in windows {
        expect(201, asked.await.unwrap());
    }
    let orders = window.look().await["orders"].as_array().unwrap().clone();
    let voided = orders.iter().filter(|order| order["status"] == "superseded");
    let pair = |order: &Value| (text(&order["order_id"]), text(&order["superseded_by"]));
    let voided: BTreeSet<_> = voided.map(pair).collect();
    assert_eq!(voided.len(), 7);
    let told = of_type(&world, "order.superseded");
    assert_eq!(told.len(), 7);
    assert_eq!(told.iter().map(|event| pair(&event["data"])).collect::<BTreeSet<_>>(), voided);
    assert_eq!(world.events().len(), 7);
}

#[tokio::test]
async fn money_that_goes_back_from_an_order_that_is_still_live_is_told_before_the_order_is_paid() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let made = expect(201, window.generate(&quoted).await);
    let amount = json!({ "amount": { "amount": 1281, "currency": "CNY" } });
    pay_and_tell(&world, &made, amount).await;
    until_refunded(&world, &window, &made).await;
    let told = world.events();
    assert_eq!(types(&told), ["payment.refunded"]);
    assert_eq!(told[0]["data"]["amount"], "1281", "what was captured, not what the order costs");
    assert_eq!(told[0]["data"]["reason"], "amount_mismatch");
    // What is written of the booking afterwards tells nothing of the refund.
    let again = expect(201, window.generate(&quoted).await);
    pay_and_tell(&world, &again, json!({})).await;
    let told = world.events();
    assert_eq!(types(&told), ["payment.refunded", "booking.activated"]);
    assert_eq!(told[1]["data"]["payment_id"], again["payment"]["payment_id"]);
}

#[tokio::test]
async fn each_transaction_of_a_payment_that_goes_back_is_told_by_itself() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(2).await;
    pay_and_tell(&world, &made, json!({})).await;
    for amount in [2560, 7] {
        let money = json!({ "amount": amount, "currency": "CNY" });
        pay_and_tell(&world, &made, json!({ "amount": money, "force": true })).await;
    }
    until_refunded(&world, &window, &made).await;
    let told = of_type(&world, "payment.refunded");
    let amounts: BTreeSet<_> = told.iter().map(|event| text(&event["data"]["amount"])).collect();
    assert_eq!(amounts, BTreeSet::from(["2560".to_owned(), "7".to_owned()]));
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn what_waits_for_a_person_is_told_again_when_it_waits_again_after_a_release() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    refuse_refund(&world, &old["payment"]["payment_id"]).await;
    world.settle().await;
    let raised = || of_type(&world, "needs_attention");
    let refunds = |event: &Value| text(&event["data"]["attention_id"]).starts_with("refund-");
    let first: Vec<_> = raised().into_iter().filter(refunds).collect();
    assert_eq!(first.len(), 1);
    let data = &first[0]["data"];
    assert_eq!(data["reason"], ways().final_refusal);
    assert_eq!(data["amount"], "1280");
    world.settle().await;
    assert_eq!(raised().into_iter().filter(refunds).count(), 1, "it still waits: nothing is new");

    world.clock.advance_s(1);
    // The event names what the routes take.
    let below = format!("{}/{}", text(&data["booking_id"]), text(&data["attention_id"]));
    let retry = format!("/v1/attention/{below}/retry");
    expect(200, world.admin().post(&retry, &json!({})).await.unwrap());
    world.settle().await;
    let both: Vec<_> = raised().into_iter().filter(refunds).collect();
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["data"]["attention_id"], both[1]["data"]["attention_id"]);
    assert_eq!(of_type(&world, "payment.refunded"), Vec::<Value>::new());

    relent(&world, &old["payment"]["payment_id"]).await;
    expect(200, world.admin().post(&retry, &json!({})).await.unwrap());
    until_refunded(&world, &window, &old).await;
    assert_eq!(of_type(&world, "payment.refunded").len(), 1);
    assert_eq!(raised().into_iter().filter(refunds).count(), 2);
}

#[test]
fn every_type_has_a_shape_with_an_example_that_fits_and_stands_in_the_page() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md"));
    let page = page.unwrap();
    for event_type in TYPES {
        let shape = &shapes()["$defs"][event_type];
        let example = &shape["examples"][0];
        assert_eq!(example["type"], event_type);
        check(example);
        assert!(page.contains(&format!("`{event_type}`")), "{event_type}");
    }
    let all = shapes()["oneOf"].as_array().unwrap();
    assert_eq!(all.len(), TYPES.len());
    let fields = &shapes()["$defs"]["needs_attention"]["properties"]["data"]["properties"];
    for field in fields.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn the_pipe_passes_on_every_type_that_is_told_and_no_other() {
    let pattern = local::pipe::TEMPLATE.split("{\"type\": {\"S\": [").nth(1).unwrap();
    let named: BTreeSet<_> = pattern.split(']').next().unwrap().split('"').collect();
    let named: BTreeSet<_> = named.into_iter().filter(|one| one.contains(['.', '_'])).collect();
    assert_eq!(named, BTreeSet::from(TYPES));
}
