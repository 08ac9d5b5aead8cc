//! `settle`: the work that happens later. It refunds, closes and asks, from the table's stream at
//! once and from a schedule for what was missed.
//!
//! It has no rules of its own: what a gateway answers goes through the same decisions as what a
//! notification tells. Running a task twice is harmless.

mod close;
mod pace;
mod query;
mod refund;

use std::time::Duration;

use api::problem::Problem;
use domain::attention::{Attention, MANY_TRIES};
use domain::gateway::GatewayName;
use domain::quote::after;
use domain::task::{TRIES_AFRESH, Task, TaskKind};
use futures_util::StreamExt;
use jiff::Timestamp;
use runtime::deps::Deps;
use runtime::news::count_raised;
use runtime::serve::cause_of;
use runtime::telemetry::{Metric, measure, task_span};
use runtime::transport::GATEWAY_TIMEOUT;
use serde::Deserialize;
use serde_json::Value;
use store::schema::{DUE_AT, DUE_SHARDS, Key, PK, SK, TASK};
use store::tasks::DueTask;
use tracing::Instrument;

use crate::pace::{Gateways, Run};

/// How long a claimed task is nobody else's, in seconds: longer than any function runs.
pub const LEASE_S: u32 = 60;
/// The longest wait between two tries, in seconds.
pub const BACKOFF_S_MAX: u32 = 3_600;
/// After how many tries a person should look. Work goes on all the same.
pub const TRIES_UNTIL_ATTENTION: u32 = 10;
/// For how long it is no failure that a gateway is called too often, in seconds since what a task
/// works on was made or has moved. From then on each refusal is a try like any other: so a gateway
/// that never says anything else is told to a person.
pub const PATIENCE_S: i64 = 86_400;
/// How many tasks are read from a shard at once.
pub const PAGE_LEN: u32 = 25;
/// How many pages of a shard one run works through.
pub const PAGES_MAX: u32 = 40;
/// How many tasks of a shard are worked on at the same time.
pub const CONCURRENCY_MAX: usize = 8;
/// How many tasks of a gateway are worked off at the same time, of those that were kept: as many as
/// are worked on in all shards.
const WORKED_OFF_MAX: usize = 32;

/// How much time there must be to begin a task: for a gateway that does not answer, and for what is
/// written then.
pub const TASK_TIME: Duration = GATEWAY_TIMEOUT.saturating_add(Duration::from_secs(2));

/// What became of one run of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Not yet: again after a longer wait each time.
    Retry,
    /// The same, and not before then.
    RetryFrom(Timestamp),
    /// Nothing went wrong, but it is not time yet. Spends no try.
    Wait(Timestamp),
    /// The gateway is called too often: not before then. Spends no try.
    TooOften(Timestamp),
    /// Not begun, and kept for a later part of the run.
    Kept,
    /// The world has moved on: from the start, at once.
    Restart,
}

/// Runs one due task, if nobody else has it. `true` if it was run.
///
/// # Errors
/// [`Problem`] of the store while claiming or putting off; the lease then brings it back.
/// [`Problem::OutOfTime`] if the time was too short to begin it, or up before it was done.
pub async fn run_task(deps: &Deps, due: &DueTask) -> Result<bool, Problem> {
    begin(Run::hasty(deps, &Gateways::default()), due).await
}

async fn begin(run: Run<'_>, due: &DueTask) -> Result<bool, Problem> {
    in_time(run.deps, claim_and_run(run, due)).await
}

/// Does what a task needs, if there is time to begin it.
async fn in_time<T>(
    deps: &Deps,
    work: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let now = deps.now();
    if !deps.deadline.leaves(TASK_TIME, now) {
        return Err(Problem::OutOfTime);
    }
    deps.deadline.within(now, work).await.unwrap_or(Err(Problem::OutOfTime))
}

async fn claim_and_run(run: Run<'_>, due: &DueTask) -> Result<bool, Problem> {
    let deps = run.deps;
    let lease_end = after(deps.now(), LEASE_S);
    let Some(task) = deps.store.claim_task(due, lease_end).await? else { return Ok(false) };
    let age_ms = deps.now().as_millisecond().saturating_sub(due.due_at_ms);
    let age_s = age_ms.checked_div(1_000).unwrap_or_default();
    measure(&[(Metric::TaskAge, age_s)], &[("task", task.kind.as_str())]);
    let span = task_span(&task);
    run_claimed(run, &task).instrument(span).await?;
    Ok(true)
}

async fn run_claimed(run: Run<'_>, task: &Task) -> Result<(), Problem> {
    let deps = run.deps;
    let outcome = match work(run, task).await {
        Ok(outcome) => outcome,
        Err(problem) => {
            log_failure(&problem, "task failed");
            Outcome::Retry
        }
    };
    let next = match outcome {
        Outcome::Done => return Ok(deps.store.finish_task(task).await?),
        Outcome::Retry => return put_off(deps, task, later(deps, task)).await,
        Outcome::RetryFrom(earliest) => {
            let next = later(deps, task);
            let next = Task { due_at: next.due_at.max(earliest), ..next };
            return put_off(deps, task, next).await;
        }
        Outcome::Wait(until) => untried(task, until),
        // It was begun all the same: a refund asks before it repeats.
        Outcome::TooOften(until) => Task {
            due_at: until,
            tries: task.tries.saturating_sub(1).max(TRIES_AFRESH),
            ..task.clone()
        },
        Outcome::Kept => return Ok(()),
        Outcome::Restart => Task { due_at: deps.now(), tries: TRIES_AFRESH, ..task.clone() },
    };
    Ok(deps.store.put_off_task(task, &next).await?)
}

/// The same task, due then, as if it had not been begun.
fn untried(task: &Task, due_at: Timestamp) -> Task {
    Task { due_at, tries: task.tries.saturating_sub(1), ..task.clone() }
}

fn log_failure(problem: &Problem, what: &str) {
    let (_, code) = problem.spec();
    tracing::warn!(code, cause = cause_of(problem), "{what}");
}

async fn work(run: Run<'_>, task: &Task) -> Result<Outcome, Problem> {
    match &task.kind {
        TaskKind::Refund { payment_id, transaction_id, .. } => {
            refund::run(run, task, payment_id, transaction_id).await
        }
        TaskKind::ClosePayment { payment_id } => close::run(run, task, payment_id).await,
        TaskKind::QueryPayment { payment_id, .. } => query::run(run, task, payment_id).await,
    }
}

/// Puts a task off that did not come to its end; flagged when there were many tries.
async fn put_off(deps: &Deps, task: &Task, mut next: Task) -> Result<(), Problem> {
    if task.tries < TRIES_UNTIL_ATTENTION || task.attention.is_some() {
        return Ok(deps.store.put_off_task(task, &next).await?);
    }
    let is_raised = match &task.kind {
        // The refund's own record says it, and clears it when its money is back.
        TaskKind::Refund { payment_id, transaction_id, .. } => {
            refund::flag(deps, task, payment_id, transaction_id).await
        }
        TaskKind::ClosePayment { .. } | TaskKind::QueryPayment { .. } => Ok(false),
    };
    match is_raised {
        Ok(true) => {
            next.attention = Some(MANY_TRIES.to_owned());
            deps.store.put_off_task(task, &next).await?;
        }
        Ok(false) => {
            next.attention = Some(MANY_TRIES.to_owned());
            let raised = Attention::of_task(task, deps.now());
            count_raised(std::slice::from_ref(&raised));
            deps.store.flag_task(task, &next, &raised).await?;
        }
        Err(problem) => {
            // Without its flag the task is flagged at its next try.
            log_failure(&problem, "refund not flagged");
            deps.store.put_off_task(task, &next).await?;
        }
    }
    Ok(())
}

/// The same task after a jittered wait that doubles with each try.
fn later(deps: &Deps, task: &Task) -> Task {
    let longest_s = 2_u32.checked_pow(task.tries).unwrap_or(BACKOFF_S_MAX).min(BACKOFF_S_MAX);
    let [draw, ..] = deps.fresh();
    let wait = jittered(Duration::from_secs(longest_s.into()), draw);
    Task { due_at: pace::after(deps.now(), wait), ..task.clone() }
}

/// Half of the longest wait, and a random part of the other half.
fn jittered(longest: Duration, draw: u8) -> Duration {
    let parts = u32::from(draw).saturating_add(255);
    longest.saturating_mul(parts).checked_div(510).unwrap_or_default()
}

/// Runs every task that is due, all shards side by side: what one gateway holds up does not keep
/// the others' tasks waiting. What a gateway does not take so fast is kept until all else is done,
/// and then worked off at its pace, as far as there is time. Answers how many were claimed.
///
/// # Errors
/// [`Problem`] if a shard cannot be read; what was run is done all the same.
pub async fn run_due(deps: &Deps) -> Result<u64, Problem> {
    let gateways = Gateways::default();
    let run = Run::keeping(deps, &gateways);
    let shards: Vec<_> = (0..DUE_SHARDS).map(|shard| run_shard(run, shard)).collect();
    let shards = futures_util::future::join_all(shards).await;
    work_off(run).await;
    let mut ran = 0_u64;
    for shard in shards {
        ran = ran.saturating_add(shard?);
    }
    Ok(ran)
}

/// Runs what was kept, all gateways side by side; what there is no time for is given back.
async fn work_off(run: Run<'_>) {
    let (run, kept) = run.working_off();
    let gateways = kept.iter().map(|(name, tasks)| {
        let runs: Vec<_> = tasks.iter().map(|task| run_kept(run, name, task)).collect();
        futures_util::stream::iter(runs).buffered(WORKED_OFF_MAX).collect::<Vec<_>>()
    });
    futures_util::future::join_all(gateways).await;
}

async fn run_kept(run: Run<'_>, name: &GatewayName, task: &Task) {
    let deps = run.deps;
    let ran = match run.put_off_until(name, task) {
        Some(until) => {
            let next = untried(task, until);
            deps.store.put_off_task(task, &next).await.map_err(Problem::from)
        }
        None => in_time(deps, run_claimed(run, task)).instrument(task_span(task)).await,
    };
    if let Err(problem) = ran {
        // Its lease brings it back.
        log_failure(&problem, "kept task not run");
    }
}

async fn run_shard(run: Run<'_>, shard: u32) -> Result<u64, Problem> {
    let deps = run.deps;
    let mut ran = 0_u64;
    for _ in 0..PAGES_MAX {
        let due = deps.store.due_tasks(shard, deps.now(), PAGE_LEN).await?;
        let full = due.len() >= usize::try_from(PAGE_LEN).unwrap_or(usize::MAX);
        let runs = begin_all(run, &due).await;
        let done = runs.iter().filter(|run| matches!(run, Ok(true))).count();
        ran = ran.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        if !full || done == 0 {
            break;
        }
    }
    Ok(ran)
}

/// Runs tasks side by side; the results are in their order. What there is no time for is left to
/// the next run.
pub async fn run_all(deps: &Deps, due: &[DueTask]) -> Vec<Result<bool, Problem>> {
    begin_all(Run::hasty(deps, &Gateways::default()), due).await
}

async fn begin_all(run: Run<'_>, due: &[DueTask]) -> Vec<Result<bool, Problem>> {
    let begin = async |one| {
        let ran = begin(run, one).await;
        ran.inspect_err(|problem| log_failure(problem, "task not run"))
    };
    let runs: Vec<_> = due.iter().map(begin).collect();
    futures_util::stream::iter(runs).buffered(CONCURRENCY_MAX).collect().await
}

/// A batch of the table's stream, as far as it is looked at.
#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records", default)]
    records: Vec<StreamRecord>,
}

#[derive(Deserialize)]
struct StreamRecord {
    dynamodb: StreamImages,
}

#[derive(Deserialize)]
struct StreamImages {
    #[serde(rename = "NewImage")]
    new_image: Option<Value>,
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
}

/// Handles an event of either kind. A stream's answer names the records to deliver again.
///
/// # Errors
/// [`Problem`] if the schedule's run could not read a shard.
pub async fn handle_event(deps: &Deps, event: Value) -> Result<Value, Problem> {
    let stream: Option<StreamEvent> = serde_json::from_value(event).ok();
    let records = stream.map(|stream| stream.records).unwrap_or_default();
    if records.is_empty() {
        let ran = run_due(deps).await?;
        return Ok(serde_json::json!({ "ran": ran }));
    }
    let now = deps.now();
    let shown = records.iter().filter_map(|record| {
        let due = due_task(record.dynamodb.new_image.as_ref()?, now)?;
        Some((due, record.dynamodb.sequence_number.as_str()))
    });
    let (due, numbers): (Vec<DueTask>, Vec<&str>) = shown.unzip();
    let runs = run_all(deps, &due).await;
    let failed = runs.iter().zip(numbers).filter(|(run, _)| run.is_err());
    let failed = failed.map(|(_, number)| serde_json::json!({ "itemIdentifier": number }));
    Ok(serde_json::json!({ "batchItemFailures": failed.collect::<Vec<_>>() }))
}

/// The task that a stream's image shows, if it is due.
#[must_use]
pub fn due_task(image: &Value, now: Timestamp) -> Option<DueTask> {
    let text = |name: &str| image.get(name)?.get("S")?.as_str().map(str::to_owned);
    let sk = text(SK).filter(|sk| sk.starts_with(TASK))?;
    let due_at_ms: i64 = image.get(DUE_AT)?.get("N")?.as_str()?.parse().ok()?;
    let due = due_at_ms <= now.as_millisecond();
    let key = Key { pk: text(PK)?, sk };
    due.then_some(DueTask { key, due_at_ms })
}
