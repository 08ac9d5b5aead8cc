//! Some seeds, and that a seed is all that a run depends on.

use std::process::Command;

use simulation::figures::Figures;
use simulation::play_all;
use simulation::trace::Trace;

/// How many seeds are played; `make simulate` plays more.
const SEEDS: u64 = 90;
/// How many threads play them.
const THREADS: u64 = 2;

#[test]
fn no_seed_breaks_a_rule() {
    let (figures, broken) = play_all(0, SEEDS, THREADS);
    println!("{figures}");
    assert!(broken.is_none(), "{:?}", broken.map(|run| (run.seed, run.violation)));
    not_in_vain(&figures);
}

/// Everything that a run is for has happened in some run.
fn not_in_vain(figures: &Figures) {
    for (what, number) in figures.all() {
        assert_ne!(number, 0, "{what}: none in {SEEDS} seeds");
    }
}

#[test]
fn a_seed_repeats_its_run_exactly() {
    for seed in [3, 14, 15] {
        let runs = [Trace::kept(), Trace::kept()].map(|trace| simulation::play(seed, trace));
        assert_eq!(runs[0].lines, runs[1].lines, "seed {seed}");
        assert!(!runs[0].lines.is_empty());
    }
}

#[test]
fn a_seed_repeats_its_run_in_another_process_too() {
    let replay = || {
        let mut simulate = Command::new(env!("CARGO_BIN_EXE_simulate"));
        let output = simulate.args(["--replay", "7"]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(replay(), replay());
}

#[test]
fn two_seeds_are_two_runs() {
    let sum = |seed| simulation::play(seed, Trace::default()).sum;
    assert_ne!(sum(1), sum(2));
}
