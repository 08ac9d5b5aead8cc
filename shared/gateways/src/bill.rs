//! A gateway's daily bill: what it says that it captured and gave back, row by row.
//!
//! Like everything of an adapter this is pure: a bill is read in steps, each a request and the
//! reading of its reply, and somebody else sends them.

use bytes::Bytes;
use domain::reconcile::{BillRow, Window};
use http::{Request, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::{Refusal, Stamp};

/// How many rows a bill may have: what is held in memory at once.
pub const BILL_ROWS_MAX: usize = 100_000;

/// What to ask next for a bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BillStep {
    /// The bill of a day, to begin with.
    Day(Date),
    /// What an earlier reply led to.
    Next {
        /// The day.
        day: Date,
        /// Where it is, in the gateway's own words.
        at: String,
        /// What its contents must hash to, where the gateway said that.
        hash: Option<String>,
    },
}

impl BillStep {
    /// The bill's day, in the gateway's calendar.
    #[must_use]
    pub const fn day(&self) -> Date {
        match self {
            Self::Day(day) | Self::Next { day, .. } => *day,
        }
    }
}

/// What a step of a bill answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BillOutcome {
    /// Some of its rows, perhaps none, and what to ask next; nothing more once that is `None`.
    Read {
        /// The rows, in the bill's order.
        rows: Vec<BillRow>,
        /// The next step.
        next: Option<BillStep>,
    },
    /// The gateway has not written it yet.
    NotReady(Refusal),
    /// No usable answer.
    Unknown(Refusal),
}

/// The daily bill of one gateway.
pub trait Bills: Send + Sync {
    /// The offset of the calendar that its days are of.
    fn offset(&self) -> Offset;

    /// The request of a step.
    fn ask(&self, step: &BillStep, stamp: Stamp) -> Request<Bytes>;

    /// Reads what a step answered.
    fn read(&self, step: &BillStep, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome;
}

/// From when until when a day is, by the calendar of an offset; `None` at the end of time.
#[must_use]
pub fn window(offset: Offset, day: Date) -> Option<Window> {
    Window::of_day(day, &offset.to_time_zone())
}

/// The day before a moment's, by the calendar of an offset: the last one that is over.
#[must_use]
pub fn last_day(offset: Offset, now: Timestamp) -> Date {
    let today = offset.to_datetime(now).date();
    today.yesterday().unwrap_or(today)
}

/// What every gateway's bill is until its day is over, whatever the gateway says of it: half a
/// bill, which is none. `None` once the day is over.
pub(crate) fn unfinished(offset: Offset, day: Date, now: Timestamp) -> Option<BillOutcome> {
    let is_over = window(offset, day).is_some_and(|window| window.until <= now);
    let refusal = || Refusal::new(0, "day_not_over", "its day is not over");
    (!is_over).then(|| BillOutcome::NotReady(refusal()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beijing::BEIJING;

    #[test]
    fn a_day_is_the_calendar_day_of_its_offset() {
        let day: Date = "2026-11-23".parse().unwrap();
        let beijing = window(BEIJING, day).unwrap();
        assert_eq!(beijing.from.to_string(), "2026-11-22T16:00:00Z");
        assert_eq!(beijing.until.to_string(), "2026-11-23T16:00:00Z");
        let utc = window(Offset::UTC, day).unwrap();
        assert_eq!(utc.from.to_string(), "2026-11-23T00:00:00Z");
        for (now, expected) in
            [("2026-11-23T15:59:59.999Z", "2026-11-22"), ("2026-11-23T16:00:00Z", "2026-11-23")]
        {
            assert_eq!(last_day(BEIJING, now.parse().unwrap()).to_string(), expected, "{now}");
        }
    }

    #[test]
    fn a_bill_is_unfinished_until_the_first_moment_of_the_next_day() {
        let day: Date = "2026-11-23".parse().unwrap();
        for (now, expected) in [
            ("2026-11-23T00:00:00Z", true),
            ("2026-11-23T15:59:59.999Z", true),
            ("2026-11-23T16:00:00Z", false),
        ] {
            let outcome = unfinished(BEIJING, day, now.parse().unwrap());
            assert_eq!(outcome.is_some(), expected, "{now}");
        }
    }
}
