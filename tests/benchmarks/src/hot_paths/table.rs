//! What the hot paths' figures look like in the page, and how counts are compared with it.

use std::fmt::Write as _;

use crate::figures::Figures;
use crate::hot_paths::counts::Count;
use crate::hot_paths::path::EVERY;

/// By what share a count may differ from the page's without being told.
pub const MOVED_SHARE: f64 = 0.02;
/// The column of the instructions, from 0.
const INSTRUCTIONS: usize = 3;

/// The table.
///
/// # Errors
/// A line, if there is not one measurement for each path.
pub fn shown(timed: &[Vec<f64>], counted: Option<&[Count]>) -> Result<String, String> {
    if timed.len() != EVERY.len() || counted.is_some_and(|counted| counted.len() != EVERY.len()) {
        return Err("not every path was measured".to_owned());
    }
    let mut table = "| path | what | ns | instructions | allocations |\n\
                     | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (at, path) in EVERY.iter().enumerate() {
        let ns = Figures::of(timed[at].clone()).shown(0);
        let counts = counted.map_or(" | ".to_owned(), |counted| {
            format!("{:.0} | {:.0}", counted[at].instructions, counted[at].allocations)
        });
        let _ = writeln!(table, "| `{}` | {} | {ns} | {counts} |", path.name, path.what);
    }
    Ok(table)
}

/// The paths whose instructions differ from the page's by more than [`MOVED_SHARE`], each with both
/// counts; a path that the page does not have has moved too.
#[must_use]
pub fn moved(page: &str, counted: &[Count]) -> Vec<String> {
    let paths = EVERY.iter().zip(counted);
    paths
        .filter_map(|(path, count)| {
            let now = count.instructions;
            let Some(before) = instructions(page, path.name) else {
                return Some(format!("{}: {now:.0}, and the page has none", path.name));
            };
            let has_moved = (now - before).abs() > before * MOVED_SHARE;
            let percent = (now / before - 1.0) * 100.0;
            has_moved.then(|| format!("{}: {before:.0} → {now:.0} ({percent:+.1} %)", path.name))
        })
        .collect()
}

/// The instructions that the page says of a path.
fn instructions(page: &str, name: &str) -> Option<f64> {
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| `{name}` | ")))?;
    // The first column is the name, which is taken off.
    row.split(" | ").nth(INSTRUCTIONS - 1)?.parse().ok()
}
