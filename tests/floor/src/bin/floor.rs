//! Answers requests with calls to the table alone.

use floor::answer_requests;
use floor::floors::Plain;
use floor::recording::Recording;
use lambda_http::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    answer_requests(Recording::read()?, Plain).await
}
