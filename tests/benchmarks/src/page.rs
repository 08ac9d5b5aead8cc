//! `docs/performance.md`: what was measured, between the words that explain it.

use std::path::{Path, PathBuf};

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The page, of the project's own.
#[must_use]
pub fn performance() -> PathBuf {
    root().join("docs/performance.md")
}

/// The text of a page with what a part has measured in its place.
///
/// # Errors
/// A line that names the part that has no place in the page.
pub fn with_measured(page: &str, part: &str, measured: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->"));
    let missing = || format!("the page has no place for {part}");
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{measured}{end}{after}"))
}

/// Puts what a part has measured into the page at `path`.
///
/// # Errors
/// A line that says why not.
pub fn put(path: &Path, part: &str, measured: &str) -> Result<(), String> {
    let page = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let page = with_measured(&page, part, measured)?;
    std::fs::write(path, page).map_err(|error| error.to_string())
}
