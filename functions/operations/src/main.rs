//! The `operations` function's binary.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::lambda::serve(operations::handle).await
}
