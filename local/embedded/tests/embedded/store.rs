//! What the SDK sees: conditions, transactions, indexes, files and races.

use std::path::{Path, PathBuf};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BillingMode, ConditionCheck, Get, KeysAndAttributes,
    ReturnValuesOnConditionCheckFailure, StreamSpecification, StreamViewType,
    TimeToLiveSpecification, TransactGetItem, TransactWriteItem, Update,
};
use embedded::EmbeddedStore;
use tokio::task::JoinSet;

use crate::table::{
    BY_DUE_TIME, TABLE, client, create, get, item, key, number, put, put_new, store, text,
};

const WRITERS: u32 = 16;

/// Sets `version` to `expected + 1` if it is `expected`.
fn bump(expected: u32) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .set_key(Some(key("booking")))
        .update_expression("SET version = :next")
        .condition_expression("version = :expected")
        .expression_attribute_values(":next", number(expected.checked_add(1).unwrap()))
        .expression_attribute_values(":expected", number(expected))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build();
    TransactWriteItem::builder().update(update.unwrap()).build()
}

async fn version(client: &Client) -> u32 {
    let item = get(client, "booking").await.unwrap();
    item["version"].as_n().unwrap().parse().unwrap()
}

#[tokio::test]
async fn two_writers_on_one_version_one_wins() {
    let (_, client) = store().await;
    put(&client, item("booking", [("version", number(1))])).await;
    let task = item("task", []);
    let write = || client.transact_write_items().transact_items(put_new(task.clone()));
    let (first, second) = tokio::join!(
        write().transact_items(bump(1)).send(),
        write().transact_items(bump(1)).send()
    );
    assert_eq!([&first, &second].into_iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(version(&client).await, 2);

    let lost = first.err().or(second.err()).unwrap().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(canceled) = lost else {
        panic!("{lost:?}");
    };
    let reasons = canceled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().filter_map(|reason| reason.code()).collect();
    assert_eq!(codes, ["ConditionalCheckFailed", "ConditionalCheckFailed"]);
    assert_eq!(reasons[0].item(), None, "was not asked for");
    assert_eq!(reasons[1].item().unwrap()["version"], number(2), "the item as the winner left it");
}

#[tokio::test]
async fn one_failed_condition_undoes_the_whole_transaction() {
    let (_, client) = store().await;
    let check = ConditionCheck::builder()
        .table_name(TABLE)
        .set_key(Some(key("missing")))
        .condition_expression("attribute_exists(pk)")
        .build();
    let check = TransactWriteItem::builder().condition_check(check.unwrap()).build();
    let write = client.transact_write_items().transact_items(put_new(item("order", [])));
    let refused = write.transact_items(check).send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(canceled) = refused else {
        panic!("{refused:?}");
    };
    let reasons = canceled.cancellation_reasons().iter();
    let codes: Vec<_> = reasons.filter_map(|reason| reason.code()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(get(&client, "order").await, None);
}

#[tokio::test]
async fn a_single_write_shows_the_item_that_failed_its_condition() {
    let (_, client) = store().await;
    put(&client, item("booking", [("version", number(7))])).await;
    let write = client.put_item().table_name(TABLE).set_item(Some(item("booking", [])));
    let refused = write
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_conditional_check_failed_exception(), "{refused:?}");
    let client_delete = client.delete_item().table_name(TABLE).set_key(Some(key("booking")));
    client_delete.send().await.unwrap();
    assert_eq!(get(&client, "booking").await, None);
}

#[tokio::test]
async fn a_repeated_request_token_changes_nothing() {
    let (_, client) = store().await;
    put(&client, item("booking", [("version", number(1))])).await;
    let send = |expected| {
        client.transact_write_items().transact_items(bump(expected)).client_request_token("once")
    };
    send(1).send().await.unwrap();
    send(1).send().await.unwrap(); // Its condition no longer holds, and is not asked again.
    assert_eq!(version(&client).await, 2);

    let refused = send(2).send().await.unwrap_err().into_service_error();
    assert!(refused.is_idempotent_parameter_mismatch_exception(), "{refused:?}");
    assert_eq!(version(&client).await, 2);
}

#[tokio::test]
async fn a_sparse_index_finds_only_what_is_due() {
    let (_, client) = store().await;
    let attributes = |due| [("lane", text("0")), ("due", text(due)), ("x", text("payload"))];
    put(&client, item("order", [("x", text("payload"))])).await;
    put(&client, item("task#late", attributes("2026-12-01"))).await;
    put(&client, item("task#early", attributes("2026-11-01"))).await;
    put(&client, item("task#later", attributes("2027-01-01"))).await;
    let due = client
        .query()
        .table_name(TABLE)
        .index_name(BY_DUE_TIME)
        .key_condition_expression("lane = :lane AND due <= :now")
        .expression_attribute_values(":lane", text("0"))
        .expression_attribute_values(":now", text("2026-12-01"));
    let found = due.send().await.unwrap();
    let keys: Vec<_> = found.items().iter().map(|task| task["sk"].as_s().unwrap()).collect();
    assert_eq!(keys, ["task#early", "task#late"]);
    assert!(!found.items()[0].contains_key("x"), "the index holds only keys");

    // A task that is done leaves the index.
    put(&client, item("task#early", [])).await;
    let by_shard = client.query().table_name(TABLE).index_name(BY_DUE_TIME);
    let rest = by_shard
        .key_condition_expression("lane = :lane")
        .expression_attribute_values(":lane", text("0"))
        .send();
    assert_eq!(rest.await.unwrap().count(), 2);
}

#[tokio::test]
async fn many_items_are_read_at_once() {
    let (_, client) = store().await;
    for sk in ["a", "b"] {
        put(&client, item(sk, [])).await;
    }
    let keys = ["a", "b", "missing"].map(key);
    let wanted = KeysAndAttributes::builder().set_keys(Some(keys.clone().into())).build().unwrap();
    let batch = client.batch_get_item().request_items(TABLE, wanted).send().await.unwrap();
    assert_eq!(batch.responses().unwrap()[TABLE].len(), 2);
    assert!(batch.unprocessed_keys().is_none_or(|keys| keys.is_empty()));

    let gets = keys.map(|key| {
        let get = Get::builder().table_name(TABLE).set_key(Some(key)).build().unwrap();
        TransactGetItem::builder().get(get).build()
    });
    let read = client.transact_get_items().set_transact_items(Some(gets.into())).send().await;
    let found = read.unwrap().responses.unwrap();
    let found: Vec<_> = found.iter().map(|response| response.item().is_some()).collect();
    assert_eq!(found, [true, true, false]);
}

#[tokio::test]
async fn a_table_describes_itself() {
    let (_, client) = store().await;
    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires_at");
    let request = client.update_time_to_live().table_name(TABLE);
    request.time_to_live_specification(expiry.build().unwrap()).send().await.unwrap();
    let table = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    assert_eq!(table.global_secondary_indexes()[0].index_name(), Some(BY_DUE_TIME));

    let missing = client.describe_table().table_name("missing").send().await.unwrap_err();
    assert!(missing.into_service_error().is_resource_not_found_exception());
}

#[tokio::test]
async fn a_table_keeps_no_stream_records_that_nobody_reads() {
    let (_, client) = store().await;
    let described = client.describe_table().table_name(TABLE).send().await.unwrap().table.unwrap();
    let stream = StreamSpecification::builder().stream_enabled(true);
    let stream = stream.stream_view_type(StreamViewType::NewAndOldImages).build().unwrap();
    let request = client.create_table().table_name("streamed").stream_specification(stream);
    let request = request.set_key_schema(described.key_schema);
    let request = request.billing_mode(BillingMode::PayPerRequest);
    let keys = described.attribute_definitions.unwrap();
    let keys = keys.into_iter().filter(|one| ["pk", "sk"].contains(&one.attribute_name()));
    request.set_attribute_definitions(Some(keys.collect())).send().await.unwrap();
    let streamed = client.describe_table().table_name("streamed").send().await.unwrap();
    assert_eq!(streamed.table.unwrap().stream_specification, None);
}

#[tokio::test]
async fn what_is_not_supported_is_refused_as_such() {
    let (_, client) = store().await;
    let refused = client.list_backups().send().await.unwrap_err();
    let SdkError::ServiceError(refused) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.raw().status().as_u16(), 501);
}

#[tokio::test]
async fn an_unreadable_request_is_the_callers_error() {
    let (_, client) = store().await;
    let invalid = client.put_item().table_name("no").set_item(Some(item("x", []))).send().await;
    let SdkError::ServiceError(invalid) = invalid.unwrap_err() else { panic!() };
    assert_eq!(invalid.err().meta().code(), Some("ValidationException"));
    let message = invalid.err().meta().message().unwrap();
    assert!(!message.contains("VALIDATION"), "{message}");
}

/// A path in the build's own folder that nothing stands at yet.
fn fresh_path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", path.display());
        if let Err(error) = std::fs::remove_file(file) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    path
}

#[tokio::test]
async fn a_file_survives_closing_and_opening() {
    let path = fresh_path("closed.db");
    let writer = EmbeddedStore::open(&path).unwrap();
    create(&client(&writer)).await;
    put(&client(&writer), item("booking", [("version", number(1))])).await;
    drop(writer);
    let reader = EmbeddedStore::open(&path).unwrap();
    assert_eq!(version(&client(&reader)).await, 1);
}

#[tokio::test]
async fn a_file_that_was_never_closed_holds_what_was_answered() {
    let path = fresh_path("killed.db");
    let writer = EmbeddedStore::open(&path).unwrap();
    create(&client(&writer)).await;
    put(&client(&writer), item("booking", [("version", number(1))])).await;
    std::mem::forget(writer); // As after a kill: no clean shutdown, no checkpoint of the log.
    let reader = EmbeddedStore::open(&path).unwrap();
    assert_eq!(version(&client(&reader)).await, 1);
}

#[test]
fn a_store_without_its_folder_does_not_open() {
    let path = fresh_path("no-such-folder").join("store.db");
    assert!(matches!(EmbeddedStore::open(&path), Err(embedded::OpenError::Database(_))));
}

/// The guard of every change: reads, writes under the version read, looks again if it lost.
async fn bump_until_won(client: Client) -> u32 {
    let mut lost = 0_u32;
    loop {
        let read = version(&client).await;
        match client.transact_write_items().transact_items(bump(read)).send().await {
            Ok(_) => return lost,
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_transaction_canceled_exception(), "{error:?}");
                lost = lost.checked_add(1).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn racing_writers_under_a_version_lose_nothing() {
    let (_, client) = store().await;
    put(&client, item("booking", [("version", number(0))])).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(bump_until_won(client.clone()));
    }
    let lost: u32 = writers.join_all().await.into_iter().sum();
    assert_eq!(version(&client).await, WRITERS);
    assert!(lost > 0, "nobody raced");
}

/// The mistake that a version prevents: reads, then writes whatever happened in between.
async fn bump_unguarded(client: Client) {
    let next = version(&client).await.checked_add(1).unwrap();
    put(&client, item("booking", [("version", AttributeValue::N(next.to_string()))])).await;
}

#[tokio::test]
async fn racing_writers_really_interleave() {
    let (_, client) = store().await;
    put(&client, item("booking", [("version", number(0))])).await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(bump_unguarded(client.clone()));
    }
    writers.join_all().await;
    let kept = version(&client).await;
    assert!(kept < WRITERS, "a racy program passed: the store hides races");
}

#[tokio::test]
async fn what_is_imported_is_read_by_the_sdk_and_all_or_none_of_it_is_there() {
    let (store, client) = store().await;
    let row = |name: &str| {
        let mut row = serde_json::Map::new();
        for (attribute, value) in key(name) {
            row.insert(attribute, serde_json::json!({ "S": value.as_s().unwrap() }));
        }
        serde_json::Value::Object(row)
    };
    let keyless = serde_json::json!({ "note": { "S": "in no partition" } });
    assert!(store.import(TABLE, serde_json::json!([row("one"), keyless])).is_err());
    assert_eq!(get(&client, "one").await, None);
    store.import(TABLE, serde_json::json!([row("one"), row("two")])).unwrap();
    assert!(get(&client, "one").await.is_some() && get(&client, "two").await.is_some());
}
