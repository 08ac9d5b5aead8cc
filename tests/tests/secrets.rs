//! The secret of a deployment: read when a function starts, and followed when it is rotated.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use api::request::{Caller, Request};
use api::respond::Answer;
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::Region;
use bytes::Bytes;
use domain::gateway::GatewayName;
use gateways::{PaymentRef, QueryOutcome};
use http::{HeaderMap, HeaderValue, Method, header};
use jiff::Timestamp;
use local::dispatch::dispatch;
use runtime::config::{ConfigError, GatewayChoice, Opened, SECRETS, source_from_environment};
use runtime::connectors::plain_connector;
use runtime::deps::Deps;
use runtime::gateway_calls;
use runtime::secret_reader::{SECRET_LEN_MAX, SecretReader, SecretsManager};
use runtime::source::{DepsSource, READ_AGAIN_AFTER, SECRET_AGE_MAX};
use serde_json::{Value, json};
use tests::lines::Lines;
use tests::secrets_manager::{
    Fault, REGION, SECRET_ARN, SESSION_TOKEN, SecretsManagerStandIn, secret_string,
};
use tests::{World, text};

/// Stands in every secret that must not be shown.
const MARK: &str = "s3cr3t";
/// When the clock of these tests begins, in milliseconds.
const START_MS: i64 = 1_795_392_000_000;
/// Tells the test program that it is the process whose environment is looked at.
const CHILD: &str = "LATCHPAY_TEST_CHILD";

/// A laptop's stack whose clock stands still until it is turned.
struct Stack {
    world: World,
    /// The secret of the stack.
    document: Value,
    ahead_ms: Arc<AtomicI64>,
}

impl Stack {
    async fn start() -> Self {
        let ahead_ms = Arc::new(AtomicI64::new(0));
        let now_ms = Arc::clone(&ahead_ms);
        let world = World::start_with(|options| {
            options.store_port = Some(0);
            options.clock = Arc::new(move || {
                Timestamp::from_millisecond(START_MS + now_ms.load(Ordering::SeqCst)).unwrap()
            });
        });
        let world = world.await;
        let environment = world.stack.environment.as_ref().unwrap();
        let document = serde_json::from_str(environment.get(SECRETS).unwrap()).unwrap();
        Self { world, document, ahead_ms }
    }

    fn advance_ms(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Makes a function's dependencies over the stack's table and gateways.
    fn make(&self) -> impl FnOnce(Opened) -> Deps {
        let stack = self.world.stack.deps.as_ref().clone();
        move |Opened { ids, keyring, gateways }| Deps { ids, keyring, gateways, ..stack }
    }
}

/// A function's source of dependencies, and the secret that it follows.
struct Deployment<'a> {
    stack: &'a Stack,
    source: DepsSource,
    manager: SecretsManagerStandIn,
}

impl<'a> Deployment<'a> {
    async fn start(stack: &'a Stack, document: &Value) -> Self {
        let manager = SecretsManagerStandIn::start(document).await;
        let source = start(&manager, stack).await;
        assert_eq!(manager.calls(), 1);
        Self { stack, source: source.unwrap(), manager }
    }

    fn advance_ms(&self, ms: i64) {
        self.stack.advance_ms(ms);
    }

    /// Puts another version, and waits until every function has read it.
    async fn rotate(&self, document: &Value) -> Arc<Deps> {
        self.manager.rotate(document.to_string());
        self.advance_ms(ms(SECRET_AGE_MAX));
        self.source.current().await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let deps = self.source.current().await;
        read(&dispatch(&deps, &request(path, body)).await)
    }
}

/// Starts a function that uses every gateway of its secret.
async fn start(manager: &SecretsManagerStandIn, stack: &Stack) -> Result<DepsSource, ConfigError> {
    DepsSource::start(reader(&manager.url), GatewayChoice::default(), stack.make()).await
}

fn reader(url: &str) -> SecretReader {
    let credentials = Credentials::new("id", MARK, Some(SESSION_TOKEN.to_owned()), None, "test");
    let region = Region::new(REGION);
    let at = SecretsManager { region, credentials, endpoint_url: Some(url.to_owned()) };
    SecretReader::new(at, SECRET_ARN.to_owned(), plain_connector())
}

fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

fn token_key(id: &str) -> Value {
    json!({ "id": id, "key": format!("{MARK}-{}", id.repeat(32)) })
}

fn request(path: &str, body: &Value) -> Request {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
    headers.insert("idempotency-key", HeaderValue::from_static("one"));
    Request {
        method: Method::POST,
        path: path.to_owned(),
        query: None,
        headers,
        body: Bytes::from(body.to_string()),
        caller: Some(Caller::Customer { subject: "alice".to_owned(), scopes: vec![] }),
        request_id: "request".to_owned(),
    }
}

fn read(answer: &Answer) -> (u16, Value) {
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
}

#[tokio::test]
async fn token_keys_rotate_without_a_stop() {
    let stack = Stack::start().await;
    let mut document = stack.document.clone();
    document["token_keys"] = json!([token_key("a")]);
    let deployment = Deployment::start(&stack, &document).await;
    let product = json!({ "product_id": "desk-submit" });
    let (_, booking) = deployment.post("/v1/bookings", &product).await;
    let below = |last: &str| format!("/v1/bookings/{}/{last}", text(&booking["booking_id"]));
    let quote = async |quantity: u32| {
        let body = json!({ "quantity": quantity });
        let (status, quoted) = deployment.post(&below("quotes"), &body).await;
        assert!(matches!(status, 200 | 201), "{quoted:#}");
        text(&quoted["quote"]["token"])
    };
    let order = async |token: &str| {
        let body = json!({ "quote_token": token, "gateway": "wechat_pay" });
        let (status, answer) = deployment.post(&below("orders"), &body).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };

    let by_a = quote(1).await;
    assert!(by_a.starts_with("lp1.a."), "{by_a}");
    // The new key verifies everywhere before it signs anywhere.
    document["token_keys"] = json!([token_key("a"), token_key("b")]);
    deployment.rotate(&document).await;
    assert!(quote(2).await.starts_with("lp1.a."));
    document["token_keys"] = json!([token_key("b"), token_key("a")]);
    deployment.rotate(&document).await;
    let by_b = quote(3).await;
    assert!(by_b.starts_with("lp1.b."), "{by_b}");
    assert_eq!(order(&by_a).await.0, 201);
    assert_eq!(order(&by_b).await.0, 201);
    document["token_keys"] = json!([token_key("b")]);
    deployment.rotate(&document).await;
    assert_eq!(order(&by_a).await, (422, "quote_tampered".to_owned()));
    assert_eq!(order(&by_b).await.0, 200);
}

#[tokio::test]
async fn keys_of_a_gateway_rotate_without_a_stop() {
    let stack = Stack::start().await;
    let right = &stack.document;
    let window = stack.world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let payment_id = text(&made["payment"]["payment_id"]);
    let payment = PaymentRef { payment_id: &payment_id, gateway_ref: None };
    let name = GatewayName::parse("wechat_pay").unwrap();
    let ask = async |deps: Arc<Deps>| {
        gateway_calls::query(&deps, deps.gateway(&name).unwrap().as_ref(), &payment).await
    };

    let mut old = right.clone();
    let keys = old["gateways"]["wechat_pay"]["verify_keys"].as_array_mut().unwrap();
    keys.retain(|key| text(&key["serial"]).starts_with("PUB_KEY_ID_"));
    for key in keys {
        let mut serial = text(&key["serial"]);
        let other = if serial.pop() == Some('0') { '1' } else { '0' };
        key["serial"] = json!(format!("{serial}{other}"));
    }
    let deployment = Deployment::start(&stack, &old).await;
    let asked = ask(deployment.source.current().await).await;
    assert!(matches!(asked, QueryOutcome::Unknown(_)), "{asked:?}");
    let asked = ask(deployment.rotate(right).await).await;
    assert!(matches!(asked, QueryOutcome::Unpaid), "{asked:?}");
}

#[tokio::test]
async fn a_secret_is_read_again_at_its_age_and_not_before() {
    let stack = Stack::start().await;
    let deployment = Deployment::start(&stack, &stack.document).await;
    let first = deployment.source.current().await;
    deployment.advance_ms(ms(SECRET_AGE_MAX) - 1);
    deployment.source.current().await;
    assert_eq!(deployment.manager.calls(), 0);
    deployment.advance_ms(1);
    let again = deployment.source.current().await;
    assert_eq!(deployment.manager.calls(), 1);
    // The same version: nothing is opened anew.
    assert!(Arc::ptr_eq(&first, &again));
    deployment.advance_ms(ms(SECRET_AGE_MAX) - 1);
    deployment.source.current().await;
    assert_eq!(deployment.manager.calls(), 0);
}

#[tokio::test]
async fn requests_that_begin_together_read_a_secret_once() {
    let stack = Stack::start().await;
    let deployment = Deployment::start(&stack, &stack.document).await;
    deployment.advance_ms(ms(SECRET_AGE_MAX));
    let source = &deployment.source;
    tokio::join!(source.current(), source.current(), source.current());
    assert_eq!(deployment.manager.calls(), 1);
}

/// Each way of failing, what the log says of it, and how often it is asked.
fn faults() -> Vec<(Vec<Fault>, &'static str, u32)> {
    let refuses = |status, kind| vec![Fault::Refuses(status, kind); 3];
    let too_large = secret_string(9, &"x".repeat(SECRET_LEN_MAX + 1));
    let endless = secret_string(9, &"x".repeat(SECRET_LEN_MAX * 3));
    let mut binary = secret_string(9, "");
    binary.as_object_mut().unwrap().remove("SecretString");
    binary["SecretBinary"] = json!("czNjcjN0");
    let no_secret = json!({ "SecretString": { MARK: MARK } });
    vec![
        (refuses(400, "AccessDeniedException"), "AccessDenied", 1),
        (refuses(400, "ResourceNotFoundException"), "ResourceNotFound", 1),
        // What a secret answers that is marked for deletion.
        (refuses(400, "InvalidRequestException"), "InvalidRequest", 1),
        (refuses(400, "DecryptionFailure"), "DecryptionFailure", 1),
        (vec![Fault::Says(binary)], "binary", 1),
        (vec![Fault::Says(too_large)], "more than 65536 bytes", 1),
        (vec![Fault::Says(endless); 3], "Secrets Manager did not", 3),
        (vec![Fault::Says(no_secret); 3], "", 1),
    ]
}

#[tokio::test]
async fn a_function_that_cannot_read_its_secret_does_not_start_and_says_why() {
    let stack = Stack::start().await;
    for (faults, named, calls) in faults() {
        let manager = SecretsManagerStandIn::start(&stack.document).await;
        manager.fail(faults);
        let started = start(&manager, &stack).await;
        let error = started.err().unwrap();
        let said = format!("{} / {error:?}", api::problem::error_chain(&error));
        assert!(said.contains(named) && !said.contains(MARK), "{said}");
        assert_eq!(manager.calls(), calls, "{said}");
    }
}

#[tokio::test]
async fn a_function_starts_though_its_first_questions_fail() {
    let stack = Stack::start().await;
    for fault in
        [Fault::Refuses(400, "ThrottlingException"), Fault::Refuses(500, "InternalServiceError")]
    {
        let manager = SecretsManagerStandIn::start(&stack.document).await;
        manager.fail([fault.clone()]);
        let started = start(&manager, &stack).await;
        assert!(started.is_ok(), "{fault:?}");
        assert_eq!(manager.calls(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_function_whose_secret_does_not_open_does_not_start_and_names_the_field() {
    let stack = Stack::start().await;
    let mut document = stack.document.clone();
    document["token_keys"] = json!([{ "id": "a", "kye": MARK }]);
    let manager = SecretsManagerStandIn::start(&document).await;
    let started = start(&manager, &stack).await;
    let said = format!("{}", started.err().unwrap());
    assert_eq!(said, "the secrets: token_keys[0].key is missing");
}

#[tokio::test]
async fn a_rotated_secret_without_a_gateway_that_is_used_is_refused_and_others_are_ignored() {
    let stack = Stack::start().await;
    let manager = SecretsManagerStandIn::start(&stack.document).await;
    let choice = GatewayChoice::read("wechat_pay,stripe").unwrap();
    let source = DepsSource::start(reader(&manager.url), choice, stack.make()).await.unwrap();
    let names = |deps: &Deps| -> Vec<String> {
        deps.gateways.names().map(|name| name.as_str().to_owned()).collect()
    };
    assert_eq!(names(&*source.current().await), ["wechat_pay", "stripe"]);
    let mut without = stack.document.clone();
    for (gateway, refused) in [("alipay", false), ("stripe", true)] {
        without["gateways"].as_object_mut().unwrap().remove(gateway).unwrap();
        manager.rotate(without.to_string());
        stack.advance_ms(ms(SECRET_AGE_MAX));
        let lines = Lines::keep("info");
        assert_eq!(names(&*source.current().await), ["wechat_pay", "stripe"], "{gateway}");
        let said = lines.text();
        assert_eq!(said.contains("gateways.stripe is missing"), refused, "{said}");
        assert_eq!(said.contains("secret renewed"), !refused, "{said}");
    }
}

#[tokio::test]
async fn while_a_secret_cannot_be_read_the_last_one_holds_on() {
    let stack = Stack::start().await;
    let deployment = Deployment::start(&stack, &stack.document).await;
    let first = deployment.source.current().await;
    let mut faults = faults();
    faults.push((vec![Fault::Silence; 3], "did not answer within 1s", 1));
    for (faults, named, _) in faults {
        let lines = Lines::keep("debug");
        deployment.manager.fail(faults);
        deployment.advance_ms(ms(SECRET_AGE_MAX));
        let deps = deployment.source.current().await;
        assert!(Arc::ptr_eq(&first, &deps), "{named}");
        assert!(deployment.manager.calls() > 0, "{named}");
        let said = lines.text();
        assert!(said.contains(named) && !said.contains(MARK), "{said}");
        assert!(said.contains("secret_not_read"), "{said}");
        // Not again with each request: a customer waits once in a while, and not always.
        deployment.advance_ms(ms(READ_AGAIN_AFTER) - 1);
        deployment.source.current().await;
        assert_eq!(deployment.manager.calls(), 0, "{named}");
        deployment.manager.fail([]);
        deployment.advance_ms(1);
        deployment.source.current().await;
        assert_eq!(deployment.manager.calls(), 1, "{named}");
    }
}

#[tokio::test]
async fn a_changed_secret_that_cannot_be_used_is_refused_and_the_last_one_holds_on() {
    let stack = Stack::start().await;
    let deployment = Deployment::start(&stack, &stack.document).await;
    let first = deployment.source.current().await;
    let changed = |pointer: &str, value: Value| {
        let mut document = stack.document.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document.to_string()
    };
    let other_secret = json!(format!("{MARK}-{}", "i".repeat(32)));
    for (json, named) in [
        (changed("/token_keys", json!(MARK)), "the secrets: token_keys must be a list"),
        (changed("/token_keys/0/key", json!(MARK)), "token_keys: a key has at least 32 bytes"),
        (changed("/gateways/wechat_pay/mchid", json!([MARK])), "gateways.wechat_pay.mchid"),
        (changed("/id_secret", other_secret), "id_secret is another one than at the start"),
        (MARK.to_owned(), "the secrets are no JSON"),
        (String::new(), "the secrets are no JSON"),
    ] {
        let lines = Lines::keep("debug");
        deployment.manager.rotate(json);
        deployment.advance_ms(ms(SECRET_AGE_MAX));
        let deps = deployment.source.current().await;
        assert!(Arc::ptr_eq(&first, &deps), "{named}");
        let said = lines.text();
        assert!(said.contains(named) && !said.contains(MARK), "{said}");
        let loud = lines.all().into_iter().filter(|line| line["level"] == "ERROR");
        assert_eq!(loud.count(), 1, "{said}");
        assert!(said.contains("secret_refused"), "{said}");
    }
    // What is right again is taken up soon.
    deployment.manager.rotate(stack.document.to_string());
    deployment.advance_ms(ms(READ_AGAIN_AFTER));
    assert!(!Arc::ptr_eq(&first, &deployment.source.current().await));
}

/// What a function with this environment says when it starts.
async fn start_with(environment: Vec<(&'static str, String)>) -> String {
    let run = move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_says_how_it_starts", "--nocapture"])
            .env_clear()
            .envs(environment)
            .env(CHILD, "1")
            .output()
            .unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.split("said: ").nth(1).unwrap_or_else(|| panic!("{text}"));
    said.lines().next().unwrap().to_owned()
}

/// Does nothing unless it is the other process.
#[tokio::test]
async fn a_process_says_how_it_starts() {
    if std::env::var_os(CHILD).is_some() {
        match source_from_environment().await {
            Ok(source) => println!("said: starts as {source:?}"),
            Err(error) => println!("said: {}", api::problem::error_chain(&error)),
        }
    }
}

#[tokio::test]
async fn a_function_finds_its_secret_by_its_environment_alone() {
    let mut document = Stack::start().await.document;
    document["token_keys"] = json!([token_key("a")]);
    let manager = SecretsManagerStandIn::start(&document).await;
    let environment = vec![
        ("LATCHPAY_SECRET_ARN", SECRET_ARN.to_owned()),
        ("TABLE_NAME", "table".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "id".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", MARK.to_owned()),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", manager.url.clone()),
    ];
    let said = start_with(environment.clone()).await;
    assert!(said.starts_with("starts as ") && !said.contains(MARK), "{said}");
    manager.fail([Fault::Refuses(400, "AccessDeniedException")]);
    let said = start_with(environment).await;
    assert!(said.contains("LATCHPAY_SECRET_ARN") && said.contains("AccessDenied"), "{said}");
    assert_eq!(manager.calls(), 2);
}

#[tokio::test]
async fn a_document_in_the_environment_is_never_read_again() {
    let stack = Stack::start().await;
    let source = DepsSource::fixed(stack.world.stack.deps.as_ref().clone());
    let first = source.current().await;
    stack.advance_ms(ms(SECRET_AGE_MAX) + 1);
    assert!(Arc::ptr_eq(&first, &source.current().await));
}
