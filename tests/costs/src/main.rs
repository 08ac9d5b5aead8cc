//! `costs`: counts what checkouts cost, and prices it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use costs::capacity::capacity;
use costs::document::{self, Place, put};
use costs::play::play_all;
use costs::settings::{Settings, root};

/// Plays a checkout of each kind and tells what AWS would bill.
#[derive(Parser)]
struct Command {
    /// Other prices and assumptions than those of docs/costs.yaml
    #[arg(long)]
    settings: Option<PathBuf>,
    /// Replaces one of them, such as `dynamodb_write_units_million=1.25`; may be given many times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Puts the tables into docs/costs.md and docs/scaling.md
    #[arg(long)]
    write: bool,
    /// Tells only how much the design carries, and what a wanted load needs
    #[arg(long, conflicts_with = "write")]
    plan: bool,
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
    let mut settings = match &command.settings {
        Some(path) => Settings::read(path)?,
        None => Settings::of_project()?,
    };
    for change in &command.set {
        settings.set(change)?;
    }
    // One thread: what is logged is kept where it is logged.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let played = runtime.block_on(play_all(&settings));
    let carries = capacity(&played, &settings);
    if command.plan {
        println!("{carries}");
        return Ok(());
    }
    let costs = document::costs(&played, &settings);
    let scaling = document::scaling(&played, &settings);
    if command.write {
        put(&root().join("docs/costs.md"), Place::Counted, &costs)?;
        put(&root().join("docs/scaling.md"), Place::Counted, &scaling)?;
        put(&root().join("docs/scaling.md"), Place::Capacity, &carries)?;
    }
    println!("{costs}\n### How many fit\n\n{scaling}\n### What it carries\n\n{carries}");
    Ok(())
}
