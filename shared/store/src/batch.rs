//! Reading several items in one round trip, in bounds.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::items::{self, Item, text};
use crate::schema::{Key, PK, SK};
use crate::{Store, strings};

/// How often the rest of a batch is asked for.
const ROUNDS_MAX: u32 = 5;
/// How many items of one kind are read of one booking: what waits, audit records, tasks, money
/// without a payment.
pub const OF_BOOKING_MAX: usize = 20;

/// In which order of their keys items are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

impl Store {
    /// Reads items by key, each strongly consistent, but not all of them at one moment.
    pub(crate) async fn batch_get(&self, keys: Vec<Key>) -> Result<HashMap<Key, Item>, StoreError> {
        let mut found = HashMap::new();
        let mut wanted: Vec<Item> = keys.into_iter().map(items::key).collect();
        for _ in 0..ROUNDS_MAX {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(true)
                .build()
                .map_err(StoreError::corrupt)?;
            let call = self.client.batch_get_item().request_items(&self.table, request);
            let mut reply = call.send().await?;
            let items = reply.responses.as_mut().and_then(|tables| tables.remove(&self.table));
            found.extend(
                items.into_iter().flatten().filter_map(|item| Some((key_of(&item)?, item))),
            );
            let rest = reply.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
            wanted = rest.map(|rest| rest.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::Unavailable("the store left keys unprocessed".into()))
    }

    /// Reads records in the order of their keys; what is not there any more is left out.
    pub(crate) async fn read_in_order<T: DeserializeOwned>(
        &self,
        keys: Vec<Key>,
    ) -> Result<Vec<T>, StoreError> {
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let mut found: HashMap<Key, Item> = self.batch_get(keys.clone()).await?;
        let in_order = keys.into_iter().filter_map(|key| found.remove(&key));
        in_order.map(items::decode).collect()
    }

    /// Reads the first items of a booking whose sort keys begin with a prefix, at most
    /// [`OF_BOOKING_MAX`].
    pub(crate) async fn first_under<T: DeserializeOwned>(
        &self,
        booking_key: &str,
        prefix: &str,
        order: Order,
    ) -> Result<Vec<T>, StoreError> {
        let values = strings(&[(":pk", &Key::booking_by_key(booking_key).pk), (":prefix", prefix)]);
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .set_expression_attribute_values(Some(values))
            .scan_index_forward(order == Order::Ascending)
            .consistent_read(true)
            .limit(i32::try_from(OF_BOOKING_MAX).unwrap_or(i32::MAX))
            .send()
            .await?;
        reply.items.unwrap_or_default().into_iter().map(items::decode).collect()
    }
}

pub(crate) fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
}
