//! The trade bill of a day: where it is, and the file.
//!
//! A payment is of the day of its success, a refund of the day on which it was accepted, and its
//! state is that of the day's end. Sources, read 2026-11-23: "申请交易账单", "下载账单" and
//! "交易账单文件格式说明".

use std::fmt::Write;

use http::header::HOST;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::hmac;
use serde_json::json;

use super::keys::APIV3_KEY;
use super::objects::OPENID;
use super::refusal::Refusal;
use super::server::{Call, Reply};
use super::time::beijing_moment;
use super::{APPID, MCHID, MOUNT_PATH};
use crate::ledger::{Gateway, Ledger, Payment, Refund, RefundOutcome, Transaction};
use crate::state::Shared;

const BEIJING: Offset = Offset::constant(8);
/// When a day's bill is there, in hours of the next day.
const READY_HOUR: i8 = 10;
/// How long bills are kept, in days.
const KEPT_DAYS: i32 = 90;
/// How long a file's address is good, in seconds.
const ADDRESS_LIFE_S: i64 = 300;

const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,\
    交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,\
    充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMMARY_COLUMNS: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,\
    订单总金额,申请退款总金额";

/// Says where the bill of a day is, and what it hashes to.
pub(super) fn place(shared: &Shared, call: &Call) -> Result<Reply, Refusal> {
    let now = shared.now();
    let day = asked_day(call.query().unwrap_or_default())?;
    check_day(day, now)?;
    let contents = contents(&shared.lock().ledger, day).ok_or_else(Refusal::no_statement)?;
    let host = call.header(HOST.as_str()).unwrap_or_default();
    let until_s = now.as_second().saturating_add(ADDRESS_LIFE_S);
    let token = token(day, until_s);
    Ok(Reply::Json(json!({
        "hash_type": "SHA1",
        "hash_value": hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, contents.as_bytes()).as_ref()),
        "download_url": format!("http://{host}{MOUNT_PATH}/v3/billdownload/file?token={token}"),
    })))
}

/// The file at an address that was given out a short while ago.
pub(super) fn file(shared: &Shared, call: &Call) -> Result<Reply, Refusal> {
    let unknown = || Refusal::invalid_request("the address is not good, or not any more");
    let given = call.query().and_then(|query| query.strip_prefix("token=")).ok_or_else(unknown)?;
    let mut parts = given.split('_');
    let day = parts.next().and_then(|day| day.parse().ok()).ok_or_else(unknown)?;
    let until_s = parts.next().and_then(|until| until.parse().ok()).ok_or_else(unknown)?;
    if given != token(day, until_s) || shared.now().as_second() > until_s {
        return Err(unknown());
    }
    contents(&shared.lock().ledger, day).map(Reply::File).ok_or_else(Refusal::no_statement)
}

fn asked_day(query: &str) -> Result<Date, Refusal> {
    let mut day = None;
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("bill_date", date)) if date.len() == 10 => day = date.parse().ok(),
            Some(("bill_type", "ALL")) => {}
            _ => return Err(Refusal::parameter("bill_date: YYYY-MM-DD; bill_type: ALL")),
        }
    }
    day.ok_or_else(|| Refusal::parameter("bill_date is missing"))
}

fn check_day(day: Date, now: Timestamp) -> Result<(), Refusal> {
    let local = BEIJING.to_datetime(now);
    let today = local.date();
    let days = today.since(day).map_or(-1, |span| span.get_days());
    match days {
        1 if local.hour() < READY_HOUR => Err(Refusal::statement_creating()),
        1..=KEPT_DAYS => Ok(()),
        _ => Err(Refusal::invalid_request("bill_date is not one of the last days")),
    }
}

/// Day, last second and a proof that this server gave them out.
fn token(day: Date, until_s: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, APIV3_KEY.as_bytes());
    let said = format!("{day}_{until_s}");
    let proof = hex(hmac::sign(&key, said.as_bytes()).as_ref());
    format!("{said}_{proof}")
}

/// The bill; `None` for a day without trades.
fn contents(ledger: &Ledger, day: Date) -> Option<String> {
    let end = BEIJING.to_timestamp(day.tomorrow().ok()?.to_datetime(Time::midnight())).ok()?;
    let is_of_day = |at: Timestamp| BEIJING.to_datetime(at).date() == day;
    let (mut rows, mut sums) = (vec![], Sums::default());
    let payments = ledger.payments().filter(|one| one.key.gateway == Gateway::WechatPay);
    for payment in payments {
        for transaction in payment.transactions.iter().filter(|one| is_of_day(one.paid_at)) {
            sums.captured = sums.captured.saturating_add(transaction.amount.amount);
            rows.push(captured(payment, transaction));
        }
        for refund in payment.refunds.iter().filter(|one| is_of_day(one.created_at)) {
            sums.refunded = sums.refunded.saturating_add(refund.amount.amount);
            rows.push(refunded(payment, refund, end));
        }
    }
    (!rows.is_empty()).then(|| written(&rows, &sums))
}

#[derive(Default)]
struct Sums {
    captured: i64,
    refunded: i64,
}

fn written(rows: &[Vec<String>], sums: &Sums) -> String {
    let mut text = format!("\u{feff}{COLUMNS}\r\n");
    for row in rows {
        text.push_str(&line(row));
    }
    let (captured, refunded) = (yuan(sums.captured), yuan(sums.refunded));
    let nothing = || "0.00".to_owned();
    let summary = [
        rows.len().to_string(),
        captured.clone(),
        refunded.clone(),
        nothing(),
        "0.00000".to_owned(),
        captured,
        refunded,
    ];
    text.push_str(&format!("{SUMMARY_COLUMNS}\r\n{}", line(&summary)));
    text
}

/// Each value behind a backquote, and none of them quoted, as the gateway writes them.
fn line(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{value}")).collect();
    format!("{}\r\n", values.join(","))
}

fn captured(payment: &Payment, transaction: &Transaction) -> Vec<String> {
    let amount = yuan(transaction.amount.amount);
    let refund = ["0", "0", "0.00", "0.00", "", ""];
    let money = [amount.as_str(), "0.00"];
    let mut row = head(payment, &transaction.transaction_id, transaction.paid_at, "SUCCESS");
    row.push(transaction.amount.currency.clone());
    row.extend(money.iter().chain(&refund).map(|value| (*value).to_owned()));
    row.extend(tail(payment, &amount, "0.00"));
    row
}

fn refunded(payment: &Payment, refund: &Refund, day_end: Timestamp) -> Vec<String> {
    let amount = yuan(refund.amount.amount);
    let settled = refund.settled.as_ref().filter(|settled| settled.at < day_end);
    let state = match settled.map(|settled| settled.outcome) {
        None => "PROCESSING",
        Some(RefundOutcome::Success | RefundOutcome::FailedLater) => "SUCCESS",
        Some(RefundOutcome::Abnormal) => "CHANGE",
        Some(RefundOutcome::Closed) => "FAIL",
    };
    let (number, id) = (refund.refund_no.as_str(), refund.refund_id.as_str());
    let values = ["0.00", "0.00", id, number, &amount, "0.00", "ORIGINAL", state];
    let mut row = head(payment, &refund.transaction_id, refund.created_at, "REFUND");
    row.push(refund.amount.currency.clone());
    row.extend(values.map(str::to_owned));
    row.extend(tail(payment, "0.00", &amount));
    row
}

/// The columns up to the bank.
fn head(payment: &Payment, transaction_id: &str, at: Timestamp, state: &str) -> Vec<String> {
    let at = beijing_moment(at);
    let number = payment.key.payment_id.as_str();
    [at.as_str(), APPID, MCHID, "0", "", transaction_id, number, OPENID, "NATIVE", state, "OTHERS"]
        .map(str::to_owned)
        .to_vec()
}

/// The columns from what is sold.
fn tail(payment: &Payment, order: &str, refund: &str) -> [String; 7] {
    let sold = payment.request.get("description").and_then(|text| text.as_str());
    let sold = sold.unwrap_or_default();
    let attach = payment.attach.as_deref().unwrap_or_default();
    [sold, attach, "0.00000", "0.60%", order, refund, ""].map(str::to_owned)
}

/// Fen as yuan with two decimals.
fn yuan(fen: i64) -> String {
    let (yuan, rest) = (fen.checked_div(100), fen.checked_rem(100));
    format!("{}.{:02}", yuan.unwrap_or_default(), rest.unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
