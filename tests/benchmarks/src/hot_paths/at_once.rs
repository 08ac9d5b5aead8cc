//! A store that answers at once, beneath the real SDK client: what is measured above it is ours and
//! the SDK's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Region;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use runtime::config::sdk_behaviour;
use serde_json::{Value, json};
use store::Store;

/// The table's name.
pub const TABLE: &str = "latchpay";

/// Answers each operation with the same body whenever it is called.
#[derive(Clone, Debug)]
pub struct AtOnce(Arc<HashMap<&'static str, Vec<u8>>>);

impl AtOnce {
    /// A store of a product and a booking with its ended orders, newest first, all of them items as
    /// DynamoDB writes them. It takes whatever is written and forgets it.
    pub fn holding(product: &Value, booking: &Value, ended: &[Value]) -> Self {
        let down: Vec<&Value> = std::iter::once(booking).chain(ended).collect();
        let answers = [
            ("BatchGetItem", json!({ "Responses": { TABLE: [booking, product] } })),
            ("Query", json!({ "Items": down, "Count": down.len(), "ScannedCount": down.len() })),
            ("TransactWriteItems", json!({})),
        ];
        let answers = answers.map(|(operation, body)| (operation, body.to_string().into_bytes()));
        Self(Arc::new(answers.into()))
    }

    /// The store adapter on it.
    pub fn store(&self) -> Store {
        store_on(SharedHttpConnector::new(self.clone()))
    }
}

impl HttpConnector for AtOnce {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request);
        let body = self.0.get(operation).unwrap_or_else(|| panic!("{operation} has no answer"));
        answered(body.clone())
    }
}

/// Takes items and keeps what the adapter writes them as.
#[derive(Clone, Debug, Default)]
pub struct Noting(Arc<Mutex<Vec<Value>>>);

impl Noting {
    /// The store adapter on it.
    pub fn store(&self) -> Store {
        store_on(SharedHttpConnector::new(self.clone()))
    }

    /// The items that were put since the last look, in the order of their writing.
    pub fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl HttpConnector for Noting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        let asked: Value = serde_json::from_slice(body).unwrap();
        let writes = asked["TransactItems"].as_array();
        let puts = writes.into_iter().flatten().filter_map(|write| write.get("Put"));
        let items = puts.chain([&asked]).filter_map(|put| put.get("Item"));
        self.0.lock().unwrap().extend(items.cloned());
        answered(b"{}".to_vec())
    }
}

fn operation(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default()
}

fn answered(body: Vec<u8>) -> HttpConnectorFuture {
    let ok = 200.try_into().unwrap();
    HttpConnectorFuture::ready(Ok(HttpResponse::new(ok, SdkBody::from(body))))
}

fn store_on(connector: SharedHttpConnector) -> Store {
    let config = aws_sdk_dynamodb::Config::builder()
        .region(Region::new("local"))
        .credentials_provider(Credentials::from_keys("local", "local", None))
        .endpoint_url("http://store.invalid") // Never resolved: there is no socket.
        .http_client(http_client_fn(move |_, _| connector.clone()));
    Store::new(Client::from_conf(sdk_behaviour(config)), TABLE)
}
