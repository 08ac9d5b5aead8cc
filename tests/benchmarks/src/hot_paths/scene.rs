//! What the hot paths work on: one customer's booking in the states that each of them meets. Clock
//! and randomness stand still, so that every run does the same.

use std::sync::Arc;

use api::link::{Link, LinkSettings};
use api::request::{Caller, Request};
use bytes::Bytes;
use domain::booking::{Booking, Order};
use domain::change::Change;
use domain::decide::Env;
use domain::decide::make_order::{Making, create_order};
use domain::decide::open_booking::open_booking;
use domain::decide::quote::{QuoteRequest, Quoted, quote};
use domain::decide::start_payment::{At, Created, PaymentPlan, payment_created};
use domain::gateway::{Capture, GatewayName};
use domain::ids::Echo;
use domain::product::Product;
use domain::quote::Quote;
use gateways::wechat_pay;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use local::lambda::event;
use local::secrets::of_folder;
use runtime::config::{Opened, open_secrets};
use runtime::connectors::plain_connector;
use runtime::create_payment::create_body;
use runtime::deadline::Deadline;
use runtime::deps::{Deps, Randomness};
use runtime::telemetry::json_lines;
use runtime::transport::Transport;
use serde_json::{Value, json};
use store::Store;
use store::bookings::ORDERS_MAX;
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;

use crate::hot_paths::at_once::{AtOnce, Noting};
use crate::hot_paths::notification::{Notification, Told};

/// Now, in seconds of Unix time: 2026-01-01T00:00:00Z.
const NOW_S: i64 = 1_767_225_600;
/// Whose booking it is.
const CUSTOMER: &str = "8f14e45f-ceea-467a-9a36-dedd4bea2543";
/// How many units each order is for.
pub const QUANTITY: u32 = 3;
/// A code as WeChat Pay makes them.
const CODE: &str = "weixin://wxpay/bizpayurl?pr=gvu58z21z1";

/// A booking of a product, and what its requests come with.
pub struct Bought {
    /// The product.
    pub product: Product,
    /// The booking, before it has an order.
    pub fresh: Booking,
    /// What was quoted for it.
    pub quote: Quote,
    /// The booking with the order that the quote made, where the flow makes one.
    pub quoted: Booking,
}

/// Everything.
pub struct Scene {
    /// What handlers get, with a store that answers at once.
    pub deps: Deps,
    /// Runs what waits, on one thread as in a function.
    pub runtime: Runtime,
    /// A product that is priced, then submitted.
    pub submitted: Bought,
    /// A product that is ordered when it is quoted.
    pub ordered: Bought,
    /// The token of the submitted product's quote.
    pub token: String,
    /// What creating its order writes.
    pub creation: Change,
    /// The submitted booking with a code that can be paid, after as many orders as are shown.
    pub live: Booking,
    /// Those orders, newest first.
    pub ended: Vec<Order>,
    /// What WeChat Pay captured.
    pub capture: Capture,
    /// The notification of the live order's payment: of WeChat Pay, Alipay and Stripe.
    pub notifications: [Notification; 3],
    /// A request for the booking.
    pub read: Request,
    /// The same as API Gateway's event.
    pub event: Vec<u8>,
    /// A request of a link's holder for a picture of the code.
    pub draw: Request,
    /// WeChat Pay's notification as a request.
    pub callback: Request,
    _lines: DefaultGuard,
}

/// The gateway of that name.
///
/// # Panics
/// If it cannot be a name.
#[must_use]
pub fn gateway_named(name: &str) -> GatewayName {
    GatewayName::parse(name).unwrap()
}

/// The moment of everything.
///
/// # Panics
/// Never: the calendar has it.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_second(NOW_S).unwrap()
}

impl Scene {
    /// Sets it. Log lines of this thread are made as a function makes them, and go nowhere, until
    /// it is dropped.
    ///
    /// # Panics
    /// If something that it is made of refuses.
    #[must_use]
    pub fn set() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let noting = Noting::default();
        let mut deps = deps(noting.store());
        let mut submitted = bought(&deps, "desk-submit", "submit_once");
        let ordered = bought(&deps, "desk-order", "order_first");
        let creation = created(&deps, &submitted, &submitted.fresh);
        submitted.fresh.version = creation.booking.version - 1;
        let (live, ended) = busy(&deps, &submitted);
        let at_once = runtime.block_on(stored(&deps.store, &noting, &submitted, &live, &ended));
        deps.store = at_once.store();
        let notifications = notifications(&deps, &live);
        let read = request(Method::GET, path_of(&live), Bytes::new(), Some(CUSTOMER));
        let token = deps.keyring.sign(&submitted.quote);
        let lines = json_lines(LevelFilter::INFO, "prod".to_owned(), clock(), std::io::sink);
        Self {
            runtime,
            token,
            creation,
            capture: capture(&live),
            event: event(&read).to_string().into_bytes(),
            draw: draw(&deps, &live),
            callback: callback(&notifications[0]),
            read,
            notifications,
            live,
            ended,
            submitted,
            ordered,
            deps,
            _lines: tracing::subscriber::set_default(lines),
        }
    }

    /// What decisions may use.
    #[must_use]
    pub fn env(&self) -> Env<'_> {
        self.deps.env()
    }
}

/// Calls `work` with WeChat Pay and its real create request.
pub fn at_wechat_pay<T>(deps: &Deps, work: impl FnOnce(At<'_>) -> T) -> T {
    let gateway = gateway_named(wechat_pay::NAME);
    let adapter = deps.gateway(&gateway).unwrap();
    let body = |plan: &PaymentPlan| create_body(adapter.as_ref(), plan);
    work(At { gateway: &gateway, create_body: &body })
}

/// A question for a price.
#[must_use]
pub fn asked<'a>(create_body: &'a (dyn Fn(&PaymentPlan) -> String + Sync)) -> QuoteRequest<'a> {
    let quantity = QUANTITY;
    QuoteRequest {
        quantity,
        gateway: None,
        idempotency_key: Some("a-key"),
        fresh: [7; 16],
        create_body,
    }
}

fn clock() -> runtime::deps::Clock {
    Arc::new(now)
}

fn deps(store: Store) -> Deps {
    let randomness: Randomness = Arc::new(|| [7; 16]);
    let secrets = of_folder(None, "http://127.0.0.1:8080", &randomness).unwrap();
    let Opened { ids, keyring, gateways } = open_secrets(&secrets).unwrap();
    Deps {
        store,
        gateways,
        transport: Arc::new(Transport::new(plain_connector())),
        keyring,
        links: LinkSettings::default(),
        ids,
        clock: clock(),
        randomness,
        deadline: Deadline::NONE,
    }
}

fn bought(deps: &Deps, product_id: &str, flow: &str) -> Bought {
    let gateways: Vec<&str> = deps.gateways.names().map(GatewayName::as_str).collect();
    let definition = json!({
        "name": "Desk",
        "flow": flow,
        "unit": "day",
        "time_zone": "Asia/Shanghai",
        "first_unit_price": { "amount": 1280, "currency": "CNY" },
        "renewal_unit_price": { "amount": 990, "currency": "CNY" },
        "min_quantity": 1,
        "max_quantity": 90,
        "max_renewals": 12,
        "currency": "CNY",
        "gateways": gateways,
    });
    let product = Product::define(product_id, serde_json::from_value(definition).unwrap()).unwrap();
    let fresh = open_booking(&product, CUSTOMER, "a-key", deps.env()).unwrap();
    let body = |_: &PaymentPlan| String::new();
    let Quoted { quote, making } = quote(&fresh, &product, None, asked(&body), deps.env()).unwrap();
    let quoted = match making {
        Some(Making::Made { change, .. }) => change.booking,
        Some(Making::Again(_)) | None => fresh.clone(),
    };
    Bought { product, fresh, quote, quoted }
}

/// What creating an order of the quote writes to the booking as it stands.
fn created(deps: &Deps, bought: &Bought, booking: &Booking) -> Change {
    let (quote, product) = (Some(&bought.quote), &bought.product);
    let making =
        at_wechat_pay(deps, |at| create_order(booking, product, quote, None, at, deps.env()));
    match making.unwrap() {
        Making::Made { change, .. } => *change,
        Making::Again(order) => panic!("{order:?} was made before"),
    }
}

/// The booking after as many orders as are shown, each voided by the next, and those orders.
fn busy(deps: &Deps, bought: &Bought) -> (Booking, Vec<Order>) {
    let (mut booking, mut ended) = (bought.fresh.clone(), vec![]);
    for number in 0..=ORDERS_MAX {
        let mut quote = bought.quote.clone();
        quote.token_id = deps.ids.fresh_token([u8::try_from(number).unwrap(); 16]);
        let next = Bought { product: bought.product.clone(), quote, ..bought_of(bought) };
        let change = created(deps, &next, &booking);
        ended.extend(change.ended);
        booking = payable(&change.booking);
    }
    ended.reverse();
    (booking, ended)
}

fn bought_of(bought: &Bought) -> Bought {
    Bought {
        product: bought.product.clone(),
        fresh: bought.fresh.clone(),
        quote: bought.quote.clone(),
        quoted: bought.quoted.clone(),
    }
}

/// The booking once the gateway has made the live order's code.
fn payable(booking: &Booking) -> Booking {
    let order = booking.live_order.as_ref().unwrap();
    let payment_id = &order.current_payment().unwrap().payment_id;
    let created = Created::Payable { code_url: CODE.to_owned(), gateway_ref: None };
    payment_created(booking, order, payment_id, created, now()).unwrap().booking
}

/// A store of them, as the adapter writes them.
async fn stored(
    store: &Store,
    noting: &Noting,
    bought: &Bought,
    live: &Booking,
    ended: &[Order],
) -> AtOnce {
    store.put_product(&bought.product, &live.booking_id.product_tag()).await.unwrap();
    let product = only(noting.take());
    let mut change = Change::of(live);
    change.booking.version = live.version;
    store.commit(&change, "a-token").await.unwrap();
    let booking = only(noting.take());
    let mut orders = vec![];
    for order in ended {
        let change = Change { ended: vec![order.clone()], ..Change::of(live) };
        store.commit(&change, "a-token").await.unwrap();
        orders.extend(noting.take().into_iter().skip(1));
    }
    AtOnce::holding(&product, &booking, &orders)
}

fn only(mut items: Vec<Value>) -> Value {
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

fn capture(live: &Booking) -> Capture {
    let captured = live.live_order.as_ref().unwrap().amount;
    Capture { transaction_id: "4200002026010100000000000001".to_owned(), captured, paid_at: now() }
}

fn notifications(deps: &Deps, live: &Booking) -> [Notification; 3] {
    let order = live.live_order.as_ref().unwrap();
    let echo = Echo {
        booking_id: live.booking_id.clone(),
        order_id: order.order_id.clone(),
        order_seq: order.seq,
        attempt: 1,
    };
    let told = Told { ids: &deps.ids, echo: &echo, amount: order.amount, at: now() };
    [told.by_wechat_pay(), told.by_alipay(), told.by_stripe()]
}

fn path_of(booking: &Booking) -> String {
    format!("/v1/bookings/{}", booking.booking_id)
}

fn request(method: Method, path: String, body: Bytes, customer: Option<&str>) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "zh-CN,zh;q=0.9,en;q=0.8"),
        ("content-type", "application/json"),
        ("host", "abcdef1234.execute-api.eu-central-1.amazonaws.com"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
        ("x-amzn-trace-id", "Root=1-69575c80-2b5c5b6c1a2b3c4d5e6f7a8b"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Request {
        method,
        path,
        query: None,
        headers,
        body,
        caller: customer
            .map(|customer| Caller::Customer { subject: customer.to_owned(), scopes: vec![] }),
        request_id: "JKJaXmPLvHcESHA=".to_owned(),
    }
}

fn draw(deps: &Deps, booking: &Booking) -> Request {
    let link = Link::new(booking.booking_id.clone(), None, None, now()).unwrap();
    let path = format!("/v1/checkout/bookings/{}/qr", booking.booking_id);
    let body = Bytes::from(json!({ "code": CODE }).to_string());
    let mut request = request(Method::POST, path, body, None);
    let bearer = HeaderValue::try_from(format!("Bearer {}", link.sign(&deps.keyring))).unwrap();
    request.headers.insert("authorization", bearer);
    request
}

fn callback(notification: &Notification) -> Request {
    let path = format!("/v1/callbacks/{}", wechat_pay::NAME);
    let mut request = request(Method::POST, path, notification.body.clone(), None);
    request.headers.extend(notification.headers.clone());
    request
}
