//! Between the SDK and the store: calls that take as long as DynamoDB's, and work before a commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use local::stack::WrapStore;

/// How long things take.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Waits {
    /// Each call to the store, beyond the store's own time.
    pub call: Duration,
    /// The work between a read and the commit that rests on it.
    pub work: Duration,
}

/// A slow way to the store. Clones share it.
#[derive(Clone, Default, Debug)]
pub struct Slow(Arc<Way>);

#[derive(Default, Debug)]
struct Way {
    waits: Mutex<Waits>,
    client: OnceLock<SharedHttpClient>,
    commits_refused: AtomicU64,
    updates_refused: AtomicU64,
}

impl Slow {
    /// For `Options::wrap_store`: slow over whatever else stands there.
    #[must_use]
    pub fn wrap_store(&self, other: WrapStore) -> WrapStore {
        let slow = self.clone();
        Arc::new(move |store| {
            let (beneath, way) = (other(store), slow.clone());
            let client = http_client_fn(move |settings, components| {
                let inner = beneath.http_connector(settings, components);
                SharedHttpConnector::new(Connector { inner, slow: way.clone() })
            });
            slow.0.client.get_or_init(|| client).clone()
        })
    }

    /// The same way, for another SDK client.
    ///
    /// # Panics
    /// If no stack was started with it.
    #[must_use]
    pub fn client(&self) -> SharedHttpClient {
        self.0.client.get().expect("a stack was started with it").clone()
    }

    /// Takes so long from now on.
    pub fn take(&self, waits: Waits) {
        *self.0.waits.lock().unwrap() = waits;
    }

    /// How many transactions were refused: races that were lost.
    #[must_use]
    pub fn commits_refused(&self) -> u64 {
        self.0.commits_refused.load(Ordering::Relaxed)
    }

    /// How many updates of one item were refused: a lease that another has.
    #[must_use]
    pub fn updates_refused(&self) -> u64 {
        self.0.updates_refused.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    slow: Slow,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, slow) = (self.inner.clone(), self.slow.clone());
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let (is_commit, is_update) =
                (target.ends_with(".TransactWriteItems"), target.ends_with(".UpdateItem"));
            let Waits { call, work } = *slow.0.waits.lock().unwrap();
            let wait = if is_commit { call + work } else { call };
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let answer = inner.call(request).await;
            let is_refused = answer.as_ref().is_ok_and(|it| it.status().as_u16() == 400);
            if is_commit && is_refused {
                slow.0.commits_refused.fetch_add(1, Ordering::Relaxed);
            }
            if is_update && is_refused {
                slow.0.updates_refused.fetch_add(1, Ordering::Relaxed);
            }
            answer
        })
    }
}
