//! The `settle` worker on the laptop: woken by writes, as by the table's stream, and by the clock.

use std::sync::Arc;
use std::time::Duration;

use embedded::writes::WriteEvent;
use runtime::deps::Deps;
use serde_json::Value;
use settle::{due_task, run_due, run_task};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use crate::dispatch::work_as;

/// The function that the worker is on AWS.
pub const SETTLE: &str = "settle";
/// How often missed work is looked for; a minute on AWS.
pub const SCHEDULE: Duration = Duration::from_secs(1);

/// Starts the worker. It ends with its handle's abort.
#[must_use]
pub fn start(deps: Arc<Deps>, writes: Receiver<WriteEvent>) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(follow_writes(&deps, writes), work_as(SETTLE, follow_clock(&deps)));
    })
}

async fn follow_writes(deps: &Arc<Deps>, mut writes: Receiver<WriteEvent>) {
    loop {
        match writes.recv().await {
            Ok(event) => {
                let image = Value::Object(event.image);
                if let Some(due) = due_task(&image, deps.now()) {
                    let deps = Arc::clone(deps);
                    tokio::spawn(work_as(SETTLE, async move {
                        if let Err(problem) = run_task(&deps, &due).await {
                            tracing::warn!(?problem, "task not run");
                        }
                    }));
                }
            }
            // What was missed is found by the schedule.
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "writes missed"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn follow_clock(deps: &Deps) {
    loop {
        tokio::time::sleep(SCHEDULE).await;
        if let Err(problem) = run_due(deps).await {
            tracing::warn!(?problem, "due tasks not read");
        }
    }
}
