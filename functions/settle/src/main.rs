//! The `settle` function's binary.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    runtime::lambda::serve_events(|deps, event| Box::pin(settle::handle_event(deps, event))).await
}
