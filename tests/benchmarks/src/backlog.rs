//! `settle` under a backlog: how fast due tasks are worked off, and in which order.
//!
//! The tasks are those of orders that a newer order has voided: each code has to be closed at its
//! gateway. One such order is made by requests; the others are copies of it, put into the store
//! beneath the SDK. The gateway's answer is the simulator's to the first, and is then given by a
//! connector in this process, so that it is the worker that is measured.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::config::system_clock;
use runtime::deadline::Deadline;
use runtime::deps::Deps;
use settle::run_due;
use tests::{Window, World, expect};
use tokio::task::JoinSet;

use crate::figures::Figures;
use crate::part::{Size, on_every_processor};

mod copies;
mod counter;
mod tokenless;

use copies::Model;
use counter::{Counter, Served};
use tokenless::without_tokens;

/// Whose booking the first is.
const CUSTOMER: &str = "1b4e28ba-2fa1-11d2-883f-000000000001";
/// What is booked: its order is made at the quote, its code at the click.
const PRODUCT: &str = "desk-order";
/// Where it is paid: what is asked of Stripe carries no signature, which would be most of the work.
const GATEWAY: &str = "stripe";
/// How long a worker that finds nothing due waits.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a run may take: the function's time-out in `template.yaml`.
const RUN_TIME: Duration = Duration::from_secs(30);
/// How often all workers may look before a backlog counts as stuck.
const LOOKS_MAX: u32 = 200_000;

/// How much is measured.
struct Extent {
    /// Tasks that are drained once.
    many: u32,
    /// By how many workers.
    many_workers: usize,
    /// Tasks that are drained by each number of workers.
    few: u32,
    /// These numbers of workers.
    workers: &'static [usize],
    /// Tasks at a gateway with a limit.
    limited: u32,
    /// Its limit, in calls a second.
    limit: u32,
}

impl Extent {
    const fn of(size: Size) -> Self {
        match size {
            Size::Whole => Self {
                many: 100_000,
                many_workers: 4,
                few: 2_000,
                workers: &[1, 4],
                limited: 1_500,
                limit: 25,
            },
            Size::Sample => Self {
                many: 200,
                many_workers: 2,
                few: 60,
                workers: &[1, 2],
                limited: 60,
                limit: 25,
            },
        }
    }
}

/// A drained backlog.
#[derive(Debug)]
pub struct Drained {
    tasks: u32,
    workers: usize,
    took: Duration,
    /// What the gateway was asked, in its order.
    served: Vec<Served>,
    /// The tasks of all runs together.
    ran: u64,
    /// How many tasks wait for a person.
    raised: usize,
}

impl Drained {
    /// How often the gateway said that it was asked too often.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.served.iter().filter(|served| !served.accepted).count()
    }

    /// How often it closed a code: once for each task, if nothing is done twice.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.served.len() - self.refused()
    }

    /// How far each task was from its turn: by how many tasks it came sooner or later than in the
    /// order in which they were due.
    fn displacements(&self) -> Figures {
        let closed = self.served.iter().filter(|served| served.accepted).map(|it| it.number);
        let apart = closed.enumerate().map(|(place, due)| (place as f64 - f64::from(due)).abs());
        Figures::of(apart.collect())
    }

    /// How often the gateway was called for each task.
    fn calls(&self) -> Figures {
        let mut calls = vec![0.0; self.tasks as usize];
        for served in &self.served {
            calls[served.number as usize] += 1.0;
        }
        Figures::of(calls)
    }
}

/// A stack whose one voided code was copied so often.
struct Backlog {
    world: World,
    counter: Counter,
    model: Model,
}

impl Backlog {
    async fn of(tasks: u32, limit_a_second: Option<u32>) -> Self {
        let counter = Counter::new(system_clock(), limit_a_second);
        let world = World::start_with(|options| {
            options.settle = false;
            // Limits are by the second.
            options.clock = system_clock();
            options.wrap_store = Some(Arc::new(without_tokens));
            options.wrap_gateways = Some(counter.wrap());
        })
        .await;
        let window = void_a_code(&world).await;
        let model = Model::of(&world, &window);
        // The first is closed at the simulator, whose answer stands for the others.
        assert_eq!(run_due(&world.stack.deps).await.unwrap(), 1);
        counter.serve(&model);
        model.add_copies(&world, tasks);
        Self { world, counter, model }
    }

    /// Lets so many workers run until every code is closed.
    async fn drain(self, tasks: u32, workers: usize) -> Drained {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let (deps, counter) = (self.world.stack.deps.clone(), self.counter.clone());
            running.spawn(work(deps, counter, tasks));
        }
        let ran = running.join_all().await.into_iter().sum();
        let took = begun.elapsed();
        let raised = self.model.raised_when_all_closed(&self.world, tasks);
        Drained { tasks, workers, took, served: self.counter.take(), ran, raised }
    }
}

/// A worker: looks for what is due until all is done.
async fn work(deps: Arc<Deps>, counter: Counter, tasks: u32) -> u64 {
    let mut ran = 0;
    for _ in 0..LOOKS_MAX {
        let now = run_due(&deps.until(deadline(&deps))).await.unwrap();
        ran += now;
        if counter.closed() >= tasks as usize && now == 0 {
            return ran;
        }
        if now == 0 {
            tokio::time::sleep(PAUSE).await;
        }
    }
    panic!("the backlog is stuck");
}

/// When a run that begins now is cut off.
fn deadline(deps: &Deps) -> Deadline {
    let end = deps.now().saturating_add(RUN_TIME).unwrap();
    Deadline::of_invocation(u64::try_from(end.as_millisecond()).unwrap(), deps.now())
}

/// A booking whose code was voided by a newer order.
async fn void_a_code(world: &World) -> Window {
    let window = world.booking_under(CUSTOMER, PRODUCT, PRODUCT.get(..8).unwrap()).await;
    let window = window.paying_at(GATEWAY);
    let quoted = expect(201, window.quote(1).await);
    expect(201, window.generate(&quoted).await);
    expect(201, window.quote(2).await);
    window
}

/// Drains a backlog at a gateway that takes whatever comes.
pub async fn drained(tasks: u32, workers: usize) -> Drained {
    Backlog::of(tasks, None).await.drain(tasks, workers).await
}

/// Drains a backlog at a gateway with a limit.
pub async fn drained_at(tasks: u32, workers: usize, limit_a_second: u32) -> Drained {
    Backlog::of(tasks, Some(limit_a_second)).await.drain(tasks, workers).await
}

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let extent = Extent::of(size);
    on_every_processor(async {
        let mut backlogs = vec![];
        for workers in extent.workers {
            backlogs.push(drained(extent.few, *workers).await);
        }
        let many = Backlog::of(extent.many, None).await;
        let limited = Backlog::of(extent.limited, Some(extent.limit)).await;
        let workers = extent.many_workers;
        // At once: at a gateway with a limit, waiting is most of it.
        let (many, limited) =
            tokio::join!(many.drain(extent.many, workers), limited.drain(extent.limited, workers));
        backlogs.push(many);
        format!("{}\n{}", speed_table(&backlogs), limit_table(&limited, extent.limit))
    })
}

fn speed_table(backlogs: &[Drained]) -> String {
    let mut table = String::from(
        "| tasks | workers | tasks/s | as a ratio to one worker | closed | run more than once \
         | from their turn, in tasks: p99, most |\n|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let speed = |drained: &Drained| f64::from(drained.tasks) / drained.took.as_secs_f64();
    for drained in backlogs {
        let Drained { tasks, workers, ran, .. } = drained;
        let (speed, ratio) = (speed(drained), speed(drained) / speed(&backlogs[0]));
        let again = ran - u64::from(*tasks);
        let (closed, apart) = (drained.closed(), drained.displacements());
        let (p99, most) = (apart.quantile(0.99), apart.quantile(1.0));
        let _ = writeln!(
            table,
            "| {tasks} | {workers} | {speed:.0} | {ratio:.2} | {closed} | {again} | {p99}, {most} |"
        );
    }
    table
}

fn limit_table(drained: &Drained, limit: u32) -> String {
    let Drained { tasks, workers, took, raised, .. } = drained;
    let least = f64::from(*tasks) / f64::from(limit);
    let (took, calls) = (took.as_secs_f64(), drained.calls());
    let apart = drained.displacements();
    let mut table = String::from("| at a gateway with a limit | |\n|---|---:|\n");
    for (name, value) in [
        ("tasks", tasks.to_string()),
        ("workers", workers.to_string()),
        ("calls a second that the gateway takes", limit.to_string()),
        ("seconds until all are done", format!("{took:.0}")),
        ("as a ratio to the least that the limit allows", format!("{:.2}", took / least)),
        ("calls that were too many, for each task", {
            format!("{:.2}", drained.refused() as f64 / f64::from(*tasks))
        }),
        ("calls for a task: median, p99, most", {
            let [median, p99, most] = [0.5, 0.99, 1.0].map(|share| calls.quantile(share));
            format!("{median}, {p99}, {most}")
        }),
        ("from their turn, in tasks: median, p99, most", {
            let [median, p99, most] = [0.5, 0.99, 1.0].map(|share| apart.quantile(share));
            format!("{median}, {p99}, {most}")
        }),
        ("tasks that a person is asked to look at", raised.to_string()),
    ] {
        let _ = writeln!(table, "| {name} | {value} |");
    }
    table
}
