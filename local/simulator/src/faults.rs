//! What goes wrong from now on. The plan lives in memory: a restart heals everything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::RefundOutcome;
use crate::random::Random;

/// The longest delay that a plan may ask for, in milliseconds.
const DELAY_MS_MAX: u64 = 600_000;

/// A share of cases, held as parts per million: shares are compared, never computed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct Share(u32);

impl Share {
    pub(crate) const WHOLE: u32 = 1_000_000;

    pub(crate) fn parts_per_million(self) -> u32 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = &'static str;

    #[expect(clippy::float_arithmetic, reason = "the JSON share is a decimal; not money")]
    fn try_from(share: f64) -> Result<Self, Self::Error> {
        if !(0.0..=1.0).contains(&share) {
            return Err("a share is between 0 and 1");
        }
        Ok(Self((share * f64::from(Self::WHOLE)).round() as u32))
    }
}

impl From<Share> for f64 {
    #[expect(clippy::float_arithmetic, reason = "the JSON share is a decimal; not money")]
    fn from(share: Share) -> Self {
        f64::from(share.0) / f64::from(Share::WHOLE)
    }
}

/// The one plan for all gateways. Setting it replaces the whole plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FaultPlan {
    /// Wait before a notification's first delivery.
    pub(crate) notification_delay_ms: u64,
    /// Notifications that are never delivered, not even by a retry.
    pub(crate) notifications_dropped: Share,
    /// Notifications that are delivered twice, at the same time.
    pub(crate) notifications_duplicated: Share,
    /// Notifications that wait until a later one has overtaken them.
    pub(crate) notifications_reordered: Share,
    /// Calls that fail without effect.
    pub(crate) calls_failed_before: Share,
    /// Calls that take effect and then fail.
    pub(crate) calls_failed_after: Share,
    /// Calls that are refused without effect, because there are too many of them.
    pub(crate) calls_too_often: Share,
    /// Wait between a call's effect and its reply.
    pub(crate) call_delay_ms: u64,
    /// How refunds end that are accepted under this plan.
    pub(crate) refund_outcome: RefundOutcome,
    /// How long refunds take that are accepted under this plan.
    pub(crate) refund_delay_ms: Option<u64>,
    /// Stripe calls that fail without effect once they run, so that a repeat gets the same failure.
    pub(crate) failures_kept: Share,
    /// How long a new object takes to be found by a search.
    pub(crate) search_lag_ms: Option<u64>,
    /// The webhook secret is being rolled: both the old and the new one sign.
    pub(crate) webhook_secret_rolls: bool,
}

/// How a call that failed looks to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The gateway answers that it broke.
    SystemError,
    /// The connection breaks in the middle of the reply.
    TornReply,
    /// The gateway answers that it is called too often.
    TooOften,
}

/// What the plan does to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallFate {
    Works,
    FailsBefore(Failure),
    FailsAfter(Failure),
}

impl FaultPlan {
    /// Refuses what would make a laptop look hung.
    pub(crate) fn check(&self) -> Result<(), String> {
        let refund_delay_ms = self.refund_delay_ms.unwrap_or_default();
        let search_lag_ms = self.search_lag_ms.unwrap_or_default();
        for delay_ms in
            [self.notification_delay_ms, self.call_delay_ms, refund_delay_ms, search_lag_ms]
        {
            if delay_ms > DELAY_MS_MAX {
                return Err(format!("a delay is at most {DELAY_MS_MAX} ms"));
            }
        }
        Ok(())
    }

    pub(crate) fn call_fate(&self, random: &mut Random) -> CallFate {
        // A plan without it draws nothing for it, so that it hits what it always has.
        if self.calls_too_often != Share::default() && random.hits(self.calls_too_often) {
            return CallFate::FailsBefore(Failure::TooOften);
        }
        let fails_before = random.hits(self.calls_failed_before);
        let fails_after = random.hits(self.calls_failed_after);
        let failure = if random.coin() { Failure::SystemError } else { Failure::TornReply };
        match (fails_before, fails_after) {
            (true, _) => CallFate::FailsBefore(failure),
            (false, true) => CallFate::FailsAfter(failure),
            (false, false) => CallFate::Works,
        }
    }

    pub(crate) fn call_delay(&self) -> Duration {
        Duration::from_millis(self.call_delay_ms)
    }

    pub(crate) fn notification_delay(&self) -> Duration {
        Duration::from_millis(self.notification_delay_ms)
    }

    pub(crate) fn refund_delay(&self, otherwise: Duration) -> Duration {
        self.refund_delay_ms.map_or(otherwise, Duration::from_millis)
    }

    pub(crate) fn search_lag(&self, otherwise: Duration) -> Duration {
        self.search_lag_ms.map_or(otherwise, Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_keeps_six_decimals() {
        for (share, parts) in [(0.0, 0), (0.25, 250_000), (0.000_001, 1), (1.0, 1_000_000)] {
            assert_eq!(Share::try_from(share), Ok(Share(parts)));
            assert_eq!(f64::from(Share(parts)), share);
        }
    }

    #[test]
    fn a_share_outside_the_whole_is_refused() {
        for share in [-0.000_001, 1.000_001, f64::NAN] {
            assert!(Share::try_from(share).is_err());
        }
    }

    #[test]
    fn a_whole_share_hits_always_and_none_never() {
        let mut random = Random::new(7);
        for _ in 0..100 {
            assert!(random.hits(Share(Share::WHOLE)));
            assert!(!random.hits(Share(0)));
        }
    }
}
