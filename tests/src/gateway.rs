//! The gateway that tests pay at. What is tested holds at each of them; the environment variable
//! `LATCHPAY_TEST_GATEWAY` says which one a run takes, WeChat Pay unless it is set.

use std::sync::LazyLock;

use domain::gateway::GatewayName;
use local::client::{Client, Reply};
use serde_json::{Value, json};
use settle::TRIES_UNTIL_ATTENTION;

use crate::{World, expect};

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

/// What a test sees of a gateway that differs from one to another. Each difference is stated here
/// and nowhere else.
#[derive(Debug)]
pub struct Ways {
    /// The status and the body that acknowledge a notification.
    pub acknowledgement: (u16, &'static str),
    /// The status and the body that refuse a notification, by why it is not believed.
    pub distrust: fn(&str) -> (u16, String),
    /// Whether the signature of a notification has an age.
    pub signs_time: bool,
    /// How many of the notifications of one payment tell nothing that is stored.
    pub idle_notifications: u64,
    /// Whether a payment whose create was never answered is found by our own number.
    pub finds_by_number: bool,
    /// How long after `pay_by` 'not found' may still turn into a payable code, in seconds.
    pub not_found_grace_s: i64,
    /// Whether a code is closed by the gateway itself when it is asked for from `pay_by` on.
    pub closes_at_pay_by: bool,
    /// Whether it can capture another currency than the order's.
    pub takes_other_currencies: bool,
    /// Whether a refund's event says whose payment it was; else the gateway is asked.
    pub names_refunded_payment: bool,
    /// Whether a refund that it gave up needs a new number; else the same one is taken up again.
    pub renumbers_refunds: bool,
    /// Whether it finally refuses to refund what it has not captured, or what is back already;
    /// else its answer leaves open what our own earlier sending did.
    pub refuses_impossible_refunds: bool,
    /// Its code for a refund that [`refuse_refund`] made it refuse.
    pub final_refusal: &'static str,
    /// A refund whose plan is `abnormal`.
    pub abnormal: Abnormal,
}

/// How a refund looks that cannot go on before a person acts at the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Abnormal {
    /// Why it waits for a person here.
    pub reason: &'static str,
    /// Whether the gateway has it at all.
    pub is_made: bool,
    /// How many runs of its task it takes until a person is called.
    pub runs: u32,
}

const WECHAT_PAY: Ways = Ways {
    acknowledgement: (204, ""),
    distrust: |why| (401, json!({ "code": "FAIL", "message": why }).to_string()),
    signs_time: true,
    idle_notifications: 0,
    finds_by_number: true,
    not_found_grace_s: 360,
    closes_at_pay_by: false,
    takes_other_currencies: true,
    names_refunded_payment: false,
    renumbers_refunds: true,
    refuses_impossible_refunds: true,
    final_refusal: "INVALID_REQUEST",
    abnormal: Abnormal { reason: "ABNORMAL", is_made: true, runs: 2 },
};

const ALIPAY: Ways = Ways {
    acknowledgement: (200, "success"),
    distrust: |_| (400, "failure".to_owned()),
    signs_time: false,
    idle_notifications: 0,
    finds_by_number: false,
    not_found_grace_s: 7_200,
    closes_at_pay_by: true,
    takes_other_currencies: false,
    names_refunded_payment: true,
    renumbers_refunds: false,
    refuses_impossible_refunds: false,
    final_refusal: "ACQ.TRADE_HAS_FINISHED",
    abnormal: Abnormal { reason: "ACQ.REASON_TRADE_BEEN_FREEZEN", is_made: false, runs: 1 },
};

const STRIPE: Ways = Ways {
    acknowledgement: (200, "recorded"),
    distrust: |why| (400, why.to_owned()),
    signs_time: true,
    // `charge.succeeded`, which says no more than the PaymentIntent's event.
    idle_notifications: 1,
    finds_by_number: false,
    not_found_grace_s: 1_980,
    closes_at_pay_by: false,
    takes_other_currencies: true,
    names_refunded_payment: false,
    renumbers_refunds: true,
    refuses_impossible_refunds: false,
    final_refusal: "charge_disputed",
    abnormal: Abnormal { reason: "many_tries", is_made: false, runs: TRIES_UNTIL_ATTENTION },
};

/// The ways of a gateway.
#[must_use]
pub fn ways_of(gateway: &str) -> &'static Ways {
    match gateway {
        "wechat_pay" => &WECHAT_PAY,
        "alipay" => &ALIPAY,
        "stripe" => &STRIPE,
        other => panic!("{other} is none of {EVERY_GATEWAY:?}"),
    }
}

/// The ways of this run's gateway.
#[must_use]
pub fn ways() -> &'static Ways {
    ways_of(gateway())
}

/// The status that acknowledges a notification of this run's gateway.
#[must_use]
pub fn acknowledged() -> u16 {
    ways().acknowledgement.0
}

/// Longer than any gateway refunds that ends it by time, in seconds.
const TOO_LATE_S: i64 = 366 * 86_400;
/// How long Stripe repeats what it once answered to a refund: our key for it is that of an hour.
const KEY_LIFE_S: i64 = 3_600;

/// Has this run's gateway finally refuse to give a payment back, until [`relent`]: it is too late,
/// or where that is no reason, the payment is disputed.
pub async fn refuse_refund(world: &World, payment_id: &Value) {
    match gateway() {
        "stripe" => dispute(world, payment_id, json!({})).await,
        _ => world.clock.advance_s(TOO_LATE_S),
    }
}

/// Puts right what [`refuse_refund`] made the gateway refuse for.
pub async fn relent(world: &World, payment_id: &Value) {
    match gateway() {
        "stripe" => {
            dispute(world, payment_id, json!({ "outcome": "won" })).await;
            world.clock.advance_s(KEY_LIFE_S);
        }
        _ => world.clock.advance_s(-TOO_LATE_S),
    }
}

/// Has the payer's bank dispute a payment at Stripe, or say how that ends.
pub async fn dispute(world: &World, payment_id: &Value, more: Value) {
    let ledger = world.ledger_of(payment_id).await;
    let mut body = json!({ "transaction_id": ledger["transactions"][0]["transaction_id"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    expect(200, world.nobody().post("/simulator/dispute", &body).await.unwrap());
}

/// Refunds a transaction in the merchant's own console; answers the refund's number there.
pub async fn refund_by_hand(world: &World, transaction_id: &Value) -> Value {
    let body = json!({ "transaction_id": transaction_id });
    let made = expect(200, world.nobody().post("/simulator/refund", &body).await.unwrap());
    made["refund_no"].clone()
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
