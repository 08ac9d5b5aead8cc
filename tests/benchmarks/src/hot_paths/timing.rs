//! How long each path takes.

use std::time::{Duration, Instant};

use crate::hot_paths::path::EVERY;
use crate::hot_paths::scene::Scene;

/// How long a path is run at a time at least: so long that reading the clock is nothing beside it.
const BATCH: Duration = Duration::from_micros(500);
/// The longest batch, in runs.
const RUNS_MAX: u32 = 1 << 20;

/// What one run of each path took in each round, in nanoseconds, in the order of [`EVERY`]. The
/// paths take turns.
///
/// # Panics
/// If a path fails.
#[must_use]
pub fn timed(scene: &Scene, rounds: usize) -> Vec<Vec<f64>> {
    let runs: Vec<u32> = (0..EVERY.len()).map(|at| runs_of_batch(scene, at)).collect();
    let mut measured = vec![vec![]; EVERY.len()];
    for _ in 0..rounds {
        for (at, runs) in runs.iter().enumerate() {
            measured[at].push(batch(scene, at, *runs).as_secs_f64() * 1e9 / f64::from(*runs));
        }
    }
    measured
}

/// How often a path is run in a batch.
fn runs_of_batch(scene: &Scene, at: usize) -> u32 {
    let mut runs = 1;
    while runs < RUNS_MAX && batch(scene, at, runs) < BATCH {
        runs *= 2;
    }
    runs
}

fn batch(scene: &Scene, at: usize, runs: u32) -> Duration {
    let began = Instant::now();
    for _ in 0..runs {
        EVERY[at].run(scene);
    }
    began.elapsed()
}
