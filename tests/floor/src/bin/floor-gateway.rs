//! Answers requests, or events that are none, with calls to the table and to a gateway.

use floor::floors::WithGateway;
use floor::gateway::WechatPay;
use floor::recording::Recording;
use floor::{answer_events, answer_requests};
use lambda_http::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let recording = Recording::read()?;
    let floor = WithGateway(WechatPay::new(&recording.merchant)?);
    if recording.answers_requests() {
        answer_requests(recording, floor).await
    } else {
        answer_events(recording, floor).await
    }
}
