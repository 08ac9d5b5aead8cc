//! A meter that is passed by while times are taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use embedded::meter::Meter;
use local::stack::WrapStore;
use tests::metering::metered;

/// Two ways from the SDK to the store, one of them over a meter.
pub struct Counting {
    meter: Arc<OnceLock<Meter>>,
    counts: Arc<AtomicBool>,
}

impl Counting {
    /// For a stack that is about to be made, and not yet counting; with what goes into its
    /// `Options::wrap_store`.
    pub fn new() -> (Self, WrapStore) {
        let (meter, over_meter) = metered();
        let counting = Self { meter, counts: Arc::default() };
        let wrap = {
            let counts = Arc::clone(&counting.counts);
            move |store: embedded::EmbeddedStore| {
                let (metered, bare) = (over_meter(store.clone()), SharedHttpClient::new(store));
                let counts = Arc::clone(&counts);
                http_client_fn(move |settings, components| {
                    SharedHttpConnector::new(Ways {
                        metered: metered.http_connector(settings, components),
                        bare: bare.http_connector(settings, components),
                        counts: Arc::clone(&counts),
                    })
                })
            }
        };
        (counting, Arc::new(wrap))
    }

    /// Counts from now on, or no more.
    pub fn count(&self, counts: bool) {
        self.counts.store(counts, Ordering::Relaxed);
    }

    /// The meter, while it counts.
    pub fn meter(&self) -> Option<&Meter> {
        self.meter.get().filter(|_| self.counts.load(Ordering::Relaxed))
    }
}

#[derive(Debug)]
struct Ways {
    metered: SharedHttpConnector,
    bare: SharedHttpConnector,
    counts: Arc<AtomicBool>,
}

impl HttpConnector for Ways {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let counts = self.counts.load(Ordering::Relaxed);
        if counts { &self.metered } else { &self.bare }.call(request)
    }
}
