//! Notifications: a form, signed anew for each delivery.
//!
//! Refunds have no kind of their own: a partial one repeats `TRADE_SUCCESS` with what went back,
//! and one of everything tells `TRADE_CLOSED`. Closing and running out of time are not told.
//!
//! The names are those of the notifications in `tests/vectors/alipay.json`, and for refunds those
//! of genuine ones that merchants have published.

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::keys::{SIGN_TYPE, signed_text};
use super::time::{beijing, beijing_date, beijing_milliseconds};
use super::trade::{BUYER_ID, BUYER_LOGON_ID, Status, Trade, out_request_no_of};
use super::{APP_ID, SELLER_ID, yuan};
use crate::delivery::{Answer, Outgoing};
use crate::hand_made::{self, HandMade, Mode};
use crate::ledger::{Delivery, Gateway, Payment, Refund, RefundOutcome, Subject, Transaction};
use crate::state::Shared;

/// The only body that acknowledges.
const ACKNOWLEDGEMENT: &[u8] = b"success";

/// The age of a stale notification: its signature is as good as on the first day.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// What is told, name by name.
type Fields = Vec<(&'static str, String)>;

/// Signs a queued notification now; nothing if its subject is not known or has not ended.
pub(crate) fn compose(shared: &Shared, delivery: &Delivery) -> Option<Outgoing> {
    let (payment, mut fields) = {
        let state = shared.lock();
        let payment = state.ledger.payment(&delivery.payment)?.clone();
        let fields = fields(&payment, &delivery.subject)?;
        (payment, fields)
    };
    let number: String = delivery.notification_id.chars().filter(char::is_ascii_digit).collect();
    fields.push(("notify_id", notify_id(delivery.created_at, &number)));
    outgoing(shared, payment.notify_url, fields, Mode::Valid)
}

/// Makes a notification out of nothing, for the configured callback.
pub(crate) fn hand_made(shared: &Shared, request: &HandMade) -> Option<Outgoing> {
    let (payment, transaction) = hand_made::imagined(shared, request);
    let notify_id = notify_id(transaction.paid_at, &format!("{:020}", transaction.number));
    let trade = Trade { trade_no: transaction.transaction_id.clone(), payment };
    let mut fields = paid(&trade, &transaction);
    fields.push(("notify_id", notify_id));
    outgoing(shared, hand_made::url(shared, Gateway::Alipay), fields, request.mode)
}

/// Only money that arrived is told.
pub(crate) fn tells(outcome: RefundOutcome) -> bool {
    match outcome {
        RefundOutcome::Success | RefundOutcome::FailedLater => true,
        RefundOutcome::Abnormal | RefundOutcome::Closed => false,
    }
}

/// Only 200 with exactly this body acknowledges.
pub(crate) fn acknowledges(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.body == ACKNOWLEDGEMENT
}

fn fields(payment: &Payment, subject: &Subject) -> Option<Fields> {
    match subject {
        Subject::Transaction(id) => {
            let transaction = payment.transaction(id)?;
            let trade = Trade { trade_no: id.clone(), payment: payment.clone() };
            Some(paid(&trade, transaction))
        }
        Subject::Refund(number) => {
            let refund = payment.refund(number)?;
            let trade_no = refund.transaction_id.clone();
            refunded(&Trade { trade_no, payment: payment.clone() }, refund)
        }
    }
}

/// A payment, as it was told when it was made: later refunds do not show.
fn paid(trade: &Trade, transaction: &Transaction) -> Fields {
    let amount = yuan::written(transaction.amount.amount);
    let bills = json!([{ "amount": amount, "fundChannel": "ALIPAYACCOUNT" }]);
    let mut fields = common(trade, transaction, Status::Success);
    fields.extend([
        ("receipt_amount", amount.clone()),
        ("buyer_pay_amount", amount.clone()),
        ("invoice_amount", amount),
        ("point_amount", "0.00".to_owned()),
        ("fund_bill_list", bills.to_string()),
    ]);
    fields
}

/// A refund whose money arrived.
fn refunded(trade: &Trade, refund: &Refund) -> Option<Fields> {
    let transaction = trade.transaction()?;
    let settled = refund.settled.as_ref()?;
    if !tells(settled.outcome) {
        return None;
    }
    let sum = trade.refunded_until(refund);
    let whole = sum >= transaction.amount.amount;
    let status = if whole { Status::Closed } else { Status::Success };
    let mut fields = common(trade, transaction, status);
    fields.extend([
        ("refund_fee", yuan::written(sum)),
        ("gmt_refund", beijing_milliseconds(settled.at)),
        ("out_biz_no", out_request_no_of(refund).to_owned()),
    ]);
    if whole {
        fields.push(("gmt_close", beijing(settled.at)));
    }
    Some(fields)
}

fn common(trade: &Trade, transaction: &Transaction, status: Status) -> Fields {
    let mut fields = vec![
        ("notify_type", "trade_status_sync".to_owned()),
        ("app_id", APP_ID.to_owned()),
        ("auth_app_id", APP_ID.to_owned()),
        ("charset", "utf-8".to_owned()),
        ("version", "1.0".to_owned()),
        ("trade_no", trade.trade_no.clone()),
        ("out_trade_no", trade.payment.key.payment_id.clone()),
        ("buyer_id", BUYER_ID.to_owned()),
        ("buyer_logon_id", BUYER_LOGON_ID.to_owned()),
        ("seller_id", SELLER_ID.to_owned()),
        ("seller_email", "seller@example.com".to_owned()),
        ("trade_status", status.name().to_owned()),
        ("total_amount", yuan::written(transaction.amount.amount)),
        ("gmt_create", beijing(trade.created_at())),
        ("gmt_payment", beijing(transaction.paid_at)),
        ("subject", trade.requested("subject").unwrap_or("hand-made").to_owned()),
    ];
    let optional = [
        ("body", trade.requested("body").map(str::to_owned)),
        ("passback_params", trade.payment.attach.clone()),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields
}

fn outgoing(shared: &Shared, url: String, fields: Fields, mode: Mode) -> Option<Outgoing> {
    let now = shared.now();
    let mut fields = fields;
    let notify_time = if mode == Mode::StaleTimestamp { a_day_before(now) } else { now };
    fields.push(("notify_time", beijing(notify_time)));
    if mode == Mode::WrongMerchant {
        fields.retain(|(name, _)| *name != "seller_id");
        fields.push(("seller_id", "2088000000000002".to_owned()));
    }
    let text = signed_text(fields.iter().map(|(name, value)| (*name, value.as_str())));
    // A signature over anything else is a wrong one of the right form.
    let signed = if mode == Mode::BadSignature { "" } else { &text };
    let key = shared.lock().ledger.alipay_key();
    fields.push(("sign", shared.alipay.sign(key, signed).ok()?));
    fields.push(("sign_type", SIGN_TYPE.to_owned()));
    fields.retain(|(_, value)| !value.is_empty());
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", form_encoded(value)));
    let body = pairs.collect::<Vec<_>>().join("&").into_bytes();
    let mut headers = HeaderMap::new();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
    headers.insert(CONTENT_TYPE, form);
    headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/4.0"));
    Some(Outgoing { url, headers, body })
}

fn a_day_before(now: Timestamp) -> Timestamp {
    now.checked_sub(STALE).unwrap_or(Timestamp::MIN)
}

/// 34 digits, 20 of them the number: the same for every delivery of one notification.
fn notify_id(created_at: Timestamp, number: &str) -> String {
    format!("{}002220{number}", beijing_date(created_at))
}

/// As HTML forms encode a value.
fn form_encoded(value: &str) -> String {
    let bytes = value.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_encoded_as_forms_are() {
        assert_eq!(form_encoded("a b+c&d=é%2F*-._~"), "a+b%2Bc%26d%3D%C3%A9%252F*-._%7E");
    }

    #[test]
    fn only_the_exact_word_under_200_acknowledges() {
        for (status, body, acknowledged) in [
            (200, "success", true),
            (204, "success", false),
            (500, "success", false),
            (200, "success\n", false),
            (200, "SUCCESS", false),
            (200, "", false),
        ] {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                body: body.as_bytes().into(),
            };
            assert_eq!(acknowledges(&answer), acknowledged, "{status} {body:?}");
        }
    }
}
