//! How much the design carries: what checkouts take of each part, against what the part gives.

use std::fmt::Write as _;

use store::schema::DUE_SHARDS;

use crate::count::Count;
use crate::play::{Change, Kind, Played};
use crate::settings::Settings;

/// Milliseconds of a function that one sandbox gives a second.
const SECOND_MS: u64 = 1_000;
/// Halves of a read unit.
const HALVES: u64 = 2;
/// Calls to the table of one change: it is read, decided on and written.
const CALLS_OF_A_CHANGE: u64 = 2;
/// Seconds from one run of the schedule to the next.
const SCHEDULE_S: u64 = 60;

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// AWS's, or the design's on it.
    Aws,
    /// Of a table that has not grown yet.
    NewTable,
    /// A gateway's.
    Gateway,
}

/// A part that each checkout takes something of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Whose limit it is.
    pub owner: Owner,
    /// How many of its unit there are.
    pub there: u64,
    /// What is counted in [`Part::there`].
    pub unit: &'static str,
    /// How much one of them gives a second.
    pub each: u64,
    /// How much the cheapest checkout takes.
    pub least: u64,
    /// How much the dearest checkout takes.
    pub most: u64,
    /// What to change.
    pub change: &'static str,
}

impl Part {
    /// How many checkouts a second it carries if each takes `amount`.
    #[must_use]
    pub fn carries(&self, amount: u64) -> u64 {
        self.there * self.each / amount.max(1)
    }

    /// How many of its unit so many checkouts a second need, of the dearest.
    #[must_use]
    pub const fn needed(&self, checkouts_per_second: u64) -> u64 {
        (checkouts_per_second * self.most).div_ceil(self.each)
    }
}

/// The parts, first the one that ends first.
#[must_use]
pub fn parts(played: &[Played], settings: &Settings) -> Vec<Part> {
    let mut parts = of_the_table(played, settings);
    parts.extend(of_requests(played, settings));
    parts.extend(of_gateways(played, settings));
    parts.sort_by_key(|part| part.carries(part.most));
    parts
}

/// The part of that owner that ends first.
#[must_use]
pub fn binding(parts: &[Part], owner: Owner) -> Option<&Part> {
    parts.iter().filter(|part| part.owner == owner).min_by_key(|part| part.carries(part.most))
}

/// The least and the most of something that a checkout takes.
fn span(played: &[Played], amount: impl Fn(&Played) -> u64) -> (u64, u64) {
    let amounts = || played.iter().map(&amount);
    (amounts().min().unwrap_or(0), amounts().max().unwrap_or(0))
}

fn of_the_table(played: &[Played], settings: &Settings) -> Vec<Part> {
    let (least, most) = span(played, |one| one.count.write_units);
    let writes = Part {
        name: "the table's writes",
        owner: Owner::Aws,
        there: settings.limit("table_write_units"),
        unit: "write units a second",
        each: 1,
        least,
        most,
        change: "a quota of DynamoDB",
    };
    let new = Part {
        name: "a new table's writes",
        owner: Owner::NewTable,
        there: settings.limit("new_table_write_units"),
        change: "warm throughput before a launch",
        ..writes.clone()
    };
    let (least, most) = span(played, |one| one.count.read_half_units);
    let reads = Part {
        name: "the table's reads",
        there: settings.limit("table_read_units"),
        unit: "read units a second",
        each: HALVES,
        least,
        most,
        ..writes.clone()
    };
    let (least, most) = span(played, |one| one.count.index_write_units);
    let index = Part {
        name: "the index of due tasks",
        there: u64::from(DUE_SHARDS),
        unit: "shards",
        each: settings.limit("partition_write_units"),
        least,
        most,
        change: "[raise `DUE_SHARDS`](#raising-due_shards)",
        ..writes.clone()
    };
    let reads_of_product = settings.assume("product_reads");
    let product = Part {
        name: "the product, if all buy the same",
        there: 1,
        unit: "product ids",
        each: settings.limit("partition_read_units"),
        least: reads_of_product,
        most: reads_of_product,
        change: "sell under several product ids",
        ..writes.clone()
    };
    vec![writes, new, reads, index, product]
}

fn of_requests(played: &[Played], settings: &Settings) -> Vec<Part> {
    let (least, most) = span(played, |one| one.count.api_requests);
    let requests = Part {
        name: "API Gateway",
        owner: Owner::Aws,
        there: settings.limit("api_requests_per_second"),
        unit: "requests a second",
        each: 1,
        least,
        most,
        change: "a quota of API Gateway; poll more slowly",
    };
    let (least, most) = span(played, |one| busy_ms(&one.count, settings));
    let functions = Part {
        name: "functions",
        there: settings.limit("functions_at_once"),
        unit: "at once",
        each: SECOND_MS,
        least,
        most,
        change: "a quota of Lambda",
        ..requests.clone()
    };
    vec![requests, functions]
}

fn of_gateways(played: &[Played], settings: &Settings) -> Vec<Part> {
    let (least, most) = span(played, |one| one.count.gateway_calls);
    let calls = Part {
        name: "Stripe, all calls",
        owner: Owner::Gateway,
        there: settings.limit("stripe_requests_per_second"),
        unit: "requests a second",
        each: 1,
        least,
        most,
        change: "[ask the gateway](#gateways)",
    };
    let (least, most) = span(played, |one| match one.checkout.change {
        Change::None => 1,
        Change::Quantity => 2,
    });
    let creates = Part {
        name: "Stripe, creates alone",
        there: settings.limit("stripe_endpoint_requests_per_second"),
        least,
        most,
        ..calls.clone()
    };
    vec![calls, creates]
}

/// How long functions run for one checkout, cold starts aside.
#[must_use]
pub fn busy_ms(count: &Count, settings: &Settings) -> u64 {
    count.invocations() * settings.assume("handler_ms")
        + count.store_calls * settings.assume("store_call_ms")
        + count.gateway_calls * settings.assume("gateway_call_ms")
}

/// The tables of "What it carries" in docs/scaling.md.
#[must_use]
pub fn capacity(played: &[Played], settings: &Settings) -> String {
    let parts = parts(played, settings);
    format!(
        "{}\n{}\n{}",
        binding_line(&parts),
        checkouts(&parts, settings.assume("checkouts_per_second")),
        single(played, settings)
    )
}

fn binding_line(parts: &[Part]) -> String {
    let mut line = String::new();
    for (owner, place) in [
        (Owner::Aws, "On AWS"),
        (Owner::NewTable, "While a table is new"),
        (Owner::Gateway, "At a gateway"),
    ] {
        if let Some(part) = binding(parts, owner) {
            let carries = part.carries(part.most);
            let _ = writeln!(
                line,
                "{place}, what ends first is {}: {carries} of the dearest checkouts a second.",
                part.name
            );
        }
    }
    line
}

fn checkouts(parts: &[Part], wanted: u64) -> String {
    let mut table = format!(
        "| part | there is | a checkout takes | checkouts a second | {wanted} a second need \
         | what to change |\n| --- | --- | --- | --- | --- | --- |\n"
    );
    for part in parts {
        let Part { name, there, unit, each, least, most, change, .. } = part;
        let gives = if *each == 1 { String::new() } else { format!(" of {each}") };
        let needed = part.needed(wanted);
        let verdict = if needed > *there { "**more**" } else { "enough" };
        let _ = writeln!(
            table,
            "| {name} | {there} {unit}{gives} | {least} to {most} | {} to {} \
             | {needed}: {verdict} | {change} |",
            part.carries(*most),
            part.carries(*least),
        );
    }
    table
}

/// What one booking carries, and the worker.
fn single(played: &[Played], settings: &Settings) -> String {
    let limit = |name| settings.limit(name);
    // A renewal writes to its booking alone; a first booking has an entry among its customer's.
    let renewals = played.iter().filter(|one| one.checkout.kind == Kind::Renewal);
    let units = renewals.map(|one| one.count.write_units - one.count.index_write_units);
    let most = units.max().unwrap_or_default();
    let change_ms = CALLS_OF_A_CHANGE * settings.assume("store_call_ms");
    let polls = limit("partition_read_units") / settings.assume("poll_read_units").max(1);
    let nothing = "nothing: it is one customer's booking";
    let ask = "[ask the gateway](#gateways)";
    let rows = [
        (
            "checkouts a second on one booking, by its partition",
            limit("partition_write_units") / most.max(1),
            nothing,
        ),
        ("changes a second of one booking, by its lock", SECOND_MS / change_ms.max(1), nothing),
        (
            "windows on one booking, by its partition",
            polls * settings.assume("poll_every_s"),
            "poll more slowly",
        ),
        (
            "due tasks a second, by the index",
            tasks_by_index(played, settings),
            "[raise `DUE_SHARDS`](#raising-due_shards)",
        ),
        (
            "due tasks a second, by the schedule alone",
            tasks_by_schedule(settings),
            "`CONCURRENCY_MAX` in `settle` and its memory",
        ),
        ("due tasks a second, by Stripe", limit("stripe_requests_per_second"), ask),
        ("refunds a second, by WeChat Pay", limit("wechat_pay_refunds_per_second"), ask),
    ];
    let mut table = "| what | at most | what to change |\n| --- | --- | --- |\n".to_owned();
    for (what, at_most, change) in rows {
        let _ = writeln!(table, "| {what} | {at_most} | {change} |");
    }
    table
}

/// Tasks a second that the index takes, each written as often as the dearest checkout's.
fn tasks_by_index(played: &[Played], settings: &Settings) -> u64 {
    let units = settings.limit("partition_write_units") * u64::from(DUE_SHARDS);
    let tasks = played
        .iter()
        .map(|one| units * one.count.stream_records / one.count.index_write_units.max(1));
    tasks.min().unwrap_or(0)
}

/// Tasks a second that the schedule's one run a minute gets through.
fn tasks_by_schedule(settings: &Settings) -> u64 {
    let side_by_side = settings.limit("settle_tasks_at_once") * SECOND_MS;
    let by_time = side_by_side * settings.limit("settle_run_s") / settings.assume("task_ms").max(1);
    let of_shard = by_time.min(settings.limit("settle_tasks_of_shard"));
    of_shard * u64::from(DUE_SHARDS) / SCHEDULE_S
}

#[cfg(test)]
mod tests {
    use domain::task::FUNCTION_TIMEOUT_S_MAX;
    use settle::{CONCURRENCY_MAX, PAGE_LEN, PAGES_MAX, TASK_TIME};

    use super::{Owner, binding, parts, tasks_by_schedule};
    use crate::count::Count;
    use crate::play::{Checkout, Played};
    use crate::settings::Settings;

    /// A checkout that takes of everything.
    fn played() -> Vec<Played> {
        let count = Count {
            api_requests: 50,
            stream_records: 10,
            gateway_calls: 5,
            store_calls: 70,
            read_half_units: 140,
            write_units: 60,
            index_write_units: 14,
            ..Count::default()
        };
        vec![Played { checkout: Checkout::every()[0], count, metrics: vec![] }]
    }

    #[test]
    fn a_limit_that_is_raised_makes_the_next_one_bind() {
        let mut settings = Settings::of_project().unwrap();
        let first = |settings: &Settings| {
            let parts = parts(&played(), settings);
            let part = binding(&parts, Owner::Aws).unwrap();
            (part.name, part.carries(part.most))
        };
        assert_eq!(first(&settings), ("API Gateway", 200));
        settings.set("api_requests_per_second=14249").unwrap();
        assert_eq!(first(&settings), ("API Gateway", 284));
        settings.set("api_requests_per_second=14300").unwrap();
        assert_eq!(first(&settings), ("the index of due tasks", 285));
        settings.set("partition_write_units=1005").unwrap();
        assert_eq!(first(&settings), ("API Gateway", 286));
    }

    #[test]
    fn what_is_needed_is_enough_and_one_less_is_not() {
        for part in parts(&played(), &Settings::of_project().unwrap()) {
            let mut enough = part.clone();
            enough.there = part.needed(500);
            assert!(enough.carries(part.most) >= 500, "{}", part.name);
            enough.there -= 1;
            assert!(enough.carries(part.most) < 500, "{}", part.name);
        }
    }

    #[test]
    fn what_a_run_of_settle_takes_is_what_its_code_says() {
        let settings = Settings::of_project().unwrap();
        let begins_s = u64::from(FUNCTION_TIMEOUT_S_MAX) - TASK_TIME.as_secs();
        for (name, of_code) in [
            ("settle_tasks_at_once", u64::try_from(CONCURRENCY_MAX).unwrap()),
            ("settle_run_s", begins_s),
            ("settle_tasks_of_shard", u64::from(PAGE_LEN * PAGES_MAX)),
        ] {
            assert_eq!(settings.limit(name), of_code, "{name}");
        }
    }

    #[test]
    fn the_schedule_is_bound_by_its_time_or_by_the_tasks_that_a_run_takes_of_a_shard() {
        let mut settings = Settings::of_project().unwrap();
        for (task_ms, carried) in [("300", 35), ("161", 66), ("160", 66), ("24", 66), ("600", 17)] {
            settings.set(&format!("task_ms={task_ms}")).unwrap();
            assert_eq!(tasks_by_schedule(&settings), carried, "{task_ms}");
        }
        settings.set("task_ms=161").unwrap();
        settings.set("settle_tasks_of_shard=1200").unwrap();
        assert_eq!(tasks_by_schedule(&settings), 66);
        settings.set("task_ms=24").unwrap();
        assert_eq!(tasks_by_schedule(&settings), 80);
    }
}
