//! What each function is asked: the ordinary request of a paying customer, on a fresh booking.

use std::sync::atomic::{AtomicU64, Ordering};

use api::request::{Caller, Request};
use bytes::Bytes;
use domain::ids::Echo;
use gateways::wechat_pay;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use local::lambda::event;
use serde_json::{Value, json};
use tests::stream::batch;
use tests::{Window, World, expect};

use crate::hot_paths::notification::{Notification, Told};

/// Whom the bookings belong to.
const CUSTOMER: &str = "alice";
/// The header of a request, and the field of another event, that says its names to the floor.
const NAMES: &str = "x-names";

/// One function and what it is asked.
#[derive(Clone, Copy)]
pub struct Case {
    /// The function.
    pub function: &'static str,
    /// What it is asked, in words.
    pub what: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Product,
    Booking,
    Quote,
    Order,
    Payment,
    Notification,
    Page,
    Attention,
    Timeline,
    Task,
}

/// Every case.
pub const EVERY: [Case; 10] = [
    Case { function: "products", what: "a product is read", kind: Kind::Product },
    Case { function: "bookings", what: "a booking is read", kind: Kind::Booking },
    Case { function: "quote", what: "a price is asked for", kind: Kind::Quote },
    Case { function: "create-order", what: "a quote is submitted", kind: Kind::Order },
    Case { function: "generate-payment", what: "an order is paid", kind: Kind::Payment },
    Case { function: "callback", what: "a payment is told of", kind: Kind::Notification },
    Case { function: "checkout", what: "the page is opened", kind: Kind::Page },
    Case { function: "attention", what: "what waits is listed", kind: Kind::Attention },
    Case { function: "operations", what: "a timeline is read", kind: Kind::Timeline },
    Case { function: "settle", what: "a voided code is closed", kind: Kind::Task },
];

/// Any request, for what only says hello.
pub const GREETING: Case = Case { function: "hello", what: "a request", kind: Kind::Page };

impl Case {
    /// Whether its events are requests.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.kind != Kind::Task
    }

    /// The event of such a request. Each call prepares a booking for it where there must be one.
    pub async fn event(&self, world: &World) -> Value {
        match self.kind {
            Kind::Product => Ask::get("/v1/products/desk-submit").event(),
            Kind::Booking => Ask::of(&fresh(world, "desk-submit").await, "").event(),
            Kind::Quote => {
                let window = fresh(world, "desk-submit").await;
                Ask::of(&window, "/quotes").posting(&json!({ "quantity": 1 })).event()
            }
            Kind::Order => {
                let window = fresh(world, "desk-submit").await;
                let quoted = expect(201, window.quote(1).await);
                let token = &quoted["quote"]["token"];
                let body = json!({ "quote_token": token, "gateway": window.gateway });
                Ask::of(&window, "/orders").posting(&body).event()
            }
            Kind::Payment => {
                let window = fresh(world, "desk-order").await;
                let quoted = expect(201, window.quote(1).await);
                let body = json!({
                    "order_id": quoted["order"]["order_id"],
                    "quote_token": quoted["quote"]["token"],
                    "gateway": window.gateway,
                });
                Ask::of(&window, "/payments").posting(&body).event()
            }
            Kind::Notification => notification(world).await,
            Kind::Page => Ask::get("/checkout").by_browser().event(),
            Kind::Attention => Ask::get("/v1/attention").by_operator().event(),
            Kind::Timeline => {
                let window = fresh(world, "desk-submit").await;
                window.code_for(1).await;
                let mut ask = Ask::of(&window, "").by_operator();
                ask.path = window.path.replacen("/v1/", "/v1/operations/", 1);
                ask.event()
            }
            Kind::Task => task(world).await,
        }
    }
}

/// The names that an event says: what stands in the calls for it, and differs from one event to
/// another.
pub fn names(event: &Value) -> Vec<String> {
    let said = event["headers"].get(NAMES).or_else(|| event.get(NAMES)).and_then(Value::as_str);
    said.into_iter().flat_map(|said| said.split(',')).map(str::to_owned).collect()
}

/// A booking that nobody has asked anything of, which pays at WeChat Pay whatever the run's gateway
/// is: the floor knows no other.
async fn fresh(world: &World, product: &str) -> Window {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let key = format!("benchmark-{}", OPENED.fetch_add(1, Ordering::Relaxed));
    world.booking_under(CUSTOMER, product, &key).await.paying_at(wechat_pay::NAME)
}

/// WeChat Pay's notification of the payment of a fresh booking.
async fn notification(world: &World) -> Value {
    let window = fresh(world, "desk-submit").await;
    let made = window.code_for(1).await;
    let (booking, orders) = world.stored(&window).await;
    let order = &orders[0];
    let echo = Echo {
        booking_id: booking.booking_id,
        order_id: order.order_id.clone(),
        order_seq: order.seq,
        attempt: 1,
    };
    let deps = &world.stack.deps;
    let told = Told { ids: &deps.ids, echo: &echo, amount: order.amount, at: deps.now() };
    let Notification { headers, body } = told.by_wechat_pay();
    let mut ask = Ask::get(format!("/v1/callbacks/{}", wechat_pay::NAME));
    ask.headers.extend(headers);
    ask.names = vec![echo.booking_id.key().to_owned(), tests::text(&made["payment"]["payment_id"])];
    Ask { method: Method::POST, body, caller: None, ..ask }.event()
}

/// The stream's record of the task to close a code that a newer order has just voided.
async fn task(world: &World) -> Value {
    let window = fresh(world, "desk-order").await;
    let made = window.code_for(1).await;
    let mut writes = world.stack.embedded.writes();
    expect(201, window.quote(2).await);
    let mut event = batch(&mut writes);
    let of = |record: &Value, name: &str, kind: &str| {
        tests::text(&record["dynamodb"]["NewImage"][name][kind])
    };
    let records = event["Records"].as_array_mut().unwrap();
    records.retain(|record| of(record, "sk", "S").starts_with("task#close#"));
    let due_at = of(&records[0], "due_at", "N");
    let payment_id = tests::text(&made["payment"]["payment_id"]);
    let names = [window.booking_id().key(), &payment_id, &due_at].join(",");
    event[NAMES] = json!(names);
    event
}

/// A request on its way to a function.
struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
    caller: Option<Caller>,
    names: Vec<String>,
}

impl Ask {
    fn get(path: impl Into<String>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self {
            method: Method::GET,
            path: path.into(),
            headers,
            body: Bytes::new(),
            caller: Some(Caller::Customer { subject: CUSTOMER.to_owned(), scopes: vec![] }),
            names: vec![],
        }
    }

    /// A request below a booking's path.
    fn of(window: &Window, below: &str) -> Self {
        let names = vec![window.booking_id().key().to_owned()];
        Self { names, ..Self::get(format!("{}{below}", window.path)) }
    }

    fn posting(self, body: &Value) -> Self {
        Self { method: Method::POST, body: Bytes::from(body.to_string()), ..self }
    }

    fn by_browser(mut self) -> Self {
        let accepted = HeaderValue::from_static("gzip, deflate, br, zstd");
        self.headers.insert("accept-encoding", accepted);
        self
    }

    fn by_operator(self) -> Self {
        let scopes = vec!["products:write".to_owned(), "attention:write".to_owned()];
        Self { caller: Some(Caller::Customer { subject: "admin".to_owned(), scopes }), ..self }
    }

    fn event(self) -> Value {
        let Self { method, path, mut headers, body, caller, names } = self;
        if !names.is_empty() {
            let names = HeaderValue::try_from(names.join(",")).unwrap();
            headers.insert(HeaderName::from_static(NAMES), names);
        }
        let request_id = "benchmark".to_owned();
        event(&Request { method, path, query: None, headers, body, caller, request_id })
    }
}
