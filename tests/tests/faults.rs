//! The faults on the wire themselves: what is called, how often, and what is answered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http::Request;
use http_body_util::BodyExt;
use tests::faults::{Failure, Fate, Faults, Side};
use tests::{World, expect};
use tokio::time::Instant;

/// What every call is answered that arrives.
const ANSWER: &str = r#"{"whole":true}"#;

/// The far end of the wire: it counts what arrives.
#[derive(Clone, Default, Debug)]
struct FarEnd(Arc<AtomicU32>);

impl FarEnd {
    fn arrived(&self) -> u32 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl HttpConnector for FarEnd {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        self.0.fetch_add(1, Ordering::SeqCst);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(
            200.try_into().unwrap(),
            SdkBody::from(ANSWER),
        )))
    }
}

fn request(side: Side, operation: &str) -> HttpRequest {
    let request = match side {
        Side::Store => Request::post("http://store")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}")),
        Side::Gateway => Request::post(format!("http://gateway{operation}?mchid=1")),
    };
    HttpRequest::try_from(request.body(SdkBody::from("{}")).unwrap()).unwrap()
}

/// The status and the text of an answer, or what broke.
async fn answer(connector: &SharedHttpConnector, request: HttpRequest) -> (u16, String) {
    let mut response = match connector.call(request).await {
        Ok(response) => response,
        Err(_) => return (0, "no answer".to_owned()),
    };
    let status = response.status().as_u16();
    match response.take_body().collect().await {
        Ok(body) => (status, String::from_utf8(body.to_bytes().to_vec()).unwrap()),
        Err(_) => (status, "broken off".to_owned()),
    }
}

/// Side, operation, fate; how often it arrives, the status, and a part of the answer.
type Row = (Side, &'static str, Fate, u32, (u16, &'static str));

#[tokio::test]
async fn each_fate_arrives_as_often_as_it_says_and_answers_as_it_says() {
    let (write, pay) = ("TransactWriteItems", "/v3/pay/transactions/native");
    let whole = (200, ANSWER);
    let rows: [Row; 20] = [
        (Side::Store, write, Fate::Works, 1, whole),
        (Side::Gateway, pay, Fate::Works, 1, whole),
        (Side::Store, write, Fate::FailsBefore(Failure::NoAnswer), 0, (0, "no answer")),
        (Side::Gateway, pay, Fate::FailsBefore(Failure::NoAnswer), 0, (0, "no answer")),
        (Side::Store, write, Fate::FailsAfter(Failure::NoAnswer), 1, (0, "no answer")),
        (Side::Gateway, pay, Fate::FailsAfter(Failure::NoAnswer), 1, (0, "no answer")),
        (Side::Store, write, Fate::FailsAfter(Failure::BrokenOff), 1, (200, "broken off")),
        (Side::Gateway, pay, Fate::FailsAfter(Failure::BrokenOff), 1, (200, "broken off")),
        (Side::Gateway, pay, Fate::FailsAfter(Failure::Unreadable), 1, (200, "<html>")),
        (Side::Store, write, Fate::Duplicated, 2, whole),
        (Side::Gateway, pay, Fate::Duplicated, 2, whole),
        (Side::Store, write, Fate::Cut(3), 1, (200, r#"{"w"#)),
        (Side::Gateway, pay, Fate::Cut(0), 1, (200, "")),
        (Side::Gateway, pay, Fate::Cut(ANSWER.len()), 1, whole),
        (Side::Gateway, pay, Fate::Cut(ANSWER.len() + 1), 1, whole),
        (Side::Store, write, Fate::FailsBefore(Failure::InternalServerError), 0, (500, "Internal")),
        (Side::Store, write, Fate::FailsAfter(Failure::Throttled), 1, (400, "ThrottlingError")),
        (Side::Store, "PutItem", Fate::FailsBefore(Failure::Throttled), 0, (400, "Provisioned")),
        (Side::Gateway, pay, Fate::FailsBefore(Failure::Throttled), 0, (429, "FREQUENCY_LIMITED")),
        (Side::Gateway, pay, Fate::FailsAfter(Failure::InternalServerError), 1, (500, "SYSTEM")),
    ];
    for (side, operation, fate, arrives, (status, text)) in rows {
        let (faults, far_end) = (Faults::default(), FarEnd::default());
        let connector = faults.over(side, SharedHttpConnector::new(far_end.clone()));
        faults.fail_call(1, fate);
        let told = answer(&connector, request(side, operation)).await;
        let what = format!("{side:?} {operation} {fate:?}");
        assert_eq!(told.0, status, "{what}");
        let fits = if text.is_empty() { told.1.is_empty() } else { told.1.contains(text) };
        assert!(fits, "{what}: {}", told.1);
        assert_eq!(far_end.arrived(), arrives, "{what}");
        // The next call has another number.
        assert_eq!(answer(&connector, request(side, operation)).await, (200, ANSWER.to_owned()));
        assert_eq!(faults.heal(), u32::from(fate != Fate::Works), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_takes_effect_and_is_answered_at_its_times() {
    let (faults, far_end) = (Faults::default(), FarEnd::default());
    let connector = faults.over(Side::Gateway, SharedHttpConnector::new(far_end.clone()));
    let (before, after) = (Duration::from_secs(3), Duration::from_secs(4));
    let start = Instant::now();
    faults.follow(move |_| Fate::Works.delayed(before, after));
    let sent = tokio::spawn(async move { answer(&connector, request(Side::Gateway, "/")).await });
    let tick = Duration::from_millis(1);
    tokio::time::sleep(before - tick).await;
    assert_eq!(far_end.arrived(), 0);
    tokio::time::sleep(2 * tick).await;
    assert_eq!(far_end.arrived(), 1);
    assert!(!sent.is_finished());
    assert_eq!(sent.await.unwrap(), (200, ANSWER.to_owned()));
    assert_eq!(start.elapsed(), before + after);
}

#[tokio::test]
async fn calls_of_both_sides_are_numbered_together_and_what_is_sent_again_keeps_its_number() {
    let faults = Faults::default();
    let world = World::start_with(|options| {
        options.settle = false;
        options.wrap_store = Some(faults.wrap_store());
        options.wrap_gateways = Some(faults.wrap_gateways());
    })
    .await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let seen = Arc::new(Mutex::new(vec![]));
    let kept = Arc::clone(&seen);
    faults.follow(move |call| {
        let path = call.operation.rsplit('/').next().unwrap().to_owned();
        kept.lock().unwrap().push((call.side, call.number, call.attempt, path, call.is_write()));
        let hit = call.number == 2 && call.attempt == 1;
        if hit { Fate::FailsBefore(Failure::InternalServerError) } else { Fate::Works }
    });
    expect(201, window.generate(&quoted).await);
    assert_eq!((faults.heal(), faults.calls()), (1, 4));
    let row = |side, number, attempt, operation: &str, is_write| {
        (side, number, attempt, operation.to_owned(), is_write)
    };
    let expected = [
        row(Side::Store, 1, 1, "BatchGetItem", false),
        row(Side::Store, 2, 1, "TransactWriteItems", true),
        row(Side::Store, 2, 2, "TransactWriteItems", true),
        row(Side::Gateway, 3, 1, "native", true),
        row(Side::Store, 4, 1, "TransactWriteItems", true),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
