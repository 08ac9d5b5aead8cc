//! Each function against a floor with the same calls: cold, warm, memory, size.

pub mod case;
mod recorder;
mod subject;
pub mod table;

use std::path::{Path, PathBuf};

use gateways::wechat_pay;
use local::lambda::{Environment, STORE_URL};
use runtime::config::SECRETS;
use sandbox::sandbox::Function;
use serde_json::{Value, json};
use simulator::wechat_pay::MOUNT_PATH;
use tests::{World, for_binaries};

use crate::functions::case::{Case, EVERY, GREETING};
use crate::functions::recorder::Recorder;
use crate::functions::subject::{Cold, Warm, first_answer, start, zipped_len};
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
        Size::Whole => Rounds { cold: 11, warm: 150, unheeded: 20 },
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
    fn of(
        case: Case,
        environment: &Environment,
        binary: &str,
        recording: &Path,
    ) -> Result<Self, String> {
        let mut variables = environment.variables();
        variables.push((FLOOR_CALLS.into(), recording.into()));
        let folder = folder(FLOOR)?;
        let floor = |name: &str, binary: &str| Function {
            name: name.to_owned(),
            bootstrap: folder.join(binary),
            environment: variables.clone(),
        };
        Ok(Self([
            ours(case, environment)?,
            floor("floor", binary),
            floor("again", binary),
            floor("hello", "hello"),
        ]))
    }

    /// The event that one of them answers next.
    async fn event(&self, case: Case, at: usize, world: &World) -> Value {
        let is_greeted = self.0[at].name == GREETING.function;
        if is_greeted { GREETING.event(world).await } else { case.event(world).await }
    }
}

fn ours(case: Case, environment: &Environment) -> Result<Function, String> {
    Ok(Function::below(&folder(FUNCTIONS)?, case.function, environment.variables()))
}

fn folder(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os(name).map(PathBuf::from);
    folder.ok_or_else(|| format!("{name} names no folder of binaries: use `make bench`"))
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
    let floor = floor_of(case, &calls);
    let subjects = Subjects::of(case, &environment, floor, &recording)?;
    let calls = calls.iter().map(shown_call).collect();
    let mut measured =
        Measured { function: case.function, what: case.what, calls, floor, ..Measured::default() };
    for at in [0, 1, 3] {
        measured.zip_len[at] = zipped_len(&subjects.0[at].bootstrap)?;
    }
    let mut warm = vec![];
    for _ in 0..rounds.cold {
        warm.clear();
        for (at, subject) in subjects.0.iter().enumerate() {
            let event = subjects.event(case, at, &world).await;
            let (cold, process) = start(subject, &event).await?;
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
            let event = subjects.event(case, at, world).await;
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

/// Has our function answer once with a recorder before the store and the gateway, and leaves in a
/// file what the floor needs to do the same; answers the calls.
async fn record(
    case: Case,
    world: &World,
    environment: &Environment,
    into: &Path,
) -> Result<Vec<Value>, String> {
    let store = environment.get(STORE_URL).ok_or("the store has no address")?;
    let recorder = Recorder::start(store, &world.stack.base_url).await?;
    let secrets = environment.get(SECRETS).ok_or("the functions have no secrets")?;
    let mut secrets: Value = serde_json::from_str(secrets).map_err(|error| error.to_string())?;
    let settings = &mut secrets["gateways"][wechat_pay::NAME];
    let merchant = settings.clone();
    settings["base_url"] = json!(format!("{}{MOUNT_PATH}", recorder.gateway_url));
    let watched = environment.clone().with(STORE_URL, recorder.store_url.clone());
    let watched = watched.with(SECRETS, secrets.to_string());
    let event = case.event(world).await;
    let (_, _, answer) = first_answer(&ours(case, &watched)?, &event).await?;
    let (names, calls) = (case::names(&event), recorder.calls());
    let recorded = json!({
        "names": names,
        "calls": calls,
        "answer": answer,
        "merchant": merchant,
    });
    let recorded = numbered_afresh(recorded.to_string(), &names, &calls);
    std::fs::write(into, recorded).map_err(|error| error.to_string())?;
    Ok(calls)
}

/// The recording with the booking in the number of a payment that it creates, so that the floor
/// creates another one for each booking: a number is used once.
fn numbered_afresh(recorded: String, names: &[String], calls: &[Value]) -> String {
    let number_of = |call: &Value| {
        let body: Value = serde_json::from_str(call["body"].as_str()?).ok()?;
        body["out_trade_no"].as_str().map(str::to_owned)
    };
    let (Some(booking), Some(number)) = (names.first(), calls.iter().find_map(number_of)) else {
        return recorded;
    };
    let rest = number.get(booking.len()..).unwrap_or_default();
    recorded.replace(&number, &format!("{booking}{rest}"))
}

/// The binary that makes such calls for such events.
fn floor_of(case: Case, calls: &[Value]) -> &'static str {
    let asks_gateway = calls.iter().any(|call| call.get("operation").is_none());
    if asks_gateway || !case.is_request() { "floor-gateway" } else { "floor" }
}

/// The operation of a call to the table, or that it is one to a gateway.
fn shown_call(call: &Value) -> String {
    call["operation"].as_str().unwrap_or("gateway").to_owned()
}
