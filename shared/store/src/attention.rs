//! What waits for a person, oldest first, and what people did.

use domain::attention::{Attention, AttentionId, Audit};
use domain::ids::BookingId;

use crate::batch::Order;
use crate::error::{CommitError, StoreError};
use crate::index::PageStart;
use crate::items;
use crate::schema::{ATTENTION, ATTENTION_SHARD, AUDIT, Key};
use crate::{Store, strings};

/// How much of what waits one page lists.
pub const PAGE_LEN: usize = 20;
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
        let mut shown = self.places(ATTENTION, ATTENTION_SHARD, from, limit).await?;
        let is_last = shown.len() <= PAGE_LEN;
        shown.truncate(PAGE_LEN);
        let next = shown.last().filter(|_| !is_last).cloned();
        let keys: Vec<Key> = shown.iter().map(|start| start.key(ATTENTION)).collect();
        Ok(AttentionPage { waiting: self.read_in_order(keys).await?, next })
    }

    /// Reads what waits on one booking, at most [`OF_BOOKING_MAX`], in the order of the names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn attention_of(&self, booking_id: &BookingId) -> Result<Vec<Attention>, StoreError> {
        let found: Vec<Attention> =
            self.first_under(booking_id.key(), ATTENTION, Order::Ascending).await?;
        Ok(found.into_iter().filter(|one| one.booking_id == *booking_id).collect())
    }

    /// Reads what people did about a booking, the newest [`OF_BOOKING_MAX`], newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audits_of(&self, booking_id: &BookingId) -> Result<Vec<Audit>, StoreError> {
        let found: Vec<Audit> =
            self.first_under(booking_id.key(), AUDIT, Order::Descending).await?;
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
}
