//! Logs and counts. A log line never carries a token, a secret, a signature or a payer's id.

use tracing_subscriber::EnvFilter;

/// Something that is counted; an alarm may stand on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// A notification was not believed.
    NotificationRefused,
    /// A verified notification was not of this deployment.
    NotificationNotOurs,
    /// A payment was applied.
    PaymentApplied,
    /// Captured money goes back.
    RefundDue,
    /// Captured money is ours and matches no stored payment.
    PaymentUnmatched,
    /// A captured amount differed from the order's.
    AmountMismatch,
    /// Something waits for a person.
    NeedsAttention,
    /// A gateway's bill and the record do not agree about money of ours.
    ReconciliationDifference,
    /// A gateway's bill could not be compared.
    ReconciliationFailed,
}

impl Metric {
    /// The metric's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotificationRefused => "notification_refused",
            Self::NotificationNotOurs => "notification_not_ours",
            Self::PaymentApplied => "payment_applied",
            Self::RefundDue => "refund_due",
            Self::PaymentUnmatched => "payment_unmatched",
            Self::AmountMismatch => "amount_mismatch",
            Self::NeedsAttention => "needs_attention",
            Self::ReconciliationDifference => "reconciliation_difference",
            Self::ReconciliationFailed => "reconciliation_failed",
        }
    }
}

/// Counts one.
pub fn count(metric: Metric, what: &str) {
    tracing::info!(metric = metric.as_str(), what, "counted");
}

/// Writes logs as JSON lines, for a function. `filter` is as in `RUST_LOG`.
pub fn start_json(filter: &str) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(filter))
        .with_current_span(false)
        .without_time()
        .finish();
    // Fails only if another subscriber was set first, whose choice then stands.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
