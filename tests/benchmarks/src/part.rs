//! The parts of a run.

use clap::ValueEnum;

use crate::{backlog, capacity, checkouts, functions, growth, hot_booking, hot_paths};

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
    /// Whole checkouts at once, and the share of their time that is the store's own.
    Checkouts,
    /// Many windows on one booking, against a lock that is leased.
    HotBooking,
    /// What requests cost as a booking's history and the table grow.
    Growth,
    /// A backlog of due tasks, several workers, and a gateway that limits them.
    Backlog,
    /// The paths that every request takes, in nanoseconds and instructions.
    HotPaths,
    /// What the design carries on AWS, from counted units and stated limits.
    Capacity,
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
            Self::Capacity => capacity::measure(size),
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
