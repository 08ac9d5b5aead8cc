//! When Lambda cuts an invocation off, and how work ends before that.

use std::time::Duration;

use jiff::Timestamp;

/// How long before the deadline work is left as it is: time for the answer to get out, on the small
/// part of a CPU that a function has.
pub const MARGIN: Duration = Duration::from_millis(500);

/// The moment at which an invocation is cut off, where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline(Option<Timestamp>);

impl Deadline {
    /// Nothing is cut off.
    pub const NONE: Self = Self(None);

    /// The deadline that an invocation which begins `now` is told, in milliseconds since 1970.
    ///
    /// A moment that is over when the invocation begins is no deadline: what plays the Runtime API
    /// on a developer's machine may tell one that means nothing.
    /// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes",
    /// `Lambda-Runtime-Deadline-Ms`; read 2026-11-25.
    #[must_use]
    pub fn of_invocation(deadline_ms: u64, now: Timestamp) -> Self {
        let at = i64::try_from(deadline_ms).ok();
        let at = at.and_then(|at| Timestamp::from_millisecond(at).ok());
        Self(at.filter(|at| *at > now))
    }

    /// How long may still be worked: until [`MARGIN`] before the deadline. `None` if nothing is
    /// cut off.
    #[must_use]
    pub fn time_left(self, now: Timestamp) -> Option<Duration> {
        let until_end = self.0?.duration_since(now);
        Some(Duration::try_from(until_end).unwrap_or_default().saturating_sub(MARGIN))
    }

    /// Whether there is time for something that may take so long.
    #[must_use]
    pub fn leaves(self, needed: Duration, now: Timestamp) -> bool {
        self.time_left(now).is_none_or(|left| left >= needed)
    }

    /// Does some work; `None` if the time is up before it is done. What was begun is then dropped
    /// wherever it stands, like a function that is killed there.
    pub async fn within<T>(self, now: Timestamp, work: impl Future<Output = T>) -> Option<T> {
        match self.time_left(now) {
            Some(left) => tokio::time::timeout(left, work).await.ok(),
            None => Some(work.await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn work_ends_a_margin_before_the_deadline() {
        let deadline = Deadline::of_invocation(10_000, at_ms(1_000));
        for (now_ms, left_ms) in [(1_000, 8_500), (9_499, 1), (9_500, 0), (9_501, 0), (10_001, 0)] {
            let left = deadline.time_left(at_ms(now_ms));
            assert_eq!(left, Some(Duration::from_millis(left_ms)), "{now_ms}");
        }
        assert!(deadline.leaves(Duration::from_millis(8_500), at_ms(1_000)));
        assert!(!deadline.leaves(Duration::from_millis(8_501), at_ms(1_000)));
    }

    #[test]
    fn a_deadline_that_is_over_at_the_start_or_no_time_is_none() {
        for (deadline_ms, now_ms) in [(600_000, 600_000), (600_000, 600_001), (u64::MAX, 0)] {
            let deadline = Deadline::of_invocation(deadline_ms, at_ms(now_ms));
            assert_eq!(deadline, Deadline::NONE, "{deadline_ms}");
            assert!(deadline.leaves(Duration::MAX, at_ms(now_ms)));
        }
        let deadline = Deadline::of_invocation(600_000, at_ms(599_999));
        assert_eq!(deadline.time_left(at_ms(599_999)), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn work_without_a_deadline_is_done_and_work_without_time_is_dropped() {
        let now = at_ms(599_999);
        assert_eq!(Deadline::NONE.within(now, async { 1 }).await, Some(1));
        let over = Deadline::of_invocation(600_000, now);
        assert_eq!(over.within(now, std::future::pending::<u8>()).await, None);
    }
}
