//! The `reconcile` function's binary.

use api::problem::Problem;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::config::deps_from_environment;
use runtime::telemetry;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::start_json("info");
    let deps = deps_from_environment()?;
    let deps = &deps;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let failed = |problem: Problem| Error::from(format!("{problem:?}"));
        reconcile::handle_event(deps, event.payload).await.map_err(failed)
    }))
    .await
}
