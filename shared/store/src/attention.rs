//! What waits for a person, oldest first, and what people did.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::attention::{Attention, AttentionId, Audit};
use domain::ids::{BOOKING_KEY_LEN, BookingId};

use crate::bookings::number;
use crate::error::{CommitError, StoreError};
use crate::items::{self, Item, text};
use crate::schema::{ATTENTION, ATTENTION_SHARD, AUDIT, DUE_AT, DUE_INDEX, DUE_SHARD, Key, PK, SK};
use crate::{Store, strings};

/// How much of what waits one page lists.
pub const PAGE_LEN: usize = 20;
/// How much of what waits, and how many audit records, are read of one booking.
pub const OF_BOOKING_MAX: usize = 20;
/// How many pages of a booking's audit records are looked through for one thing.
const AUDIT_PAGES_MAX: u32 = 10;

/// One page of what waits, the longest waiting first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttentionPage {
    /// What waits. Less than a page where something was dealt with since the index showed it.
    pub waiting: Vec<Attention>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<PageStart>,
}

/// Where a page of what waits starts: behind this.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageStart {
    since_ms: i64,
    booking_key: String,
    attention_id: AttentionId,
}

impl PageStart {
    /// Reads what [`PageStart::to_text`] wrote; `None` if it cannot be that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (since_ms, booking_key, id) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_key = booking_key.len() == BOOKING_KEY_LEN && booking_key.bytes().all(is_hex);
        if !is_key || parts.next().is_some() {
            return None;
        }
        Some(Self {
            since_ms: since_ms.parse().ok()?,
            booking_key: booking_key.to_owned(),
            attention_id: AttentionId::from_path(id)?,
        })
    }

    /// The start as text for a query: no character of it is special there.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}.{}.{}", self.since_ms, self.booking_key, self.attention_id.to_path())
    }

    fn of(item: &Item) -> Option<Self> {
        let booking_key = text(item, PK)?.split_once('#')?.1.to_owned();
        let attention_id = AttentionId::parse(text(item, SK)?.strip_prefix(ATTENTION)?)?;
        let since_ms = item.get(DUE_AT)?.as_n().ok()?.parse().ok()?;
        Some(Self { since_ms, booking_key, attention_id })
    }

    fn key(&self) -> Key {
        Key::attention_by_key(&self.booking_key, &self.attention_id)
    }

    fn index_key(&self) -> Item {
        let mut item = items::key(self.key());
        item.insert(DUE_SHARD.to_owned(), AttributeValue::S(ATTENTION_SHARD.to_owned()));
        item.insert(DUE_AT.to_owned(), number(self.since_ms));
        item
    }
}

impl Store {
    /// Reads what waits under a name; `None` if it does not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attention(
        &self,
        booking_id: &BookingId,
        attention_id: &AttentionId,
    ) -> Result<Option<Attention>, StoreError> {
        let item = self.get(Key::attention(booking_id, attention_id)).await?;
        let found: Option<Attention> = item.map(items::decode).transpose()?;
        Ok(found.filter(|attention| attention.booking_id == *booking_id))
    }

    /// Lists what waits from where an earlier page ended, the longest waiting first.
    ///
    /// The index lags behind the table: what it still shows and is no longer there is left out, and
    /// what it does not show yet comes at the next look.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attention_page(
        &self,
        from: Option<&PageStart>,
    ) -> Result<AttentionPage, StoreError> {
        // One more than the page: whether there is one says whether there is a next page.
        let limit = PAGE_LEN.saturating_add(1);
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression(format!("{DUE_SHARD} = :shard"))
            .set_expression_attribute_values(Some(strings(&[(":shard", ATTENTION_SHARD)])))
            .set_exclusive_start_key(from.map(PageStart::index_key))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        let shown = reply.items.unwrap_or_default();
        let is_last = shown.len() <= PAGE_LEN;
        let shown: Vec<PageStart> = shown.iter().take(PAGE_LEN).filter_map(PageStart::of).collect();
        let next = shown.last().filter(|_| !is_last).cloned();
        let keys: Vec<Key> = shown.iter().map(PageStart::key).collect();
        Ok(AttentionPage { waiting: self.read_waiting(keys).await?, next })
    }

    async fn read_waiting(&self, keys: Vec<Key>) -> Result<Vec<Attention>, StoreError> {
        if keys.is_empty() {
            return Ok(vec![]);
        }
        let mut found: HashMap<Key, Item> = self.batch_get(keys.clone()).await?;
        let in_order = keys.into_iter().filter_map(|key| found.remove(&key));
        in_order.map(items::decode).collect()
    }

    /// Reads what waits on one booking, at most [`OF_BOOKING_MAX`], in the order of the names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attention_of(&self, booking_id: &BookingId) -> Result<Vec<Attention>, StoreError> {
        let items = self.first_under(booking_id, ATTENTION, Order::Ascending).await?;
        let found = items.into_iter().map(items::decode).collect::<Result<Vec<Attention>, _>>()?;
        Ok(found.into_iter().filter(|one| one.booking_id == *booking_id).collect())
    }

    /// Reads what people did about a booking, the newest [`OF_BOOKING_MAX`], newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audits_of(&self, booking_id: &BookingId) -> Result<Vec<Audit>, StoreError> {
        let items = self.first_under(booking_id, AUDIT, Order::Descending).await?;
        let found = items.into_iter().map(items::decode).collect::<Result<Vec<Audit>, _>>()?;
        Ok(found.into_iter().filter(|one| one.booking_id == *booking_id).collect())
    }

    /// Reads what people did about one thing of a booking, whenever that was.
    ///
    /// # Errors
    /// [`StoreError`]; also if the booking has more audit records than are looked through.
    pub async fn audits_about(
        &self,
        booking_id: &BookingId,
        attention_id: &AttentionId,
    ) -> Result<Vec<Audit>, StoreError> {
        let values = strings(&[
            (":pk", &Key::booking(booking_id).pk),
            (":prefix", AUDIT),
            (":id", attention_id.as_str()),
        ]);
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .filter_expression("attention_id = :id")
            .set_expression_attribute_values(Some(values))
            .consistent_read(true);
        let (mut found, mut from) = (vec![], None);
        for _ in 0..AUDIT_PAGES_MAX {
            let reply = query.clone().set_exclusive_start_key(from).send().await?;
            let items = reply.items.unwrap_or_default().into_iter();
            found.extend(items.map(items::decode).collect::<Result<Vec<Audit>, _>>()?);
            from = reply.last_evaluated_key;
            if from.is_none() {
                return Ok(found);
            }
        }
        Err(StoreError::Unavailable("a booking has too many audit records".into()))
    }

    /// Raises what waits on a booking that is not stored, so that no version can guard it. That it
    /// waits already is a [`CommitError::Conflict`].
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn raise_unbooked(
        &self,
        attention: &Attention,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let item = items::attention(attention).and_then(|item| self.put_new(item));
        self.transact(vec![item.map_err(CommitError::NotApplied)?], request_token).await
    }

    /// Releases what [`Store::raise_unbooked`] raised, if it still waits as it was read.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn release_unbooked(
        &self,
        audit: &Audit,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let writes = self.writes_of_release(audit).map_err(CommitError::NotApplied)?;
        self.transact(writes, request_token).await
    }

    async fn first_under(
        &self,
        booking_id: &BookingId,
        prefix: &str,
        order: Order,
    ) -> Result<Vec<Item>, StoreError> {
        let values = strings(&[(":pk", &Key::booking(booking_id).pk), (":prefix", prefix)]);
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
        Ok(reply.items.unwrap_or_default())
    }
}

/// In which order of their keys items are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}
