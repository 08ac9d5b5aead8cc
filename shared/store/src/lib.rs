//! The store: the one adapter around DynamoDB.
//!
//! Every change to a booking is one transaction whose booking write carries the version that was
//! read. Every read that a decision rests on is strongly consistent, nothing scans but the
//! comparison with gateways' bills and the figures of a day, and every outcome is one of three:
//! applied, not applied, unknown. What varies (AWS, a local port, an embedded database) varies
//! beneath the SDK, in its HTTP client.

pub mod attention;
pub mod batch;
pub mod bookings;
pub mod captures;
pub mod error;
pub mod index;
mod items;
pub mod load;
pub mod products;
pub mod schema;
mod sendings;
pub mod tasks;
mod writes;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::booking::{Booking, Unmatched};
use domain::change::{Change, UnmatchedChange};
use domain::task::Task;

use crate::error::{CommitError, StoreError, classify};
use crate::items::Item;
use crate::schema::Key;
use crate::sendings::Sendings;
use crate::writes::Besides;

/// How often one transaction is sent while its outcome stays unknown.
const SENDS_MAX: u32 = 2;

/// The table, through the SDK.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The store on a table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Writes a change under the version that it was decided on: all of it, or nothing.
    ///
    /// `request_token` is fresh for each decided change (at most 34 characters), so that sending
    /// the same bytes again is the same write.
    ///
    /// # Errors
    /// [`CommitError`]: another writer came first, it did not happen, or nothing is known.
    pub async fn commit(&self, change: &Change, request_token: &str) -> Result<(), CommitError> {
        self.transact_with(|| self.writes_of(change), Besides::of(change), request_token).await
    }

    /// Stores money that matches no payment, with the task that gives it back. That it is stored
    /// already is a [`CommitError::Conflict`].
    ///
    /// # Errors
    /// [`CommitError`], like [`Store::commit`].
    pub async fn commit_unmatched(
        &self,
        unmatched: &Unmatched,
        task: &Task,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let writes = || -> Result<_, StoreError> {
            Ok(vec![self.put_new(items::unmatched(unmatched)?)?, self.put_new(items::task(task)?)?])
        };
        let writes = writes().map_err(CommitError::NotApplied)?;
        match self.transact(writes, request_token).await {
            Err(CommitError::Conflict) => Err(self.stored_before(unmatched).await),
            outcome @ (Ok(()) | Err(CommitError::NotApplied(_) | CommitError::Unknown(_))) => {
                outcome
            }
        }
    }

    /// Whoever came first may still fail: only what can be read is stored.
    async fn stored_before(&self, unmatched: &Unmatched) -> CommitError {
        match self.get(items::unmatched_key(unmatched)).await {
            Ok(Some(_)) => CommitError::Conflict,
            Ok(None) => CommitError::NotApplied(StoreError::Unavailable(
                "another writer of the same record has not finished".into(),
            )),
            Err(error) => CommitError::NotApplied(error),
        }
    }

    /// Writes a change of unmatched money under the version that it was decided on.
    ///
    /// # Errors
    /// [`CommitError`], like [`Store::commit`].
    pub async fn update_unmatched(
        &self,
        change: &UnmatchedChange,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let unmatched = &change.unmatched;
        let writes = || -> Result<_, StoreError> {
            let read_version = unmatched.version.saturating_sub(1);
            let item = items::telling(items::unmatched(unmatched)?, change.event.as_ref());
            Ok(vec![self.put_under(item, read_version)?])
        };
        self.transact_with(writes, Besides::of_unmatched(change), request_token).await
    }

    fn writes_of(&self, change: &Change) -> Result<Vec<TransactWriteItem>, StoreError> {
        let booking = &change.booking;
        let read_version = booking.version.saturating_sub(1);
        let mut writes = vec![self.put_under(items::changed_booking(change)?, read_version)?];
        for order in &change.ended {
            writes.push(self.put_order(change, order)?);
        }
        if let Some((order_id, seq)) = &change.made {
            writes.push(self.put_new(items::made(booking, order_id, *seq)?)?);
        }
        Ok(writes)
    }

    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let call = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(request_token);
        let sendings = Sendings::default();
        let mut sends = 1_u32;
        loop {
            let sent = call.clone().customize().interceptor(sendings.clone()).send().await;
            let outcome = sent.map(|_| ()).map_err(|e| classify(e, sendings.all_answered()));
            match outcome {
                // The same bytes under the same token are the same write, whatever became of it.
                Err(CommitError::Unknown(_)) if sends < SENDS_MAX => {
                    sends = sends.saturating_add(1);
                }
                Ok(())
                | Err(
                    CommitError::Conflict | CommitError::NotApplied(_) | CommitError::Unknown(_),
                ) => return outcome,
            }
        }
    }

    /// Reads one item, strongly consistent.
    async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let reply = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(items::key(key)))
            .consistent_read(true)
            .send()
            .await?;
        Ok(reply.item)
    }
}

/// What became of storing a new booking.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It is stored now.
    New,
    /// A booking of that key was stored before.
    Before(Box<Booking>),
}

fn strings(pairs: &[(&str, &str)]) -> HashMap<String, AttributeValue> {
    let pairs = pairs.iter();
    pairs.map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).to_owned()))).collect()
}
