//! One run's world: the handlers that ship on a store and gateways in this process, under a
//! simulated clock.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use api::link::LinkSettings;
use api::request::{Caller, Request, SCOPE_ATTENTION_WRITE, SCOPE_PRODUCTS_WRITE};
use api::respond::Answer;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use domain::ids::{OrderId, PaymentId};
use domain::money::Money;
use domain::task::FUNCTION_TIMEOUT_S_MAX;
use embedded::EmbeddedStore;
use gateways::registry::Registry;
use http::{HeaderMap, Method};
use local::dispatch::dispatch;
use local::secrets;
use local::stack::TABLE;
use runtime::config::{Opened, open_secrets, sdk_behaviour};
use runtime::deadline::Deadline;
use runtime::deps::{Deps, Randomness};
use runtime::transport::Transport;
use serde_json::{Value, json};
use simulator::Simulator;
use simulator::config::{Courier, SimulatorConfig};
use store::Store;
use store::schema::create_table;
use tests::faults::Side;

use crate::OPERATOR;
use crate::chance::Chance;
use crate::clock;
use crate::figures::Figures;
use crate::network::{GatewayEnd, Overheard, Sky, StoreEnd, Weather, ask, between, connector};
use crate::trace::Trace;
use crate::watch::{ACTOR, Watch, is_over};
use crate::wires;

/// Where the gateways think that we are.
const BASE_URL: &str = "http://127.0.0.1:8080";
/// The longest that an unlucky handler lives, in milliseconds.
const LIFE_MS_MAX: u64 = 1_500;

/// What every run has in common: keys and secrets, read once.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// The laptop's settings, and what varies of them.
struct Settings {
    opened: Opened,
    /// Stripe where its payments are codes of WeChat Pay instead of sessions.
    stripe_qr: Registry,
}

fn settings() -> &'static Settings {
    SETTINGS.get_or_init(|| {
        let zeros: Randomness = Arc::new(|| [0; 16]);
        let secrets = secrets::of_folder(None, BASE_URL, &zeros).unwrap();
        let mut varied: Value = serde_json::from_str(&secrets).unwrap();
        let mut stripe = varied["gateways"]["stripe"].take();
        stripe["code"] = json!("wechat_pay_qr");
        let stripe_qr = Registry::from_settings(&json!({ "stripe": stripe }).to_string()).unwrap();
        Settings { opened: open_secrets(&secrets).unwrap(), stripe_qr }
    })
}

/// The gateways of a run: all of them, some, or one; Stripe in either of its forms.
fn gateways(chance: &mut Chance) -> Registry {
    let Settings { opened, stripe_qr } = settings();
    let mut all: Vec<_> = opened.gateways.names().collect();
    for name in &all {
        assert!(wires::is_known(name.as_str()), "{name} has no row in the table of wires");
    }
    chance.shuffle(&mut all);
    let fewer = chance.weighted(&[(6, 0), (2, 1), (2, 2)]);
    all.truncate(all.len() - fewer);
    let varied = if chance.hits(400) { Some(stripe_qr) } else { None };
    let chosen = all.into_iter().map(|name| {
        let gateway = varied.and_then(|varied| varied.get(name));
        Arc::clone(gateway.or(opened.gateways.get(name)).unwrap())
    });
    Registry::new(chosen.collect())
}

/// The world of one run.
pub struct World {
    /// What the handlers work with.
    pub deps: Deps,
    /// The gateways.
    pub simulator: Arc<Simulator>,
    /// Holds everything against the rules.
    pub watch: Arc<Watch>,
    /// The store beneath the SDK.
    pub store: EmbeddedStore,
    /// The weather.
    pub sky: Arc<Sky>,
    /// Counts.
    pub figures: Arc<Figures>,
    /// Tells.
    pub trace: Arc<Trace>,
    routes: Router,
    actors: Mutex<u64>,
}

/// A request to the API.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks.
    pub who: String,
    /// Method.
    pub method: Method,
    /// Path.
    pub path: String,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// JSON.
    pub body: Option<Value>,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// JSON; null where there is none.
    pub body: Value,
}

impl World {
    /// A fresh world; to be made within a runtime whose clock stands still.
    pub async fn new(chance: &mut Chance, weather: Weather, trace: Trace) -> Arc<Self> {
        let Opened { ids, keyring, .. } = settings().opened.clone();
        let gateways = gateways(chance);
        trace.tell(&format!("{gateways:?}"));
        let store = EmbeddedStore::in_memory().unwrap().on_callers_thread();
        let watch = Arc::new(Watch::new(store.clone(), ids.clone()));
        let (figures, trace) = (Arc::new(Figures::default()), Arc::new(trace));
        let (sky_figures, sky_trace) = (Arc::clone(&figures), Arc::clone(&trace));
        let sky = Arc::new(Sky::new(weather, chance.fork(), sky_figures, sky_trace));
        let faults = between(&sky, &watch);

        // The world and the simulator's courier need each other: the courier waits for the world.
        let world_of_courier: Arc<OnceLock<Arc<Self>>> = Arc::default();
        let simulator = Arc::new(simulator(chance, courier(Arc::clone(&world_of_courier))));
        watch.believe(Arc::clone(&simulator));
        let routes = simulator.router();

        let (end_watch, end_sky) = (Arc::clone(&watch), Arc::clone(&sky));
        let end = StoreEnd { store: store.clone(), watch: end_watch, sky: end_sky };
        let client = client(&store, faults.store_over(connector(end)));
        let end = GatewayEnd { routes: routes.clone() };
        let inner = faults.over(Side::Gateway, connector(end));
        let (watch_of_calls, trace_of_calls) = (Arc::clone(&watch), Arc::clone(&trace));
        let overheard = Overheard { inner, watch: watch_of_calls, trace: trace_of_calls };
        let transport = Transport::new(connector(overheard));
        let setup = Client::from_conf(sdk_behaviour(store.sdk_config()));
        create_table(&setup, TABLE).await.unwrap();

        let random = Mutex::new(chance.fork());
        let world = Arc::new(Self {
            deps: Deps {
                store: Store::new(client, TABLE),
                gateways,
                transport: Arc::new(transport),
                keyring,
                links: LinkSettings::default(),
                ids,
                clock: Arc::new(clock::now),
                randomness: Arc::new(move || {
                    random.lock().unwrap_or_else(PoisonError::into_inner).bytes()
                }),
                deadline: Deadline::NONE,
            },
            simulator,
            watch,
            store,
            sky,
            figures,
            trace,
            routes,
            actors: Mutex::new(0),
        });
        assert!(world_of_courier.set(Arc::clone(&world)).is_ok(), "set once");
        world
    }

    /// An actor that has done nothing yet.
    pub fn actor(&self) -> u64 {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        *actors += 1;
        *actors
    }

    /// How long an actor lives: as long as a function may run, unless it is killed.
    pub fn lifetime(&self) -> Duration {
        let killed = self.sky.look(|weather, chance| {
            let life = chance.ms(0..LIFE_MS_MAX);
            chance.hits(weather.killed).then_some(life)
        });
        if killed.is_some() {
            self.figures.count(|all| &all.kills);
        }
        killed.unwrap_or(Duration::from_secs(u64::from(FUNCTION_TIMEOUT_S_MAX)))
    }

    /// Sends a request to its handler. `None` where the handler died.
    pub async fn ask(&self, ask: Ask) -> Option<Reply> {
        self.figures.count(|all| &all.requests);
        let actor = self.actor();
        let Ask { who, method, path, .. } = &ask;
        let line =
            format!("{who} #{actor} {method} {path} {}", ask.body.clone().unwrap_or_default());
        self.trace.tell(&line);
        let asked = clock::elapsed();
        let answer = self.handle(actor, request(&ask)).await;
        let Some(answer) = answer else {
            self.trace.tell(&format!("{who} #{actor} hears nothing"));
            return None;
        };
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let code = body["code"].as_str().unwrap_or_default();
        self.trace.tell(&format!("{who} #{actor} hears {status} {code}"));
        if (400..500).contains(&status) {
            self.watch.was_refused(actor, code);
        }
        if status < 300 {
            self.show(&body, asked);
        }
        self.watch.audit_acknowledged();
        Some(Reply { status, body })
    }

    async fn handle(&self, actor: u64, request: Request) -> Option<Answer> {
        let handled = ACTOR.scope(actor, dispatch(&self.deps, &request));
        tokio::time::timeout(self.lifetime(), handled).await.ok()
    }

    /// What a page shows of an answer is held against the rules.
    fn show(&self, body: &Value, asked: Duration) {
        let order = &body["order"];
        if let Some(order_id) = order["order_id"].as_str().and_then(OrderId::parse) {
            if let Some(amount) = money(&order["amount"]) {
                self.watch.page_shows(order_id.clone(), amount);
            }
            if let Some(amount) = money(&body["quote"]["amount"]) {
                self.watch.page_shows(order_id, amount);
            }
        }
        let payment = &body["payment"];
        if payment["code_url"].is_string() {
            let payment_id = payment["payment_id"].as_str().and_then(PaymentId::parse);
            self.watch.page_shows_code(&payment_id.expect("a payment has an id"), asked);
        }
    }

    /// Pays a code by the wallet: `None` where the gateway refuses.
    pub async fn pay(&self, body: &Value) -> Option<()> {
        let was_over = self.is_over(&body["code_url"]);
        let (status, paid) = self.control(Method::POST, "/simulator/pay", body).await;
        self.trace.tell(&format!("a wallet pays {body}: {status} {paid}"));
        if status != 200 {
            return None;
        }
        let payment_id = paid["payment_id"].as_str().unwrap();
        let transaction_id = paid["transaction_id"].as_str().unwrap();
        if was_over {
            self.watch.was_unexpected(transaction_id);
        }
        let entry = self.simulator.payment(payment_id).unwrap();
        let mut transactions = entry["transactions"].as_array().unwrap().iter();
        match transactions.find(|one| one["transaction_id"] == transaction_id) {
            Some(one) => {
                let paid_at = paid["paid_at"].as_str().unwrap().parse().unwrap();
                self.watch.wallet_paid(transaction_id, money(&one["amount"]).unwrap(), paid_at);
            }
            None => self.watch.wallet_promised(transaction_id, payment_id),
        }
        Some(())
    }

    fn is_over(&self, code_url: &Value) -> bool {
        let mut payments = self.simulator.payments().into_iter();
        let entry = payments
            .find(|entry| entry["code_urls"].as_array().is_some_and(|it| it.contains(code_url)));
        entry.is_some_and(|entry| is_over(&entry))
    }

    /// Scans a code, and leaves it at that.
    pub async fn scan(&self, code_url: &str) {
        let body = json!({ "code_url": code_url });
        let (status, _) = self.control(Method::POST, "/simulator/scan", &body).await;
        self.trace.tell(&format!("a wallet scans {code_url}: {status}"));
        if status == 200 {
            self.figures.count(|all| &all.scans);
        }
    }

    /// Gives money back in a gateway's own console: all that is left, or so many minor units.
    pub async fn refund_by_hand(&self, transaction_id: &str, amount: Option<u64>) {
        let mut body = json!({ "transaction_id": transaction_id });
        if let Some(amount) = amount {
            body["amount"] = json!({ "amount": amount, "currency": "CNY" });
        }
        let (status, refund) = self.control(Method::POST, "/simulator/refund", &body).await;
        self.trace.tell(&format!("a person gives {body} back: {status} {refund}"));
        if status == 200 {
            self.figures.count(|all| &all.refunds_by_hand);
            self.watch.refunded_by_hand(refund["refund_no"].as_str().unwrap());
        }
    }

    /// A payer's bank takes a payment into question, or ends it so.
    pub async fn dispute(&self, transaction_id: &str, outcome: Option<&str>) {
        let mut body = json!({ "transaction_id": transaction_id });
        if let Some(outcome) = outcome {
            body["outcome"] = json!(outcome);
        }
        let (status, dispute) = self.control(Method::POST, "/simulator/dispute", &body).await;
        self.trace.tell(&format!("a bank disputes {body}: {status} {dispute}"));
        if status == 200 {
            self.figures.count(|all| &all.disputes);
            self.watch.disputed(dispute["dispute_id"].as_str().unwrap());
        }
    }

    /// Calls a control of the simulator.
    pub async fn control(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = http::Request::builder().method(method).uri(path);
        ask(&self.routes, request.body(Body::from(body.to_string())).unwrap()).await
    }
}

fn money(value: &Value) -> Option<Money> {
    serde_json::from_value(value.clone()).ok()
}

fn request(ask: &Ask) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    if let Some(key) = &ask.key {
        headers.insert("idempotency-key", key.parse().unwrap());
    }
    let scopes = match ask.who.as_str() {
        OPERATOR => vec![SCOPE_PRODUCTS_WRITE.to_owned(), SCOPE_ATTENTION_WRITE.to_owned()],
        _ => vec![],
    };
    Request {
        method: ask.method.clone(),
        path: ask.path.clone(),
        query: None,
        headers,
        body: ask.body.as_ref().map(|body| Bytes::from(body.to_string())).unwrap_or_default(),
        caller: Some(Caller::Customer { subject: ask.who.clone(), scopes }),
        request_id: String::new(),
    }
}

/// An SDK client whose retries draw from this run's randomness and no other's budget.
fn client(
    store: &EmbeddedStore,
    http: aws_smithy_runtime_api::client::http::SharedHttpClient,
) -> Client {
    let budget = TokenBucket::builder().capacity(usize::from(u16::MAX)).build();
    let partition = RetryPartition::custom("simulation").token_bucket(budget).build();
    let config = store.sdk_config().http_client(http).retry_partition(partition);
    Client::from_conf(sdk_behaviour(config))
}

fn simulator(chance: &mut Chance, courier: Courier) -> Simulator {
    let callbacks = format!("{BASE_URL}/v1/callbacks");
    let mut config = SimulatorConfig::new(callbacks, Arc::new(clock::now));
    config.seed = chance.number(0..u64::MAX);
    config.courier = Some(courier);
    // As long as the gateways' own: a store that is down for a while outlasts none of them.
    config.retry_schedule = [15, 15, 30, 180, 600, 1_200, 1_800].map(Duration::from_secs).to_vec();
    Simulator::start(config).unwrap()
}

/// Brings notifications to the callback's handler.
fn courier(world: Arc<OnceLock<Arc<World>>>) -> Courier {
    Arc::new(move |request| {
        let world = world.get().map(Arc::clone);
        Box::pin(async move { world?.notified(request).await })
    })
}

impl World {
    async fn notified(&self, request: http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        self.figures.count(|all| &all.notifications);
        let latency = self.sky.look(|_, chance| [chance.ms(1..400), chance.ms(1..400)]);
        let actor = self.actor();
        self.trace.tell(&format!("notification #{actor} for {}", request.uri().path()));
        tokio::time::sleep(latency[0]).await;
        let (parts, body) = request.into_parts();
        let told = body.clone();
        let gateway = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
        let request = Request {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: None,
            headers: parts.headers,
            body,
            caller: None,
            request_id: String::new(),
        };
        let answer = self.handle(actor, request).await;
        let status = answer.as_ref().map(|answer| answer.status().as_u16());
        self.trace.tell(&format!("notification #{actor} is answered {status:?}"));
        tokio::time::sleep(latency[1]).await;
        if answer.as_ref().is_some_and(|answer| answer.status().is_success()) {
            self.watch.acknowledged(&gateway, &told);
        }
        answer
    }
}
