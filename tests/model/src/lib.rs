//! An exhaustive check of the pure core on small worlds.
//!
//! A world is one booking, a few windows, two gateways and the workers. Every decision in it is the
//! real one of `domain`; around the decisions stand the steps of `runtime`, `settle` and the
//! handlers, with whatever may come between two of them. The checker visits every state that any
//! order of steps leads to and looks at every rule in each.

pub mod milestone;
pub mod rule;
pub mod state;
pub mod step;
pub mod world;
pub mod worlds;

mod client;
mod outside;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::rule::RULES;
use crate::state::State;
use crate::step::Step;
use crate::world::World;

/// A world as the checker sees it.
struct Explored {
    world: World,
    /// When to stop looking.
    ends_at: Option<Instant>,
    search: Arc<Search>,
}

/// How the search goes.
#[derive(Default)]
struct Search {
    /// States whose rules were looked at.
    visited: AtomicUsize,
    /// Whether a rule is broken somewhere: the first place is the nearest, and is the one told.
    broken: AtomicBool,
    /// Whether the time was over before the end.
    cut_short: AtomicBool,
    /// Whether it is over. Afterwards ways are followed once more, however late it is.
    over: AtomicBool,
}

impl Model for Explored {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        State::first(&self.world).into_iter().collect()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let late = self.ends_at.is_some_and(|end| Instant::now() >= end);
        if late && !self.search.over.load(Ordering::Relaxed) {
            self.search.cut_short.store(true, Ordering::Relaxed);
            return;
        }
        Step::all(&self.world, state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        step.take(&self.world, state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::always(HOLDS, |explored: &Self, state| {
            if explored.search.cut_short.load(Ordering::Relaxed) {
                return true;
            }
            explored.search.visited.fetch_add(1, Ordering::Relaxed);
            breaks(&explored.world, state).is_none()
                || explored.search.broken.swap(true, Ordering::Relaxed)
        })];
        let reached = MILESTONES.iter().zip(self.world.milestones);
        properties.extend(
            reached.map(|(reached, milestone)| Property::sometimes(milestone.name, *reached)),
        );
        properties
    }
}

/// The one property that every state must have.
const HOLDS: &str = "every rule holds";

type Reached = fn(&Explored, &State) -> bool;

/// Whether the milestone of that number is reached. The checker wants functions that carry nothing.
const MILESTONES: [Reached; 12] = [
    reached::<0>,
    reached::<1>,
    reached::<2>,
    reached::<3>,
    reached::<4>,
    reached::<5>,
    reached::<6>,
    reached::<7>,
    reached::<8>,
    reached::<9>,
    reached::<10>,
    reached::<11>,
];

fn reached<const N: usize>(explored: &Explored, state: &State) -> bool {
    let milestone = explored.world.milestones.get(N);
    milestone.is_some_and(|milestone| (milestone.reached)(&explored.world, state))
}

/// The first rule that a state breaks, and how.
#[must_use]
pub fn breaks(world: &World, state: &State) -> Option<String> {
    RULES.iter().find_map(|rule| {
        let broken = (rule.check)(world, state).err()?;
        Some(format!("{}: {broken}", rule.name))
    })
}

/// How far to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// How many steps from the beginning; all of them without.
    pub depth: Option<usize>,
    /// For how long; to the end without.
    pub time: Option<Duration>,
}

/// How much of a world was visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Every state.
    All,
    /// Every state up to the depth that the world itself sets.
    Depth,
    /// What the limits left.
    Part,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// States reached, each as often as some step leads to it.
    pub generated: usize,
    /// States that differ and whose rules were looked at.
    pub visited: usize,
    /// Steps from the beginning to the farthest state.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// How much of the world was visited.
    pub extent: Extent,
    /// The shortest way to a broken rule, in words, and the rule.
    pub broken: Option<(Vec<String>, String)>,
    /// Milestones that were not reached.
    pub missed: Vec<&'static str>,
}

/// Visits every state of a world within limits, or every one up to the first that breaks a rule.
#[must_use]
pub fn explore(world: &World, limits: Limits) -> Report {
    let began = Instant::now();
    let search = Arc::new(Search::default());
    let explored = Explored {
        world: world.clone(),
        ends_at: limits.time.and_then(|time| began.checked_add(time)),
        search: Arc::clone(&search),
    };
    let mut checker = explored.checker().finish_when(HasDiscoveries::AnyFailures);
    let depth = limits.depth.into_iter().chain(world.depth).min();
    if let Some(depth) = depth {
        // The checker counts states, the first one included, and leaves out the last layer.
        checker = checker.target_max_depth(depth.saturating_add(2));
    }
    let checker = checker.spawn_bfs().join();
    search.over.store(true, Ordering::Relaxed);
    let mut found = checker.discoveries();
    let broken = found.remove(HOLDS).map(|path| {
        let rule = breaks(world, path.last_state()).unwrap_or_default();
        let steps = path.into_actions().iter().map(ToString::to_string).collect();
        (steps, rule)
    });
    let took = began.elapsed();
    let missed = world.milestones.iter().map(|one| one.name);
    Report {
        generated: checker.state_count(),
        visited: search.visited.load(Ordering::Relaxed),
        depth: checker.max_depth().saturating_sub(1).min(depth.unwrap_or(usize::MAX)),
        took,
        extent: if search.cut_short.load(Ordering::Relaxed) || broken.is_some() {
            Extent::Part
        } else {
            match (limits.depth, world.depth) {
                (Some(_), _) => Extent::Part,
                (None, Some(_)) => Extent::Depth,
                (None, None) => Extent::All,
            }
        },
        broken,
        missed: missed.filter(|name| !found.contains_key(name)).collect(),
    }
}
