//! Where the suite runs: on the embedded store, and on an endpoint if one is given.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_sdk_dynamodb::types::{AttributeValue, TableStatus};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector, http_client_fn};
use embedded::EmbeddedStore;
use store::Store;
use store::schema::create_table;

use crate::wrap::Wrap;

/// Names the endpoint of another DynamoDB, one that takes any credentials.
const ENDPOINT: &str = "LATCHPAY_TEST_DYNAMODB";
/// How often something that takes time elsewhere is looked for.
const GLANCES_MAX: u32 = 200;
const GLANCE: Duration = Duration::from_millis(50);
/// How long an item is of which a page, 1 MB, has three, in bytes.
const LARGE_LEN: usize = 300_000;
/// How often the SDK sends one call, as in production.
pub(crate) const SDK_SENDS_MAX: u32 = 3;

/// One DynamoDB with a table of its own.
pub(crate) struct Place {
    http: SharedHttpClient,
    config: Builder,
    table: String,
    /// The adapter.
    pub(crate) store: Store,
    /// The SDK beside it, for what the adapter cannot do.
    pub(crate) client: Client,
}

/// Runs a test on each place, each time on a fresh table.
pub(crate) async fn on_every_place(test: impl AsyncFn(&Place)) {
    let embedded = EmbeddedStore::in_memory().unwrap();
    let http = SharedHttpClient::new(embedded.clone());
    let mut places = vec![(embedded.sdk_config(), http)];
    places.extend(endpoint());
    for (config, http) in places {
        let place = Place::new(config, http).await;
        test(&place).await;
        place.client.delete_table().table_name(&place.table).send().await.ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "where to run is said from outside")]
fn endpoint() -> Option<(Builder, SharedHttpClient)> {
    let url = std::env::var(ENDPOINT).ok()?;
    let connector = SharedHttpConnector::new(Connector::builder().build_http());
    let http = http_client_fn(move |_, _| connector.clone());
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("local"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url(url)
        .http_client(http.clone());
    Some((config, http))
}

impl Place {
    async fn new(config: Builder, http: SharedHttpClient) -> Self {
        let table = format!("latchpay-test-{:016x}", RandomState::new().hash_one(0));
        let client = Client::from_conf(config.clone().build());
        create_table(&client, &table).await.unwrap();
        let store = Store::new(client.clone(), &table);
        let place = Self { http, config, table, store, client };
        place.until_active().await;
        place
    }

    async fn until_active(&self) {
        for _ in 0..GLANCES_MAX {
            let described = self.client.describe_table().table_name(&self.table).send().await;
            let table = described.unwrap().table.unwrap();
            if table.table_status == Some(TableStatus::Active) {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("the table never became active");
    }

    /// Puts an item that the adapter would not write, of which a page has three.
    pub(crate) async fn put_large(&self, pk: &str, sk: &str) {
        let put = self.client.put_item().table_name(&self.table);
        let put = put.item("pk", AttributeValue::S(pk.to_owned()));
        let put = put.item("sk", AttributeValue::S(sk.to_owned()));
        let filling = AttributeValue::S("x".repeat(LARGE_LEN));
        put.item("filling", filling).send().await.unwrap();
    }

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The adapter with something between the SDK and the store. It sends as often as in
    /// production, and hardly waits in between.
    pub(crate) fn through(&self, wrap: &Wrap) -> Store {
        self.through_within(wrap, Duration::from_secs(5))
    }

    /// The same with a bound on each sending.
    pub(crate) fn through_within(&self, wrap: &Wrap, send_timeout: Duration) -> Store {
        let retries = RetryConfig::standard()
            .with_max_attempts(SDK_SENDS_MAX)
            .with_initial_backoff(Duration::from_millis(1));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(send_timeout).build();
        let config = self.config.clone().retry_config(retries).timeout_config(timeouts);
        let config = config.http_client(wrap.over(self.http.clone()));
        Store::new(Client::from_conf(config.build()), &self.table)
    }
}

/// Asks again until the answer is as expected: an index may lag behind its table.
pub(crate) async fn eventually<T: PartialEq + std::fmt::Debug>(
    expected: T,
    ask: impl AsyncFn() -> T,
) {
    let mut last = None;
    for _ in 0..GLANCES_MAX {
        let answer = ask().await;
        if answer == expected {
            return;
        }
        if last.replace(answer).is_some() {
            tokio::time::sleep(GLANCE).await;
        }
    }
    assert_eq!(last, Some(expected));
}
