//! One adapter on its gateway's simulated side: no store, no handlers, nothing in between.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use domain::gateway::{Capture, GatewayName};
use domain::money::{Currency, Money};
use domain::reconcile::BillRow;
use gateways::bill::{BillOutcome, BillStep, Bills};
use gateways::{
    Acknowledgement, CloseOutcome, CreateOutcome, Distrust, Event, Gateway, NewPayment, Owner,
    PaymentRef, QueryOutcome, RefundOutcome, RefundRequest, Refusal, Stamp,
};
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use local::clock::TurnedClock;
use runtime::config::open_secrets;
use runtime::deps::Randomness;
use serde_json::{Value, json};
use simulator::Simulator;
use simulator::config::SimulatorConfig;
use tests::standing_clock;
use tower_service::Service;

/// Where the gateways think that we are.
const BASE_URL: &str = "http://127.0.0.1:8080";
/// The longest body that is read.
const BODY_LEN_MAX: usize = 1024 * 1024;
/// How often a test looks for what happens by itself, in simulated time.
const GLANCE: Duration = Duration::from_millis(50);
/// How long it looks.
const GLANCES_MAX: u32 = 400;

/// What the suite has to know of a gateway.
pub struct Kind {
    /// The gateway.
    pub name: &'static str,
    /// What its settings have different from the laptop's.
    pub settings: fn(&mut Value),
    /// Whether nothing exists at the gateway until somebody scans the code.
    pub exists_once_scanned: bool,
    /// Whether a repeated create is answered like the first, whatever has happened since.
    pub replays_creates: bool,
    /// Whether it signs each notification anew, with the time.
    pub signs_time: bool,
    /// Whether it tells of disputes.
    pub tells_disputes: bool,
    /// Whether a refund that succeeded may fail later.
    pub takes_refunds_back: bool,
    /// Whether its bill carries the echo.
    pub bills_carry_echo: bool,
    /// Whether something in a bill shows that a byte of it was changed on the way.
    pub bills_are_vouched_for: bool,
}

/// The adapter, its gateway, and a merchant's bare hands.
pub struct Bench {
    pub kind: &'static Kind,
    pub gateway: Arc<dyn Gateway>,
    pub clock: TurnedClock,
    routes: Router,
    caught: Arc<Mutex<Vec<Request<Bytes>>>>,
    nonces: AtomicU64,
    _simulator: Simulator,
}

/// A payment that was created.
#[derive(Clone, Debug)]
pub struct Made {
    pub payment_id: String,
    pub body: String,
    pub code_url: String,
    pub gateway_ref: Option<String>,
}

impl Made {
    pub fn reference(&self) -> PaymentRef<'_> {
        PaymentRef { payment_id: &self.payment_id, gateway_ref: self.gateway_ref.as_deref() }
    }
}

/// A payment that a wallet paid.
#[derive(Clone, Debug)]
pub struct Paid {
    pub made: Made,
    pub capture: Capture,
}

pub fn cny(amount: i64) -> Money {
    Money::new(amount, Currency::parse("CNY").unwrap())
}

/// A number such as our ids are, different for each `seed`.
pub fn number(seed: u64) -> String {
    format!("{seed:032x}")
}

/// A refund's number such as ours are.
pub fn refund_number(seed: u64) -> String {
    format!("{seed:062x}")
}

impl Bench {
    pub fn start(kind: &'static Kind) -> Self {
        let clock = TurnedClock::open(standing_clock(), None).unwrap();
        let caught = Arc::new(Mutex::new(vec![]));
        let gateway = adapter(kind);
        let (answering, catching) = (Arc::clone(&gateway), Arc::clone(&caught));
        let mut config = SimulatorConfig::new(format!("{BASE_URL}/v1/callbacks"), clock.reader());
        config.refund_delay = Duration::ZERO;
        config.courier = Some(Arc::new(move |request| {
            catching.lock().unwrap().push(request);
            let answer = answering.acknowledge(Acknowledgement::Done);
            Box::pin(async move { Some(answer) })
        }));
        let simulator = Simulator::start(config).unwrap();
        let routes = simulator.router();
        let nonces = AtomicU64::default();
        Self { kind, gateway, clock, routes, caught, nonces, _simulator: simulator }
    }

    pub fn stamp(&self) -> Stamp {
        let number = self.nonces.fetch_add(1, Ordering::SeqCst);
        Stamp { now: self.clock.now(), nonce: u128::from(number).to_be_bytes() }
    }

    /// Sends a request to the gateway.
    pub async fn send(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        // As any client says where it thinks that it is.
        let host = request.uri().authority().map(|it| HeaderValue::from_str(it.as_str()).unwrap());
        request.headers_mut().extend(host.map(|host| (HOST, host)));
        let answer = self.routes.clone().call(request.map(Body::from)).await.unwrap();
        let (parts, body) = answer.into_parts();
        // A reply that breaks off is as good as none.
        let body = to_bytes(body, BODY_LEN_MAX).await.unwrap_or_default();
        Response::from_parts(parts, body)
    }

    /// Calls a control of the simulator: status and body.
    pub async fn control(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path);
        let answer = self.send(request.body(Bytes::from(body.to_string())).unwrap()).await;
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        (answer.status().as_u16(), body)
    }

    /// Sets the simulator's faults.
    pub async fn faults(&self, faults: Value) {
        let (status, body) = self.control(Method::PUT, "/simulator/faults", &faults).await;
        assert_eq!(status, 200, "{body}");
    }

    /// The exact request that creates a payment.
    pub fn create_body(&self, payment_id: &str, amount: Money) -> String {
        let expires_at = self.clock.now() + SignedDuration::from_mins(15);
        self.gateway.create_body(&NewPayment {
            payment_id,
            description: "Desk & chair = 桌子 x 1",
            amount,
            expires_at: Timestamp::from_second(expires_at.as_second()).unwrap(),
            echo: &echo(payment_id),
        })
    }

    pub async fn create(&self, payment_id: &str, body: &str) -> CreateOutcome {
        let reply = self.send(self.gateway.create(payment_id, body, self.stamp())).await;
        self.gateway.read_create(&reply, self.clock.now())
    }

    /// A payment whose code nobody has scanned.
    pub async fn unscanned(&self, seed: u64) -> Made {
        let payment_id = number(seed);
        let body = self.create_body(&payment_id, cny(1_280));
        match self.create(&payment_id, &body).await {
            CreateOutcome::Payable { code_url, gateway_ref } => {
                Made { payment_id, body, code_url, gateway_ref }
            }
            other => panic!("{other:?}"),
        }
    }

    /// A payment that exists at its gateway and is not paid.
    pub async fn unpaid(&self, seed: u64) -> Made {
        let made = self.unscanned(seed).await;
        let scan = json!({ "code_url": made.code_url });
        let (status, body) = self.control(Method::POST, "/simulator/scan", &scan).await;
        assert_eq!(status, 200, "{body}");
        made
    }

    /// What the wallet hears: status and body.
    pub async fn pay(&self, body: &Value) -> (u16, Value) {
        self.control(Method::POST, "/simulator/pay", body).await
    }

    /// A payment that was paid.
    pub async fn paid(&self, seed: u64) -> Paid {
        let made = self.unpaid(seed).await;
        let (status, told) = self.pay(&json!({ "code_url": made.code_url })).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["payment_id"], made.payment_id);
        let capture = Capture {
            transaction_id: told["transaction_id"].as_str().unwrap().to_owned(),
            captured: cny(1_280),
            paid_at: told["paid_at"].as_str().unwrap().parse().unwrap(),
        };
        Paid { made, capture }
    }

    pub async fn query(&self, payment: &PaymentRef<'_>) -> QueryOutcome {
        let reply = self.send(self.gateway.query(payment, self.stamp())).await;
        self.gateway.read_query(payment, &reply, self.clock.now())
    }

    pub async fn owner(&self, transaction_id: &str) -> Result<Option<Owner>, Refusal> {
        let reply = self.send(self.gateway.query_owner(transaction_id, self.stamp())).await;
        self.gateway.read_owner(&reply, self.clock.now())
    }

    pub async fn close(&self, payment: &PaymentRef<'_>) -> CloseOutcome {
        let reply = self.send(self.gateway.close(payment, self.stamp())).await;
        self.gateway.read_close(&reply, self.clock.now())
    }

    pub async fn refund(&self, refund: &RefundRequest<'_>) -> RefundOutcome {
        let reply = self.send(self.gateway.refund(refund, self.stamp())).await;
        self.gateway.read_refund(refund, &reply, self.clock.now())
    }

    pub async fn query_refund(&self, refund: &RefundRequest<'_>) -> RefundOutcome {
        let reply = self.send(self.gateway.query_refund(refund, self.stamp())).await;
        self.gateway.read_query_refund(refund, &reply, self.clock.now())
    }

    /// Asks for a refund until the gateway has finished with it.
    pub async fn finished_refund(&self, refund: &RefundRequest<'_>) -> RefundOutcome {
        let mut last = RefundOutcome::NotFound;
        for _ in 0..GLANCES_MAX {
            last = self.query_refund(refund).await;
            if !matches!(last, RefundOutcome::Processing) {
                return last;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("never finished: {last:?}")
    }

    pub fn bills(&self) -> &dyn Bills {
        self.gateway.bills().unwrap_or_else(|| panic!("{} writes no bill", self.kind.name))
    }

    /// Turns the clock to the next noon in the calendar of the gateway's bills, when the bill of
    /// the day before is there; answers the day that has begun.
    pub fn at_noon(&self) -> Date {
        let offset = self.bills().offset();
        let day = offset.to_datetime(self.clock.now()).date().tomorrow().unwrap();
        self.clock.set(offset.to_timestamp(day.at(12, 0, 0, 0)).unwrap());
        day
    }

    /// Asks for a step of a bill.
    async fn bill_step(&self, step: &BillStep) -> (Response<Bytes>, BillOutcome) {
        let reply = self.send(self.bills().ask(step, self.stamp())).await;
        let outcome = self.bills().read(step, &reply, self.clock.now());
        (reply, outcome)
    }

    /// The rows of a day's bill.
    ///
    /// # Errors
    /// What a step answered that was not read.
    pub async fn bill(&self, day: Date) -> Result<Vec<BillRow>, BillOutcome> {
        let (mut all, mut step) = (vec![], BillStep::Day(day));
        for _ in 0..GLANCES_MAX {
            match self.bill_step(&step).await.1 {
                BillOutcome::Read { rows, next } => {
                    all.extend(rows);
                    let Some(next) = next else { return Ok(all) };
                    step = next;
                }
                outcome @ (BillOutcome::NotReady(_) | BillOutcome::Unknown(_)) => {
                    return Err(outcome);
                }
            }
        }
        panic!("the bill never ends")
    }

    /// The last step of a day's bill, and what it was answered.
    pub async fn last_of_bill(&self, day: Date) -> (BillStep, Response<Bytes>) {
        let mut step = BillStep::Day(day);
        for _ in 0..GLANCES_MAX {
            match self.bill_step(&step).await {
                (_, BillOutcome::Read { next: Some(next), .. }) => step = next,
                (reply, BillOutcome::Read { next: None, .. }) => return (step, reply),
                (_, outcome) => panic!("{outcome:?}"),
            }
        }
        panic!("the bill never ends")
    }

    /// What the gateway holds of a payment.
    pub async fn ledger(&self, payment_id: &str) -> Value {
        let (_, ledger) = self.control(Method::GET, "/simulator/ledger", &Value::Null).await;
        let mut payments = ledger["payments"].as_array().unwrap().iter();
        let entry = payments.find(|entry| entry["payment_id"] == payment_id).cloned();
        entry.unwrap_or_else(|| panic!("the gateway does not know {payment_id}: {ledger:#}"))
    }

    /// The first notification that tells something which fits, and what it tells.
    pub async fn told(&self, fits: impl Fn(&Event) -> bool) -> (Request<Bytes>, Vec<Event>) {
        for _ in 0..GLANCES_MAX {
            let caught = self.caught.lock().unwrap().clone();
            for request in caught {
                let events = self.verify(&request).expect("a genuine notification is believed");
                if events.iter().any(&fits) {
                    return (request, events);
                }
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("the gateway never told it: {:?}", self.caught.lock().unwrap())
    }

    pub fn verify(&self, request: &Request<Bytes>) -> Result<Vec<Event>, Distrust> {
        self.gateway.verify(request.headers(), request.body(), self.clock.now())
    }

    /// Every notification that was delivered so far.
    pub fn caught(&self) -> Vec<Request<Bytes>> {
        self.caught.lock().unwrap().clone()
    }
}

/// What a payment carries back.
pub fn echo(payment_id: &str) -> String {
    format!("lp1.{payment_id}.0123456789-_~")
}

/// The refund of all that was captured.
pub fn refund_of<'a>(paid: &'a Paid, number: &'a str) -> RefundRequest<'a> {
    RefundRequest {
        payment_id: &paid.made.payment_id,
        transaction_id: &paid.capture.transaction_id,
        number,
        amount: paid.capture.captured,
        reason: "superseded",
    }
}

fn adapter(kind: &Kind) -> Arc<dyn Gateway> {
    let zeros: Randomness = Arc::new(|| [0; 16]);
    let secrets = local::secrets::of_folder(None, BASE_URL, &zeros).unwrap();
    let mut secrets: Value = serde_json::from_str(&secrets).unwrap();
    (kind.settings)(&mut secrets["gateways"][kind.name]);
    let opened = open_secrets(&secrets.to_string()).unwrap();
    let name = GatewayName::parse(kind.name).unwrap();
    Arc::clone(opened.gateways.get(&name).unwrap_or_else(|| panic!("no {name} at the laptop")))
}
