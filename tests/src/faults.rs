//! Faults beneath the SDK: calls to the store that fail by a schedule.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use embedded::EmbeddedStore;
use local::stack::WrapStore;

/// How a call that failed looks to the SDK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The connection broke; the SDK does not repeat it.
    NoAnswer,
    /// No answer in time.
    Hang,
    /// The service broke: HTTP 500.
    InternalServerError,
    /// A call or a part of a transaction was throttled.
    Throttled,
    /// Another transaction holds an item.
    TransactionConflict,
    /// The same transaction is still under way.
    TransactionInProgress,
}

/// What becomes of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It works.
    Works,
    /// It fails without effect.
    FailsBefore(Failure),
    /// It takes effect, and then fails.
    FailsAfter(Failure),
}

/// A call on its way to the store.
#[derive(Clone, Debug)]
pub struct StoreCall {
    /// Which call since the schedule was set, from 1. What the SDK repeats keeps its number.
    pub number: u32,
    /// Which sending of the call by the SDK, from 1.
    pub attempt: u32,
    /// The operation: `GetItem`.
    pub operation: String,
    /// The request as JSON.
    pub body: String,
}

impl StoreCall {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(self.operation.as_str(), "GetItem" | "BatchGetItem" | "Query")
    }
}

type Schedule = dyn Fn(&StoreCall) -> Fate + Send + Sync;

#[derive(Default)]
struct Plan {
    schedule: Option<Arc<Schedule>>,
    calls: u32,
    hits: u32,
}

/// Stands between the SDK and the embedded store. Clones share one schedule.
#[derive(Clone, Default)]
pub struct StoreFaults(Arc<Mutex<Plan>>);

impl StoreFaults {
    /// For `Options::wrap_store`.
    #[must_use]
    pub fn wrap(&self) -> WrapStore {
        let faults = self.clone();
        Arc::new(move |store| SharedHttpClient::new(FaultyStore { store, faults: faults.clone() }))
    }

    /// Follows this schedule from now on, and counts from one again.
    pub fn follow(&self, schedule: impl Fn(&StoreCall) -> Fate + Send + Sync + 'static) {
        *self.plan() = Plan { schedule: Some(Arc::new(schedule)), calls: 0, hits: 0 };
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

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self, request: &HttpRequest) -> Fate {
        let headers = request.headers();
        let target = headers.get("x-amz-target").unwrap_or_default();
        let attempt = headers.get("amz-sdk-request").and_then(attempt_of).unwrap_or(1);
        let mut plan = self.plan();
        if attempt == 1 {
            plan.calls += 1;
        }
        let call = StoreCall {
            number: plan.calls,
            attempt,
            operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: request.body().bytes().map(String::from_utf8_lossy).unwrap_or_default().into(),
        };
        let fate = plan.schedule.as_ref().map_or(Fate::Works, |schedule| schedule(&call));
        if fate != Fate::Works {
            plan.hits += 1;
        }
        fate
    }
}

/// `ttl=20261123T040000Z; attempt=2; max=3`
fn attempt_of(header: &str) -> Option<u32> {
    header.split(';').find_map(|part| part.trim().strip_prefix("attempt=")?.parse().ok())
}

#[derive(Clone)]
struct FaultyStore {
    store: EmbeddedStore,
    faults: StoreFaults,
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore(..)")
    }
}

impl HttpClient for FaultyStore {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FaultyStore {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let FaultyStore { store, faults } = self.clone();
        HttpConnectorFuture::new(async move {
            let is_transaction = is_transaction(&request);
            match faults.fate(&request) {
                Fate::Works => store.call(request).await,
                Fate::FailsBefore(failure) => fail(failure, is_transaction).await,
                Fate::FailsAfter(failure) => {
                    store.call(request).await?;
                    fail(failure, is_transaction).await
                }
            }
        })
    }
}

fn is_transaction(request: &HttpRequest) -> bool {
    request.headers().get("x-amz-target").is_some_and(|it| it.ends_with("TransactWriteItems"))
}

async fn fail(failure: Failure, is_transaction: bool) -> Result<HttpResponse, ConnectorError> {
    match failure {
        Failure::NoAnswer => Err(ConnectorError::other("the connection broke".into(), None)),
        Failure::Hang => std::future::pending().await,
        Failure::InternalServerError => answer(500, "InternalServerError", ""),
        Failure::Throttled if is_transaction => cancelled("ThrottlingError"),
        Failure::Throttled => answer(400, "ProvisionedThroughputExceededException", ""),
        Failure::TransactionConflict if is_transaction => cancelled("TransactionConflict"),
        Failure::TransactionConflict => answer(400, "TransactionConflictException", ""),
        Failure::TransactionInProgress => answer(400, "TransactionInProgressException", ""),
    }
}

/// The first part of a transaction has that reason; of the others there is nothing to say.
fn cancelled(code: &str) -> Result<HttpResponse, ConnectorError> {
    let reasons = format!(r#","CancellationReasons":[{{"Code":"{code}"}},{{"Code":"None"}}]"#);
    answer(400, "TransactionCanceledException", &reasons)
}

fn answer(status: u16, kind: &str, more: &str) -> Result<HttpResponse, ConnectorError> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{kind}"{more}}}"#);
    let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
