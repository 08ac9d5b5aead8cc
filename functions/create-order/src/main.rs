//! The `create-order` function's binary.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    runtime::lambda::serve(create_order::handle).await
}
