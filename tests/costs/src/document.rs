//! The tables of docs/costs.md and docs/scaling.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use store::schema::DUE_SHARDS;

use crate::capacity::busy_ms;
use crate::count::Count;
use crate::money::Dollars;
use crate::play::{Kind, Played};
use crate::settings::{Settings, root};

/// What the tables of money are for.
const CHECKOUTS: u128 = 1_000_000;
/// Bytes in a gigabyte, as AWS bills them.
const GB: u128 = 1 << 30;
/// Hours in a month, as AWS's own calculator has them.
const MONTH_H: u128 = 730;
/// How often `reconcile` reads the table in a month.
const RECONCILIATIONS: u128 = 2 * MONTH_H / 24;
/// Read units of reading a gigabyte, eventually consistent.
const READ_UNITS_GB: u128 = GB / 4_096 / 2;

/// Where the tables of a page stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// What was counted.
    Counted,
    /// What the design carries.
    Capacity,
}

impl Place {
    /// The lines before and after it.
    const fn marks(self) -> (&'static str, &'static str) {
        match self {
            Self::Counted => ("<!-- counted: begin -->\n", "<!-- counted: end -->"),
            Self::Capacity => ("<!-- capacity: begin -->\n", "<!-- capacity: end -->"),
        }
    }
}

/// The tables of docs/costs.md.
#[must_use]
pub fn costs(played: &[Played], settings: &Settings) -> String {
    let Settings { region, as_of, .. } = settings;
    format!(
        "### Counted, for one checkout\n\n{}\n\
         ### Dollars for a million checkouts ({region}, prices as of {as_of})\n\n{}\n\
         ### Dollars a month without any checkout\n\n{}",
        counted(played),
        priced(played, settings),
        idle(played, settings),
    )
}

fn counted(played: &[Played]) -> String {
    let mut table = "| checkout | requests | function runs | gateway calls | calls to the table | \
                     read units | write units | bytes kept | bytes logged |\n\
                     | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for Played { checkout, count, .. } in played {
        let _ = writeln!(
            table,
            "| {checkout} | {} | {} | {} | {} | {}.{} | {} | {} | {} |",
            count.api_requests,
            count.invocations(),
            count.gateway_calls,
            count.store_calls,
            count.read_half_units / 2,
            count.read_half_units % 2 * 5,
            count.write_units,
            count.kept_bytes,
            count.log_bytes,
        );
    }
    table
}

fn priced(played: &[Played], settings: &Settings) -> String {
    let mut table = format!(
        "| checkout | writes | reads | API Gateway | function runs | function time | logs | \
         kept for {} months | all |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        settings.assume("kept_months"),
    );
    for Played { checkout, count, .. } in played {
        let prices = prices_of(count, settings);
        let _ = write!(table, "| {checkout} |");
        for price in prices {
            let _ = write!(table, " {price} |");
        }
        let _ = writeln!(table, " {} |", prices.into_iter().sum::<Dollars>());
    }
    table
}

/// What a million checkouts cost, by column.
fn prices_of(count: &Count, settings: &Settings) -> [Dollars; 7] {
    let price =
        |name: &str, units: u128, per: u128| settings.price(name).of(units * CHECKOUTS, per);
    let kept = u128::try_from(count.kept_bytes).expect("a checkout leaves something behind");
    let months = u128::from(settings.assume("kept_months"));
    let logged =
        u128::from(count.log_bytes + count.invocations() * settings.assume("platform_log_bytes"));
    let stored = ["dynamodb_stored_gb_month", "dynamodb_recovery_gb_month"];
    [
        price("dynamodb_write_units_million", count.write_units.into(), 1_000_000),
        price("dynamodb_read_units_million", count.read_half_units.into(), 2_000_000),
        price("api_requests_million", count.api_requests.into(), 1_000_000),
        price("lambda_requests_million", count.invocations().into(), 1_000_000),
        price("lambda_gb_second", billed_mb_ms(count, settings), 1_024 * 1_000),
        price("logs_gb", logged, GB),
        stored.into_iter().map(|name| price(name, kept * months, GB)).sum(),
    ]
}

/// What the functions of one checkout are billed for, in megabyte-milliseconds.
fn billed_mb_ms(count: &Count, settings: &Settings) -> u128 {
    let assume = |name| u128::from(settings.assume(name));
    let runs = u128::from(count.invocations());
    let warm_ms = u128::from(busy_ms(count, settings));
    let cold_ms = runs * assume("cold_starts_per_thousand") * assume("cold_start_ms");
    (warm_ms + cold_ms / 1_000) * assume("memory_mb")
}

fn idle(played: &[Played], settings: &Settings) -> String {
    let price = |name: &str, units: u128, per: u128| settings.price(name).of(units, per);
    let alarms = u128::try_from(alarms()).unwrap();
    let metrics: BTreeSet<&String> = played.iter().flat_map(|one| &one.metrics).collect();
    let metrics = u128::try_from(metrics.len()).unwrap();
    let minutes = MONTH_H * 60;
    let secret_reads = u128::from(settings.assume("sandboxes")) * minutes / 5;
    let run_ms = u128::from(settings.assume("handler_ms") + settings.assume("store_call_ms"));
    let minute_mb_ms = minutes * run_ms * u128::from(settings.assume("memory_mb"));
    let schedule = [
        price("lambda_requests_million", minutes, 1_000_000),
        price("lambda_gb_second", minute_mb_ms, 1_024 * 1_000),
        price("dynamodb_read_units_million", minutes * u128::from(DUE_SHARDS), 2_000_000),
    ];
    let secret =
        [price("secret_month", 1, 1), price("secret_reads_ten_thousand", secret_reads, 10_000)];
    let scans = RECONCILIATIONS * READ_UNITS_GB;
    let rows = [
        (format!("{alarms} alarms"), price("alarm_month", alarms, 1)),
        (
            format!("{metrics} custom metrics, as many as these checkouts write"),
            price("metric_month", metrics, 1),
        ),
        ("the secret, and its reads".to_owned(), secret.into_iter().sum()),
        ("`settle`, every minute, with nothing to do".to_owned(), schedule.into_iter().sum()),
        (
            "`reconcile`, for each GB of the table".to_owned(),
            price("dynamodb_read_units_million", scans, 1_000_000),
        ),
    ];
    let mut table = "| what | dollars |\n| --- | --- |\n".to_owned();
    for (what, dollars) in rows {
        let _ = writeln!(table, "| {what} | {dollars} |");
    }
    table
}

fn alarms() -> usize {
    let template = std::fs::read_to_string(root().join("template.yaml"));
    template.expect("the template can be read").matches("Type: AWS::CloudWatch::Alarm").count()
}

/// The table of docs/scaling.md: what one checkout writes where, and how many fit a second.
#[must_use]
pub fn scaling(played: &[Played], settings: &Settings) -> String {
    let partition_write_units = settings.limit("partition_write_units");
    let mut table =
        "| checkout | write units in the booking's partition | a second on one booking \
                     | write units in the index | a second through its shards \
                     | records to `settle` |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let renewals = played.iter().filter(|one| one.checkout.kind == Kind::Renewal);
    for Played { checkout, count, .. } in renewals {
        let of_booking = count.write_units - count.index_write_units;
        let shards = u64::from(DUE_SHARDS);
        let _ = writeln!(
            table,
            "| {checkout} | {of_booking} | {} | {} | {} | {} |",
            partition_write_units / of_booking.max(1),
            count.index_write_units,
            partition_write_units * shards / count.index_write_units.max(1),
            count.stream_records,
        );
    }
    table
}

/// The text of a page with these tables in the place of that name.
///
/// # Panics
/// If the page has no place for them.
#[must_use]
pub fn with_tables(page: &str, place: Place, tables: &str) -> String {
    let (begin, end) = place.marks();
    let (before, rest) = page.split_once(begin).expect("the page has a place for tables");
    let (_, after) = rest.split_once(end).expect("the place has an end");
    format!("{before}{begin}{tables}{end}{after}")
}

/// Puts tables into the page at `path`.
///
/// # Errors
/// A line that says why not.
pub fn put(path: &Path, place: Place, tables: &str) -> Result<(), String> {
    let page = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    std::fs::write(path, with_tables(&page, place, tables)).map_err(|error| error.to_string())
}
