//! The gateway that tests pay at. What is tested holds at each of them; the environment variable
//! `LATCHPAY_TEST_GATEWAY` says which one a run takes, WeChat Pay unless it is set.

use std::sync::LazyLock;

use domain::gateway::GatewayName;
use local::client::{Client, Reply};
use serde_json::{Value, json};

/// The gateways that tests can pay at.
pub const EVERY_GATEWAY: [&str; 3] = ["wechat_pay", "alipay", "stripe"];

static GATEWAY: LazyLock<&'static str> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "a run of the tests is told its gateway")]
    let wanted = std::env::var("LATCHPAY_TEST_GATEWAY").ok();
    let wanted = wanted.as_deref().unwrap_or("wechat_pay");
    let known = EVERY_GATEWAY.into_iter().find(|gateway| *gateway == wanted);
    known.unwrap_or_else(|| panic!("LATCHPAY_TEST_GATEWAY is none of {EVERY_GATEWAY:?}"))
});

/// The gateway of this run.
#[must_use]
pub fn gateway() -> &'static str {
    *GATEWAY
}

/// Its name as the domain has it.
#[must_use]
pub fn gateway_name() -> GatewayName {
    GatewayName::parse(gateway()).unwrap()
}

/// The status that acknowledges a notification of this run's gateway.
#[must_use]
pub fn acknowledged() -> u16 {
    match gateway() {
        "wechat_pay" => 204,
        _ => 200,
    }
}

/// Has the wallet scan the code that a reply shows, where there is nothing to close or to ask for
/// until somebody does. Tests of unscanned codes ask for theirs without it.
pub async fn scanned(client: &Client, reply: Reply) -> Reply {
    let code_url = &reply.body["payment"]["code_url"];
    if reply.body["payment"]["gateway"] == "alipay" && code_url.is_string() {
        scan(client, code_url).await;
    }
    reply
}

/// Has the wallet scan a code without paying it.
pub async fn scan(client: &Client, code_url: &Value) {
    let body = json!({ "code_url": code_url });
    let answer = client.post("/simulator/scan", &body).await.unwrap();
    // A code that somebody paid or closed meanwhile cannot be scanned, which is just as well.
    assert!(matches!(answer.status, 200 | 409), "{answer:?}");
}
