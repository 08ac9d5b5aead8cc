//! Opening, reading and listing bookings.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::booking::{Booking, Order};
use domain::ids::BookingId;

use crate::error::{CommitError, StoreError};
use crate::items::{self, Item, Listed, text};
use crate::schema::{Key, ORDER, PK, SK, SUMMARY, customer_partition};
use crate::{Opened, Store, strings};

/// How many ended orders are read with a booking.
pub const ORDERS_MAX: usize = 20;
/// How many bookings one page lists.
pub const PAGE_LEN: usize = 20;

/// One page of a customer's bookings, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The bookings.
    pub bookings: Vec<Booking>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<String>,
}

impl Store {
    /// Stores a new booking, unless one of its key exists.
    ///
    /// # Errors
    /// [`CommitError`]; a conflict only while another writer of its key has not finished.
    pub async fn open_booking(
        &self,
        booking: &Booking,
        request_token: &str,
    ) -> Result<Opened, CommitError> {
        let writes = || -> Result<_, StoreError> {
            Ok(vec![self.put_new(items::booking(booking)?)?, self.put(items::listed(booking)?)?])
        };
        let writes = writes().map_err(CommitError::NotApplied)?;
        let stored = match self.transact(writes, request_token).await {
            Ok(()) => return Ok(Opened::New),
            Err(CommitError::Conflict) => self.booking_by_key(booking.booking_id.key()).await,
            Err(error @ (CommitError::NotApplied(_) | CommitError::Unknown(_))) => {
                return Err(error);
            }
        };
        match stored.map_err(CommitError::NotApplied)? {
            Some(stored) => Ok(Opened::Before(Box::new(stored))),
            // The other writer of the same booking has not finished: look again.
            None => Err(CommitError::Conflict),
        }
    }

    /// Reads a booking by the digits of its id that name it whatever its product.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn booking_by_key(&self, booking_key: &str) -> Result<Option<Booking>, StoreError> {
        let item = self.get(Key::booking_by_key(booking_key)).await?;
        item.map(items::decode).transpose()
    }

    /// Reads a booking alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn booking(&self, booking_id: &BookingId) -> Result<Option<Booking>, StoreError> {
        let booking = self.booking_by_key(booking_id.key()).await?;
        Ok(booking.filter(|booking| booking.booking_id == *booking_id))
    }

    /// Reads a booking and its newest ended orders, newest first, in one round trip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn booking_with_orders(
        &self,
        booking_id: &BookingId,
    ) -> Result<Option<(Booking, Vec<Order>)>, StoreError> {
        let summary = Key::booking(booking_id);
        let mut items = self.down_from(&summary, ORDERS_MAX.saturating_add(1)).await?.into_iter();
        let booking: Option<Booking> = match items.next() {
            Some(item) if text(&item, SK) == Some(SUMMARY) => Some(items::decode(item)?),
            Some(_) | None => None,
        };
        let Some(booking) = booking.filter(|booking| booking.booking_id == *booking_id) else {
            return Ok(None);
        };
        let orders = items.map(items::decode).collect::<Result<Vec<Order>, _>>()?;
        Ok(Some((booking, orders)))
    }

    /// Reads ended orders from a position downwards, newest first, at most [`ORDERS_MAX`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn orders_from(
        &self,
        booking_id: &BookingId,
        order_seq: u32,
    ) -> Result<Vec<Order>, StoreError> {
        let items = self.down_from(&Key::order(booking_id, order_seq), ORDERS_MAX).await?;
        items.into_iter().map(items::decode).collect()
    }

    /// The items of a booking from a key down to its oldest order, at most `limit`.
    async fn down_from(&self, newest: &Key, limit: usize) -> Result<Vec<Item>, StoreError> {
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :oldest AND :newest")
            .set_expression_attribute_values(Some(strings(&[
                (":pk", &newest.pk),
                (":oldest", ORDER),
                (":newest", &newest.sk),
            ])))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        Ok(reply.items.unwrap_or_default())
    }

    /// Lists a customer's bookings from where an earlier page ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn bookings_of(
        &self,
        customer_id: &str,
        from: Option<&str>,
    ) -> Result<Page, StoreError> {
        let partition = customer_partition(customer_id);
        // One more than the page: whether there is one says whether there is a next page.
        let limit = PAGE_LEN.saturating_add(1);
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .set_expression_attribute_values(Some(strings(&[(":pk", &partition)])))
            .set_exclusive_start_key(from.map(|sk| strings(&[(PK, &partition), (SK, sk)])))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        let mut listed = reply.items.unwrap_or_default();
        let is_last = listed.len() <= PAGE_LEN;
        listed.truncate(PAGE_LEN);
        let last = listed.last().filter(|_| !is_last);
        let next = last.and_then(|item| text(item, SK)).map(str::to_owned);
        Ok(Page { bookings: self.read_listed(listed).await?, next })
    }

    async fn read_listed(&self, listed: Vec<Item>) -> Result<Vec<Booking>, StoreError> {
        let ids: Vec<Listed> = listed.into_iter().map(items::decode).collect::<Result<_, _>>()?;
        self.read_in_order(ids.iter().map(|listed| Key::booking(&listed.booking_id)).collect())
            .await
    }
}

/// Whether a text can be where a page of a customer's bookings starts.
#[must_use]
pub fn is_page_start(text: &str) -> bool {
    let Some((created_ms, id)) = text.strip_prefix("booking#").and_then(|t| t.split_once('#'))
    else {
        return false;
    };
    !created_ms.is_empty()
        && created_ms.bytes().all(|byte| byte.is_ascii_digit())
        && BookingId::parse(id).is_some()
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
