//! The parts of a run.

use clap::ValueEnum;

use crate::{backlog, checkouts, functions, growth, hot_booking, hot_paths};

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Size {
    /// So much that the figures can be relied on.
    Whole,
    /// So little that it only shows that the measurement works: what the tests do.
    Sample,
}

/// What is measured: each part has its place in the page under its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// Each function against a floor with the same calls: cold, warm, memory, size.
    Functions,
    /// Whole checkouts at once, beside the store driven bare.
    Checkouts,
    /// Many windows on one booking, against a lease.
    HotBooking,
    /// What requests cost as a booking's history and the table grow.
    Growth,
    /// `settle` under a backlog of due tasks.
    Backlog,
    /// What a request is made of, path by path: time, instructions, allocations.
    HotPaths,
}

impl Part {
    /// Measures it, and answers its tables as the page shows them.
    ///
    /// # Errors
    /// A line that says why it cannot be measured here.
    pub fn measure(self, size: Size) -> Result<String, String> {
        match self {
            Self::Functions => functions::measure(size),
            Self::Checkouts => checkouts::measure(size),
            Self::HotBooking => hot_booking::measure(size),
            Self::Growth => growth::measure(size),
            Self::Backlog => backlog::measure(size),
            Self::HotPaths => hot_paths::measure(size),
        }
    }

    /// Its name, in the command and in the page.
    ///
    /// # Panics
    /// If it cannot be named in a command.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value().expect("every part has a name");
        value.get_name().to_owned()
    }
}

/// Measures on a runtime of its own with a thread for each processor.
///
/// # Errors
/// A line, if it cannot be started.
pub fn on_every_processor<T>(measuring: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|error| error.to_string())?.block_on(measuring))
}
