//! `reconcile`: compares gateways' daily bills with what is recorded.
//!
//! It finds what no notification and no question would: money that a gateway captured after it had
//! confirmed a close, or twice for one payment, and whose notification was lost. It applies nothing
//! and refunds nothing: what is ours and not explained waits for a person.

mod bill;
mod flag;
mod record;
pub mod report;

use api::problem::Problem;
use domain::gateway::GatewayName;
use domain::reconcile::{Compared, Comparison};
use gateways::Gateway;
use gateways::bill::{last_day, window};
use jiff::civil::Date;
use runtime::deps::Deps;
use runtime::telemetry::{Metric, count};
use serde::Deserialize;
use serde_json::Value;

use crate::flag::{Flagged, settle};
use crate::report::{GatewayReport, Gathering, Report};

/// What is to be compared.
#[derive(Clone, PartialEq, Eq, Default, Deserialize, Debug)]
pub struct Ask {
    /// The day; the last one that is over, in each gateway's calendar, unless given.
    #[serde(default)]
    pub day: Option<Date>,
    /// The gateway; every one that writes a bill, unless given.
    #[serde(default)]
    pub gateway: Option<GatewayName>,
}

/// Handles an event: a person's [`Ask`], or the schedule's, which asks for nothing special.
///
/// # Errors
/// [`Problem::InvalidRequest`] for what cannot be asked; [`Problem`] of the store. A gateway
/// without a bill is no error: its report says so. [`Problem::OutOfTime`] shortly before the
/// function would be cut off: the same run again flags nothing twice.
pub async fn handle_event(deps: &Deps, event: Value) -> Result<Value, Problem> {
    let ask = serde_json::from_value(event);
    let ask: Ask = ask.map_err(|_| Problem::invalid("day, gateway", "a date and a name"))?;
    // Boxed: the compiler gives up on futures that are nested too deeply.
    let report = deps.deadline.within(deps.now(), Box::pin(run(deps, &ask))).await;
    let Some(report) = report else { return Err(out_of_time(deps, &ask)) };
    let report = report?;
    let report = serde_json::to_value(report);
    let report = report.map_err(|error| Problem::Internal(error.to_string()))?;
    tracing::info!(%report, "reconciled");
    Ok(report)
}

/// Says of every gateway that it is not compared, or not to its end.
fn out_of_time(deps: &Deps, ask: &Ask) -> Problem {
    for name in names(deps, ask).unwrap_or_default() {
        count(Metric::ReconciliationFailed, &[("gateway", name.as_str())], "");
        tracing::error!(gateway = name.as_str(), "not reconciled in time");
    }
    Problem::OutOfTime
}

/// Compares the bill of a day, gateway by gateway, and flags what is ours and not explained.
///
/// # Errors
/// [`Problem::InvalidRequest`] for a gateway that is not there; [`Problem`] of the store: nothing
/// is lost, because the same run again flags nothing twice.
pub async fn run(deps: &Deps, ask: &Ask) -> Result<Report, Problem> {
    let mut gateways = vec![];
    let (mut asked, mut comparisons) = (vec![], vec![]);
    for name in names(deps, ask)? {
        let Some(gateway) = deps.gateway(name) else { continue };
        let Some(bills) = gateway.bills() else { continue };
        let day = ask.day.unwrap_or_else(|| last_day(bills.offset(), deps.now()));
        match compare(deps, gateway.as_ref(), day).await {
            Ok(Some(comparison)) => {
                asked.push((name, day));
                comparisons.push(comparison);
            }
            Ok(None) => {}
            Err(error) => {
                count(Metric::ReconciliationFailed, &[("gateway", name.as_str())], "");
                tracing::error!(gateway = name.as_str(), %error, "not reconciled");
                gateways.push(GatewayReport::failed(name.clone(), day, &error));
            }
        }
    }
    if !comparisons.is_empty() {
        Box::pin(record::show(deps, &mut comparisons)).await?;
    }
    for ((name, day), comparison) in asked.into_iter().zip(comparisons) {
        gateways.push(conclude(deps, name, day, comparison.finish()).await?);
    }
    Ok(Report { gateways })
}

fn names<'a>(deps: &'a Deps, ask: &Ask) -> Result<Vec<&'a GatewayName>, Problem> {
    let is_asked = |name: &&GatewayName| ask.gateway.as_ref().is_none_or(|asked| asked == *name);
    let names: Vec<&GatewayName> = deps.gateways.names().filter(is_asked).collect();
    if names.is_empty() {
        return Err(Problem::invalid("gateway", "not configured"));
    }
    Ok(names)
}

/// Reads the bill of a day and the one before it; `None` for a gateway that writes none.
async fn compare<'a>(
    deps: &'a Deps,
    gateway: &dyn Gateway,
    day: Date,
) -> Result<Option<Comparison<'a>>, bill::NoBill> {
    let Some(bills) = gateway.bills() else { return Ok(None) };
    let rows = bill::read(deps, (gateway, bills), day).await?;
    let before = match day.yesterday() {
        Ok(before) => bill::read(deps, (gateway, bills), before).await?,
        Err(_) => vec![],
    };
    let name = gateway.name().clone();
    let window = window(bills.offset(), day);
    Ok(window.map(|window| Comparison::new(&deps.ids, name, window, rows, &before)))
}

fn count_difference(gateway: &GatewayName, transaction_id: &str) {
    let by = [("gateway", gateway.as_str())];
    count(Metric::ReconciliationDifference, &by, transaction_id);
}

/// Looks at what is open again, and flags it where it is ours.
async fn conclude(
    deps: &Deps,
    gateway: &GatewayName,
    day: Date,
    compared: Compared,
) -> Result<GatewayReport, Problem> {
    let Compared { in_both, open, only_here, only_here_sums } = compared;
    let mut gathering = Gathering::of(in_both);
    for open in &open {
        let flagged = settle(deps, gateway, open).await?;
        match flagged {
            Flagged::Raised | Flagged::Before => {
                count_difference(gateway, &open.row.transaction_id);
            }
            Flagged::Foreign | Flagged::Explained => {}
        }
        gathering.add(open, flagged);
    }
    for capture in &only_here {
        count_difference(gateway, &capture.transaction_id);
    }
    gathering.add_only_here(only_here, &only_here_sums);
    Ok(gathering.report(gateway.clone(), day, &only_here_sums))
}
