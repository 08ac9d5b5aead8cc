//! Reading what a decision looks at, in one round trip.

use domain::booking::{Booking, Order, Unmatched};
use domain::ids::{BookingId, OrderId};
use domain::product::Product;

use crate::error::StoreError;
use crate::items::{self, Made};
use crate::schema::{Key, UNMATCHED};
use crate::{Store, batch};

/// What to read of a booking.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The booking itself, always.
    pub booking_id: &'a BookingId,
    /// Its product too.
    pub product: bool,
    /// One of its orders too.
    pub order: WantOrder<'a>,
}

/// Which order to read with a booking.
#[derive(Clone, Copy, Debug)]
pub enum WantOrder<'a> {
    /// None but the live one, which the booking holds.
    Live,
    /// The one at a position, if it has ended.
    Ended(u32),
    /// The one of an id, if it has ended; a second round trip if so.
    ById(&'a OrderId),
}

/// What was read of a booking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The booking as of one version.
    pub booking: Booking,
    /// Its product, where it was wanted.
    pub product: Option<Product>,
    /// The wanted order, if it has ended.
    pub ended: Option<Order>,
}

impl Loaded {
    /// The order of that id: the live one, or the ended one that was read.
    #[must_use]
    pub fn order(&self, order_id: &OrderId) -> Option<&Order> {
        let ended = self.ended.as_ref().filter(|order| order.order_id == *order_id);
        self.booking.live(order_id).or(ended)
    }

    /// The order that was wanted: the live one, or the ended one that was read.
    #[must_use]
    pub fn wanted(&self, order: WantOrder<'_>) -> Option<&Order> {
        match order {
            WantOrder::Live => self.booking.live_order.as_ref(),
            WantOrder::Ended(order_seq) => self.order_at(order_seq),
            WantOrder::ById(order_id) => self.order(order_id),
        }
    }

    /// The order at that position: the live one, or the ended one that was read.
    #[must_use]
    pub fn order_at(&self, order_seq: u32) -> Option<&Order> {
        let stored = [self.booking.live_order.as_ref(), self.ended.as_ref()];
        stored.into_iter().flatten().find(|order| order.seq == order_seq)
    }
}

impl Store {
    /// Reads a booking with what is wanted beside it; `None` if there is no such booking.
    ///
    /// The items are not read at one moment. An order that ends in between is read again, so that
    /// an order that exists is always found either live or ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(&self, want: Want<'_>) -> Result<Option<Loaded>, StoreError> {
        let id = want.booking_id;
        let booking_key = Key::booking(id);
        let product_key = Key::product(&id.product_tag());
        let mut keys = vec![booking_key.clone()];
        if want.product {
            keys.push(product_key.clone());
        }
        keys.extend(match want.order {
            WantOrder::Live => None,
            WantOrder::Ended(seq) => Some(Key::order(id, seq)),
            WantOrder::ById(order_id) => Some(Key::made(id, order_id)),
        });
        let mut found = self.batch_get(keys).await?;
        let Some(item) = found.remove(&booking_key) else {
            return Ok(None);
        };
        let booking: Booking = items::decode(item)?;
        if booking.booking_id != *id {
            return Ok(None);
        }
        let product = found.remove(&product_key).map(items::decode).transpose()?;
        // What is left is the order, or the record of where it is.
        let rest = found.into_values().next();
        let ended = match want.order {
            WantOrder::Live => None,
            WantOrder::Ended(seq) => match rest {
                Some(item) => Some(items::decode(item)?),
                None => self.reread(&booking, seq).await?,
            },
            WantOrder::ById(_) => match rest.map(items::decode::<Made>).transpose()? {
                Some(made) => self.reread(&booking, made.order_seq).await?,
                None => None,
            },
        };
        Ok(Some(Loaded { booking, product, ended }))
    }

    /// Reads an order that is not the live one. What was read before the booking may have been
    /// missing only because the order was still live then. An order that was made and is not live
    /// was stored by the commit that ended it: that it is missing can never be believed.
    async fn reread(&self, booking: &Booking, seq: u32) -> Result<Option<Order>, StoreError> {
        let is_live = booking.live_order.as_ref().is_some_and(|order| order.seq == seq);
        if is_live || seq >= booking.orders_made {
            return Ok(None);
        }
        match self.get(Key::order(&booking.booking_id, seq)).await? {
            Some(item) => items::decode(item).map(Some),
            None => Err(StoreError::Unavailable("an ended order is not to be seen yet".into())),
        }
    }

    /// Reads unmatched money, by the digits that name its booking (see `BookingId::key`).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unmatched(
        &self,
        booking_key: &str,
        payment_id: &str,
        transaction_id: &str,
    ) -> Result<Option<Unmatched>, StoreError> {
        let item = self.get(Key::unmatched(booking_key, payment_id, transaction_id)).await?;
        item.map(items::decode).transpose()
    }

    /// Reads the unmatched money of a booking, at most [`crate::batch::OF_BOOKING_MAX`], by the
    /// digits that name it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unmatched_of(&self, booking_key: &str) -> Result<Vec<Unmatched>, StoreError> {
        self.first_under(booking_key, UNMATCHED, batch::Order::Ascending).await
    }
}
