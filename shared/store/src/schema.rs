//! The one table: its keys, its index, and how records are named in it.
//!
//! A booking and all that belongs to it share a partition. The sort keys are chosen so that one
//! query reads the booking and its newest orders, newest first: `order#…` up to `summary`.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, StreamSpecification, StreamViewType,
    TimeToLiveSpecification,
};
use domain::attention::AttentionId;
use domain::ids::{BookingId, OrderId, ProductTag};
use domain::task::TaskId;

/// Partition key of the table.
pub const PK: &str = "pk";
/// Sort key of the table.
pub const SK: &str = "sk";
/// The sparse index of tasks by due time, and of what waits for a person by since when.
pub const DUE_INDEX: &str = "due";
/// Partition key of the index: only tasks and what waits for a person have it.
pub const DUE_SHARD: &str = "due_shard";
/// The one partition of the index with what waits for a person. It is written by refusals and by
/// tasks after many tries, which are far fewer than a partition takes; so that a page in order is
/// one query.
pub const ATTENTION_SHARD: &str = "attention";
/// Sort key of the index: milliseconds since 1970, UTC.
pub const DUE_AT: &str = "due_at";
/// When the table may drop an item by itself: seconds since 1970, UTC. Only audit records have it:
/// everything else either proves that something happened once, or is removed when it is done.
pub const VANISHES_AT: &str = "vanishes_at";
/// How long an audit record is kept, in seconds: ten years, as business records are. It has what a
/// person wrote, which is not to be kept for ever.
pub const AUDIT_KEPT_S: i64 = 10 * 366 * 86_400;
/// How many partitions the index spreads tasks over. A release that has raised it reads all that
/// an earlier one wrote, and not the other way round: `docs/scaling.md` says how to raise it. It is
/// never lowered.
pub const DUE_SHARDS: u32 = 4;
/// The release of the item shapes: a reader refuses items of a later one.
pub const SHAPE: u32 = 1;
/// The attribute that carries it.
pub const SHAPE_ATTRIBUTE: &str = "shape";
/// The attribute of what an item's writing tells the merchant's own systems.
pub const EVENT: &str = "event";

/// How large an item can be, in bytes as DynamoDB counts them, by how its sort key begins.
///
/// For the longest that the API, the settings and the gateways' adapters let in, and an order that
/// was tried at every gateway as often as it may be, each try paid once and given back.
pub const ITEM_BYTES_MAX: [(&str, u64); 9] = [
    (SUMMARY, 56 * 1_024),
    (ORDER, 56 * 1_024),
    (MADE, 128),
    (TASK, 5 * 1_024),
    (ATTENTION, 2 * 1_024),
    (AUDIT, 3 * 1_024),
    (UNMATCHED, 2 * 1_024),
    (LISTED, 256),
    (PRODUCT, 2 * 1_024),
];
/// What every further refund adds to its order at most: of a second transaction of one payment, and
/// of what others do at the gateway.
pub const REFUND_BYTES_MAX: u64 = 768;

pub(crate) const ATTENTION: &str = "attention#";
pub(crate) const AUDIT: &str = "audit#";
pub(crate) const SUMMARY: &str = "summary";
pub(crate) const ORDER: &str = "order#";
/// How the sort keys of tasks begin.
pub const TASK: &str = "task#";
pub(crate) const UNMATCHED: &str = "unmatched#";
const PRODUCT: &str = "product";
const MADE: &str = "made#";
/// How the sort keys begin by which a customer's bookings are listed.
const LISTED: &str = "booking#";

/// The two parts of a record's key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    pub(crate) fn product(tag: &ProductTag) -> Self {
        Self::new(format!("product#{}", tag.as_str()), PRODUCT)
    }

    pub(crate) fn booking(booking_id: &BookingId) -> Self {
        Self::booking_by_key(booking_id.key())
    }

    pub(crate) fn booking_by_key(booking_key: &str) -> Self {
        Self::new(partition(booking_key), SUMMARY)
    }

    pub(crate) fn order(booking_id: &BookingId, seq: u32) -> Self {
        Self::new(partition(booking_id.key()), format!("{ORDER}{seq:010}"))
    }

    pub(crate) fn made(booking_id: &BookingId, order_id: &OrderId) -> Self {
        Self::new(partition(booking_id.key()), format!("{MADE}{order_id}"))
    }

    pub(crate) fn task(booking_id: &BookingId, task: &TaskId) -> Self {
        Self::new(partition(booking_id.key()), format!("{TASK}{}", task.as_str()))
    }

    pub(crate) fn attention(booking_id: &BookingId, id: &AttentionId) -> Self {
        Self::in_booking(booking_id.key(), format!("{ATTENTION}{}", id.as_str()))
    }

    pub(crate) fn in_booking(booking_key: &str, sk: String) -> Self {
        Self::new(partition(booking_key), sk)
    }

    pub(crate) fn audit(booking_id: &BookingId, at_ms: i64, id: &AttentionId) -> Self {
        Self::new(partition(booking_id.key()), format!("{AUDIT}{at_ms:015}#{}", id.as_str()))
    }

    pub(crate) fn unmatched(booking_key: &str, payment: &str, transaction: &str) -> Self {
        Self::new(partition(booking_key), format!("{UNMATCHED}{payment}#{transaction}"))
    }

    pub(crate) fn customers_booking(customer_id: &str, created_ms: i64, id: &BookingId) -> Self {
        Self::new(customer_partition(customer_id), format!("{LISTED}{created_ms:015}#{id}"))
    }
}

fn partition(booking_key: &str) -> String {
    format!("booking#{booking_key}")
}

pub(crate) fn customer_partition(customer_id: &str) -> String {
    format!("customer#{customer_id}")
}

/// The index partition of a booking's tasks.
pub(crate) fn due_shard(booking_id: &BookingId) -> String {
    // The key's digits are an HMAC: any of them spread evenly.
    let digits = booking_id.key().get(..8).unwrap_or_default();
    let number = u32::from_str_radix(digits, 16).unwrap_or_default();
    shard_name(number.checked_rem(DUE_SHARDS).unwrap_or_default())
}

pub(crate) fn shard_name(shard: u32) -> String {
    format!("due#{shard}")
}

/// Creates the table with its index, for the laptop and for tests; `template.yaml` says the same.
///
/// # Errors
/// Whatever the SDK reports; that the table exists already is none.
pub async fn create_table(client: &Client, table: &str) -> Result<(), aws_sdk_dynamodb::Error> {
    let definitions = [
        attribute(PK, ScalarAttributeType::S)?,
        attribute(SK, ScalarAttributeType::S)?,
        attribute(DUE_SHARD, ScalarAttributeType::S)?,
        attribute(DUE_AT, ScalarAttributeType::N)?,
    ];
    let index = GlobalSecondaryIndex::builder()
        .index_name(DUE_INDEX)
        .key_schema(key_part(DUE_SHARD, KeyType::Hash)?)
        .key_schema(key_part(DUE_AT, KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()?;
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()?;
    let created = client
        .create_table()
        .table_name(table)
        .set_attribute_definitions(Some(definitions.to_vec()))
        .key_schema(key_part(PK, KeyType::Hash)?)
        .key_schema(key_part(SK, KeyType::Range)?)
        .global_secondary_indexes(index)
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream)
        .send()
        .await;
    match created.map_err(aws_sdk_dynamodb::Error::from) {
        Ok(_) => let_vanish(client, table).await,
        Err(aws_sdk_dynamodb::Error::ResourceInUseException(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn let_vanish(client: &Client, table: &str) -> Result<(), aws_sdk_dynamodb::Error> {
    let specification =
        TimeToLiveSpecification::builder().attribute_name(VANISHES_AT).enabled(true).build()?;
    let update = client.update_time_to_live().table_name(table);
    update.time_to_live_specification(specification).send().await?;
    Ok(())
}

fn attribute(
    name: &str,
    kind: ScalarAttributeType,
) -> Result<AttributeDefinition, aws_sdk_dynamodb::error::BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()
}

fn key_part(
    name: &str,
    kind: KeyType,
) -> Result<KeySchemaElement, aws_sdk_dynamodb::error::BuildError> {
    KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
}

/// How long one call to the store may take, all its retries included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
