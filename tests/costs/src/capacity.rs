//! How much the design carries: counted units held against stated limits.

use std::fmt::Write as _;

use settle::{CONCURRENCY_MAX, PAGE_LEN, PAGES_MAX};
use store::schema::DUE_SHARDS;

use crate::count::Count;
use crate::play::{Kind, Played};
use crate::settings::Settings;

/// Milliseconds in a second.
const SECOND_MS: u64 = 1_000;
/// Read units of a page that asks for its booking with the tag that it knows: docs/limits.md.
const POLL_READ_UNITS: u64 = 1;
/// Calls to the table of a decision that is not raced: a read and a commit.
const DECISION_CALLS: u64 = 2;
/// Calls to the table of a task that closes a code: claim, read, commit, finish.
const TASK_CALLS: u64 = 4;
/// Write units in the index of a task from its claim to its end: it moves, and it goes. Each move
/// is a deletion and a put.
const TASK_INDEX_UNITS: u64 = 3;

/// What a limit allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed {
    /// What ends there, as the table names it.
    pub limit: &'static str,
    /// How many a second.
    pub a_second: u64,
    /// What to change to get more.
    pub change: &'static str,
}

/// The limit that is reached first.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn binding(allowed: &[Allowed]) -> &Allowed {
    allowed.iter().min_by_key(|one| one.a_second).expect("there are limits")
}

/// How many milliseconds functions are in use for a checkout, all together.
fn busy_ms(count: &Count, settings: &Settings) -> u64 {
    let calls = count.store_calls * settings.assume("store_call_ms");
    let gateway = count.gateway_calls * settings.assume("gateway_call_ms");
    count.invocations() * settings.assume("handler_ms") + calls + gateway
}

/// How many checkouts of this kind each limit of an account allows, many bookings together.
#[must_use]
pub fn checkouts(count: &Count, settings: &Settings) -> Vec<Allowed> {
    let shards = u64::from(DUE_SHARDS) * settings.limit("partition_write_units_s");
    let at_once_ms = settings.limit("functions_at_once") * SECOND_MS;
    vec![
        Allowed {
            limit: "requests",
            a_second: settings.limit("api_requests_s") / count.api_requests.max(1),
            change: "poll more slowly, or a quota of API Gateway",
        },
        Allowed {
            limit: "functions at once",
            a_second: at_once_ms / busy_ms(count, settings).max(1),
            change: "a quota of Lambda",
        },
        Allowed {
            limit: "the table",
            a_second: settings.limit("table_write_units_s") / count.write_units.max(1),
            change: "a quota of DynamoDB, and warm throughput",
        },
        Allowed {
            limit: "the index",
            a_second: shards / count.index_write_units.max(1),
            change: "`DUE_SHARDS`",
        },
        Allowed {
            limit: "a gateway",
            a_second: settings.limit("gateway_calls_s") / count.gateway_calls.max(1),
            change: "ask the gateway, or offer a second one",
        },
    ]
}

/// How many due tasks each limit lets the schedule alone work off.
#[must_use]
pub fn tasks(settings: &Settings) -> Vec<Allowed> {
    let shards = u64::from(DUE_SHARDS);
    let (run_s, every_s) = (settings.limit("schedule_run_s"), settings.limit("schedule_every_s"));
    let one_ms = TASK_CALLS * settings.assume("store_call_ms") + settings.assume("gateway_call_ms");
    let side_by_side = shards * u64::try_from(CONCURRENCY_MAX).unwrap_or(u64::MAX);
    let of_a_run = shards * u64::from(PAGE_LEN) * u64::from(PAGES_MAX);
    vec![
        Allowed {
            limit: "time of a run",
            a_second: side_by_side * run_s * SECOND_MS / one_ms.max(1) / every_s.max(1),
            change: "`CONCURRENCY_MAX`",
        },
        Allowed {
            limit: "tasks of a run",
            a_second: of_a_run / every_s.max(1),
            change: "`PAGES_MAX`",
        },
        Allowed {
            limit: "the index",
            a_second: shards * settings.limit("partition_write_units_s") / TASK_INDEX_UNITS,
            change: "`DUE_SHARDS`",
        },
        Allowed {
            limit: "a gateway",
            a_second: settings.limit("gateway_calls_s"),
            change: "ask the gateway",
        },
    ]
}

/// How many windows may poll one booking, by its partition's reads.
#[must_use]
pub fn windows(settings: &Settings) -> u64 {
    let polls_a_second = settings.limit("partition_read_units_s") / POLL_READ_UNITS;
    polls_a_second * settings.assume("poll_every_s")
}

/// How many orders a second one booking can have, one writer after the other.
#[must_use]
pub fn orders_by_lock(settings: &Settings) -> u64 {
    let one_ms = DECISION_CALLS * settings.assume("store_call_ms") + settings.assume("handler_ms");
    SECOND_MS / one_ms.max(1)
}

/// The tables of docs/scaling.md that say what the design carries.
#[must_use]
pub fn tables(played: &[Played], settings: &Settings) -> String {
    let renewals = played.iter().filter(|one| one.checkout.kind == Kind::Renewal);
    let renewals: Vec<&Played> = renewals.collect();
    format!(
        "Checkouts a second that each limit of an account allows, many bookings together:\n\n{}\n\
         One booking, and due tasks that the schedule alone works off:\n\n{}\n\
         What {} checkouts a second need:\n\n{}",
        carried(&renewals, settings),
        one_booking_and_tasks(settings),
        settings.assume("checkouts_per_second"),
        needed(&renewals, settings),
    )
}

fn carried(played: &[&Played], settings: &Settings) -> String {
    let mut table = "| checkout |".to_owned();
    let heads = played.first().map(|one| checkouts(&one.count, settings)).unwrap_or_default();
    for Allowed { limit, .. } in &heads {
        let _ = write!(table, " {limit} |");
    }
    let rules = " --- |".repeat(heads.len());
    let _ = writeln!(table, " ends first | to change |\n| --- |{rules} --- | --- |");
    for Played { checkout, count, .. } in played {
        let allowed = checkouts(count, settings);
        let _ = write!(table, "| {checkout} |");
        for Allowed { a_second, .. } in &allowed {
            let _ = write!(table, " {a_second} |");
        }
        let Allowed { limit, change, .. } = binding(&allowed);
        let _ = writeln!(table, " {limit} | {change} |");
    }
    table
}

fn one_booking_and_tasks(settings: &Settings) -> String {
    let mut table =
        "| what | limit | carries | to change |\n| --- | --- | --- | --- |\n".to_owned();
    let _ = writeln!(
        table,
        "| windows of one booking | its partition's reads | {} that poll every {} s | poll more \
         slowly |",
        windows(settings),
        settings.assume("poll_every_s"),
    );
    let _ = writeln!(
        table,
        "| orders of one booking | one writer at a time | {} a second | nothing: it is one \
         customer's |",
        orders_by_lock(settings),
    );
    let allowed = tasks(settings);
    let first = binding(&allowed).limit;
    for Allowed { limit, a_second, change } in &allowed {
        let ends_first = if *limit == first { ", ends first" } else { "" };
        let _ =
            writeln!(table, "| due tasks | {limit}{ends_first} | {a_second} a second | {change} |");
    }
    table
}

fn needed(played: &[&Played], settings: &Settings) -> String {
    let wanted = settings.assume("checkouts_per_second");
    let partition = settings.limit("partition_write_units_s").max(1);
    let mut table = "| checkout | requests a second | functions at once | write units a second | \
                     partitions of the index | calls to gateways a second |\n\
                     | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for Played { checkout, count, .. } in played {
        let _ = writeln!(
            table,
            "| {checkout} | {} | {} | {} | {} | {} |",
            wanted * count.api_requests,
            (wanted * busy_ms(count, settings)).div_ceil(SECOND_MS),
            wanted * count.write_units,
            (wanted * count.index_write_units).div_ceil(partition),
            wanted * count.gateway_calls,
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{binding, checkouts, orders_by_lock, tasks, windows};
    use crate::count::Count;
    use crate::settings::Settings;

    fn count() -> Count {
        Count {
            api_requests: 10,
            stream_records: 2,
            gateway_calls: 2,
            store_calls: 20,
            write_units: 40,
            index_write_units: 4,
            ..Count::default()
        }
    }

    fn with(changes: &[&str]) -> Settings {
        let mut settings = Settings::of_project().unwrap();
        for change in [
            "store_call_ms=5",
            "gateway_call_ms=200",
            "handler_ms=5",
            "api_requests_s=1000",
            "functions_at_once=56",
            "table_write_units_s=4000",
            "partition_write_units_s=100",
            "gateway_calls_s=200",
        ]
        .iter()
        .chain(changes)
        {
            settings.set(change).unwrap();
        }
        settings
    }

    #[test]
    fn each_limit_allows_what_fits_and_the_tightest_ends_first() {
        let allowed = checkouts(&count(), &with(&[]));
        // A checkout takes 12 * 5 + 20 * 5 + 2 * 200 = 560 ms of functions.
        let each: Vec<u64> = allowed.iter().map(|one| one.a_second).collect();
        assert_eq!(each, [100; 5]);
        for (tighter, name) in [
            ("api_requests_s=999", "requests"),
            ("functions_at_once=55", "functions at once"),
            ("table_write_units_s=3999", "the table"),
            ("partition_write_units_s=99", "the index"),
            ("gateway_calls_s=199", "a gateway"),
        ] {
            let allowed = checkouts(&count(), &with(&[tighter]));
            let first = binding(&allowed);
            assert_eq!((first.limit, first.a_second < 100), (name, true), "{tighter}");
        }
    }

    #[test]
    fn due_tasks_end_at_the_gateway_or_at_the_time_of_a_run_or_at_its_tasks() {
        // 4 shards of 8 at a time for 30 of 60 s, each task 220 ms: 72 a second; and 66 by count.
        let ends = |changes: &[&str]| {
            let allowed = tasks(&with(changes));
            let first = binding(&allowed);
            (first.limit, first.a_second)
        };
        assert_eq!(ends(&["gateway_calls_s=65"]), ("a gateway", 65));
        assert_eq!(ends(&["gateway_calls_s=67"]), ("tasks of a run", 66));
        assert_eq!(ends(&["gateway_call_ms=300"]), ("time of a run", 50));
        assert_eq!(ends(&["partition_write_units_s=45"]), ("the index", 60));
    }

    #[test]
    fn windows_poll_as_the_partition_can_be_read_and_orders_wait_for_each_other() {
        let settings = with(&["partition_read_units_s=3000", "poll_every_s=3"]);
        assert_eq!(windows(&settings), 9_000);
        assert_eq!(orders_by_lock(&settings), 66);
    }
}
