//! Precreating: a number and its parameters give a code, but not yet a trade.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::trade::{self, key};
use super::{SELLER_ID, fields, time};
use crate::ledger::{Code, Event, Money, Payment};
use crate::state::{Shared, State};

/// The contracts under which codes are precreated.
const PRODUCT_CODES: [&str; 2] = ["FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE"];

/// A code lives two hours, however long its trade does.
const CODE_LIFE: SignedDuration = SignedDuration::from_hours(2);

/// The time to pay where none is given.
const TIME_TO_PAY: SignedDuration = SignedDuration::from_hours(3);

/// <https://docs.open.alipay.com/api_1/alipay.trade.precreate>, read 2026-11-24.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrecreateRequest {
    out_trade_no: String,
    total_amount: String,
    subject: String,
    seller_id: Option<String>,
    product_code: Option<String>,
    body: Option<String>,
    passback_params: Option<String>,
    timeout_express: Option<String>,
    time_expire: Option<String>,
    qr_code_timeout_express: Option<String>,
    store_id: Option<String>,
    operator_id: Option<String>,
    terminal_id: Option<String>,
    merchant_order_no: Option<String>,
    disable_pay_channels: Option<String>,
    enable_pay_channels: Option<String>,
    discountable_amount: Option<String>,
    undiscountable_amount: Option<String>,
    goods_detail: Option<Value>,
    extend_params: Option<Value>,
    business_params: Option<Value>,
    query_options: Option<Value>,
}

/// What a code is made for.
struct Wanted {
    request: PrecreateRequest,
    parameters: Value,
    fen: i64,
    notify_url: String,
    expires_at: Timestamp,
    code_until: Timestamp,
}

/// Gives the number a code; a number may have several.
pub(super) fn precreate(shared: &Shared, call: &Call) -> Result<Object, Refusal> {
    let now = shared.now();
    let wanted = wanted(call, now)?;
    let mut state = shared.lock();
    let key = key(&wanted.request.out_trade_no);
    let mut events = Vec::new();
    let mut expires_at = wanted.expires_at;
    match state.ledger.payment(&key).cloned() {
        Some(mut known) if known.trade.is_some() => {
            trade::close_if_late(&mut state, &mut known, now)?;
            check_unchanged(&known, &wanted.parameters)?;
            expires_at = known.expires_at;
        }
        // No trade is bound to earlier parameters, so the latest ones count for every code.
        known => events.push(Event::PaymentCreated(payment(&wanted, known, now))),
    }
    let code = code(&mut state, wanted.code_until.min(expires_at));
    let reply = Object::success()
        .with("out_trade_no", wanted.request.out_trade_no)
        .with("qr_code", code.url.as_str());
    events.push(Event::CodeIssued { payment: key, code });
    state.record(events)?;
    Ok(reply)
}

fn wanted(call: &Call, now: Timestamp) -> Result<Wanted, Refusal> {
    let request: PrecreateRequest = fields::biz_content(&call.biz_content)?;
    check(&request)?;
    let fen = fields::fen("total_amount", &request.total_amount)?;
    let parameters = serde_json::to_value(&request);
    let parameters = parameters.map_err(|error| Refusal::parameter(error.to_string()))?;
    let code_life = request.qr_code_timeout_express.as_deref();
    let code_until = code_life.map(|text| fields::timeout("qr_code_timeout_express", text, now));
    Ok(Wanted {
        parameters,
        fen,
        notify_url: call.notify_url.clone().unwrap_or_default(),
        expires_at: expires_at(&request, now)?,
        code_until: code_until.transpose()?.unwrap_or(Timestamp::MAX).min(after(now, CODE_LIFE)),
        request,
    })
}

fn check(request: &PrecreateRequest) -> Result<(), Refusal> {
    fields::out_trade_no(&request.out_trade_no)?;
    fields::subject(&request.subject)?;
    if request.seller_id.as_ref().is_some_and(|seller| seller != SELLER_ID) {
        return Err(Refusal::business("ACQ.PARTNER_ERROR", "应用APP_ID填写错误"));
    }
    let product = request.product_code.as_deref();
    if !product.is_none_or(|product| PRODUCT_CODES.contains(&product)) {
        return Err(Refusal::business("ACQ.ACCESS_FORBIDDEN", "无权限使用接口"));
    }
    if let Some(passback_params) = &request.passback_params {
        fields::passback_params(passback_params)?;
    }
    fields::optional_text("body", request.body.as_ref(), 128)?;
    fields::optional_text("store_id", request.store_id.as_ref(), 32)?;
    fields::optional_text("operator_id", request.operator_id.as_ref(), 28)?;
    fields::optional_text("terminal_id", request.terminal_id.as_ref(), 32)
}

/// The absolute time wins over the relative one.
fn expires_at(request: &PrecreateRequest, now: Timestamp) -> Result<Timestamp, Refusal> {
    let relative = request.timeout_express.as_deref();
    let relative =
        relative.map(|text| fields::timeout("timeout_express", text, now)).transpose()?;
    let Some(absolute) = &request.time_expire else {
        return Ok(relative.unwrap_or_else(|| after(now, TIME_TO_PAY)));
    };
    let absolute = time::parse(absolute).filter(|at| *at > now);
    absolute.ok_or_else(|| Refusal::parameter("time_expire: yyyy-MM-dd HH:mm:ss, in the future"))
}

/// A number whose code was scanned: the state decides first, then the parameters.
fn check_unchanged(known: &Payment, parameters: &Value) -> Result<(), Refusal> {
    if !known.transactions.is_empty() {
        return Err(Refusal::business("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"));
    }
    if known.closed {
        return Err(Refusal::trade_closed());
    }
    if known.request != *parameters {
        return Err(Refusal::business("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"));
    }
    Ok(())
}

fn payment(wanted: &Wanted, known: Option<Payment>, now: Timestamp) -> Payment {
    let known = known.map(|known| (known.codes, known.created_at));
    let (codes, created_at) = known.unwrap_or_else(|| (Vec::new(), now));
    Payment {
        key: key(&wanted.request.out_trade_no),
        request: wanted.parameters.clone(),
        amount: Money { amount: wanted.fen, currency: "CNY".to_owned() },
        attach: wanted.request.passback_params.clone(),
        notify_url: wanted.notify_url.clone(),
        created_at,
        expires_at: wanted.expires_at,
        closed: false,
        codes,
        trade: None,
        transactions: Vec::new(),
        refunds: Vec::new(),
    }
}

fn code(state: &mut State, valid_until: Timestamp) -> Code {
    let number = state.ledger.next_number();
    // The number keeps the code unique, the rest keeps it from being guessed.
    let url = format!("https://qr.alipay.com/bax{}z{number:x}", state.random.alphanumerics(12));
    Code { number, url, valid_until }
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
