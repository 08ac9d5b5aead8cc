//! What requests are made of, path by path: how long each takes, and what it executes.

pub mod at_once;
pub mod counts;
pub mod notification;
pub mod path;
pub mod scene;
pub mod table;
pub mod timing;

use crate::hot_paths::counts::counted;
use crate::hot_paths::scene::Scene;
use crate::hot_paths::table::shown;
use crate::hot_paths::timing::timed;
use crate::part::Size;

/// The argument that has a process only work through the paths, for callgrind.
pub const WORK: &str = "--work-through-hot-paths";
/// How often each path is counted.
pub const RUNS_COUNTED: u32 = 20;

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let (rounds, runs) = match size {
        Size::Whole => (500, RUNS_COUNTED),
        Size::Sample => (1, 1),
    };
    let timed = {
        let scene = Scene::set();
        timed(&scene, rounds)
    };
    shown(&timed, counted_here(runs)?.as_deref())
}

/// What each path executes, counted in another process of this program.
///
/// # Errors
/// A line that says why it cannot be counted.
pub fn counted_here(runs: u32) -> Result<Option<Vec<counts::Count>>, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = program.to_str().ok_or("the program's path is not UTF-8")?;
    counted(&[program, WORK, &runs.to_string()], runs)
}
