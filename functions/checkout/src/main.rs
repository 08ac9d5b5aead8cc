//! The `checkout` function's binary.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::lambda::serve(checkout::handle).await
}
