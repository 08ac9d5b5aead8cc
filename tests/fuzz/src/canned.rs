//! A store whose answers are made up, beneath the real SDK client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use store::Store;

/// What the store answers to each operation, and what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canned {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    answers: HashMap<&'static str, (u16, Vec<u8>)>,
    calls: Vec<(String, Value)>,
}

impl Canned {
    /// The store adapter over these answers. It sends each call once.
    pub(crate) fn store(&self) -> Store {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            .credentials_provider(Credentials::from_keys("local", "local", None))
            .endpoint_url("http://canned.invalid") // Never resolved: there is no socket.
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Store::new(Client::from_conf(config), "canned")
    }

    /// Sets what an operation is answered from now on.
    pub(crate) fn answer(&self, operation: &'static str, status: u16, body: impl Into<Vec<u8>>) {
        self.with(|state| state.answers.insert(operation, (status, body.into())));
    }

    /// What was asked since the last look, in order.
    pub(crate) fn take_calls(&self) -> Vec<(String, Value)> {
        self.with(|state| std::mem::take(&mut state.calls))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).expect("the SDK writes JSON");
        let (status, answer) = self.with(|state| {
            let answer = state.answers.get(operation.as_str()).cloned();
            state.calls.push((operation.clone(), body));
            answer.unwrap_or_else(|| panic!("{operation} is not to be called"))
        });
        let status = status.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}
