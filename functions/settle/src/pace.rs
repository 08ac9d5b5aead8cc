//! A gateway that is called too often is left alone for a while, and then called more slowly.
//!
//! Each run finds the pace that a gateway takes by itself, as sandboxes know nothing of each other:
//! a refusal makes a run slower by a half, and every call that is taken makes it a little faster.
//! So those that call one gateway share its limit, whatever it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::problem::Problem;
use domain::gateway::GatewayName;
use domain::task::Task;
use futures_util::future::BoxFuture;
use gateways::TooOften;
use jiff::Timestamp;
use runtime::deps::Deps;

use crate::{Outcome, PATIENCE_S, TASK_TIME, jittered};

/// How long a gateway is left alone after it was called too often: limits are by the second. It
/// doubles while refusals go on.
const REST_MIN: Duration = Duration::from_secs(1);
/// The longest that it is left alone, and that a task is given back for: the schedule's next run is
/// a minute away.
const REST_MAX: Duration = Duration::from_secs(60);
/// How far apart calls are taken to be when a first one is refused, which was one of many at once:
/// twelve a second.
const GAP_FIRST: Duration = Duration::from_millis(80);
/// The least distance of two calls: below it, a run's bound is how many tasks it has in hand.
const GAP_MIN: Duration = Duration::from_millis(1);
/// The largest distance of two calls.
const GAP_MAX: Duration = Duration::from_secs(10);
/// Each call that is taken raises the pace by one call in this time: by a tenth of a call a second,
/// so that a run which is left alone doubles its pace in some seven seconds.
const GAIN: Duration = Duration::from_secs(10);
/// How long a run works off what it has kept, where no deadline is nearer.
const WORK_OFF_TIME: Duration = Duration::from_secs(20);
/// How many tasks a run keeps: more than it can work off at most paces, and no more than it can put
/// off again. Others are put off at once.
const KEPT_MAX: usize = 1_000;
/// How much time there must be to put off what was kept and not begun.
const PUT_OFF_TIME: Duration = Duration::from_secs(2);
/// How often a task looks whether it is its turn: refusals of earlier calls put it off.
const LOOKS_MAX: u32 = 100;

/// What a run does with a task whose turn has not come.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// It is put off.
    No,
    /// It is kept, claimed as it is.
    Kept,
    /// It waits, and is put off if its turn does not come before then.
    Until(Timestamp),
}

/// A run of the worker, as its tasks see it.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) deps: &'a Deps,
    gateways: &'a Gateways,
    waiting: Waiting,
}

/// What one run knows of the gateways that it called too often.
#[derive(Default)]
pub(crate) struct Gateways {
    paces: Mutex<HashMap<GatewayName, Arc<Gate>>>,
    kept: Mutex<Vec<(GatewayName, Task)>>,
}

/// Where the tasks of one gateway queue.
#[derive(Default)]
struct Gate {
    /// Who has it is next. It is fair: the longest waiting is first.
    queue: tokio::sync::Mutex<()>,
    pace: Mutex<Option<Pace>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateways {
    fn gate(&self, name: &GatewayName) -> Arc<Gate> {
        Arc::clone(lock(&self.paces).entry(name.clone()).or_default())
    }
}

impl<'a> Run<'a> {
    /// A run in which nobody waits.
    pub(crate) fn hasty(deps: &'a Deps, gateways: &'a Gateways) -> Self {
        Self { deps, gateways, waiting: Waiting::No }
    }

    /// A run that keeps tasks whose turn has not come, for [`Run::working_off`].
    pub(crate) fn keeping(deps: &'a Deps, gateways: &'a Gateways) -> Self {
        Self { deps, gateways, waiting: Waiting::Kept }
    }

    /// The same run once it has begun all that it could, and what it has kept until then: by its
    /// gateway, in the order in which it was claimed.
    pub(crate) fn working_off(self) -> (Self, Vec<(GatewayName, Vec<Task>)>) {
        let now = self.deps.now();
        let needed = TASK_TIME.saturating_add(PUT_OFF_TIME);
        let left = self.deps.deadline.time_left(now);
        let left = left.map_or(WORK_OFF_TIME, |left| left.saturating_sub(needed));
        let until = after(now, left.min(WORK_OFF_TIME));
        let mut kept: HashMap<_, Vec<Task>> = HashMap::new();
        for (name, task) in std::mem::take(&mut *lock(&self.gateways.kept)) {
            kept.entry(name).or_default().push(task);
        }
        (Self { waiting: Waiting::Until(until), ..self }, kept.into_iter().collect())
    }

    /// Until when a kept task has to be put off, if there is no time to work it off.
    pub(crate) fn put_off_until(self, name: &GatewayName, task: &Task) -> Option<Timestamp> {
        let is_over = self.waits_until(task).is_some_and(|until| until <= self.deps.now());
        is_over.then(|| self.later(&self.gateways.gate(name)))
    }

    /// Until when a task may wait for its turn, if at all: it has to be done within its lease.
    fn waits_until(self, task: &Task) -> Option<Timestamp> {
        match self.waiting {
            Waiting::No | Waiting::Kept => None,
            Waiting::Until(until) => Some(until.min(before(task.due_at, TASK_TIME))),
        }
    }

    /// Does what calls a gateway, when its turn has come. `since` is when what the task works on
    /// has last moved. The work is boxed: a task's futures are large, and this would hold it twice.
    ///
    /// # Errors
    /// Those of the work.
    pub(crate) async fn in_turn(
        self,
        task: &Task,
        (name, since): (&GatewayName, Timestamp),
        work: BoxFuture<'_, Result<Outcome, Problem>>,
    ) -> Result<Outcome, Problem> {
        let gate = self.gateways.gate(name);
        let begun_at = match self.turn(&gate, task).await {
            Turn::Now(begun_at) => begun_at,
            Turn::NotYet if self.keeps(name, task) => return Ok(Outcome::Kept),
            Turn::NotYet => return Ok(Outcome::Wait(self.later(&gate))),
        };
        let outcome = work.await?;
        let Outcome::TooOften(earliest) = outcome else {
            // Whatever else came of it, the gateway did not mind the call.
            if let Some(pace) = lock(&gate.pace).as_mut() {
                pace.accepted(begun_at);
            }
            return Ok(outcome);
        };
        tracing::info!(gateway = name.as_str(), "gateway is called too often");
        let until = self.rest(&gate, begun_at, earliest);
        let is_over = self.deps.now().duration_since(since).as_secs() >= PATIENCE_S;
        Ok(if is_over { Outcome::RetryFrom(until) } else { Outcome::TooOften(until) })
    }

    /// Keeps a task, if this run keeps any and has not kept its fill.
    fn keeps(self, name: &GatewayName, task: &Task) -> bool {
        let mut kept = lock(&self.gateways.kept);
        let is_room = matches!(self.waiting, Waiting::Kept) && kept.len() < KEPT_MAX;
        if is_room {
            kept.push((name.clone(), task.clone()));
        }
        is_room
    }

    fn later(self, gate: &Gate) -> Timestamp {
        let now = self.deps.now();
        lock(&gate.pace).as_mut().map_or(now, |pace| pace.later(now))
    }

    async fn turn(self, gate: &Gate, task: &Task) -> Turn {
        let until = self.waits_until(task);
        let _queued = match until {
            None => None,
            Some(_) => Some(gate.queue.lock().await),
        };
        for _ in 0..LOOKS_MAX {
            let now = self.deps.now();
            let begun = lock(&gate.pace).as_mut().map_or(Ok(()), |pace| pace.begin(now));
            let Err(free_at) = begun else { return Turn::Now(now) };
            if until.is_none_or(|until| until < free_at) {
                return Turn::NotYet;
            }
            let wait = Duration::try_from(free_at.duration_since(now)).unwrap_or_default();
            tokio::time::sleep(wait).await;
        }
        Turn::NotYet
    }

    /// Notes a refusal, and answers when its task is due again.
    fn rest(self, gate: &Gate, begun_at: Timestamp, earliest: Timestamp) -> Timestamp {
        let now = self.deps.now();
        let [draw, ..] = self.deps.fresh();
        let mut pace = lock(&gate.pace);
        let pace = pace.get_or_insert_with(|| Pace::first(begun_at));
        pace.refused(begun_at, earliest, (now, draw));
        pace.later(now)
    }
}

/// When a gateway's refusal wants the next call at the earliest.
pub(crate) fn earliest(deps: &Deps, too_often: &TooOften) -> Timestamp {
    after(deps.now(), too_often.retry_after.unwrap_or_default())
}

enum Turn {
    /// A call may begin, at this time.
    Now(Timestamp),
    NotYet,
}

/// At which pace one run calls a gateway that it has called too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pace {
    /// How far apart calls are begun.
    gap: Duration,
    /// How long the gateway is left alone at the next refusal.
    rest: Duration,
    /// When the next call may begin.
    free_at: Timestamp,
    /// When it was slowed down: what was begun before says nothing new.
    slowed_at: Timestamp,
    /// When the last task is due again that was put off.
    last_due_at: Timestamp,
}

impl Pace {
    /// As of the first refusal, of a call that was begun then.
    fn first(begun_at: Timestamp) -> Self {
        Self {
            gap: GAP_FIRST,
            rest: REST_MIN,
            free_at: begun_at,
            slowed_at: begun_at,
            last_due_at: begun_at,
        }
    }

    /// Takes the next turn, or says when it comes.
    fn begin(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.free_at > now {
            return Err(self.free_at);
        }
        self.free_at = after(now, self.gap);
        Ok(())
    }

    fn accepted(&mut self, begun_at: Timestamp) {
        if begun_at >= self.slowed_at {
            self.rest = REST_MIN;
            self.gap = faster(self.gap);
        }
    }

    fn refused(&mut self, begun_at: Timestamp, earliest: Timestamp, (now, draw): (Timestamp, u8)) {
        if begun_at >= self.slowed_at {
            let half = self.gap.checked_div(2).unwrap_or_default();
            self.gap = self.gap.saturating_add(half).min(GAP_MAX);
            self.free_at = after(now, jittered(self.rest, draw));
            self.slowed_at = now;
            self.rest = self.rest.saturating_mul(2).min(REST_MAX);
        }
        self.free_at = self.free_at.max(earliest);
    }

    /// When a task is due again that has to wait: behind those that were put off before it, and not
    /// so soon that the table's stream would begin it at once.
    fn later(&mut self, now: Timestamp) -> Timestamp {
        let next = after(self.last_due_at, self.gap).max(self.free_at).max(after(now, REST_MIN));
        self.last_due_at = next.min(after(now, REST_MAX));
        self.last_due_at
    }
}

/// A moment so much later.
pub(crate) fn after(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.saturating_add(wait).unwrap_or(moment)
}

fn before(moment: Timestamp, wait: Duration) -> Timestamp {
    moment.saturating_sub(wait).unwrap_or(moment)
}

/// The gap of a pace that is higher by one call in [`GAIN`].
fn faster(gap: Duration) -> Duration {
    let (gap_us, gain_us) = (gap.as_micros(), GAIN.as_micros());
    let sum_us = gap_us.saturating_add(gain_us);
    let faster_us = gap_us.saturating_mul(gain_us).checked_div(sum_us).unwrap_or_default();
    Duration::from_micros(u64::try_from(faster_us).unwrap_or(u64::MAX)).max(GAP_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest and the largest draw.
    const DRAWS: [u8; 2] = [0, 255];

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn slowed(draw: u8) -> Pace {
        let mut pace = Pace::first(at_ms(0));
        pace.refused(at_ms(0), at_ms(0), (at_ms(0), draw));
        pace
    }

    #[test]
    fn a_gateway_is_left_alone_for_half_to_all_of_a_rest_and_then_called_in_turn() {
        for (draw, free_ms) in DRAWS.into_iter().zip([500, 1_000]) {
            let mut pace = slowed(draw);
            assert_eq!(pace.begin(at_ms(free_ms - 1)), Err(at_ms(free_ms)));
            assert_eq!(pace.begin(at_ms(free_ms)), Ok(()));
            assert_eq!(pace.begin(at_ms(free_ms + 119)), Err(at_ms(free_ms + 120)));
            assert_eq!(pace.begin(at_ms(free_ms + 120)), Ok(()));
        }
    }

    #[test]
    fn rests_double_while_refusals_go_on_and_end_at_a_bound() {
        let mut pace = Pace::first(at_ms(0));
        let mut now_ms = 0;
        for rest_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            pace.refused(at_ms(now_ms), at_ms(0), (at_ms(now_ms), 255));
            now_ms += rest_ms;
            assert_eq!(pace.free_at, at_ms(now_ms));
        }
        for _ in 0..20 {
            pace.refused(at_ms(now_ms), at_ms(0), (at_ms(now_ms), 255));
        }
        assert_eq!(pace.gap, GAP_MAX);
        pace.accepted(at_ms(now_ms));
        assert_eq!(pace.rest, REST_MIN);
    }

    #[test]
    fn what_was_begun_before_a_refusal_changes_no_pace() {
        let mut pace = Pace::first(at_ms(0));
        pace.refused(at_ms(0), at_ms(0), (at_ms(200), 255));
        let before = pace;
        pace.refused(at_ms(199), at_ms(0), (at_ms(300), 255));
        pace.accepted(at_ms(199));
        assert_eq!(pace, before);
        pace.refused(at_ms(200), at_ms(0), (at_ms(400), 255));
        assert_ne!(pace, before);
    }

    #[test]
    fn a_gateway_that_says_when_to_come_again_is_not_called_before() {
        for (earliest_ms, free_ms) in [(999, 1_000), (1_001, 1_001)] {
            let mut pace = Pace::first(at_ms(0));
            pace.refused(at_ms(0), at_ms(earliest_ms), (at_ms(0), 255));
            assert_eq!(pace.free_at, at_ms(free_ms));
        }
    }

    #[test]
    fn each_call_that_is_taken_raises_the_pace_by_a_tenth_of_a_call_a_second() {
        for (gap_ms, faster_us) in [(10_000, 5_000_000), (100, 99_009), (40, 39_840), (1, 1_000)] {
            let faster = faster(Duration::from_millis(gap_ms));
            assert_eq!(faster, Duration::from_micros(faster_us));
        }
    }

    #[test]
    fn tasks_are_put_off_one_behind_the_other_and_for_a_minute_at_most() {
        let mut pace = slowed(255);
        for due_ms in [1_000, 1_120, 1_240] {
            assert_eq!(pace.later(at_ms(0)), at_ms(due_ms));
        }
        assert_eq!(pace.later(at_ms(9_000)), at_ms(10_000), "not at once");
        for _ in 0..1_000 {
            assert!(pace.later(at_ms(9_000)) <= at_ms(69_000));
        }
        assert_eq!(pace.later(at_ms(9_000)), at_ms(69_000));
    }
}
