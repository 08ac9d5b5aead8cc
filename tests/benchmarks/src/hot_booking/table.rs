//! What the figures of a hot booking look like in the page.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::Figures;
use crate::hot_booking::run::{Lock, Run, Rush};
use crate::plot::{Axis, Chart, Scale};

/// The table: one row for each lock in each setting.
#[must_use]
pub fn shown(runs: &[Run]) -> String {
    let mut table =
        "| each call ms | work ms | windows | lock | runs | all answered ms | 201 | 409 | others \
                     | ms for each order | races lost | waits for the lease \
                     | calls for each order | RRU for each | WRU for each |\n\
                     | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- \
                     | --- | --- |\n"
            .to_owned();
    for rush in rushes(runs) {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.rush == rush).collect();
        let figures =
            |value: fn(&Run) -> f64| Figures::of(runs.iter().map(|it| value(it)).collect());
        let counted = |value: fn(&Run) -> f64| figures(value).median();
        let Rush { lock, windows, waits } = rush;
        let _ = writeln!(
            table,
            "| {} | {} | {windows} | {} | {} | {} | {} | {} | {} | {:.1} | {} | {} | {:.1} | {:.1} \
             | {:.1} |",
            waits.call.as_millis(),
            waits.work.as_millis(),
            lock.name(),
            runs.len(),
            figures(took_ms).shown(0),
            counted(|run| run.orders() as f64),
            counted(|run| run.answered(409) as f64),
            counted(others),
            counted(|run| took_ms(run) / run.orders() as f64),
            counted(|run| run.races_lost as f64),
            counted(|run| run.leases_refused as f64),
            counted(|run| run.billed.calls as f64 / run.orders() as f64),
            counted(|run| run.billed.read_half_units as f64 / 2.0 / run.orders() as f64),
            counted(|run| run.billed.write_units as f64 / run.orders() as f64),
        );
    }
    table
}

/// Each setting once, in the order of the runs.
fn rushes(runs: &[Run]) -> Vec<Rush> {
    let mut rushes = vec![];
    for run in runs {
        if !rushes.contains(&run.rush) {
            rushes.push(run.rush);
        }
    }
    rushes
}

/// Windows that were answered with neither an order nor a lost race.
fn others(run: &Run) -> f64 {
    (run.statuses.values().sum::<u64>() - run.orders() - run.answered(409)) as f64
}

fn took_ms(run: &Run) -> f64 {
    run.took.as_secs_f64() * 1e3
}

/// The time until all have an answer by the number of windows, where each call takes this long.
#[must_use]
pub fn chart(runs: &[Run], call: Duration) -> Chart {
    let across = Axis { name: "windows at once", scale: Scale::Log };
    let up = Axis { name: "ms until all have an answer", scale: Scale::Log };
    let title = format!("One booking, {} ms for each call", call.as_millis());
    let mut chart = Chart::new(&title, across, up);
    let rushes: Vec<Rush> = rushes(runs).into_iter().filter(|it| it.waits.call == call).collect();
    let mut works: Vec<Duration> = rushes.iter().map(|rush| rush.waits.work).collect();
    works.dedup();
    for work in works {
        for lock in Lock::EVERY {
            let name = format!("{}, {} ms of work", lock.name(), work.as_millis());
            let wanted = rushes.iter().filter(|it| it.waits.work == work && it.lock == lock);
            let points = wanted.map(|rush| {
                let took = runs.iter().filter(|run| run.rush == *rush).map(took_ms);
                (rush.windows as f64, Figures::of(took.collect()).median())
            });
            chart = chart.line(&name, points.collect());
        }
    }
    chart
}
