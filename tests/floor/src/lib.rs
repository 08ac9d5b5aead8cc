//! What an ordinary developer would deploy, for comparison: the calls that were recorded of a
//! function, made again for each event, and the answer that it gave.
//!
//! The binaries are one with a gateway's client and one without. What the second does not call is
//! not in it.

pub mod answer;
pub mod floors;
pub mod gateway;
pub mod names;
pub mod recording;
pub mod table;

use aws_sdk_dynamodb::Client;
use lambda_http::lambda_runtime;
use lambda_http::{Error, LambdaEvent, Request, Response, service_fn};
use serde_json::Value;

use crate::answer::Answer;
use crate::floors::Floor;
use crate::names::{of_event, of_request};
use crate::recording::Recording;

/// Answers requests until the sandbox ends.
///
/// # Errors
/// What the runtime, or a call, says.
pub async fn answer_requests(recording: Recording, floor: impl Floor) -> Result<(), Error> {
    let client = Client::new(&aws_config::load_from_env().await);
    let answer = Answer::read(&recording.answer)?;
    let (client, recording, floor, answer) = (&client, &recording, &floor, &answer);
    lambda_http::run(service_fn(move |event: Request| async move {
        recording.play(client, floor, of_request(&event)).await?;
        Ok::<Response<_>, Error>(answer.response())
    }))
    .await
}

/// Answers events that are no requests until the sandbox ends.
///
/// # Errors
/// What the runtime, or a call, says.
pub async fn answer_events(recording: Recording, floor: impl Floor) -> Result<(), Error> {
    let client = Client::new(&aws_config::load_from_env().await);
    let (client, recording, floor) = (&client, &recording, &floor);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        recording.play(client, floor, of_event(&event.payload)).await?;
        Ok::<_, Error>(recording.answer.clone())
    }))
    .await
}
