//! Whole checkouts, as a page and its customer play them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use tests::metering::metered;
use tests::quiet::replay;
use tests::{Window, World, expect};

use crate::count::{Count, Counter};
use crate::settings::Settings;

/// The gateway that everything is paid at.
const GATEWAY: &str = "wechat_pay";
/// Where the clock stands at first: with milliseconds, as real times have them.
const BEGIN_MS: i64 = 1_764_000_000_123;
/// An odd number by which the draws of the randomness differ.
const DRAW: u64 = 0x9e37_79b9_7f4a_7c15;

/// Whether a booking is bought or renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Opened and paid for the first time.
    First,
    /// Renewed.
    Renewal,
}

/// Whether the customer changes the quantity while a code is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// One order, one code.
    None,
    /// A second order voids the first, whose code is closed.
    Quantity,
}

/// A checkout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checkout {
    /// The product, one of the laptop's.
    pub product: &'static str,
    /// Its flow.
    pub flow: &'static str,
    /// First booking or renewal.
    pub kind: Kind,
    /// Whether an order is superseded on the way.
    pub change: Change,
}

impl Checkout {
    /// Every checkout that is counted.
    #[must_use]
    pub fn every() -> Vec<Self> {
        let flows = [
            ("desk-submit", "submit_once"),
            ("desk-order", "order_first"),
            ("desk-instant", "instant"),
        ];
        let mut every = vec![];
        for (product, flow) in flows {
            for kind in [Kind::First, Kind::Renewal] {
                for change in [Change::None, Change::Quantity] {
                    every.push(Self { product, flow, kind, change });
                }
            }
        }
        every
    }
}

impl fmt::Display for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::First => "first booking",
            Kind::Renewal => "renewal",
        };
        let change = match self.change {
            Change::None => "",
            Change::Quantity => ", an order superseded",
        };
        write!(f, "`{}`, {kind}{change}", self.flow)
    }
}

/// What a checkout came to.
pub struct Played {
    /// The checkout.
    pub checkout: Checkout,
    /// All that it cost.
    pub count: Count,
    /// The custom metrics that were written.
    pub metrics: Vec<String>,
}

/// Plays every checkout, each on a stack of its own.
pub async fn play_all(settings: &Settings) -> Vec<Played> {
    let mut played = vec![];
    for checkout in Checkout::every() {
        played.push(play(checkout, settings).await);
    }
    played
}

/// Plays one checkout.
///
/// # Panics
/// If it does not go as it must.
pub async fn play(checkout: Checkout, settings: &Settings) -> Played {
    let (meter, wrap) = metered();
    let draws = AtomicU64::new(0);
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(wrap);
        options.clock = Arc::new(|| Timestamp::from_millisecond(BEGIN_MS).unwrap());
        options.randomness = Arc::new(move || {
            let draw = draws.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
            (u128::from(draw.wrapping_mul(DRAW)) << 64 | u128::from(draw)).to_be_bytes()
        });
    })
    .await;
    world.faults(json!({ "notifications_dropped": 1, "refund_delay_ms": 0 })).await;
    let counter = Counter::new(meter.get().unwrap().clone());
    let mut page = Page { world, counter, requests: 0, polls: polls(settings) };
    let count = page.check_out(checkout, settings).await;
    assert!(!page.world.has_work().await, "{checkout}: work is left that was not counted");
    Played { checkout, count, metrics: page.counter.metrics() }
}

/// How often a page asks while it shows one code.
fn polls(settings: &Settings) -> u64 {
    settings.assume("code_shown_s").div_ceil(settings.assume("poll_every_s").max(1)).max(1)
}

/// A page, its customer, and what they have caused.
struct Page {
    world: World,
    counter: Counter,
    requests: u64,
    polls: u64,
}

impl Page {
    async fn check_out(&mut self, checkout: Checkout, settings: &Settings) -> Count {
        let window = match checkout.kind {
            Kind::First => {
                self.begin();
                self.open(checkout).await
            }
            Kind::Renewal => {
                let window = self.open(checkout).await;
                let code = self.code(&window, checkout, 30).await;
                self.pay(&code).await;
                self.begin();
                window
            }
        };
        let product = format!("/v1/products/{}", checkout.product);
        self.requests += 1;
        expect(200, window.client.get(product).await.unwrap());
        let mut tag = self.look(&window, None).await;
        let mut code = self.code(&window, checkout, 30).await;
        tag = self.show(&window, tag, settings).await;
        if checkout.change == Change::Quantity {
            code = self.code(&window, checkout, 31).await;
            tag = self.show(&window, tag, settings).await;
        }
        self.pay(&code).await;
        self.look(&window, Some(&tag)).await;
        let count = self.counter.take(self.requests);
        let booking = window.look().await;
        assert_eq!((&booking["status"], &booking["live_order"]), (&json!("active"), &Value::Null));
        count
    }

    /// Counts from here: what went before, and the stack's own beginning, is nobody's checkout.
    fn begin(&mut self) {
        self.counter.take(0);
        self.requests = 0;
    }

    /// A customer, whose id is a UUID, opens a booking.
    async fn open(&mut self, checkout: Checkout) -> Window {
        self.requests += 1;
        let customer = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
        self.world.booking_of(customer, checkout.product).await.paying_at(GATEWAY)
    }

    /// Reads the booking if it is not what the page knows; answers its tag.
    async fn look(&mut self, window: &Window, known: Option<&str>) -> String {
        self.requests += 1;
        let reply = match known {
            Some(tag) => window.look_unless(tag).await,
            None => window.client.get(&window.path).await.unwrap(),
        };
        let tag = reply.headers["etag"].to_str().unwrap().to_owned();
        expect(200, reply);
        tag
    }

    /// A code by what the flow asks for.
    async fn code(&mut self, window: &Window, checkout: Checkout, quantity: u32) -> Value {
        let made = match checkout.flow {
            "submit_once" => {
                self.requests += 2;
                let quoted = expect(201, window.quote(quantity).await);
                window.order(&quoted["quote"]["token"]).await
            }
            "order_first" => {
                self.requests += 2;
                let quoted = expect(201, window.quote(quantity).await);
                window.generate(&quoted).await
            }
            _ => {
                self.requests += 1;
                window.quote_at(quantity, GATEWAY).await
            }
        };
        let made = expect(201, made);
        self.settle().await;
        made
    }

    /// Shows a code: the page asks again and again, and a minute after the code was made so does
    /// the worker.
    async fn show(&mut self, window: &Window, known: String, settings: &Settings) -> String {
        let tag = self.look(window, Some(&known)).await;
        for _ in 1..self.polls {
            self.requests += 1;
            expect(304, window.look_unless(&tag).await);
        }
        let shown_s = i64::try_from(settings.assume("code_shown_s")).unwrap();
        self.world.clock.advance_s(shown_s);
        self.settle().await;
        tag
    }

    /// The customer pays, and the gateway tells of it.
    async fn pay(&mut self, made: &Value) {
        let paid = self.world.pay(&made["payment"]["code_url"]).await;
        let what = json!({ "transaction_id": paid["transaction_id"] });
        self.requests += 1;
        replay(&self.world, &what).await;
        self.settle().await;
    }

    /// Runs what is due, as the stream or the schedule would. Finding it is the schedule's cost,
    /// which is there without any checkout.
    async fn settle(&mut self) {
        let deps = Arc::clone(&self.world.stack.deps);
        let due = self.counter.aside(self.world.due_by(deps.now())).await.unwrap();
        for ran in settle::run_all(&deps, &due).await {
            ran.unwrap();
        }
    }
}
