//! The command that compares gateways' bills with what is recorded: on the laptop's stack, by the
//! Lambda API's own call; and the reader of what a deployed function answered.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value answers null, never panics")]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::civil::Date;
use runtime::transport::NoReply;
use serde_json::{Value, json};

use crate::client::Client;
use crate::lambda::invocation_path;

/// How long a comparison may take: the longest that a function runs.
const RUN_TIMEOUT: Duration = Duration::from_secs(900);

/// What to compare, and where.
#[derive(Args)]
pub struct Options {
    /// The laptop's stack, or another Lambda endpoint without signatures
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A bearer token with the scope attention:write
    #[arg(long, env = "LATCHPAY_TOKEN", hide_env_values = true, default_value = "dev:admin")]
    token: String,
    /// The day, such as 2026-11-23, in the gateway's calendar; the last one that is over, if not
    /// given
    #[arg(long)]
    day: Option<Date>,
    /// The gateway; all of them, if not given
    #[arg(long)]
    gateway: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Read this report, which a deployed function answered, in place of comparing
    #[arg(long, conflicts_with_all = ["url", "day", "gateway"])]
    read: Option<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The endpoint did not answer.
    #[error("the endpoint did not answer")]
    Silent(#[from] NoReply),
    /// The function did not do it, or must not.
    #[error("not compared ({status}): {said}")]
    Refused {
        /// The status.
        status: u16,
        /// What was answered.
        said: String,
    },
    /// There is no report in that file.
    #[error("there is no report to read")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Some gateway's bill was not compared.
    #[error("{count} of the gateways' bills could not be compared")]
    Incomplete {
        /// How many.
        count: usize,
    },
}

/// Does what the options say; `tell` gets the answer line by line.
///
/// # Errors
/// [`CommandError`]; what was compared is told all the same.
pub async fn run(options: Options, mut tell: impl FnMut(&str)) -> Result<(), CommandError> {
    let report = match &options.read {
        Some(path) => read(path)?,
        None => ask(&options).await?,
    };
    if options.json {
        tell(&report.to_string());
    } else {
        tell_report(&report, &mut tell);
    }
    let failed = gateways(&report).iter().filter(|one| one["status"] == "failed");
    match failed.count() {
        0 => Ok(()),
        count => Err(CommandError::Incomplete { count }),
    }
}

fn read(path: &PathBuf) -> Result<Value, CommandError> {
    let text = std::fs::read(path).map_err(|error| CommandError::Unreadable(error.into()))?;
    let report = serde_json::from_slice(&text);
    checked(report.map_err(|error| CommandError::Unreadable(error.into()))?, 200)
}

async fn ask(options: &Options) -> Result<Value, CommandError> {
    let client = Client::new(options.url.trim_end_matches('/')).with_token(&options.token);
    let asked = json!({ "day": options.day, "gateway": options.gateway });
    let reply =
        client.waiting_up_to(RUN_TIMEOUT).post(invocation_path("reconcile"), &asked).await?;
    checked(reply.body, reply.status)
}

/// A report, and no function's error.
fn checked(report: Value, status: u16) -> Result<Value, CommandError> {
    if report["gateways"].is_array() {
        return Ok(report);
    }
    let said = report["errorMessage"].as_str().or_else(|| report["detail"].as_str());
    let said = said.unwrap_or("the answer is no report").to_owned();
    Err(CommandError::Refused { status, said })
}

fn gateways(report: &Value) -> &[Value] {
    report["gateways"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn tell_report(report: &Value, tell: &mut impl FnMut(&str)) {
    for one in gateways(report) {
        let [gateway, day, status] = ["gateway", "day", "status"].map(|name| text(&one[name]));
        tell(&format!("{gateway} {day}: {status}"));
        if let Some(error) = one["error"].as_str() {
            tell(&format!("  {error}"));
            continue;
        }
        for (name, label) in [
            ("in_both", "in both"),
            ("amount_differs", "amount differs"),
            ("not_recorded", "not recorded"),
            ("foreign", "not ours"),
        ] {
            let tally = &one[name];
            let (payments, refunds) = (sums(&tally["payments"]), sums(&tally["refunds"]));
            tell(&format!("  {label:<15}  payments {payments:<28}  refunds {refunds}"));
        }
        tell(&format!("  {:<15}  payments {}", "only here", sums(&one["only_here"])));
        tell_rows(one, tell);
    }
}

fn tell_rows(one: &Value, tell: &mut impl FnMut(&str)) {
    let rows = one["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    for row in rows {
        let amount = money(&row["amount"]);
        let recorded = Some(&row["recorded"]).filter(|recorded| recorded.is_object());
        let recorded = recorded.map(|it| format!(" (recorded {})", money(it))).unwrap_or_default();
        let [at, difference, kind, payment, transaction] =
            ["at", "difference", "kind", "payment_id", "transaction_id"]
                .map(|name| text(&row[name]));
        tell(&format!(
            "  {at:<20}  {difference:<14}  {kind:<7}  {payment:<32}  {transaction:<28}  \
             {amount}{recorded}"
        ));
    }
    if let Some(more @ 1..) = one["rows_left_out"].as_u64() {
        tell(&format!("  and {more} more"));
    }
    if let Some(raised @ 1..) = one["raised"].as_u64() {
        tell(&format!("  {raised} more wait for a person: see `attention list`"));
    }
}

fn sums(sums: &Value) -> String {
    let amounts = sums["amounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let amounts: Vec<String> = amounts.iter().map(money).collect();
    let count = sums["count"].as_u64().unwrap_or_default();
    if amounts.is_empty() {
        count.to_string()
    } else {
        format!("{count} of {}", amounts.join(", "))
    }
}

fn money(money: &Value) -> String {
    let amount = money["amount"].as_i64().unwrap_or_default();
    format!("{amount} {}", text(&money["currency"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
