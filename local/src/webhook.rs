//! Posting events as Standard Webhooks.
//!
//! Headers, the signed content and the secret's form are those of the specification
//! (standard-webhooks, `spec/standard-webhooks.md`, read 2026-11-25).

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use ring::hmac;
use runtime::deps::{Clock, Randomness};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use crate::client::{Call, Client};
use crate::events::{Tell, given_up};
use crate::pipe::BusEvent;

/// How long a receiver may take to answer.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an event is posted until it is given up.
pub const ATTEMPTS_MAX: u32 = 6;
/// How long the first pause between two attempts is; each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How many bytes a secret may have.
const SECRET_LEN: std::ops::RangeInclusive<usize> = 24..=64;
/// What a secret begins with as text.
const SECRET_PREFIX: &str = "whsec_";

/// The secret that sender and receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

impl WebhookSecret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes; `None` if it is not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        SECRET_LEN.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// A secret from fresh randomness.
    #[must_use]
    pub fn fresh(random: &Randomness) -> Self {
        Self([random(), random()].concat())
    }

    /// The secret as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The value of `webhook-signature` for a message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signed = hmac::sign(&key, format!("{id}.{timestamp_s}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signed))
    }
}

/// Where events are posted, and by which secret they are signed.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The receiver's address.
    pub url: String,
    /// The secret.
    pub secret: WebhookSecret,
}

impl Webhook {
    /// Posts what is queued, one event after the other, until nobody queues any more.
    pub async fn post_all(&self, mut queued: Receiver<BusEvent>, clock: Clock, tell: &Tell) {
        let client = Client::new(&self.url).waiting_up_to(REPLY_TIMEOUT);
        while let Some(event) = queued.recv().await {
            if let Err(why) = self.post(&client, &event, &clock).await {
                tell(given_up(&event, &why));
            }
        }
    }

    /// Posts one event until the receiver has taken it.
    async fn post(&self, client: &Client, event: &BusEvent, clock: &Clock) -> Result<(), String> {
        let id = event.detail.get("id").and_then(Value::as_str).unwrap_or_default();
        let body = event.detail.to_string();
        let (mut pause, mut why) = (FIRST_PAUSE, String::new());
        for attempt in 1..=ATTEMPTS_MAX {
            // The time of the attempt: receivers refuse what was signed long ago.
            let timestamp_s = clock().as_second();
            let call = Call::new(Method::POST, "")
                .header("content-type", "application/json")
                .header("webhook-id", id)
                .header("webhook-timestamp", &timestamp_s.to_string())
                .header("webhook-signature", &self.secret.sign(id, timestamp_s, &body))
                .raw(body.clone());
            why = match client.send(call).await {
                Ok(reply) if (200..300).contains(&reply.status) => return Ok(()),
                // The receiver wants no more of it.
                Ok(reply) if reply.status == StatusCode::GONE.as_u16() => {
                    return Err("the receiver answered 410".to_owned());
                }
                Ok(reply) => format!("the receiver answered {}", reply.status),
                Err(error) => error.to_string(),
            };
            if attempt < ATTEMPTS_MAX {
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        }
        Err(why)
    }
}

#[cfg(test)]
mod tests {
    use runtime::config::system_randomness;

    use super::*;

    #[test]
    fn a_message_is_signed_as_the_specifications_libraries_sign_it() {
        // The vector that the libraries of the specification are tested with.
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_24_to_64_bytes_and_comes_back() {
        for (bytes, fits) in [(23, false), (24, true), (64, true), (65, false)] {
            let text = format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
            assert_eq!(WebhookSecret::parse(&text).is_some(), fits, "{bytes}");
        }
        assert_eq!(WebhookSecret::parse(&STANDARD.encode([7; 24])), None);
        let secret = WebhookSecret::fresh(&system_randomness());
        assert_eq!(WebhookSecret::parse(&secret.to_text()), Some(secret));
    }
}
