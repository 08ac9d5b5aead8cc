//! Events that are posted to a receiver, which checks them by another implementation than ours.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends here")]

use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use local::events::{Outlets, Tell};
use local::secrets::webhook_of_folder;
use local::webhook::{Webhook, WebhookSecret};
use runtime::config::system_randomness;
use serde_json::Value;
use tests::{GLANCE, PATIENCE, World};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a receiver got.
type Posted = (HeaderMap, Bytes);

/// A receiver that answers with these statuses in turn and then with the last of them; without
/// any it never answers.
async fn receiver(statuses: &'static [u16]) -> (String, UnboundedReceiver<Posted>) {
    let (sender, posted) = unbounded_channel();
    let turn = Arc::new(Mutex::new(statuses.iter()));
    let take = move |headers: HeaderMap, body: Bytes| {
        sender.send((headers, body)).unwrap();
        let next = turn.lock().unwrap().next().or(statuses.last());
        async move {
            match next {
                Some(status) => StatusCode::from_u16(*status).unwrap(),
                None => pending().await,
            }
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/events?of=latchpay", listener.local_addr().unwrap());
    let routes = Router::new().route("/events", post(take));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, posted)
}

/// A world that posts its events to a receiver, the secret, and what a person is told.
async fn posting_to(url: String) -> (World, WebhookSecret, Arc<Mutex<Vec<String>>>) {
    let secret = WebhookSecret::fresh(&system_randomness());
    let told = Arc::new(Mutex::new(vec![]));
    let lines = Arc::clone(&told);
    let tell: Tell = Arc::new(move |line| lines.lock().unwrap().push(line));
    let webhook = Some(Webhook { url, secret: secret.clone() });
    let world = World::start_with(|options| options.events = Some(Outlets { tell, webhook })).await;
    (world, secret, told)
}

async fn next(posted: &mut UnboundedReceiver<Posted>) -> Posted {
    let next = tokio::time::timeout(PATIENCE, posted.recv()).await;
    next.expect("something is posted in time").unwrap()
}

/// Waits until a line is told that contains a text.
async fn until_told(told: &Mutex<Vec<String>>, text: &str) {
    let look = async {
        while !told.lock().unwrap().iter().any(|line| line.contains(text)) {
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect(text);
}

#[tokio::test]
async fn an_event_is_posted_until_it_is_taken_and_its_signature_verifies() {
    let (url, mut posted) = receiver(&[503, 302, 204]).await;
    let (world, secret, told) = posting_to(url).await;
    // Receivers do not live by the laptop's clock, and refuse what is signed for another hour.
    world.clock.advance_s(3_600);
    let window = world.booking_of("alice", "desk-order").await;
    window.buy(&world, 1).await;
    let attempts = [next(&mut posted).await, next(&mut posted).await, next(&mut posted).await];
    let verifier = standardwebhooks::Webhook::new(&secret.to_text()).unwrap();
    let stranger = WebhookSecret::fresh(&system_randomness());
    let stranger = standardwebhooks::Webhook::new(&stranger.to_text()).unwrap();
    for (headers, body) in &attempts {
        verifier.verify(body, headers).unwrap();
        assert!(stranger.verify(body, headers).is_err());
        assert!(verifier.verify(b"{}", headers).is_err());
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(vec![event.clone()], world.events(), "what is posted is what the bus gets");
        assert_eq!(event["id"].as_str().unwrap(), headers["webhook-id"]);
    }
    // It was taken: what comes next is another event.
    window.code_for(1).await;
    window.code_for(2).await;
    let (headers, _) = next(&mut posted).await;
    assert_ne!(headers["webhook-id"], attempts[0].0["webhook-id"]);
    let lines = told.lock().unwrap().clone();
    assert_eq!(lines.len(), 2, "one line an event: {lines:?}");
    assert!(lines[0].starts_with("event booking.activated "), "{lines:?}");
    assert!(lines[1].contains("superseded_by="), "{lines:?}");
}

#[tokio::test]
async fn what_a_receiver_wants_no_more_is_given_up_and_told() {
    let (url, mut posted) = receiver(&[410, 204]).await;
    let (world, _, told) = posting_to(url).await;
    let window = world.booking_of("alice", "desk-order").await;
    window.buy(&world, 1).await;
    let first = next(&mut posted).await.0["webhook-id"].clone();
    until_told(&told, "was not posted: the receiver answered 410").await;
    window.buy(&world, 1).await;
    assert_ne!(next(&mut posted).await.0["webhook-id"], first, "it goes on with the next");
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_nothing_up() {
    let (url, mut posted) = receiver(&[]).await;
    let (world, _, told) = posting_to(url).await;
    let window = world.booking_of("alice", "desk-order").await;
    window.buy(&world, 1).await;
    next(&mut posted).await;
    window.buy(&world, 1).await;
    until_told(&told, "event booking.renewed ").await;
    assert!(posted.try_recv().is_err(), "the first still waits for its answer");
}

#[test]
fn a_secret_is_made_once_for_a_folder_and_what_is_none_is_not_taken_for_one() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhook-secret");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let random = system_randomness();
    let first = webhook_of_folder(Some(&folder), &random).unwrap();
    assert_eq!(webhook_of_folder(Some(&folder), &random).unwrap(), first);
    assert_ne!(webhook_of_folder(None, &random).unwrap(), first);
    std::fs::write(folder.join("webhook.secret"), "whsec_short").unwrap();
    assert!(webhook_of_folder(Some(&folder), &random).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
