//! Logs and metrics. A line never carries a token, a secret, a signature or a payer's id.
//!
//! Both are JSON lines on standard output. A metric's line is in CloudWatch's embedded metric
//! format, so that counting costs no call. Source of its rules: Amazon CloudWatch User Guide,
//! "Specification: Embedded metric format"; read 2026-11-24.

use std::fmt;

use api::request::Request;
use api::route::Route;
use domain::booking::Order;
use domain::ids::{BookingId, OrderId, PaymentId};
use domain::task::{Record, Task, TaskKind};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tracing::field::{Empty, Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Span, Subscriber, info_span};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, format};
use tracing_subscriber::registry::LookupSpan;

use crate::deps::Clock;

/// The namespace of every metric.
pub const NAMESPACE: &str = "Latchpay";
/// The dimension that every metric has: which deployment it is of.
pub const STAGE: &str = "stage";
/// The event target of measurements.
const METRICS: &str = "metrics";

/// Something that is measured; an alarm may stand on it. `docs/metrics.md` explains each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Metric {
    /// A request was answered.
    Requests,
    /// How long that took.
    RequestDuration,
    /// A race for a booking was lost.
    RacesLost,
    /// A gateway was called.
    GatewayCalls,
    /// How long that took.
    GatewayCallDuration,
    /// How late a task was begun.
    TaskAge,
    /// How long a refund that is not back yet has not moved.
    RefundAge,
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
    /// The secret could not be read again.
    SecretNotRead,
    /// A changed secret cannot be used.
    SecretRefused,
}

/// Every metric.
pub const METRIC_LIST: [Metric; 18] = [
    Metric::Requests,
    Metric::RequestDuration,
    Metric::RacesLost,
    Metric::GatewayCalls,
    Metric::GatewayCallDuration,
    Metric::TaskAge,
    Metric::RefundAge,
    Metric::NotificationRefused,
    Metric::NotificationNotOurs,
    Metric::PaymentApplied,
    Metric::RefundDue,
    Metric::PaymentUnmatched,
    Metric::AmountMismatch,
    Metric::NeedsAttention,
    Metric::ReconciliationDifference,
    Metric::ReconciliationFailed,
    Metric::SecretNotRead,
    Metric::SecretRefused,
];

impl Metric {
    /// The metric's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::RequestDuration => "request_duration",
            Self::RacesLost => "races_lost",
            Self::GatewayCalls => "gateway_calls",
            Self::GatewayCallDuration => "gateway_call_duration",
            Self::TaskAge => "task_age",
            Self::RefundAge => "refund_age",
            Self::NotificationRefused => "notification_refused",
            Self::NotificationNotOurs => "notification_not_ours",
            Self::PaymentApplied => "payment_applied",
            Self::RefundDue => "refund_due",
            Self::PaymentUnmatched => "payment_unmatched",
            Self::AmountMismatch => "amount_mismatch",
            Self::NeedsAttention => "needs_attention",
            Self::ReconciliationDifference => "reconciliation_difference",
            Self::ReconciliationFailed => "reconciliation_failed",
            Self::SecretNotRead => "secret_not_read",
            Self::SecretRefused => "secret_refused",
        }
    }

    /// The metric's unit, as CloudWatch spells it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::RequestDuration | Self::GatewayCallDuration => "Milliseconds",
            Self::TaskAge | Self::RefundAge => "Seconds",
            Self::Requests
            | Self::RacesLost
            | Self::GatewayCalls
            | Self::NotificationRefused
            | Self::NotificationNotOurs
            | Self::PaymentApplied
            | Self::RefundDue
            | Self::PaymentUnmatched
            | Self::AmountMismatch
            | Self::NeedsAttention
            | Self::ReconciliationDifference
            | Self::ReconciliationFailed
            | Self::SecretNotRead
            | Self::SecretRefused => "Count",
        }
    }
}

/// What a measurement is split by. Each has few values, all of them our own words.
pub type Dimensions<'a> = &'a [(&'static str, &'a str)];

/// Counts one, split by some dimensions. `about` names what it is about, for whoever reads the
/// line; it is no dimension.
pub fn count(metric: Metric, by: Dimensions<'_>, about: &str) {
    emit(&[(metric, 1)], by, about);
}

/// Measures one or several values of the same thing. What is below zero, because a clock was set
/// back, counts as zero.
pub fn measure(values: &[(Metric, i64)], by: Dimensions<'_>) {
    emit(values, by, "");
}

fn emit(values: &[(Metric, i64)], by: Dimensions<'_>, about: &str) {
    tracing::info!(target: METRICS, embedded = %embedded(values, by, about));
}

/// A measurement in the embedded metric format, but for its deployment and its time, which
/// [`Lines`] knows. It begins with [`AWS_OPENS`].
fn embedded(values: &[(Metric, i64)], by: Dimensions<'_>, about: &str) -> String {
    serde_json::to_string(&Measurement { values, by, about }).unwrap_or_default()
}

/// How a measurement begins.
const AWS_OPENS: &str = "{\"_aws\":{";

/// What is measured.
struct Measurement<'a> {
    values: &'a [(Metric, i64)],
    by: Dimensions<'a>,
    about: &'a str,
}

/// What CloudWatch makes of the line.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directives<'a> {
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: Vec<Vec<&'a str>>,
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl Measurement<'_> {
    fn directives(&self) -> Directives<'_> {
        let mut dimensions = vec![vec![STAGE]];
        if !self.by.is_empty() {
            let names = self.by.iter().map(|(name, _)| *name);
            dimensions.push(std::iter::once(STAGE).chain(names).collect());
        }
        let metrics = self.values.iter();
        let metrics = metrics.map(|(one, _)| Definition { name: one.as_str(), unit: one.unit() });
        let metrics = metrics.collect();
        Directives {
            cloud_watch_metrics: [Directive { namespace: NAMESPACE, dimensions, metrics }],
        }
    }
}

impl Serialize for Measurement<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("_aws", &self.directives())?;
        for (metric, value) in self.values {
            line.serialize_entry(metric.as_str(), value.max(&0))?;
        }
        for (name, value) in self.by {
            line.serialize_entry(name, value)?;
        }
        if !self.about.is_empty() {
            line.serialize_entry("about", self.about)?;
        }
        line.end()
    }
}

tokio::task_local! {
    /// The id of the trace of the invocation that is being worked on.
    static TRACE_ID: String;
}

/// Works on an invocation whose trace X-Ray knows, so that every span names it. `header` is as
/// Lambda hands it over, `Root=1-…;Parent=…;Sampled=1`.
/// Source: AWS X-Ray Developer Guide, "Tracing header"; read 2026-11-25.
pub async fn traced<T>(header: Option<&str>, work: impl Future<Output = T>) -> T {
    let mut parts = header.unwrap_or_default().split(';');
    match parts.find_map(|part| part.trim().strip_prefix("Root=")) {
        Some(trace_id) => TRACE_ID.scope(trace_id.to_owned(), work).await,
        None => work.await,
    }
}

/// Names the trace on a span, where there is one.
fn know_trace(span: &Span) {
    // There is none on a laptop, where nobody invokes.
    let _ = TRACE_ID.try_with(|trace_id| span.record("trace.id", trace_id.as_str()));
}

/// The span of an event that is no request.
#[must_use]
pub fn event_span() -> Span {
    let span = info_span!("event", trace.id = Empty);
    know_trace(&span);
    span
}

/// The span of a request. What becomes known later stands on every line from then on.
#[must_use]
pub fn request_span(request: &Request, route: Option<&Route>) -> Span {
    let span = info_span!(
        "request",
        request.id = request.request_id,
        trace.id = Empty,
        booking.id = Empty,
        order.id = Empty,
        payment.id = Empty
    );
    know_trace(&span);
    if let Some(booking_id) = route.and_then(Route::booking_id) {
        span.record("booking.id", booking_id.as_str());
    }
    span
}

/// The span of a task.
#[must_use]
pub fn task_span(task: &Task) -> Span {
    let (TaskKind::Refund { payment_id, .. }
    | TaskKind::ClosePayment { payment_id }
    | TaskKind::QueryPayment { payment_id, .. }) = &task.kind;
    let span = info_span!(
        "task",
        task.id = task.id().as_str(),
        trace.id = Empty,
        booking.id = task.booking_id.as_str(),
        order.id = Empty,
        payment.id = payment_id.as_str()
    );
    know_trace(&span);
    if let Record::Order { order_id, .. } = &task.record {
        span.record("order.id", order_id.as_str());
    }
    span
}

/// The booking of what is being done is known from now on.
pub fn know_booking(booking_id: &BookingId) {
    Span::current().record("booking.id", booking_id.as_str());
}

/// The order of what is being done is known from now on.
pub fn know_order(order_id: &OrderId) {
    Span::current().record("order.id", order_id.as_str());
}

/// The payment of what is being done is known from now on.
pub fn know_payment(payment_id: &PaymentId) {
    Span::current().record("payment.id", payment_id.as_str());
}

/// The order that is answered is known from now on, and its current payment.
pub fn know_answered(order: &Order) {
    know_order(&order.order_id);
    if let Some(payment) = order.current_payment() {
        know_payment(&payment.payment_id);
    }
}

/// Writes JSON lines, for a function.
pub fn start_json(level: LevelFilter, stage: String, clock: Clock) {
    // Fails only if another subscriber was set first, whose choice then stands.
    let lines = json_lines(level, stage, clock, std::io::stdout);
    let _ = tracing::subscriber::set_global_default(lines);
}

/// What makes the JSON lines of a function, for any writer.
pub fn json_lines<W>(
    level: LevelFilter,
    stage: String,
    clock: Clock,
    writer: W,
) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let events = format().json().with_current_span(true).with_span_list(false).without_time();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .fmt_fields(JsonFields::new())
        .event_format(Lines { events, stage, clock })
        .with_writer(writer)
        .finish()
}

/// Tells measurements from events: both are lines, each in the form that CloudWatch reads.
struct Lines {
    events: Format<Json, ()>,
    stage: String,
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().target() != METRICS {
            return self.events.format_event(context, writer, event);
        }
        let mut embedded = Embedded::default();
        event.record(&mut embedded);
        let rest = embedded.0.strip_prefix(AWS_OPENS).ok_or(fmt::Error)?;
        let stage = serde_json::to_string(&self.stage).map_err(|_| fmt::Error)?;
        let now_ms = (self.clock)().as_millisecond();
        writeln!(writer, "{{\"{STAGE}\":{stage},\"_aws\":{{\"Timestamp\":{now_ms},{rest}")
    }
}

/// Takes the one field of a measurement.
#[derive(Default)]
struct Embedded(String);

impl Visit for Embedded {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0 = format!("{value:?}");
    }
}
