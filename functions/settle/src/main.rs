//! The `settle` function's binary.

use api::problem::Problem;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::config::{source_from_environment, start_logs};
use runtime::serve::cause_of;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_logs();
    let source = source_from_environment().await?;
    let source = &source;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let failed = |problem: Problem| {
            let (_, code) = problem.spec();
            Error::from(format!("{code}: {}", cause_of(&problem).unwrap_or_default()))
        };
        let deps = source.current().await;
        settle::handle_event(&deps, event.payload).await.map_err(failed)
    }))
    .await
}
