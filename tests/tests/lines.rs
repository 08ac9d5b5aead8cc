//! What the functions write while customers pay: log lines that name what they are about and carry
//! no secret, and measurements that CloudWatch can read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use api::request::Request;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use local::client::Call;
use local::dispatch::dispatch;
use runtime::config::SECRETS;
use runtime::telemetry::{METRIC_LIST, NAMESPACE, STAGE as STAGE_DIMENSION, traced};
use serde_json::{Value, json};
use settle::run_due;
use tests::lines::{Lines, STAGE};
use tests::{World, expect, expect_problem, text};

/// Longer than every id, and shorter than every signature, token and key.
const RUN_LEN_MAX: usize = 80;

/// The signatures of calls to gateways, in both directions.
#[derive(Clone, Debug, Default)]
struct Signatures(Arc<Mutex<Vec<String>>>);

impl Signatures {
    fn keep(&self, value: Option<&str>) {
        self.0.lock().unwrap().extend(value.map(str::to_owned));
    }
}

#[derive(Debug)]
struct Watched {
    beneath: SharedHttpConnector,
    signatures: Signatures,
}

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.signatures.keep(request.headers().get("authorization"));
        let (reply, signatures) = (self.beneath.call(request), self.signatures.clone());
        HttpConnectorFuture::new(async move {
            let reply = reply.await?;
            signatures.keep(reply.headers().get("wechatpay-signature"));
            Ok(reply)
        })
    }
}

/// A whole deployment, and all that its lines must not carry.
struct Watch {
    world: World,
    signatures: Signatures,
    secrets: BTreeSet<String>,
}

impl Watch {
    async fn start() -> Self {
        let signatures = Signatures::default();
        let watching = signatures.clone();
        let world = World::start_with(|options| {
            options.settle = false;
            options.store_port = Some(0);
            options.wrap_gateways = Some(Arc::new(move |beneath| {
                let signatures = watching.clone();
                SharedHttpConnector::new(Watched { beneath, signatures })
            }));
        });
        let world = world.await;
        let environment = world.stack.environment.as_ref().unwrap();
        let document: Value = serde_json::from_str(environment.get(SECRETS).unwrap()).unwrap();
        let mut secrets = BTreeSet::from(["Bearer".to_owned(), "dev:alice".to_owned()]);
        secrets.insert("PRIVATE KEY".to_owned());
        secrets.insert("oLatchpay-simulated-payer001".to_owned());
        secrets.insert(text(&document["id_secret"]));
        secrets.insert(text(&document["token_keys"][0]["key"]));
        for gateway in document["gateways"].as_object().unwrap().values() {
            let keys = gateway["apiv3_keys"].as_array().into_iter().flatten();
            secrets.extend(keys.map(text));
        }
        Self { world, signatures, secrets }
    }

    fn token(&mut self, quoted: &Value) -> Value {
        let token = quoted["quote"]["token"].clone();
        self.secrets.insert(text(&token));
        token
    }

    /// All three flows, a payment, a refusal of each kind, a refund, and a forged notification.
    async fn every_flow(&mut self) {
        self.world.refund_at_once().await;
        let submit = self.world.booking_of("alice", "desk-submit").await;
        let quoted = expect(201, submit.quote(1).await);
        let token = self.token(&quoted);
        expect(201, submit.order(&token).await);
        expect(200, submit.order(&token).await);
        let forged = json!(format!("{}A", text(&token)));
        expect_problem(422, "quote_tampered", submit.order(&forged).await);

        let link = submit.link().await;
        let linked = submit.by_link(&link);
        linked.look().await;
        expect(200, linked.post("qr", &json!({ "code": "c" })).await);
        let forged = submit.by_link(&format!("{link}A"));
        expect_problem(401, "link_invalid", forged.client.get(&forged.path).await.unwrap());
        self.secrets.insert(link);

        let instant = self.world.booking_of("alice", "desk-instant").await;
        let quoted = expect(201, instant.quote_at(1, "wechat_pay").await);
        self.token(&quoted);
        let ordered = self.world.booking_of("alice", "desk-order").await;
        let old = expect(201, ordered.quote(1).await);
        self.token(&old);
        let code = expect(201, ordered.generate(&old).await);
        let new = expect(201, ordered.quote(2).await);
        self.token(&new);
        expect_problem(409, "order_superseded", ordered.generate(&old).await);
        let made = expect(201, ordered.generate(&new).await);
        self.world.pay(&made["payment"]["code_url"]).await;
        let order_id = made["order"]["order_id"].clone();
        let is_paid = |booking: &Value| {
            tests::order_in(booking, &order_id).is_some_and(|order| order["status"] == "paid")
        };
        ordered.until("the payment is applied", is_paid).await;
        // Paid before it is closed: the money goes back.
        self.world.pay(&code["payment"]["code_url"]).await;
        let old_id = old["order"]["order_id"].clone();
        let is_back = |booking: &Value| {
            let order = tests::order_in(booking, &old_id);
            order.is_some_and(|order| order["refunds"][0]["status"] == "succeeded")
        };
        self.world.settle_until(&ordered, "the money is back", is_back).await;
        let forged = "c2lnbmF0dXJl".repeat(20);
        let notified = Call::new(Method::POST, "/v1/callbacks/wechat_pay")
            .json(&json!({ "id": "forged" }))
            .header("wechatpay-signature", &forged);
        self.secrets.insert(forged);
        let refused = self.world.nobody().send(notified).await.unwrap();
        assert_eq!(refused.status, 401);
    }

    fn check(&self, lines: &Lines) {
        let said = lines.text();
        let signatures = self.signatures.0.lock().unwrap().clone();
        // Four codes were made, and each call and each reply was signed.
        assert!(signatures.len() >= 8, "{signatures:?}");
        for secret in self.secrets.iter().chain(&signatures) {
            let line = said.lines().find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "{secret} stands in {line:?}");
        }
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-".contains(letter);
        for line in said.lines() {
            let longest = line.split(|letter| !is_part(letter)).map(str::len).max();
            assert!(longest < Some(RUN_LEN_MAX), "{line}");
        }
    }
}

#[tokio::test]
async fn no_line_of_any_flow_carries_a_secret_a_token_or_a_signature() {
    for level in ["debug", "info"] {
        let mut watch = Watch::start().await;
        let lines = Lines::keep(level);
        watch.every_flow().await;
        watch.check(&lines);
        assert!(lines.all().iter().any(|line| line["fields"]["message"] == "answered"));
    }
}

#[tokio::test]
async fn the_lines_of_a_request_name_the_booking_the_order_and_the_payment() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    let lines = Lines::keep("debug");
    let made = expect(201, window.generate(&quoted).await);
    let all = lines.all();
    let line = |message: &str| {
        let found = all.iter().find(|line| line["fields"]["message"] == message);
        found.unwrap_or_else(|| panic!("no line says {message}"))
    };
    for message in ["gateway answered", "answered"] {
        let span = &line(message)["span"];
        assert_eq!(span["name"], "request", "{message}");
        assert_eq!(text(&span["request.id"]).len(), 32, "{message}");
        assert!(window.path.ends_with(&text(&span["booking.id"])), "{message}");
        assert_eq!(span["order.id"], made["order"]["order_id"], "{message}");
        assert_eq!(span["payment.id"], made["payment"]["payment_id"], "{message}");
    }
    assert_eq!(line("answered")["fields"]["route"], "generate_payment");
    assert_eq!(line("answered")["fields"]["status"], 201);
}

#[tokio::test]
async fn a_refused_request_names_what_its_route_names() {
    let world = World::start_unsettled().await;
    let lines = Lines::keep("debug");
    let path = format!("/v1/bookings/{}", "a".repeat(32));
    let client = world.nobody().as_customer("alice");
    expect_problem(404, "not_found", client.get(path).await.unwrap());
    let all = lines.all();
    let refused = all.iter().find(|line| line["fields"]["message"] == "refused").unwrap();
    assert_eq!(refused["span"]["booking.id"], "a".repeat(32));
    assert_eq!(refused["fields"]["code"], "not_found");
}

#[tokio::test]
async fn the_lines_of_a_task_name_the_booking_the_order_and_the_payment() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    expect(201, window.quote(2).await);
    let lines = Lines::keep("debug");
    world.until_closed(&made["payment"]["payment_id"]).await;
    let all = lines.all();
    let asked = all.iter().find(|line| line["span"]["name"] == "task").unwrap();
    assert!(window.path.ends_with(&text(&asked["span"]["booking.id"])));
    assert_eq!(asked["span"]["order.id"], made["order"]["order_id"]);
    assert_eq!(asked["span"]["payment.id"], made["payment"]["payment_id"]);
}

/// What the spans of all lines say of the trace.
fn traces(lines: &Lines, name: &str) -> BTreeSet<String> {
    let spans = lines.all().into_iter().map(|line| line["span"].clone());
    spans.filter(|span| span["name"] == name).map(|span| span["trace.id"].to_string()).collect()
}

#[tokio::test]
async fn every_line_of_an_invocation_names_its_trace() {
    let world = World::start_unsettled().await;
    let deps = &world.stack.deps;
    let window = world.booking_of("alice", "desk-order").await;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    for (header, trace_id) in [
        (Some(header), "\"1-5759e988-bd862e3fe1be46a994272793\""),
        (Some("Parent=53995c3f42cd8ad8"), "null"),
        (None, "null"),
    ] {
        let lines = Lines::keep("debug");
        let request = Request {
            method: Method::GET,
            path: window.path.clone(),
            query: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            caller: None,
            request_id: "request".to_owned(),
        };
        let answer = traced(header, dispatch(deps, &request)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(traces(&lines, "request"), BTreeSet::from([trace_id.to_owned()]));
        window.code_for(1).await;
        window.code_for(2).await;
        traced(header, run_due(deps)).await.unwrap();
        assert_eq!(traces(&lines, "task"), BTreeSet::from([trace_id.to_owned()]));
    }
}

/// Checks a line against the rules of the embedded metric format, and answers its metrics' names.
/// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format"; read 2026-11-24.
fn check_embedded(line: &Value) -> Vec<String> {
    assert!(line.to_string().len() <= 1024 * 1024, "{line}");
    assert!(line["_aws"]["Timestamp"].as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "{line}");
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    assert_eq!(directives.len(), 1, "{line}");
    let directive = &directives[0];
    assert_eq!(directive["Namespace"], NAMESPACE);
    let sets = directive["Dimensions"].as_array().unwrap();
    assert_eq!(sets[0], json!([STAGE_DIMENSION]), "{line}");
    for set in sets {
        let names = set.as_array().unwrap();
        assert!((1..=30).contains(&names.len()), "{line}");
        assert_eq!(names.iter().map(text).collect::<BTreeSet<_>>().len(), names.len(), "{line}");
        for name in names {
            let value = line[text(name)].as_str().unwrap();
            assert!((1..=1024).contains(&value.len()) && value.is_ascii(), "{line}");
        }
    }
    assert_eq!(line[STAGE_DIMENSION], STAGE);
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()), "{line}");
    let named = metrics.iter().map(|metric| {
        let name = text(&metric["Name"]);
        let known = METRIC_LIST.iter().find(|known| known.as_str() == name).unwrap();
        assert_eq!(metric["Unit"], known.unit(), "{line}");
        assert!(["Count", "Milliseconds", "Seconds"].contains(&known.unit()), "{line}");
        assert!(line[&name].is_u64(), "{line}");
        name
    });
    named.collect()
}

#[tokio::test]
async fn every_measurement_can_be_read_by_cloudwatch() {
    let mut watch = Watch::start().await;
    let lines = Lines::keep("info");
    watch.every_flow().await;
    let measured = lines.all().into_iter().filter(|line| line.get("_aws").is_some());
    let names: BTreeSet<String> = measured.flat_map(|line| check_embedded(&line)).collect();
    for name in [
        "requests",
        "request_duration",
        "gateway_calls",
        "gateway_call_duration",
        "task_age",
        "refund_age",
        "payment_applied",
        "refund_due",
        "notification_refused",
    ] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[tokio::test]
async fn another_amount_than_the_orders_is_counted_and_its_payment_named() {
    let world = World::start_unsettled().await;
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let lines = Lines::keep("info");
    let amount = json!({ "amount": 1, "currency": "CNY" });
    let code_url = &made["payment"]["code_url"];
    world.pay_with(json!({ "code_url": code_url, "amount": amount })).await;
    let is_owed = |booking: &Value| booking["live_order"]["refunds"][0].is_object();
    window.until("the money is owed", is_owed).await;
    let all = lines.all();
    let counted: Vec<_> = all.iter().filter(|line| line["amount_mismatch"] == 1).collect();
    assert!(!counted.is_empty());
    for line in counted {
        assert_eq!(check_embedded(line), ["amount_mismatch"]);
        assert_eq!(line["gateway"], "wechat_pay");
        assert_eq!(line["about"], made["payment"]["payment_id"]);
    }
}
