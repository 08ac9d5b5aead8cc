//! Answers events that are no requests with calls to the table and to a gateway.

use floor::answer_events;
use floor::floors::Whole;
use floor::gateway::WechatPay;
use floor::recording::Recording;
use lambda_http::Error;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let recording = Recording::read()?;
    let gateway = WechatPay::new(&recording.merchant)?;
    answer_events(recording, Whole(gateway)).await
}
