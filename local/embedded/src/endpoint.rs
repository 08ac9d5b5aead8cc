//! The same store on a port, for processes that cannot share this one.
//!
//! It is served here and not by the engine's own server, so that writes over HTTP are told to
//! [`EmbeddedStore::writes`] as well.

use std::future::Future;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;

use crate::EmbeddedStore;
use crate::connector::{CONTENT_TYPE, TARGET_HEADER, operation_of};

/// The largest request that DynamoDB reads.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The answer of a store that failed; whether the operation took effect is not known.
const FAILED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#;

impl EmbeddedStore {
    /// Serves the store over HTTP until `shutdown` resolves and running requests are answered.
    ///
    /// Any credentials are accepted: `listener` belongs on a loopback address.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let router = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone());
        axum::serve(listener, router).with_graceful_shutdown(shutdown).await
    }
}

async fn answer(State(store): State<EmbeddedStore>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get(TARGET_HEADER).and_then(|value| value.to_str().ok());
    let operation = operation_of(target.unwrap_or_default()).to_owned();
    let (status, body) = match store.answer(operation, body.to_vec()).await {
        Ok(answer) => (StatusCode::from_u16(answer.status), answer.body),
        Err(_) => (Ok(StatusCode::INTERNAL_SERVER_ERROR), FAILED.to_owned()),
    };
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}
