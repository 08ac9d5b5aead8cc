//! Logs and counts. A log line never carries a token, a secret, a signature or a payer's id.

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

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
    /// The secret could not be read again.
    SecretNotRead,
    /// A changed secret cannot be used.
    SecretRefused,
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
            Self::SecretNotRead => "secret_not_read",
            Self::SecretRefused => "secret_refused",
        }
    }
}

/// Counts one.
pub fn count(metric: Metric, what: &str) {
    tracing::info!(metric = metric.as_str(), what, "counted");
}

/// Writes logs as JSON lines, for a function. `filter` is as in `RUST_LOG`.
pub fn start_json(filter: &str) {
    // Fails only if another subscriber was set first, whose choice then stands.
    let _ = tracing::subscriber::set_global_default(json_lines(filter, std::io::stdout));
}

/// What makes the JSON lines of a function, for any writer.
pub fn json_lines<W>(filter: &str, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new(filter))
        .with_current_span(false)
        .without_time()
        .with_writer(writer)
        .finish()
}
