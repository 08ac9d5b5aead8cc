//! How long each path takes, measured by criterion.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use serde_json::Value;

use crate::hot_paths::path::EVERY;
use crate::hot_paths::scene::Scene;
use crate::page::root;
use crate::part::Size;

/// How often criterion resamples for the intervals that it prints; it warns of fewer. The page has
/// the quartiles of the samples themselves.
const RESAMPLES: usize = 1_001;

/// What one run of each path took in each sample, in nanoseconds, in the order of [`EVERY`].
/// Criterion keeps its samples below `folder`, and prints how each path has changed since those
/// that it finds there.
///
/// # Errors
/// A line that says what of criterion's samples cannot be read.
///
/// # Panics
/// If a path fails.
pub fn timed(scene: &Scene, size: Size, folder: &Path) -> Result<Vec<Vec<f64>>, String> {
    let (samples, warm_up_ms, measuring_ms) = match size {
        Size::Whole => (100, 200, 500),
        Size::Sample => (10, 1, 1),
    };
    let mut criterion = Criterion::default()
        .output_directory(folder)
        .without_plots()
        .nresamples(RESAMPLES)
        .sample_size(samples)
        .warm_up_time(Duration::from_millis(warm_up_ms))
        .measurement_time(Duration::from_millis(measuring_ms));
    for path in EVERY {
        criterion.bench_function(path.name, |bencher| bencher.iter(|| path.run(scene)));
    }
    EVERY.iter().map(|path| samples_of(&folder.join(path.name).join("new/sample.json"))).collect()
}

/// The time of one run in each of the samples that criterion has written.
fn samples_of(file: &Path) -> Result<Vec<f64>, String> {
    let failed = |what: &str| format!("{}: {what}", file.display());
    let written = fs::read(file).map_err(|error| failed(&error.to_string()))?;
    let sample: Value =
        serde_json::from_slice(&written).map_err(|error| failed(&error.to_string()))?;
    let list = |name: &str| sample[name].as_array().ok_or_else(|| failed("no samples"));
    let samples = list("times")?.iter().zip(list("iters")?);
    let each = samples.map(|(ns, runs)| Some(ns.as_f64()? / runs.as_f64()?));
    each.collect::<Option<_>>().ok_or_else(|| failed("not numbers"))
}

/// Where criterion keeps its samples from one run to the next.
#[must_use]
pub fn kept() -> PathBuf {
    root().join("target/criterion")
}
