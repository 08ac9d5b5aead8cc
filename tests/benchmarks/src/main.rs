//! `benchmarks`: measures the parts that it is told, and writes them into the page.

use std::process::ExitCode;
use std::time::Instant;

use benchmarks::hot_paths::counted_here;
use benchmarks::hot_paths::counts::work;
use benchmarks::hot_paths::table::moved;
use benchmarks::machine::{BLOCK, described};
use benchmarks::page::{performance, put};
use benchmarks::part::{Part, Size};
use clap::{Parser, ValueEnum};

/// Measures parts of the product, each in turn.
#[derive(Parser)]
struct Command {
    /// What is measured; everything, unless named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How much is measured
    #[arg(long, value_enum, default_value_t = Size::Whole)]
    size: Size,
    /// Puts the tables into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Compares the instructions of the hot paths with docs/performance.md, and measures nothing
    #[arg(long, conflicts_with_all = ["parts", "write"])]
    instructions: bool,
    /// Works through the hot paths, so many times each, for callgrind
    #[arg(long, hide = true, conflicts_with_all = ["parts", "write", "instructions"])]
    work_through_hot_paths: Option<u32>,
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("{line}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), String> {
    if let Some(runs) = command.work_through_hot_paths {
        work(runs);
        return Ok(());
    }
    if command.instructions {
        return compare();
    }
    if command.write {
        put(&performance(), BLOCK, &described()?)?;
    }
    let every = command.parts.is_empty();
    let parts = if every { Part::value_variants() } else { &command.parts };
    for part in parts {
        let name = part.name();
        let failed = |line| format!("{name}: {line}");
        let begun = Instant::now();
        let measured = part.measure(command.size).map_err(failed)?;
        eprintln!("{name} took {} s", begun.elapsed().as_secs());
        println!("{name}\n\n{measured}");
        if command.write {
            put(&performance(), &name, &measured).map_err(failed)?;
        }
    }
    Ok(())
}

/// Says which hot paths execute more or less than the page says.
fn compare() -> Result<(), String> {
    let page = std::fs::read_to_string(performance()).map_err(|error| error.to_string())?;
    let counted = counted_here(Size::Whole)?.ok_or("valgrind is not installed")?;
    let moved = moved(&page, &counted);
    if moved.is_empty() {
        println!("every hot path executes what docs/performance.md says");
        return Ok(());
    }
    Err(moved.join("\n"))
}
