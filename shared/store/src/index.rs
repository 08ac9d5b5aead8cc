//! Places in the index `due`: where a page of it starts.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::attention::AttentionId;
use domain::ids::BOOKING_KEY_LEN;

use crate::bookings::number;
use crate::error::StoreError;
use crate::items::{self, Item, text};
use crate::schema::{DUE_AT, DUE_INDEX, DUE_SHARD, Key, PK, SK};
use crate::{Store, strings};

/// Where a page of the index starts: behind this. Places have no order of their own: what is of the
/// same millisecond stands in the index as DynamoDB likes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageStart {
    at_ms: i64,
    booking_key: String,
    /// Tasks and what waits for a person have names of the same form.
    name: AttentionId,
}

impl PageStart {
    /// Reads what [`PageStart::to_text`] wrote; `None` if it cannot be that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (at_ms, booking_key, name) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_key = booking_key.len() == BOOKING_KEY_LEN && booking_key.bytes().all(is_hex);
        if !is_key || parts.next().is_some() {
            return None;
        }
        Some(Self {
            at_ms: at_ms.parse().ok()?,
            booking_key: booking_key.to_owned(),
            name: AttentionId::from_path(name)?,
        })
    }

    /// The start as text for a query: no character of it is special there.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}.{}.{}", self.at_ms, self.booking_key, self.name.to_path())
    }

    /// The place of an item whose sort key is a prefix and a name.
    pub(crate) fn of(item: &Item, prefix: &str) -> Option<Self> {
        let booking_key = text(item, PK)?.split_once('#')?.1.to_owned();
        let name = AttentionId::parse(text(item, SK)?.strip_prefix(prefix)?)?;
        let at_ms = item.get(DUE_AT)?.as_n().ok()?.parse().ok()?;
        Some(Self { at_ms, booking_key, name })
    }

    /// When it is due, or since when it waits, in milliseconds since 1970.
    #[must_use]
    pub const fn at_ms(&self) -> i64 {
        self.at_ms
    }

    pub(crate) fn key(&self, prefix: &str) -> Key {
        Key::in_booking(&self.booking_key, format!("{prefix}{}", self.name.as_str()))
    }

    pub(crate) fn index_key(&self, prefix: &str, shard: &str) -> Item {
        let mut item = items::key(self.key(prefix));
        item.insert(DUE_SHARD.to_owned(), AttributeValue::S(shard.to_owned()));
        item.insert(DUE_AT.to_owned(), number(self.at_ms));
        item
    }
}

impl Store {
    /// The places of one partition of the index, of items whose sort keys have a prefix, from where
    /// an earlier page ended, at most `limit`.
    pub(crate) async fn places(
        &self,
        prefix: &str,
        shard: &str,
        from: Option<&PageStart>,
        limit: usize,
    ) -> Result<Vec<PageStart>, StoreError> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression(format!("{DUE_SHARD} = :shard"))
            .set_expression_attribute_values(Some(strings(&[(":shard", shard)])))
            .set_exclusive_start_key(from.map(|from| from.index_key(prefix, shard)))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        let items = reply.items.unwrap_or_default();
        Ok(items.iter().filter_map(|item| PageStart::of(item, prefix)).collect())
    }
}
