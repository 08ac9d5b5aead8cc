//! A merchant at Stripe: forms, keys, and webhooks that it verifies by itself.

use http::{Method, Request};
use http_body_util::Full;
use ring::hmac;
use serde_json::{Value, json};
use simulator::config::SimulatorConfig;
use simulator::stripe::{MOUNT_PATH, MerchantSettings, merchant_settings};

use crate::support::{Answer, Delivered, START_S, Stack};

/// Pairs of one form, before they are encoded.
pub(crate) type Form = Vec<(String, String)>;

/// The stack, as a merchant at Stripe sees it.
pub(crate) struct Merchant {
    pub(crate) stack: Stack,
    pub(crate) settings: MerchantSettings,
}

/// What one call says of itself besides its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> Form {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The form with one field changed, added, or left out.
pub(crate) fn with(form: &Form, name: &str, value: Option<&str>) -> Form {
    let mut changed: Form = form.iter().filter(|(other, _)| other != name).cloned().collect();
    changed.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    changed
}

pub(crate) fn encoded(form: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

impl Merchant {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        Self { stack: Stack::start_with(change).await, settings: merchant_settings() }
    }

    /// The customer does not pay a code after all.
    pub(crate) async fn refuse(&self, code_url: &Value) -> Value {
        let refused = json!({ "code_url": code_url });
        let refused = self.stack.control(Method::POST, "refuse", refused).await;
        assert_eq!(refused.status, 200, "{}", refused.body);
        refused.body
    }

    /// The headers of an ordinary call without a key.
    pub(crate) fn headers(&self) -> Headers<'static> {
        Headers {
            authorization: Some("Bearer sk_test_latchpaySimulatorThrowAwayKey000001"),
            version: Some(self.settings.api_version),
            key: None,
        }
    }

    /// One call; `None` where the reply broke.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
        headers: Headers<'_>,
    ) -> Option<Answer> {
        let uri = self.stack.uri(&format!("{MOUNT_PATH}{path}"));
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in [
            ("authorization", headers.authorization),
            ("stripe-version", headers.version),
            ("idempotency-key", headers.key),
            (
                "content-type",
                Some("application/x-www-form-urlencoded").filter(|_| !body.is_empty()),
            ),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        self.stack.exchange(request.body(Full::from(body)).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, form: &Form) -> Answer {
        self.send(Method::POST, path, encoded(form), self.headers()).await.unwrap()
    }

    pub(crate) async fn post_keyed(&self, path: &str, form: &Form, key: &str) -> Answer {
        let headers = Headers { key: Some(key), ..self.headers() };
        self.send(Method::POST, path, encoded(form), headers).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new(), self.headers()).await.unwrap()
    }

    /// A session of CNY 12.80 that lives 31 minutes.
    pub(crate) fn order(&self, number: &str) -> Form {
        let expires_at = (START_S + 31 * 60).to_string();
        form(&[
            ("mode", "payment"),
            ("client_reference_id", number),
            ("line_items[0][quantity]", "1"),
            ("line_items[0][price_data][currency]", "cny"),
            ("line_items[0][price_data][unit_amount]", "1280"),
            ("line_items[0][price_data][product_data][name]", "书桌 1 天 & more"),
            ("success_url", "https://pay.example.com/ok?sid={CHECKOUT_SESSION_ID}"),
            ("cancel_url", "https://pay.example.com/cancel"),
            ("expires_at", &expires_at),
            ("metadata[payment_id]", number),
            ("metadata[echo]", "lp1:booking:order"),
            ("payment_intent_data[metadata][payment_id]", number),
            ("payment_intent_data[metadata][echo]", "lp1:booking:order"),
        ])
    }

    /// Opens a session.
    pub(crate) async fn opened(&self, number: &str) -> Value {
        let answer = self.post("/v1/checkout/sessions", &self.order(number)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// A PaymentIntent of CNY 12.80 with a QR of WeChat Pay.
    pub(crate) fn intent_of(&self, number: &str) -> Form {
        form(&[
            ("amount", "1280"),
            ("currency", "cny"),
            ("confirm", "true"),
            ("payment_method_types[0]", "wechat_pay"),
            ("payment_method_data[type]", "wechat_pay"),
            ("payment_method_options[wechat_pay][client]", "web"),
            ("metadata[payment_id]", number),
            ("metadata[echo]", "lp1:booking:order"),
        ])
    }

    /// Makes a PaymentIntent; answers it and its QR.
    pub(crate) async fn shown(&self, number: &str) -> (Value, Value) {
        let answer = self.post("/v1/payment_intents", &self.intent_of(number)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let qr = &answer.body["next_action"]["wechat_pay_display_qr_code"]["data"];
        (answer.body.clone(), qr.clone())
    }

    /// Pays a code; answers the transaction, which is the PaymentIntent's id.
    pub(crate) async fn pay(&self, code_url: &Value) -> String {
        let paid = self.stack.pay(json!({ "code_url": code_url })).await;
        assert_eq!(paid.status, 200, "{}", paid.body);
        paid.body["transaction_id"].as_str().unwrap().to_owned()
    }

    /// Opens and pays a session; answers the transaction.
    pub(crate) async fn paid(&self, number: &str) -> String {
        let session = self.opened(number).await;
        self.pay(&session["url"]).await
    }

    pub(crate) fn refund_of(&self, transaction_id: &str, refund_no: &str) -> Form {
        form(&[
            ("payment_intent", transaction_id),
            ("amount", "1280"),
            ("reason", "requested_by_customer"),
            ("metadata[refund_number]", refund_no),
        ])
    }

    pub(crate) async fn refund(&self, transaction_id: &str, refund_no: &str) -> Answer {
        self.post("/v1/refunds", &self.refund_of(transaction_id, refund_no)).await
    }

    /// Verifies a delivered event with one secret; answers the event.
    pub(crate) fn open(&self, delivered: &Delivered, secret: &str) -> Result<Value, &'static str> {
        let header = delivered.headers["stripe-signature"].to_str().unwrap();
        let values = |name: &str| {
            let pairs = header.split(',').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect::<Vec<_>>()
        };
        let timestamp = values("t")[0];
        let mut message = format!("{timestamp}.").into_bytes();
        message.extend_from_slice(&delivered.body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signed = hmac::sign(&key, &message);
        let signed: String = signed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if !values("v1").contains(&signed.as_str()) {
            return Err("wrong signature");
        }
        let age_s = crate::support::clock().as_second() - timestamp.parse::<i64>().unwrap();
        if age_s > 300 { Err("stale timestamp") } else { Ok(event(delivered)) }
    }

    /// Waits for so many events, whatever their order; answers their types, sorted.
    pub(crate) async fn told(&self, count: usize) -> Vec<String> {
        let delivered = self.stack.callback.wait(count).await;
        let mut types: Vec<String> =
            delivered.iter().map(|it| event(it)["type"].as_str().unwrap().to_owned()).collect();
        types.sort();
        types
    }

    /// The one delivered event of a type.
    pub(crate) fn event(&self, kind: &str) -> Value {
        let delivered = self.stack.callback.all();
        let events = delivered.iter().map(event).filter(|event| event["type"] == kind);
        let found: Vec<Value> = events.collect();
        assert_eq!(found.len(), 1, "{kind} comes once: {found:?}");
        found[0].clone()
    }
}

pub(crate) fn event(delivered: &Delivered) -> Value {
    serde_json::from_slice(&delivered.body).unwrap()
}

/// What a refusal says: status, code and parameter.
pub(crate) fn refusal(answer: &Answer) -> (u16, Value, Value) {
    let error = &answer.body["error"];
    (answer.status, error["code"].clone(), error["param"].clone())
}
