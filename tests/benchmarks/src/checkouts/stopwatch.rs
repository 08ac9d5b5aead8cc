//! Adds up how long a connector takes to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use local::stack::WrapGateways;

/// The time that all calls so far took, together. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stopwatch(Arc<AtomicU64>);

impl Stopwatch {
    /// For `Options::wrap_gateways`.
    #[must_use]
    pub fn wrap_gateways(&self) -> WrapGateways {
        let watch = self.clone();
        Arc::new(move |inner| SharedHttpConnector::new(Timed { inner, watch: watch.clone() }))
    }

    /// The time since this was last asked.
    #[must_use]
    pub fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Timed {
    inner: SharedHttpConnector,
    watch: Stopwatch,
}

impl HttpConnector for Timed {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, watch) = (self.inner.clone(), self.watch.clone());
        HttpConnectorFuture::new(async move {
            let begun = Instant::now();
            let answer = inner.call(request).await;
            let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            watch.0.fetch_add(took, Ordering::Relaxed);
            answer
        })
    }
}
