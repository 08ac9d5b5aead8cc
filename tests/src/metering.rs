//! What AWS would bill for a stack's calls to its table, counted beneath the SDK.

use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use embedded::EmbeddedStore;
use embedded::billing::{IndexKeys, Projection};
use embedded::meter::Meter;
use local::stack::WrapStore;
use store::schema::{DUE_AT, DUE_SHARD};

/// A meter between the SDK and an embedded store with the table of this project.
#[must_use]
pub fn meter_of(store: EmbeddedStore) -> Meter {
    let projection = Projection::KeysOnly;
    let due = IndexKeys { hash: DUE_SHARD.to_owned(), range: DUE_AT.to_owned(), projection };
    Meter::new(store.clone(), store, vec![due])
}

/// For `Options::wrap_store`: puts a meter between a stack's SDK and its store; answers where it
/// will be.
#[must_use]
pub fn metered() -> (Arc<OnceLock<Meter>>, WrapStore) {
    let meter = Arc::new(OnceLock::new());
    let made = Arc::clone(&meter);
    let wrap = move |store| SharedHttpClient::new(made.get_or_init(|| meter_of(store)).clone());
    (meter, Arc::new(wrap))
}
