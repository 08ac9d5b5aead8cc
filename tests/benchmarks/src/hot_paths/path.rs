//! The hot paths, one row each.

use std::hint::black_box;

use api::respond::json;
use api::view::{BookingView, etag};
use domain::decide::generate_payment::{Asked, Generating, generate_payment};
use domain::decide::make_order::create_order;
use domain::decide::quote::quote;
use domain::decide::record_payment::{Recording, record_payment};
use domain::decide::start_payment::PaymentPlan;
use domain::quote::price;
use gateways::{alipay, stripe, wechat_pay};
use http::StatusCode;
use lambda_http::request::LambdaRequest;
use runtime::serve::{Handler, answer};
use runtime::telemetry::{Metric, measure, request_span};
use store::bookings::ORDERS_MAX;
use store::load::{Want, WantOrder};

use crate::hot_paths::scene::{QUANTITY, Scene, asked, at_wechat_pay, gateway_named};

/// Something that requests are made of.
#[derive(Clone, Copy, Debug)]
pub struct HotPath {
    /// Names it in the page.
    pub name: &'static str,
    /// What it does, in words.
    pub what: &'static str,
    /// Does it once, and says whether it came to what it should.
    work: fn(&Scene) -> bool,
}

/// Every path.
pub const EVERY: [HotPath; 21] = [
    HotPath { name: "token-sign", what: "a quote becomes a token", work: token_sign },
    HotPath { name: "token-verify", what: "a token is read", work: token_verify },
    HotPath { name: "price", what: "a quantity is priced", work: priced },
    HotPath { name: "decide-quote", what: "a quote makes an order", work: decide_quote },
    HotPath { name: "decide-order", what: "an order and its payment", work: decide_order },
    HotPath { name: "decide-payment", what: "an order's first payment", work: decide_payment },
    HotPath { name: "decide-applied", what: "money buys its order", work: decide_applied },
    HotPath { name: "decide-refunded", what: "money goes back", work: decide_refunded },
    HotPath { name: "store-load", what: "a booking and its product", work: store_load },
    HotPath { name: "store-orders", what: "a booking and 20 orders", work: store_orders },
    HotPath { name: "store-commit", what: "a created order is written", work: store_commit },
    HotPath { name: "wechat-pay-verify", what: "verify and decrypt", work: wechat_pay_verify },
    HotPath { name: "alipay-verify", what: "verify a form", work: alipay_verify },
    HotPath { name: "stripe-verify", what: "verify an event", work: stripe_verify },
    HotPath { name: "view", what: "the JSON of a booking and 20 orders", work: view },
    HotPath { name: "log-line", what: "a line in a request's span", work: log_line },
    HotPath { name: "metric-line", what: "two values, two dimensions", work: metric_line },
    HotPath { name: "event", what: "API Gateway's event is read", work: event },
    HotPath { name: "serve-booking", what: "a booking is read, whole", work: serve_booking },
    HotPath { name: "serve-code", what: "a QR code is drawn, whole", work: serve_code },
    HotPath { name: "serve-callback", what: "WeChat Pay tells, whole", work: serve_callback },
];

impl HotPath {
    /// Does it once.
    ///
    /// # Panics
    /// If it came to something else than it should: then there is nothing to measure.
    pub fn run(&self, scene: &Scene) {
        assert!((self.work)(black_box(scene)), "{} fails", self.name);
    }
}

fn token_sign(scene: &Scene) -> bool {
    !black_box(scene.deps.keyring.sign(&scene.submitted.quote)).is_empty()
}

fn token_verify(scene: &Scene) -> bool {
    black_box(scene.deps.keyring.verify(&scene.token)).is_some()
}

fn priced(scene: &Scene) -> bool {
    let bought = &scene.submitted;
    black_box(price(&bought.fresh, &bought.product, QUANTITY, scene.deps.now())).is_ok()
}

fn decide_quote(scene: &Scene) -> bool {
    let bought = &scene.ordered;
    let body = |_: &PaymentPlan| String::new();
    let quoted = quote(&bought.fresh, &bought.product, None, asked(&body), scene.env());
    black_box(quoted).is_ok_and(|quoted| quoted.making.is_some())
}

fn decide_order(scene: &Scene) -> bool {
    let bought = &scene.submitted;
    let quote = Some(&bought.quote);
    let making = at_wechat_pay(&scene.deps, |at| {
        create_order(&bought.fresh, &bought.product, quote, None, at, scene.env())
    });
    black_box(making).is_ok()
}

fn decide_payment(scene: &Scene) -> bool {
    let bought = &scene.ordered;
    let Some(order) = &bought.quoted.live_order else { return false };
    let asked = Asked { quote: Some(&bought.quote), order_id: &order.order_id, ended: None };
    let generating = at_wechat_pay(&scene.deps, |at| {
        generate_payment(&bought.quoted, &bought.product, asked, at, scene.env())
    });
    matches!(black_box(generating), Ok(Generating::Started { .. }))
}

fn decide_applied(scene: &Scene) -> bool {
    matches!(recording(scene, scene.live.live_order.as_ref()), Some(Recording::Applied(_)))
}

fn decide_refunded(scene: &Scene) -> bool {
    matches!(recording(scene, scene.ended.first()), Some(Recording::Refunded { .. }))
}

fn recording(scene: &Scene, order: Option<&domain::booking::Order>) -> Option<Recording> {
    let payment_id = &order?.payments.first()?.payment_id;
    let (product, capture) = (&scene.submitted.product, &scene.capture);
    let recording = record_payment(&scene.live, order, payment_id, capture, product, scene.env());
    Some(black_box(recording))
}

fn store_load(scene: &Scene) -> bool {
    let booking_id = &scene.live.booking_id;
    let want = Want { booking_id, product: true, order: WantOrder::Live };
    let loaded = scene.runtime.block_on(scene.deps.store.load(want));
    black_box(loaded).is_ok_and(|loaded| loaded.is_some_and(|loaded| loaded.product.is_some()))
}

fn store_orders(scene: &Scene) -> bool {
    let read = scene.deps.store.booking_with_orders(&scene.live.booking_id);
    let read = black_box(scene.runtime.block_on(read));
    read.is_ok_and(|read| read.is_some_and(|(_, orders)| orders.len() == ORDERS_MAX))
}

fn store_commit(scene: &Scene) -> bool {
    let token = scene.deps.request_token();
    let commit = scene.deps.store.commit(&scene.creation, &token);
    black_box(scene.runtime.block_on(commit)).is_ok()
}

fn wechat_pay_verify(scene: &Scene) -> bool {
    verified(scene, wechat_pay::NAME, 0)
}

fn alipay_verify(scene: &Scene) -> bool {
    verified(scene, alipay::NAME, 1)
}

fn stripe_verify(scene: &Scene) -> bool {
    verified(scene, stripe::NAME, 2)
}

fn verified(scene: &Scene, gateway: &str, at: usize) -> bool {
    let Some(gateway) = scene.deps.gateway(&gateway_named(gateway)) else { return false };
    let sent = &scene.notifications[at];
    let events = black_box(gateway.verify(&sent.headers, &sent.body, scene.deps.now()));
    events.is_ok_and(|events| events.len() == 1)
}

fn view(scene: &Scene) -> bool {
    let on = scene.deps.view();
    let shown = BookingView::with_orders(&scene.live, &scene.ended, ORDERS_MAX, on);
    black_box(etag(&scene.live, on.now));
    black_box(json(StatusCode::OK, &shown)).is_ok()
}

fn log_line(scene: &Scene) -> bool {
    request_span(&scene.read, None).in_scope(|| {
        tracing::info!(route = "get_booking", status = 200, duration_ms = 3, "answered");
    });
    true
}

fn metric_line(_: &Scene) -> bool {
    measure(
        &[(Metric::Requests, 1), (Metric::RequestDuration, 3)],
        &[("route", "get_booking"), ("status", "2xx")],
    );
    true
}

fn event(scene: &Scene) -> bool {
    let Ok(event) = serde_json::from_slice::<LambdaRequest>(&scene.event) else { return false };
    let request = black_box(runtime::lambda::request(event.into()));
    request.path == scene.read.path && request.caller == scene.read.caller
}

fn serve_booking(scene: &Scene) -> bool {
    served(scene, &scene.read, bookings::handle)
}

fn serve_code(scene: &Scene) -> bool {
    served(scene, &scene.draw, checkout::handle)
}

fn serve_callback(scene: &Scene) -> bool {
    served(scene, &scene.callback, callback::handle)
}

fn served(scene: &Scene, request: &api::request::Request, handle: Handler) -> bool {
    let answer = scene.runtime.block_on(answer(&scene.deps, request, handle));
    black_box(answer).status().is_success()
}
