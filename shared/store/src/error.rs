//! What can go wrong at the store, by what somebody does about it.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A read, or a write of its own, did not work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store gave no usable answer: the same call again, later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// A stored item cannot be read, or a record not written: a bug, or a later release's item.
    #[error("an item does not fit its record")]
    Corrupt(#[source] Source),
    /// The item's shape is none that this release knows.
    #[error("an item has the unknown shape {found:?}")]
    UnknownShape {
        /// What it says of itself.
        found: Option<String>,
    },
}

impl StoreError {
    pub(crate) fn corrupt(source: impl Into<Source>) -> Self {
        Self::Corrupt(source.into())
    }
}

impl<E> From<SdkError<E, HttpResponse>> for StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// A commit did not happen, or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else changed the booking first: reload and decide again.
    #[error("another writer came first")]
    Conflict,
    /// It did not happen.
    #[error("the commit was not made")]
    NotApplied(#[source] StoreError),
    /// Nothing is known; the derived ids of a reload show whether it happened.
    #[error("the outcome of the commit is not known")]
    Unknown(#[source] StoreError),
}

/// Whether a failed transaction happened, from all that the SDK says of it.
pub(crate) fn classify(error: SdkError<TransactWriteItemsError, HttpResponse>) -> CommitError {
    let outcome = match &error {
        SdkError::ConstructionFailure(_) => Outcome::NotApplied,
        SdkError::ServiceError(service) => refused(service.err(), service.raw()),
        // Sent, or perhaps sent, and no answer that can be read. The SDK may add further kinds.
        SdkError::TimeoutError(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_)
        | _ => Outcome::Unknown,
    };
    match outcome {
        Outcome::Conflict => CommitError::Conflict,
        Outcome::NotApplied => CommitError::NotApplied(error.into()),
        Outcome::Unknown => CommitError::Unknown(error.into()),
    }
}

enum Outcome {
    Conflict,
    NotApplied,
    Unknown,
}

fn refused(error: &TransactWriteItemsError, reply: &HttpResponse) -> Outcome {
    if let TransactWriteItemsError::TransactionCanceledException(cancelled) = error {
        let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
        let lost = |code: &str| matches!(code, "ConditionalCheckFailed" | "TransactionConflict");
        let conflict = codes.into_iter().any(lost);
        return if conflict { Outcome::Conflict } else { Outcome::NotApplied };
    }
    match error.code() {
        Some("TransactionInProgressException" | "InternalServerError") => Outcome::Unknown,
        _ if reply.status().is_server_error() => Outcome::Unknown,
        _ => Outcome::NotApplied,
    }
}
