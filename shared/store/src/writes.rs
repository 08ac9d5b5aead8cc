//! The single writes that transactions are made of.

use aws_sdk_dynamodb::types::builders::DeleteBuilder;
use aws_sdk_dynamodb::types::{
    Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use domain::attention::{Attention, AttentionId, Audit};
use domain::booking::Order;
use domain::change::{Change, UnmatchedChange};
use domain::ids::BookingId;
use domain::task::{Task, TaskId};

use crate::Store;
use crate::bookings::number;
use crate::error::{CommitError, StoreError};
use crate::items::{self, Item};
use crate::schema::Key;

/// What a change writes beside the record that carries the version.
#[derive(Clone, Copy)]
pub(crate) struct Besides<'a> {
    booking_id: &'a BookingId,
    tasks: &'a [Task],
    done: &'a [TaskId],
    raised: &'a [Attention],
    cleared: &'a [AttentionId],
    released: Option<&'a Audit>,
}

impl<'a> Besides<'a> {
    pub(crate) fn of(change: &'a Change) -> Self {
        Self {
            booking_id: &change.booking.booking_id,
            tasks: &change.tasks,
            done: &change.done,
            raised: &change.raised,
            cleared: &change.cleared,
            released: change.released.as_ref(),
        }
    }

    pub(crate) fn of_unmatched(change: &'a UnmatchedChange) -> Self {
        Self {
            booking_id: &change.unmatched.booking_id,
            tasks: &change.tasks,
            done: &change.done,
            raised: &change.raised,
            cleared: &change.cleared,
            released: change.released.as_ref(),
        }
    }

    /// Whether the change itself says what becomes of what the task had raised.
    fn decides(&self, task: &TaskId) -> bool {
        let id = AttentionId::of_task(task);
        self.cleared.contains(&id) || self.raised.iter().any(|one| one.attention_id == id)
    }
}

impl Store {
    /// Sends a transaction of `writes` and what stands beside them.
    ///
    /// A decision does not know whether a task that it makes needless has raised something. Almost
    /// none has, so that its removal only demands it; where one has, the transaction is sent again
    /// with what is to be removed besides.
    pub(crate) async fn transact_with(
        &self,
        writes: impl Fn() -> Result<Vec<TransactWriteItem>, StoreError>,
        besides: Besides<'_>,
        request_token: &str,
    ) -> Result<(), CommitError> {
        let with = |cleared: &[AttentionId]| -> Result<_, StoreError> {
            let mut all = writes()?;
            all.extend(self.writes_beside(Besides { cleared, ..besides })?);
            Ok(all)
        };
        let first = with(besides.cleared).map_err(CommitError::NotApplied)?;
        let outcome = self.transact(first, request_token).await;
        if !matches!(outcome, Err(CommitError::Conflict)) {
            return outcome;
        }
        let mut cleared = besides.cleared.to_vec();
        for task in besides.done.iter().filter(|task| !besides.decides(task)) {
            let stored = self.task(besides.booking_id, task).await;
            let stored = stored.map_err(CommitError::NotApplied)?;
            if stored.is_some_and(|task| task.attention.is_some()) {
                cleared.push(AttentionId::of_task(task));
            }
        }
        if cleared.len() == besides.cleared.len() {
            return outcome;
        }
        // Other bytes need another token.
        let second = with(&cleared).map_err(CommitError::NotApplied)?;
        self.transact(second, &format!("{request_token}-2")).await
    }

    fn writes_beside(&self, besides: Besides<'_>) -> Result<Vec<TransactWriteItem>, StoreError> {
        let id = besides.booking_id;
        let mut writes = vec![];
        for task in besides.tasks {
            writes.push(self.put(items::task(task)?)?);
        }
        for task in besides.done {
            let key = Key::task(id, task);
            writes.push(if besides.decides(task) {
                self.delete(key)?
            } else {
                delete(self.deleting(key).condition_expression("attribute_not_exists(attention)"))?
            });
        }
        for raised in besides.raised {
            writes.push(self.put(items::attention(raised)?)?);
        }
        for cleared in besides.cleared {
            writes.push(self.delete(Key::attention(id, cleared))?);
        }
        if let Some(audit) = besides.released {
            writes.extend(self.writes_of_release(audit)?);
        }
        Ok(writes)
    }

    /// What waits as it was read goes, and its audit record comes.
    pub(crate) fn writes_of_release(
        &self,
        audit: &Audit,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let key = Key::attention(&audit.booking_id, &audit.attention_id);
        let gone = self.delete_as_read(key, audit.since.as_millisecond())?;
        Ok(vec![gone, self.put_new(items::audit(audit)?)?])
    }

    pub(crate) fn put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build();
        Ok(TransactWriteItem::builder().put(put.map_err(StoreError::corrupt)?).build())
    }

    pub(crate) fn put_new(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        Ok(TransactWriteItem::builder().put(put.map_err(StoreError::corrupt)?).build())
    }

    /// Writes an ended order, unless its item is another than the one that was decided on: it was
    /// read beside the booking, and not at the same moment.
    pub(crate) fn put_order(
        &self,
        change: &Change,
        order: &Order,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = items::order(change, order)?;
        match order.revision {
            0 => self.put_new(item),
            revision => self.put_if(item, "revision = :read", revision),
        }
    }

    pub(crate) fn put_under(
        &self,
        item: Item,
        read_version: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        self.put_if(item, "version = :read", read_version)
    }

    fn put_if(
        &self,
        item: Item,
        condition: &str,
        read: u64,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .expression_attribute_values(":read", number(read))
            .build();
        Ok(TransactWriteItem::builder().put(put.map_err(StoreError::corrupt)?).build())
    }

    pub(crate) fn delete(&self, key: Key) -> Result<TransactWriteItem, StoreError> {
        delete(self.deleting(key))
    }

    /// Deletes an item unless its `due_at` has changed since it was read.
    pub(crate) fn delete_as_read(
        &self,
        key: Key,
        due_at_ms: i64,
    ) -> Result<TransactWriteItem, StoreError> {
        let deleting = self.deleting(key).condition_expression("due_at = :read");
        delete(deleting.expression_attribute_values(":read", number(due_at_ms)))
    }

    fn deleting(&self, key: Key) -> DeleteBuilder {
        Delete::builder().table_name(&self.table).set_key(Some(items::key(key)))
    }
}

fn delete(delete: DeleteBuilder) -> Result<TransactWriteItem, StoreError> {
    let delete = delete.build().map_err(StoreError::corrupt)?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}
