//! Alipay's side: what it signs, and what its documents say.

use std::collections::BTreeMap;

use domain::gateway::Capture;
use domain::money::Money;
use form_urlencoded::{byte_serialize, parse};
use gateways::alipay::{Alipay, AlipaySettings, NAME};
use gateways::{CloseOutcome, CreateOutcome, Event, Gateway, QueryOutcome, RefundOutcome};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use simulator::alipay::keys::{AlipayKey, Keys, signed_text};
use simulator::alipay::merchant_settings;

use super::{Asked, Peer, Reply, Sent, Told, check_unsigned, object, text};

const PRECREATE: &str = "alipay_trade_precreate_response";
const QUERY: &str = "alipay_trade_query_response";
const CLOSE: &str = "alipay_trade_close_response";
const REFUND: &str = "alipay_trade_refund_response";
const REFUND_QUERY: &str = "alipay_trade_fastpay_refund_query_response";
/// What a fault at the gateway's door is called, whatever the call was.
const ANY_CALL: &str = "error_response";

pub(super) struct AlipayPeer {
    gateway: Alipay,
    keys: Keys,
}

impl AlipayPeer {
    pub(super) fn new() -> Self {
        let merchant = merchant_settings();
        let settings = AlipaySettings {
            app_id: merchant.app_id.to_owned(),
            seller_id: merchant.seller_id.to_owned(),
            app_private_key_pem: merchant.app_private_key_pem.to_owned(),
            verify_keys: [merchant.alipay_public_key_pem, merchant.previous_alipay_public_key_pem]
                .map(str::to_owned)
                .to_vec(),
            base_url: "https://openapi.alipay.com".to_owned(),
            notify_url: "https://pay.example.com/v1/callbacks/alipay".to_owned(),
        };
        Self {
            gateway: Alipay::new(settings).expect("usable settings"),
            keys: Keys::embedded().expect("usable keys"),
        }
    }

    /// The signature of a text, by either key.
    fn signature(&self, text: &str) -> String {
        let key =
            if text.len().is_multiple_of(2) { AlipayKey::Current } else { AlipayKey::Previous };
        self.keys.sign(key, text).expect("a signature")
    }

    /// Whether it is the signature of a text by one of the keys. PKCS#1 v1.5 is deterministic: a
    /// text has one signature under each key, and one spelling of it.
    fn is_signature(&self, signature: &str, text: &str) -> bool {
        [AlipayKey::Current, AlipayKey::Previous]
            .into_iter()
            .any(|key| self.keys.sign(key, text).expect("a signature") == signature)
    }
}

impl Peer for AlipayPeer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn gateway(&self) -> &dyn Gateway {
        &self.gateway
    }

    /// The kind is the trade's status. What the contents do not have is added.
    fn seal(&self, kind: &str, contents: &[u8]) -> Vec<u8> {
        let merchant = merchant_settings();
        let given: Vec<_> = parse(contents).map(|(name, _)| name).collect();
        let common = [
            ("app_id", merchant.app_id),
            ("seller_id", merchant.seller_id),
            ("notify_type", "trade_status_sync"),
            ("charset", "utf-8"),
            ("trade_status", kind),
        ];
        let missing = common.into_iter().filter(|(name, _)| !given.iter().any(|one| one == name));
        let mut form: String = missing.map(|(name, value)| field(name, value) + "&").collect();
        form.truncate(form.len().saturating_sub(usize::from(contents.is_empty())));
        [form.as_bytes(), contents].concat()
    }

    fn sign(&self, _at_s: i64, body: &[u8]) -> Option<Sent> {
        let fields = fields(body)?;
        if fields.contains_key("sign") || fields.contains_key("sign_type") {
            return None;
        }
        let signature = self.signature(&signed_text(pairs(&fields)));
        let vouching = [field("sign", &signature), field("sign_type", "RSA2")].join("&");
        let body = [body, b"&", vouching.as_bytes()].concat();
        Some(Sent { headers: HeaderMap::new(), body })
    }

    fn has_signed(&self, notification: &Sent, _now: Timestamp) -> bool {
        let Some(mut fields) = fields(&notification.body) else { return false };
        let Some(signature) = fields.remove("sign") else { return false };
        let is_rsa2 = fields.remove("sign_type").is_some_and(|sign_type| sign_type == "RSA2");
        // Fields without a value may be signed too, or not.
        let all = pairs(&fields).map(|(name, value)| format!("{name}={value}"));
        let all = all.collect::<Vec<_>>().join("&");
        let texts = [signed_text(pairs(&fields)), all];
        is_rsa2 && texts.iter().any(|text| self.is_signature(&signature, text))
    }

    fn check_event(&self, kind: &str, contents: &[u8], event: &Event) {
        let fields = fields(&self.seal(kind, contents)).expect("a form that was signed");
        let said = |name: &str| fields.get(name).map_or("", String::as_str);
        let merchant = merchant_settings();
        assert_eq!(said("app_id"), merchant.app_id);
        assert_eq!(said("seller_id"), merchant.seller_id);
        let has_refund = fen(said("refund_fee")).is_some_and(|fen| fen > 0);
        let was_paid = match said("trade_status") {
            "TRADE_SUCCESS" | "TRADE_FINISHED" => true,
            "TRADE_CLOSED" => has_refund,
            other => panic!("{other} told {event:?}"),
        };
        match event {
            Event::Paid { payment_id, echo, gateway_ref, capture } => {
                assert!(was_paid && gateway_ref.is_none());
                assert_eq!(said("out_trade_no"), payment_id);
                assert_eq!(said("passback_params"), text(echo.as_ref()));
                assert_ne!(echo.as_deref(), Some(""));
                check_capture(
                    [said("trade_no"), said("total_amount"), said("gmt_payment")],
                    capture,
                );
            }
            Event::PaidUndated { payment_id, echo } => {
                assert!(was_paid && said("gmt_payment").is_empty());
                assert_eq!(said("out_trade_no"), payment_id);
                assert_eq!(said("passback_params"), text(echo.as_ref()));
            }
            Event::Refund { payment, number, amount, outcome } => {
                assert!(has_refund);
                assert_eq!(said("trade_no"), payment.transaction_id);
                assert_eq!(said("out_trade_no"), text(payment.payment_id.as_ref()));
                assert_eq!(said("passback_params"), text(payment.echo.as_ref()));
                let numbers = [said("out_biz_no"), said("out_trade_no")];
                assert_eq!(numbers.into_iter().find(|one| !one.is_empty()), Some(number.as_str()));
                check_money(said("refund_fee"), *amount);
                assert_eq!(*outcome, RefundOutcome::Succeeded);
            }
            Event::Dispute { .. } => panic!("Alipay tells no such thing: {event:?}"),
        }
    }

    fn sign_reply(&self, _at_s: i64, name: &str, contents: &[u8]) -> Option<Sent> {
        // The text of a value, which is what is signed, has no space around it.
        let contents = str::from_utf8(contents).ok()?.trim_ascii();
        let (name, signature) = (Value::from(name), self.signature(contents));
        let body = format!(r#"{{{name}:{contents},"sign":"{signature}"}}"#).into_bytes();
        Some(Sent { headers: HeaderMap::new(), body })
    }

    fn has_signed_reply(&self, reply: &Sent, _now: Timestamp) -> bool {
        let members: Option<BTreeMap<String, Box<RawValue>>> =
            serde_json::from_slice(&reply.body).ok();
        let Some(mut members) = members else { return false };
        let Some(signature) = members.remove("sign") else { return false };
        let Ok(signature) = serde_json::from_str::<String>(signature.get()) else { return false };
        members.values().any(|text| self.is_signature(&signature, text.get()))
    }

    fn check_reply(&self, asked: &Asked<'_>, reply: &Reply<'_>, told: &Told) {
        if !reply.is_signed {
            check_unsigned(told);
            assert!(!matches!(told.refund_found, RefundOutcome::NotFound));
        }
        let Some(body) = object(reply.body) else { return };
        if body.as_object().is_some_and(|members| members.values().any(Value::is_array)) {
            return; // Only a laxer reader takes a list for an object.
        }
        let said = |call| Said { call, reply, body: &body };
        check_created(&said(PRECREATE), &told.created);
        check_queried(&said(QUERY), asked, &told.queried);
        match &told.owner {
            Ok(Some(owner)) => {
                let trade = said(QUERY).success();
                assert!(!owner.echo.is_empty());
                assert_eq!(trade["out_trade_no"], owner.payment_id.as_str());
                assert_eq!(trade["passback_params"], owner.echo.as_str());
            }
            Ok(None) if said(QUERY).refuses("TRADE_NOT_EXIST") => {}
            Ok(None) => {
                let echo = &said(QUERY).success()["passback_params"];
                assert_eq!(echo.as_str().unwrap_or_default(), "");
            }
            Err(_) => {}
        }
        match &told.closed {
            CloseOutcome::Closed => assert!(said(CLOSE).success().is_object()),
            CloseOutcome::NotFound => assert!(said(CLOSE).refuses("TRADE_NOT_EXIST")),
            CloseOutcome::Named(id) => panic!("a close of Alipay names {id}"),
            CloseOutcome::Ask(_) => assert!(said(CLOSE).is_refusal()),
            CloseOutcome::TooOften(_) => assert!(said(CLOSE).is_refusal()),
            CloseOutcome::Unknown(_) => {}
        }
        check_refunded(&said(REFUND), asked, &told.refunded);
        check_refund_found(&said(REFUND_QUERY), asked, &told.refund_found);
    }
}

/// What a reply says, read as the reply to one call.
struct Said<'a> {
    call: &'static str,
    reply: &'a Reply<'a>,
    body: &'a Value,
}

impl<'a> Said<'a> {
    fn contents(&self) -> &'a Value {
        let own = &self.body[self.call];
        if own.is_null() { &self.body[ANY_CALL] } else { own }
    }

    fn code(&self) -> &'a str {
        assert_eq!(self.reply.status, 200);
        self.contents()["code"].as_str().expect("a code")
    }

    /// The contents of a success: it is signed, and under the name of its own call.
    fn success(&self) -> &'a Value {
        assert!(self.reply.is_signed);
        assert_eq!(self.code(), "10000");
        &self.body[self.call]
    }

    /// Whether it is neither a success nor of the gateway that is not there.
    fn is_refusal(&self) -> bool {
        !matches!(self.code(), "10000" | "20000")
    }

    fn says(&self, sub_code: &str) -> bool {
        let said = self.contents()["sub_code"].as_str().and_then(|code| code.rsplit('.').next());
        self.reply.status == 200 && self.contents()["code"] == "40004" && said == Some(sub_code)
    }

    /// Whether the business refuses for that reason, in words that are signed.
    fn refuses(&self, sub_code: &str) -> bool {
        self.reply.is_signed && self.says(sub_code)
    }
}

fn check_created(said: &Said<'_>, created: &CreateOutcome) {
    match created {
        CreateOutcome::Payable { code_url, gateway_ref } => {
            assert!(!code_url.is_empty() && gateway_ref.is_none());
            assert_eq!(said.success()["qr_code"], code_url.as_str());
        }
        CreateOutcome::AlreadyPaid => assert!(said.says("TRADE_HAS_SUCCESS")),
        CreateOutcome::Closed => assert!(said.refuses("TRADE_HAS_CLOSE")),
        CreateOutcome::Refused(_) => {
            assert!(said.reply.is_signed && matches!(said.code(), "40004" | "40006"));
        }
        CreateOutcome::Unknown(_) => {}
    }
}

fn check_queried(said: &Said<'_>, asked: &Asked<'_>, queried: &QueryOutcome) {
    let trade = |states: &[&str]| {
        let trade = said.success();
        assert_eq!(trade["out_trade_no"], asked.payment.payment_id);
        assert!(states.contains(&of(trade, "trade_status")));
        trade
    };
    match queried {
        QueryOutcome::Paid(capture) => {
            let trade = trade(&["TRADE_SUCCESS", "TRADE_FINISHED"]);
            let names = ["trade_no", "total_amount", "send_pay_date"];
            check_capture(names.map(|name| of(trade, name)), capture);
        }
        QueryOutcome::Returned(capture) => {
            let trade = trade(&["TRADE_CLOSED"]);
            let names = ["trade_no", "total_amount", "send_pay_date"];
            check_capture(names.map(|name| of(trade, name)), capture);
        }
        QueryOutcome::Unpaid => {
            trade(&["WAIT_BUYER_PAY"]);
        }
        QueryOutcome::Closed => assert_eq!(of(trade(&["TRADE_CLOSED"]), "send_pay_date"), ""),
        QueryOutcome::NotFound => assert!(said.refuses("TRADE_NOT_EXIST")),
        QueryOutcome::TooOften(_) => assert!(said.is_refusal()),
        QueryOutcome::Unknown(_) => {}
    }
}

fn check_refunded(said: &Said<'_>, asked: &Asked<'_>, refunded: &RefundOutcome) {
    let made = || {
        let made = said.success();
        assert_eq!(made["trade_no"], asked.refund.transaction_id);
        assert_eq!(made["out_trade_no"], asked.refund.payment_id);
        made
    };
    match refunded {
        RefundOutcome::Succeeded => {
            assert_eq!(made()["fund_change"], "Y");
            check_money(of(made(), "refund_fee"), asked.refund.amount);
        }
        RefundOutcome::Processing => assert_ne!(made()["fund_change"], "Y"),
        RefundOutcome::Refused(_) | RefundOutcome::Stuck(_) => {
            assert!(said.reply.is_signed);
            assert_eq!(said.code(), "40004");
        }
        RefundOutcome::Later(_) | RefundOutcome::TooOften(_) => assert!(said.is_refusal()),
        RefundOutcome::Unknown(_) => {}
        RefundOutcome::Failed(_) | RefundOutcome::NotFound => {
            panic!("a refund of Alipay's cannot be {refunded:?}")
        }
    }
}

fn check_refund_found(said: &Said<'_>, asked: &Asked<'_>, found: &RefundOutcome) {
    match found {
        RefundOutcome::Succeeded => {
            let refund = said.success();
            assert_eq!(refund["trade_no"], asked.refund.transaction_id);
            assert_eq!(refund["out_trade_no"], asked.refund.payment_id);
            assert_eq!(refund["out_request_no"], asked.refund.number);
            assert_eq!(refund["refund_status"], "REFUND_SUCCESS");
            check_money(of(refund, "refund_amount"), asked.refund.amount);
        }
        RefundOutcome::NotFound => assert_eq!(of(said.success(), "refund_status"), ""),
        RefundOutcome::TooOften(_) => assert!(said.is_refusal()),
        RefundOutcome::Unknown(_) => {}
        RefundOutcome::Processing
        | RefundOutcome::Failed(_)
        | RefundOutcome::Refused(_)
        | RefundOutcome::Later(_)
        | RefundOutcome::Stuck(_) => panic!("asking for a refund tells no {found:?}"),
    }
}

/// A text of an object, empty where it is absent.
fn of<'a>(contents: &'a Value, name: &str) -> &'a str {
    contents[name].as_str().unwrap_or_default()
}

/// A capture is what its three texts say: number, amount and time.
fn check_capture([trade_no, total_amount, paid_at]: [&str; 3], capture: &Capture) {
    assert!(!trade_no.is_empty());
    assert_eq!(trade_no, capture.transaction_id);
    check_money(total_amount, capture.captured);
    let paid_at: Option<Timestamp> =
        format!("{}+08:00", paid_at.replacen(' ', "T", 1)).parse().ok();
    assert_eq!(paid_at, Some(capture.paid_at));
}

fn check_money(yuan: &str, money: Money) {
    assert!(money.amount > 0);
    assert_eq!(fen(yuan), Some(money.amount), "{yuan}");
    assert_eq!(money.currency.as_str(), "CNY");
}

/// The digits of an amount in yuan, with those of the fen filled up.
fn fen(yuan: &str) -> Option<i64> {
    let (yuan, fen) = yuan.split_once('.').unwrap_or((yuan, ""));
    let digits = format!("{yuan}{fen:0<2}");
    let is_amount = fen.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_amount.then(|| digits.parse().ok()).flatten()
}

/// The fields of a form; `None` where a name is there twice.
fn fields(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in parse(body) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn pairs(fields: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn field(name: &str, value: &str) -> String {
    format!("{name}={}", byte_serialize(value.as_bytes()).collect::<String>())
}
