//! What lies between the handlers and whom they call: latency, faults, and the ends of the wires.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, to_bytes};
use embedded::EmbeddedStore;
use http::{Method, Request, Uri};
use local::stack::TABLE;
use serde_json::{Value, json};
use tests::faults::{Call, Failure, Fate, Faults, Side, Timed};
use tower_service::Service;

use crate::chance::{Chance, PerMille};
use crate::figures::Figures;
use crate::trace::Trace;
use crate::watch::Watch;
use crate::wires::{Asked, Sent, asked};

/// The longest body that is read.
const BODY_LEN_MAX: usize = 1024 * 1024;
/// The longest wait between two reads of one batch.
const TORN_MS_MAX: u64 = 150;

/// How bad the weather of a run is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Calls to the store that go wrong.
    pub store: PerMille,
    /// Calls to gateways that go wrong.
    pub gateway: PerMille,
    /// Batches that the store reads one item at a time.
    pub torn: PerMille,
    /// Requests, notifications and workers that are killed.
    pub killed: PerMille,
    /// Notifications that are never delivered, delivered twice, or overtaken.
    pub notifications: [PerMille; 3],
    /// Calls whose failure the gateway keeps and repeats.
    pub kept: PerMille,
}

impl Weather {
    /// Nothing goes wrong.
    pub const CALM: Self =
        Self { store: 0, gateway: 0, torn: 0, killed: 0, notifications: [0, 0, 0], kept: 0 };

    /// The weather of a run, from calm to worse than any gateway's worst day.
    pub fn draw(chance: &mut Chance) -> Self {
        let [mild, rough] = [60, 250];
        let mut share = |worst: [PerMille; 3]| {
            let worst = chance.weighted(&[(2, worst[0]), (5, worst[1]), (3, worst[2])]);
            u32::try_from(chance.number(0..u64::from(worst) + 1)).unwrap()
        };
        Self {
            store: share([0, mild, rough]),
            gateway: share([0, mild, 400]),
            torn: share([0, 200, 600]),
            killed: share([0, mild, rough]),
            notifications: [share([0, 200, 700]), share([0, 200, 500]), share([0, 200, 500])],
            kept: share([0, 20, 150]),
        }
    }
}

/// The weather now, and who draws from it.
pub struct Sky {
    weather: Mutex<(Weather, Chance)>,
    figures: Arc<Figures>,
    trace: Arc<Trace>,
}

impl Sky {
    /// The sky of a run.
    #[must_use]
    pub fn new(weather: Weather, chance: Chance, figures: Arc<Figures>, trace: Arc<Trace>) -> Self {
        Self { weather: Mutex::new((weather, chance)), figures, trace }
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.look(|weather, _| *weather = Weather::CALM);
    }

    /// Draws from the weather.
    pub fn look<T>(&self, draw: impl FnOnce(&mut Weather, &mut Chance) -> T) -> T {
        let mut both = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let (weather, chance) = &mut *both;
        draw(weather, chance)
    }

    /// What becomes of a call.
    pub fn fate(&self, call: &Call) -> Timed {
        let timed = self.look(|weather, chance| match call.side {
            Side::Store => store_fate(call, *weather, chance),
            Side::Gateway => gateway_fate(*weather, chance),
        });
        self.figures.count_call(call.side, timed.fate);
        let (side, operation) = (call.side, &call.operation);
        self.trace.tell(&format!("{side:?} {operation} ({}) {timed:?}", call.attempt));
        timed
    }
}

fn store_fate(call: &Call, weather: Weather, chance: &mut Chance) -> Timed {
    let fails = chance.hits(weather.store);
    let failure = chance.weighted(&[
        (3, Failure::NoAnswer),
        (1, Failure::Hang),
        (2, Failure::InternalServerError),
        (2, Failure::Throttled),
        (2, Failure::TransactionConflict),
        (1, Failure::TransactionInProgress),
        (1, Failure::Unreadable),
        (1, Failure::BrokenOff),
    ]);
    // What says that nothing happened is not said of what did.
    let is_refusal = matches!(failure, Failure::Throttled | Failure::TransactionConflict);
    let after = chance.hits(500) && !is_refusal && call.is_write();
    let twice = chance.hits(150) && call.operation == "TransactWriteItems";
    let fate = match (fails, twice, after) {
        (false, _, _) => Fate::Works,
        (true, true, _) => Fate::Duplicated,
        (true, false, true) => Fate::FailsAfter(failure),
        (true, false, false) => Fate::FailsBefore(failure),
    };
    let mut latency = || match chance.hits(15) {
        true => chance.ms(100..1_300),
        false => chance.ms(1..12),
    };
    fate.delayed(latency(), latency())
}

fn gateway_fate(weather: Weather, chance: &mut Chance) -> Timed {
    let fails = chance.hits(weather.gateway);
    let failure = chance.weighted(&[
        (4, Failure::NoAnswer),
        (2, Failure::Hang),
        (2, Failure::InternalServerError),
        (1, Failure::Throttled),
        (1, Failure::Unreadable),
        (1, Failure::BrokenOff),
    ]);
    let fate = match (fails, chance.number(0..10)) {
        (false, _) => Fate::Works,
        (true, 0) => Fate::Duplicated,
        (true, 1) => Fate::Cut(usize::try_from(chance.number(0..200)).unwrap()),
        (true, 2..6) => Fate::FailsAfter(failure),
        (true, _) => Fate::FailsBefore(failure),
    };
    let mut latency = || match chance.hits(30) {
        true => chance.ms(1_000..9_500),
        false => chance.ms(5..250),
    };
    fate.delayed(latency(), latency())
}

/// The store's end of the wire.
#[derive(Clone)]
pub struct StoreEnd {
    /// The store.
    pub store: EmbeddedStore,
    /// Sees what is written.
    pub watch: Arc<Watch>,
    /// Says which batches are torn.
    pub sky: Arc<Sky>,
}

impl fmt::Debug for StoreEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreEnd(..)")
    }
}

impl HttpConnector for StoreEnd {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let end = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = operation.rsplit('.').next().unwrap_or_default().to_owned();
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            end.watch.store_is_called(&operation, &body);
            let torn = end.sky.look(|weather, chance| chance.hits(weather.torn));
            if torn && operation == "BatchGetItem" {
                return end.read_one_by_one(request, body).await;
            }
            let answer = end.store.call(request).await?;
            if answer.status().as_u16() == 200 {
                end.watch.store_was_written(&operation, &body);
            }
            Ok(answer)
        })
    }
}

impl StoreEnd {
    /// `BatchGetItem` is no snapshot: AWS may read its items at different moments, in any order.
    async fn read_one_by_one(
        &self,
        request: HttpRequest,
        mut body: Value,
    ) -> Result<HttpResponse, ConnectorError> {
        let keys = body["RequestItems"][TABLE]["Keys"].take();
        let mut keys = keys.as_array().unwrap().clone();
        let wait = self.sky.look(|_, chance| {
            chance.shuffle(&mut keys);
            chance.ms(1..TORN_MS_MAX)
        });
        let mut found = vec![];
        for key in keys {
            body["RequestItems"][TABLE]["Keys"] = json!([key]);
            let mut part = request.try_clone().expect("a request is never streamed");
            *part.body_mut() = SdkBody::from(body.to_string());
            let answer = self.store.call(part).await?;
            let answer: Value = serde_json::from_slice(answer.body().bytes().unwrap()).unwrap();
            found.extend(answer["Responses"][TABLE].as_array().cloned().unwrap_or_default());
            tokio::time::sleep(wait).await;
        }
        let answer = json!({ "Responses": { TABLE: found }, "UnprocessedKeys": {} });
        let mut response =
            HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer.to_string()));
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }
}

/// The gateways' end of the wire: the simulator's routes, without a socket.
#[derive(Clone)]
pub struct GatewayEnd {
    /// The simulator's routes.
    pub routes: Router,
}

impl fmt::Debug for GatewayEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayEnd(..)")
    }
}

impl HttpConnector for GatewayEnd {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let end = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(failed)?;
            let request = request.map(|body| Body::from(body.bytes().unwrap().to_vec()));
            let mut routes = end.routes.clone();
            let answer = routes.call(request).await.map_err(failed)?;
            let (parts, body) = answer.into_parts();
            // A reply that breaks off in the middle is the simulator's way to fail.
            let body = to_bytes(body, BODY_LEN_MAX).await.map_err(failed)?;
            let answer = http::Response::from_parts(parts, SdkBody::from(body));
            HttpResponse::try_from(answer).map_err(failed)
        })
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::other(error.into(), None)
}

/// Both ends, with the weather in between.
pub fn between(sky: &Arc<Sky>, watch: &Arc<Watch>) -> Faults {
    let faults = Faults::default();
    let (sky, watch) = (Arc::clone(sky), Arc::clone(watch));
    faults.follow(move |call| {
        if call.side == Side::Store && call.attempt == 1 {
            watch.count_call();
        }
        sky.fate(call)
    });
    faults
}

/// Listens to what is sent to gateways, before anything can become of it: it is held against the
/// rules even where it never arrives.
#[derive(Clone)]
pub struct Overheard {
    /// Whom it is sent to.
    pub inner: SharedHttpConnector,
    /// Holds it against the rules.
    pub watch: Arc<Watch>,
    /// Tells of it.
    pub trace: Arc<Trace>,
}

impl fmt::Debug for Overheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overheard(..)")
    }
}

impl HttpConnector for Overheard {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let overheard = self.clone();
        HttpConnectorFuture::new(async move {
            overheard.note(&request);
            overheard.inner.call(request).await
        })
    }
}

impl Overheard {
    fn note(&self, request: &HttpRequest) {
        let method: Method = request.method().parse().unwrap();
        let uri: Uri = request.uri().parse().unwrap();
        let body = request.body().bytes().unwrap();
        match asked(&Sent { method: &method, uri: &uri, body }) {
            Asked::Create { payment_id } => {
                self.trace.tell(&format!("asked for the code of {payment_id}"));
                self.watch.create_is_sent(&payment_id);
            }
            Asked::Refund { transaction_id } => {
                self.trace.tell(&format!("asked to give {transaction_id} back"));
                self.watch.refund_is_sent(&transaction_id);
            }
            Asked::Forbidden(what) => self.watch.forbidden_is_sent(&what),
            Asked::Other => self.trace.tell(&format!("asked: {method} {}", short(&uri))),
        }
    }
}

/// What a reader needs of an address: its path, and the method that Alipay has in the query.
fn short(uri: &Uri) -> String {
    let mut query = uri.query().unwrap_or_default().split('&');
    let method = query.find(|pair| pair.starts_with("method=")).unwrap_or_default();
    format!("{} {method}", uri.path())
}

/// Calls a route of the simulator as anybody may, and answers status and body.
pub async fn ask(routes: &Router, request: Request<Body>) -> (u16, Value) {
    let answer = routes.clone().call(request).await.expect("routes always answer");
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), BODY_LEN_MAX).await.unwrap_or_default();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// As a connector.
#[must_use]
pub fn connector(end: impl HttpConnector + 'static) -> SharedHttpConnector {
    SharedHttpConnector::new(end)
}
