//! The work that happens later: refunds, closing, asking, and what it does when nobody answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use domain::booking::{OrderStatus, Payment, RefundStatus};
use domain::change::Change;
use domain::task::{FUNCTION_TIMEOUT_S_MAX, QUERY_FIRST_S, Task};
use embedded::EmbeddedStore;
use embedded::meter::Meter;
use gateways::CreateOutcome;
use jiff::SignedDuration;
use runtime::config::system_clock;
use runtime::deadline::Deadline;
use runtime::gateway_calls;
use serde_json::{Value, json};
use settle::{LEASE_S, PATIENCE_S, TASK_TIME, TRIES_UNTIL_ATTENTION};
use store::schema::DUE_SHARDS;
use tests::books::fen;
use tests::faults::{Failure, Fate, Faults};
use tests::gateway::refuse_refund;
use tests::quiet::{
    at_gateway, faults, owed, owed_at, quiet_world, quiet_world_over, refund_of,
    until_refunds_ended,
};
use tests::{
    GLANCE, PATIENCE, Window, World, expect, expect_problem, gateway, order_in, text, time, ways,
};

async fn status_of(window: &Window, made: &Value) -> Value {
    let booking = window.look().await;
    order_in(&booking, &made["order"]["order_id"]).unwrap()["status"].clone()
}

// ---- Refunds ----

#[tokio::test]
async fn a_refund_that_nobody_tells_of_is_found_by_asking_a_minute_later() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    assert_eq!(refund_of(&window, &old).await["status"], "due");
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "submitted");
    until_refunds_ended(&world, &old).await;
    world.clock.advance_s(58);
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "submitted", "not asked before its time");
    world.clock.advance_s(2);
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_refund_that_is_told_of_is_done_without_asking() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    world.faults(json!({ "refund_delay_ms": 30, "notifications_duplicated": 1.0 })).await;
    world.settle().await;
    let order_id = &old["order"]["order_id"];
    window
        .until("the refund has succeeded", |booking| {
            order_in(booking, order_id).unwrap()["refunds"][0]["status"] == "succeeded"
        })
        .await;
    world.clock.advance_s(120);
    let before = world.ledger().await;
    world.settle().await;
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    assert_eq!(world.money().await, held(&before));
}

/// What [`World::money`] says of a ledger.
fn held(ledger: &[Value]) -> Value {
    let fields = ["payment_id", "captured", "refunded", "closed", "code_urls"];
    json!(ledger.iter().map(|one| fields.map(|name| one[name].clone())).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_refund_that_its_account_does_not_take_needs_attention_and_is_still_asked_for() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "refund_outcome": "abnormal" })).await;
    let abnormal = ways().abnormal;
    for run in 1..=abnormal.runs {
        assert_ne!(refund_of(&window, &old).await["status"], "needs_attention", "before {run}");
        world.settle().await;
        until_refunds_ended(&world, &old).await;
        world.clock.advance_s(3_601);
    }
    let status = if abnormal.is_made { RefundStatus::Submitted } else { RefundStatus::Due };
    for hours in 0..4 {
        world.clock.advance_s(3_600);
        let (booking, _) = world.stored(&window).await;
        world.settle().await;
        assert_eq!(refund_of(&window, &old).await["status"], "needs_attention", "{hours} h");
        let (_, orders) = world.stored(&window).await;
        assert_eq!(orders[0].refunds[0].status, status, "work goes on");
        assert_eq!(orders[0].refunds[0].attention.as_deref(), Some(abnormal.reason));
        assert!(booking.version > 0);
    }
    // Under its own number and no other: the money may still arrive.
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders[0].refunds[0].attempt, 1);
    assert_eq!(at_gateway(&world, &old).await.len(), usize::from(abnormal.is_made));
    assert_eq!(fen(&world.ledger_of(&old["payment"]["payment_id"]).await["refunded"]), 0);
    assert!(world.next_task(&window).await.is_some(), "it is asked for until a person has acted");
}

#[tokio::test]
async fn an_abnormal_refund_is_flagged_by_its_notification_too() {
    let world = quiet_world().await;
    // The only gateway that tells of it.
    let (window, old) = owed_at(&world, "alice", "wechat_pay").await;
    world.faults(json!({ "refund_outcome": "abnormal", "refund_delay_ms": 0 })).await;
    world.settle().await;
    let order_id = &old["order"]["order_id"];
    window
        .until("the refund is flagged", |booking| {
            order_in(booking, order_id).unwrap()["refunds"][0]["status"] == "needs_attention"
        })
        .await;
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
}

#[tokio::test]
async fn a_refund_that_the_gateway_gave_up_is_tried_again_under_a_number_that_it_takes() {
    for told in [false, true] {
        let world = quiet_world().await;
        let (window, old) = owed(&world, "alice").await;
        let dropped = if told { 0.0 } else { 1.0 };
        let closes = json!({ "refund_outcome": "closed", "notifications_dropped": dropped });
        faults(&world, closes).await;
        let first_id = refund_of(&window, &old).await["refund_id"].clone();
        world.settle().await;
        until_refunds_ended(&world, &old).await;
        faults(&world, json!({ "notifications_dropped": dropped })).await;
        for _ in 0..20 {
            world.clock.advance_s(61);
            world.settle().await;
            until_refunds_ended(&world, &old).await;
        }
        let refund = refund_of(&window, &old).await;
        assert_eq!(refund["status"], "succeeded", "told: {told}");
        let refunds = at_gateway(&world, &old).await;
        let outcomes: Vec<_> = refunds.iter().map(|it| text(&it["status"])).collect();
        assert!(text(&refunds[0]["refund_no"]).starts_with(&text(&first_id)));
        if ways().renumbers_refunds {
            assert_ne!(refund["refund_id"], first_id);
            assert_eq!(outcomes, ["closed", "success"]);
            assert!(text(&refunds[1]["refund_no"]).starts_with(&text(&refund["refund_id"])));
        } else {
            assert_eq!(refund["refund_id"], first_id);
            assert_eq!(outcomes, ["success"]);
        }
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_refund_that_is_given_up_ten_times_waits_for_a_person() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "refund_outcome": "closed" })).await;
    for _ in 0..30 {
        world.settle().await;
        tokio::time::sleep(GLANCE).await;
        world.clock.advance_s(3_601);
    }
    assert_eq!(refund_of(&window, &old).await["status"], "needs_attention");
    let refunds = at_gateway(&world, &old).await;
    let numbers = if ways().renumbers_refunds { 10 } else { 1 };
    assert_eq!(refunds.len(), numbers, "attempts are bounded");
    assert!(refunds.iter().all(|refund| refund["status"] == "closed"));
}

#[tokio::test]
async fn a_refund_that_the_gateway_finally_refuses_stands_in_needs_attention() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    refuse_refund(&world, &old["payment"]["payment_id"]).await;
    for _ in 0..3 {
        world.settle().await;
        world.clock.advance_s(3_601);
    }
    assert_eq!(refund_of(&window, &old).await["status"], "needs_attention");
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders[0].refunds[0].status, RefundStatus::NeedsAttention);
    assert!(at_gateway(&world, &old).await.is_empty());
    assert!(world.next_task(&window).await.is_none(), "a final refusal ends the work");
}

#[tokio::test]
async fn a_refund_whose_refusal_lost_a_race_asks_before_it_is_made_again() {
    let store = Faults::default();
    let world = quiet_world_over(&store).await;
    let (window, old) = owed(&world, "alice").await;
    // While somebody's own refund is on its way, the gateway finally refuses ours.
    faults(&world, json!({ "refund_outcome": "closed", "refund_delay_ms": 1_000 })).await;
    let (_, orders) = world.stored(&window).await;
    let deps = &world.stack.deps;
    let gateway = deps.gateway(&orders[0].payments[0].gateway).unwrap();
    let refund = &orders[0].refunds[0];
    // The console's refunds always succeed: one that comes to nothing is made by a call.
    let by_hand = gateways::RefundRequest {
        payment_id: refund.payment_id.as_str(),
        transaction_id: &refund.transaction_id,
        number: "BY-HAND-1",
        amount: refund.amount,
        reason: "by hand",
    };
    gateway_calls::refund(deps, gateway.as_ref(), &by_hand).await;
    store.follow(|call| match call.operation.as_str() {
        "TransactWriteItems" => Fate::FailsBefore(Failure::TransactionConflict),
        _ => Fate::Works,
    });
    settle::run_due(deps).await.unwrap();
    store.heal();
    assert_eq!(refund_of(&window, &old).await["status"], "due", "the refusal was not stored");
    for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
        if at_gateway(&world, &old).await[0]["status"] == "closed" {
            break;
        }
        tokio::time::sleep(GLANCE).await;
    }
    // Now ours would be taken; while no answer arrives, nothing is made.
    faults(&world, json!({ "calls_failed_after": 1.0 })).await;
    world.settle().await;
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
    faults(&world, json!({})).await;
    world.clock.advance_s(3_601);
    world.drive(&[window]).await;
    assert_eq!(at_gateway(&world, &old).await.len(), 2);
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_asked_for_and_never_made_twice() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_failed_after": 1.0 })).await;
    for _ in 0..4 {
        world.settle().await;
        world.clock.advance_s(61);
    }
    assert_eq!(refund_of(&window, &old).await["status"], "due", "nobody knows");
    assert_eq!(at_gateway(&world, &old).await.len(), 1, "it was made all the same");
    faults(&world, json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
}

#[tokio::test]
async fn work_that_never_succeeds_is_flagged_after_some_tries_and_goes_on() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    for tries in 1..=TRIES_UNTIL_ATTENTION + 2 {
        world.settle().await;
        let expected = if tries < TRIES_UNTIL_ATTENTION { "due" } else { "needs_attention" };
        assert_eq!(refund_of(&window, &old).await["status"], expected, "after {tries} tries");
        world.clock.advance_s(3_601);
    }
    faults(&world, json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
}

// ---- Gateways that fail ----

#[tokio::test]
async fn everything_settles_once_a_gateway_that_failed_half_of_its_calls_is_healed() {
    for seed in [1, 2] {
        let world = World::start_with(|options| {
            options.settle = false;
            options.seed = seed;
        })
        .await;
        let mut windows = vec![];
        for (at, product) in
            ["desk-submit", "desk-order", "desk-instant"].repeat(3).into_iter().enumerate()
        {
            let window = world.booking_of(&format!("customer-{at}"), product).await;
            faults(
                &world,
                json!({
                    "notifications_dropped": 0.5,
                    "calls_failed_before": 0.5,
                    "calls_failed_after": 0.5,
                }),
            )
            .await;
            for quantity in 1..=3 {
                let _ = try_code(&window, product, quantity).await;
                world.settle().await;
            }
            pay_what_can_be_paid(&world).await;
            world.clock.advance_s(20);
            windows.push(window);
        }
        for _ in 0..4 {
            world.settle().await;
            world.clock.advance_s(61);
        }
        faults(&world, json!({})).await;
        world.drive(&windows).await;
    }
}

/// Asks for a code and takes no for an answer.
async fn try_code(window: &Window, product: &str, quantity: u32) -> Option<()> {
    let quoted = window.quote_at(quantity, gateway()).await;
    if quoted.status >= 400 {
        assert_eq!(quoted.status, 503, "{quoted:?}");
        return None;
    }
    let made = match product {
        "desk-submit" => window.order(&quoted.body["quote"]["token"]).await,
        "desk-order" => window.generate(&quoted.body).await,
        _ => return Some(()),
    };
    assert!(matches!(made.status, 201 | 503), "{made:?}");
    Some(())
}

/// Pays every code that its gateway still takes money for.
async fn pay_what_can_be_paid(world: &World) {
    for payment in world.ledger().await {
        let code = &payment["code_urls"][0];
        if fen(&payment["captured"]) == 0 && payment["closed"] == false && code.is_string() {
            world.pay(code).await;
        }
    }
}

// ---- Gateways that are called too often ----

/// How long a task is put off at most that was refused so, in seconds.
const REST_S_MAX: i64 = 60;
/// How many calls are too many.
const REFUSED: u32 = 3;

/// A quiet world with faults before its gateways, whose clock goes on by itself: a run that waits
/// for its turn at a gateway waits by that clock.
async fn moving_world(gateways: &Faults) -> World {
    let world = World::start_with(|options| {
        options.settle = false;
        options.clock = system_clock();
        options.wrap_gateways = Some(gateways.wrap_gateways());
    })
    .await;
    faults(&world, json!({})).await;
    world
}

/// The tasks of a world, whenever they are due.
async fn tasks_of(world: &World, windows: &[Window]) -> Vec<Task> {
    let store = &world.stack.deps.store;
    let mut tasks = vec![];
    for window in windows {
        tasks.extend(store.tasks_of(&window.booking_id()).await.unwrap());
    }
    tasks
}

#[tokio::test]
async fn a_refund_that_is_asked_for_too_often_spends_no_try_and_is_made_once() {
    let world = moving_world(&Faults::default()).await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_too_often": 1.0 })).await;
    for run in 1..=TRIES_UNTIL_ATTENTION + 2 {
        world.settle().await;
        assert_eq!(refund_of(&window, &old).await["status"], "due", "after {run} runs");
        world.clock.advance_s(REST_S_MAX + 1);
    }
    let tasks = tasks_of(&world, std::slice::from_ref(&window)).await;
    assert!(tasks.iter().any(|task| task.kind.as_str() == "refund"), "{tasks:?}");
    assert!(tasks.iter().all(|task| task.tries <= 1 && task.attention.is_none()), "{tasks:?}");
    assert!(at_gateway(&world, &old).await.is_empty());
    faults(&world, json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
}

#[tokio::test]
async fn a_gateway_that_says_too_often_for_a_day_is_told_to_a_person() {
    let world = moving_world(&Faults::default()).await;
    let (window, old) = owed(&world, "alice").await;
    faults(&world, json!({ "calls_too_often": 1.0 })).await;
    let (_, orders) = world.stored(&window).await;
    let owed_since = orders[0].refunds[0].updated_at;
    let refund_tries = async || {
        let tasks = tasks_of(&world, std::slice::from_ref(&window)).await;
        let refund = tasks.into_iter().find(|task| task.kind.as_str() == "refund");
        refund.unwrap().tries
    };
    for (seconds, tries) in [(5, 1), (PATIENCE_S - 20, 1), (PATIENCE_S, 2)] {
        world.clock.set(owed_since.saturating_add(SignedDuration::from_secs(seconds)).unwrap());
        world.settle().await;
        assert_eq!(refund_tries().await, tries, "{seconds} s");
    }
    for _ in 0..TRIES_UNTIL_ATTENTION {
        world.clock.advance_s(3_601);
        world.settle().await;
    }
    assert_eq!(refund_of(&window, &old).await["status"], "needs_attention");
    faults(&world, json!({})).await;
    world.drive(std::slice::from_ref(&window)).await;
    assert_eq!(refund_of(&window, &old).await["status"], "succeeded");
    assert_eq!(at_gateway(&world, &old).await.len(), 1);
}

/// So many customers whose first code a second one has replaced.
async fn replaced(world: &World, customers: usize, gateway: &'static str) -> Vec<Window> {
    let mut windows = vec![];
    for number in 0..customers {
        let customer = format!("{gateway}-{number}");
        let window = world.booking_of(&customer, "desk-order").await.paying_at(gateway);
        window.code_for(1).await;
        expect(201, window.quote(2).await);
        windows.push(window);
    }
    windows
}

/// Those of their tasks that are to close a code.
async fn closes_of(world: &World, windows: &[Window]) -> Vec<Task> {
    let mut tasks = tasks_of(world, windows).await;
    tasks.retain(|task| task.kind.as_str() == "close_payment");
    tasks
}

#[tokio::test]
async fn a_batch_leaves_a_gateway_alone_that_it_called_too_often() {
    let world = moving_world(&Faults::default()).await;
    let windows = replaced(&world, 12, gateway()).await;
    faults(&world, json!({ "calls_too_often": 1.0 })).await;
    let deps = &world.stack.deps;
    let due = world.due_by(deps.now()).await.unwrap();
    assert_eq!(due.len(), windows.len());
    let runs = settle::run_all(deps, &due).await;
    assert!(runs.iter().all(|run| matches!(run, Ok(true))), "{runs:?}");
    let tasks = closes_of(&world, &windows).await;
    let begun = tasks.iter().filter(|task| task.tries == 1).count();
    // As many as were on their way before the first of them was answered.
    assert!((1..=8).contains(&begun), "{begun} of {}", tasks.len());
    let latest = deps.now().checked_add(SignedDuration::from_secs(REST_S_MAX)).unwrap();
    for task in &tasks {
        assert!(task.tries <= 1 && task.due_at <= latest && task.attention.is_none(), "{task:?}");
    }
    faults(&world, json!({})).await;
    world.clock.advance_s(REST_S_MAX);
    world.drive(&windows).await;
    assert!(world.ledger().await.iter().all(|payment| payment["closed"] == true));
}

#[tokio::test]
async fn what_a_run_has_no_time_for_is_put_off_as_if_it_had_not_been_begun() {
    let limit = Faults::default();
    let world = moving_world(&limit).await;
    let windows = replaced(&world, 12, "wechat_pay").await;
    limit.follow(|_| Fate::FailsBefore(Failure::Throttled));
    let deps = &world.stack.deps;
    // What is kept has hardly more time than a task needs that is begun.
    let end = deps.now().saturating_add(TASK_TIME.saturating_add(Duration::from_secs(3))).unwrap();
    let end_ms = u64::try_from(end.as_millisecond()).unwrap();
    let deadline = Deadline::of_invocation(end_ms, deps.now());
    settle::run_due(&deps.until(deadline)).await.unwrap();
    let refused = usize::try_from(limit.heal()).unwrap();
    let tasks = closes_of(&world, &windows).await;
    let tried = |tries| tasks.iter().filter(|task| task.tries == tries).count();
    assert_eq!((tried(1), tried(0)), (refused, windows.len().saturating_sub(refused)));
    world.clock.advance_s(REST_S_MAX);
    world.drive(&windows).await;
}

#[tokio::test]
async fn a_gateway_that_is_called_too_often_holds_no_other_up_and_gets_all_done() {
    let limit = Faults::default();
    let world = moving_world(&limit).await;
    let limited = replaced(&world, 16, "wechat_pay").await;
    let free = replaced(&world, 4, "stripe").await;
    let refused = AtomicU32::new(0);
    limit.follow(move |call| {
        let is_limited = call.operation.contains("/out-trade-no/");
        match is_limited && refused.fetch_add(1, Ordering::Relaxed) < REFUSED {
            true => Fate::FailsBefore(Failure::Throttled),
            false => Fate::Works,
        }
    });
    settle::run_due(&world.stack.deps).await.unwrap();
    assert_eq!(limit.heal(), REFUSED);
    assert_eq!(closes_of(&world, &free).await, [], "the other gateway's are done at once");
    // What was kept while the gateway was left alone was done in the same run.
    let left = closes_of(&world, &limited).await;
    assert_eq!(left.len(), usize::try_from(REFUSED).unwrap());
    assert!(left.iter().all(|task| task.tries == 1 && task.attention.is_none()), "{left:?}");
    world.clock.advance_s(REST_S_MAX);
    world.drive(&limited).await;
    assert!(world.ledger().await.iter().all(|payment| payment["closed"] == true));
}

// ---- Payments that nobody tells of ----

#[tokio::test]
async fn a_lost_payment_is_found_by_asking_a_minute_after_it_was_made() {
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let world = quiet_world().await;
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(1).await;
        world.pay(&made["payment"]["code_url"]).await;
        world.clock.advance_s(i64::from(QUERY_FIRST_S) - 5);
        world.settle().await;
        assert_eq!(status_of(&window, &made).await, "pending");
        world.clock.advance_s(5);
        world.settle().await;
        assert_eq!(status_of(&window, &made).await, "paid", "{product}");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn a_lost_payment_is_found_by_asking_for_its_code_again() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let made = expect(201, window.generate(&quoted).await);
    world.pay(&made["payment"]["code_url"]).await;
    expect_problem(409, "order_already_paid", window.generate(&quoted).await);
    assert_eq!(window.look().await["status"], "active");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_payment_lost_until_pay_by_is_found_by_the_last_question() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let pay_by = time(&made["order"]["pay_by"]);
    let deadline = |seconds| pay_by.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    // Every question before that is answered by nobody.
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    world.clock.set(deadline(-2));
    world.settle().await;
    world.pay(&made["payment"]["code_url"]).await;
    faults(&world, json!({})).await;
    world.clock.set(deadline(3_601));
    world.settle().await;
    assert_eq!(status_of(&window, &made).await, "paid");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn an_unpaid_payment_is_closed_at_pay_by_and_its_order_expires() {
    let world = quiet_world().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let made = window.code_for(1).await;
        let payment_id = &made["payment"]["payment_id"];
        let pay_by = time(&made["order"]["pay_by"]);
        // One question a minute, less and less often, and none of them ends anything.
        while world.clock.now() < pay_by.checked_sub(SignedDuration::from_secs(61)).unwrap() {
            world.settle().await;
            world.clock.advance_s(60);
        }
        assert_eq!(world.ledger_of(payment_id).await["closed"], false);
        assert_eq!(status_of(&window, &made).await, "pending");
        world.clock.set(pay_by);
        world.settle().await;
        assert_eq!(world.ledger_of(payment_id).await["closed"], true, "{product}");
        let booking = window.look().await;
        let order = order_in(&booking, &made["order"]["order_id"]).unwrap();
        assert_eq!((&order["status"], &order["reason"]), (&json!("expired"), &json!("unpaid")));
        assert_eq!(order["payments"][0]["status"], "closed");
        assert_eq!(booking["live_order"], json!(null));
        assert!(world.next_task(&window).await.is_none(), "nothing is left to do");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn money_that_arrives_between_the_last_question_and_the_close_ends_the_order_too() {
    let world = quiet_world().await;
    for (customer, amount, status) in [("alice", 1280, "paid"), ("bob", 1279, "expired")] {
        let window = world.booking_of(customer, "desk-order").await;
        let made = window.code_for(1).await;
        world.clock.set(time(&made["order"]["pay_by"]));
        let status = if ways().closes_at_pay_by { "expired" } else { status };
        // The question is answered, and while its answer is on the way the code is paid.
        faults(&world, json!({ "call_delay_ms": 1_000 })).await;
        let paying = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let body = json!({
                "code_url": made["payment"]["code_url"],
                "amount": { "amount": amount, "currency": "CNY" },
                "force": !ways().closes_at_pay_by,
            });
            let paid = world.nobody().post("/simulator/pay", &body).await.unwrap();
            // Where the question itself ends the payment, no money can come after it.
            assert_eq!(paid.status, if ways().closes_at_pay_by { 409 } else { 200 }, "{paid:?}");
            faults(&world, json!({})).await;
        };
        tokio::join!(world.settle(), paying);
        world.drive(std::slice::from_ref(&window)).await;
        for _ in 0..3 {
            world.clock.advance_s(3_601);
            world.settle().await;
        }
        assert_eq!(status_of(&window, &made).await, status, "{amount} fen");
        world.drive(&[window]).await;
    }
}

#[tokio::test]
async fn an_order_ends_with_the_last_of_its_payments_even_if_that_was_being_closed() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    // As after switching to a gateway whose own payment has ended since.
    let (booking, mut orders) = world.stored(&window).await;
    let deps = &world.stack.deps;
    let mut change = Change::of(&booking);
    change.close_open_payments(&mut orders[0], deps.now());
    change.put_back(orders.remove(0));
    deps.store.commit(&change, &deps.request_token()).await.unwrap();
    let body = json!({
        "code_url": made["payment"]["code_url"],
        "amount": { "amount": 1, "currency": "CNY" },
    });
    world.pay_with(body).await;
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    world.clock.set(time(&made["order"]["pay_by"]));
    world.settle().await;
    assert_eq!(status_of(&window, &made).await, "pending");
    faults(&world, json!({})).await;
    world.clock.advance_s(3_601);
    world.settle().await;
    assert_eq!(refund_of(&window, &made).await["reason"], "amount_mismatch");
    assert_eq!(status_of(&window, &made).await, "expired");
    world.drive(&[window]).await;
}

/// How long after `pay_by` no create can be on its way any more, in seconds.
fn conclusive_s() -> i64 {
    i64::from(FUNCTION_TIMEOUT_S_MAX) + ways().not_found_grace_s
}

#[tokio::test]
async fn a_payment_that_was_created_without_an_answer_is_resolved_by_asking() {
    let world = quiet_world().await;
    for (product, comes_back) in
        [("desk-submit", true), ("desk-order", true), ("desk-order", false)]
    {
        let window = world.booking_of(&format!("{product}-{comes_back}"), product).await;
        let quoted = expect(201, window.quote(1).await);
        let click = async || match product {
            "desk-submit" => window.order(&quoted["quote"]["token"]).await,
            _ => window.generate(&quoted).await,
        };
        faults(&world, json!({ "calls_failed_after": 1.0 })).await;
        expect_problem(503, "gateway_unavailable", click().await);
        let booking = window.look().await;
        let payment = booking["live_order"]["payments"][0].clone();
        assert_eq!((&payment["status"], &payment["code_url"]), (&json!("creating"), &json!(null)));
        let entry = world.ledger_of(&payment["payment_id"]).await;
        assert_eq!(entry["code_urls"].as_array().unwrap().len(), 1, "it can be paid");
        faults(&world, json!({})).await;
        if comes_back {
            // The very same payment, and its code; 200 or 201 depends on who made the order.
            let again = click().await;
            assert!(matches!(again.status, 200 | 201), "{again:?}");
            assert_eq!(again.body["payment"]["payment_id"], payment["payment_id"]);
            world.pay(&again.body["payment"]["code_url"]).await;
        } else {
            world.clock.set(time(&booking["live_order"]["pay_by"]));
            world.settle().await;
            if !ways().finds_by_number {
                // Nobody was shown its code, and it runs out by itself before it counts as closed.
                let live = window.look().await["live_order"].clone();
                assert_eq!(live["payments"][0]["status"], "creating");
                world.clock.advance_s(conclusive_s() + 2);
                world.settle().await;
            }
            assert_eq!(world.ledger_of(&payment["payment_id"]).await["closed"], true);
            assert_eq!(window.look().await["orders"][0]["status"], "expired");
        }
        world.drive(&[window]).await;
    }
    assert_eq!(world.ledger().await.len(), 3);
}

#[tokio::test]
async fn a_payment_that_never_reached_its_gateway_ends_only_when_no_create_can_be_on_its_way() {
    let world = quiet_world().await;
    for (product, superseded) in [("desk-order", false), ("desk-order", true)] {
        let window = world.booking_of(&format!("{product}-{superseded}"), product).await;
        let quoted = expect(201, window.quote(1).await);
        faults(&world, json!({ "calls_failed_before": 1.0 })).await;
        expect_problem(503, "gateway_unavailable", window.generate(&quoted).await);
        faults(&world, json!({})).await;
        let booking = window.look().await;
        let pay_by = time(&booking["live_order"]["pay_by"]);
        if superseded {
            expect(201, window.quote(2).await);
        }
        let status = async || {
            window.look().await["orders"].as_array().unwrap().last().unwrap()
            ["payments"][0]["status"]
            .clone()
        };
        let conclusive_s = conclusive_s();
        for seconds in [0, 60, conclusive_s - 1] {
            world.clock.set(pay_by.checked_add(SignedDuration::from_secs(seconds)).unwrap());
            world.settle().await;
            assert!(matches!(text(&status().await).as_str(), "creating" | "closing"), "{seconds}");
        }
        world.clock.set(pay_by.checked_add(SignedDuration::from_secs(conclusive_s + 2)).unwrap());
        world.settle().await;
        assert_eq!(status().await, "closed");
        let booking = window.look().await;
        let ended = booking["orders"].as_array().unwrap().last().unwrap();
        assert_eq!(ended["status"], if superseded { "superseded" } else { "expired" });
        assert!(world.next_task(&window).await.is_none(), "nothing is left to do");
    }
    assert!(world.ledger().await.is_empty());
}

#[tokio::test]
async fn a_create_that_reaches_the_gateway_after_not_found_was_answered_is_closed_or_given_back() {
    let world = quiet_world().await;
    for is_paid in [false, true] {
        let window = world.booking_of(&format!("paid-{is_paid}"), "desk-order").await;
        let quoted = expect(201, window.quote(1).await);
        faults(&world, json!({ "calls_failed_before": 1.0 })).await;
        expect_problem(503, "gateway_unavailable", window.generate(&quoted).await);
        faults(&world, json!({})).await;
        let create_body = world.create_body(&window).await;
        expect(201, window.quote(2).await);
        world.settle().await;
        // The close found nothing to close. Now the create arrives, as it may until `pay_by`.
        let deps = &world.stack.deps;
        let (_, orders) = world.stored(&window).await;
        let Payment { gateway, payment_id, .. } = &orders[0].payments[0];
        let gateway = deps.gateway(gateway).unwrap().as_ref();
        let created = gateway_calls::create(deps, gateway, payment_id.as_str(), &create_body).await;
        let CreateOutcome::Payable { code_url, .. } = created else { panic!("{created:?}") };
        if is_paid {
            world.pay(&json!(code_url)).await;
        }
        world.drive(std::slice::from_ref(&window)).await;
        let payment_id = json!(orders[0].payments[0].payment_id);
        let entry = world.ledger_of(&payment_id).await;
        let returned = if is_paid { 1280 } else { 0 };
        assert_eq!((fen(&entry["refunded"]), fen(&entry["captured"])), (returned, returned));
        assert_eq!(entry["closed"], !is_paid);
        assert_eq!(refund_of(&window, &quoted).await["reason"] == "superseded", is_paid);
    }
}

#[tokio::test]
async fn waiting_for_a_conclusive_not_found_spends_no_tries() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    faults(&world, json!({ "calls_failed_before": 1.0 })).await;
    expect_problem(503, "gateway_unavailable", window.generate(&quoted).await);
    faults(&world, json!({})).await;
    for _ in 0..15 {
        world.clock.advance_s(60);
        world.settle().await;
    }
    let task = world.next_task(&window).await.unwrap();
    assert_eq!((task.tries, task.attention), (0, None));
}

#[tokio::test]
async fn a_code_that_was_replaced_is_closed_at_its_gateway_at_once() {
    let world = World::start().await;
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        let window = world.booking_of("alice", product).await;
        let old = window.code_for(1).await;
        let live = window.code_for(2).await;
        world.until_closed(&old["payment"]["payment_id"]).await;
        let refused = json!({ "code_url": old["payment"]["code_url"] });
        let refused = world.nobody().post("/simulator/pay", &refused).await.unwrap();
        expect_problem(409, "code_closed", refused);
        assert_eq!(world.ledger_of(&live["payment"]["payment_id"]).await["closed"], false);
        world.until_settled(&[window]).await;
    }
}

#[tokio::test]
async fn a_replaced_code_that_was_paid_unheard_is_found_when_it_is_closed() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    let old = window.code_for(1).await;
    world.pay(&old["payment"]["code_url"]).await;
    window.code_for(2).await;
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["reason"], "superseded");
    world.drive(&[window]).await;
}

// ---- Workers ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_at_once_do_everything_once() {
    let world = quiet_world().await;
    let mut windows = vec![];
    for customer in ["alice", "bob", "carol", "dave"] {
        let (window, old) = owed(&world, customer).await;
        windows.push((window, old));
    }
    let mut ran = 0;
    for _ in 0..5 {
        let deps = &world.stack.deps;
        let runs =
            tokio::join!(settle::run_due(deps), settle::run_due(deps), settle::run_due(deps));
        ran += runs.0.unwrap() + runs.1.unwrap() + runs.2.unwrap();
        for (_, old) in &windows {
            until_refunds_ended(&world, old).await;
        }
        world.clock.advance_s(61);
    }
    assert!(ran >= 8);
    for (window, old) in &windows {
        assert_eq!(refund_of(window, old).await["status"], "succeeded");
        assert_eq!(at_gateway(&world, old).await.len(), 1);
        world.drive(std::slice::from_ref(window)).await;
    }
}

#[tokio::test]
async fn a_task_whose_worker_died_comes_back_after_its_lease() {
    let world = quiet_world().await;
    let (window, old) = owed(&world, "alice").await;
    let deps = &world.stack.deps;
    let now = deps.now();
    let lease_end = now.checked_add(SignedDuration::from_secs(i64::from(LEASE_S))).unwrap();
    let mut claimed = 0;
    for shard in 0..DUE_SHARDS {
        for due in deps.store.due_tasks(shard, now, 25).await.unwrap() {
            let first = deps.store.claim_task(&due, lease_end).await.unwrap();
            assert_eq!(first.map(|task| task.tries), Some(1));
            let second = deps.store.claim_task(&due, lease_end).await.unwrap();
            assert!(second.is_none(), "a claimed task is nobody else's");
            claimed += 1;
        }
    }
    assert_eq!(claimed, 2, "the refund, and closing the replaced code");
    world.clock.advance_s(i64::from(LEASE_S) - 5);
    assert_eq!(settle::run_due(deps).await.unwrap(), 0, "the lease still holds");
    assert_eq!(refund_of(&window, &old).await["status"], "due");
    world.clock.advance_s(5);
    world.settle().await;
    assert_eq!(refund_of(&window, &old).await["status"], "submitted");
    world.drive(&[window]).await;
}

#[tokio::test]
async fn a_worker_that_dies_anywhere_in_a_task_leaves_it_to_be_run_again() {
    let store = Faults::default();
    let world = quiet_world_over(&store).await;
    for fate in [Fate::FailsBefore(Failure::NoAnswer), Fate::FailsAfter(Failure::NoAnswer)] {
        for number in 1..20 {
            let (window, old) = owed(&world, &format!("{fate:?}-{number}")).await;
            store.fail_from(number, fate);
            let _ = settle::run_due(&world.stack.deps).await;
            let hits = store.heal();
            world.clock.advance_s(i64::from(LEASE_S) + 1);
            world.drive(std::slice::from_ref(&window)).await;
            assert_eq!(refund_of(&window, &old).await["status"], "succeeded", "{fate:?} {number}");
            assert_eq!(at_gateway(&world, &old).await.len(), 1, "{fate:?} {number}");
            expect(200, window.cancel_order(&window.look().await["live_order"]["order_id"]).await);
            world.drive(&[window]).await;
            if hits == 0 {
                break;
            }
            assert!(number < 19, "a run has fewer calls than that");
        }
    }
}

#[tokio::test]
async fn an_idle_run_reads_each_shard_once_and_writes_nothing() {
    let meter = std::sync::Arc::new(std::sync::OnceLock::<Meter>::new());
    let kept = std::sync::Arc::clone(&meter);
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(std::sync::Arc::new(move |store: EmbeddedStore| {
            let metered = kept.get_or_init(|| Meter::new(store.clone(), store, vec![]));
            aws_smithy_runtime_api::client::http::SharedHttpClient::new(metered.clone())
        }));
    })
    .await;
    // Work that is not due yet costs nothing either.
    let window = world.booking_of("alice", "desk-order").await;
    window.code_for(1).await;
    world.settle().await;
    drop(meter.get().unwrap().take());
    assert_eq!(settle::run_due(&world.stack.deps).await.unwrap(), 0);
    let calls = meter.get().unwrap().take();
    let operations: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(operations, vec!["Query"; usize::try_from(DUE_SHARDS).unwrap()]);
    assert!(calls.iter().all(|call| call.write_units == 0));
}

#[tokio::test]
async fn an_order_that_never_had_a_code_leaves_nothing_to_do() {
    let world = quiet_world().await;
    let window = world.booking_of("alice", "desk-order").await;
    expect(201, window.quote(1).await);
    expect(201, window.quote(2).await);
    assert!(world.next_task(&window).await.is_none());
    let (_, orders) = world.stored(&window).await;
    assert_eq!(orders.iter().filter(|it| it.status == OrderStatus::Superseded).count(), 1);
    world.drive(&[window]).await;
}
