//! Building requests: forms, paths and headers.

use bytes::Bytes;
use domain::reconcile::Window;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};
use jiff::Timestamp;

use super::{QR_CODE, SESSION_LIFE_S, Stripe};
use crate::settings::SettingsError;
use crate::text::percent_encoded;
use crate::{NewPayment, PaymentRef, RefundRequest};

/// The version of the API that requests are written in and replies are read by.
const VERSION: &str = "2025-04-30.basil";

const SESSIONS: &str = "/v1/checkout/sessions";
const INTENTS: &str = "/v1/payment_intents";
const REFUNDS: &str = "/v1/refunds";
const MOVEMENTS: &str = "/v1/balance_transactions";

/// What a session's id begins with. The other ids that are stored are PaymentIntents'.
const SESSION_PREFIX: &str = "cs_";
/// What the body that creates a session begins with. A stored body says by this where it goes,
/// whatever the settings have become since.
const SESSION_BODY_PREFIX: &str = "mode=payment&";

/// The most objects of one page. Source: <https://docs.stripe.com/api/pagination>, read
/// 2026-11-24.
const PAGE_LEN_MAX: &str = "100";

/// How long the same refund is sent under the same `Idempotency-Key`, in seconds.
///
/// Under one key Stripe answers what it answered first, a refusal included, for a day or longer:
/// under one key for ever, a balance that was topped up would not help. So the key is the refund's
/// number and the hour. Sendings of one hour are one refund by the key. Sendings of different hours
/// are one refund because it is always the whole amount, and Stripe refuses what exceeds the rest;
/// and before it is sent again, the refunds of its payment are listed.
/// Source: <https://docs.stripe.com/api/idempotent_requests>, read 2026-11-24.
const REFUND_KEY_LIFE_S: i64 = 3_600;

/// The value of `Authorization`.
///
/// # Errors
/// [`SettingsError`]: the key cannot stand in a header.
pub(super) fn bearer(secret_key: &str) -> Result<HeaderValue, SettingsError> {
    let mut value = HeaderValue::try_from(format!("Bearer {secret_key}"))
        .map_err(|_| SettingsError::new("secret_key", "cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The form that creates a Checkout Session. What is to come back with events of the PaymentIntent
/// is given twice, because a session's metadata stays its own; a session's number is its
/// `client_reference_id`.
pub(super) fn session_body(
    payment: &NewPayment<'_>,
    success_url: &str,
    cancel_url: Option<&str>,
) -> String {
    let expires_at = payment.expires_at.as_second().saturating_add(SESSION_LIFE_S);
    let mut fields = vec![
        ("mode", "payment".to_owned()),
        ("client_reference_id", payment.payment_id.to_owned()),
        ("expires_at", expires_at.to_string()),
        ("line_items[0][quantity]", "1".to_owned()),
        ("line_items[0][price_data][currency]", currency(payment)),
        ("line_items[0][price_data][unit_amount]", payment.amount.amount.to_string()),
        ("line_items[0][price_data][product_data][name]", payment.description.to_owned()),
        ("metadata[echo]", payment.echo.to_owned()),
        ("payment_intent_data[metadata][payment_id]", payment.payment_id.to_owned()),
        ("payment_intent_data[metadata][echo]", payment.echo.to_owned()),
        ("success_url", success_url.to_owned()),
    ];
    fields.extend(cancel_url.map(|url| ("cancel_url", url.to_owned())));
    form(&fields)
}

/// The form that creates a PaymentIntent with a code of WeChat Pay.
/// Source: <https://docs.stripe.com/payments/wechat-pay/accept-a-payment>, read 2026-11-24.
pub(super) fn intent_body(payment: &NewPayment<'_>) -> String {
    form(&[
        ("amount", payment.amount.amount.to_string()),
        ("currency", currency(payment)),
        ("confirm", "true".to_owned()),
        ("description", payment.description.to_owned()),
        ("payment_method_types[0]", "wechat_pay".to_owned()),
        ("payment_method_data[type]", "wechat_pay".to_owned()),
        ("payment_method_options[wechat_pay][client]", "web".to_owned()),
        ("metadata[payment_id]", payment.payment_id.to_owned()),
        ("metadata[echo]", payment.echo.to_owned()),
        ("metadata[code]", QR_CODE.to_owned()),
    ])
}

impl Stripe {
    pub(super) fn create_request(&self, payment_id: &str, body: &str) -> Request<Bytes> {
        let path = if body.starts_with(SESSION_BODY_PREFIX) { SESSIONS } else { INTENTS };
        self.post_once(path, body, &format!("pay:{}", percent_encoded(payment_id)))
    }

    pub(super) fn query_request(&self, payment: &PaymentRef<'_>) -> Request<Bytes> {
        let Some(id) = payment.gateway_ref else {
            return self.search(payment.payment_id);
        };
        let (path, expanded) = match id.starts_with(SESSION_PREFIX) {
            true => (SESSIONS, "payment_intent.latest_charge"),
            false => (INTENTS, "latest_charge"),
        };
        let expand = form(&[("expand%5B0%5D", expanded.to_owned())]);
        self.get(&format!("{path}/{}?{expand}", percent_encoded(id)))
    }

    /// Asks by our own id, for a payment whose create was never answered. It finds PaymentIntents
    /// only; a session has none before the payer begins to pay, but without its id nobody can.
    fn search(&self, payment_id: &str) -> Request<Bytes> {
        let query = form(&[
            ("query", format!("metadata['payment_id']:'{payment_id}'")),
            ("limit", PAGE_LEN_MAX.to_owned()),
            ("expand%5B0%5D", "data.latest_charge".to_owned()),
        ]);
        self.get(&format!("{INTENTS}/search?{query}"))
    }

    pub(super) fn owner_request(&self, transaction_id: &str) -> Request<Bytes> {
        self.get(&format!("{INTENTS}/{}", percent_encoded(transaction_id)))
    }

    /// Without a key: closing twice closes once, and a refusal that was only of its moment must
    /// not be answered again.
    pub(super) fn close_request(&self, payment: &PaymentRef<'_>) -> Request<Bytes> {
        let Some(id) = payment.gateway_ref else {
            return self.search(payment.payment_id);
        };
        let encoded = percent_encoded(id);
        let path = match id.starts_with(SESSION_PREFIX) {
            true => format!("{SESSIONS}/{encoded}/expire"),
            false => format!("{INTENTS}/{encoded}/cancel"),
        };
        self.post(&path, "")
    }

    pub(super) fn refund_request(
        &self,
        refund: &RefundRequest<'_>,
        now: Timestamp,
    ) -> Request<Bytes> {
        let body = form(&[
            ("payment_intent", refund.transaction_id.to_owned()),
            ("amount", refund.amount.amount.to_string()),
            ("metadata[refund_number]", refund.number.to_owned()),
            ("metadata[payment_id]", refund.payment_id.to_owned()),
            ("metadata[reason]", refund.reason.to_owned()),
        ]);
        let hour = now.as_second().div_euclid(REFUND_KEY_LIFE_S);
        self.post_once(REFUNDS, &body, &format!("refund:{}:{hour}", percent_encoded(refund.number)))
    }

    pub(super) fn refunds_request(&self, refund: &RefundRequest<'_>) -> Request<Bytes> {
        let query = form(&[
            ("payment_intent", refund.transaction_id.to_owned()),
            ("limit", PAGE_LEN_MAX.to_owned()),
        ]);
        self.get(&format!("{REFUNDS}?{query}"))
    }

    /// Asks for the movements of the balance, the newest first: those in the window that come
    /// behind the one of the id `after`. A refund's payment is known by its charge.
    pub(super) fn movements_request(
        &self,
        window: Option<Window>,
        after: Option<&str>,
    ) -> Request<Bytes> {
        let mut fields = vec![
            ("limit", PAGE_LEN_MAX.to_owned()),
            ("expand%5B0%5D", "data.source".to_owned()),
            ("expand%5B1%5D", "data.source.charge".to_owned()),
        ];
        let bounds = window.map(|Window { from, until }| {
            [
                ("created%5Bgte%5D", from.as_second().to_string()),
                ("created%5Blt%5D", until.as_second().to_string()),
            ]
        });
        fields.extend(bounds.into_iter().flatten());
        fields.extend(after.map(|id| ("starting_after", id.to_owned())));
        self.get(&format!("{MOVEMENTS}?{}", form(&fields)))
    }

    fn get(&self, path: &str) -> Request<Bytes> {
        self.request(Method::GET, path, "")
    }

    fn post(&self, path: &str, body: &str) -> Request<Bytes> {
        let mut request = self.request(Method::POST, path, body);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        request
    }

    /// A request that has its effect once, however often it is sent under that key. Every key that
    /// this adapter makes is visible ASCII; one that were not would be left out.
    fn post_once(&self, path: &str, body: &str, key: &str) -> Request<Bytes> {
        let mut request = self.post(path, body);
        if let Ok(key) = HeaderValue::from_str(key) {
            request.headers_mut().insert("idempotency-key", key);
        }
        request
    }

    fn request(&self, method: Method, path: &str, body: &str) -> Request<Bytes> {
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.uri(path);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("latchpay"));
        headers.insert("stripe-version", HeaderValue::from_static(VERSION));
        request
    }
}

/// Our minor units are the API's in every currency that is taken.
fn currency(payment: &NewPayment<'_>) -> String {
    payment.amount.currency.as_str().to_ascii_lowercase()
}

/// `application/x-www-form-urlencoded`, also for queries: values percent-encoded. Names are written
/// here and stand as they are; in a body their brackets do too, as Stripe's own libraries send
/// them, because a body is stored and each bracket's escape would cost two bytes.
fn form(fields: &[(&str, String)]) -> String {
    let field = |(name, value): &(&str, String)| format!("{name}={}", percent_encoded(value));
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}
