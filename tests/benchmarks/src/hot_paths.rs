//! What requests are made of, path by path: how long each takes, and what it executes.

pub mod at_once;
pub mod counts;
pub mod notification;
pub mod path;
pub mod scene;
pub mod table;
pub mod timing;

use crate::hot_paths::counts::{Count, counted};
use crate::hot_paths::scene::Scene;
use crate::hot_paths::table::shown;
use crate::hot_paths::timing::{kept, timed};
use crate::part::Size;
use crate::side_by_side::shared_out;

/// The argument that has a process only work through the paths, for callgrind.
pub const WORK: &str = "--work-through-hot-paths";
/// How often each path is run to be counted.
pub const RUNS_COUNTED: u32 = 20;
/// In how many processes; the lowest count of each path stands. What the allocator tidies meanwhile
/// differs with the heap that it finds, and only adds to a path.
pub const PROCESSES: u32 = 5;

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let timed = timed(&Scene::set(), size, &kept())?;
    shown(&timed, counted_here(size)?.as_deref())
}

/// What each path executes, counted in other processes of this program; `None` where valgrind is
/// not installed.
///
/// # Errors
/// A line that says why it cannot be counted.
pub fn counted_here(size: Size) -> Result<Option<Vec<Count>>, String> {
    let (processes, runs) = match size {
        Size::Whole => (PROCESSES, RUNS_COUNTED),
        Size::Sample => (1, 1),
    };
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = program.to_str().ok_or("the program's path is not UTF-8")?;
    let worker = [program, WORK, &runs.to_string()];
    // At once: unlike times, counts do not depend on what else the machine does.
    let counts = shared_out(processes, |numbers| {
        numbers.map(|number| counted(&worker, runs, number)).collect::<Vec<_>>()
    });
    let counts: Option<Vec<_>> = counts.into_iter().flatten().collect::<Result<_, _>>()?;
    Ok(counts.into_iter().flatten().reduce(least))
}

fn least(counts: Vec<Count>, others: Vec<Count>) -> Vec<Count> {
    counts.iter().zip(&others).map(|(one, other)| one.least(other)).collect()
}
