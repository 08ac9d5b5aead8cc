//! What can stand between the SDK and the store: faults, torn reads, and an ear.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::{Value, json};

type Answer = Result<HttpResponse, ConnectorError>;
type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What happens to one call instead of being passed on.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The store never sees it; this is answered.
    Instead(u16, Value),
    /// The store does it, and then this is answered.
    After(u16, Value),
    /// The connection drops before the store sees it.
    DroppedBefore,
    /// The store does it, and the answer is lost.
    DroppedAfter,
    /// The store does it, and no answer ever comes.
    SilentAfter,
    /// The store does it, and the answer cannot be read.
    GarbledAfter,
}

/// An error as DynamoDB answers it.
pub(crate) fn error(code: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "injected" })
}

/// A cancelled transaction with the reasons of its writes.
pub(crate) fn cancelled(reasons: &[&str]) -> Value {
    let mut body = error("TransactionCanceledException");
    body["CancellationReasons"] = reasons.iter().map(|code| json!({ "Code": code })).collect();
    body
}

/// Stands between the SDK and the store, for the calls of one operation.
#[derive(Clone)]
pub(crate) struct Wrap {
    operation: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    last_fault: Option<Fault>,
    tear: Option<Tear>,
    answered_max: Option<usize>,
    bodies: Vec<Vec<u8>>,
}

/// A batch whose items are read at two moments, and what happens in between.
struct Tear {
    late: fn(&str) -> bool,
    between: Work<()>,
}

impl fmt::Debug for Wrap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wrap").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Wrap {
    /// Passes on every call, and remembers those of `operation`.
    pub(crate) fn of(operation: &'static str) -> Self {
        Self { operation, state: Arc::default() }
    }

    /// The next calls meet these faults, one each.
    pub(crate) fn once(self, faults: &[Fault]) -> Self {
        self.state.lock().unwrap().faults.extend(faults.iter().cloned());
        self
    }

    /// All calls after those meet this fault.
    pub(crate) fn always(self, fault: Fault) -> Self {
        self.state.lock().unwrap().last_fault = Some(fault);
        self
    }

    /// The next batch reads the keys that are not `late`, then `between` happens, and then it
    /// reads the late ones.
    pub(crate) fn torn(
        self,
        late: fn(&str) -> bool,
        between: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.state.lock().unwrap().tear = Some(Tear { late, between: Box::pin(between) });
        self
    }

    /// Every batch answers so many of its keys and leaves the rest unprocessed.
    pub(crate) fn answering(self, keys_max: usize) -> Self {
        self.state.lock().unwrap().answered_max = Some(keys_max);
        self
    }

    /// The bodies of the calls so far.
    pub(crate) fn bodies(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().bodies.clone()
    }

    pub(crate) fn over(&self, inner: SharedHttpClient) -> SharedHttpClient {
        let wrap = self.clone();
        http_client_fn(move |settings, components| {
            use aws_smithy_runtime_api::client::http::HttpClient;
            let inner = inner.http_connector(settings, components);
            SharedHttpConnector::new(Wrapped { wrap: wrap.clone(), inner })
        })
    }

    /// What this call meets.
    fn next(&self, body: &[u8]) -> (Option<Fault>, Option<Tear>, Option<usize>) {
        let mut state = self.state.lock().unwrap();
        state.bodies.push(body.to_vec());
        let fault = state.faults.pop_front().or_else(|| state.last_fault.clone());
        (fault, state.tear.take(), state.answered_max)
    }
}

#[derive(Debug)]
struct Wrapped {
    wrap: Wrap,
    inner: SharedHttpConnector,
}

impl HttpConnector for Wrapped {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with(&format!(".{}", self.wrap.operation)) {
            return self.inner.call(request);
        }
        let inner = self.inner.clone();
        let body = request.body().bytes().unwrap().to_vec();
        let (fault, tear, answered_max) = self.wrap.next(&body);
        HttpConnectorFuture::new(async move {
            if let Some(fault) = fault {
                return meet(fault, inner, request).await;
            }
            if let Some(tear) = tear {
                return read_torn(tear, inner, request).await;
            }
            let answer = inner.call(request).await?;
            match answered_max {
                Some(keys_max) => leave_unprocessed(answer, &body, keys_max).await,
                None => Ok(answer),
            }
        })
    }
}

async fn meet(fault: Fault, inner: SharedHttpConnector, request: HttpRequest) -> Answer {
    let dropped = || Err(ConnectorError::io("the connection was dropped".into()));
    match fault {
        Fault::Instead(status, body) => Ok(answer(status, &body)),
        Fault::After(status, body) => {
            inner.call(request).await?;
            Ok(answer(status, &body))
        }
        Fault::DroppedBefore => dropped(),
        Fault::DroppedAfter => {
            inner.call(request).await?;
            dropped()
        }
        Fault::SilentAfter => {
            inner.call(request).await?;
            std::future::pending().await
        }
        Fault::GarbledAfter => {
            inner.call(request).await?;
            Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from("<html>")))
        }
    }
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()))
}

async fn json_of(mut response: HttpResponse) -> Value {
    let body = ByteStream::new(response.take_body()).collect().await.unwrap().to_vec();
    serde_json::from_slice(&body).unwrap()
}

/// The items of both readings, each from the moment that it is said to be read at.
async fn read_torn(tear: Tear, inner: SharedHttpConnector, request: HttpRequest) -> Answer {
    let again = request.try_clone().unwrap();
    let early = json_of(inner.call(request).await?).await;
    tear.between.await;
    let mut late = json_of(inner.call(again).await?).await;
    for (table, items) in late["Responses"].as_object_mut().unwrap() {
        let mut merged = pick(items, |sk| (tear.late)(sk));
        merged.extend(pick(&early["Responses"][table], |sk| !(tear.late)(sk)));
        *items = Value::Array(merged);
    }
    Ok(answer(200, &late))
}

fn pick(items: &Value, of: impl Fn(&str) -> bool) -> Vec<Value> {
    let items = items.as_array().into_iter().flatten();
    items.filter(|item| of(item["sk"]["S"].as_str().unwrap())).cloned().collect()
}

/// Takes all items but so many out of an answer and asks for their keys to be sent again.
async fn leave_unprocessed(response: HttpResponse, request: &[u8], keys_max: usize) -> Answer {
    let asked: Value = serde_json::from_slice(request).unwrap();
    let mut body = json_of(response).await;
    let (table, asked) = asked["RequestItems"].as_object().unwrap().iter().next().unwrap();
    let (done, rest) = {
        let keys = asked["Keys"].as_array().unwrap();
        keys.split_at(keys_max.min(keys.len()))
    };
    let is_done =
        |item: &Value| done.iter().any(|key| key["pk"] == item["pk"] && key["sk"] == item["sk"]);
    let items = body["Responses"][table].as_array_mut().unwrap();
    items.retain(is_done);
    if !rest.is_empty() {
        body["UnprocessedKeys"][table] = json!({ "Keys": rest, "ConsistentRead": true });
    }
    Ok(answer(200, &body))
}
