//! The binaries that are deployed, started as Lambda starts them: they answer events as API
//! Gateway, the table's stream and the schedules send them, and say what the laptop stack says.
//!
//! `make smoke` builds them, and names the folder in `LATCHPAY_FUNCTIONS`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use checkout::PAGE;
use embedded::writes::WriteEvent;
use http::Method;
use local::client::{Call, Reply};
use local::lambda::{Environment, STORE_URL};
use runtime::config::SECRETS;
use sandbox::lambda::Lambda;
use sandbox::sandbox::{Function, InvokeError, Sandbox, StartError};
use serde_json::{Value, json};
use settle::TASK_TIME;
use tests::quiet::replay;
use tests::stream::batch;
use tests::{Window, World, acknowledged, expect, for_binaries, order_in, text};
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;

/// The functions that serve HTTP end at the latest after so long: see template.yaml.
const TIMEOUT: Duration = Duration::from_secs(29);
/// Headers that the laptop's server adds, as API Gateway does.
const SERVER_HEADERS: [&str; 3] = ["date", "content-length", "connection"];
/// Fields that are fresh in each answer.
const FRESH: [&str; 2] = ["instance", "token"];

fn folder() -> PathBuf {
    let folder = std::env::var_os("LATCHPAY_FUNCTIONS");
    PathBuf::from(folder.expect("LATCHPAY_FUNCTIONS names the folder of the binaries"))
}

async fn start(function: &str, environment: &Environment) -> Result<Sandbox, StartError> {
    Sandbox::start(&Function::below(&folder(), function, environment.variables())).await
}

/// A laptop stack whose store real binaries share, and in which nothing happens later by itself.
struct Deployment {
    world: World,
}

impl Deployment {
    async fn start() -> Self {
        let world = World::start_with(|options| {
            options.settle = false;
            for_binaries(options);
        });
        Self { world: world.await }
    }

    fn environment(&self) -> Environment {
        self.world.stack.environment.clone().unwrap()
    }

    async fn sandbox(&self, function: &str) -> Sandbox {
        start(function, &self.environment()).await.unwrap()
    }

    /// Sends a request to a binary and then to the laptop: all but the statuses must be the same.
    async fn both(&self, sandbox: &mut Sandbox, ask: &Ask) -> (u16, Reply) {
        let answer = sandbox.invoke(&ask.event(), TIMEOUT).await.unwrap();
        let reply = self.world.nobody().send(ask.call()).await.unwrap();
        assert_eq!(told(&answer), told_by(&reply), "{ask:?}");
        (status(&answer), reply)
    }

    /// The same, and both must answer this status.
    async fn same(&self, sandbox: &mut Sandbox, expected: u16, ask: Ask) -> Value {
        let (status, reply) = self.both(sandbox, &ask).await;
        assert_eq!((status, reply.status), (expected, expected), "{ask:?}");
        reply.body
    }

    /// The same for what makes something: the binary makes it, and the laptop finds it made.
    async fn made(&self, sandbox: &mut Sandbox, ask: Ask) -> Value {
        let (status, reply) = self.both(sandbox, &ask).await;
        assert_eq!((status, reply.status), (201, 200), "{ask:?}");
        reply.body
    }
}

/// A request, whoever is to answer it.
#[derive(Clone, Debug)]
struct Ask {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    caller: Option<&'static str>,
}

impl Ask {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: vec![], body: None, caller: Some("alice") }
    }

    fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    fn body(self, body: &Value) -> Self {
        let asked = self.header("content-type", "application/json");
        Self { body: Some(body.to_string()), ..asked }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn sent_by(self, caller: Option<&'static str>) -> Self {
        Self { caller, ..self }
    }

    /// As the laptop's port gets it.
    fn call(&self) -> Call {
        let mut call = Call::new(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if let Some(caller) = self.caller {
            call = call.header("authorization", &format!("Bearer dev:{caller}"));
        }
        if let Some(body) = &self.body {
            call = call.raw(body.clone());
        }
        call
    }

    /// As a function gets it from an HTTP API with a JWT authorizer, payload format 2.0, for a
    /// stage with a name of its own. The body is base64, as API Gateway sends what it does not know
    /// to be text.
    /// Source: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP
    /// APIs in API Gateway"; read 2026-11-25.
    fn event(&self) -> Value {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let path = format!("/prod{path}");
        let mut headers = BTreeMap::from([
            ("host".to_owned(), "id.execute-api.eu-central-1.amazonaws.com".to_owned()),
            ("user-agent".to_owned(), "agent".to_owned()),
            ("x-amzn-trace-id".to_owned(), "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e".to_owned()),
            ("x-forwarded-for".to_owned(), "198.51.100.7, 203.0.113.1".to_owned()),
            ("x-forwarded-proto".to_owned(), "https".to_owned()),
        ]);
        headers
            .extend(self.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut event = json!({
            "version": "2.0",
            "routeKey": format!("{} /any", self.method),
            "rawPath": path,
            "rawQueryString": query,
            "cookies": ["session=1", "theme=dark"],
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "id",
                "domainName": "id.execute-api.eu-central-1.amazonaws.com",
                "domainPrefix": "id",
                "http": {
                    "method": self.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.1",
                    "userAgent": "agent"
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": format!("{} /any", self.method),
                "stage": "prod",
                "time": "25/Nov/2026:00:00:00 +0000",
                "timeEpoch": 1_795_564_800_000_i64
            },
            "isBase64Encoded": self.body.is_some(),
        });
        if let Some(body) = &self.body {
            event["body"] = json!(STANDARD.encode(body));
        }
        if let Some(caller) = self.caller {
            let scope = if caller == "admin" { "products:write attention:write" } else { "" };
            event["requestContext"]["authorizer"] = json!({ "jwt": {
                "claims": { "sub": caller, "scope": scope, "iat": "1583798639" },
                "scopes": null
            } });
        }
        event
    }
}

fn status(answer: &Value) -> u16 {
    u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap()
}

/// The body of a function's answer as JSON; null where it is none.
fn body(answer: &Value) -> Value {
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default()
}

/// Headers and body of a function's answer, without what is fresh each time.
fn told(answer: &Value) -> (BTreeMap<String, String>, Value) {
    let headers = answer["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), text(value)));
    (headers.collect(), steady(body(answer)))
}

/// The same of the laptop's answer.
fn told_by(reply: &Reply) -> (BTreeMap<String, String>, Value) {
    let own = reply.headers.iter().filter(|(name, _)| !SERVER_HEADERS.contains(&name.as_str()));
    let own = own.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (own.collect(), steady(reply.body.clone()))
}

fn steady(mut body: Value) -> Value {
    match &mut body {
        Value::Object(fields) => {
            // A quote that made nothing runs from when it is asked for.
            let is_quote = fields.contains_key("token");
            for (name, value) in fields.iter_mut() {
                let is_fresh = !value.is_null()
                    && (FRESH.contains(&name.as_str()) || is_quote && name == "expires_at");
                *value = if is_fresh { json!("…") } else { steady(value.take()) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = steady(item.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    body
}

/// The problem in a function's answer.
#[track_caller]
fn problem(answer: &Value, expected: u16, code: &str) -> Value {
    assert_eq!(status(answer), expected, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/problem+json");
    let body = body(answer);
    assert_eq!(body["code"], code, "{answer}");
    body
}

/// A body for `POST …/payments`.
fn click(quoted: &Value) -> Value {
    json!({
        "order_id": quoted["order"]["order_id"],
        "quote_token": quoted["quote"]["token"],
        "gateway": "wechat_pay",
    })
}

#[tokio::test]
async fn products_attention_and_operations_answer_as_on_the_laptop() {
    let deployment = Deployment::start().await;
    let mut products = deployment.sandbox("products").await;
    let described = Ask::get("/v1/openapi.json").sent_by(None);
    deployment.same(&mut products, 200, described).await;
    let desk = "/v1/products/desk-order";
    let read = deployment.same(&mut products, 200, Ask::get(desk)).await;
    deployment.same(&mut products, 401, Ask::get(desk).sent_by(None)).await;
    deployment.same(&mut products, 404, Ask::get("/v1/products/none")).await;
    let mut definition = read;
    for field in ["product_id", "price_version"] {
        definition.as_object_mut().unwrap().remove(field);
    }
    definition["first_unit_price"]["amount"] = json!(1_290);
    let put = |definition: &Value| Ask::new(Method::PUT, desk).body(definition);
    deployment.same(&mut products, 403, put(&definition)).await;
    let by_admin = put(&definition).sent_by(Some("admin"));
    deployment.same(&mut products, 200, by_admin).await;
    definition["first_unit_price"]["amount"] = json!(-1);
    let refused = put(&definition).sent_by(Some("admin"));
    let refused = refused.header("accept-language", "fr, zh;q=0.5");
    deployment.same(&mut products, 400, refused).await;

    let mut attention = deployment.sandbox("attention").await;
    deployment.same(&mut attention, 403, Ask::get("/v1/attention")).await;
    let list = Ask::get("/v1/attention").sent_by(Some("admin"));
    deployment.same(&mut attention, 200, list.clone()).await;
    deployment.same(&mut attention, 200, list).await;
    let nothing = format!("/v1/attention/{0}/refund-{0}/retry", "a".repeat(32));
    let retry = Ask::post(nothing, &json!({})).sent_by(Some("admin"));
    deployment.same(&mut attention, 404, retry).await;

    let mut operations = deployment.sandbox("operations").await;
    deployment.same(&mut operations, 200, Ask::get("/operator").sent_by(None)).await;
    deployment.same(&mut operations, 403, Ask::get("/v1/operations/tasks")).await;
    let read = |path: &str| Ask::get(path).sent_by(Some("admin"));
    deployment.same(&mut operations, 200, read("/v1/operations/tasks")).await;
    deployment.same(&mut operations, 200, read("/v1/operations/figures")).await;
    let nothing = format!("/v1/operations/bookings/{}", "a".repeat(32));
    deployment.same(&mut operations, 404, read(&nothing)).await;
}

#[tokio::test]
async fn what_the_binaries_make_the_laptop_finds_made() {
    let deployment = Deployment::start().await;
    let mut bookings = deployment.sandbox("bookings").await;
    let open = |product: &str| {
        let open = Ask::post("/v1/bookings", &json!({ "product_id": product }));
        open.header("idempotency-key", format!("one-{product}"))
    };
    let booking = deployment.made(&mut bookings, open("desk-order")).await;
    let path = format!("/v1/bookings/{}", text(&booking["booking_id"]));
    let mut quote = deployment.sandbox("quote").await;
    let ask = Ask::post(format!("{path}/quotes"), &json!({ "quantity": 3 }));
    let quoted = deployment.made(&mut quote, ask.header("idempotency-key", "three")).await;
    let mut generate = deployment.sandbox("generate-payment").await;
    let payments = format!("{path}/payments");
    let code = deployment.made(&mut generate, Ask::post(&payments, &click(&quoted))).await;
    assert!(text(&code["payment"]["code_url"]).starts_with("weixin://"));

    let submitted = deployment.made(&mut bookings, open("desk-submit")).await;
    let submitted = format!("/v1/bookings/{}", text(&submitted["booking_id"]));
    let ask = Ask::post(format!("{submitted}/quotes"), &json!({ "quantity": 2 }));
    let quoted = deployment.same(&mut quote, 201, ask).await;
    let mut create = deployment.sandbox("create-order").await;
    let body = json!({ "quote_token": quoted["quote"]["token"], "gateway": "wechat_pay" });
    let ordered = Ask::post(format!("{submitted}/orders"), &body);
    deployment.made(&mut create, ordered.clone()).await;
    let strange = ordered.sent_by(Some("bob"));
    deployment.same(&mut create, 404, strange).await;

    let read = deployment.same(&mut bookings, 200, Ask::get(&path)).await;
    assert_eq!(read["live_order"]["quantity"], 3);
    let reply = deployment.world.nobody().send(Ask::get(&path).call()).await.unwrap();
    let tag = reply.headers["etag"].to_str().unwrap();
    let unchanged = Ask::get(&path).header("if-none-match", format!("\"other\", {tag}"));
    deployment.same(&mut bookings, 304, unchanged).await;
    deployment.same(&mut bookings, 400, Ask::get("/v1/bookings?cursor=")).await;
    let list = deployment.same(&mut bookings, 200, Ask::get("/v1/bookings")).await;
    assert_eq!(list["bookings"].as_array().unwrap().len(), 2);
    let cancel = Ask::new(Method::POST, format!("{submitted}/cancel"));
    let cancelled = deployment.same(&mut bookings, 200, cancel).await;
    assert_eq!(cancelled["status"], "cancelled");
}

#[tokio::test]
async fn the_checkout_is_served_and_a_link_opens_its_booking_as_on_the_laptop() {
    let deployment = Deployment::start().await;
    let mut checkout = deployment.sandbox("checkout").await;
    let page = Ask::get("/checkout").sent_by(None);
    deployment.same(&mut checkout, 200, page.clone()).await;
    let known = page.clone().header("if-none-match", PAGE.tag);
    deployment.same(&mut checkout, 304, known).await;
    let packed = page.header("accept-encoding", "gzip, br").event();
    let packed = checkout.invoke(&packed, TIMEOUT).await.unwrap();
    assert_eq!(packed["headers"]["content-encoding"], "br");
    assert_eq!(packed["isBase64Encoded"], true);
    assert_eq!(STANDARD.decode(text(&packed["body"])).unwrap(), PAGE.brotli);

    let window = deployment.world.booking_of("alice", "desk-order").await;
    let link = Ask::post(format!("{}/checkout-link", window.path), &json!({})).event();
    let made = body(&checkout.invoke(&link, TIMEOUT).await.unwrap());
    let url = text(&made["url"]);
    let (address, token) = url.split_once('#').unwrap();
    assert_eq!(address, format!("{}/checkout", deployment.world.stack.base_url));
    let linked = window.by_link(token);
    linked.look().await;

    let by = |ask: Ask, token: &str| {
        ask.sent_by(None).header("authorization", format!("Bearer {token}"))
    };
    let draw = Ask::post(format!("{}/qr", linked.path), &json!({ "code": "c" }));
    deployment.same(&mut checkout, 200, by(draw.clone(), token)).await;
    deployment.same(&mut checkout, 401, by(draw, &format!("{token}A"))).await;
    let mut bookings = deployment.sandbox("bookings").await;
    let read = Ask::get(&linked.path);
    deployment.same(&mut bookings, 200, by(read.clone(), token)).await;
    deployment.same(&mut bookings, 401, by(read.clone(), "dev:alice")).await;
    // The authorizer's word counts for nothing on the routes of links.
    let mut with_jwt = read.event();
    with_jwt["headers"]["authorization"] = json!("Bearer nothing");
    problem(&bookings.invoke(&with_jwt, TIMEOUT).await.unwrap(), 401, "link_invalid");
}

#[tokio::test]
async fn a_notification_is_refused_as_on_the_laptop_and_by_the_gateways_rules() {
    let deployment = Deployment::start().await;
    let mut callback = deployment.sandbox("callback").await;
    for (gateway, refusal) in [("wechat_pay", 401), ("alipay", 400), ("stripe", 400)] {
        let forged = Ask::post(format!("/v1/callbacks/{gateway}"), &json!({ "id": "forged" }));
        deployment.same(&mut callback, refusal, forged.sent_by(None)).await;
    }
    let nobody = Ask::post("/v1/callbacks/nobody", &json!({})).sent_by(None);
    deployment.same(&mut callback, 404, nobody).await;
}

#[tokio::test]
async fn an_event_that_lacks_what_it_may_lack_is_answered_all_the_same() {
    let deployment = Deployment::start().await;
    let mut bookings = deployment.sandbox("bookings").await;
    let open = Ask::post("/v1/bookings", &json!({ "product_id": "desk-order" }));
    let without = |names: &[&str]| {
        let mut event = open.event();
        for name in names {
            event.as_object_mut().unwrap().remove(*name);
        }
        event
    };
    let mut nobody = without(&[]);
    nobody["requestContext"].as_object_mut().unwrap().remove("authorizer");
    for (event, expected, code) in [
        (nobody, 401, "unauthenticated"),
        (without(&["body", "isBase64Encoded"]), 400, "invalid_request"),
        (without(&["cookies", "rawQueryString"]), 400, "invalid_request"),
    ] {
        let answer = bookings.invoke(&event, TIMEOUT).await.unwrap();
        problem(&answer, expected, code);
    }
    let mut bare = without(&["headers", "cookies", "routeKey", "body", "rawQueryString"]);
    bare["headers"] = json!({});
    let answer = bookings.invoke(&bare, TIMEOUT).await.unwrap();
    problem(&answer, 400, "invalid_request");
}

/// What EventBridge sends once a minute.
/// Source: AWS Lambda Developer Guide, "Invoke a Lambda function on a schedule"; read 2026-11-25.
fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-25T00:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/every-minute"],
        "detail": {}
    })
}

/// A window whose first code was just voided by a second, and the first code's payment.
async fn voided(world: &World, customer: &str) -> Value {
    let window = world.booking_of(customer, "desk-order").await;
    let old = window.code_for(1).await;
    expect(201, window.quote(2).await);
    old["payment"]["payment_id"].clone()
}

#[tokio::test]
async fn settle_runs_a_batch_names_what_failed_and_finds_the_rest_by_the_schedule() {
    let deployment = Deployment::start().await;
    let world = &deployment.world;
    let mut writes = world.stack.embedded.writes();
    let (first, second) = (voided(world, "alice").await, voided(world, "bob").await);
    let mut settle = deployment.sandbox("settle").await;
    let mut full = batch(&mut writes);
    // A record of a task whose key the table does not take: the store refuses to claim it.
    let records = full["Records"].as_array_mut().unwrap();
    let closes = |record: &&Value| {
        record["dynamodb"]["Keys"]["sk"]["S"].as_str().is_some_and(|sk| sk.contains("#close#"))
    };
    let mut broken = records.iter().find(closes).unwrap().clone();
    broken["dynamodb"]["NewImage"]["pk"]["S"] = json!("");
    broken["dynamodb"]["SequenceNumber"] = json!("999");
    records.insert(0, broken);
    let answer = settle.invoke(&full, TIMEOUT).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "999" }] }));
    for payment in [&first, &second] {
        assert_eq!(world.ledger_of(payment).await["closed"], true);
    }
    let answer = settle.invoke(&schedule(), TIMEOUT).await.unwrap();
    assert_eq!(answer, json!({ "ran": 0 }));
    let third = voided(world, "carol").await;
    let answer = settle.invoke(&schedule(), TIMEOUT).await.unwrap();
    assert_eq!(answer, json!({ "ran": 1 }));
    assert_eq!(world.ledger_of(&third).await["closed"], true);
}

#[tokio::test]
async fn whole_flows_run_on_the_binaries_alone() {
    let lambda = Lambda::start(folder(), TIMEOUT).await.unwrap();
    let functions = lambda.url.clone();
    let world = World::start_with(|options| {
        options.settle = false;
        for_binaries(options);
        options.functions = Some(functions);
    });
    let world = world.await;
    let environment = world.stack.environment.as_ref().unwrap();
    lambda.deploy(environment);
    world.refund_at_once().await;
    let mut writes = world.stack.embedded.writes();
    for product in ["desk-submit", "desk-order", "desk-instant"] {
        for gateway in ["wechat_pay", "alipay", "stripe"] {
            let key = format!("{product}-{gateway}");
            let window = world.booking_under("alice", product, &key).await.paying_at(gateway);
            let booking = window.buy(&world, 2).await;
            assert_eq!(booking["status"], "active", "{product} at {gateway}");
        }
    }
    let window = world.booking_of("bob", "desk-order").await;
    let booking = window.buy(&world, 1).await;
    assert_eq!(booking["renewals"], 0);
    let old = window.code_for(1).await;
    let new = window.code_for(7).await;
    world.pay(&old["payment"]["code_url"]).await;
    world.pay(&new["payment"]["code_url"]).await;
    let mut settle = start("settle", environment).await.unwrap();
    let is_settled = |booking: &Value| {
        let refunded = order_in(booking, &old["order"]["order_id"])
            .is_some_and(|order| order["refunds"][0]["status"] == "succeeded");
        refunded && booking["renewals"] == 1
    };
    let booking = settled(&window, &mut settle, &mut writes, is_settled).await;
    assert_eq!(booking["status"], "active");
    let money = world.ledger_of(&old["payment"]["payment_id"]).await;
    assert_eq!(money["captured"], money["refunded"]);
    let money = world.ledger_of(&new["payment"]["payment_id"]).await;
    assert_eq!(money["refunded"]["amount"], 0);
}

/// Hands the stream to the binary until something is so.
async fn settled(
    window: &Window,
    settle: &mut Sandbox,
    writes: &mut Receiver<WriteEvent>,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let rounds = tests::PATIENCE.as_millis() / tests::GLANCE.as_millis();
    for _ in 0..rounds {
        let batch = batch(writes);
        if batch["Records"].as_array().is_some_and(|records| !records.is_empty()) {
            let answer = settle.invoke(&batch, TIMEOUT).await.unwrap();
            assert_eq!(answer, json!({ "batchItemFailures": [] }));
        }
        settle.invoke(&schedule(), TIMEOUT).await.unwrap();
        let booking = window.look().await;
        if is_so(&booking) {
            return booking;
        }
        tokio::time::sleep(tests::GLANCE).await;
    }
    panic!("in vain; the booking is {:#}", window.look().await);
}

#[tokio::test]
async fn a_payment_whose_gateway_hangs_is_a_problem_before_the_deadline_and_made_by_the_repeat() {
    let deployment = Deployment::start().await;
    let world = &deployment.world;
    let window = world.booking_of("alice", "desk-order").await;
    let quoted = expect(201, window.quote(1).await);
    world.faults(json!({ "call_delay_ms": 600_000 })).await;
    let mut generate = deployment.sandbox("generate-payment").await;
    let ask = Ask::post(format!("{}/payments", window.path), &click(&quoted));
    for (language, title) in [("en", "It took too long"), ("zh-CN", "处理超时")] {
        let event = ask.clone().header("accept-language", language).event();
        let answer = generate.invoke(&event, Duration::from_secs(2)).await.unwrap();
        assert_eq!(problem(&answer, 503, "out_of_time")["title"], title);
        assert_eq!(answer["headers"]["retry-after"], "2");
    }
    world.faults(json!({})).await;
    let answer = generate.invoke(&ask.event(), TIMEOUT).await.unwrap();
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(body(&answer)["payment"]["status"], "payable");
    assert_eq!(world.ledger().await.len(), 1, "the repeats made one code");
    let said = generate.lines();
    assert!(said.iter().any(|line| line.contains("out_of_time")), "{said:#?}");
}

/// A server that takes connections and says nothing.
async fn silence() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn a_notification_whose_store_hangs_is_to_be_sent_again() {
    let lambda = Lambda::start(folder(), Duration::from_secs(5)).await.unwrap();
    let functions = lambda.url.clone();
    let world = World::start_with(|options| {
        for_binaries(options);
        options.functions = Some(functions);
    });
    let world = world.await;
    let environment = world.stack.environment.as_ref().unwrap();
    lambda.deploy(environment);
    let window = world.booking_of("alice", "desk-order").await;
    let code = window.code_for(1).await;
    let (_listener, url) = silence().await;
    lambda.deploy(&environment.clone().with(STORE_URL, url));
    let paid = world.pay(&code["payment"]["code_url"]).await;
    let notification = json!({ "transaction_id": paid["transaction_id"] });
    assert_eq!(replay(&world, &notification).await, 500);
    lambda.deploy(environment);
    assert_eq!(replay(&world, &notification).await, acknowledged());
    assert_eq!(window.look().await["status"], "active");
}

#[tokio::test]
async fn settle_begins_nothing_that_it_has_no_time_for() {
    let deployment = Deployment::start().await;
    let world = &deployment.world;
    let mut writes = world.stack.embedded.writes();
    let payment = voided(world, "alice").await;
    let batch = batch(&mut writes);
    let mut settle = deployment.sandbox("settle").await;
    let answer = settle.invoke(&batch, TASK_TIME).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(settle.invoke(&schedule(), TASK_TIME).await.unwrap(), json!({ "ran": 0 }));
    assert_eq!(world.ledger_of(&payment).await["closed"], false);
    let answer = settle.invoke(&batch, TIMEOUT).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(world.ledger_of(&payment).await["closed"], true);
}

#[tokio::test]
async fn reconcile_compares_a_day_that_is_asked_for_and_refuses_what_is_no_day() {
    let deployment = Deployment::start().await;
    let mut reconcile = deployment.sandbox("reconcile").await;
    let report = reconcile.invoke(&schedule(), TIMEOUT).await.unwrap();
    assert!(!report["gateways"].as_array().unwrap().is_empty(), "{report}");
    let ask = json!({ "day": "yesterday" });
    let Err(InvokeError::Function(error)) = reconcile.invoke(&ask, TIMEOUT).await else {
        panic!("it took yesterday for a day");
    };
    assert!(error.message.contains("invalid_request"), "{error:?}");
    // The sandbox goes on.
    reconcile.invoke(&json!({}), TIMEOUT).await.unwrap();
}

#[tokio::test]
async fn a_function_without_secrets_says_so_and_ends() {
    let deployment = Deployment::start().await;
    let environment = deployment.environment().with(SECRETS, String::new());
    let Err(StartError::Ended(status, said)) = start("quote", &environment).await else {
        panic!("it started");
    };
    assert!(!status.success());
    assert!(said.contains("LATCHPAY_SECRET_ARN"), "{said}");
}
