//! Who calls: the `Authorization` header, signed over the exact request.

use http::header::AUTHORIZATION;
use jiff::Timestamp;

use super::MCHID;
use super::keys::{Keys, MERCHANT_SERIAL, SCHEME};
use super::refusal::Refusal;
use super::server::Call;

/// How far the caller's clock may be off, in seconds.
const CLOCK_SKEW_S: u64 = 300;

const NONCE_LEN_MAX: usize = 128;

/// The five values of the header, each given exactly once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Authorization<'a> {
    mchid: Option<&'a str>,
    serial_no: Option<&'a str>,
    nonce_str: Option<&'a str>,
    timestamp: Option<&'a str>,
    signature: Option<&'a str>,
}

/// Refuses a call that the merchant did not sign, or not now.
pub(super) fn verify(keys: &Keys, call: &Call, now: Timestamp) -> Result<(), Refusal> {
    let header = call.header(AUTHORIZATION.as_str());
    let header = header.ok_or_else(|| Refusal::sign_error("Authorization is missing"))?;
    let authorization = parse(header).ok_or_else(|| Refusal::sign_error("malformed header"))?;
    check(keys, call, &authorization, now).map_err(Refusal::sign_error)
}

fn check(
    keys: &Keys,
    call: &Call,
    authorization: &Authorization<'_>,
    now: Timestamp,
) -> Result<(), &'static str> {
    if authorization.mchid != Some(MCHID) {
        return Err("unknown mchid");
    }
    if authorization.serial_no != Some(MERCHANT_SERIAL) {
        return Err("unknown serial_no");
    }
    let timestamp = authorization.timestamp.ok_or("timestamp is missing")?;
    if !is_recent(timestamp, now) {
        return Err("the timestamp is more than 5 minutes off");
    }
    let nonce = authorization.nonce_str.ok_or("nonce_str is missing")?;
    if !(1..=NONCE_LEN_MAX).contains(&nonce.len()) {
        return Err("the length of nonce_str is wrong");
    }
    let signature = authorization.signature.ok_or("signature is missing")?;
    let message = canonical(call, timestamp, nonce);
    if keys.merchant_signed(&message, signature) { Ok(()) } else { Err("wrong signature") }
}

/// Five lines, each with its line feed, the last one too.
fn canonical(call: &Call, timestamp: &str, nonce: &str) -> Vec<u8> {
    let head = format!("{}\n{}\n{timestamp}\n{nonce}\n", call.method, call.path_and_query);
    let mut message = head.into_bytes();
    message.extend_from_slice(&call.body);
    message.push(b'\n');
    message
}

fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    let ten_digits = timestamp.len() == 10 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse::<i64>();
    ten_digits && seconds.is_ok_and(|seconds| now.as_second().abs_diff(seconds) <= CLOCK_SKEW_S)
}

fn parse(header: &str) -> Option<Authorization<'_>> {
    let mut found = Authorization::default();
    for pair in header.strip_prefix(SCHEME)?.strip_prefix(' ')?.split(',') {
        let (name, quoted) = pair.split_once('=')?;
        let value = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let slot = match name {
            "mchid" => &mut found.mchid,
            "serial_no" => &mut found.serial_no,
            "nonce_str" => &mut found.nonce_str,
            "timestamp" => &mut found.timestamp,
            "signature" => &mut found.signature,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/wechat.json")).unwrap()
    }

    #[test]
    fn the_canonical_string_is_the_one_of_an_independent_sdk() {
        let vectors = vectors();
        for vector in vectors["request_signing"].as_array().unwrap() {
            let authorization = parse(vector["authorization"].as_str().unwrap()).unwrap();
            let call = Call {
                method: vector["method"].as_str().unwrap().parse::<Method>().unwrap(),
                path_and_query: vector["path"].as_str().unwrap().to_owned(),
                headers: HeaderMap::new(),
                body: Bytes::from(vector["body"].as_str().unwrap().to_owned()),
            };
            let message = canonical(
                &call,
                authorization.timestamp.unwrap(),
                authorization.nonce_str.unwrap(),
            );
            assert_eq!(message, vector["message"].as_str().unwrap().as_bytes());
            assert_eq!(authorization.signature, vector["signature"].as_str());
            assert_eq!(authorization.mchid, vectors["config"]["mchid"].as_str());
            assert_eq!(authorization.serial_no, vectors["config"]["merchant_serial"].as_str());
        }
    }

    #[test]
    fn a_malformed_header_is_refused() {
        for header in [
            "",
            "WECHATPAY2-SHA256-RSA2048",
            "WECHATPAY2-SHA256-RSA2048 mchid=1",
            "WECHATPAY2-SHA256-RSA2048 mchid=\"1\",mchid=\"1\"",
            "WECHATPAY2-SHA256-RSA2048 other=\"1\"",
            "WECHATPAY2-SM2-WITH-SM3 mchid=\"1\"",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_timestamp_counts_for_five_minutes_both_ways() {
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        for (timestamp, accepted) in [
            ("1767225299", false),
            ("1767225300", true),
            ("1767225900", true),
            ("1767225901", false),
            ("1767225600000", false),
            ("+767225600", false),
        ] {
            assert_eq!(is_recent(timestamp, now), accepted, "{timestamp}");
        }
    }
}
