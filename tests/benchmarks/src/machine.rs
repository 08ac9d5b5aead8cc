//! On what and when a run was made.

use std::fs;
use std::process::Command;

use crate::page::root;

/// The block of the page that says it.
pub const BLOCK: &str = "machine";

/// What a reader must know to compare figures with others.
///
/// # Errors
/// A line that says what this machine does not tell.
pub fn described() -> Result<String, String> {
    let rows = [
        ("command", "`make bench`".to_owned()),
        ("date", said("date", &["-u", "+%Y-%m-%d"])?),
        ("commit", said("git", &["log", "-1", "--format=%h"])?),
        ("compiler", said("rustc", &["--version"])?),
        ("processor", found("/proc/cpuinfo", "model name")?),
        ("processors", said("nproc", &[])?),
        ("memory", found("/proc/meminfo", "MemTotal")?),
        ("kernel", said("uname", &["-sr"])?),
    ];
    let rows = rows.iter().map(|(what, said)| format!("| {what} | {said} |\n"));
    Ok(format!("| what | this run |\n| --- | --- |\n{}", rows.collect::<String>()))
}

fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    Ok(text.trim().to_owned())
}

fn found(path: &str, name: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    let (_, value) = line.ok_or_else(|| format!("{path} has no {name}"))?;
    Ok(value.trim().to_owned())
}
