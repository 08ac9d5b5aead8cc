//! One table with a sparse index of tasks by due time, and short ways to write to it.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, Put, ScalarAttributeType, TransactWriteItem,
};
use embedded::EmbeddedStore;

pub(crate) const TABLE: &str = "bookings";
pub(crate) const BY_DUE_TIME: &str = "by_due_time";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// An empty store in memory with the table, and a client of it.
pub(crate) async fn store() -> (EmbeddedStore, Client) {
    let store = EmbeddedStore::in_memory().unwrap();
    let client = client(&store);
    create(&client).await;
    (store, client)
}

pub(crate) fn client(store: &EmbeddedStore) -> Client {
    Client::from_conf(store.sdk_config().build())
}

pub(crate) async fn create(client: &Client) {
    let mut request = client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(key_schema("pk", "sk")))
        .global_secondary_indexes(by_due_time());
    for name in ["pk", "sk", "lane", "due"] {
        request = request.attribute_definitions(text_attribute(name));
    }
    request.send().await.unwrap();
}

fn by_due_time() -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(BY_DUE_TIME)
        .set_key_schema(Some(key_schema("lane", "due")))
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .unwrap()
}

fn key_schema(hash: &str, range: &str) -> Vec<KeySchemaElement> {
    [(hash, KeyType::Hash), (range, KeyType::Range)]
        .map(|(name, kind)| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
        })
        .into()
}

fn text_attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: u32) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The key of an item of the one booking that these tests write.
pub(crate) fn key(sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text("booking")), ("sk".to_owned(), text(sk))])
}

pub(crate) fn item<const COUNT: usize>(
    sk: &str,
    attributes: [(&str, AttributeValue); COUNT],
) -> Item {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    key(sk).into_iter().chain(attributes).collect()
}

/// An item of exactly `bytes`: "pk" and "booking" take 9, "sk" 2, "x" 1.
pub(crate) fn sized(sk: &str, bytes: usize) -> Item {
    let rest = bytes.checked_sub(12).and_then(|rest| rest.checked_sub(sk.len())).unwrap();
    item(sk, [("x", text(&"x".repeat(rest)))])
}

pub(crate) async fn put(client: &Client, item: Item) {
    client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
}

/// The item under `sk`, read strongly.
pub(crate) async fn get(client: &Client, sk: &str) -> Option<Item> {
    let request = client.get_item().table_name(TABLE).set_key(Some(key(sk)));
    request.consistent_read(true).send().await.unwrap().item
}

/// A put inside a transaction, on the condition that the item does not exist.
pub(crate) fn put_new(item: Item) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(pk)")
        .build();
    TransactWriteItem::builder().put(put.unwrap()).build()
}
