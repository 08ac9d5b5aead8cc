//! `latchpay`: the laptop stack on one port.
#![expect(clippy::print_stdout, reason = "this is a program that talks to its user")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use api::problem::error_chain;
use clap::{Args, Parser, Subcommand};
use local::events::{Outlets, Tell};
use local::stack::{Options, Stack};
use local::webhook::{Webhook, WebhookSecret};
use local::{attention, demo, reconcile, secrets};
use runtime::config::system_randomness;
use tracing_subscriber::EnvFilter;

/// How many lines may wait for a slow terminal.
const LINES_MAX: usize = 1_000;

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
    /// Post events to this address, in the Standard Webhooks form
    #[arg(long)]
    webhook_url: Option<String>,
    /// Sign them with this secret, whsec_…; without one it is made and kept with the data
    #[arg(long, env = "LATCHPAY_WEBHOOK_SECRET", hide_env_values = true, requires = "webhook_url")]
    webhook_secret: Option<String>,
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
    let webhook = webhook(&args).map_err(|error| error_chain(&error))?;
    let (tell, lines) = lines();
    let options = Options {
        port: args.port,
        data: (!args.in_memory).then(|| args.data.clone()),
        seed: args.seed,
        store_port: args.store_port,
        functions: args.functions,
        events: Some(Outlets { tell, webhook: webhook.clone() }),
        ..Options::in_memory()
    };
    let stack = Stack::start(options).await.map_err(|error| error_chain(&error))?;
    if let Some(environment) = &stack.environment {
        let written = std::fs::create_dir_all(&args.data).and_then(|()| {
            std::fs::write(args.data.join("functions.env"), environment.to_string())
        });
        written.map_err(|error| error.to_string())?;
    }
    println!("ready {}", stack.base_url);
    println!("{}", what_to_try(&stack.base_url));
    if let Some(Webhook { url, secret }) = webhook {
        println!("Events are posted to {url}, signed with {}", secret.to_text());
    }
    // On a thread of its own: a terminal that stands still holds nothing else up.
    std::thread::spawn(move || lines.iter().for_each(|line| println!("{line}")));
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

/// The webhook that the arguments ask for.
fn webhook(args: &Serve) -> std::io::Result<Option<Webhook>> {
    let Some(url) = args.webhook_url.clone() else {
        return Ok(None);
    };
    let secret = match &args.webhook_secret {
        Some(text) => WebhookSecret::parse(text).ok_or_else(|| {
            std::io::Error::other("a webhook's secret is whsec_ and 24 to 64 bytes in base64")
        })?,
        None => {
            let folder = (!args.in_memory).then_some(args.data.as_path());
            if let Some(folder) = folder {
                std::fs::create_dir_all(folder)?;
            }
            secrets::webhook_of_folder(folder, &system_randomness())?
        }
    };
    Ok(Some(Webhook { url, secret }))
}

/// Lines about events, to be printed once the program has said that it is ready.
fn lines() -> (Tell, Receiver<String>) {
    let (sender, lines) = sync_channel(LINES_MAX);
    let tell = move |line| {
        if let Err(error) = sender.try_send(line) {
            tracing::warn!(%error, "a line about an event was not printed");
        }
    };
    (Arc::new(tell), lines)
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
