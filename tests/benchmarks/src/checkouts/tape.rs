//! Stands between the SDK and the store, and notes what is called, to be played again without us.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use embedded::EmbeddedStore;
use local::dispatch::at_work;
use local::stack::WrapStore;
use tokio::sync::oneshot;

/// The header that names the operation.
const TARGET: &str = "x-amz-target";
/// The function that applies notifications.
const CALLBACK: &str = "callback";
/// How the partitions of bookings begin.
const BOOKING: &str = "booking#";

/// A tape that runs from the stack's beginning. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Tape(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    calls: Vec<Call>,
    awaited: HashMap<String, oneshot::Sender<Instant>>,
}

/// One call to the store, and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation with its release, as the header names it.
    target: String,
    body: Vec<u8>,
    /// The HTTP status of its answer.
    status: u16,
    /// From the SDK's handing it over to its answer.
    pub took: Duration,
}

impl Tape {
    /// For `Options::wrap_store`.
    #[must_use]
    pub fn wrap_store(&self) -> WrapStore {
        let tape = self.clone();
        Arc::new(move |store| {
            let inner = SharedHttpConnector::new(store);
            let taping = SharedHttpConnector::new(Taping { inner, tape: tape.clone() });
            http_client_fn(move |_, _| taping.clone())
        })
    }

    /// The calls since this was last asked, in the order of their answers.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// Tells when the next notification is applied to a booking, by its partition.
    #[must_use]
    pub fn applied(&self, partition: String) -> oneshot::Receiver<Instant> {
        let (tell, told) = oneshot::channel();
        self.0.lock().unwrap().awaited.insert(partition, tell);
        told
    }

    fn note(&self, call: Call, function: Option<&str>) {
        let is_commit = call.target.ends_with(".TransactWriteItems") && call.status == 200;
        let mut noted = self.0.lock().unwrap();
        if function == Some(CALLBACK) && is_commit {
            let awaited = call.booking().and_then(|partition| noted.awaited.remove(partition));
            // Whoever asked may have given up, which fails its own measurement.
            let _ = awaited.map(|tell| tell.send(Instant::now()));
        }
        noted.calls.push(call);
    }
}

impl Call {
    /// The partition of the booking that it is about; `None` where it is about none.
    #[must_use]
    pub fn booking(&self) -> Option<&str> {
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, after) = body.split_once(&format!("\"{BOOKING}"))?;
        let len = BOOKING.len() + after.find('"')?;
        let begin = body.len() - after.len() - BOOKING.len();
        body.get(begin..begin + len)
    }

    /// Makes the same call to a store, which must answer it with the same status.
    ///
    /// # Panics
    /// If the store answers with another.
    pub async fn play(&self, store: &EmbeddedStore) {
        let mut request = HttpRequest::new(SdkBody::from(self.body.clone()));
        request.headers_mut().insert(TARGET, self.target.clone());
        let answer = HttpConnector::call(store, request).await.expect("the store answers");
        assert_eq!(answer.status().as_u16(), self.status, "{} has another answer", self.target);
    }
}

#[derive(Debug)]
struct Taping {
    inner: SharedHttpConnector,
    tape: Tape,
}

impl HttpConnector for Taping {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, tape, function) = (self.inner.clone(), self.tape.clone(), at_work());
        HttpConnectorFuture::new(async move {
            let target = request.headers().get(TARGET).unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            let begun = Instant::now();
            let answer = inner.call(request).await;
            let took = begun.elapsed();
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            tape.note(Call { target, body, status, took }, function);
            answer
        })
    }
}
