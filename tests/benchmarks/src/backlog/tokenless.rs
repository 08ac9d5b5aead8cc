//! Transactions without the token that makes a repeated one harmless.
//!
//! The embedded store walks all tokens that it remembers at each transaction, and forgets none for
//! ten minutes: after some thousands that is most of its work. DynamoDB does not, and nothing is
//! repeated here.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use embedded::EmbeddedStore;
use serde_json::{Map, Value};

/// For `Options::wrap_store`: the store without those tokens.
#[must_use]
pub fn without_tokens(store: EmbeddedStore) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Stripping(store.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct Stripping(SharedHttpConnector);

impl HttpConnector for Stripping {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.ends_with(".TransactWriteItems") {
            let body = request.body().bytes().expect("the SDK's bodies are in memory");
            let mut body: Map<String, Value> = serde_json::from_slice(body).unwrap();
            assert!(body.remove("ClientRequestToken").is_some(), "{body:?}");
            *request.body_mut() = SdkBody::from(Value::Object(body).to_string());
        }
        self.0.call(request)
    }
}
