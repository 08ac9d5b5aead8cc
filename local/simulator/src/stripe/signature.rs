//! The `Stripe-Signature` header: HMAC-SHA256 over `{t}.{body}`, signed anew for each delivery.
//!
//! <https://docs.stripe.com/webhooks#verify-manually> (read 2026-11-24). Public, so that tests of
//! whoever reads webhooks can make genuine ones without a server.

use ring::hmac;

/// What signs in the scheme that test mode adds and that receivers must ignore.
const FAKE_SCHEME_SECRET: &str = "v0";

/// The header over a body: one `v1` for each secret, in their order, then the fake `v0`.
///
/// The timestamp is in Unix seconds. The whole secret is the key, its `whsec_` included.
#[must_use]
pub fn header(timestamp: i64, secrets: &[&str], body: &[u8]) -> String {
    let values = secrets.iter().map(|secret| format!("v1={}", sign(timestamp, secret, body)));
    let values: Vec<String> = values.collect();
    let fake = sign(timestamp, FAKE_SCHEME_SECRET, body);
    format!("t={timestamp},{},v0={fake}", values.join(","))
}

fn sign(timestamp: i64, secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{timestamp}.").as_bytes());
    context.update(body);
    context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/stripe.json")).unwrap()
    }

    /// The secrets whose signatures an independent SDK made, by the name of the row.
    fn secrets<'a>(vectors: &'a Value, row: &str) -> Option<Vec<&'a str>> {
        let current = vectors["config"]["webhook_secret"].as_str().unwrap();
        let previous = vectors["config"]["webhook_secret_previous"].as_str().unwrap();
        match row {
            "secret_rotation_two_v1" => Some(vec![previous, current]),
            "session_completed_paid" | "timestamp_301s_old" | "refund_updated_succeeded" => {
                Some(vec![current])
            }
            _ => None,
        }
    }

    #[test]
    fn the_header_is_the_one_of_an_independent_sdk() {
        let vectors = vectors();
        let mut compared = 0;
        for row in vectors["inbound"].as_array().unwrap() {
            let Some(secrets) = secrets(&vectors, row["name"].as_str().unwrap()) else {
                continue;
            };
            let signed = row["headers"]["stripe-signature"].as_str().unwrap();
            let timestamp = signed.split_once(',').unwrap().0.strip_prefix("t=").unwrap();
            let body = row["body"].as_str().unwrap().as_bytes();
            let ours = header(timestamp.parse().unwrap(), &secrets, body);
            let (ours, fake) = ours.rsplit_once(",v0=").unwrap();
            assert_eq!(ours, signed, "{}", row["name"]);
            assert_eq!(fake.len(), 64);
            compared += 1;
        }
        assert_eq!(compared, 4);
    }

    #[test]
    fn another_secret_and_another_byte_give_another_signature() {
        let vectors = vectors();
        for name in ["signed_with_other_secret", "body_one_byte_changed"] {
            let rows = vectors["inbound"].as_array().unwrap();
            let row = rows.iter().find(|row| row["name"] == name).unwrap();
            let body = row["body"].as_str().unwrap().as_bytes();
            let secret = vectors["config"]["webhook_secret"].as_str().unwrap();
            let ours = header(1_767_225_598, &[secret], body);
            let (ours, _) = ours.rsplit_once(",v0=").unwrap();
            assert_ne!(row["headers"]["stripe-signature"], ours, "{name}");
        }
    }
}
