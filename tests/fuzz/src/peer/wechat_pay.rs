//! WeChat Pay's side: what it signs and seals, and what its documents say.

use domain::gateway::Capture;
use domain::money::Money;
use gateways::wechat_pay::{NAME, VerifyKeySettings, WechatPay, WechatPaySettings};
use gateways::{CloseOutcome, CreateOutcome, Event, Gateway, QueryOutcome, RefundOutcome};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::wechat_pay::keys::{KeyMode, Keys, Stamp, seal};
use simulator::wechat_pay::merchant_settings;

use super::{Asked, Peer, Reply, Sent, Told, check_unsigned, object, text};

const TIMESTAMP: &str = "wechatpay-timestamp";
const NONCE: &str = "wechatpay-nonce";
const SERIAL: &str = "wechatpay-serial";
const SIGNATURE: &str = "wechatpay-signature";
/// What is signed so long ago, or ahead, is refused, in seconds. Source: the API v3 guide, chapter
/// "签名验证", read 2026-11-23.
const SIGNATURE_LIFE_S: u64 = 300;

pub(super) struct WechatPayPeer {
    gateway: WechatPay,
    keys: Keys,
}

impl WechatPayPeer {
    pub(super) fn new() -> Self {
        let merchant = merchant_settings();
        let verify_keys = merchant.verify_keys.iter().map(|key| VerifyKeySettings {
            serial: key.serial.to_owned(),
            pem: key.pem.to_owned(),
        });
        let settings = WechatPaySettings {
            mchid: merchant.mchid.to_owned(),
            appid: merchant.appid.to_owned(),
            merchant_serial: merchant.merchant_serial.to_owned(),
            merchant_private_key_pem: merchant.merchant_private_key_pem.to_owned(),
            // The older key first, so that the second is tried too.
            apiv3_keys: vec!["0".repeat(32), merchant.apiv3_key.to_owned()],
            verify_keys: verify_keys.collect(),
            base_url: "https://api.mch.weixin.qq.com".to_owned(),
            notify_url: "https://pay.example.com/v1/callbacks/wechat_pay".to_owned(),
        };
        Self {
            gateway: WechatPay::new(settings).expect("usable settings"),
            keys: Keys::embedded().expect("usable keys"),
        }
    }

    fn signed(&self, mode: KeyMode, at_s: i64, nonce: &str, body: &[u8]) -> HeaderMap {
        let stamp = Stamp { mode, timestamp: at_s, nonce: nonce.to_owned() };
        self.keys.signed(&stamp, body).expect("a signature")
    }
}

impl Peer for WechatPayPeer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn gateway(&self) -> &dyn Gateway {
        &self.gateway
    }

    fn seal(&self, kind: &str, contents: &[u8]) -> Vec<u8> {
        let nonce = "abcdefghijkl";
        let original_type = if kind.starts_with("REFUND") { "refund" } else { "transaction" };
        json!({
            "id": "EV-2018022511223320873",
            "create_time": "2026-01-01T08:00:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": "支付成功",
            "resource": {
                "original_type": original_type,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": seal(contents, nonce, original_type).expect("a seal"),
                "associated_data": original_type,
                "nonce": nonce,
            },
        })
        .to_string()
        .into_bytes()
    }

    fn sign(&self, at_s: i64, body: &[u8]) -> Option<Sent> {
        // Either key may sign.
        let mode =
            if body.len().is_multiple_of(2) { KeyMode::PublicKey } else { KeyMode::Certificate };
        let headers = self.signed(mode, at_s, "A28ECE9D48514D2F6051D83515B3C6EB", body);
        Some(Sent { headers, body: body.to_vec() })
    }

    fn has_signed(&self, Sent { headers, body }: &Sent, now: Timestamp) -> bool {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(mode) = text(SERIAL).and_then(KeyMode::named) else { return false };
        let Some(at_s) = text(TIMESTAMP).and_then(|text| text.parse::<i64>().ok()) else {
            return false;
        };
        let Some(nonce) = text(NONCE) else { return false };
        // PKCS#1 v1.5 is deterministic: a message has one signature, and one spelling of it.
        let genuine = self.signed(mode, at_s, nonce, body);
        let names = [TIMESTAMP, NONCE, SERIAL, SIGNATURE];
        let is_near = now.as_second().abs_diff(at_s) < SIGNATURE_LIFE_S;
        is_near
            && names
                .iter()
                .all(|name| headers.get_all(*name).iter().eq(genuine.get_all(*name).iter()))
    }

    fn check_event(&self, kind: &str, contents: &[u8], event: &Event) {
        let Some(contents) = object(contents) else { return };
        let contents = &contents;
        let merchant = merchant_settings();
        assert_eq!(contents["mchid"], merchant.mchid);
        match event {
            Event::Paid { payment_id, echo, gateway_ref, capture } => {
                assert_eq!(kind, "TRANSACTION.SUCCESS");
                assert_eq!(contents["appid"], merchant.appid);
                assert_eq!(contents["trade_state"], "SUCCESS");
                assert_eq!(contents["out_trade_no"], payment_id.as_str());
                assert_eq!(contents["attach"].as_str().unwrap_or_default(), text(echo.as_ref()));
                assert_ne!(echo.as_deref(), Some(""));
                assert_eq!(*gateway_ref, None);
                check_capture(contents, capture);
            }
            Event::Refund { payment, number, amount, outcome } => {
                assert_eq!(contents["out_trade_no"], text(payment.payment_id.as_ref()));
                assert_eq!(contents["transaction_id"], payment.transaction_id.as_str());
                assert_eq!(payment.echo, None);
                assert_eq!(contents["out_refund_no"], number.as_str());
                check_money(&contents["amount"], "refund", *amount);
                let status = contents["refund_status"].as_str().expect("a status");
                assert_eq!(kind, format!("REFUND.{status}"));
                check_refund_state(status, outcome);
            }
            Event::PaidUndated { .. } | Event::Dispute { .. } => {
                panic!("WeChat Pay tells no such thing: {event:?}")
            }
        }
    }

    fn sign_reply(&self, at_s: i64, _name: &str, contents: &[u8]) -> Option<Sent> {
        self.sign(at_s, contents)
    }

    fn has_signed_reply(&self, reply: &Sent, now: Timestamp) -> bool {
        self.has_signed(reply, now)
    }

    fn check_reply(&self, asked: &Asked<'_>, reply: &Reply<'_>, told: &Told) {
        if !reply.is_signed {
            check_unsigned(told);
        }
        let (status, is_success) = (reply.status, reply.is_success());
        // A close is confirmed without a body.
        assert!(told.closed != CloseOutcome::Closed || status == 204 || reply.is_refusal());
        let Some(body) = object(reply.body) else { return };
        let body = &body;
        let is_said = |code: &str| {
            let said = body["code"].as_str().map(|said| said.replace('_', ""));
            reply.is_refusal() && said.as_deref() == Some(code)
        };
        match &told.created {
            CreateOutcome::Payable { code_url, gateway_ref } => {
                assert!(is_success && !code_url.is_empty() && gateway_ref.is_none());
                assert_eq!(body["code_url"], code_url.as_str());
            }
            CreateOutcome::AlreadyPaid => assert!(is_said("ORDERPAID")),
            CreateOutcome::Closed => assert!(is_said("ORDERCLOSED")),
            CreateOutcome::Refused(_) => assert!(reply.is_refusal()),
            CreateOutcome::Unknown(_) => {}
        }
        match &told.queried {
            QueryOutcome::Paid(capture) | QueryOutcome::Returned(capture) => {
                let is_back = matches!(told.queried, QueryOutcome::Returned(_));
                assert_eq!(body["trade_state"], if is_back { "REFUND" } else { "SUCCESS" });
                check_is_asked(asked, is_success, body);
                check_capture(body, capture);
            }
            QueryOutcome::Unpaid => check_is_asked(asked, is_success, body),
            QueryOutcome::Closed if is_said("ORDERCLOSED") => {}
            QueryOutcome::Closed => check_is_asked(asked, is_success, body),
            QueryOutcome::NotFound => assert!(is_said("ORDERNOTEXIST")),
            QueryOutcome::TooOften(_) => assert!(reply.is_refusal()),
            QueryOutcome::Unknown(_) => {}
        }
        match &told.closed {
            CloseOutcome::Closed => assert!(status == 204 || is_said("ORDERCLOSED")),
            CloseOutcome::NotFound => assert!(is_said("ORDERNOTEXIST")),
            CloseOutcome::Named(id) => panic!("a close of WeChat Pay names {id}"),
            CloseOutcome::TooOften(_) => assert!(reply.is_refusal()),
            CloseOutcome::Ask(_) | CloseOutcome::Unknown(_) => {}
        }
        if let Ok(Some(owner)) = &told.owner {
            assert!(is_success && !owner.echo.is_empty());
            assert_eq!(body["attach"], owner.echo.as_str());
            assert_eq!(body["out_trade_no"], owner.payment_id.as_str());
        }
        check_refund(asked, is_success, body, &told.refunded);
        check_refund(asked, is_success, body, &told.refund_found);
        assert_ne!(told.refunded, RefundOutcome::NotFound);
        if told.refund_found == RefundOutcome::NotFound {
            assert!(is_said("RESOURCENOTEXISTS"));
        }
    }
}

/// A query's answer counts for the payment that was asked for, of the merchant and the app.
fn check_is_asked(asked: &Asked<'_>, is_success: bool, body: &Value) {
    let merchant = merchant_settings();
    assert!(is_success);
    assert_eq!(body["out_trade_no"], asked.payment.payment_id);
    assert_eq!(body["mchid"], merchant.mchid);
    assert_eq!(body["appid"], merchant.appid);
}

fn check_capture(contents: &Value, capture: &Capture) {
    assert!(!capture.transaction_id.is_empty());
    assert_eq!(contents["transaction_id"], capture.transaction_id.as_str());
    let paid_at = contents["success_time"].as_str().and_then(|text| text.parse().ok());
    assert_eq!(paid_at, Some(capture.paid_at));
    check_money(&contents["amount"], "total", capture.captured);
}

fn check_money(amount: &Value, field: &str, money: Money) {
    assert!(money.amount > 0);
    assert_eq!(amount[field], money.amount);
    assert_eq!(amount["currency"].as_str().unwrap_or("CNY"), money.currency.as_str());
}

/// Where money is said to move, it is the refund that was asked for, in full.
fn check_refund(asked: &Asked<'_>, is_success: bool, body: &Value, outcome: &RefundOutcome) {
    match outcome {
        RefundOutcome::Succeeded
        | RefundOutcome::Processing
        | RefundOutcome::Failed(_)
        | RefundOutcome::Stuck(_) => {
            let asked = &asked.refund;
            assert!(is_success);
            assert_eq!(body["out_refund_no"], asked.number);
            assert_eq!(body["transaction_id"], asked.transaction_id);
            assert_eq!(body["out_trade_no"], asked.payment_id);
            assert_eq!(body["amount"]["total"], asked.amount.amount);
            check_money(&body["amount"], "refund", asked.amount);
            check_refund_state(body["status"].as_str().expect("a status"), outcome);
        }
        RefundOutcome::Refused(_) | RefundOutcome::Later(_) | RefundOutcome::TooOften(_) => {
            assert!(!is_success);
        }
        RefundOutcome::NotFound | RefundOutcome::Unknown(_) => {}
    }
}

fn check_refund_state(status: &str, outcome: &RefundOutcome) {
    let expected = match outcome {
        RefundOutcome::Succeeded => "SUCCESS",
        RefundOutcome::Processing => "PROCESSING",
        RefundOutcome::Failed(_) => "CLOSED",
        RefundOutcome::Stuck(_) => "ABNORMAL",
        RefundOutcome::Refused(_)
        | RefundOutcome::NotFound
        | RefundOutcome::Later(_)
        | RefundOutcome::TooOften(_)
        | RefundOutcome::Unknown(_) => panic!("{status} became {outcome:?}"),
    };
    assert_eq!(status, expected);
}
