//! Stripe's side: what it signs, and what its objects say. It signs no replies: what their objects
//! say is all that vouches for them.

use domain::gateway::Capture;
use domain::money::Money;
use gateways::stripe::{NAME, Stripe, StripeCode, StripeSettings};
use gateways::{CloseOutcome, CreateOutcome, Event, Gateway, QueryOutcome, RefundOutcome};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::stripe::merchant_settings;
use simulator::stripe::signature::header;

use super::{Asked, Peer, Reply, Sent, Told, object, text};

const SIGNATURE: &str = "stripe-signature";
/// What is signed longer ago, or further ahead, is refused, in seconds. Source:
/// <https://docs.stripe.com/webhooks#replay-attacks>, read 2026-11-24.
const SIGNATURE_LIFE_S: u64 = 300;
/// When what a sealed notification tells of happened, in seconds of Unix time.
const CREATED_S: i64 = 1_767_225_570;
/// What marks the metadata of a PaymentIntent whose own code is shown.
const QR_CODE: &str = "wechat_pay_qr";

pub(super) struct StripePeer {
    code: StripeCode,
    gateway: Stripe,
}

impl StripePeer {
    pub(super) fn new(code: StripeCode) -> Self {
        let merchant = merchant_settings();
        let success_url = match code {
            StripeCode::CheckoutSession => Some("https://shop.example.com/paid".to_owned()),
            StripeCode::WechatPayQr => None,
        };
        let settings = StripeSettings {
            secret_key: merchant.secret_key.to_owned(),
            webhook_secrets: merchant.webhook_secrets.map(str::to_owned).to_vec(),
            code,
            success_url,
            cancel_url: None,
            base_url: "https://api.stripe.com".to_owned(),
        };
        Self { code, gateway: Stripe::new(settings).expect("usable settings") }
    }
}

impl Peer for StripePeer {
    fn name(&self) -> &'static str {
        match self.code {
            StripeCode::CheckoutSession => NAME,
            StripeCode::WechatPayQr => "stripe_wechat_pay_qr",
        }
    }

    fn gateway(&self) -> &dyn Gateway {
        &self.gateway
    }

    /// The contents are the object that changed.
    fn seal(&self, kind: &str, contents: &[u8]) -> Vec<u8> {
        let event = json!({
            "id": "evt_1Latchpay00000000000001",
            "object": "event",
            "api_version": merchant_settings().api_version,
            "created": CREATED_S,
            "livemode": false,
            "pending_webhooks": 1,
            "type": kind,
        });
        let event = event.to_string();
        let open = event.strip_suffix('}').expect("an object");
        [open.as_bytes(), br#","data":{"object":"#, contents, b"}}"].concat()
    }

    fn sign(&self, at_s: i64, body: &[u8]) -> Option<Sent> {
        // Either secret may sign, and while one is rolled both do.
        let [current, previous] = merchant_settings().webhook_secrets;
        let secrets = match body.len() % 3 {
            0 => vec![current],
            1 => vec![previous],
            _ => vec![previous, current],
        };
        let value = HeaderValue::try_from(header(at_s, &secrets, body)).expect("a header");
        Some(Sent {
            headers: HeaderMap::from_iter([(signature_name(), value)]),
            body: body.to_vec(),
        })
    }

    fn has_signed(&self, Sent { headers, body }: &Sent, now: Timestamp) -> bool {
        let values: Vec<_> = headers.get_all(SIGNATURE).iter().map(HeaderValue::to_str).collect();
        let [Ok(value)] = values.as_slice() else { return false };
        let mut times = value.split(',').filter_map(|part| part.strip_prefix("t="));
        let (Some(time), None) = (times.next(), times.next()) else { return false };
        let Ok(at_s) = time.parse::<i64>() else { return false };
        let genuine = header(at_s, &merchant_settings().webhook_secrets, body);
        let genuine: Vec<_> = genuine.split(',').filter(|part| part.starts_with("v1=")).collect();
        let is_near = now.as_second().abs_diff(at_s) <= SIGNATURE_LIFE_S;
        is_near && value.split(',').any(|part| genuine.contains(&part))
    }

    fn check_event(&self, kind: &str, contents: &[u8], event: &Event) {
        let Some(changed) = object(contents).filter(is_strict) else { return };
        match event {
            Event::Paid { payment_id, echo, gateway_ref, capture } => {
                let paid_at = Timestamp::from_second(CREATED_S).ok();
                assert_eq!(Some(capture.paid_at), paid_at);
                assert_eq!(of(&changed["metadata"], "echo"), text(echo.as_ref()));
                assert_ne!(echo.as_deref(), Some(""));
                let told = (payment_id.as_str(), gateway_ref.as_deref());
                if kind == "payment_intent.succeeded" {
                    check_intent_event(&changed, told, capture);
                } else {
                    check_session_event(kind, &changed, told, capture);
                }
            }
            Event::Refund { payment, number, amount, outcome } => {
                let kinds =
                    ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"];
                assert!(kinds.contains(&kind));
                let words = &changed["metadata"];
                let ours = words["refund_number"].as_str().zip(words["payment_id"].as_str());
                let payment_id = ours.map(|(_, payment_id)| payment_id);
                assert_eq!(payment.payment_id.as_deref(), payment_id);
                assert_eq!(number, ours.map_or(of(&changed, "id"), |(number, _)| number));
                assert_eq!(changed["payment_intent"], payment.transaction_id.as_str());
                assert_eq!(payment.echo, None);
                check_money(&changed, "amount", *amount);
                check_refund_status(&changed, outcome);
            }
            Event::Dispute { payment, number, amount } => {
                assert!(matches!(kind, "charge.dispute.created" | "charge.dispute.closed"));
                assert_eq!(changed["id"], number.as_str());
                assert_eq!(changed["payment_intent"], payment.transaction_id.as_str());
                assert!(payment.payment_id.is_none() && payment.echo.is_none());
                check_money(&changed, "amount", *amount);
            }
            Event::PaidUndated { .. } => panic!("Stripe tells no such thing: {event:?}"),
        }
    }

    fn sign_reply(&self, _at_s: i64, _name: &str, _contents: &[u8]) -> Option<Sent> {
        None
    }

    fn has_signed_reply(&self, _reply: &Sent, _now: Timestamp) -> bool {
        false
    }

    fn check_reply(&self, asked: &Asked<'_>, reply: &Reply<'_>, told: &Told) {
        let Some(body) = object(reply.body).filter(is_strict) else { return };
        let said = Said { reply, body: &body };
        check_created(&said, &told.created);
        check_queried(&said, asked, &told.queried);
        match &told.owner {
            Ok(Some(owner)) => {
                let words = &said.success(&["payment_intent"])["metadata"];
                assert!(!owner.echo.is_empty());
                assert_eq!(words["payment_id"], owner.payment_id.as_str());
                assert_eq!(words["echo"], owner.echo.as_str());
            }
            Ok(None) if reply.status == 404 => assert_eq!(said.error_code(), "resource_missing"),
            Ok(None) => {
                let words = &said.success(&["payment_intent"])["metadata"];
                assert!(words["payment_id"].is_null() || of(words, "echo").is_empty());
            }
            Err(_) => {}
        }
        check_closed(&said, &told.closed);
        check_refunded(&said, asked, &told.refunded);
        check_refund_found(&said, asked, &told.refund_found);
    }
}

fn signature_name() -> http::HeaderName {
    http::HeaderName::from_static(SIGNATURE)
}

/// Whether no object that is read is written as a list, which only a laxer reader takes.
fn is_strict(value: &Value) -> bool {
    let is_object = |name: &str| match name {
        "error" | "latest_charge" | "metadata" | "next_action" | "payment_intent" => true,
        other => other == "wechat_pay_display_qr_code",
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| is_strict(value) && !(is_object(name) && value.is_array())),
        Value::Array(list) => list.iter().all(|one| !one.is_array() && is_strict(one)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn check_session_event(
    kind: &str,
    session: &Value,
    (payment_id, gateway_ref): (&str, Option<&str>),
    capture: &Capture,
) {
    let kinds = ["checkout.session.completed", "checkout.session.async_payment_succeeded"];
    assert!(kinds.contains(&kind), "{kind}");
    assert_eq!(session["mode"], "payment");
    assert_eq!(session["payment_status"], "paid");
    assert_eq!(session["client_reference_id"], payment_id);
    assert_eq!(session["id"].as_str(), gateway_ref);
    let intent = &session["payment_intent"];
    let intent_id = intent.as_str().unwrap_or_else(|| of(intent, "id"));
    assert!(!intent_id.is_empty());
    assert_eq!(intent_id, capture.transaction_id);
    check_money(session, "amount_total", capture.captured);
}

fn check_intent_event(
    intent: &Value,
    (payment_id, gateway_ref): (&str, Option<&str>),
    capture: &Capture,
) {
    assert_eq!(intent["status"], "succeeded");
    let words = &intent["metadata"];
    assert_eq!(words["payment_id"], payment_id);
    let own_code = (words["code"] == QR_CODE).then(|| of(intent, "id"));
    assert_eq!(gateway_ref, own_code);
    assert!(!capture.transaction_id.is_empty());
    assert_eq!(intent["id"], capture.transaction_id.as_str());
    check_money(intent, "amount_received", capture.captured);
}

/// What a reply says.
struct Said<'a> {
    reply: &'a Reply<'a>,
    body: &'a Value,
}

impl Said<'_> {
    /// The object of a success: one of these, and of the test mode, which is the key's.
    fn success(&self, objects: &[&str]) -> &Value {
        assert!(self.reply.is_success());
        assert!(objects.contains(&of(self.body, "object")));
        assert_ne!(self.body["livemode"], true);
        self.body
    }

    /// What a search found, all of it.
    fn found(&self) -> &Vec<Value> {
        let page = self.success(&["search_result"]);
        assert_eq!(page["has_more"], false);
        let found = page["data"].as_array().expect("a list");
        assert!(found.iter().all(|intent| intent["livemode"] != true));
        found
    }

    /// The code of a refusal, or its type where it has none.
    fn error_code(&self) -> &str {
        assert!(self.reply.is_refusal());
        let error = &self.body["error"];
        let kind = error["type"].as_str().expect("a type");
        error["code"].as_str().unwrap_or(kind)
    }
}

/// Only a refusal with status 429 says that Stripe is called too often, and none of a lock does.
fn check_too_often(said: &Said<'_>) {
    assert!(said.reply.status == 429 && said.error_code() != "lock_timeout");
}

fn check_created(said: &Said<'_>, created: &CreateOutcome) {
    let created_object = || said.success(&["checkout.session", "payment_intent"]);
    match created {
        CreateOutcome::Payable { code_url, gateway_ref } => {
            let created = created_object();
            assert!(!code_url.is_empty());
            assert_ne!(gateway_ref.as_deref(), Some(""));
            assert_eq!(created["id"].as_str(), gateway_ref.as_deref());
            let (status, url) = match of(created, "object") {
                "checkout.session" => ("open", &created["url"]),
                _ => (
                    "requires_action",
                    &created["next_action"]["wechat_pay_display_qr_code"]["data"],
                ),
            };
            assert_eq!(created["status"], status);
            assert_eq!(url, code_url.as_str());
        }
        CreateOutcome::AlreadyPaid => {
            assert!(matches!(of(created_object(), "status"), "complete" | "succeeded"));
        }
        CreateOutcome::Closed => {
            assert!(matches!(of(created_object(), "status"), "expired" | "canceled"));
        }
        CreateOutcome::Refused(_) => {
            said.error_code();
            let refusal = (said.reply.status, of(&said.body["error"], "type"));
            assert!(matches!(refusal, (400, "invalid_request_error") | (402, "card_error")));
        }
        CreateOutcome::Unknown(_) => {}
    }
}

/// The PaymentIntents that a reply tells of the payment that was asked for.
fn asked_intents<'a>(said: &'a Said<'_>, asked: &Asked<'_>) -> Vec<&'a Value> {
    let Some(id) = asked.payment.gateway_ref else {
        let found = said.found();
        assert!(found.iter().all(|one| one["metadata"]["payment_id"] == asked.payment.payment_id));
        return found.iter().collect();
    };
    let told = said.success(&["checkout.session", "payment_intent"]);
    assert_eq!(told["id"], id);
    if told["object"] == "payment_intent" {
        assert_eq!(told["metadata"]["payment_id"], asked.payment.payment_id);
        return vec![told];
    }
    assert_eq!(told["client_reference_id"], asked.payment.payment_id);
    let intent = &told["payment_intent"];
    assert!(intent.is_null() || intent.is_object());
    Some(intent).filter(|intent| intent.is_object()).into_iter().collect()
}

fn check_queried(said: &Said<'_>, asked: &Asked<'_>, queried: &QueryOutcome) {
    let is_paid = |intent: &&Value| intent["status"] == "succeeded";
    let session = (said.body["object"] == "checkout.session").then(|| of(said.body, "status"));
    match queried {
        QueryOutcome::Paid(capture) | QueryOutcome::Returned(capture) => {
            let intents = asked_intents(said, asked);
            let mut paid = intents.into_iter().filter(is_paid);
            let paid = paid.find(|intent| intent["id"] == capture.transaction_id.as_str());
            let paid = paid.expect("a PaymentIntent that captured");
            check_money(paid, "amount_received", capture.captured);
            let paid_at = paid["latest_charge"]["created"].as_i64();
            assert_eq!(paid_at, Some(capture.paid_at.as_second()));
            let back = paid["latest_charge"]["amount_refunded"].as_i64();
            let is_back = matches!(queried, QueryOutcome::Returned(_));
            assert_eq!(is_back, back.is_some_and(|back| back > 0));
        }
        QueryOutcome::Unpaid => {
            let intents = asked_intents(said, asked);
            assert!(!intents.iter().any(is_paid));
            let is_open = |intent: &&Value| intent["status"] != "canceled";
            assert!(session == Some("open") || intents.iter().any(is_open));
        }
        QueryOutcome::Closed => {
            let intents = asked_intents(said, asked);
            let on_its_way = ["succeeded", "processing", "requires_capture"];
            assert!(!intents.iter().any(|intent| on_its_way.contains(&of(intent, "status"))));
            let has_failed = |intent: &&Value| intent["status"] == "requires_payment_method";
            match session {
                Some("expired") => {}
                Some(status) => {
                    assert_eq!((status, of(said.body, "payment_status")), ("complete", "unpaid"));
                    let is_over = |one| has_failed(one) || one["status"] == "canceled";
                    assert!(!intents.is_empty() && intents.iter().all(is_over));
                }
                None => {
                    assert!(!intents.is_empty());
                    assert!(intents.iter().all(|intent| intent["status"] == "canceled"));
                }
            }
        }
        QueryOutcome::NotFound => {
            assert_eq!(asked.payment.gateway_ref, None);
            assert!(said.found().is_empty());
        }
        QueryOutcome::TooOften(_) => check_too_often(said),
        QueryOutcome::Unknown(_) => {}
    }
}

fn check_closed(said: &Said<'_>, closed: &CloseOutcome) {
    let is_search = said.body["object"] == "search_result";
    match closed {
        CloseOutcome::Closed if is_search => {
            assert!(!said.found().is_empty());
            assert!(said.found().iter().all(|intent| intent["status"] == "canceled"));
        }
        CloseOutcome::Closed => {
            let closed = said.success(&["checkout.session", "payment_intent"]);
            let status = (of(closed, "object"), of(closed, "status"));
            let is_over =
                matches!(status, ("checkout.session", "expired") | ("payment_intent", "canceled"));
            assert!(is_over, "{status:?}");
        }
        CloseOutcome::NotFound => assert!(said.found().is_empty()),
        CloseOutcome::Named(id) => {
            let named = said.found().iter().find(|intent| intent["id"] == id.as_str());
            let named = named.expect("it was found");
            assert_eq!(named["metadata"]["code"], QR_CODE);
            assert_ne!(named["status"], "canceled");
        }
        CloseOutcome::Ask(_) if said.reply.is_success() => {}
        CloseOutcome::Ask(_) => {
            said.error_code();
            assert!(matches!(said.reply.status, 400 | 404));
        }
        CloseOutcome::TooOften(_) => check_too_often(said),
        CloseOutcome::Unknown(_) => {}
    }
}

fn check_refunded(said: &Said<'_>, asked: &Asked<'_>, refunded: &RefundOutcome) {
    match refunded {
        RefundOutcome::Succeeded | RefundOutcome::Processing | RefundOutcome::Failed(_) => {
            assert!(said.reply.is_success());
            check_refund(said.body, asked, refunded);
        }
        RefundOutcome::Refused(_) => {
            assert!(matches!(said.error_code(), "charge_disputed" | "refund_disputed_payment"));
        }
        RefundOutcome::Later(_) => {
            said.error_code();
        }
        RefundOutcome::TooOften(_) => check_too_often(said),
        RefundOutcome::Unknown(_) => {}
        RefundOutcome::NotFound | RefundOutcome::Stuck(_) => {
            panic!("a refund of Stripe's cannot be {refunded:?}")
        }
    }
}

fn check_refund_found(said: &Said<'_>, asked: &Asked<'_>, found: &RefundOutcome) {
    let is_ours = |refund: &&Value| refund["metadata"]["refund_number"] == asked.refund.number;
    let refunds = || {
        assert!(said.reply.is_success());
        said.body["data"].as_array().expect("a list").iter().filter(is_ours)
    };
    match found {
        RefundOutcome::Succeeded | RefundOutcome::Processing => {
            let said_so = refunds().find(|refund| is_said(refund, found));
            check_refund(said_so.expect("a refund"), asked, found);
        }
        // Of several under our number one that did not fail counts.
        RefundOutcome::Failed(_) => {
            assert!(refunds().next().is_some());
            refunds().for_each(|refund| check_refund(refund, asked, found));
        }
        RefundOutcome::NotFound => {
            assert_eq!(refunds().next(), None);
            assert_eq!(said.body["has_more"], false);
        }
        RefundOutcome::TooOften(_) => check_too_often(said),
        RefundOutcome::Unknown(_) => {}
        RefundOutcome::Refused(_) | RefundOutcome::Later(_) | RefundOutcome::Stuck(_) => {
            panic!("asking for a refund tells no {found:?}")
        }
    }
}

/// Where money is said to move, it is the refund that was asked for, in full.
fn check_refund(refund: &Value, asked: &Asked<'_>, outcome: &RefundOutcome) {
    let asked = &asked.refund;
    assert_eq!(refund["metadata"]["refund_number"], asked.number);
    assert_eq!(refund["metadata"]["payment_id"], asked.payment_id);
    assert_eq!(refund["payment_intent"], asked.transaction_id);
    check_money(refund, "amount", asked.amount);
    check_refund_status(refund, outcome);
}

fn check_refund_status(refund: &Value, outcome: &RefundOutcome) {
    assert!(is_said(refund, outcome), "{refund} became {outcome:?}");
}

/// Whether a refund's status is what became that outcome.
fn is_said(refund: &Value, outcome: &RefundOutcome) -> bool {
    let status = of(refund, "status");
    match outcome {
        RefundOutcome::Succeeded => status == "succeeded",
        RefundOutcome::Processing => matches!(status, "pending" | "requires_action"),
        RefundOutcome::Failed(_) => matches!(status, "failed" | "canceled"),
        RefundOutcome::Unknown(_) => !matches!(status, "succeeded" | "pending" | "failed"),
        RefundOutcome::Refused(_)
        | RefundOutcome::NotFound
        | RefundOutcome::Later(_)
        | RefundOutcome::TooOften(_)
        | RefundOutcome::Stuck(_) => false,
    }
}

/// A text of an object, empty where it is absent.
fn of<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

fn check_money(object: &Value, field: &str, money: Money) {
    assert!(money.amount > 0);
    assert_eq!(object[field], money.amount);
    assert_eq!(of(object, "currency").to_ascii_uppercase(), money.currency.as_str());
}
