//! Faults on the wire: calls to the store and to gateways that fail by a schedule.
//!
//! One wrapper stands beneath the SDK and beneath the gateways' transport alike. It has no clock
//! but tokio's, no randomness and no thread, so that under a paused clock a run repeats exactly.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Method, Uri};
use http_body_util::{BodyExt, Full, Limited};
use local::stack::{WrapGateways, WrapStore};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Who is called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// DynamoDB, by the SDK.
    Store,
    /// A gateway, by the transport.
    Gateway,
}

/// How a call that failed looks to the caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// The connection broke; the SDK does not repeat it.
    NoAnswer,
    /// No answer, ever: until the caller gives up, or is dropped.
    Hang,
    /// The service broke: HTTP 500.
    InternalServerError,
    /// A call or a part of a transaction was throttled; a gateway answers HTTP 429.
    Throttled,
    /// Another transaction holds an item. Of the store only.
    TransactionConflict,
    /// The same transaction is still under way. Of the store only.
    TransactionInProgress,
    /// HTTP 200 and a body that nobody can read.
    Unreadable,
    /// HTTP 200 and a body in which the connection breaks.
    BrokenOff,
}

/// What becomes of one call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// It works.
    Works,
    /// It fails without effect.
    FailsBefore(Failure),
    /// It takes effect, and then fails.
    FailsAfter(Failure),
    /// It is sent twice, one after the other; both take effect, and the second is answered.
    Duplicated,
    /// It takes effect, and its answer ends after so many bytes as if that were all. The store's
    /// own answers state their length, so there only a cut inside the body means anything.
    Cut(usize),
}

impl Fate {
    /// The same after a wait, and answered after another. Both pass on tokio's clock.
    #[must_use]
    pub fn delayed(self, before: Duration, after: Duration) -> Timed {
        Timed { before, fate: self, after }
    }
}

/// A fate and the time it takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timed {
    /// The wait before anything happens.
    pub before: Duration,
    /// What happens.
    pub fate: Fate,
    /// The wait before the answer.
    pub after: Duration,
}

impl From<Fate> for Timed {
    fn from(fate: Fate) -> Self {
        fate.delayed(Duration::ZERO, Duration::ZERO)
    }
}

/// A call on its way.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who is called.
    pub side: Side,
    /// Which call since the schedule was set, from 1, both sides counted together. What the SDK
    /// repeats keeps its number.
    pub number: u32,
    /// Which sending of the call by the SDK, from 1. A gateway is sent each call once.
    pub attempt: u32,
    /// The store's operation, `GetItem`, or a gateway's method and path, `POST /v3/refund/…`.
    pub operation: String,
    /// The body as text; JSON at the store.
    pub body: String,
}

impl Call {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self.side {
            Side::Store => {
                let reads = ["GetItem", "BatchGetItem", "Query", "Scan"];
                !reads.contains(&self.operation.as_str())
            }
            Side::Gateway => !self.operation.starts_with(Method::GET.as_str()),
        }
    }
}

type Schedule = dyn Fn(&Call) -> Timed + Send + Sync;

#[derive(Default)]
struct Plan {
    schedule: Option<Arc<Schedule>>,
    calls: u32,
    hits: u32,
    /// The numbers of the SDK's calls, by what it calls an invocation.
    invocations: HashMap<String, u32>,
    hangs: Arc<Notify>,
}

impl Plan {
    fn number(&mut self, request: &HttpRequest) -> u32 {
        let invocation = request.headers().get("amz-sdk-invocation-id").map(str::to_owned);
        let known = invocation.as_ref().and_then(|id| self.invocations.get(id));
        if let Some(number) = known {
            return *number;
        }
        self.calls += 1;
        self.invocations.extend(invocation.map(|id| (id, self.calls)));
        self.calls
    }
}

/// Stands between a caller and whom it calls. Clones share one schedule and one count, so that
/// the calls of both sides can be told apart by their numbers.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

impl Faults {
    /// For `Options::wrap_store`.
    #[must_use]
    pub fn wrap_store(&self) -> WrapStore {
        let faults = self.clone();
        Arc::new(move |store| faults.store_over(SharedHttpConnector::new(store)))
    }

    /// For `Options::wrap_gateways`.
    #[must_use]
    pub fn wrap_gateways(&self) -> WrapGateways {
        let faults = self.clone();
        Arc::new(move |gateways| faults.over(Side::Gateway, gateways))
    }

    /// The faults over a connector to that side.
    #[must_use]
    pub fn over(&self, side: Side, inner: SharedHttpConnector) -> SharedHttpConnector {
        SharedHttpConnector::new(Faulty { side, inner, faults: self.clone() })
    }

    /// The faults over a connector to the store, as an SDK client takes it.
    #[must_use]
    pub fn store_over(&self, inner: SharedHttpConnector) -> SharedHttpClient {
        let faulty = self.over(Side::Store, inner);
        http_client_fn(move |_, _| faulty.clone())
    }

    /// Follows this schedule from now on, and counts from one again.
    pub fn follow<F: Into<Timed>>(&self, schedule: impl Fn(&Call) -> F + Send + Sync + 'static) {
        let schedule: Arc<Schedule> = Arc::new(move |call| schedule(call).into());
        *self.plan() = Plan { schedule: Some(schedule), ..Plan::default() };
    }

    /// Fails the call of that number, each sending of it.
    pub fn fail_call(&self, number: u32, fate: Fate) {
        self.follow(move |call| if call.number == number { fate } else { Fate::Works });
    }

    /// Fails every call from that number on.
    pub fn fail_from(&self, number: u32, fate: Fate) {
        self.follow(move |call| if call.number >= number { fate } else { Fate::Works });
    }

    /// Fails nothing any more. Answers how many sendings were hit.
    pub fn heal(&self) -> u32 {
        let mut plan = self.plan();
        plan.schedule = None;
        plan.hits
    }

    /// How many calls there were since the schedule was set.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.plan().calls
    }

    /// Waits until a call hangs: whoever made it can then be dropped, as a killed function is.
    pub async fn until_hanging(&self) {
        let hangs = Arc::clone(&self.plan().hangs);
        hangs.notified().await;
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, side: Side, request: &HttpRequest) -> Timed {
        let (call, schedule) = {
            let mut plan = self.plan();
            let number = plan.number(request);
            (call(side, number, request), plan.schedule.clone())
        };
        let works = Timed::from(Fate::Works);
        // Without the lock: a schedule may ask for the count, or set another one.
        let timed = schedule.map_or(works, |schedule| schedule(&call));
        if timed != works {
            self.plan().hits += 1;
        }
        timed
    }
}

fn call(side: Side, number: u32, request: &HttpRequest) -> Call {
    let header = |name| request.headers().get(name);
    let body = request.body().bytes().map(String::from_utf8_lossy);
    Call {
        side,
        number,
        attempt: header("amz-sdk-request").and_then(attempt_of).unwrap_or(1),
        operation: match side {
            Side::Store => {
                let target = header("x-amz-target").unwrap_or_default();
                target.rsplit('.').next().unwrap_or_default().to_owned()
            }
            Side::Gateway => {
                let uri: Uri = request.uri().parse().unwrap();
                format!("{} {}", request.method(), uri.path())
            }
        },
        body: body.unwrap_or_default().into(),
    }
}

/// `ttl=20261123T040000Z; attempt=2; max=3`
fn attempt_of(header: &str) -> Option<u32> {
    header.split(';').find_map(|part| part.trim().strip_prefix("attempt=")?.parse().ok())
}

#[derive(Clone)]
struct Faulty {
    side: Side,
    inner: SharedHttpConnector,
    faults: Faults,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({:?})", self.side)
    }
}

type Answer = Result<HttpResponse, ConnectorError>;

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let faulty = self.clone();
        HttpConnectorFuture::new(async move {
            let Timed { before, fate, after } = faulty.faults.fate(faulty.side, &request);
            wait(before).await;
            let answer = faulty.meet(fate, request).await;
            wait(after).await;
            answer
        })
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Faulty {
    async fn meet(&self, fate: Fate, request: HttpRequest) -> Answer {
        let is_transaction = is_transaction(&request);
        match fate {
            Fate::Works => self.inner.call(request).await,
            Fate::FailsBefore(failure) => self.fail(failure, is_transaction).await,
            Fate::FailsAfter(failure) => {
                arrive(&self.inner, request).await?;
                self.fail(failure, is_transaction).await
            }
            Fate::Duplicated => {
                let again = request.try_clone().expect("a request is never streamed");
                arrive(&self.inner, request).await?;
                self.inner.call(again).await
            }
            Fate::Cut(bytes) => cut(self.inner.call(request).await?, bytes).await,
        }
    }

    async fn fail(&self, failure: Failure, is_transaction: bool) -> Answer {
        match failure {
            Failure::NoAnswer => Err(broken("the connection broke")),
            Failure::Hang => {
                self.faults.plan().hangs.notify_one();
                std::future::pending().await
            }
            Failure::Unreadable => answer(200, "text/html", SdkBody::from("<html>")),
            Failure::BrokenOff => {
                let torn = Limited::new(Full::new(Bytes::from_static(b"{")), 0);
                answer(200, "application/json", SdkBody::from_body_1_x(torn))
            }
            Failure::InternalServerError
            | Failure::Throttled
            | Failure::TransactionConflict
            | Failure::TransactionInProgress => match self.side {
                Side::Store => store_refuses(failure, is_transaction),
                Side::Gateway => gateway_refuses(failure),
            },
        }
    }
}

/// Sends a request and reads the whole answer: then it has surely taken effect.
async fn arrive(inner: &SharedHttpConnector, request: HttpRequest) -> Result<(), ConnectorError> {
    let mut answer = inner.call(request).await?;
    read(&mut answer).await.map(drop)
}

/// The whole body of an answer.
pub(crate) async fn read(answer: &mut HttpResponse) -> Result<Bytes, ConnectorError> {
    let body = answer.take_body().collect().await.map_err(|error| broken(&error.to_string()))?;
    Ok(body.to_bytes())
}

async fn cut(mut answer: HttpResponse, bytes: usize) -> Answer {
    let body = read(&mut answer).await?;
    *answer.body_mut() = SdkBody::from(body.slice(..bytes.min(body.len())));
    Ok(answer)
}

fn is_transaction(request: &HttpRequest) -> bool {
    request.headers().get("x-amz-target").is_some_and(|it| it.ends_with("TransactWriteItems"))
}

fn store_refuses(failure: Failure, is_transaction: bool) -> Answer {
    match failure {
        Failure::InternalServerError => store_error(500, "InternalServerError"),
        Failure::Throttled if is_transaction => cancelled("ThrottlingError"),
        Failure::Throttled => store_error(400, "ProvisionedThroughputExceededException"),
        Failure::TransactionConflict if is_transaction => cancelled("TransactionConflict"),
        Failure::TransactionConflict => store_error(400, "TransactionConflictException"),
        Failure::TransactionInProgress => store_error(400, "TransactionInProgressException"),
        Failure::NoAnswer | Failure::Hang | Failure::Unreadable | Failure::BrokenOff => {
            panic!("{failure:?} is none of the store's answers")
        }
    }
}

fn gateway_refuses(failure: Failure) -> Answer {
    match failure {
        Failure::InternalServerError => gateway_error(500, "SYSTEM_ERROR"),
        Failure::Throttled => gateway_error(429, "FREQUENCY_LIMITED"),
        Failure::NoAnswer
        | Failure::Hang
        | Failure::Unreadable
        | Failure::BrokenOff
        | Failure::TransactionConflict
        | Failure::TransactionInProgress => panic!("{failure:?} is none of a gateway's answers"),
    }
}

fn broken(why: &str) -> ConnectorError {
    ConnectorError::other(why.into(), None)
}

fn store_error(status: u16, kind: &str) -> Answer {
    store_answer(status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}") }))
}

/// The first part of a transaction has that reason; of the others there is nothing to say.
fn cancelled(code: &str) -> Answer {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let reasons = json!([{ "Code": code }, { "Code": "None" }]);
    store_answer(400, json!({ "__type": kind, "CancellationReasons": reasons }))
}

fn store_answer(status: u16, body: Value) -> Answer {
    answer(status, "application/x-amz-json-1.0", body.to_string().into())
}

/// As WeChat Pay words it, and unsigned, as whatever stands before it answers.
fn gateway_error(status: u16, code: &str) -> Answer {
    let body = json!({ "code": code, "message": "injected" });
    answer(status, "application/json", body.to_string().into())
}

fn answer(status: u16, content_type: &'static str, body: SdkBody) -> Answer {
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
    response.headers_mut().insert("content-type", content_type);
    Ok(response)
}
