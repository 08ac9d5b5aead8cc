//! Bills computed by hand, against what the meter says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Get, KeysAndAttributes, Select, TransactGetItem, TransactWriteItem, Update,
};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use embedded::EmbeddedStore;
use embedded::billing::{IndexKeys, Projection};
use embedded::meter::{Call, Meter, Totals, Traces};

use crate::table::{BY_DUE_TIME, Item, TABLE, item, key, number, put, put_new, sized, store, text};

/// A metered client, on the table with these items in it.
async fn metered(items: Vec<Item>) -> (Meter, Client) {
    let (store, client) = store().await;
    for item in items {
        put(&client, item).await;
    }
    let by_due_time =
        IndexKeys { hash: "lane".into(), range: "due".into(), projection: Projection::KeysOnly };
    let meter = Meter::new(store.clone(), store.clone(), vec![by_due_time]);
    let config = store.sdk_config().http_client(meter.clone());
    (meter, Client::from_conf(config.build()))
}

fn read(operation: &str, read_half_units: u64) -> Vec<Call> {
    vec![Call { operation: operation.into(), read_half_units, write_units: 0 }]
}

fn written(operation: &str, write_units: u64) -> Vec<Call> {
    vec![Call { operation: operation.into(), read_half_units: 0, write_units }]
}

#[tokio::test]
async fn a_read_is_rounded_up_to_four_kilobytes() {
    let (meter, client) = metered(vec![sized("small", 4096), sized("large", 4097)]).await;
    for (sk, eventual, strong) in [("small", 1, 2), ("large", 2, 4), ("missing", 1, 2)] {
        let get = || client.get_item().table_name(TABLE).set_key(Some(key(sk)));
        get().send().await.unwrap();
        assert_eq!(meter.take(), read("GetItem", eventual), "{sk}");
        get().consistent_read(true).send().await.unwrap();
        assert_eq!(meter.take(), read("GetItem", strong), "{sk}");
        // What is not answered is read all the same.
        get().projection_expression("pk").send().await.unwrap();
        assert_eq!(meter.take(), read("GetItem", eventual), "{sk}");
    }
}

#[tokio::test]
async fn a_batch_rounds_up_each_item() {
    // 1 + 2 + 1 for the missing one, strong: 8 halves; eventual: 4.
    let (meter, client) = metered(vec![sized("small", 100), sized("large", 5000)]).await;
    for (strong, halves) in [(true, 8), (false, 4)] {
        let keys = ["small", "large", "missing"].map(key);
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys.into()));
        let wanted = wanted.consistent_read(strong).build().unwrap();
        client.batch_get_item().request_items(TABLE, wanted).send().await.unwrap();
        assert_eq!(meter.take(), read("BatchGetItem", halves));
    }
}

#[tokio::test]
async fn a_transactional_read_costs_twice_a_strong_one() {
    // (1 + 2 + 1) * 2 read units = 16 halves.
    let (meter, client) = metered(vec![sized("small", 100), sized("large", 5000)]).await;
    let gets = ["small", "large", "missing"].map(|sk| {
        let get = Get::builder().table_name(TABLE).set_key(Some(key(sk))).build().unwrap();
        TransactGetItem::builder().get(get).build()
    });
    client.transact_get_items().set_transact_items(Some(gets.into())).send().await.unwrap();
    assert_eq!(meter.take(), read("TransactGetItems", 16));
}

#[tokio::test]
async fn a_query_rounds_up_what_it_read_together() {
    // Three items of 1,500 bytes: 4,500 in all, two units of 4 KB.
    let (meter, client) = metered(["a#1", "a#2", "a#3"].map(|sk| sized(sk, 1500)).into()).await;
    let query = |prefix| {
        let query = client.query().table_name(TABLE);
        query
            .key_condition_expression("#pk = :pk AND begins_with(sk, :p)")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_values(":pk", text("booking"))
            .expression_attribute_values(":p", text(prefix))
    };
    let half = || meter.take()[0].read_half_units;
    query("a").send().await.unwrap();
    assert_eq!(half(), 2);
    query("a").consistent_read(true).send().await.unwrap();
    assert_eq!(half(), 4);
    query("a#2").consistent_read(true).send().await.unwrap();
    assert_eq!(half(), 2);
    query("none").send().await.unwrap();
    assert_eq!(half(), 1);
    query("a").projection_expression("pk").send().await.unwrap();
    assert_eq!(half(), 2, "attributes that are left out are read");
    let filtered = query("a").filter_expression("#pkx = :px");
    let filtered = filtered.expression_attribute_names("#pkx", "x");
    filtered.expression_attribute_values(":px", text("a#1")).send().await.unwrap();
    assert_eq!(half(), 2, "items that are filtered out are read");
    query("a").select(Select::Count).send().await.unwrap();
    assert_eq!(half(), 2, "items that are counted are read");
    query("a").limit(2).send().await.unwrap();
    assert_eq!(half(), 1, "items past the limit are not read");
}

#[tokio::test]
async fn an_idle_look_at_an_index_costs_half_a_unit() {
    let (meter, client) = metered(vec![]).await;
    let due = client.query().table_name(TABLE).index_name(BY_DUE_TIME);
    let due = due.key_condition_expression("lane = :lane");
    due.expression_attribute_values(":lane", text("0")).send().await.unwrap();
    assert_eq!(meter.take(), read("Query", 1));
}

#[tokio::test]
async fn an_index_of_keys_is_read_by_the_size_of_its_keys() {
    // Two tasks of 3,000 bytes and more, of which the index holds few.
    let task = |sk| {
        let mut task = sized(sk, 3000);
        task.extend([("lane".to_owned(), text("0")), ("due".to_owned(), text(sk))]);
        task
    };
    let (meter, client) = metered(vec![task("1"), task("2")]).await;
    let due = client.query().table_name(TABLE).index_name(BY_DUE_TIME);
    let due = due.key_condition_expression("lane = :lane");
    due.expression_attribute_values(":lane", text("0")).send().await.unwrap();
    assert_eq!(meter.take(), read("Query", 1));
}

#[tokio::test]
async fn a_write_costs_the_larger_of_the_two_images() {
    let (meter, client) = metered(vec![]).await;
    for (bytes, units) in [(1024, 1), (1025, 2), (500, 2), (500, 1)] {
        put(&client, sized("a", bytes)).await;
        assert_eq!(meter.take(), written("PutItem", units), "{bytes}");
    }
    let update = client.update_item().table_name(TABLE).set_key(Some(key("a")));
    let update = update.update_expression("SET x = :x");
    update.expression_attribute_values(":x", text(&"x".repeat(2048))).send().await.unwrap();
    assert_eq!(meter.take(), written("UpdateItem", 3)); // 2,048 bytes and the keys.
    for units in [3, 1] {
        let delete = client.delete_item().table_name(TABLE).set_key(Some(key("a")));
        delete.send().await.unwrap();
        assert_eq!(meter.take(), written("DeleteItem", units), "missing the second time");
    }
}

#[tokio::test]
async fn a_failed_condition_is_billed_and_a_refused_request_is_not() {
    let (meter, client) = metered(vec![sized("a", 3000)]).await;
    for (sk, bytes, units) in [("a", 100, 3), ("a", 4000, 4)] {
        let put = client.put_item().table_name(TABLE).set_item(Some(sized(sk, bytes)));
        put.condition_expression("attribute_not_exists(pk)").send().await.unwrap_err();
        assert_eq!(meter.take(), written("PutItem", units));
    }
    client.put_item().table_name("missing").set_item(Some(key("a"))).send().await.unwrap_err();
    assert_eq!(meter.take(), written("PutItem", 0));
    let transaction = client.transact_write_items().transact_items(put_new(sized("a", 100)));
    transaction.transact_items(put_new(sized("b", 100))).send().await.unwrap_err();
    assert_eq!(meter.take(), written("TransactWriteItems", 8)); // (3 + 1) * 2.
}

#[tokio::test]
async fn a_transaction_costs_twice_and_its_indexes_once() {
    // The booking: 1,500 bytes before, little after: 2 * 2. The order is new: 1 * 2. The task
    // is new: 1 * 2, and 1 in the index. The checked product has 2,049 bytes: 3 * 2.
    let (meter, client) = metered(vec![sized("booking", 1500), sized("product", 2049)]).await;
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(key("booking")))
        .update_expression("REMOVE x SET version = :v")
        .expression_attribute_values(":v", number(2));
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key("product")))
        .condition_expression("attribute_exists(pk)");
    let task = item("task", [("lane", text("0")), ("due", text("2026-12-01"))]);
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().update(update.build().unwrap()).build())
        .transact_items(put_new(sized("order", 1000)))
        .transact_items(put_new(task))
        .transact_items(
            TransactWriteItem::builder().condition_check(check.build().unwrap()).build(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(meter.take(), written("TransactWriteItems", 15));
}

#[tokio::test]
async fn a_moved_task_costs_its_index_twice_and_an_unmoved_one_nothing() {
    let task = |due, tries| {
        item("task", [("lane", text("0")), ("due", text(due)), ("tries", number(tries))])
    };
    let (meter, client) = metered(vec![]).await;
    for (next, units) in [
        (task("1", 0), 2),     // Enters: one in the table, one in the index.
        (task("1", 1), 1),     // Stays: the index does not hold the tries.
        (task("2", 1), 3),     // Moves: out and in.
        (item("task", []), 2), // Leaves.
        (item("task", []), 1), // Was not there.
    ] {
        put(&client, next).await;
        assert_eq!(meter.take(), written("PutItem", units));
    }
}

#[tokio::test]
async fn a_repeated_transaction_is_billed_as_a_read() {
    let (meter, client) = metered(vec![]).await;
    for bill in [written("TransactWriteItems", 10), read("TransactWriteItems", 8)] {
        let transaction = client.transact_write_items().transact_items(put_new(sized("a", 4097)));
        transaction.client_request_token("once").send().await.unwrap();
        assert_eq!(meter.take(), bill); // 5 KB written * 2; 8 KB read: 2 units * 2 = 8 halves.
    }
}

/// Lets the first request take effect and loses its answer.
#[derive(Debug, Clone)]
struct LosesFirstAnswer {
    store: EmbeddedStore,
    lost: Arc<AtomicBool>,
}

impl HttpConnector for LosesFirstAnswer {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let answer = this.store.call(request).await;
            if this.lost.swap(true, Ordering::SeqCst) {
                return answer;
            }
            Err(ConnectorError::timeout("the answer was lost".into()))
        })
    }
}

#[tokio::test]
async fn a_lost_answer_is_billed_and_its_repeat_is_a_read() {
    let (store, _) = store().await;
    let faulty = LosesFirstAnswer { store: store.clone(), lost: Arc::default() };
    let faulty = http_client_fn(move |_, _| SharedHttpConnector::new(faulty.clone()));
    let meter = Meter::new(faulty, store.clone(), vec![]);
    let config = store.sdk_config().http_client(meter.clone());
    let client = Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
    let send = || {
        let transaction = client.transact_write_items().transact_items(put_new(sized("a", 100)));
        transaction.client_request_token("once").send()
    };
    assert!(send().await.is_err());
    assert_eq!(meter.take(), written("TransactWriteItems", 2));
    assert!(send().await.is_ok());
    assert_eq!(meter.take(), read("TransactWriteItems", 4));
}

#[tokio::test]
async fn totals_go_on_when_calls_are_taken() {
    let (meter, client) = metered(vec![]).await;
    put(&client, sized("a", 1025)).await;
    assert_eq!(meter.take().len(), 1);
    client.get_item().table_name(TABLE).set_key(Some(key("a"))).send().await.unwrap();
    client.describe_table().table_name(TABLE).send().await.unwrap();
    assert_eq!(meter.totals(), Totals { calls: 3, read_half_units: 1, write_units: 2 });
    assert_eq!(meter.take().len(), 2);
}

#[tokio::test]
async fn the_largest_item_under_a_prefix_is_known() {
    let (meter, client) = metered(vec![sized("order#0", 3000)]).await;
    put(&client, sized("order#1", 700)).await;
    put(&client, sized("order#2", 900)).await;
    put(&client, sized("order#2", 50)).await;
    let write = client.transact_write_items().transact_items(put_new(sized("task#1", 400)));
    write.send().await.unwrap();
    for (prefix, bytes) in [("order#", 900), ("order#1", 700), ("task", 400), ("", 900), ("x", 0)] {
        assert_eq!(meter.largest_item(prefix), bytes, "{prefix:?}");
    }
}

#[tokio::test]
async fn what_writes_leave_behind_is_billed_in_the_table_and_in_the_index() {
    let (meter, client) = metered(vec![]).await;
    let task = |due: &str| item("task", [("lane", text("0")), ("due", text(due))]);
    put(&client, sized("order", 500)).await;
    put(&client, task("1")).await;
    // A hundred bytes are billed besides each item and each entry; the index has all of the task.
    let entry = meter.largest_item("task") + 100;
    let traces = meter.traces();
    assert_eq!(traces.table_bytes, i64::try_from(600 + entry).unwrap());
    assert_eq!((traces.index_bytes, traces.index_write_units), (i64::try_from(entry).unwrap(), 1));
    put(&client, task("1")).await;
    put(&client, task("2")).await;
    // The same again changes nothing; another key is a delete and a put.
    assert_eq!(meter.traces(), Traces { index_write_units: 3, ..traces });
    assert_eq!((meter.changes("task"), meter.changes("order"), meter.changes("a")), (2, 1, 0));
    client.delete_item().table_name(TABLE).set_key(Some(key("task"))).send().await.unwrap();
    let left = meter.traces();
    assert_eq!((left.table_bytes, left.index_bytes, left.index_write_units), (600, 0, 4));
    assert_eq!(meter.changes("task"), 2, "what is gone is not told as a change");
}
