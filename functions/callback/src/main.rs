//! The `callback` function's binary.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::lambda::serve(callback::handle).await
}
