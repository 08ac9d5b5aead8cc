//! Reading several items in one round trip.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use crate::Store;
use crate::error::StoreError;
use crate::items::{self, Item, text};
use crate::schema::{Key, PK, SK};

/// How often the rest of a batch is asked for.
const ROUNDS_MAX: u32 = 5;

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
}

fn key_of(item: &Item) -> Option<Key> {
    Some(Key { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
}
