//! An embedded DynamoDB under the real AWS SDK client, without a socket.
//!
//! What varies between AWS, a laptop and a test varies *under* the SDK, in its HTTP client, so
//! that the store adapter that ships is the one that runs here. [`EmbeddedStore`] is such an HTTP
//! client. [`meter::Meter`] wraps it, or any other, and counts what AWS would bill.
//!
//! Absent on purpose: no retries, no injected faults and no clock. They belong to whoever wraps
//! this client.
//!
//! Not as on AWS: reads are always strong, expired items stay, tables have no stream but
//! [`EmbeddedStore::writes`], the memory of client request tokens ends with the process, and
//! `TransactionConflict` never occurs because transactions run one after the other.

use std::fmt;
use std::path::Path;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use dynoxide::{Database, DynoxideError};
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::writes::WriteEvent;

pub mod billing;
mod connector;
#[cfg(feature = "http")]
mod endpoint;
pub mod meter;
mod operations;
mod touched;
pub mod writes;

/// The name of the partition key in every table that this store serves.
pub const PARTITION_KEY: &str = "pk";

/// The name of the sort key in every table that this store serves.
pub const SORT_KEY: &str = "sk";

/// How many write events may wait for a slow receiver before the oldest is dropped.
pub const WRITE_EVENTS_MAX: usize = 1024;

/// A DynamoDB-compatible store in this process, in memory or in one file.
///
/// Clones share the same tables. It is an `HttpClient` of the SDK, so that a wrapper (a meter, a
/// fault) can stand between it and the client.
#[derive(Clone)]
pub struct EmbeddedStore {
    database: Database,
    writes: broadcast::Sender<WriteEvent>,
    thread: Thread,
}

/// Where the engine works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thread {
    /// On a thread where it may block; other tasks go on meanwhile.
    Blocking,
    /// On the caller's own.
    Callers,
}

/// Why what was asked beside the SDK was not done.
#[derive(Debug, thiserror::Error)]
#[error("the engine refused it")]
pub struct RefusedError(#[source] DynoxideError);

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database engine takes its path as text.
    #[error("the path of the database file is not UTF-8")]
    PathNotUtf8,
    /// The file is missing its folder, is not a database, or cannot be written.
    #[error("the database could not be opened")]
    Database(#[source] DynoxideError),
}

impl EmbeddedStore {
    /// Opens an empty store that ends with its last clone.
    ///
    /// # Errors
    /// [`OpenError::Database`] if the engine cannot start.
    pub fn in_memory() -> Result<Self, OpenError> {
        Database::memory().map(Self::over).map_err(OpenError::Database)
    }

    /// Opens the store in the file at `path`, or creates it; its folder must exist.
    ///
    /// A write-ahead log stands beside the file: what was answered survives a kill.
    ///
    /// # Errors
    /// [`OpenError`]: the path is not UTF-8, or the engine cannot open it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let path = path.to_str().ok_or(OpenError::PathNotUtf8)?;
        Database::new(path).map(Self::over).map_err(OpenError::Database)
    }

    fn over(database: Database) -> Self {
        let (writes, _) = broadcast::channel(WRITE_EVENTS_MAX);
        Self { database, writes, thread: Thread::Blocking }
    }

    /// The same store, whose every call takes effect on the caller's thread and at once.
    ///
    /// For a simulation that decides itself when tasks give way: with a thread of its own the
    /// engine would answer whenever the operating system lets it. Without anything that gives way
    /// around each call, racing tasks never interleave, and no race shows.
    #[must_use]
    pub fn on_callers_thread(self) -> Self {
        Self { thread: Thread::Callers, ..self }
    }

    /// Runs a `Query` beside the SDK, and answers every item of its first page.
    ///
    /// `request` is as in DynamoDB's JSON. For whoever checks what is stored: it is no call that
    /// a wrapper would see, count or fail.
    ///
    /// # Errors
    /// [`RefusedError`]: the engine refuses it.
    pub fn query(&self, request: &Value) -> Result<Vec<Map<String, Value>>, RefusedError> {
        operations::query(&self.database, request).map_err(RefusedError)
    }

    /// Puts items, as in DynamoDB's JSON, into a table beside the SDK: all of them or none.
    ///
    /// For whoever needs a table of many items: it is told to nobody, and takes a small part of
    /// the time of as many writes.
    ///
    /// # Errors
    /// [`RefusedError`]: one is no item, or the engine refuses it.
    pub fn import(&self, table: &str, items: Value) -> Result<(), RefusedError> {
        operations::import(&self.database, table, items).map_err(RefusedError)
    }

    /// A configuration of the SDK client that talks to this store.
    ///
    /// Set another `http_client` on it to put a wrapper in between.
    #[must_use]
    pub fn sdk_config(&self) -> Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            .credentials_provider(Credentials::from_keys("local", "local", None))
            .endpoint_url("http://embedded.invalid") // Never resolved: there is no socket.
            .http_client(self.clone())
    }

    /// What is put from now on, as the table's stream would tell it.
    ///
    /// A receiver that falls behind by more than [`WRITE_EVENTS_MAX`] events loses the oldest, and
    /// its next `recv` answers `Lagged`: a schedule then finds what was missed.
    #[must_use]
    pub fn writes(&self) -> broadcast::Receiver<WriteEvent> {
        self.writes.subscribe()
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EmbeddedStore").finish_non_exhaustive()
    }
}
