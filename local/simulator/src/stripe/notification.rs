//! Webhooks: event objects for the configured endpoint, signed anew for each delivery.
//!
//! <https://docs.stripe.com/webhooks> (read 2026-11-24).

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::book::{Book, Intent, IntentStatus, Metadata, Notice, Session, payment_key};
use super::execution::{Told, envelope};
use super::{WEBHOOK_SECRET, WEBHOOK_SECRET_PREVIOUS, objects, signature};
use crate::delivery::Outgoing;
use crate::hand_made::{HandMade, Mode};
use crate::ledger::{Delivery, Gateway, Subject};
use crate::state::Shared;
use crate::wechat_pay::notification::STALE_S;

/// What an event of a transaction is told by when it is told once more; the first that exists.
const TRANSACTION_EVENTS: [&str; 3] = [
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "payment_intent.succeeded",
];

/// The same for a refund that has ended.
const REFUND_EVENTS: [&str; 2] = ["refund.failed", "refund.updated"];

/// Signs a queued event now; nothing where no such event was made.
pub(crate) fn compose(shared: &Shared, delivery: &Delivery) -> Option<Outgoing> {
    let body = {
        let state = shared.lock();
        let book = state.ledger.stripe();
        let queued = book.notice(&delivery.notification_id);
        let notice = queued.or_else(|| main_notice(book, &delivery.subject));
        notice?.body.clone()
    };
    outgoing(shared, &body, Mode::Valid)
}

/// Makes an event out of nothing: a paid session with its echo.
pub(crate) fn hand_made(shared: &Shared, request: &HandMade) -> Option<Outgoing> {
    let (session, intent, event_id) = imagined(shared, request);
    let mut object = objects::session(&session, Some(&intent));
    *object.get_mut("payment_status")? = Value::from("paid");
    let other_mode = request.mode == Mode::WrongMerchant;
    *object.get_mut("livemode")? = Value::from(other_mode);
    let told = Told::new("checkout.session.completed", request.success_time, object);
    let mut body = envelope(&event_id, &told, None);
    *body.get_mut("livemode")? = Value::from(other_mode);
    outgoing(shared, &body, request.mode)
}

/// Every success acknowledges.
pub(crate) fn acknowledges(status: StatusCode) -> bool {
    status.is_success()
}

/// What tells of a transaction or of a refund's end by itself.
fn main_notice<'a>(book: &'a Book, subject: &Subject) -> Option<&'a Notice> {
    let (about, kinds) = match subject {
        Subject::Transaction(id) => (id, TRANSACTION_EVENTS.as_slice()),
        Subject::Refund(refund_no) => (refund_no, REFUND_EVENTS.as_slice()),
    };
    kinds.iter().find_map(|kind| book.notice_about(about, kind))
}

/// The session that a hand-made event tells of. It enters no ledger.
fn imagined(shared: &Shared, request: &HandMade) -> (Session, Intent, String) {
    let mut state = shared.lock();
    let number = state.ledger.next_number();
    let random = &mut state.random;
    let id = objects::session_id(number, random);
    let fresh = objects::intent_id(number, random);
    let event_id = objects::id("evt_1", number, random);
    let intent_id = request.transaction_id.clone().unwrap_or(fresh);
    let mut metadata = Metadata::from([("payment_id".to_owned(), request.out_trade_no.clone())]);
    metadata.extend(request.attach.clone().map(|echo| ("echo".to_owned(), echo)));
    let at = request.success_time;
    let types = vec!["card".to_owned()];
    let intent = Intent {
        number,
        id: intent_id.clone(),
        payment: payment_key(&request.out_trade_no),
        session: Some(id.clone()),
        amount: request.amount.clone(),
        metadata: metadata.clone(),
        description: None,
        payment_method_types: types.clone(),
        created_at: at,
        searchable_at: Timestamp::MAX,
        status: IntentStatus::Succeeded,
        code: None,
        canceled: None,
        declined: None,
        charge: None,
    };
    let session = Session {
        number,
        id,
        payment: payment_key(&request.out_trade_no),
        url: String::new(),
        amount: request.amount.clone(),
        client_reference_id: Some(request.out_trade_no.clone()),
        metadata: metadata.clone(),
        intent_metadata: metadata,
        description: None,
        success_url: String::new(),
        cancel_url: None,
        payment_method_types: types,
        created_at: at,
        expires_at: at,
        expired: None,
        tried: None,
        intents: vec![intent_id],
    };
    (session, intent, event_id)
}

fn outgoing(shared: &Shared, body: &Value, mode: Mode) -> Option<Outgoing> {
    let base = shared.config.callbacks_base_url.trim_end_matches('/');
    let url = format!("{base}/{}", Gateway::Stripe.name());
    let body = format!("{body:#}").into_bytes();
    // A signature over anything else is a wrong one of the right form.
    let signed: &[u8] = if mode == Mode::BadSignature { b"{}" } else { &body };
    let now_s = shared.now().as_second();
    let timestamp =
        if mode == Mode::StaleTimestamp { now_s.saturating_sub(STALE_S) } else { now_s };
    let signature = signature::header(timestamp, secrets(shared), signed);
    let mut headers = http::HeaderMap::new();
    let name = HeaderName::from_static("stripe-signature");
    headers.insert(name, HeaderValue::from_str(&signature).ok()?);
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(CONTENT_TYPE, json);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*; q=0.5, application/xml"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let agent = HeaderValue::from_static("Stripe/1.0 (+https://stripe.com/docs/webhooks)");
    headers.insert(USER_AGENT, agent);
    Some(Outgoing { url, headers, body })
}

/// While the secret is being rolled the previous one signs too.
fn secrets(shared: &Shared) -> &'static [&'static str] {
    if shared.lock().faults.webhook_secret_rolls {
        return &[WEBHOOK_SECRET_PREVIOUS, WEBHOOK_SECRET];
    }
    &[WEBHOOK_SECRET]
}
