//! The harness of the tests over HTTP: a whole stack in memory, a clock to turn, and customers.

use std::sync::Arc;
use std::time::Duration;

use api::route::LINK_PREFIX;
use http::Method;
use jiff::Timestamp;
use local::client::{Call, Client, Reply};
use local::clock::TurnedClock;
use local::dispatch::work_as;
use local::stack::{Options, Stack};
use local::worker::SETTLE;
use runtime::config::system_clock;
use runtime::deps::Clock;
use serde_json::{Value, json};

use crate::events::Heard;
use crate::gateway::scanned;
pub use crate::gateway::{acknowledged, gateway, gateway_name, ways};
use crate::roles::Roles;

/// How long a test waits for something that happens by itself.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often it looks.
pub const GLANCE: Duration = Duration::from_millis(20);

/// A clock that shows the present and goes no further by itself: on a busy machine a test would
/// otherwise step over the moments that it stands beside.
#[must_use]
pub fn standing_clock() -> Clock {
    let moment = system_clock()();
    Arc::new(move || moment)
}

/// Lets binaries work at a stack's table: it is on a port, and the stack's clock is theirs.
pub fn for_binaries(options: &mut Options) {
    options.store_port = Some(0);
    options.clock = system_clock();
}

/// A running stack with its clock.
pub struct World {
    /// The stack.
    pub stack: Stack,
    /// Its clock; gateways and handlers share it.
    pub clock: TurnedClock,
    /// What each function does at the table, and may do.
    pub roles: Roles,
    heard: Heard,
}

impl World {
    /// A fresh stack in memory.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A fresh stack whose options a test changes first.
    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        lines::listen();
        let mut options = Options { clock: standing_clock(), ..Options::in_memory() };
        change(&mut options);
        let roles = Roles::default();
        options.wrap_store = Some(roles.wrap_store(options.wrap_store.take()));
        let stack = Stack::start(options).await.unwrap();
        Self { roles, ..Self::around(stack) }
    }

    /// A world around a stack that runs already, whose roles nobody guards.
    #[must_use]
    pub fn around(stack: Stack) -> Self {
        let heard = Heard::of(&stack);
        Self { clock: stack.clock.clone(), stack, roles: Roles::default(), heard }
    }

    /// A client without credentials, as gateways and wallets are.
    #[must_use]
    pub fn nobody(&self) -> Client {
        self.heard.listen();
        contract::client(&self.stack.base_url)
    }

    /// A client of the operator.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.nobody().as_customer("admin")
    }

    /// A customer with a booking of a product, freshly opened.
    pub async fn booking_of(&self, customer: &str, product_id: &str) -> Window {
        self.booking_under(customer, product_id, &format!("{customer}-{product_id}")).await
    }

    /// The same, under an idempotency key of its own.
    pub async fn booking_under(&self, customer: &str, product_id: &str, key: &str) -> Window {
        let client = self.nobody().as_customer(customer);
        let opened = open_booking(&client, product_id, key).await;
        assert!(matches!(opened.status, 200 | 201), "{opened:?}");
        let path = format!("/v1/bookings/{}", text(&opened.body["booking_id"]));
        Window { client, path, gateway: gateway() }
    }

    /// A product's definition, as `PUT` takes it.
    pub async fn definition(&self, product_id: &str) -> Value {
        let read = self.admin().get(format!("/v1/products/{product_id}")).await.unwrap();
        let mut definition = expect(200, read);
        let fields = definition.as_object_mut().unwrap();
        fields.remove("product_id");
        fields.remove("price_version");
        definition
    }

    /// Defines a product; the answer must be 200.
    pub async fn define(&self, product_id: &str, definition: &Value) -> Value {
        let put = self.admin().put(format!("/v1/products/{product_id}"), definition).await;
        expect(200, put.unwrap())
    }

    /// Changes one field of a product.
    pub async fn change_product(&self, product_id: &str, field: &str, value: Value) -> Value {
        let mut definition = self.definition(product_id).await;
        definition[field] = value;
        self.define(product_id, &definition).await
    }

    /// Pays a code by the simulator's wallet; the answer must be 200.
    pub async fn pay(&self, code_url: &Value) -> Value {
        self.pay_with(json!({ "code_url": code_url })).await
    }

    /// Pays with everything that the wallet can be told; the answer must be 200.
    pub async fn pay_with(&self, body: Value) -> Value {
        expect(200, self.nobody().post("/simulator/pay", &body).await.unwrap())
    }

    /// Sets the simulator's faults.
    pub async fn faults(&self, faults: Value) {
        expect(200, self.nobody().put("/simulator/faults", &faults).await.unwrap());
    }

    /// Every payment that the gateways know.
    pub async fn ledger(&self) -> Vec<Value> {
        let read = expect(200, self.nobody().get("/simulator/ledger").await.unwrap());
        read["payments"].as_array().unwrap().clone()
    }

    /// The ledger's entry of one payment.
    pub async fn ledger_of(&self, payment_id: &Value) -> Value {
        let ledger = self.ledger().await;
        let one = ledger.into_iter().find(|payment| payment["payment_id"] == *payment_id);
        one.unwrap_or_else(|| panic!("the gateway does not know {payment_id}"))
    }

    /// Runs every task that is due now, until none is left that can be run.
    pub async fn settle(&self) {
        while work_as(SETTLE, settle::run_due(&self.stack.deps)).await.unwrap() > 0 {}
    }
}

/// One window: a customer's client looking at one booking.
#[derive(Clone, Debug)]
pub struct Window {
    /// The client of the customer, or of whoever holds a checkout link.
    pub client: Client,
    /// `/v1/bookings/{booking_id}`, or by a link `/v1/checkout/bookings/{booking_id}`.
    pub path: String,
    /// Where it pays.
    pub gateway: &'static str,
}

impl Window {
    /// The same window, which pays at one gateway whatever the run's is.
    #[must_use]
    pub fn paying_at(self, gateway: &'static str) -> Self {
        Self { gateway, ..self }
    }

    /// The booking as it stands; the answer must be 200.
    pub async fn look(&self) -> Value {
        expect(200, self.client.get(&self.path).await.unwrap())
    }

    /// The booking's product; the answer must be 200.
    async fn product(&self) -> Value {
        let path = if self.path.starts_with(LINK_PREFIX) {
            format!("{}/product", self.path)
        } else {
            format!("/v1/products/{}", text(&self.look().await["product_id"]))
        };
        expect(200, self.client.get(path).await.unwrap())
    }

    /// The token of a fresh checkout link of the booking.
    pub async fn link(&self) -> String {
        let made = expect(201, self.post("checkout-link", &json!({})).await);
        let url = text(&made["url"]);
        url.split_once('#').unwrap().1.to_owned()
    }

    /// The same booking in the hands of whoever holds a link's token.
    #[must_use]
    pub fn by_link(&self, token: &str) -> Self {
        let path = self.path.replacen("/v1/", LINK_PREFIX, 1);
        Self { client: self.client.with_token(token), path, gateway: self.gateway }
    }

    /// Sends a body below the booking's path.
    pub async fn post(&self, below: &str, body: &Value) -> Reply {
        let reply = self.client.post(format!("{}/{below}", self.path), body).await.unwrap();
        scanned(&self.client, reply).await
    }

    /// Asks for a quote.
    pub async fn quote(&self, quantity: u32) -> Reply {
        self.post("quotes", &json!({ "quantity": quantity })).await
    }

    /// Asks for a quote with a gateway.
    pub async fn quote_at(&self, quantity: u32, gateway: &str) -> Reply {
        self.post("quotes", &json!({ "quantity": quantity, "gateway": gateway })).await
    }

    /// Asks for a quote under an idempotency key.
    pub async fn quote_keyed(&self, body: &Value, key: &str) -> Reply {
        let call = Call::new(Method::POST, format!("{}/quotes", self.path));
        self.client.send(call.json(body).header("idempotency-key", key)).await.unwrap()
    }

    /// Submits a quote.
    pub async fn order(&self, token: &Value) -> Reply {
        self.post("orders", &json!({ "quote_token": token, "gateway": self.gateway })).await
    }

    /// Generates the payment of what a quote or an order answered (`{quote, order}`).
    pub async fn generate(&self, quoted: &Value) -> Reply {
        self.post(
            "payments",
            &json!({
                "order_id": quoted["order"]["order_id"],
                "quote_token": quoted["quote"]["token"],
                "gateway": self.gateway,
            }),
        )
        .await
    }

    /// A code for a quantity by whatever the product's flow asks for: `{order, payment}`.
    pub async fn code_for(&self, quantity: u32) -> Value {
        match self.product().await["flow"].as_str().unwrap() {
            "submit_once" => {
                let quoted = expect(201, self.quote(quantity).await);
                expect(201, self.order(&quoted["quote"]["token"]).await)
            }
            "order_first" => {
                let quoted = expect(201, self.quote(quantity).await);
                expect(201, self.generate(&quoted).await)
            }
            _ => expect(201, self.quote_at(quantity, self.gateway).await),
        }
    }

    /// Buys a quantity, paid at once, and answers the booking once the payment is applied.
    pub async fn buy(&self, world: &World, quantity: u32) -> Value {
        let made = self.code_for(quantity).await;
        world.pay(&made["payment"]["code_url"]).await;
        let order_id = made["order"]["order_id"].clone();
        self.until("the payment is applied", |booking| {
            order_in(booking, &order_id).is_some_and(|order| order["status"] == "paid")
        })
        .await
    }

    /// Looks until something is so, and answers the booking as it then stands.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
            last = self.look().await;
            if is_so(&last) {
                return last;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("in vain: {what}; the booking is {last:#}");
    }
}

/// Opens a booking.
pub async fn open_booking(client: &Client, product_id: &str, key: &str) -> Reply {
    let call = Call::new(Method::POST, "/v1/bookings").header("idempotency-key", key);
    client.send(call.json(&json!({ "product_id": product_id }))).await.unwrap()
}

/// The body of a reply that must have a status.
#[track_caller]
pub fn expect(status: u16, reply: Reply) -> Value {
    assert_eq!(reply.status, status, "{:#}", reply.body);
    reply.body
}

/// The body of a problem that must have a status and a code.
#[track_caller]
pub fn expect_problem(status: u16, code: &str, reply: Reply) -> Value {
    assert_eq!(reply.status, status, "{:#}", reply.body);
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(reply.body["code"], code, "{:#}", reply.body);
    assert_eq!(reply.body["status"], status);
    reply.body
}

/// The order of an id among a booking's orders.
#[must_use]
pub fn order_in<'a>(booking: &'a Value, order_id: &Value) -> Option<&'a Value> {
    booking["orders"].as_array()?.iter().find(|order| order["order_id"] == *order_id)
}

/// A text value.
#[must_use]
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl World {
    /// A fresh stack in memory in which nothing happens later by itself: only
    /// [`World::settle`] runs tasks.
    pub async fn start_unsettled() -> Self {
        Self::start_with(|options| options.settle = false).await
    }

    /// Defines a product like `desk-order`, with some fields different.
    pub async fn sell(&self, product_id: &str, differences: Value) -> Value {
        let mut definition = self.definition("desk-order").await;
        let fields = definition.as_object_mut().unwrap();
        fields.extend(differences.as_object().unwrap().clone());
        self.define(product_id, &definition).await
    }

    /// Runs due tasks and looks until something is so; answers the booking as it then stands.
    pub async fn settle_until(
        &self,
        window: &Window,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
            self.settle().await;
            last = window.look().await;
            if is_so(&last) {
                return last;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("in vain: {what}; the booking is {last:#}");
    }

    /// Has gateways finish refunds at once, so that tests need not wait for them.
    pub async fn refund_at_once(&self) {
        self.faults(json!({ "refund_delay_ms": 0 })).await;
    }

    /// Runs due tasks and looks at the gateways until one has closed a payment.
    pub async fn until_closed(&self, payment_id: &Value) {
        for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
            self.settle().await;
            if self.ledger_of(payment_id).await["closed"] == true {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("the gateway has not closed {payment_id}");
    }

    /// What the gateways hold of each payment, without what is still on its way.
    pub async fn money(&self) -> Value {
        let held = |payment: &Value| {
            let fields = ["payment_id", "captured", "refunded", "closed", "code_urls"];
            fields.map(|field| payment[field].clone()).to_vec()
        };
        json!(self.ledger().await.iter().map(held).collect::<Vec<_>>())
    }
}

impl Window {
    /// The same booking in another customer's hands.
    #[must_use]
    pub fn in_hands_of(&self, customer: &str) -> Self {
        Self { client: self.client.as_customer(customer), ..self.clone() }
    }

    /// All that a refused request must leave as it is: the booking, and the gateways' money.
    pub async fn state(&self, world: &World) -> Value {
        json!({ "booking": self.look().await, "money": world.money().await })
    }

    /// Asks for a payment by its parts.
    pub async fn pay_order(&self, order_id: &Value, token: &Value, gateway: &str) -> Reply {
        let body = json!({ "order_id": order_id, "quote_token": token, "gateway": gateway });
        self.post("payments", &body).await
    }

    /// Drops an order.
    pub async fn cancel_order(&self, order_id: &Value) -> Reply {
        self.act(&format!("orders/{}/cancel", text(order_id))).await
    }

    /// Gives the booking up.
    pub async fn cancel(&self) -> Reply {
        self.act("cancel").await
    }

    /// Posts without a body below the booking's path.
    async fn act(&self, below: &str) -> Reply {
        let call = Call::new(Method::POST, format!("{}/{below}", self.path));
        self.client.send(call).await.unwrap()
    }

    /// Reads the booking unless its tag is still the known one.
    pub async fn look_unless(&self, tag: &str) -> Reply {
        let call = Call::new(Method::GET, &self.path).header("if-none-match", tag);
        self.client.send(call).await.unwrap()
    }
}

/// A time value.
#[must_use]
#[track_caller]
pub fn time(value: &Value) -> Timestamp {
    text(value).parse().unwrap_or_else(|error| panic!("{value} is no time: {error}"))
}

/// The problem of a refused request, which must have left booking and money as they were.
pub async fn refused_unchanged(
    world: &World,
    window: &Window,
    (status, code): (u16, &str),
    request: impl Future<Output = Reply>,
) -> Value {
    let before = window.state(world).await;
    let reply = request.await;
    let after = window.state(world).await;
    assert_eq!(before, after, "a refused request changes nothing: {:#}", reply.body);
    expect_problem(status, code, reply)
}

pub mod backup;
pub mod books;
pub mod contract;
pub mod events;
pub mod faults;
pub mod gateway;
pub mod history;
pub mod lines;
pub mod metering;
pub mod quiet;
pub mod roles;
pub mod routes;
pub mod secrets_manager;
pub mod stream;
pub mod template;
