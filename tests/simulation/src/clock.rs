//! Simulated time: tokio's clock, which stands still until every task waits for it.

use std::cell::Cell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run begins: 31 January 2027, UTC, so that adding months meets the end of February.
const START_MS: i64 = 1_801_353_600_000;

thread_local! {
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Starts the clock of the run on this thread.
pub fn start() {
    STARTED.set(Some(Instant::now()));
}

/// How long the run has lasted; nothing outside of one.
#[must_use]
pub fn elapsed() -> Duration {
    STARTED.get().map(|started| started.elapsed()).unwrap_or_default()
}

/// What every clock in the run shows.
#[must_use]
pub fn now() -> Timestamp {
    let start = Timestamp::from_millisecond(START_MS).unwrap();
    let elapsed = SignedDuration::try_from(elapsed()).unwrap();
    Timestamp::from_millisecond((start + elapsed).as_millisecond()).unwrap()
}
