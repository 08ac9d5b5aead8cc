//! The worker as AWS runs it: by the table's stream, which may lose records, and by a schedule.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use embedded::writes::WriteEvent;
use local::stack::TABLE;
use serde_json::{Value, json};
use store::schema::{DUE_AT, DUE_INDEX, DUE_SHARD, DUE_SHARDS};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::chance::Chance;
use crate::clock;
use crate::watch::{ACTOR, WORKER};
use crate::world::World;

/// How often missed work is looked for.
pub const SCHEDULE: Duration = Duration::from_secs(60);
/// The largest batch of stream records.
const BATCH_MAX: usize = 10;
/// How often a batch's records are delivered that the worker gave back.
const DELIVERIES_MAX: u32 = 3;

/// Follows the stream, in batches, until the run ends.
pub async fn follow_stream(
    world: Arc<World>,
    mut writes: Receiver<WriteEvent>,
    mut chance: Chance,
) {
    loop {
        let mut batch = vec![];
        match writes.recv().await {
            Ok(event) => batch.push(event),
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        }
        tokio::time::sleep(chance.ms(1..600)).await;
        while batch.len() < BATCH_MAX
            && let Ok(event) = writes.try_recv()
        {
            batch.push(event);
        }
        batch.retain(|_| {
            let lost = world.sky.look(|weather, chance| chance.hits(weather.notifications[0]));
            if lost {
                world.figures.count(|all| &all.lost_records);
            }
            !lost
        });
        tokio::spawn(deliver(Arc::clone(&world), batch));
    }
}

/// Delivers a batch, and again what the worker names as not done.
async fn deliver(world: Arc<World>, batch: Vec<WriteEvent>) {
    let mut records: HashMap<String, Value> = HashMap::new();
    let mut order = vec![];
    for (number, event) in batch.into_iter().enumerate() {
        let number = number.to_string();
        let images = json!({ "NewImage": event.image, "SequenceNumber": number });
        records.insert(number.clone(), json!({ "eventName": "INSERT", "dynamodb": images }));
        order.push(number);
    }
    for _ in 0..DELIVERIES_MAX {
        if order.is_empty() {
            return;
        }
        let event = json!({ "Records": order.iter().map(|it| &records[it]).collect::<Vec<_>>() });
        let Some(answer) = run(&world, event).await else { continue };
        let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
        order =
            failures.iter().map(|it| it["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    }
}

/// Runs the worker every minute, as long as the run lasts, now and then two at once.
pub async fn follow_schedule(world: Arc<World>, mut chance: Chance) {
    loop {
        tokio::time::sleep(SCHEDULE).await;
        // A minute without work reads the shards and does nothing: only that is left out.
        if next_due_ms(&world).is_none_or(|due_ms| due_ms > clock::now().as_millisecond()) {
            continue;
        }
        if chance.hits(200) {
            tokio::spawn(scheduled(Arc::clone(&world)));
        }
        tokio::spawn(scheduled(Arc::clone(&world)));
    }
}

async fn scheduled(world: Arc<World>) {
    run(&world, json!({ "source": "aws.scheduler" })).await;
}

/// One invocation; `None` where the worker died or failed as a whole.
pub async fn run(world: &World, event: Value) -> Option<Value> {
    world.figures.count(|all| &all.worker_runs);
    let lifetime = world.lifetime();
    let handled = ACTOR.scope(WORKER, settle::handle_event(&world.deps, event));
    let answer = tokio::time::timeout(lifetime, handled).await.ok()?.ok();
    world.watch.audit_acknowledged();
    answer
}

/// When the next task is due, in milliseconds; `None` if nothing is left to do.
pub fn next_due_ms(world: &World) -> Option<i64> {
    let of_shard = |shard: u32| {
        let request = json!({
            "TableName": TABLE,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": format!("{DUE_SHARD} = :shard"),
            "ExpressionAttributeValues": { ":shard": { "S": format!("due#{shard}") } },
            "Limit": 1,
        });
        let items = world.store.query(&request).expect("the index can be read");
        Some(items.first()?[DUE_AT]["N"].as_str()?.parse().unwrap())
    };
    (0..DUE_SHARDS).filter_map(of_shard).min()
}
