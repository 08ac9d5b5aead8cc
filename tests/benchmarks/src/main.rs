//! `benchmarks`: measures the parts that it is told, and writes them into the page.

use std::process::ExitCode;

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
    if command.write {
        put(&performance(), BLOCK, &described()?)?;
    }
    let every = command.parts.is_empty();
    let parts = if every { Part::value_variants() } else { &command.parts };
    for part in parts {
        let name = part.name();
        let failed = |line| format!("{name}: {line}");
        let measured = part.measure(command.size).map_err(failed)?;
        println!("{name}\n\n{measured}");
        if command.write {
            put(&performance(), &name, &measured).map_err(failed)?;
        }
    }
    Ok(())
}
