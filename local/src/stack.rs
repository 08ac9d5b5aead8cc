//! Starting the whole stack in one process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::link::LinkSettings;
use api::return_url::ReturnUrls;
use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use axum::Router;
use embedded::{EmbeddedStore, OpenError};
use runtime::config::{
    CHECKOUT_URL, ConfigError, Opened, RETURN_URLS, open_secrets, sdk_behaviour, system_clock,
    system_randomness,
};
use runtime::connectors::plain_connector;
use runtime::deadline::Deadline;
use runtime::deps::{Clock, Deps, Randomness};
use runtime::transport::Transport;
use simulator::Simulator;
use simulator::config::SimulatorConfig;
use simulator::error::StartError;
use store::Store;
use store::schema::create_table;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::TurnedClock;
use crate::events::{self, Outlets};
use crate::lambda::{Environment, Functions};
use crate::pipe::PipeError;
use crate::seed::{SeedError, seed};
use crate::{secrets, server, worker};

/// The table's name on the laptop.
pub const TABLE: &str = "latchpay";

/// Where the checkout page may send a customer back to on the laptop: any server on this machine.
pub const LOOPBACK_URLS: &str = "http://127.0.0.1,http://localhost,http://[::1]";

/// How the stack is to run.
#[derive(Clone)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// Where data is kept; `None` keeps it in memory only.
    pub data: Option<PathBuf>,
    /// Where the simulator's randomness starts.
    pub seed: u64,
    /// What the clock of everything runs with: it can be turned ahead of this one.
    pub clock: Clock,
    /// The randomness of everything but the simulator.
    pub randomness: Randomness,
    /// Whether the `settle` worker runs.
    pub settle: bool,
    /// The port on 127.0.0.1 where the store speaks DynamoDB's protocol to other processes.
    pub store_port: Option<u16>,
    /// The Lambda endpoint whose functions answer in place of the handlers in this process.
    pub functions: Option<String>,
    /// What stands between the SDK and the embedded store, such as a meter.
    pub wrap_store: Option<WrapStore>,
    /// What stands between the transport and the gateways.
    pub wrap_gateways: Option<WrapGateways>,
    /// Where events for the merchant's own systems go.
    pub events: Option<Outlets>,
}

/// Puts something between the SDK and the embedded store.
pub type WrapStore = Arc<dyn Fn(EmbeddedStore) -> SharedHttpClient + Send + Sync>;

/// Puts something between the transport and the gateways.
pub type WrapGateways = Arc<dyn Fn(SharedHttpConnector) -> SharedHttpConnector + Send + Sync>;

impl Options {
    /// In memory, on any free port, with the system's clock.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            port: 0,
            data: None,
            seed: 0,
            clock: system_clock(),
            randomness: system_randomness(),
            settle: true,
            store_port: None,
            functions: None,
            wrap_store: None,
            wrap_gateways: None,
            events: None,
        }
    }
}

/// Why the stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The port or the data folder.
    #[error("the port or the data folder cannot be used")]
    Io(#[from] io::Error),
    /// The embedded store.
    #[error("the store cannot be opened")]
    Store(#[from] OpenError),
    /// Its table.
    #[error("the table cannot be created")]
    Table(#[from] Box<aws_sdk_dynamodb::Error>),
    /// The configuration that the functions would get.
    #[error("the configuration is not acceptable")]
    Config(#[from] ConfigError),
    /// The simulator.
    #[error("the simulator does not start")]
    Simulator(#[from] StartError),
    /// The pipe of events.
    #[error("the pipe of events cannot be read")]
    Pipe(#[from] PipeError),
    /// The products.
    #[error("the products cannot be seeded")]
    Seed(#[from] SeedError),
}

/// The running stack. Dropping it stops it.
pub struct Stack {
    /// Where it serves.
    pub base_url: String,
    /// The functions' environment for other processes, where the store is on a port.
    pub environment: Option<Environment>,
    /// What its handlers work with.
    pub deps: Arc<Deps>,
    /// The clock of everything.
    pub clock: TurnedClock,
    /// The store beneath the SDK.
    pub embedded: EmbeddedStore,
    _simulator: Simulator,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Stack {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Stack {
    /// Starts everything; it serves when this returns.
    ///
    /// # Errors
    /// [`StackError`] says what does not start.
    pub async fn start(options: Options) -> Result<Self, StackError> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let base_url = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
        if let Some(folder) = &options.data {
            std::fs::create_dir_all(folder)?;
        }
        // Who is told of events lives by the clock beneath, whatever this one is turned to.
        let beneath = Arc::clone(&options.clock);
        let clock = TurnedClock::open(Arc::clone(&beneath), options.data.as_deref())?;
        let options = Options { clock: clock.reader(), ..options };
        let embedded = match &options.data {
            Some(folder) => open_store(folder).await?,
            None => EmbeddedStore::in_memory()?,
        };
        let folder = options.data.as_deref();
        let secrets = secrets::of_folder(folder, &base_url, &options.randomness)?;
        let links = links(&base_url)?;
        let deps = Arc::new(deps(&options, &embedded, &secrets, links).await?);
        seed(&deps).await?;
        let simulator = Simulator::start(simulator_config(&options, &base_url))?;
        let functions = options.functions.as_ref().map(Functions::at);
        let server = server::Server { deps: Arc::clone(&deps), functions, clock: clock.clone() };
        let routes = server::router(simulator.router(), server);
        let mut tasks = vec![serve(listener, routes)];
        if let Some(outlets) = options.events.clone() {
            tasks.push(events::start(outlets, beneath, embedded.writes())?);
        }
        if options.settle {
            tasks.push(worker::start(Arc::clone(&deps), embedded.writes()));
        }
        let mut environment = None;
        if let Some(port) = options.store_port {
            let listener = TcpListener::bind(("127.0.0.1", port)).await?;
            let store_url = format!("http://{}", listener.local_addr()?);
            let functions = Environment::new(secrets, store_url, TABLE);
            let functions = functions.with(RETURN_URLS, LOOPBACK_URLS.to_owned());
            environment = Some(functions.with(CHECKOUT_URL, base_url.clone()));
            tasks.push(serve_store(listener, embedded.clone()));
        }
        Ok(Self { base_url, environment, deps, clock, embedded, _simulator: simulator, tasks })
    }
}

/// Opens the store of a folder. The engine makes a table in several steps, so that a new store
/// takes its name only once it has its table: a kill in between leaves nothing that is half made.
async fn open_store(folder: &Path) -> Result<EmbeddedStore, StackError> {
    let file = folder.join("store.db");
    if !file.exists() {
        let unfinished = folder.join("store.new");
        for ending in ["", "-wal", "-shm"] {
            let left = folder.join(format!("store.new{ending}"));
            if left.exists() {
                std::fs::remove_file(left)?;
            }
        }
        let store = EmbeddedStore::open(&unfinished)?;
        let client = Client::from_conf(sdk_behaviour(store.sdk_config()));
        create_table(&client, TABLE).await.map_err(Box::new)?;
        drop((client, store));
        std::fs::rename(unfinished, &file)?;
    }
    Ok(EmbeddedStore::open(&file)?)
}

/// Links lead to this stack, and back to any server on this machine.
fn links(base_url: &str) -> Result<LinkSettings, ConfigError> {
    let return_urls = ReturnUrls::parse(LOOPBACK_URLS)?;
    Ok(LinkSettings { base_url: Some(base_url.to_owned()), return_urls })
}

async fn deps(
    options: &Options,
    embedded: &EmbeddedStore,
    secrets: &str,
    links: LinkSettings,
) -> Result<Deps, StackError> {
    let mut config = embedded.sdk_config();
    if let Some(wrap) = &options.wrap_store {
        config = config.http_client(wrap(embedded.clone()));
    }
    let client = Client::from_conf(sdk_behaviour(config));
    create_table(&client, TABLE).await.map_err(Box::new)?;
    let Opened { ids, keyring, gateways } = open_secrets(secrets)?;
    // Plain HTTP: the simulator is on this machine.
    let mut connector = plain_connector();
    if let Some(wrap) = &options.wrap_gateways {
        connector = wrap(connector);
    }
    Ok(Deps {
        store: Store::new(client, TABLE),
        gateways,
        transport: Arc::new(Transport::new(connector)),
        keyring,
        links,
        ids,
        clock: Arc::clone(&options.clock),
        randomness: Arc::clone(&options.randomness),
        deadline: Deadline::NONE,
    })
}

fn simulator_config(options: &Options, base_url: &str) -> SimulatorConfig {
    let callbacks = format!("{base_url}/v1/callbacks");
    let mut config = SimulatorConfig::new(callbacks, Arc::clone(&options.clock));
    config.seed = options.seed;
    config.data = options.data.as_ref().map(|folder| folder.join("simulator.jsonl"));
    config
}

fn serve_store(listener: TcpListener, embedded: EmbeddedStore) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = embedded.serve(listener, std::future::pending()).await {
            tracing::error!(%error, "the store's port stopped");
        }
    })
}

fn serve(listener: TcpListener, routes: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the server stopped");
        }
    })
}
