//! Events for the merchant's own systems, on the laptop: the template's pipe over the embedded
//! store's writes, each event told in a line and, where there is one, posted to a webhook.
//!
//! Nothing here holds the product up: writes are followed beside it, and what is not kept up with
//! is given up and told.

use std::sync::Arc;

use embedded::writes::WriteEvent;
use runtime::deps::Clock;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinHandle;

use crate::pipe::{BusEvent, Pipe, PipeError, TEMPLATE};
use crate::webhook::Webhook;

/// The stage in events of the laptop.
pub const STAGE: &str = "laptop";
/// How many events may wait for a slow webhook.
pub const QUEUE_LEN_MAX: usize = 1_000;

/// Gets lines for a person; it must not block.
pub type Tell = Arc<dyn Fn(String) + Send + Sync>;

/// Where events go.
#[derive(Clone)]
pub struct Outlets {
    /// Who is told of each event, and of what was given up.
    pub tell: Tell,
    /// Where each event is posted.
    pub webhook: Option<Webhook>,
}

/// Starts to follow the writes. It ends with its handle's abort.
///
/// # Errors
/// [`PipeError`] if the template's pipe cannot be read.
pub fn start(
    outlets: Outlets,
    clock: Clock,
    writes: Receiver<WriteEvent>,
) -> Result<JoinHandle<()>, PipeError> {
    let pipe = Pipe::of_template(TEMPLATE, STAGE)?;
    let Outlets { tell, webhook } = outlets;
    Ok(tokio::spawn(async move {
        let (queue, queued) = mpsc::channel(QUEUE_LEN_MAX);
        let queue = webhook.is_some().then_some(queue);
        let posting = async {
            if let Some(webhook) = webhook {
                webhook.post_all(queued, clock, &tell).await;
            }
        };
        tokio::join!(follow(&pipe, writes, queue, &tell), posting);
    }))
}

async fn follow(
    pipe: &Pipe,
    mut writes: Receiver<WriteEvent>,
    queue: Option<Sender<BusEvent>>,
    tell: &Tell,
) {
    loop {
        match writes.recv().await {
            Ok(write) => match pipe.pass(&write) {
                Ok(Some(event)) => {
                    tell(line(&event));
                    if let Some(Err(_)) = queue.as_ref().map(|queue| queue.try_send(event.clone()))
                    {
                        tell(given_up(&event, "too many wait to be posted"));
                    }
                }
                Ok(None) => {}
                Err(error) => tell(format!("event not made: {error}")),
            },
            Err(RecvError::Lagged(missed)) => {
                tell(format!("events may be missing: {missed} writes came too fast"));
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// An event for a person: its type, and what applies to it.
#[must_use]
pub fn line(event: &BusEvent) -> String {
    let fields = event.detail.get("data").and_then(Value::as_object).into_iter().flatten();
    let fields = fields.filter_map(|(name, value)| Some((name, value.as_str()?)));
    let applying = fields.filter(|(_, text)| !text.is_empty());
    let told: Vec<String> = applying.map(|(name, text)| format!("{name}={text}")).collect();
    format!("event {} {}", event.detail_type, told.join(" "))
}

/// What is told of an event that will not be posted.
#[must_use]
pub fn given_up(event: &BusEvent, why: &str) -> String {
    let id = event.detail.get("id").and_then(Value::as_str).unwrap_or_default();
    format!("event {} {id} was not posted: {why}", event.detail_type)
}
