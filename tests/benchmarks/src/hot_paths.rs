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

/// The argument that has a process only work through the paths, for callgrind.
pub const WORK: &str = "--work-through-hot-paths";
/// How often each path is run to be counted.
pub const RUNS_COUNTED: u32 = 20;
/// In how many processes one after the other; the lowest count of each path stands. What the
/// allocator tidies meanwhile differs with the heap that it finds, and only adds to a path.
pub const PROCESSES: usize = 5;

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
    let mut counts: Option<Vec<Count>> = None;
    for _ in 0..processes {
        let Some(again) = counted(&worker, runs)? else { return Ok(None) };
        counts = Some(match counts {
            Some(before) => {
                before.iter().zip(&again).map(|(one, other)| one.least(other)).collect()
            }
            None => again,
        });
    }
    Ok(counts)
}
