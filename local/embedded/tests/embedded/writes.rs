//! What the stand-in for the table's stream tells.

use aws_sdk_dynamodb::Client;
use embedded::WRITE_EVENTS_MAX;
use embedded::writes::WriteEvent;
use tokio::sync::broadcast::error::TryRecvError;

use crate::table::{TABLE, item, key, number, put, put_new, store};

async fn create_both(client: &Client) -> bool {
    let write = client.transact_write_items().transact_items(put_new(item("order", [])));
    write.transact_items(put_new(item("task", [("tries", number(5))]))).send().await.is_ok()
}

#[tokio::test]
async fn every_put_is_told_after_it_took_effect() {
    let (store, client) = store().await;
    let mut writes = store.writes();
    put(&client, item("booking", [])).await;
    assert!(create_both(&client).await);
    let told: Vec<WriteEvent> = std::iter::from_fn(|| writes.try_recv().ok()).collect();
    let keys: Vec<_> = told.iter().map(|event| event.sk.as_str()).collect();
    assert_eq!(keys, ["booking", "order", "task"]);
    let task = told.last().unwrap();
    assert_eq!((task.table.as_str(), task.pk.as_str()), (TABLE, "booking"));
    assert_eq!(task.image["tries"]["N"], "5");
}

#[tokio::test]
async fn refused_writes_and_deletes_are_not_told() {
    let (store, client) = store().await;
    put(&client, item("order", [])).await;
    let mut writes = store.writes();
    assert!(!create_both(&client).await);
    let delete = client.delete_item().table_name(TABLE).set_key(Some(key("order")));
    delete.send().await.unwrap();
    assert_eq!(writes.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn a_slow_receiver_learns_that_it_missed_something() {
    let (store, client) = store().await;
    let mut writes = store.writes();
    for _ in 0..=WRITE_EVENTS_MAX {
        put(&client, item("task", [])).await;
    }
    assert_eq!(writes.try_recv(), Err(TryRecvError::Lagged(1)));
    assert_eq!(writes.try_recv().unwrap().sk, "task");
}
