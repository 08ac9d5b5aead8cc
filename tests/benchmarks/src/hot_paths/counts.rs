//! What each path executes, counted by callgrind: the same from run to run, where times are not.
//!
//! One process works through all paths. Each is run so many times, and then twice as many; what
//! the second took more is what these runs took, without what surrounds them. Callgrind writes what
//! it has counted whenever [`boundary`] is entered.

use std::fs;
use std::hint::black_box;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hot_paths::path::EVERY;
use crate::hot_paths::scene::Scene;

/// How often a path is run before it is counted, while caches and lazy values are made.
const UNHEEDED: u32 = 2;
/// The function at whose entry callgrind writes what it has counted.
const BOUNDARY: &str = "*hot_paths::counts::boundary*";
/// How often it is entered for each path.
const BOUNDARIES: usize = 3;
/// What of the C library allocates.
const ALLOCATING: [&str; 6] =
    ["malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign"];

/// What one run of a path executes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Count {
    /// Instructions.
    pub instructions: f64,
    /// Calls for memory, growing included.
    pub allocations: f64,
}

impl Count {
    /// The lower of two counts of the same.
    #[must_use]
    pub fn least(&self, other: &Self) -> Self {
        Self {
            instructions: self.instructions.min(other.instructions),
            allocations: self.allocations.min(other.allocations),
        }
    }
}

/// Works through the paths, to be watched by callgrind.
///
/// # Panics
/// If a path fails.
pub fn work(runs: u32) {
    let scene = Scene::set();
    for path in EVERY {
        for runs in [UNHEEDED, runs, 2 * runs] {
            for _ in 0..runs {
                path.run(&scene);
            }
            boundary();
        }
    }
}

#[inline(never)]
fn boundary() {
    black_box(());
}

/// What one run of each path executes, in the order of [`EVERY`]; `None` where valgrind is not
/// installed. `worker` is the command that calls [`work`]; `number` tells its files from those of
/// others that count at the same time.
///
/// # Errors
/// A line that says why it cannot be counted.
pub fn counted(worker: &[&str], runs: u32, number: u32) -> Result<Option<Vec<Count>>, String> {
    let folder = std::env::temp_dir().join(format!("hot-paths-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let counts = watched(worker, &folder).and_then(|watched| match watched {
        true => sections(&folder).map(|sections| Some(per_run(&sections, runs))),
        false => Ok(None),
    });
    fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    counts
}

/// Whether valgrind is there, and has watched.
fn watched(worker: &[&str], folder: &Path) -> Result<bool, String> {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--dump-before={BOUNDARY}"));
    valgrind.arg("--compress-strings=no").arg("--compress-pos=no");
    valgrind.arg(format!("--callgrind-out-file={}", folder.join("counted").display()));
    let output = valgrind.args(worker).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(true),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(format!("valgrind: {error}")),
    }
}

/// What was counted up to each boundary, from the one before.
fn sections(folder: &Path) -> Result<Vec<Count>, String> {
    let places = (1..=EVERY.len() * BOUNDARIES).map(|at| folder.join(format!("counted.{at}")));
    places
        .map(|place: PathBuf| {
            let written = fs::read_to_string(&place);
            section(&written.map_err(|error| format!("{}: {error}", place.display()))?)
        })
        .collect()
}

/// Reads one of callgrind's profiles.
/// Source: Valgrind User Manual, "Callgrind Format Specification"; read 2026-11-25.
///
/// # Errors
/// A line, where it has no totals.
pub fn section(profile: &str) -> Result<Count, String> {
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    let totals = totals.and_then(|totals| totals.split(' ').next()?.parse().ok());
    let mut allocations = 0.0;
    let mut called = "";
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("cfn=") {
            called = function;
        } else if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATING.contains(&called)
        {
            let calls = calls.split(' ').next().and_then(|calls| calls.parse::<f64>().ok());
            allocations += calls.ok_or("a call without its number")?;
        }
    }
    Ok(Count { instructions: totals.ok_or("a profile without totals")?, allocations })
}

/// Of each path the last section was of as many runs more than the one before.
fn per_run(sections: &[Count], runs: u32) -> Vec<Count> {
    let runs = f64::from(runs);
    let paths = sections.chunks_exact(BOUNDARIES);
    paths
        .map(|path| Count {
            instructions: (path[2].instructions - path[1].instructions) / runs,
            allocations: (path[2].allocations - path[1].allocations) / runs,
        })
        .collect()
}
