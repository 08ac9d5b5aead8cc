//! Why the simulator cannot start, or cannot keep what it decided.

use std::io;
use std::path::PathBuf;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no tokio runtime to deliver notifications on: start it inside one.
    #[error("the simulator starts inside a tokio runtime")]
    NoRuntime,
    /// An embedded key cannot be read: the build is broken.
    #[error("the embedded key {name} cannot be read")]
    Key {
        /// The key's file name.
        name: &'static str,
    },
    /// The state file cannot be opened or read.
    #[error("the state file {path} cannot be used")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A line of the state file is not one of ours: move the file away to start afresh.
    #[error("line {line} of the state file {path} cannot be read")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Why a change was not kept, and so did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    #[error("the change cannot be written as JSON")]
    Encode(#[from] serde_json::Error),
    #[error("the state file cannot be written")]
    Write(#[from] io::Error),
}
