//! The store as an HTTP client of the AWS SDK.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::EmbeddedStore;
use crate::operations::Answer;

/// The header that names the operation: `DynamoDB_20120810.GetItem`.
pub(crate) const TARGET_HEADER: &str = "x-amz-target";

/// AWS JSON 1.0, which is what DynamoDB speaks.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

impl HttpClient for EmbeddedStore {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for EmbeddedStore {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let store = self.clone();
        HttpConnectorFuture::new(async move {
            let operation = operation(&request).to_owned();
            let body = request.body().bytes().ok_or_else(streaming)?.to_vec();
            let answer = store.answer(operation, body).await;
            response(answer.map_err(|error| ConnectorError::other(error.into(), None))?)
        })
    }
}

/// The operation that a request asks for; empty when it asks for none.
pub(crate) fn operation(request: &HttpRequest) -> &str {
    operation_of(request.headers().get(TARGET_HEADER).unwrap_or_default())
}

/// The operation in the value of [`TARGET_HEADER`].
pub(crate) fn operation_of(target: &str) -> &str {
    target.rsplit_once('.').map_or(target, |(_, operation)| operation)
}

fn streaming() -> ConnectorError {
    ConnectorError::user("a DynamoDB request is never streamed".into())
}

fn response(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status)
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(answer.body));
    response.headers_mut().insert("content-type", CONTENT_TYPE);
    Ok(response)
}
