//! Creating a Native payment: a number and its parameters give a code to pay.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fields;
use super::objects::{bad_json, key};
use super::refusal::Refusal;
use super::server::{Call, Reply};
use super::time;
use crate::ledger::{Code, Event, Money, Payment};
use crate::state::{Shared, State};

const NOTIFY_URL_LEN_MAX: usize = 255;

/// A code lives two hours, however long its payment does.
const CODE_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// A shorter time to pay is raised to this.
const TIME_TO_PAY_MIN: Duration = Duration::from_secs(60);

/// The time to pay where none is given.
const TIME_TO_PAY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A longer time to pay is cut to this.
const TIME_TO_PAY_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateRequest {
    appid: String,
    mchid: String,
    description: String,
    out_trade_no: String,
    time_expire: Option<String>,
    attach: Option<String>,
    notify_url: String,
    goods_tag: Option<String>,
    support_fapiao: Option<bool>,
    amount: Amount,
    detail: Option<Value>,
    scene_info: Option<SceneInfo>,
    settle_info: Option<SettleInfo>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    total: i64,
    currency: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SceneInfo {
    payer_client_ip: String,
    device_id: Option<String>,
    store_info: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleInfo {
    profit_sharing: Option<bool>,
}

/// Creates the payment, or gives the same payment a fresh code.
pub(super) fn create(shared: &Shared, call: &Call) -> Result<Reply, Refusal> {
    let request: CreateRequest = serde_json::from_slice(&call.body).map_err(bad_json)?;
    check(&request)?;
    let parameters = serde_json::to_value(&request).map_err(bad_json)?;
    let now = shared.now();
    let mut state = shared.lock();
    let mut events = Vec::new();
    let expires_at = match state.ledger.payment(&key(&request.out_trade_no)) {
        Some(payment) => repeated(payment, &parameters, now)?,
        None => {
            let payment = payment(&request, parameters, now)?;
            let expires_at = payment.expires_at;
            events.push(Event::PaymentCreated(payment));
            expires_at
        }
    };
    let code = code(&mut state, expires_at, now);
    let reply = Reply::Json(json!({ "code_url": code.url }));
    events.push(Event::CodeIssued { payment: key(&request.out_trade_no), code });
    state.record(events)?;
    Ok(reply)
}

fn check(request: &CreateRequest) -> Result<(), Refusal> {
    fields::mchid(&request.mchid)?;
    fields::appid(&request.appid)?;
    fields::text("description", &request.description, 1..=127)?;
    fields::out_trade_no(&request.out_trade_no)?;
    fields::optional_text("attach", request.attach.as_ref(), 128)?;
    fields::notify_url(&request.notify_url, NOTIFY_URL_LEN_MAX)?;
    fields::optional_text("goods_tag", request.goods_tag.as_ref(), 32)?;
    fields::fen("amount.total", request.amount.total)?;
    if let Some(currency) = &request.amount.currency {
        fields::currency(currency)?;
    }
    if let Some(scene) = &request.scene_info {
        fields::text("scene_info.payer_client_ip", &scene.payer_client_ip, 1..=45)?;
        fields::optional_text("scene_info.device_id", scene.device_id.as_ref(), 32)?;
    }
    Ok(())
}

/// A number that was used before: the state decides first, then the parameters.
fn repeated(payment: &Payment, parameters: &Value, now: Timestamp) -> Result<Timestamp, Refusal> {
    if !payment.transactions.is_empty() {
        return Err(Refusal::order_paid());
    }
    if payment.closed {
        return Err(Refusal::order_closed());
    }
    if payment.request != *parameters {
        return Err(Refusal::number_used());
    }
    if now > payment.expires_at {
        return Err(Refusal::invalid_request("201 商户订单号重复: the order has expired"));
    }
    Ok(payment.expires_at)
}

fn payment(request: &CreateRequest, parameters: Value, now: Timestamp) -> Result<Payment, Refusal> {
    Ok(Payment {
        key: key(&request.out_trade_no),
        request: parameters,
        amount: Money { amount: request.amount.total, currency: "CNY".to_owned() },
        attach: request.attach.clone(),
        notify_url: request.notify_url.clone(),
        created_at: now,
        expires_at: expires_at(request.time_expire.as_deref(), now)?,
        closed: false,
        codes: Vec::new(),
        trade: None,
        transactions: Vec::new(),
        refunds: Vec::new(),
    })
}

fn expires_at(time_expire: Option<&str>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let Some(text) = time_expire else {
        return Ok(after(now, TIME_TO_PAY));
    };
    let asked = time::parse(text);
    let asked =
        asked.ok_or_else(|| Refusal::parameter("time_expire: YYYY-MM-DDTHH:mm:ss+08:00"))?;
    Ok(asked.clamp(after(now, TIME_TO_PAY_MIN), after(now, TIME_TO_PAY_MAX)))
}

fn code(state: &mut State, expires_at: Timestamp, now: Timestamp) -> Code {
    let number = state.ledger.next_number();
    // The number keeps the code unique, the rest keeps it from being guessed.
    let pr = format!("{}z{number:x}", state.random.alphanumerics(8));
    let url = format!("weixin://wxpay/bizpayurl?pr={pr}");
    Code { number, url, valid_until: after(now, CODE_LIFE).min(expires_at) }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_pay_is_kept_between_a_minute_and_ninety_days() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for (asked, kept) in [
            (None, "2026-01-08T00:00:00Z"),
            (Some("2026-01-01T08:00:59+08:00"), "2026-01-01T00:01:00Z"),
            (Some("2026-01-01T08:01:00+08:00"), "2026-01-01T00:01:00Z"),
            (Some("2026-01-01T08:01:01+08:00"), "2026-01-01T00:01:01Z"),
            (Some("2026-04-01T08:00:00+08:00"), "2026-04-01T00:00:00Z"),
            (Some("2026-04-01T08:00:01+08:00"), "2026-04-01T00:00:00Z"),
        ] {
            assert_eq!(expires_at(asked, now), Ok(kept.parse().unwrap()), "{asked:?}");
        }
    }
}
