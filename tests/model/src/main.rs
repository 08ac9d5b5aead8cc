//! `model`: explores the small worlds and tells what it found.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use model::worlds::WORLDS;
use model::{Extent, Limits, Report, explore};

/// Visits every state of the small worlds and checks every rule in each.
#[derive(Parser)]
struct Arguments {
    /// Only the world of this name.
    #[arg(long)]
    world: Option<String>,
    /// Only states that so many steps lead to.
    #[arg(long)]
    depth: Option<usize>,
    /// No longer than so many seconds in each world.
    #[arg(long)]
    seconds: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let time = arguments.seconds.map(Duration::from_secs);
    let limits = Limits { depth: arguments.depth, time };
    let chosen = |name: &str| arguments.world.as_ref().is_none_or(|wanted| wanted == name);
    let mut worlds = WORLDS.iter().filter(|world| chosen(world.name)).peekable();
    if worlds.peek().is_none() {
        let names: Vec<_> = WORLDS.iter().map(|world| world.name).collect();
        println!("no such world; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    let mut code = ExitCode::SUCCESS;
    for world in worlds {
        let report = explore(world, limits);
        print(world.name, &report);
        if report.broken.is_some() {
            return ExitCode::FAILURE;
        }
        if report.extent != Extent::Part && !report.missed.is_empty() {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn print(world: &str, report: &Report) {
    let Report { generated, visited, depth, took, extent, .. } = report;
    let extent = match extent {
        Extent::All => "all of it",
        Extent::Depth => "all of it up to that depth",
        Extent::Part => "a part of it",
    };
    let seconds = took.as_secs();
    println!(
        "{world}: {visited} states ({generated} with repeats), depth {depth}, {seconds} s, {extent}"
    );
    for missed in &report.missed {
        println!("  not reached: {missed}");
    }
    let Some((steps, rule)) = &report.broken else { return };
    println!("  broken: {rule}");
    for (number, step) in (1_u32..).zip(steps) {
        println!("  {number:3}. {step}");
    }
}
