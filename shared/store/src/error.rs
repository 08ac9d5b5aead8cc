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

/// Whether a failed transaction happened, from all that the SDK says of it. `all_answered` is
/// whether each of its sendings got a clear answer.
pub(crate) fn classify(
    error: SdkError<TransactWriteItemsError, HttpResponse>,
    all_answered: bool,
) -> CommitError {
    let said = match &error {
        SdkError::ConstructionFailure(_) => Said::No,
        SdkError::ServiceError(service) => said(service.err(), service.raw()),
        // Sent, or perhaps sent, and no answer that can be read. The SDK may add further kinds.
        SdkError::TimeoutError(_)
        | SdkError::DispatchFailure(_)
        | SdkError::ResponseError(_)
        | _ => Said::Nothing,
    };
    match said {
        // Had an earlier sending taken effect, its token would have been known.
        Said::Lost => CommitError::Conflict,
        Said::Raced if all_answered => CommitError::Conflict,
        Said::No if all_answered => CommitError::NotApplied(error.into()),
        Said::Raced | Said::No | Said::Nothing => CommitError::Unknown(error.into()),
    }
}

/// What one answer says of its sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// A condition did not hold.
    Lost,
    /// Another transaction was writing the same items.
    Raced,
    /// It was refused.
    No,
    /// Nothing that can be relied on.
    Nothing,
}

/// Reads an error that was answered. One without DynamoDB's code may be anybody's.
pub(crate) fn said(error: &TransactWriteItemsError, reply: &HttpResponse) -> Said {
    if let TransactWriteItemsError::TransactionCanceledException(cancelled) = error {
        let mut codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code());
        if codes.clone().any(|code| code == Some("ConditionalCheckFailed")) {
            return Said::Lost;
        }
        let raced = codes.any(|code| code == Some("TransactionConflict"));
        return if raced { Said::Raced } else { Said::No };
    }
    match error.code() {
        None | Some("TransactionInProgressException" | "InternalServerError") => Said::Nothing,
        Some(_) if reply.status().is_server_error() => Said::Nothing,
        Some(_) => Said::No,
    }
}
