//! What each function is asked: the ordinary request of a paying customer, on a fresh booking.

use std::sync::atomic::{AtomicU64, Ordering};

use api::request::{Caller, Request};
use bytes::Bytes;
use domain::ids::BOOKING_KEY_LEN;
use http::{HeaderMap, HeaderValue, Method};
use local::lambda::event;
use serde_json::{Value, json};
use tests::{Window, World, expect};

/// Whom the bookings belong to.
const CUSTOMER: &str = "alice";

/// One function and what it is asked.
#[derive(Clone, Copy)]
pub struct Case {
    /// The function.
    pub function: &'static str,
    /// What it is asked, in words.
    pub what: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Product,
    Booking,
    Quote,
    Order,
    Payment,
    Page,
    Attention,
    Timeline,
}

/// Every case.
pub const EVERY: [Case; 8] = [
    Case { function: "products", what: "a product is read", kind: Kind::Product },
    Case { function: "bookings", what: "a booking is read", kind: Kind::Booking },
    Case { function: "quote", what: "a price is asked for", kind: Kind::Quote },
    Case { function: "create-order", what: "a quote is submitted", kind: Kind::Order },
    Case { function: "generate-payment", what: "an order is paid", kind: Kind::Payment },
    Case { function: "checkout", what: "the page is opened", kind: Kind::Page },
    Case { function: "attention", what: "what waits is listed", kind: Kind::Attention },
    Case { function: "operations", what: "a timeline is read", kind: Kind::Timeline },
];

impl Case {
    /// The event of such a request. Each call prepares a booking for it where there must be one.
    pub async fn event(&self, world: &World) -> Value {
        let post = |path: String, body: Value| asked(Method::POST, path, CUSTOMER, Some(body));
        let get = |path: String, who| asked(Method::GET, path, who, None);
        match self.kind {
            Kind::Product => get("/v1/products/desk-submit".to_owned(), CUSTOMER),
            Kind::Booking => get(fresh(world, "desk-submit").await.path, CUSTOMER),
            Kind::Quote => {
                let window = fresh(world, "desk-submit").await;
                post(format!("{}/quotes", window.path), json!({ "quantity": 1 }))
            }
            Kind::Order => {
                let window = fresh(world, "desk-submit").await;
                let quoted = expect(201, window.quote(1).await);
                let token = &quoted["quote"]["token"];
                let body = json!({ "quote_token": token, "gateway": window.gateway });
                post(format!("{}/orders", window.path), body)
            }
            Kind::Payment => {
                let window = fresh(world, "desk-order").await;
                let quoted = expect(201, window.quote(1).await);
                let body = json!({
                    "order_id": quoted["order"]["order_id"],
                    "quote_token": quoted["quote"]["token"],
                    "gateway": window.gateway,
                });
                post(format!("{}/payments", window.path), body)
            }
            Kind::Page => get("/checkout".to_owned(), CUSTOMER),
            Kind::Attention => get("/v1/attention".to_owned(), "admin"),
            Kind::Timeline => {
                let window = fresh(world, "desk-submit").await;
                window.code_for(1).await;
                get(window.path.replacen("/v1/", "/v1/operations/", 1), "admin")
            }
        }
    }
}

/// The booking that an event is about, as it begins in keys; empty where it is about none.
pub fn booking(event: &Value) -> String {
    let path = super::text(event, "rawPath");
    let parts: Vec<&str> = path.split('/').collect();
    let at = parts.iter().position(|part| *part == "bookings");
    at.and_then(|at| parts.get(at + 1))
        .and_then(|id| id.get(..BOOKING_KEY_LEN))
        .unwrap_or_default()
        .to_owned()
}

async fn fresh(world: &World, product: &str) -> Window {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let key = format!("benchmark-{}", OPENED.fetch_add(1, Ordering::Relaxed));
    world.booking_under(CUSTOMER, product, &key).await
}

fn asked(method: Method, path: String, who: &str, body: Option<Value>) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let scopes = match who {
        "admin" => vec!["products:write".to_owned(), "attention:write".to_owned()],
        _ => vec![],
    };
    event(&Request {
        method,
        path,
        query: None,
        headers,
        body: body.map(|body| Bytes::from(body.to_string())).unwrap_or_default(),
        caller: Some(Caller::Customer { subject: who.to_owned(), scopes }),
        request_id: "benchmark".to_owned(),
    })
}
