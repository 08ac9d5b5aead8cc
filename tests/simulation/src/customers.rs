//! Customers: each looks at one booking in several windows, and does in each whatever comes to
//! mind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::clock;
use crate::world::{Ask, Reply, World};

/// How often a window sends a request again that was not answered, or only with "later".
const REPEATS_MAX: u32 = 4;
/// The farthest deadline that somebody waits for, in milliseconds.
const DEADLINE_MS_MAX: u64 = 4 * 3_600_000;
/// The longest that somebody waits before they pay, in milliseconds: longer than any code lives.
const LATE_MS_MAX: u64 = 9_000_000;
/// What the address of a Checkout Session begins with.
const SESSION_PAGE: &str = "https://checkout.stripe.com/";
/// The longest wait before such a repeat, in milliseconds.
const REPEAT_MS_MAX: u64 = 4_000;

/// A booking, and all that its customer has seen of it in any window.
pub struct Table {
    world: Arc<World>,
    customer: String,
    path: String,
    flow: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What a click needs: `{quote_token, order_id?}`.
    offers: Vec<Value>,
    codes: Vec<String>,
    orders: Vec<String>,
    /// When the term that was last seen ends, and until when the order that was last seen is paid.
    deadlines: Vec<Timestamp>,
}

#[derive(Clone, Copy)]
enum Wish {
    Quote,
    Click,
    OldClick,
    Look,
    Pay,
    PayOld,
    PayLate,
    Scan,
    Switch,
    CancelOrder,
    CancelBooking,
    LastMinute,
}

impl Table {
    /// Opens a booking; `None` where nobody answers.
    pub async fn open(world: &Arc<World>, customer: &str, product: &Value) -> Option<Self> {
        let mut chance = Chance::new(0);
        let open = Ask {
            who: customer.to_owned(),
            method: Method::POST,
            path: "/v1/bookings".to_owned(),
            key: Some(format!("key-of-{customer}")),
            body: Some(json!({ "product_id": product["product_id"] })),
        };
        let opened = insist(world, &open, &mut chance).await?;
        let booking_id = opened.body["booking_id"].as_str()?;
        Some(Self {
            world: Arc::clone(world),
            customer: customer.to_owned(),
            path: format!("/v1/bookings/{booking_id}"),
            flow: product["flow"].as_str()?.to_owned(),
            seen: Mutex::default(),
        })
    }

    /// One window, from its opening until its customer has had enough of it.
    pub async fn window(self: Arc<Self>, mut chance: Chance, wishes: u64) {
        for _ in 0..wishes {
            tokio::time::sleep(think(&mut chance)).await;
            let wish = chance.weighted(&[
                (26, Wish::Quote),
                (24, Wish::Click),
                (6, Wish::OldClick),
                (8, Wish::Look),
                (20, Wish::Pay),
                (9, Wish::PayOld),
                (2, Wish::PayLate),
                (5, Wish::Scan),
                (5, Wish::Switch),
                (5, Wish::CancelOrder),
                (1, Wish::CancelBooking),
                (5, Wish::LastMinute),
            ]);
            self.follow(wish, &mut chance).await;
        }
    }

    async fn follow(&self, wish: Wish, chance: &mut Chance) {
        match wish {
            Wish::Quote => self.quote(chance).await,
            Wish::Click => {
                let newest = self.seen().offers.last().cloned();
                self.click(newest, chance).await;
            }
            Wish::OldClick => {
                let any = chance.one_of(&self.seen().offers).cloned();
                self.click(any, chance).await;
            }
            Wish::Look => {
                let look = self.ask(Method::GET, "", None);
                self.send(look, chance).await;
            }
            Wish::Pay => {
                let newest = self.seen().codes.last().cloned();
                self.pay(newest, chance).await;
            }
            Wish::PayOld => {
                let any = chance.one_of(&self.seen().codes).cloned();
                self.pay(any, chance).await;
            }
            Wish::PayLate => {
                let newest = self.seen().codes.last().cloned();
                tokio::time::sleep(chance.ms(0..LATE_MS_MAX)).await;
                self.pay(newest, chance).await;
            }
            Wish::Scan => {
                let any = chance.one_of(&self.seen().codes).cloned();
                if let Some(code) = any {
                    self.world.scan(&code).await;
                }
            }
            Wish::Switch => self.switch(chance).await,
            Wish::CancelOrder => {
                let any = chance.one_of(&self.seen().orders).cloned();
                if let Some(order_id) = any {
                    let below = format!("/orders/{order_id}/cancel");
                    self.send(self.ask(Method::POST, &below, None), chance).await;
                }
            }
            Wish::CancelBooking => {
                self.send(self.ask(Method::POST, "/cancel", None), chance).await;
            }
            Wish::LastMinute => self.at_the_last_minute(chance).await,
        }
    }

    /// Somebody who does everything at the last moment, and then pays a moment too late or not.
    async fn at_the_last_minute(&self, chance: &mut Chance) {
        self.send(self.ask(Method::GET, "", None), chance).await;
        wait_until(self.deadline(), chance.number(1_000..200_000)).await;
        self.quote(chance).await;
        let newest = self.seen().offers.last().cloned();
        self.click(newest, chance).await;
        wait_until(self.deadline(), chance.number(0..4_000)).await;
        tokio::time::sleep(chance.ms(0..4_000)).await;
        let newest = self.seen().codes.last().cloned();
        self.pay(newest, chance).await;
    }

    /// Somebody who goes from one gateway to the other and back, and then pays what is there.
    async fn switch(&self, chance: &mut Chance) {
        let newest = self.seen().offers.last().cloned();
        for _ in 0..chance.number(2..5) {
            self.click(newest.clone(), chance).await;
        }
        let newest: Vec<String> = self.seen().codes.iter().rev().take(2).cloned().collect();
        for code in newest {
            if chance.hits(500) {
                self.pay(Some(code), chance).await;
            }
        }
    }

    /// The next moment after which something is over.
    fn deadline(&self) -> Option<Timestamp> {
        let now = clock::now();
        self.seen().deadlines.iter().copied().filter(|deadline| *deadline > now).min()
    }

    async fn quote(&self, chance: &mut Chance) {
        let quantity = chance.number(0..4);
        let mut body = json!({ "quantity": quantity });
        if self.flow == "instant" || chance.hits(200) {
            body["gateway"] = json!(self.gateway(chance));
        }
        let key = chance.hits(500).then(|| format!("quote-{}", chance.number(0..6)));
        let quote = Ask { key, ..self.ask(Method::POST, "/quotes", Some(body)) };
        self.send(quote, chance).await;
    }

    async fn click(&self, offer: Option<Value>, chance: &mut Chance) {
        let Some(mut body) = offer else { return };
        body["gateway"] = json!(self.gateway(chance));
        let below = if body["order_id"].is_string() { "/payments" } else { "/orders" };
        self.send(self.ask(Method::POST, below, Some(body)), chance).await;
    }

    async fn pay(&self, code: Option<String>, chance: &mut Chance) {
        let Some(code) = code else { return };
        let mut body = json!({ "code_url": code });
        // A method whose money arrives later; only the page of a session offers some.
        if code.starts_with(SESSION_PAGE) && chance.hits(150) {
            body["delayed"] = json!(true);
        }
        // Money that was on its way when its code was closed, or that comes a second time.
        body["force"] = json!(chance.hits(250));
        if chance.hits(40) {
            let amount = chance.number(1..3_000);
            body["amount"] = json!({ "amount": amount, "currency": "CNY" });
        }
        if chance.hits(100) {
            let earlier_s = i64::try_from(chance.number(0..60)).unwrap();
            let paid_at = clock::now() - SignedDuration::from_secs(earlier_s);
            body["paid_at"] = json!(paid_at.to_string());
        }
        self.world.pay(&body).await;
    }

    fn gateway(&self, chance: &mut Chance) -> String {
        let names: Vec<_> = self.world.deps.gateways.names().collect();
        chance.one_of(&names).expect("there are gateways").to_string()
    }

    fn ask(&self, method: Method, below: &str, body: Option<Value>) -> Ask {
        let (who, path) = (self.customer.clone(), format!("{}{below}", self.path));
        Ask { who, method, path, key: None, body }
    }

    /// Sends a request, mostly until it is answered, and keeps what the answer shows.
    async fn send(&self, ask: Ask, chance: &mut Chance) {
        let patient = chance.hits(800);
        let reply = match patient {
            true => insist(&self.world, &ask, chance).await,
            false => self.world.ask(ask).await,
        };
        if let Some(reply) = reply {
            self.keep(&reply.body);
        }
    }

    fn keep(&self, body: &Value) {
        let mut seen = self.seen();
        seen.keep_deadline(&body["term"]["valid_until"]);
        seen.keep_deadline(&body["order"]["pay_by"]);
        seen.keep_offer(&body["quote"]["token"], &body["order"]["order_id"]);
        seen.keep_code(&body["payment"]["code_url"]);
        let listed = body["orders"].as_array().into_iter().flatten();
        for order in listed.chain([&body["order"], &body["live_order"]]) {
            seen.keep_offer(&order["quote"]["token"], &order["order_id"]);
            seen.keep_code(&order["payment"]["code_url"]);
            if let Some(order_id) = order["order_id"].as_str() {
                let order_id = order_id.to_owned();
                if !seen.orders.contains(&order_id) {
                    seen.orders.push(order_id);
                }
            }
        }
        // In `submit_once` the token of an offer makes an order; elsewhere it belongs to one.
        if self.flow == "submit_once" {
            seen.keep_offer(&body["offer"]["token"], &Value::Null);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn keep_offer(&mut self, token: &Value, order_id: &Value) {
        if token.is_string() {
            let mut offer = json!({ "quote_token": token });
            if order_id.is_string() {
                offer["order_id"] = order_id.clone();
            }
            self.offers.push(offer);
        }
    }

    fn keep_deadline(&mut self, deadline: &Value) {
        let deadline = deadline.as_str().map(str::parse::<Timestamp>);
        self.deadlines.extend(deadline.map(|deadline| deadline.expect("a time")));
    }

    fn keep_code(&mut self, code: &Value) {
        if let Some(code) = code.as_str()
            && self.codes.last().is_none_or(|last| last != code)
        {
            self.codes.push(code.to_owned());
        }
    }
}

/// Sends a request until it is answered, as an app does that keeps its promises.
async fn insist(world: &World, ask: &Ask, chance: &mut Chance) -> Option<Reply> {
    let mut last = None;
    for _ in 0..REPEATS_MAX {
        last = world.ask(ask.clone()).await;
        let code = last.as_ref().and_then(|reply| reply.body["code"].as_str());
        let later = matches!(
            code,
            Some("version_conflict" | "store_unavailable" | "gateway_unavailable" | "internal")
        );
        if last.is_some() && !later {
            return last;
        }
        tokio::time::sleep(chance.ms(0..REPEAT_MS_MAX)).await;
    }
    last
}

/// Waits until so many milliseconds before a deadline that is not too far away to wait for.
async fn wait_until(deadline: Option<Timestamp>, earlier_ms: u64) {
    let Some(deadline) = deadline else { return };
    let ms = deadline.duration_since(clock::now()).as_millis();
    let ms = u64::try_from(ms).unwrap_or_default().saturating_sub(earlier_ms);
    if ms < DEADLINE_MS_MAX {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// How long somebody thinks: mostly not at all, and sometimes longer than a code lives.
fn think(chance: &mut Chance) -> Duration {
    let (from, to) = chance.weighted(&[
        (50, (0, 300)),
        (25, (300, 15_000)),
        (15, (15_000, 90_000)),
        (7, (90_000, 400_000)),
        (3, (400_000, 3_600_000)),
    ]);
    chance.ms(from..to)
}
