//! What waits for a person: how it comes to be listed, and what an operator does about it.

use std::time::Duration;

use domain::attention::Attention;
use domain::booking::RefundStatus;
use domain::change::{Change, close_task};
use domain::decide::record_refund::{REFUND_ATTEMPTS_MAX, RefundNews, RefundOf, record_refund};
use http::Method;
use jiff::SignedDuration;
use local::client::{Call, Client, Reply};
use runtime::news::record_refund_news;
use serde_json::{Value, json};
use settle::TRIES_UNTIL_ATTENTION;
use store::attention::PAGE_LEN;
use tests::faults::{Failure, Fate, Faults};
use tests::gateway::{dispute, refund_by_hand, refuse_refund, relent};
use tests::quiet::{
    NOWHERE_STORED, at_gateway, faults, owed, owed_at, quiet_world, quiet_world_over, refund_of,
    tell, tell_of_nothing_stored,
};
use tests::{
    GLANCE, PATIENCE, Window, World, expect, expect_problem, gateway_name, order_in, text, time,
    ways,
};

/// The longest wait between two tries.
const HOUR_S: i64 = 3_601;

/// The same, and the gateway has finally refused to give it back.
async fn refused(world: &World, customer: &str) -> (Window, Value) {
    let (window, old) = owed(world, customer).await;
    let payment_id = &old["payment"]["payment_id"];
    refuse_refund(world, payment_id).await;
    world.settle().await;
    // What the gateway refused for was put right.
    relent(world, payment_id).await;
    (window, old)
}

fn of_booking(window: &Window) -> String {
    format!("/v1/attention/{}", window.booking_id())
}

/// All that waits, page after page; no answer ever says who paid.
async fn listed(world: &World) -> Vec<Value> {
    let (mut all, mut path) = (vec![], "/v1/attention".to_owned());
    loop {
        let page = expect(200, world.admin().get(&path).await.unwrap());
        assert!(!page.to_string().contains("alice"), "{page}");
        all.extend(page["attention"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/attention?cursor={cursor}"),
            None => return all,
        }
    }
}

/// The one thing that waits.
async fn waiting(world: &World) -> Value {
    let all = listed(world).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0].clone()
}

async fn release(client: &Client, one: &Value, action: &str, body: &Value) -> Reply {
    let (booking, name) = (text(&one["booking_id"]), text(&one["attention_id"]));
    client.post(format!("/v1/attention/{booking}/{name}/{action}"), body).await.unwrap()
}

async fn retry(world: &World, one: &Value) -> Value {
    expect(200, release(&world.admin(), one, "retry", &json!({})).await)
}

async fn resolve(world: &World, one: &Value) -> Value {
    let body = json!({ "note": "paid back by bank transfer" });
    expect(200, release(&world.admin(), one, "resolve", &body).await)
}

async fn audit(world: &World, window: &Window) -> Vec<Value> {
    let shown = expect(200, world.admin().get(of_booking(window)).await.unwrap());
    assert_eq!(shown["booking_id"], json!(window.booking_id()));
    shown["audit"].as_array().unwrap().clone()
}

// ---- Refunds ----

#[tokio::test]
async fn a_refund_that_was_finally_refused_is_listed_and_succeeds_when_it_is_tried_again() {
    let world = quiet_world().await;
    let (window, old) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    assert_eq!(one["booking_id"], json!(window.booking_id()));
    assert_eq!(one["order_id"], old["order"]["order_id"]);
    assert_eq!(one["payment_id"], old["payment"]["payment_id"]);
    assert_eq!((&one["subject"], &one["reason"]), (&json!("refund"), &json!(ways().final_refusal)));
    assert_eq!(one["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    let shown = expect(200, world.admin().get(of_booking(&window)).await.unwrap());
    assert_eq!((&shown["attention"], &shown["audit"]), (&json!([one]), &json!([])));

    let refund_id = refund_of(&window, &old).await["refund_id"].clone();
    let done = retry(&world, &one).await;
    assert_eq!((&done["action"], &done["by"]), (&json!("retry"), &json!("admin")));
    assert_eq!((&done["reason"], &done["since"]), (&one["reason"], &one["since"]));
    assert_eq!(done["note"], json!(null));
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    assert_eq!(refund_of(&window, &old).await["status"], "due");
    assert_eq!(audit(&world, &window).await, [done]);
    // It asks before it makes anything: while no answer arrives, nothing is made.
    faults(&world, json!({ "calls_failed_after": 1.0 })).await;
    world.settle().await;
    assert!(at_gateway(&world, &old).await.is_empty());
    faults(&world, json!({})).await;
    world.clock.advance_s(HOUR_S);
    world.drive(std::slice::from_ref(&window)).await;
    let refund = refund_of(&window, &old).await;
    assert_eq!((&refund["status"], &refund["refund_id"]), (&json!("succeeded"), &refund_id));
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    assert_eq!(listed(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_refund_that_is_refused_again_is_listed_again() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    refuse_refund(&world, &old["payment"]["payment_id"]).await;
    world.settle().await;
    let first = waiting(&world).await;
    world.clock.advance_s(1);
    retry(&world, &first).await;
    world.settle().await;
    let second = waiting(&world).await;
    assert_eq!(second["attention_id"], first["attention_id"]);
    assert!(time(&second["since"]) > time(&first["since"]));
    assert_eq!(refund_of(&window, &old).await["status"], "needs_attention");
    assert!(at_gateway(&world, &old).await.is_empty());
    // It is a new matter, and not a repeated request. Audit records are kept by their moment.
    world.clock.advance_s(1);
    let done = retry(&world, &second).await;
    assert_eq!(done["since"], second["since"]);
    assert_eq!(audit(&world, &window).await.len(), 2);
}

#[tokio::test]
async fn a_refund_that_is_resolved_is_listed_no_more_and_stands_where_it_stood() {
    let world = quiet_world().await;
    let (window, old) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    let (payment_id, order_id) = (&old["payment"]["payment_id"], &old["order"]["order_id"]);
    let standing = async || {
        let booking = window.look().await;
        let order = order_in(&booking, order_id).unwrap().clone();
        (order, world.ledger_of(payment_id).await["refunds"].clone())
    };
    let before = standing().await;
    let done = resolve(&world, &one).await;
    assert_eq!(done["note"], "paid back by bank transfer");
    for _ in 0..3 {
        world.settle().await;
        world.clock.advance_s(HOUR_S);
    }
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    assert_eq!(standing().await, before, "no money has moved");
    assert_eq!(refund_of(&window, &old).await["status"], "needs_attention");
    assert!(world.next_task(&window).await.is_none_or(|task| task.id().as_str().contains("query")));
    assert_eq!(audit(&world, &window).await, [done]);
}

#[tokio::test]
async fn each_release_allows_a_refund_whose_attempts_are_used_up_one_more() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "refund_outcome": "closed" })).await;
    let made = async || at_gateway(&world, &old).await.len();
    let use_up = async || {
        for _ in 0..30 {
            world.settle().await;
            tokio::time::sleep(GLANCE).await;
            world.clock.advance_s(HOUR_S);
        }
    };
    use_up().await;
    let first_max = usize::try_from(REFUND_ATTEMPTS_MAX).unwrap();
    // Where a number is taken up again, all attempts are made under the first.
    let numbers = |attempts: usize| if ways().renumbers_refunds { attempts } else { 1 };
    assert_eq!(made().await, numbers(first_max));
    retry(&world, &waiting(&world).await).await;
    use_up().await;
    assert_eq!(made().await, numbers(first_max + 1), "one more, and no further");
    retry(&world, &waiting(&world).await).await;
    // This one works, and a notification is all that is heard of it.
    world.faults(json!({ "refund_delay_ms": 20 })).await;
    world.settle().await;
    let order_id = &old["order"]["order_id"];
    window
        .until("the refund has succeeded", |booking| {
            order_in(booking, order_id).unwrap()["refunds"][0]["status"] == "succeeded"
        })
        .await;
    assert_eq!(made().await, numbers(first_max + 2));
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_refund_that_its_account_does_not_take_is_raised_once_until_it_is_tried_again() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "refund_outcome": "abnormal" })).await;
    let abnormal = ways().abnormal;
    let until_called = async |runs: u32| {
        for _ in 0..runs {
            assert_eq!(listed(&world).await, Vec::<Value>::new());
            world.settle().await;
            tokio::time::sleep(GLANCE).await;
            world.clock.advance_s(HOUR_S);
        }
        waiting(&world).await
    };
    let first = until_called(abnormal.runs).await;
    assert_eq!(first["reason"], abnormal.reason);
    for _ in 0..3 {
        world.clock.advance_s(HOUR_S);
        world.settle().await;
        assert_eq!(waiting(&world).await, first, "it waits since then, for that");
    }
    // Retrying asks at once, and not in an hour.
    retry(&world, &first).await;
    // The task was begun before, which is its first run.
    let second = until_called(abnormal.runs.max(2) - 1).await;
    assert!(time(&second["since"]) > time(&first["since"]));
    // Resolved, it is asked for all the same and not raised again.
    resolve(&world, &second).await;
    for _ in 0..3 {
        world.clock.advance_s(HOUR_S);
        world.settle().await;
        assert_eq!(listed(&world).await, Vec::<Value>::new());
    }
    assert!(world.next_task(&window).await.is_some());
    let made = at_gateway(&world, &old).await.len();
    assert_eq!(made, usize::from(abnormal.is_made), "asked for, and never made again");
    let actions: Vec<_> =
        audit(&world, &window).await.iter().map(|it| text(&it["action"])).collect();
    assert_eq!(actions, ["resolve", "retry"]);
}

#[tokio::test]
async fn a_refund_tried_many_times_without_an_answer_asks_before_it_repeats_when_released() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_failed_after": 1.0 })).await;
    for tries in 1..=TRIES_UNTIL_ATTENTION {
        assert_eq!(listed(&world).await, Vec::<Value>::new(), "after {} tries", tries - 1);
        world.settle().await;
        world.clock.advance_s(HOUR_S);
    }
    let one = waiting(&world).await;
    assert_eq!((&one["subject"], &one["reason"]), (&json!("refund"), &json!("many_tries")));
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    retry(&world, &one).await;
    let task = world.next_task(&window).await.unwrap();
    assert_eq!(task.attention, None);
    faults(&world, json!({})).await;
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded", "at once");
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_refund_that_succeeds_by_itself_is_listed_no_more() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    for _ in 0..=TRIES_UNTIL_ATTENTION {
        world.settle().await;
        world.clock.advance_s(HOUR_S);
    }
    // The code that replaced it could not be asked for either.
    let all = listed(&world).await;
    let one = all.iter().find(|one| one["subject"] == "refund").unwrap();
    faults(&world, json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    world.clock.advance_s(HOUR_S);
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    // Nobody did anything about it, and nobody can any more.
    for action in ["retry", "resolve"] {
        let gone = release(&world.admin(), one, action, &json!({ "note": "late" })).await;
        expect_problem(404, "not_found", gone);
    }
    assert_eq!(audit(&world, &window).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_refund_that_we_did_not_make_can_only_be_resolved() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let paid = world.pay(&made["payment"]["code_url"]).await;
    tell(&world, &paid["transaction_id"]).await;
    world.faults(json!({ "refund_delay_ms": 0 })).await;
    refund_by_hand(&world, &paid["transaction_id"]).await;
    window
        .until("the refund is flagged", |booking| {
            !order_in(booking, &made["order"]["order_id"]).unwrap()["refunds"][0].is_null()
        })
        .await;
    let one = waiting(&world).await;
    assert_eq!(one["subject"], "foreign_refund");
    assert_eq!(one["reason"], "foreign_refund");
    assert_eq!(one["amount"]["amount"], 1280);
    let before = window.state(&world).await;
    let no = release(&world.admin(), &one, "retry", &json!({})).await;
    expect_problem(409, "retry_not_possible", no);
    assert_eq!(window.state(&world).await, before);
    assert_eq!(waiting(&world).await, one);
    let done = resolve(&world, &one).await;
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    assert_eq!(audit(&world, &window).await, [done]);
    assert_eq!(window.look().await["status"], "active", "what was applied stays applied");
}

#[tokio::test]
async fn a_disputed_payment_is_listed_once_and_can_only_be_resolved() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await.paying_at("stripe");
    let made = window.code_for(1).await;
    world.faults(json!({})).await;
    world.pay(&made["payment"]["code_url"]).await;
    window.until("the payment is applied", |booking| booking["status"] == "active").await;
    let payment_id = &made["payment"]["payment_id"];
    dispute(&world, payment_id, json!({ "reason": "product_not_received" })).await;
    let order_id = &made["order"]["order_id"];
    let is_stored = |booking: &Value| {
        let refund = &order_in(booking, order_id).unwrap()["refunds"][0];
        refund["reason"] == "dispute" && refund["status"] == "needs_attention"
    };
    let seen = window.until("the dispute is stored", is_stored).await;
    assert_eq!(seen["status"], "active", "what was applied stays applied");
    let one = waiting(&world).await;
    assert_eq!((&one["subject"], &one["reason"]), (&json!("dispute"), &json!("dispute")));
    assert_eq!((&one["payment_id"], &one["order_id"]), (payment_id, order_id));
    assert_eq!(one["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    let before = window.state(&world).await;
    let no = release(&world.admin(), &one, "retry", &json!({})).await;
    expect_problem(409, "retry_not_possible", no);
    assert_eq!(waiting(&world).await, one);

    let done = resolve(&world, &one).await;
    // How it ends is told under the same number, and is no new matter.
    let told = async || world.ledger_of(payment_id).await["notifications"]["acknowledged"].clone();
    let known = told().await.as_u64().unwrap();
    dispute(&world, payment_id, json!({ "outcome": "lost" })).await;
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        if told().await.as_u64().unwrap() > known {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    assert!(told().await.as_u64().unwrap() > known, "its end was told");
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    assert_eq!(audit(&world, &window).await, [done]);
    let after = window.state(&world).await;
    assert_eq!(after["booking"]["orders"], before["booking"]["orders"]);
    assert_eq!(after["money"], before["money"], "no money has moved");
}

#[tokio::test]
async fn a_refund_that_fails_after_it_succeeded_is_made_again_and_the_money_goes_back() {
    let world = quiet_world().await;
    let (window, old) = owed_at(&world, "alice", "stripe").await;
    let first_id = refund_of(&window, &old).await["refund_id"].clone();
    world.faults(json!({ "refund_outcome": "failed_later", "refund_delay_ms": 1_000 })).await;
    world.settle().await;
    // Its failure comes seconds after its success, so that each is told by itself: what is told of
    // the success after the failure is old news, and tells nobody anything.
    world.faults(json!({ "refund_delay_ms": 3_000 })).await;
    let order_id = &old["order"]["order_id"];
    window
        .until("the next attempt is due", |booking| {
            let refund = &order_in(booking, order_id).unwrap()["refunds"][0];
            refund["status"] == "due" && refund["refund_id"] != first_id
        })
        .await;
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders[0].refunds[0].failed_attempts, [1], "it had succeeded");
    world.settle().await;
    window
        .until("the money is back", |booking| {
            order_in(booking, order_id).unwrap()["refunds"][0]["status"] == "succeeded"
        })
        .await;
    let refunds = at_gateway(&world, &old).await;
    let ends: Vec<_> = refunds.iter().map(|refund| text(&refund["status"])).collect();
    assert_eq!(ends, ["closed", "success"]);
    let mut told = world.events();
    told.retain(|event| event["type"] == "payment.refunded");
    let told: Vec<_> = told.iter().map(|event| &event["data"]["refund_id"]).collect();
    assert_eq!(told, [&first_id, &refund_of(&window, &old).await["refund_id"]]);
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    world.drive(&[window]).await;
}

#[tokio::test]
async fn money_without_a_stored_payment_waits_and_is_released_even_without_its_booking() {
    let world = quiet_world().await;
    let ids = &world.stack.deps.ids;
    let echo = tell_of_nothing_stored(&world).await;
    let booking_id = &echo.booking_id;
    let payment_id = ids.payment(&echo.order_id, &gateway_name(), 1);
    // The simulated gateway has never captured it: it finally refuses, or says nothing final.
    let (stands, runs) = if ways().refuses_impossible_refunds {
        (RefundStatus::NeedsAttention, 1)
    } else {
        (RefundStatus::Due, TRIES_UNTIL_ATTENTION)
    };
    let until_called = async |runs: u32| {
        for _ in 0..runs {
            assert_eq!(listed(&world).await, Vec::<Value>::new());
            world.settle().await;
            world.clock.advance_s(HOUR_S);
        }
        waiting(&world).await
    };
    let one = until_called(runs).await;
    let status = async || {
        let store = &world.stack.deps.store;
        let stored = store.unmatched(booking_id.key(), payment_id.as_str(), NOWHERE_STORED).await;
        stored.unwrap().unwrap().refund.status
    };
    assert_eq!(status().await, stands);
    assert_eq!((&one["order_id"], &one["transaction_id"]), (&json!(null), &json!(NOWHERE_STORED)));
    let done = retry(&world, &one).await;
    assert_eq!(retry(&world, &one).await, done, "the same request again");
    assert_eq!(status().await, RefundStatus::Due);
    let again = until_called(runs.max(2) - 1).await;
    assert_eq!(status().await, stands, "refused again");
    resolve(&world, &again).await;
    assert_eq!(status().await, stands);
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    let path = format!("/v1/attention/{booking_id}");
    let shown = expect(200, world.admin().get(path).await.unwrap());
    assert_eq!(shown["audit"].as_array().unwrap().len(), 2);
}

// ---- Tasks ----

/// Lets every call to the gateway fail until the tasks that are due have been flagged.
async fn until_flagged(world: &World) {
    faults(world, json!({ "calls_failed_before": 1.0 })).await;
    // A payment is first asked for after a while, hence one round more.
    for _ in 0..=TRIES_UNTIL_ATTENTION {
        world.settle().await;
        world.clock.advance_s(600);
    }
    faults(world, json!({})).await;
}

#[tokio::test]
async fn a_code_that_could_not_be_closed_is_listed_until_it_is_closed() {
    for by_hand in [false, true] {
        let world = quiet_world().await;
        let window = world.booking_of("alice", "desk-order").await;
        let old = window.code_for(1).await;
        expect(201, window.quote(2).await);
        until_flagged(&world).await;
        let one = listed(&world).await;
        let one = one.iter().find(|one| one["subject"] == "close_payment").unwrap();
        assert_eq!(one["payment_id"], old["payment"]["payment_id"]);
        assert_eq!((&one["reason"], &one["amount"]), (&json!("many_tries"), &json!(null)));
        if by_hand {
            let done = retry(&world, one).await;
            let refused = retry(&world, one).await;
            assert_eq!(refused, done, "the same request again");
        } else {
            world.clock.advance_s(HOUR_S);
        }
        world.settle().await;
        assert_eq!(world.ledger_of(&old["payment"]["payment_id"]).await["closed"], true);
        assert_eq!(listed(&world).await, Vec::<Value>::new(), "by hand: {by_hand}");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_code_whose_flag_was_resolved_is_closed_all_the_same_and_not_listed_again() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = window.code_for(1).await;
    expect(201, window.quote(2).await);
    until_flagged(&world).await;
    for one in listed(&world).await {
        resolve(&world, &one).await;
    }
    until_flagged(&world).await;
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    world.clock.advance_s(HOUR_S);
    world.drive(&[window]).await;
    assert_eq!(world.ledger_of(&old["payment"]["payment_id"]).await["closed"], true);
    assert_eq!(listed(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_payment_that_could_not_be_asked_for_is_listed_until_it_is_heard_of() {
    for told in [false, true] {
        let world = quiet_world().await;
        // Long enough that it is asked for many times before it is over.
        world.sell("desk-long", json!({ "payment_ttl_s": 7_200 })).await;
        let window = world.booking_of("alice", "desk-long").await;
        let made = window.code_for(1).await;
        until_flagged(&world).await;
        let one = waiting(&world).await;
        assert_eq!(one["subject"], "query_payment");
        assert_eq!(one["payment_id"], made["payment"]["payment_id"]);
        let paid = world.pay(&made["payment"]["code_url"]).await;
        if told {
            // Its task is removed by the commit that applies the payment.
            tell(&world, &paid["transaction_id"]).await;
            assert!(world.next_task(&window).await.is_none());
        } else {
            retry(&world, &one).await;
            world.settle().await;
        }
        assert_eq!(window.look().await["status"], "active");
        assert_eq!(listed(&world).await, Vec::<Value>::new(), "told: {told}");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_flag_whose_write_was_lost_is_written_at_the_next_try() {
    let store = Faults::default();
    for of_refund in [true, false] {
        let world = World::start_with(|options| {
            options.settle = false;
            options.wrap_store = Some(store.wrap_store());
        })
        .await;
        faults(&world, json!({})).await;
        let window = if of_refund {
            owed(&world, "alice").await.0
        } else {
            let window = world.booking_of("alice", "desk-order").await;
            window.code_for(1).await;
            expect(201, window.quote(2).await);
            window
        };
        store.follow(|call| {
            let raises = call.operation == "TransactWriteItems" && call.body.contains("attention#");
            if raises { Fate::FailsBefore(Failure::NoAnswer) } else { Fate::Works }
        });
        faults(&world, json!({ "calls_failed_before": 1.0 })).await;
        for _ in 0..TRIES_UNTIL_ATTENTION + 2 {
            let _ = settle::run_due(&world.stack.deps).await;
            world.clock.advance_s(HOUR_S);
        }
        store.heal();
        assert_eq!(listed(&world).await, Vec::<Value>::new());
        world.settle().await;
        let subject = if of_refund { "refund" } else { "close_payment" };
        assert!(listed(&world).await.iter().any(|one| one["subject"] == subject), "{subject}");
        faults(&world, json!({})).await;
        world.clock.advance_s(HOUR_S);
        world.drive(&[window]).await;
        assert_eq!(listed(&world).await, Vec::<Value>::new());
    }
}

// ---- Requests ----

#[tokio::test]
async fn only_an_operator_sees_and_releases_what_waits() {
    let world = quiet_world().await;
    let (window, _) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    let before = window.state(&world).await;
    let note = json!({ "note": "mine" });
    for (client, status, code) in [
        (world.nobody(), 401, "unauthenticated"),
        (window.client.clone(), 403, "forbidden"),
        (world.nobody().as_customer("Admin"), 403, "forbidden"),
    ] {
        for reply in [
            client.get("/v1/attention").await.unwrap(),
            client.get(of_booking(&window)).await.unwrap(),
            release(&client, &one, "retry", &note).await,
            release(&client, &one, "resolve", &note).await,
        ] {
            expect_problem(status, code, reply);
        }
    }
    assert_eq!(window.state(&world).await, before);
    assert_eq!(waiting(&world).await, one);
}

#[tokio::test]
async fn what_does_not_wait_is_not_found_and_a_booking_on_which_nothing_ever_waited_is_empty() {
    let world = quiet_world().await;
    let (window, _) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    let (bob, id) = (world.booking_of("bob", "desk-order").await, "0".repeat(32));
    let shown = expect(200, world.admin().get(of_booking(&bob)).await.unwrap());
    assert_eq!((&shown["attention"], &shown["audit"]), (&json!([]), &json!([])));
    let unknown = world.admin().get(format!("/v1/attention/{id}")).await.unwrap();
    expect_problem(404, "not_found", unknown);
    for (booking, name) in [
        (json!(bob.booking_id()), one["attention_id"].clone()),
        (json!(id), one["attention_id"].clone()),
        (one["booking_id"].clone(), json!(format!("refund-{id}"))),
        (one["booking_id"].clone(), json!(text(&one["attention_id"]).replace('-', "%23"))),
        (one["booking_id"].clone(), json!("refund")),
    ] {
        let other = json!({ "booking_id": booking, "attention_id": name });
        for action in ["retry", "resolve", "drop"] {
            let reply = release(&world.admin(), &other, action, &json!({ "note": "n" })).await;
            expect_problem(404, "not_found", reply);
        }
    }
    assert_eq!(waiting(&world).await, one);
    assert_eq!(audit(&world, &window).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_note_has_its_bounds_and_resolving_needs_one() {
    let world = quiet_world().await;
    let (window, _) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    let admin = world.admin();
    for note in [json!(""), json!(" \n"), json!("退".repeat(501)), json!(1)] {
        for action in ["retry", "resolve"] {
            let reply = release(&admin, &one, action, &json!({ "note": note })).await;
            let problem = expect_problem(400, "invalid_request", reply);
            assert_eq!(problem["field"], "note");
        }
    }
    let missing = release(&admin, &one, "resolve", &json!({})).await;
    assert_eq!(expect_problem(400, "invalid_request", missing)["field"], "note");
    let unknown = release(&admin, &one, "retry", &json!({ "reason": "x" })).await;
    assert_eq!(expect_problem(400, "invalid_request", unknown)["field"], "reason");
    assert_eq!(waiting(&world).await, one);
    let longest = json!({ "note": "退".repeat(500) });
    let done = expect(200, release(&admin, &one, "resolve", &longest).await);
    assert_eq!(done["note"], longest["note"]);
    assert_eq!(audit(&world, &window).await, [done]);
}

#[tokio::test]
async fn trying_again_needs_no_body() {
    let world = quiet_world().await;
    refused(&world, "alice").await;
    let one = waiting(&world).await;
    let (booking, name) = (text(&one["booking_id"]), text(&one["attention_id"]));
    for (action, status) in [("resolve", 415), ("retry", 200)] {
        let path = format!("/v1/attention/{booking}/{name}/{action}");
        expect(status, world.admin().send(Call::new(Method::POST, path)).await.unwrap());
    }
}

#[tokio::test]
async fn a_repeated_release_answers_the_first_one_and_the_other_action_finds_nothing() {
    for (first, other) in [("retry", "resolve"), ("resolve", "retry")] {
        let world = quiet_world().await;
        let (window, old) = refused(&world, "alice").await;
        let one = waiting(&world).await;
        let note = json!({ "note": "first" });
        let done = expect(200, release(&world.admin(), &one, first, &note).await);
        let before = window.state(&world).await;
        let note = json!({ "note": "second" });
        let again = expect(200, release(&world.admin(), &one, first, &note).await);
        assert_eq!(again, done);
        expect_problem(404, "not_found", release(&world.admin(), &one, other, &note).await);
        assert_eq!(window.state(&world).await, before);
        assert_eq!(audit(&world, &window).await, [done]);
        let status = if first == "retry" { "due" } else { "needs_attention" };
        assert_eq!(refund_of(&window, &old).await["status"], status);
    }
}

#[tokio::test]
async fn pages_list_the_longest_waiting_first_and_a_cursor_is_one_that_a_page_gave() {
    let world = quiet_world().await;
    let deps = &world.stack.deps;
    let mut expected = vec![];
    for number in 0..2 * PAGE_LEN + 1 {
        let customer = format!("customer-{number}");
        let window = world.booking_of(&customer, "desk-order").await;
        expect(201, window.quote(1).await);
        let (booking, orders) = world.stored(&window).await;
        let payment_id = deps.ids.payment(&orders[0].order_id, &gateway_name(), 1);
        let task = close_task(&booking, &orders[0], &payment_id, deps.now());
        let ago = SignedDuration::from_secs(i64::try_from(number).unwrap());
        let since = deps.now().checked_sub(ago).unwrap();
        let raised = vec![Attention::of_task(&task, since)];
        let change = Change { raised, ..Change::of(&booking) };
        deps.store.commit(&change, &deps.request_token()).await.unwrap();
        expected.insert(0, json!(window.booking_id()));
    }
    let found: Vec<_> = listed(&world).await.iter().map(|one| one["booking_id"].clone()).collect();
    assert_eq!(found, expected);
    let first = expect(200, world.admin().get("/v1/attention").await.unwrap());
    assert_eq!(first["attention"].as_array().unwrap().len(), PAGE_LEN);
    for cursor in ["", "x", "1.2.3", &"9".repeat(200), &format!("{}.", text(&first["next_cursor"]))]
    {
        let path = format!("/v1/attention?cursor={cursor}");
        let reply = world.admin().get(path).await.unwrap();
        assert_eq!(expect_problem(400, "invalid_request", reply)["field"], "cursor", "{cursor}");
    }
}

// ---- Races ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_operators_that_act_at_once_one_is_audited_while_the_worker_and_the_gateway_go_on() {
    let world = World::start().await;
    faults(&world, json!({})).await;
    for round in 0..6 {
        let (window, old) = owed(&world, &format!("customer-{round}")).await;
        let order_id = &old["order"]["order_id"];
        let status_is = async |status: &str| {
            window
                .until(status, |booking| {
                    order_in(booking, order_id).unwrap()["refunds"][0]["status"] == status
                })
                .await;
        };
        status_is("submitted").await;
        // As if the gateway had refused it, although its success is on its way.
        let (booking, orders) = world.stored(&window).await;
        let order = orders.iter().find(|order| json!(order.order_id) == *order_id).unwrap();
        let refund = &order.refunds[0];
        let of = RefundOf {
            payment_id: &refund.payment_id,
            transaction_id: &refund.transaction_id,
            attempt: refund.attempt,
        };
        let deps = &world.stack.deps;
        let news = RefundNews::Refused { code: "NO".to_owned() };
        let change = record_refund(&booking, order, of, &news, deps.env());
        deps.store.commit(&change.unwrap(), &deps.request_token()).await.unwrap();
        let one = waiting(&world).await;
        let admin = world.admin();
        let (retry, note) = (json!({}), json!({ "note": "n" }));
        let answers = tokio::join!(
            release(&admin, &one, "retry", &retry),
            release(&admin, &one, "resolve", &note),
            release(&admin, &one, "retry", &retry),
            release(&admin, &one, "resolve", &note),
        );
        let answers = [answers.0, answers.1, answers.2, answers.3];
        assert!(answers.iter().all(|it| matches!(it.status, 200 | 404)), "{answers:?}");
        let audited = audit(&world, &window).await;
        assert_eq!(audited.len(), 1, "{audited:?}");
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            assert_eq!(answer.body, audited[0]);
        }
        assert_eq!(listed(&world).await, Vec::<Value>::new());
        if audited[0]["action"] == "retry" {
            status_is("succeeded").await;
            assert_eq!(at_gateway(&world, &old).await.len(), 1);
            world.until_settled(std::slice::from_ref(&window)).await;
        } else {
            status_is("needs_attention").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_races_with_the_notification_of_success_moves_the_money_once() {
    let world = quiet_world().await;
    for round in 0..6_u64 {
        let (window, old) = owed(&world, &format!("customer-{round}")).await;
        // The gateway gets the refund and nobody hears of it.
        faults(&world, json!({ "calls_failed_after": 1.0, "refund_delay_ms": 600_000 })).await;
        for _ in 0..TRIES_UNTIL_ATTENTION {
            world.settle().await;
            world.clock.advance_s(HOUR_S);
        }
        let all = listed(&world).await;
        let one = all.iter().find(|one| one["payment_id"] == old["payment"]["payment_id"]).unwrap();
        faults(&world, json!({})).await;
        let deps = &world.stack.deps;
        let told = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            let (_, orders) = world.stored(&window).await;
            let refund = orders.iter().find_map(|order| order.refunds.first()).unwrap().clone();
            let seq = orders.iter().find(|order| !order.refunds.is_empty()).unwrap().seq;
            let of = RefundOf {
                payment_id: &refund.payment_id,
                transaction_id: &refund.transaction_id,
                attempt: refund.attempt,
            };
            let news = RefundNews::Succeeded;
            record_refund_news(deps, &window.booking_id(), seq, of, &news).await
        };
        let (admin, empty) = (world.admin(), json!({}));
        let (told, answer) = tokio::join!(told, release(&admin, one, "retry", &empty));
        told.unwrap();
        assert!(matches!(answer.status, 200 | 404), "{answer:?}");
        for _ in 0..3 {
            world.settle().await;
            world.clock.advance_s(61);
        }
        assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
        assert_eq!(at_gateway(&world, &old).await.len(), 1);
        assert!(listed(&world).await.iter().all(|it| it["booking_id"] != one["booking_id"]));
        let expected = usize::from(answer.status == 200);
        assert_eq!(audit(&world, &window).await.len(), expected);
    }
}

#[tokio::test]
async fn a_release_whose_answer_was_lost_is_made_once() {
    let store = Faults::default();
    let world = quiet_world_over(&store).await;
    let (window, _) = refused(&world, "alice").await;
    let one = waiting(&world).await;
    store.follow(|call| match call.operation.as_str() {
        "TransactWriteItems" => Fate::FailsAfter(Failure::NoAnswer),
        _ => Fate::Works,
    });
    let lost = release(&world.admin(), &one, "retry", &json!({ "note": "once" })).await;
    expect_problem(503, "store_unavailable", lost);
    store.heal();
    let done = expect(200, release(&world.admin(), &one, "retry", &json!({})).await);
    assert_eq!(done["note"], "once");
    assert_eq!(audit(&world, &window).await, [done]);
    world.drive(&[window]).await;
    assert_eq!(listed(&world).await, Vec::<Value>::new());
}
