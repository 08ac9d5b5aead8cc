//! A gateway's daily bill: what it says that it captured and gave back, row by row.
//!
//! Like everything of an adapter this is pure: a bill is read in steps, each a request and the
//! reading of its reply, and somebody else sends them.

pub mod alipay;
pub mod stripe;

use bytes::Bytes;
use domain::reconcile::{BillRow, Window};
use http::{Request, Response};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use crate::{Refusal, Stamp};

/// How many rows a bill may have: what is held in memory at once.
pub const BILL_ROWS_MAX: usize = 100_000;
/// The length of a moment as bills write it.
const MOMENT_LEN: usize = "2026-11-23 23:59:59".len();
/// Beijing time, in hours ahead of UTC: the calendar of WeChat Pay and Alipay.
pub(crate) const BEIJING: Offset = Offset::constant(8);

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
    let start =
        |day: Date| offset.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok();
    Some(Window { from: start(day)?, until: start(day.tomorrow().ok()?)? })
}

/// The day before a moment's, by the calendar of an offset: the last one that is over.
#[must_use]
pub fn last_day(offset: Offset, now: Timestamp) -> Date {
    let today = offset.to_datetime(now).date();
    today.yesterday().unwrap_or(today)
}

/// A moment of Beijing time as bills write it, `2026-11-23 23:59:59`.
pub(crate) fn beijing_moment(text: &str) -> Option<Timestamp> {
    // A date alone would be read as its first moment.
    let text = text.trim();
    let moment: DateTime = (text.len() == MOMENT_LEN).then(|| text.parse().ok())??;
    BEIJING.to_timestamp(moment).ok()
}

/// Yuan with at most two decimals, `12.80`, as fen; `None` for what is no such number, a negative
/// one included.
pub(crate) fn fen(text: &str) -> Option<i64> {
    let (yuan, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if yuan.is_empty() || decimals.len() > 2 || !is_number(yuan) || !is_number(decimals) {
        return None;
    }
    let decimals: i64 = format!("{decimals:0<2}").parse().ok()?;
    yuan.parse::<i64>().ok()?.checked_mul(100)?.checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_are_read_to_the_fen_and_nothing_else_is() {
        for (text, expected) in [
            ("0.01", Some(1)),
            ("12.80", Some(1280)),
            ("12.8", Some(1280)),
            ("12", Some(1200)),
            (" 0.00 ", Some(0)),
            ("12.801", None),
            ("-0.01", None),
            (".5", None),
            ("1,000.00", None),
            ("1e3", None),
            ("", None),
            ("92233720368547758.08", None),
            ("92233720368547758.07", Some(i64::MAX)),
        ] {
            assert_eq!(fen(text), expected, "{text:?}");
        }
    }

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
    fn moments_are_read_in_beijing_time() {
        let read = beijing_moment("2026-11-23 23:59:59").unwrap();
        assert_eq!(read.to_string(), "2026-11-23T15:59:59Z");
        for text in
            ["2026-11-23", "2026-11-23 23:59", "2026-11-23 24:00:00", "2026-02-30 00:00:00", ""]
        {
            assert_eq!(beijing_moment(text), None, "{text:?}");
        }
    }
}
