//! The events that `settle` gets on AWS: batches of the table's stream, and the schedule's.

use serde_json::{Value, json};
use tests::faults::{Failure, Fate, Faults};
use tests::stream::batch;
use tests::{Window, World};

/// Where in a batch the tasks are that close a code.
fn closes(batch: &Value) -> Vec<Value> {
    let records = batch["Records"].as_array().unwrap().iter();
    let closes = records.filter(|record| {
        record["dynamodb"]["Keys"]["sk"]["S"].as_str().unwrap().starts_with("task#close")
    });
    closes.map(|record| record["dynamodb"]["SequenceNumber"].clone()).collect()
}

/// A window whose first code was just voided by a second.
async fn voided(world: &World, customer: &str) -> (Window, Value) {
    let window = world.booking_of(customer, "desk-order").await;
    let old = window.code_for(1).await;
    window.code_for(2).await;
    (window, old["payment"]["payment_id"].clone())
}

#[tokio::test]
async fn a_batch_of_the_stream_runs_what_is_due_and_nothing_else() {
    let world = World::start_unsettled().await;
    let mut writes = world.stack.embedded.writes();
    let (_, old) = voided(&world, "alice").await;
    let batch = batch(&mut writes);
    assert_eq!(closes(&batch).len(), 1);
    let answer = settle::handle_event(&world.stack.deps, batch.clone()).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let ledger = world.ledger().await;
    let closed: Vec<_> = ledger.iter().filter(|payment| payment["closed"] == true).collect();
    assert_eq!(closed.len(), 1, "the live code stays open, and its question is not due");
    assert_eq!(closed[0]["payment_id"], old);
    // Delivered again, as streams do: nothing is left to run.
    let again = settle::handle_event(&world.stack.deps, batch).await.unwrap();
    assert_eq!(again, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn a_record_whose_task_cannot_be_claimed_is_named_and_the_others_are_run() {
    let store = Faults::default();
    let wrap = store.wrap_store();
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(wrap);
    })
    .await;
    let mut writes = world.stack.embedded.writes();
    voided(&world, "alice").await;
    voided(&world, "bob").await;
    let batch = batch(&mut writes);
    let tasks = closes(&batch);
    assert_eq!(tasks.len(), 2);
    // One task's claim fails, however often the SDK sends it.
    let first = std::sync::OnceLock::new();
    store.follow(move |call| {
        let claim = call.operation == "UpdateItem";
        let hit = claim && *first.get_or_init(|| call.body.clone()) == call.body;
        if hit { Fate::FailsBefore(Failure::InternalServerError) } else { Fate::Works }
    });
    let answer = settle::handle_event(&world.stack.deps, batch.clone()).await.unwrap();
    store.heal();
    let failed = answer["batchItemFailures"].as_array().unwrap();
    assert_eq!(failed.len(), 1, "{answer}");
    assert!(tasks.contains(&failed[0]["itemIdentifier"]));
    let closed = world.ledger().await.iter().filter(|one| one["closed"] == true).count();
    assert_eq!(closed, 1);
    // The record comes again, or the schedule finds what it named.
    let scheduled = json!({ "source": "aws.events", "detail-type": "Scheduled Event" });
    let answer = settle::handle_event(&world.stack.deps, scheduled).await.unwrap();
    assert_eq!(answer["ran"], 1);
    let closed = world.ledger().await.iter().filter(|one| one["closed"] == true).count();
    assert_eq!(closed, 2);
}

#[tokio::test]
async fn a_code_that_is_voided_while_its_gateway_is_asked_is_not_shown_again() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = tests::expect(201, window.quote(1).await);
    tests::expect(201, window.generate(&quoted).await);
    world.faults(json!({ "call_delay_ms": 1500 })).await;
    let again = {
        let (window, quoted) = (window.clone(), quoted.clone());
        tokio::spawn(async move { window.generate(&quoted).await })
    };
    let newer = tests::expect(201, window.quote(2).await);
    let told = tests::expect_problem(409, "order_superseded", again.await.unwrap());
    assert_eq!(told["live_order"]["order_id"], newer["order"]["order_id"]);
}
