//! Due tasks: found through the index, claimed, finished or put off.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, TransactWriteItem, Update};
use domain::attention::{Attention, AttentionId};
use domain::ids::BookingId;
use domain::task::{Task, TaskId};
use jiff::Timestamp;

use crate::Store;
use crate::batch::Order;
use crate::bookings::number;
use crate::error::{CommitError, StoreError, classify};
use crate::index::PageStart;
use crate::items::{self, Item, text};
use crate::schema::{DUE_AT, DUE_INDEX, DUE_SHARD, Key, PK, SK, TASK, shard_name};

/// A task as the index, or the table's stream, knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueTask {
    /// Where it is.
    pub key: Key,
    /// When it is due: claiming it needs that this still holds.
    pub due_at_ms: i64,
}

impl Store {
    /// The tasks of one shard that are due, the longest due first, at most `limit`.
    ///
    /// The index lags behind the table; what it misses now it shows at the next look.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_tasks(
        &self,
        shard: u32,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueTask>, StoreError> {
        let values = HashMap::from([
            (":shard".to_owned(), AttributeValue::S(shard_name(shard))),
            (":now".to_owned(), number(now.as_millisecond())),
        ]);
        let reply = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression(format!("{DUE_SHARD} = :shard AND {DUE_AT} <= :now"))
            .set_expression_attribute_values(Some(values))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await?;
        Ok(reply.items.unwrap_or_default().iter().filter_map(due_task).collect())
    }

    /// The places of one shard's tasks, due or not, from where an earlier page ended, the longest
    /// due first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task_places(
        &self,
        shard: u32,
        from: Option<&PageStart>,
        limit: usize,
    ) -> Result<Vec<PageStart>, StoreError> {
        self.places(TASK, &shard_name(shard), from, limit).await
    }

    /// Reads the tasks at these places, in their order; one that is done by now is left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tasks_at(&self, places: &[PageStart]) -> Result<Vec<Task>, StoreError> {
        self.read_in_order(places.iter().map(|place| place.key(TASK)).collect()).await
    }

    /// Reads the tasks of one booking, at most [`crate::batch::OF_BOOKING_MAX`], in the order of
    /// the names.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tasks_of(&self, booking_id: &BookingId) -> Result<Vec<Task>, StoreError> {
        let found: Vec<Task> = self.first_under(booking_id.key(), TASK, Order::Ascending).await?;
        Ok(found.into_iter().filter(|one| one.booking_id == *booking_id).collect())
    }

    /// Claims a due task until `lease_end`; `None` if somebody else has it or it is done.
    ///
    /// A claim only saves work: until the lease ends nobody else finds the task due. What the task
    /// changes is guarded by the booking's version like every other change.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_task(
        &self,
        due: &DueTask,
        lease_end: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let claim = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(due.key.clone())))
            .update_expression("SET due_at = :lease_end, tries = tries + :one")
            .condition_expression("due_at = :due_at")
            .expression_attribute_values(":lease_end", number(lease_end.as_millisecond()))
            .expression_attribute_values(":due_at", number(due.due_at_ms))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        match claim.send().await {
            Ok(reply) => reply.attributes.map(items::decode).transpose(),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// Puts a claimed task off to `next.due_at`, with its tries and flag, unless it was done or
    /// claimed anew in between.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off_task(&self, claimed: &Task, next: &Task) -> Result<(), StoreError> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(items::key(Key::task(&claimed.booking_id, &claimed.id()))))
            .update_expression("SET due_at = :next, tries = :tries")
            .condition_expression("due_at = :lease_end")
            .expression_attribute_values(":next", number(next.due_at.as_millisecond()))
            .expression_attribute_values(":tries", number(next.tries))
            .expression_attribute_values(":lease_end", number(claimed.due_at.as_millisecond()));
        if let Some(reason) = &next.attention {
            update = update
                .update_expression("SET due_at = :next, tries = :tries, attention = :attention")
                .expression_attribute_values(":attention", AttributeValue::S(reason.clone()));
        }
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// Puts a claimed task off like [`Store::put_off_task`], and raises in the same transaction
    /// that it was tried many times.
    ///
    /// # Errors
    /// [`StoreError`]; whether it happened may be unknown.
    pub async fn flag_task(
        &self,
        claimed: &Task,
        next: &Task,
        raised: &Attention,
    ) -> Result<(), StoreError> {
        let flag = next.attention.clone().unwrap_or_default();
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(items::key(Key::task(&claimed.booking_id, &claimed.id()))))
            .update_expression("SET due_at = :next, tries = :tries, attention = :attention")
            .condition_expression("due_at = :lease_end")
            .expression_attribute_values(":next", number(next.due_at.as_millisecond()))
            .expression_attribute_values(":tries", number(next.tries))
            .expression_attribute_values(":attention", AttributeValue::S(flag))
            .expression_attribute_values(":lease_end", number(claimed.due_at.as_millisecond()))
            .build()
            .map_err(StoreError::corrupt)?;
        let update = TransactWriteItem::builder().update(update).build();
        self.transact_unless_lost(vec![update, self.put(items::attention(raised)?)?]).await
    }

    /// Removes a claimed task that is done, unless it was claimed anew in between. What it had
    /// raised goes in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_task(&self, claimed: &Task) -> Result<(), StoreError> {
        if claimed.attention.is_some() {
            let key = Key::task(&claimed.booking_id, &claimed.id());
            let lease_end_ms = claimed.due_at.as_millisecond();
            let raised = AttentionId::of_task(&claimed.id());
            let writes = vec![
                self.delete_as_read(key, lease_end_ms)?,
                self.delete(Key::attention(&claimed.booking_id, &raised))?,
            ];
            return self.transact_unless_lost(writes).await;
        }
        let delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(items::key(Key::task(&claimed.booking_id, &claimed.id()))))
            .condition_expression("due_at = :lease_end")
            .expression_attribute_values(":lease_end", number(claimed.due_at.as_millisecond()));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// Sends what a claim entitles to. That the claim was lost is no error; when nothing is known,
    /// the task comes back after its lease.
    async fn transact_unless_lost(&self, writes: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let call = self.client.transact_write_items().set_transact_items(Some(writes));
        match call.send().await.map_err(|error| classify(error, false)) {
            Ok(_) | Err(CommitError::Conflict) => Ok(()),
            Err(CommitError::NotApplied(error) | CommitError::Unknown(error)) => Err(error),
        }
    }

    /// Reads a task; `None` if it is done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn task(
        &self,
        booking_id: &BookingId,
        task: &TaskId,
    ) -> Result<Option<Task>, StoreError> {
        self.get(Key::task(booking_id, task)).await?.map(items::decode).transpose()
    }
}

fn due_task(item: &Item) -> Option<DueTask> {
    let key = Key { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() };
    let due_at_ms = item.get(DUE_AT)?.as_n().ok()?.parse().ok()?;
    Some(DueTask { key, due_at_ms })
}
