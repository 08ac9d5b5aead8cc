//! Notifications: sealed for the merchant, signed anew for each delivery.

use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use ring::aead::NONCE_LEN;
use serde_json::{Value, json};

use super::keys::{KeyMode, Stamp, seal};
use super::objects::{self, TradeState};
use super::time::beijing;
use crate::delivery::Outgoing;
use crate::hand_made::{self, HandMade, Mode};
use crate::ledger::{Delivery, Gateway, Payment, Refund, RefundOutcome, Subject, Transaction};
use crate::state::Shared;

/// A receiver rejects what is 300 s off; this is one more.
pub(crate) const STALE_S: i64 = 301;

/// What is sealed, and how it is labelled.
struct Notice {
    notification_id: String,
    created_at: Timestamp,
    event_type: &'static str,
    summary: &'static str,
    /// Also the associated data.
    original_type: &'static str,
    plaintext: Value,
}

/// Signs a queued notification now; nothing if its subject is not known.
pub(crate) fn compose(shared: &Shared, delivery: &Delivery) -> Option<Outgoing> {
    let (url, notice) = {
        let state = shared.lock();
        let payment = state.ledger.payment(&delivery.payment)?;
        match &delivery.subject {
            Subject::Transaction(id) => {
                let transaction = payment.transaction(id)?;
                (payment.notify_url.clone(), payment_notice(payment, transaction, delivery))
            }
            Subject::Refund(number) => {
                let refund = payment.refund(number)?;
                (refund.notify_url.clone()?, refund_notice(payment, refund, delivery)?)
            }
        }
    };
    outgoing(shared, url, &notice, Mode::Valid)
}

/// Makes a notification out of nothing, for the configured callback.
pub(crate) fn hand_made(shared: &Shared, request: &HandMade) -> Option<Outgoing> {
    let (payment, transaction) = hand_made::imagined(shared, request);
    let mut plaintext = objects::paid(&payment, &transaction, TradeState::Success);
    if request.mode == Mode::WrongMerchant {
        *plaintext.get_mut("mchid")? = Value::from("1900000002");
    }
    let notice = Notice {
        notification_id: format!("EV-{:020}", transaction.number),
        created_at: transaction.paid_at,
        event_type: "TRANSACTION.SUCCESS",
        summary: "支付成功",
        original_type: "transaction",
        plaintext,
    };
    outgoing(shared, hand_made::url(shared, Gateway::WechatPay), &notice, request.mode)
}

/// Only 200 and 204 acknowledge.
pub(crate) fn acknowledges(status: StatusCode) -> bool {
    status == StatusCode::OK || status == StatusCode::NO_CONTENT
}

fn payment_notice(payment: &Payment, transaction: &Transaction, delivery: &Delivery) -> Notice {
    Notice {
        notification_id: delivery.notification_id.clone(),
        created_at: delivery.created_at,
        event_type: "TRANSACTION.SUCCESS",
        summary: "支付成功",
        original_type: "transaction",
        plaintext: objects::paid(payment, transaction, TradeState::Success),
    }
}

fn refund_notice(payment: &Payment, refund: &Refund, delivery: &Delivery) -> Option<Notice> {
    let total = payment.transaction(&refund.transaction_id)?.amount.amount;
    let (event_type, summary) = match refund.settled.as_ref()?.outcome {
        RefundOutcome::Success | RefundOutcome::FailedLater => ("REFUND.SUCCESS", "退款成功"),
        RefundOutcome::Abnormal => ("REFUND.ABNORMAL", "退款异常"),
        RefundOutcome::Closed => ("REFUND.CLOSED", "退款关闭"),
    };
    Some(Notice {
        notification_id: delivery.notification_id.clone(),
        created_at: delivery.created_at,
        event_type,
        summary,
        original_type: "refund",
        plaintext: objects::refund_notice(payment, refund, total),
    })
}

fn outgoing(shared: &Shared, url: String, notice: &Notice, mode: Mode) -> Option<Outgoing> {
    let (stamp, nonce) = stamp(shared, mode);
    let body = sealed(notice, &nonce)?.to_string().into_bytes();
    // A signature over anything else is a wrong one of the right form.
    let signed: &[u8] = if mode == Mode::BadSignature { b"{}" } else { &body };
    let mut headers = shared.wechat_pay.signed(&stamp, signed).ok()?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/4.0"));
    Some(Outgoing { url, headers, body })
}

/// Either key may sign: while a merchant moves to the public key, callbacks use both.
fn stamp(shared: &Shared, mode: Mode) -> (Stamp, String) {
    let now_s = shared.now().as_second();
    let timestamp =
        if mode == Mode::StaleTimestamp { now_s.saturating_sub(STALE_S) } else { now_s };
    let random = &mut shared.lock().random;
    let key = if random.coin() { KeyMode::PublicKey } else { KeyMode::Certificate };
    let stamp = Stamp { mode: key, timestamp, nonce: random.alphanumerics(32) };
    (stamp, random.alphanumerics(NONCE_LEN))
}

fn sealed(notice: &Notice, nonce: &str) -> Option<Value> {
    let plaintext = notice.plaintext.to_string();
    let ciphertext = seal(plaintext.as_bytes(), nonce, notice.original_type).ok()?;
    Some(json!({
        "id": notice.notification_id,
        "create_time": beijing(notice.created_at),
        "resource_type": "encrypt-resource",
        "event_type": notice.event_type,
        "summary": notice.summary,
        "resource": {
            "original_type": notice.original_type,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": ciphertext,
            "associated_data": notice.original_type,
            "nonce": nonce,
        },
    }))
}
