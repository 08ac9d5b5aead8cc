//! What the checkouts' figures look like in the page.

use std::fmt::Write as _;
use std::time::Duration;

use crate::checkouts::customer::{CheckedOut, Flow};
use crate::checkouts::run::Run;
use crate::figures::Figures;

/// The tables: each load, each step, and where the time of one customer goes.
#[must_use]
pub fn shown(runs: &[Run], customers: &[usize]) -> String {
    format!(
        "### Whole checkouts\n\n{}\n### Step by step\n\n{}\n### Where the time goes\n\n{}",
        loads(runs, customers),
        steps(runs, customers),
        parts(runs)
    )
}

fn of(runs: &[Run], flow: Flow, customers: usize) -> Vec<&Run> {
    let wanted = |run: &&Run| run.load.flow == flow && run.load.customers == customers;
    runs.iter().filter(wanted).collect()
}

fn loads(runs: &[Run], customers: &[usize]) -> String {
    let mut table = "| flow | customers at once | checkouts | checkouts/s | p50 ms | p99 ms | \
                     calls each | the store alone, checkouts/s | its share of the time |\n\
                     | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for flow in Flow::EVERY {
        for customers in customers {
            let runs = of(runs, flow, *customers);
            let Some(load) = runs.first().map(|run| run.load) else { continue };
            let whole = milliseconds(&runs, |one| one.whole);
            let figures =
                |value: fn(&Run) -> f64| Figures::of(runs.iter().map(|it| value(it)).collect());
            let rate = figures(|run| run.load.checkouts as f64 / run.whole.as_secs_f64());
            let bare = figures(|run| run.load.checkouts as f64 / run.bare.as_secs_f64());
            let share = figures(|run| run.bare.as_secs_f64() / run.whole.as_secs_f64());
            let calls = figures(|run| run.calls as f64 / run.load.checkouts as f64);
            let _ = writeln!(
                table,
                "| `{}` | {customers} | {} × {} | {} | {:.1} | {:.1} | {:.1} | {} | {} |",
                flow.name(),
                runs.len(),
                load.checkouts,
                rate.shown(0),
                whole.median(),
                whole.quantile(0.99),
                calls.median(),
                bare.shown(0),
                share.shown(2),
            );
        }
    }
    table
}

fn steps(runs: &[Run], customers: &[usize]) -> String {
    let mut table = "| flow | step |".to_owned();
    for customers in customers {
        let _ = write!(table, " {customers} at once: p50 ms | p99 ms |");
    }
    let _ = writeln!(table, "\n| --- | --- |{}", " --- | --- |".repeat(customers.len()));
    for flow in Flow::EVERY {
        for (at, step) in flow.steps().iter().enumerate() {
            let _ = write!(table, "| `{}` | {} |", flow.name(), step.name());
            for customers in customers {
                let took = milliseconds(&of(runs, flow, *customers), |one| one.steps[at]);
                let _ = write!(table, " {:.1} | {:.1} |", took.median(), took.quantile(0.99));
            }
            table.push('\n');
        }
    }
    table
}

/// Only where one customer buys alone do the parts of a checkout follow one after the other.
fn parts(runs: &[Run]) -> String {
    let mut table = "| flow, one customer | whole ms | store | gateway | HTTP | the rest |\n\
                     | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for flow in Flow::EVERY {
        let parts: Vec<[f64; 5]> = of(runs, flow, 1).into_iter().map(mean_parts_ms).collect();
        let _ = write!(table, "| `{}` |", flow.name());
        for at in 0..5 {
            let part = Figures::of(parts.iter().map(|parts| parts[at]).collect());
            let _ = write!(table, " {} |", part.shown(2));
        }
        table.push('\n');
    }
    table
}

/// What a checkout took on average: all of it, and its parts.
fn mean_parts_ms(run: &Run) -> [f64; 5] {
    let checkouts = run.load.checkouts as f64;
    let mean = |sum: Duration| sum.as_secs_f64() * 1e3 / checkouts;
    let whole = mean(run.checked_out.iter().map(|one| one.whole).sum());
    let (store, gateway) = (mean(run.store), mean(run.gateway));
    let http = run.empty_request.as_secs_f64() * 1e3 * f64::from(run.load.flow.requests());
    [whole, store, gateway, http, whole - store - gateway - http]
}

fn milliseconds(runs: &[&Run], took: impl Fn(&CheckedOut) -> Duration) -> Figures {
    let every = runs.iter().flat_map(|run| &run.checked_out);
    Figures::of(every.map(|one| took(one).as_secs_f64() * 1e3).collect())
}
