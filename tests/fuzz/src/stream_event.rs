//! The table's stream and the schedule, as `settle` gets them.
//!
//! - A batch claims exactly the tasks that its images show due, each under the due time that it
//!   shows; any other event reads each shard once.
//! - When every claim is lost, nothing is named to be delivered again. When the store fails, the
//!   due records are, and no others.
//! - Nothing else is asked of the store, and no gateway is called.

use std::cell::LazyCell;
use std::sync::Arc;

use api::link::LinkSettings;
use api::token::Keyring;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use domain::ids::Ids;
use gateways::registry::Registry;
use jiff::Timestamp;
use runtime::deadline::Deadline;
use runtime::deps::Deps;
use runtime::transport::Transport;
use serde_json::{Value, json};
use settle::{due_task, handle_event};
use store::schema::DUE_SHARDS;
use store::tasks::DueTask;
use tokio::runtime::{Builder, Runtime};

use crate::canned::Canned;
use crate::message::NOW_S;

struct World {
    runtime: Runtime,
    canned: Canned,
    deps: Deps,
}

thread_local! {
    static WORLD: LazyCell<World> = LazyCell::new(|| {
        let canned = Canned::default();
        let deps = Deps {
            store: canned.store(),
            gateways: Registry::new(vec![]),
            // Without answers: whatever is sent to a gateway is one call too many.
            transport: Arc::new(Transport::new(SharedHttpConnector::new(Canned::default()))),
            keyring: Keyring::new(&[("one".to_owned(), vec![7; 32])]).expect("a usable key"),
            links: LinkSettings::default(),
            ids: Ids::new(&[7; 32]).expect("a long secret"),
            clock: Arc::new(now),
            randomness: Arc::new(|| [7; 16]),
            deadline: Deadline::NONE,
        };
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        World { runtime, canned, deps }
    });
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).expect("a moment")
}

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
    WORLD.with(|world| {
        let lost = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        });
        world.canned.answer("Query", 200, "{\"Items\":[],\"Count\":0}");
        world.canned.answer("UpdateItem", 400, lost.to_string());
        let answer = world.handle(&event).expect("the schedule's run reads every shard");
        let calls = world.canned.take_calls();
        let Some(failures) = answer.get("batchItemFailures") else {
            assert_eq!(answer, json!({ "ran": 0 }));
            let queries = calls.iter().filter(|(operation, _)| operation == "Query");
            assert_eq!(queries.count(), calls.len());
            assert_eq!(Ok(calls.len()), usize::try_from(DUE_SHARDS));
            return;
        };
        assert_eq!(*failures, json!([]));
        let due = due(&event);
        check_claims(&calls, &due);
        world.canned.answer("UpdateItem", 500, "{}");
        let answer = world.handle(&event).expect("a batch is always answered");
        world.canned.take_calls();
        let named = due.iter().map(|(number, _)| json!({ "itemIdentifier": number }));
        assert_eq!(answer["batchItemFailures"], Value::from_iter(named));
    });
}

impl World {
    fn handle(&self, event: &Value) -> Result<Value, api::problem::Problem> {
        self.runtime.block_on(handle_event(&self.deps, event.clone()))
    }
}

/// The records of a batch that show a due task, by their sequence numbers.
fn due(event: &Value) -> Vec<(&Value, DueTask)> {
    let records = event["Records"].as_array().into_iter().flatten();
    let shown = records.filter_map(|record| {
        let image = &record["dynamodb"]["NewImage"];
        let due = due_task(image, now());
        assert_eq!(due.is_some(), is_due(image), "{image}");
        let due = due?;
        assert_eq!(image["pk"]["S"], due.key.pk.as_str());
        assert_eq!(image["sk"]["S"], due.key.sk.as_str());
        Some((&record["dynamodb"]["SequenceNumber"], due))
    });
    shown.collect()
}

fn is_due(image: &Value) -> bool {
    let is_task = image["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("task#"));
    let due_at_ms = image["due_at"]["N"].as_str().and_then(|number| number.parse::<i64>().ok());
    let is_time = due_at_ms.is_some_and(|due_at_ms| due_at_ms <= now().as_millisecond());
    is_task && is_time && image["pk"]["S"].is_string()
}

fn check_claims(calls: &[(String, Value)], due: &[(&Value, DueTask)]) {
    assert_eq!(calls.len(), due.len());
    for ((operation, body), (_, due)) in calls.iter().zip(due) {
        assert_eq!(operation, "UpdateItem");
        let key = json!({ "pk": { "S": due.key.pk }, "sk": { "S": due.key.sk } });
        assert_eq!(body["Key"], key);
        assert_eq!(body["ConditionExpression"], "due_at = :due_at");
        let values = &body["ExpressionAttributeValues"];
        assert_eq!(values[":due_at"], json!({ "N": due.due_at_ms.to_string() }));
    }
}
