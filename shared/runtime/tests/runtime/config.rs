//! Configuration: what is missing or wrong is named, and no secret is ever quoted.

use std::error::Error;
use std::process::Command;

use runtime::config::{
    CHECKOUT_URL, ConfigError, GATEWAYS, GatewayChoice, RETURN_URLS, SECRET_ARN, SECRETS,
    TABLE_NAME, open_secrets, source_from_environment,
};
use runtime::lambda::serve_events;
use serde_json::{Value, json};

/// Stands in every secret of these tests.
const MARK: &str = "s3cr3t";
/// What a deployment cannot do without.
const REQUIRED: [&str; 5] =
    [SECRETS, TABLE_NAME, "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Tells the test program that it is the process whose environment is looked at.
const CHILD: &str = "LATCHPAY_TEST_CHILD";

fn secrets() -> Value {
    let vectors = include_str!("../../../gateways/tests/vectors/wechat.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    json!({
        "id_secret": format!("{MARK}-{}", "i".repeat(32)),
        "token_keys": [{ "id": "new", "key": format!("{MARK}-{}", "t".repeat(32)) }],
        "gateways": { "wechat_pay": {
            "mchid": "1900000109",
            "appid": "wxd678efh567hg6787",
            "merchant_serial": "444F4864EA9B34415A51E1B8C1C0F2D3A4B5C6D7",
            "merchant_private_key_pem": vectors["config"]["merchant_private_key_pem"],
            "apiv3_keys": [format!("{MARK}{}", "k".repeat(26))],
            "verify_keys": [{
                "serial": "PUB_KEY_ID_0119000001092026010100000000000001",
                "pem": include_str!("../../../gateways/tests/keys/gateway_public_key.pem"),
            }],
            "notify_url": "https://pay.example.com/v1/callbacks/wechat_pay",
        }}
    })
}

/// All that an error says, to people and in logs.
fn text_of(error: &dyn Error) -> String {
    let mut text = format!("{error} / {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" / {cause} / {cause:?}"));
        source = cause.source();
    }
    text
}

#[track_caller]
fn refusal(secrets: &str) -> String {
    let error = open_secrets(secrets).unwrap_err();
    let text = text_of(&error);
    assert!(!text.contains(MARK), "{text}");
    assert!(!text.contains("PRIVATE KEY-----"), "{text}");
    error.to_string()
}

#[test]
fn secrets_that_are_right_open_and_show_nothing() {
    let opened = open_secrets(&secrets().to_string()).unwrap();
    let shown = format!("{opened:?}");
    assert!(!shown.contains(MARK), "{shown}");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    assert!(shown.contains("wechat_pay"), "{shown}");
}

#[test]
fn gateways_to_use_are_names_between_commas() {
    for names in ["wechat_pay", "alipay,wechat_pay"] {
        assert!(GatewayChoice::read(names).is_ok(), "{names}");
    }
    for names in ["", ",", "alipay,", "alipay, wechat_pay", "Alipay", "alipay;wechat_pay"] {
        let error = GatewayChoice::read(names).unwrap_err();
        assert!(matches!(error, ConfigError::GatewayNames), "{names}: {error:?}");
    }
}

#[test]
fn a_gateway_to_use_that_the_secrets_lack_is_named() {
    let open = |choice: GatewayChoice| choice.open(&secrets().to_string());
    assert!(open(GatewayChoice::default()).is_ok());
    assert!(open(GatewayChoice::read("wechat_pay").unwrap()).is_ok());
    let error = open(GatewayChoice::read("wechat_pay,alipay").unwrap()).unwrap_err();
    let expected = format!("gateways.alipay is missing, and {GATEWAYS} names it");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_function_reads_which_gateways_to_use_from_its_environment() {
    for (names, begins) in [
        ("", "starts as "),
        ("wechat_pay", "starts as "),
        ("alipay", "gateways.alipay is missing"),
        ("WeChat", "LATCHPAY_GATEWAYS is no list of gateways"),
    ] {
        let mut environment = environment();
        environment.push((GATEWAYS, names.to_owned()));
        let said = start_with(&environment);
        assert!(said.starts_with(begins), "{names}: {said}");
    }
}

#[test]
fn a_field_that_is_missing_or_unknown_or_of_another_kind_is_named() {
    let marked = || json!(MARK);
    for (pointer, value, named) in [
        ("/id_secret", None, "id_secret is missing"),
        ("/id_secret", Some(json!([MARK])), "id_secret must be a text"),
        ("/token_keys", None, "token_keys is missing"),
        ("/token_keys", Some(marked()), "token_keys must be a list"),
        ("/token_keys/0", Some(marked()), "token_keys[0] must be an object"),
        ("/token_keys/0/id", None, "token_keys[0].id is missing"),
        ("/token_keys/0/key", None, "token_keys[0].key is missing"),
        ("/token_keys/0/key", Some(json!({ MARK: 1 })), "token_keys[0].key must be a text"),
        ("/token_keys/0/kye", Some(marked()), "token_keys[0].kye is not a known field"),
        ("/gateways", None, "gateways is missing"),
        ("/gateways", Some(marked()), "gateways must be an object"),
        ("/gateways", Some(json!({})), "gateways names no gateway"),
        ("/id_secrets", Some(marked()), "id_secrets is not a known field"),
    ] {
        let text = refusal(&changed(pointer, value));
        assert_eq!(text, format!("the secrets: {named}"), "{pointer}");
    }
}

#[test]
fn a_value_that_cannot_be_used_is_named() {
    let short = || json!(format!("{MARK}-{}", "x".repeat(24)));
    let twice = json!([{ "id": "a", "key": "k".repeat(32) }, { "id": "a", "key": "l".repeat(32) }]);
    for (pointer, value, named) in [
        ("/id_secret", short(), "id_secret"),
        ("/id_secret", json!(""), "id_secret"),
        ("/token_keys", json!([]), "token_keys"),
        ("/token_keys", twice, "token_keys"),
        ("/token_keys/0/key", short(), "token_keys"),
        ("/token_keys/0/id", json!(format!("{MARK} with a space")), "token_keys"),
        ("/gateways/wechat_pay", json!(MARK), "gateways.wechat_pay"),
        ("/gateways/stripe", json!({ "key": MARK }), "gateways.stripe"),
        ("/gateways/wechat_pay/mchid", json!(""), "gateways.wechat_pay.mchid"),
        ("/gateways/wechat_pay/mchid", json!([MARK]), "gateways.wechat_pay.mchid"),
        ("/gateways/wechat_pay/appid", json!(null), "gateways.wechat_pay.appid"),
        ("/gateways/wechat_pay/apiv3_keys/0", short(), "gateways.wechat_pay.apiv3_keys[0]"),
        ("/gateways/wechat_pay/apiv3_keys", json!(MARK), "gateways.wechat_pay.apiv3_keys"),
        ("/gateways/wechat_pay/notify_url", json!(MARK), "gateways.wechat_pay.notify_url"),
        (
            "/gateways/wechat_pay/merchant_private_key_pem",
            json!(MARK),
            "gateways.wechat_pay.merchant_private_key_pem",
        ),
        ("/gateways/wechat_pay/verify_keys/0/pem", json!(MARK), "gateways.wechat_pay.verify_keys"),
        ("/gateways/wechat_pay/apiv3_key", json!(MARK), "gateways.wechat_pay.apiv3_key"),
    ] {
        let text = refusal(&changed(pointer, Some(value)));
        assert!(text.contains(named), "{pointer}: {text}");
    }
}

#[test]
fn a_document_that_is_no_json_object_says_where_and_not_what() {
    let cut = secrets().to_string();
    let cut = &cut[..cut.len() - 2];
    for (document, named) in [
        ("", "line 1, column 0"),
        (cut, "line 1, column"),
        (&format!("{{\"id_secret\": {MARK}}}"), "line 1, column 15"),
        (&format!("\"{MARK}\""), "the document must be an object"),
        ("null", "the document must be an object"),
    ] {
        let text = refusal(document);
        assert!(text.starts_with("the secrets") && text.contains(named), "{text}");
    }
}

/// The secrets with a field set, or removed.
fn changed(pointer: &str, value: Option<Value>) -> String {
    let mut secrets = secrets();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (secrets.pointer_mut(parent).unwrap(), value) {
        (Value::Array(list), Some(value)) => list[name.parse::<usize>().unwrap()] = value,
        (fields, Some(value)) => fields[name] = value,
        (fields, None) => {
            fields.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    secrets.to_string()
}

/// What a function with this environment says when it starts.
fn start_with(environment: &[(&str, String)]) -> String {
    process_with("config::a_process_says_what_its_environment_lacks", environment)
}

/// What another process with this environment says in a test.
fn process_with(test: &str, environment: &[(&str, String)]) -> String {
    // The environment of this process cannot be changed safely, that of another one can.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.split("said: ").nth(1).unwrap_or_else(|| panic!("{text}"));
    said.lines().next().unwrap().to_owned()
}

fn environment() -> Vec<(&'static str, String)> {
    REQUIRED
        .into_iter()
        .map(|name| match name {
            SECRETS => (name, secrets().to_string()),
            _ => (name, format!("{MARK}-{name}")),
        })
        .collect()
}

/// Does nothing unless it is the other process.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the process that started it reads this")]
async fn a_process_says_what_its_environment_lacks() {
    if std::env::var_os(CHILD).is_some() {
        match source_from_environment().await {
            Ok(source) => println!("said: starts as {source:?}"),
            Err(error) => println!("said: {}", text_of(&error)),
        }
    }
}

#[test]
fn a_function_starts_with_what_is_required_and_shows_none_of_it() {
    for endpoint in [None, Some("http://127.0.0.1:1")] {
        let mut environment = environment();
        environment.extend(endpoint.map(|url| ("AWS_ENDPOINT_URL_DYNAMODB", url.to_owned())));
        let said = start_with(&environment);
        assert!(said.starts_with("starts as "), "{said}");
        assert!(!said.contains(MARK), "{said}");
    }
}

#[test]
fn a_variable_that_is_missing_or_empty_is_named() {
    for name in REQUIRED {
        let mut missing = environment();
        missing.retain(|(other, _)| *other != name);
        let mut empty = missing.clone();
        empty.push((name, String::new()));
        for environment in [missing, empty] {
            let said = start_with(&environment);
            let expected = match name {
                SECRETS => format!("neither {SECRET_ARN} nor {SECRETS} is set"),
                _ => format!("the environment variable {name} is not set"),
            };
            assert!(said.starts_with(&expected), "{name}: {said}");
            assert!(!said.contains(MARK), "{said}");
        }
    }
}

/// Does nothing unless it is the other process.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the process that started it reads this")]
async fn a_process_says_what_its_sandbox_would_show() {
    if std::env::var_os(CHILD).is_some() {
        let served = serve_events(|_, event| Box::pin(async { Ok(event) })).await;
        // A binary's end with an error is shown as `Debug` writes it.
        println!("said: {:?}", served.unwrap_err());
    }
}

#[test]
fn a_function_that_cannot_start_says_why_in_words() {
    let said = process_with("config::a_process_says_what_its_sandbox_would_show", &[]);
    assert!(said.contains(&format!("neither {SECRET_ARN} nor {SECRETS} is set")), "{said}");
}

#[test]
fn secrets_that_are_in_two_places_are_in_neither() {
    let mut environment = environment();
    environment.push((SECRET_ARN, format!("arn:aws:secretsmanager:{MARK}")));
    let said = start_with(&environment);
    assert!(said.starts_with(&format!("{SECRET_ARN} and {SECRETS} are both set")), "{said}");
    assert!(!said.contains(MARK), "{said}");
}

#[test]
fn links_lead_where_the_environment_says_and_what_it_cannot_mean_is_named() {
    for (name, value, says) in [
        (CHECKOUT_URL, "https://pay.example.com", "starts as "),
        (CHECKOUT_URL, "https://pay.example.com:8443", "starts as "),
        (CHECKOUT_URL, "http://127.0.0.1:8080", "starts as "),
        (CHECKOUT_URL, "", "starts as "),
        (CHECKOUT_URL, "https://pay.example.com/", "LATCHPAY_CHECKOUT_URL is not "),
        (CHECKOUT_URL, "https://pay.example.com/latchpay", "LATCHPAY_CHECKOUT_URL is not "),
        (CHECKOUT_URL, "http://pay.example.com", "LATCHPAY_CHECKOUT_URL is not "),
        (CHECKOUT_URL, "pay.example.com", "LATCHPAY_CHECKOUT_URL is not "),
        (CHECKOUT_URL, "https://pay.example.com?a", "LATCHPAY_CHECKOUT_URL is not "),
        (RETURN_URLS, "https://shop.example.com, https://b.example/c", "starts as "),
        (RETURN_URLS, "", "starts as "),
        (
            RETURN_URLS,
            "https://shop.example.com,http://b.example",
            "LATCHPAY_RETURN_URLS: http://b.example is no https URL",
        ),
    ] {
        let mut environment = environment();
        environment.push((name, value.to_owned()));
        let said = start_with(&environment);
        assert!(said.starts_with(says), "{name}={value}: {said}");
    }
}

#[test]
fn an_empty_place_of_the_secrets_is_none() {
    let mut environment = environment();
    environment.push((SECRET_ARN, String::new()));
    let said = start_with(&environment);
    assert!(said.starts_with("starts as "), "{said}");
}
