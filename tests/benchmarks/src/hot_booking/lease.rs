//! What the product does without: a lease of a booking in the table, taken before it is read and
//! given back after it is written.
//!
//! Written for this comparison alone, as a careful developer would: taken and given back by
//! conditional updates that name the owner, with an end for owners that die, and waited for with
//! backoff and full jitter. Owners that outlive their lease are fenced off by the version that the
//! commit carries anyway, so that no token of the lease's own is needed in it.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use runtime::deps::Deps;

/// How long a lease is held at most: longer than any work under it.
const LEASE_MS: i64 = 10_000;
/// The longest wait after the first refusal; it doubles with each.
const BACKOFF: Duration = Duration::from_millis(8);
/// The longest wait there is.
const BACKOFF_MAX: Duration = Duration::from_millis(64);
/// How long it is waited for: API Gateway would not wait longer.
const WAIT_MAX: Duration = Duration::from_secs(29);

/// The lease of one booking.
#[derive(Clone, Debug)]
pub struct Lease {
    client: Client,
    table: String,
    key: String,
}

impl Lease {
    /// The lease of what has this key.
    #[must_use]
    pub fn of(client: Client, table: &str, key: &str) -> Self {
        Self { client, table: table.to_owned(), key: format!("lease#{key}") }
    }

    /// Does work while it holds the lease; `None` if it could not be had in time.
    ///
    /// # Panics
    /// If the table fails, or the lease was lost before it was given back.
    pub async fn held<T>(
        &self,
        deps: &Deps,
        owner: &str,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let begun = Instant::now();
        let mut longest = BACKOFF;
        while !self.take(deps, owner).await {
            if begun.elapsed() > WAIT_MAX {
                return None;
            }
            deps.wait_up_to(longest).await;
            longest = longest.saturating_mul(2).min(BACKOFF_MAX);
        }
        let done = work.await;
        assert!(self.give_back(owner).await, "the lease was lost");
        Some(done)
    }

    async fn take(&self, deps: &Deps, owner: &str) -> bool {
        let now = deps.now().as_millisecond();
        let until = now + LEASE_MS;
        self.won(
            self.update(owner)
                .update_expression("SET lease_owner = :owner, lease_end = :until")
                .condition_expression("attribute_not_exists(lease_owner) OR lease_end < :now")
                .expression_attribute_values(":until", AttributeValue::N(until.to_string()))
                .expression_attribute_values(":now", AttributeValue::N(now.to_string())),
        )
        .await
    }

    async fn give_back(&self, owner: &str) -> bool {
        self.won(
            self.update(owner)
                .update_expression("REMOVE lease_owner, lease_end")
                .condition_expression("lease_owner = :owner"),
        )
        .await
    }

    fn update(&self, owner: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(self.key.clone()))
            .key("sk", AttributeValue::S("lease".to_owned()))
            .expression_attribute_values(":owner", AttributeValue::S(owner.to_owned()))
    }

    /// Whether the condition held.
    async fn won(&self, update: UpdateItemFluentBuilder) -> bool {
        match update.send().await {
            Ok(_) => true,
            Err(SdkError::ServiceError(refused))
                if matches!(refused.err(), UpdateItemError::ConditionalCheckFailedException(_)) =>
            {
                false
            }
            Err(error) => panic!("the lease's table fails: {error:?}"),
        }
    }
}
