//! Many windows that want an order of one booking at once: the version against a lease.

mod lease;
pub mod run;
pub mod slow;
mod table;

use std::time::Duration;

use crate::hot_booking::run::{Lock, Run, Rush, run};
use crate::hot_booking::slow::Waits;
use crate::hot_booking::table::{chart, shown};
use crate::part::{Size, on_every_processor};

/// The picture's name.
const PICTURE: &str = "hot-booking";

/// How long things take, in milliseconds, and how often it is measured.
struct Setting {
    call_ms: u64,
    work_ms: u64,
    rounds: usize,
}

const WHOLE: [Setting; 4] = [
    Setting { call_ms: 0, work_ms: 0, rounds: 3 },
    Setting { call_ms: 5, work_ms: 0, rounds: 3 },
    Setting { call_ms: 5, work_ms: 20, rounds: 1 },
    Setting { call_ms: 5, work_ms: 100, rounds: 1 },
];

const SAMPLE: [Setting; 1] = [Setting { call_ms: 1, work_ms: 1, rounds: 1 }];

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let runs = match size {
        Size::Whole => on_every_processor(all(&WHOLE, &[2, 8, 64])),
        Size::Sample => on_every_processor(all(&SAMPLE, &[2, 4])),
    }?;
    match size {
        Size::Whole => chart(&runs, WHOLE[1].waits().call).write(PICTURE)?,
        Size::Sample => {}
    }
    Ok(shown(&runs))
}

async fn all(settings: &[Setting], windows: &[usize]) -> Vec<Run> {
    let mut runs = vec![];
    for setting in settings {
        for windows in windows {
            for _ in 0..setting.rounds {
                for lock in Lock::EVERY {
                    let rush = Rush { lock, windows: *windows, waits: setting.waits() };
                    runs.push(run(rush).await);
                }
            }
        }
    }
    runs
}

impl Setting {
    fn waits(&self) -> Waits {
        let [call, work] = [self.call_ms, self.work_ms].map(Duration::from_millis);
        Waits { call, work }
    }
}
