//! Each function against a floor with the same calls: cold, warm, memory, size.

mod case;
mod recorder;
mod subject;
mod table;

use std::path::PathBuf;

use local::lambda::{Environment, STORE_URL};
use sandbox::sandbox::Function;
use serde_json::Value;
use tests::{World, for_binaries};

use crate::functions::case::{Case, EVERY};
use crate::functions::recorder::Recorder;
use crate::functions::subject::{Cold, Warm, start, zipped_len};
use crate::functions::table::{Measured, shown};
use crate::part::Size;

/// Names the folder of the functions' binaries, as `cargo lambda build` leaves them.
const FUNCTIONS: &str = "LATCHPAY_FUNCTIONS";
/// Names the folder of the floor's binaries.
const FLOOR: &str = "LATCHPAY_FLOOR";
/// Names the recording that the floor plays.
const FLOOR_CALLS: &str = "FLOOR_CALLS";

/// How often each thing is measured.
#[derive(Clone, Copy)]
struct Rounds {
    cold: usize,
    warm: usize,
    /// Calls at first that are not counted, while connections and caches are made.
    unheeded: usize,
}

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let rounds = match size {
        Size::Whole => Rounds { cold: 15, warm: 200, unheeded: 20 },
        Size::Sample => Rounds { cold: 1, warm: 3, unheeded: 1 },
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let mut measured = vec![];
        for case in EVERY {
            measured.push(compare(case, rounds).await?);
        }
        shown(&measured)
    })
}

/// What is compared: ours, the floor, the floor once more, and what only says hello.
struct Subjects([Function; 4]);

impl Subjects {
    fn of(case: Case, environment: &Environment, recording: PathBuf) -> Result<Self, String> {
        let folder = |name: &str| {
            let folder = std::env::var_os(name).map(PathBuf::from);
            folder.ok_or_else(|| format!("{name} names no folder of binaries: use `make bench`"))
        };
        let ours = Function::below(&folder(FUNCTIONS)?, case.function, environment.variables());
        let mut variables = environment.variables();
        variables.push((FLOOR_CALLS.into(), recording.into()));
        let floor = |name: &str, binary: &str| -> Result<Function, String> {
            let bootstrap = folder(FLOOR)?.join(binary);
            Ok(Function { name: name.to_owned(), bootstrap, environment: variables.clone() })
        };
        Ok(Self([
            ours,
            floor("floor", "floor")?,
            floor("again", "floor")?,
            floor("hello", "hello")?,
        ]))
    }
}

async fn compare(case: Case, rounds: Rounds) -> Result<Measured, String> {
    // A store of its own for each function: the embedded one slows down as a run goes on.
    let world = World::start_with(|options| {
        options.settle = false;
        for_binaries(options);
    })
    .await;
    let environment = world.stack.environment.clone().ok_or("the store has no port")?;
    let recording = std::env::temp_dir().join(format!("floor-{}.json", std::process::id()));
    let calls = record(case, &world, &environment, &recording).await?;
    let subjects = Subjects::of(case, &environment, recording.clone())?;
    let mut measured =
        Measured { function: case.function, what: case.what, calls, ..Measured::default() };
    for at in [0, 1, 3] {
        measured.zip_len[at] = zipped_len(&subjects.0[at].bootstrap)?;
    }
    let mut warm = vec![];
    for _ in 0..rounds.cold {
        warm.clear();
        for (at, subject) in subjects.0.iter().enumerate() {
            let (cold, process) = start(subject, &case.event(&world).await).await?;
            let Cold { wall_ms, cpu_ms } = cold;
            measured.cold_ms[at].push(wall_ms);
            measured.cold_cpu_ms[at].push(cpu_ms);
            warm.push(process);
        }
    }
    alternate(case, &world, &subjects, &mut warm, rounds, &mut measured).await?;
    for (at, process) in warm.iter().enumerate() {
        measured.peak_mib[at] = process.peak_mib()?;
    }
    std::fs::remove_file(recording).map_err(|error| error.to_string())?;
    Ok(measured)
}

/// Calls each of them in turn.
async fn alternate(
    case: Case,
    world: &World,
    subjects: &Subjects,
    warm: &mut [Warm],
    rounds: Rounds,
    measured: &mut Measured,
) -> Result<(), String> {
    for round in 0..rounds.unheeded + rounds.warm {
        for (at, process) in warm.iter_mut().enumerate() {
            let event = case.event(world).await;
            let before_ms = process.cpu_ms()?;
            let us = process.answer(&subjects.0[at], &event).await?;
            if round >= rounds.unheeded {
                measured.warm_us[at].push(us);
                measured.warm_cpu_us[at].push((process.cpu_ms()? - before_ms) * 1e3);
            }
        }
    }
    Ok(())
}

/// Has our function answer once with a recorder before the store, and leaves what it asked in a
/// file; answers the operations.
async fn record(
    case: Case,
    world: &World,
    environment: &Environment,
    into: &std::path::Path,
) -> Result<Vec<String>, String> {
    let store = environment.get(STORE_URL).ok_or("the store has no address")?;
    let recorder = Recorder::start(store).await?;
    let watched = environment.clone().with(STORE_URL, recorder.url.clone());
    let ours = &Subjects::of(case, &watched, into.to_owned())?.0[0];
    let event = case.event(world).await;
    start(ours, &event).await?;
    let calls = recorder.calls();
    let recorded = serde_json::json!({ "booking": case::booking(&event), "calls": calls });
    std::fs::write(into, recorded.to_string()).map_err(|error| error.to_string())?;
    let operations = calls.iter().map(|call| call["operation"].as_str().unwrap_or_default());
    Ok(operations.map(str::to_owned).collect())
}

/// The value at a place of an event, as text.
fn text(event: &Value, place: &str) -> String {
    event[place].as_str().unwrap_or_default().to_owned()
}
