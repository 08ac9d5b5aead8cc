//! `latchpay`: the laptop stack on one port.
#![expect(clippy::print_stdout, reason = "this is a program that talks to its user")]

use std::path::PathBuf;
use std::process::ExitCode;

use api::problem::error_chain;
use clap::{Args, Parser, Subcommand};
use local::stack::{Options, Stack};
use local::{attention, demo, reconcile};
use tracing_subscriber::EnvFilter;

/// Latchpay on your laptop: the whole payment flow, with nothing else installed.
#[derive(Parser)]
struct Command {
    #[command(flatten)]
    serve: Serve,
    #[command(subcommand)]
    play: Option<Play>,
}

#[derive(Args)]
struct Serve {
    /// The port on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where data is kept
    #[arg(long, default_value = "./.latchpay")]
    data: PathBuf,
    /// Keep nothing
    #[arg(long)]
    in_memory: bool,
    /// Where the simulator's randomness starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Serve the store on this port too, for functions in other processes; their environment is
    /// written to functions.env in the data folder
    #[arg(long)]
    store_port: Option<u16>,
    /// Let the functions behind this Lambda endpoint answer, such as http://127.0.0.1:9000
    #[arg(long)]
    functions: Option<String>,
    /// What is logged to stderr, such as `info` or `runtime=debug`
    #[arg(long, default_value = "warn")]
    log: String,
}

#[derive(Subcommand)]
enum Play {
    /// Two windows, two codes, both paid: one booking, one refund
    Demo,
    /// What waits for a person, on this laptop or in a deployment
    Attention(attention::Options),
    /// Gateways' daily bills against what is recorded
    Reconcile(reconcile::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Command::parse();
    let filter = EnvFilter::new(&command.serve.log);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match command.play {
        Some(Play::Demo) => play_demo().await,
        Some(Play::Attention(options)) => look_after(options).await,
        Some(Play::Reconcile(options)) => compare(options).await,
        None => serve(command.serve).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            tracing::error!("{line}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Serve) -> Result<(), String> {
    let options = Options {
        port: args.port,
        data: (!args.in_memory).then(|| args.data.clone()),
        seed: args.seed,
        store_port: args.store_port,
        functions: args.functions,
        ..Options::in_memory()
    };
    let stack = Stack::start(options).await.map_err(|error| error_chain(&error))?;
    if let Some(environment) = &stack.environment {
        let written = std::fs::create_dir_all(&args.data)
            .and_then(|()| std::fs::write(args.data.join("functions.env"), environment));
        written.map_err(|error| error.to_string())?;
    }
    println!("ready {}", stack.base_url);
    println!("{}", what_to_try(&stack.base_url));
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

async fn play_demo() -> Result<(), String> {
    let stack = Stack::start(Options::in_memory()).await;
    let stack = stack.map_err(|error| error_chain(&error))?;
    println!("ready {}", stack.base_url);
    let story = demo::play(&stack.base_url, |line| println!("{line}")).await;
    story.map_err(|error| error_chain(&error))
}

async fn look_after(options: attention::Options) -> Result<(), String> {
    let told = attention::run(options, |line| println!("{line}")).await;
    told.map_err(|error| error_chain(&error))
}

async fn compare(options: reconcile::Options) -> Result<(), String> {
    let told = reconcile::run(options, |line| println!("{line}")).await;
    told.map_err(|error| error_chain(&error))
}

fn what_to_try(base_url: &str) -> String {
    format!(
        "
Open {base_url}/ in a browser: a checkout, a wallet to pay it with, and two windows to
put beside each other. Or try, from another terminal:

  curl -s {base_url}/v1/products/desk-order -H 'Authorization: Bearer dev:alice'
  curl -s {base_url}/v1/bookings -H 'Authorization: Bearer dev:alice' \\
       -H 'Idempotency-Key: one' -H 'Content-Type: application/json' \\
       -d '{{\"product_id\": \"desk-order\"}}'
  curl -s {base_url}/simulator/ledger

The README goes on from there. `cargo run -- demo` plays the whole story by itself.
Stop with Ctrl-C."
    )
}
