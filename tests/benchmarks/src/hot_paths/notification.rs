//! The notifications of a payment, as each gateway signs them, with the simulator's keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::ids::{Echo, Ids};
use domain::money::Money;
use form_urlencoded::Serializer;
use gateways::{alipay, stripe, wechat_pay};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Value, json};
use simulator::alipay::keys::{AlipayKey, Keys as AlipayKeys, signed_text};
use simulator::stripe::signature::header;
use simulator::wechat_pay::keys::{KeyMode, Keys as WechatPayKeys, Stamp, seal};

use crate::hot_paths::scene::gateway_named;

/// A notification as it comes.
pub struct Notification {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its raw body.
    pub body: Bytes,
}

/// What is told of a payment.
pub struct Told<'a> {
    /// Derives the payment's id at each gateway.
    pub ids: &'a Ids,
    /// Whose payment it is.
    pub echo: &'a Echo,
    /// What was paid.
    pub amount: Money,
    /// When it was paid and told.
    pub at: Timestamp,
}

impl Told<'_> {
    fn payment_id(&self, gateway: &str) -> String {
        let gateway = gateway_named(gateway);
        self.ids.payment(&self.echo.order_id, &gateway, self.echo.attempt).as_str().to_owned()
    }

    fn echo(&self) -> String {
        self.ids.seal_echo(self.echo)
    }

    /// When, as gateways in Beijing write it.
    fn beijing(&self, format: &str) -> String {
        Offset::constant(8).to_datetime(self.at).strftime(format).to_string()
    }

    /// As WeChat Pay tells it: encrypted, and signed over time, nonce and body.
    pub fn by_wechat_pay(&self) -> Notification {
        let merchant = simulator::wechat_pay::merchant_settings();
        let time = self.beijing("%Y-%m-%dT%H:%M:%S+08:00");
        let transaction = json!({
            "mchid": merchant.mchid,
            "appid": merchant.appid,
            "out_trade_no": self.payment_id(wechat_pay::NAME),
            "transaction_id": "4200002026010100000000000001",
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "CMC",
            "attach": self.echo(),
            "success_time": time,
            "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" },
            "amount": {
                "total": self.amount.amount,
                "payer_total": self.amount.amount,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        });
        let (nonce, context) = ("abcdefghijkl", "transaction");
        let ciphertext = seal(transaction.to_string().as_bytes(), nonce, context).unwrap();
        let body = json!({
            "id": "EV-2026010122511223320873",
            "create_time": time,
            "resource_type": "encrypt-resource",
            "event_type": "TRANSACTION.SUCCESS",
            "summary": "支付成功",
            "resource": {
                "original_type": context,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": ciphertext,
                "associated_data": context,
                "nonce": nonce,
            },
        });
        let body = Bytes::from(body.to_string());
        let stamp = Stamp {
            mode: KeyMode::PublicKey,
            timestamp: self.at.as_second(),
            nonce: "A28ECE9D48514D2F6051D83515B3C6EB".to_owned(),
        };
        let headers = WechatPayKeys::embedded().unwrap().signed(&stamp, &body).unwrap();
        Notification { headers, body }
    }

    /// As Alipay tells it: a form whose fields are signed in order.
    pub fn by_alipay(&self) -> Notification {
        let merchant = simulator::alipay::merchant_settings();
        let total = format!("{}.{:02}", self.amount.amount / 100, self.amount.amount % 100);
        let (payment_id, echo) = (self.payment_id(alipay::NAME), self.echo());
        let time = self.beijing("%Y-%m-%d %H:%M:%S");
        let fields = BTreeMap::from([
            ("notify_type", "trade_status_sync"),
            ("notify_id", "2026010100222000000000000000000004"),
            ("notify_time", time.as_str()),
            ("app_id", merchant.app_id),
            ("auth_app_id", merchant.app_id),
            ("charset", "utf-8"),
            ("version", "1.0"),
            ("trade_no", "2026010122001403270000000002"),
            ("out_trade_no", payment_id.as_str()),
            ("buyer_id", "2088902000000001"),
            ("buyer_logon_id", "159****5620"),
            ("seller_id", merchant.seller_id),
            ("seller_email", "seller@example.com"),
            ("trade_status", "TRADE_SUCCESS"),
            ("total_amount", total.as_str()),
            ("receipt_amount", total.as_str()),
            ("buyer_pay_amount", total.as_str()),
            ("invoice_amount", total.as_str()),
            ("point_amount", "0.00"),
            ("gmt_create", time.as_str()),
            ("gmt_payment", time.as_str()),
            ("subject", "书桌 3 天"),
            ("passback_params", echo.as_str()),
            ("fund_bill_list", r#"[{"amount":"38.40","fundChannel":"ALIPAYACCOUNT"}]"#),
        ]);
        let text = signed_text(fields.iter().map(|(name, value)| (*name, *value)));
        let signature = AlipayKeys::embedded().unwrap().sign(AlipayKey::Current, &text).unwrap();
        let vouching = [("sign", signature.as_str()), ("sign_type", "RSA2")];
        let mut form = Serializer::new(String::new());
        form.extend_pairs(&fields).extend_pairs(vouching);
        Notification { headers: HeaderMap::new(), body: form.finish().into() }
    }

    /// As Stripe tells it: an event around the session, signed over time and body.
    pub fn by_stripe(&self) -> Notification {
        let merchant = simulator::stripe::merchant_settings();
        let event = json!({
            "id": "evt_1Latchpay00000000000001",
            "object": "event",
            "api_version": merchant.api_version,
            "created": self.at.as_second(),
            "livemode": false,
            "pending_webhooks": 1,
            "type": "checkout.session.completed",
            "data": { "object": self.session() },
        });
        let body = Bytes::from(event.to_string());
        let [current, _] = merchant.webhook_secrets;
        let signature = header(self.at.as_second(), &[current], &body);
        let name = HeaderName::from_static("stripe-signature");
        let headers = HeaderMap::from_iter([(name, HeaderValue::try_from(signature).unwrap())]);
        Notification { headers, body }
    }

    fn session(&self) -> Value {
        let payment_id = self.payment_id(stripe::NAME);
        json!({
            "id": "cs_test_a10tlshnjyoz0ejdowm991gouxcw5jkne83t6wdey3zv3c4m000000000b",
            "object": "checkout.session",
            "amount_subtotal": self.amount.amount,
            "amount_total": self.amount.amount,
            "cancel_url": null,
            "client_reference_id": payment_id,
            "created": self.at.as_second(),
            "currency": "cny",
            "customer": null,
            "customer_email": null,
            "expires_at": self.at.as_second() + 1_800,
            "livemode": false,
            "locale": null,
            "metadata": { "echo": self.echo(), "payment_id": payment_id },
            "mode": "payment",
            "payment_intent": "pi_368za7601zz8np000000000c",
            "payment_method_collection": "if_required",
            "payment_method_types": ["card", "alipay"],
            "payment_status": "paid",
            "status": "complete",
            "success_url": "https://shop.example.com/paid",
            "ui_mode": "hosted",
            "url": null,
        })
    }
}
