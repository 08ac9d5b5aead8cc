//! A deterministic simulation of the whole product.
//!
//! One run is one seed: customers with several windows each, an operator who changes prices,
//! wallets, gateways, the stream and the worker, all on one thread under a clock that stands still
//! until everybody waits. The handlers, the store's adapter, the SDK with its retries, the
//! gateways' adapters and their wire formats are the ones that ship; only what lies beneath the
//! SDK and the transport is played: an embedded store, the gateways' simulator, and a network with
//! latency and faults.
//!
//! The rules of the design are checked after every write ([`check`]), and once faults have stopped
//! everything has to settle ([`settled`]). A seed repeats its run exactly.

pub mod chance;
pub mod check;
pub mod clock;
mod customers;
pub mod figures;
mod network;
mod settled;
mod snapshot;
pub mod trace;
mod watch;
pub mod wires;
mod worker;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::money::Currency;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::check::Violation;
use crate::customers::Table;
use crate::figures::Figures;
use crate::network::Weather;
use crate::trace::Trace;
use crate::world::{Ask, World};

/// Who changes prices and looks after what waits for a person.
const OPERATOR: &str = "operator";

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// The sum of all that happened: the same for every run of the seed.
    pub sum: u64,
    /// What happened, line by line, where it was kept.
    pub lines: Vec<String>,
    /// Counts.
    pub figures: Arc<Figures>,
}

/// Plays a seed.
#[must_use]
pub fn play(seed: u64, trace: Trace) -> Run {
    // The SDK draws its pauses from the thread's own source.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime needs nothing");
    runtime.block_on(run(seed, trace))
}

/// Plays seeds in their order, several at once, until one breaks a rule. Answers what they came to
/// together, and the lowest seed that broke one.
#[must_use]
pub fn play_all(from: u64, seeds: u64, threads: u64) -> (Figures, Option<Run>) {
    let next = AtomicU64::new(0);
    let (figures, broken) = (Figures::default(), Mutex::new(None::<Run>));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let run = play(from + number, Trace::default());
                    figures.add(&run.figures);
                    if run.violation.is_some() {
                        // Lower seeds are under way already; no later one is begun.
                        next.store(seeds, Ordering::Relaxed);
                        let mut first = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        if first.as_ref().is_none_or(|first| run.seed < first.seed) {
                            *first = Some(run);
                        }
                    }
                }
            });
        }
    });
    (figures, broken.into_inner().unwrap_or_else(PoisonError::into_inner))
}

async fn run(seed: u64, trace: Trace) -> Run {
    clock::start();
    let mut chance = Chance::new(seed);
    let weather = Weather::draw(&mut chance);
    trace.tell(&format!("{weather:?}"));
    let world = World::new(&mut chance, weather, trace).await;
    let broken = tokio::select! {
        biased;
        () = world.watch.until_broken() => Ok(()),
        settled = story(&world, &mut chance, weather) => settled,
    };
    world.watch.hold(broken);
    count(&world);
    Run {
        seed,
        violation: world.watch.violation(),
        sum: world.trace.sum(),
        lines: world.trace.lines(),
        figures: Arc::clone(&world.figures),
    }
}

/// Everybody does what they do, and then everything settles.
async fn story(world: &Arc<World>, chance: &mut Chance, weather: Weather) -> check::Checked {
    let mut products = vec![];
    for number in 0..chance.number(1..3) {
        products.push(define(world, number, chance).await);
    }
    set_faults(world, chance, weather).await;
    let mut always = JoinSet::new();
    always.spawn(worker::follow_stream(Arc::clone(world), world.store.writes(), chance.fork()));
    always.spawn(worker::follow_schedule(Arc::clone(world), chance.fork()));
    let mut windows = JoinSet::new();
    for customer in 0..chance.number(1..4) {
        let product = chance.one_of(&products).expect("there is one").clone();
        let Some(table) = Table::open(world, &format!("customer-{customer}"), &product).await
        else {
            continue;
        };
        let table = Arc::new(table);
        for _ in 0..chance.number(1..5) {
            let wishes = chance.number(3..13);
            windows.spawn(Arc::clone(&table).window(chance.fork(), wishes));
        }
    }
    for product in products {
        windows.spawn(change_prices(Arc::clone(world), product, chance.fork()));
    }
    windows.spawn(change_moods(Arc::clone(world), chance.fork(), weather));
    windows.spawn(operate(Arc::clone(world), chance.fork()));
    windows.spawn(meddle(Arc::clone(world), chance.fork()));
    while windows.join_next().await.is_some() {}
    settled::settle(world).await
}

/// A product of any kind.
async fn define(world: &World, number: u64, chance: &mut Chance) -> Value {
    let flow = *chance.one_of(&["submit_once", "order_first", "instant"]).expect("three flows");
    let gateways: Vec<&str> = world.deps.gateways.names().map(|name| name.as_str()).collect();
    let definition = json!({
        "name": "Desk",
        "flow": flow,
        "unit": chance.one_of(&["hour", "hour", "day", "month"]),
        "time_zone": "Asia/Shanghai",
        "first_unit_price": { "amount": 1280, "currency": "CNY" },
        "renewal_unit_price": { "amount": 990, "currency": "CNY" },
        "min_quantity": 1,
        "max_quantity": 3,
        "max_renewals": chance.number(0..4),
        "currency": "CNY",
        "quote_ttl_s": chance.one_of(&[300, 900]),
        "payment_ttl_s": if flow == "instant" { 60 } else { 300 },
        "price_check": chance.one_of(&["on", "on", "off"]),
        "late_payment": chance.one_of(&["accept", "refund"]),
        "gateways": gateways,
    });
    let product_id = format!("desk-{number}");
    let mut product = definition.clone();
    product["product_id"] = json!(product_id);
    // Before anybody comes, the weather does not matter: until it is stored it is put again.
    while put(world, &product_id, &definition).await != Some(200) {}
    product
}

async fn put(world: &World, product_id: &str, definition: &Value) -> Option<u16> {
    let path = format!("/v1/products/{product_id}");
    let reply = world.ask(as_operator(Method::PUT, path, Some(definition.clone()))).await;
    reply.map(|reply| reply.status)
}

fn as_operator(method: Method, path: String, body: Option<Value>) -> Ask {
    Ask { who: OPERATOR.to_owned(), method, path, key: None, body }
}

/// An operator who looks at what waits for a person now and then, and has some of it tried again
/// or taken off the list.
async fn operate(world: Arc<World>, mut chance: Chance) {
    for _ in 0..chance.number(0..5) {
        tokio::time::sleep(chance.ms(0..900_000)).await;
        let list = as_operator(Method::GET, "/v1/attention".to_owned(), None);
        let Some(list) = world.ask(list).await else { continue };
        for one in list.body["attention"].as_array().into_iter().flatten() {
            let names = ["booking_id", "attention_id"].map(|name| one[name].as_str());
            let [Some(booking_id), Some(attention_id)] = names else { continue };
            let action = chance.weighted(&[(3, "retry"), (1, "resolve"), (2, "leave")]);
            let path = format!("/v1/attention/{booking_id}/{attention_id}/{action}");
            if action != "leave" {
                let note = json!({ "note": "looked at it" });
                world.ask(as_operator(Method::POST, path, Some(note))).await;
            }
        }
    }
}

/// In some runs, people who give money back at the gateways by hand, and payers who dispute.
async fn meddle(world: Arc<World>, mut chance: Chance) {
    if chance.hits(650) {
        return;
    }
    for _ in 0..chance.number(1..8) {
        tokio::time::sleep(chance.ms(0..900_000)).await;
        let transactions = world.watch.transactions();
        let Some(id) = chance.one_of(&transactions) else { continue };
        let part = Some(chance.number(1..1_000));
        match chance.number(0..6) {
            0 => world.refund_by_hand(id, None).await,
            1 => world.refund_by_hand(id, part).await,
            2 | 3 => world.dispute(id, None).await,
            4 => world.dispute(id, Some("won")).await,
            _ => world.dispute(id, Some("lost")).await,
        }
    }
}

/// An operator who cannot make up their mind.
async fn change_prices(world: Arc<World>, product: Value, mut chance: Chance) {
    let mut definition = product;
    let product_id = definition["product_id"].take();
    definition.as_object_mut().expect("a product").remove("product_id");
    for _ in 0..chance.number(0..4) {
        tokio::time::sleep(chance.ms(0..900_000)).await;
        let field = *chance.one_of(&["first_unit_price", "renewal_unit_price"]).expect("two");
        definition[field]["amount"] = json!(chance.number(smallest(&world)..2_000));
        put(&world, product_id.as_str().expect("a text"), &definition).await;
    }
}

/// The smallest price that every gateway of the run takes, in fen.
fn smallest(world: &World) -> u64 {
    let (gateways, cny) = (&world.deps.gateways, Currency::parse("CNY").unwrap());
    let limits = gateways.names().filter_map(|name| gateways.get(name)?.limits(cny));
    limits.map(|limits| u64::try_from(limits.min).unwrap()).max().unwrap_or(1)
}

/// Gateways that tell and refund at one pace now, and at another later.
async fn change_moods(world: Arc<World>, mut chance: Chance, weather: Weather) {
    for _ in 0..chance.number(0..6) {
        tokio::time::sleep(chance.ms(0..400_000)).await;
        set_faults(&world, &mut chance, weather).await;
    }
}

async fn set_faults(world: &World, chance: &mut Chance, weather: Weather) {
    let share = |per_mille: u32| f64::from(per_mille) / 1_000.0;
    let [dropped, duplicated, reordered] = weather.notifications.map(share);
    let search_lag_ms_max = chance.weighted(&[(6, 5_000), (2, 60_000), (1, 600_000)]);
    let search_lag_ms = chance.number(0..search_lag_ms_max);
    let plan = json!({
        "notification_delay_ms": chance.number(0..20_000),
        "notifications_dropped": dropped,
        "notifications_duplicated": duplicated,
        "notifications_reordered": reordered,
        "refund_outcome": chance.weighted(&[
            (8, "success"),
            (3, "closed"),
            (2, "failed_later"),
            (1, "abnormal"),
        ]),
        "refund_delay_ms": chance.number(0..120_000),
        "failures_kept": share(weather.kept),
        "search_lag_ms": search_lag_ms,
        "webhook_secret_rolls": chance.hits(300),
    });
    let (status, body) = world.control(Method::PUT, "/simulator/faults", &plan).await;
    assert_eq!(status, 200, "{body}");
    let key = json!({ "signs": chance.one_of(&["current", "previous"]) });
    let (status, body) = world.control(Method::PUT, "/simulator/alipay/key", &key).await;
    assert_eq!(status, 200, "{body}");
}

fn count(world: &World) {
    let figures = &world.figures;
    let add = |figure: &AtomicU64, number: u64| {
        figure.fetch_add(number, Ordering::Relaxed);
    };
    let sums = world.watch.sums();
    add(&figures.seeds, 1);
    add(&figures.applied, sums.applied);
    add(&figures.refunded, sums.refunded);
    add(&figures.waiting, sums.waiting);
    let bookings = world.watch.bookings();
    add(&figures.bookings, bookings.len() as u64);
    add(&figures.orders, bookings.iter().map(|it| u64::from(it.booking.orders_made)).sum());
    add(&figures.checked_writes, world.watch.steps());
    add(&figures.simulated_s, clock::elapsed().as_secs());
    let payments = world.simulator.payments();
    for entry in &payments {
        let captured = entry["transactions"].as_array().unwrap().len() as u64;
        add(&figures.captured, captured);
        let there = match entry["gateway"].as_str().unwrap() {
            "alipay" => &figures.captured_alipay,
            "stripe" => &figures.captured_stripe,
            "wechat_pay" => &figures.captured_wechat_pay,
            other => panic!("{other} has no figure"),
        };
        add(there, captured);
    }
    let transactions = payments.iter().flat_map(|it| it["transactions"].as_array().unwrap());
    let unheard = transactions.filter(|one| one["notifications"]["sent"] == 0).count();
    add(&figures.lost_notifications, unheard as u64);
}
