//! `simulate`: plays seeds, and says what they came to.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use simulation::figures::{Figures, grouped};
use simulation::trace::Trace;
use simulation::{Run, play, play_all};

/// Where the figures stand in a document.
const FIGURES_BEGIN: &str = "<!-- figures: begin -->\n";
/// Where they end.
const FIGURES_END: &str = "<!-- figures: end -->";

/// Plays the whole product under a simulated clock, one run for each seed.
#[derive(Parser)]
struct Command {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// How many threads
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Plays one seed and tells all that happens
    #[arg(long)]
    replay: Option<u64>,
    /// A document whose figures are replaced by those of this call
    #[arg(long)]
    into: Option<PathBuf>,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let broken = match command.replay {
        Some(seed) => replay(seed),
        None => simulate(&command),
    };
    let Some(run) = broken else { return ExitCode::SUCCESS };
    if let Some(violation) = &run.violation {
        println!("seed {}: rule {} is broken: {}", run.seed, violation.rule, violation.what);
        println!("`simulate --replay {}` tells how it came to that", run.seed);
    }
    ExitCode::FAILURE
}

fn replay(seed: u64) -> Option<Run> {
    let run = play(seed, Trace::kept());
    for line in &run.lines {
        println!("{line}");
    }
    print!("{}", run.figures);
    run.violation.is_some().then_some(run)
}

fn simulate(command: &Command) -> Option<Run> {
    let started = Instant::now();
    let (figures, broken) = play_all(command.from, command.seeds, command.threads);
    let table = table(&figures, started.elapsed().as_secs_f64());
    print!("{table}");
    if let Some(path) = &command.into
        && broken.is_none()
    {
        replace_figures(path, &table);
    }
    broken
}

fn table(figures: &Figures, seconds: f64) -> String {
    let rate = figures.operations() as f64 / seconds;
    format!(
        "| what | number |\n| --- | --- |\n{figures}| operations | {} |\n\
         | operations a second of real time | {} |\n| seconds of real time | {} |\n",
        grouped(figures.operations()),
        grouped(rate as u64),
        grouped(seconds as u64),
    )
}

fn replace_figures(path: &PathBuf, table: &str) {
    let text = std::fs::read_to_string(path).expect("the document can be read");
    let (before, rest) = text.split_once(FIGURES_BEGIN).expect("the document has figures");
    let (_, after) = rest.split_once(FIGURES_END).expect("the figures have an end");
    let text = format!("{before}{FIGURES_BEGIN}{table}{FIGURES_END}{after}");
    std::fs::write(path, text).expect("the document can be written");
}
