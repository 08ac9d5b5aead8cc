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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;
    use tokio::sync::broadcast;

    use super::*;

    /// A write that tells, as `store::items` writes it.
    fn telling() -> WriteEvent {
        let fields = [
            ("type", "booking.renewed"),
            ("id", "order-1"),
            ("timestamp", "2026-11-25T08:00:00Z"),
            ("booking_id", "b"),
            ("order_id", "o"),
            ("superseded_by", ""),
            ("payment_id", "p"),
            ("refund_id", ""),
            ("attention_id", ""),
            ("quantity", "1"),
            ("amount", "990"),
            ("currency", "CNY"),
            ("reason", ""),
            ("valid_until", "2026-11-26T08:00:00Z"),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), json!({ "S": text })));
        let event = json!({ "M": serde_json::Map::from_iter(fields) });
        let image = serde_json::Map::from_iter([("event".to_owned(), event)]);
        let (table, pk, sk) = Default::default();
        WriteEvent { table, pk, sk, image }
    }

    /// What is told of writes that a channel of some length carries, to a queue of one event.
    async fn told_of(writes: usize, channel_len: usize) -> Vec<String> {
        let told = Arc::new(Mutex::new(vec![]));
        let lines = Arc::clone(&told);
        let tell: Tell = Arc::new(move |line| lines.lock().unwrap().push(line));
        let (sender, receiver) = broadcast::channel(channel_len);
        for _ in 0..writes {
            sender.send(telling()).unwrap();
        }
        drop(sender);
        let (queue, _queued) = mpsc::channel(1);
        let pipe = Pipe::of_template(TEMPLATE, STAGE).unwrap();
        follow(&pipe, receiver, Some(queue), &tell).await;
        let told = told.lock().unwrap();
        told.clone()
    }

    const TOLD: &str = "event booking.renewed amount=990 booking_id=b currency=CNY order_id=o \
         payment_id=p quantity=1 valid_until=2026-11-26T08:00:00Z";
    const GIVEN_UP: &str =
        "event booking.renewed order-1 was not posted: too many wait to be posted";

    #[tokio::test]
    async fn an_event_is_told_with_what_applies_to_it() {
        assert_eq!(told_of(1, 8).await, [TOLD]);
    }

    #[tokio::test]
    async fn what_a_full_queue_does_not_take_is_told() {
        assert_eq!(told_of(2, 8).await, [TOLD, TOLD, GIVEN_UP]);
    }

    #[tokio::test]
    async fn writes_that_came_too_fast_are_told() {
        let lagged = "events may be missing: 2 writes came too fast";
        assert_eq!(told_of(3, 1).await, [lagged, TOLD]);
    }
}
