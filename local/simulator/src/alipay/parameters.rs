//! The public parameters of a call, and the signature over all of them.

use std::collections::BTreeMap;

use http::Uri;
use jiff::Timestamp;
use serde_json::Value;

use super::keys::{Keys, SIGN_TYPE, signed_text};
use super::refusal::Refusal;
use super::{APP_ID, time};
use crate::calls;

/// How far the caller's clock may be off, in seconds.
///
/// The official pages give none. This is our choice: wide enough for any clock that is kept, and
/// too narrow for one that tells the time of another zone.
const CLOCK_SKEW_S: u64 = 15 * 60;

const NOTIFY_URL_LEN_MAX: usize = 256;

/// Every public parameter that is read, or that an official SDK adds.
///
/// Source: <https://docs.open.alipay.com/api_1/alipay.trade.precreate>, read 2026-11-24.
const NAMES: [&str; 13] = [
    "alipay_sdk",
    "app_auth_token",
    "app_id",
    "biz_content",
    "charset",
    "format",
    "method",
    "notify_url",
    "return_url",
    "sign",
    "sign_type",
    "timestamp",
    "version",
];

/// The parameters of one call, each given once.
pub(super) struct Parameters(BTreeMap<String, String>);

/// What a method is called with.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) notify_url: Option<String>,
    pub(super) biz_content: Value,
}

impl Parameters {
    /// Reads query and form body as one list.
    pub(super) fn read(query: &str, body: &str) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').chain(body.split('&')).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if parameters.insert(name.clone(), value).is_some() {
                return Err(Refusal::invalid("isv.invalid-parameter", format!("{name}: twice")));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Checks who calls and how, in the order of the gateway: presence, form, signature.
    pub(super) fn verified(&self, keys: &Keys, now: Timestamp) -> Result<Call, Refusal> {
        self.check_presence()?;
        self.check_forms(now)?;
        let sign = self.get("sign").unwrap_or_default();
        if !keys.app_signed(&self.signed_text(), sign) {
            let text = format!("验签出错，网关生成的验签字符串为：{}", self.signed_text());
            return Err(Refusal::invalid("isv.invalid-signature", text));
        }
        let biz_content = self.get("biz_content").unwrap_or("{}");
        let illegal = |_| Refusal::invalid("isv.illegal-json", "biz_content: 非法的JSON");
        let biz_content = serde_json::from_str(biz_content).map_err(illegal)?;
        Ok(Call { notify_url: self.get("notify_url").map(str::to_owned), biz_content })
    }

    /// What the caller signed: everything but the signature itself.
    fn signed_text(&self) -> String {
        let values = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        signed_text(values.filter(|(name, _)| *name != "sign"))
    }

    fn check_presence(&self) -> Result<(), Refusal> {
        for (name, sub_code) in [
            ("app_id", "isv.missing-app-id"),
            ("sign_type", "isv.missing-signature-type"),
            ("sign", "isv.missing-signature"),
            ("timestamp", "isv.missing-timestamp"),
            ("version", "isv.missing-version"),
        ] {
            self.get(name).ok_or_else(|| Refusal::missing(sub_code))?;
        }
        Ok(())
    }

    fn check_forms(&self, now: Timestamp) -> Result<(), Refusal> {
        let value = |name| self.get(name).unwrap_or_default();
        if value("app_id") != APP_ID {
            return Err(Refusal::invalid("isv.invalid-app-id", "无效的AppID参数"));
        }
        if value("sign_type") != SIGN_TYPE {
            return Err(Refusal::invalid("isv.invalid-signature-type", "无效的签名类型"));
        }
        if !value("charset").eq_ignore_ascii_case("utf-8") {
            return Err(Refusal::invalid("isv.invalid-charset", "字符集错误: utf-8"));
        }
        if !self.get("format").is_none_or(|format| format.eq_ignore_ascii_case("json")) {
            return Err(Refusal::invalid("isv.invalid-format", "无效的数据格式: JSON"));
        }
        if !is_recent(value("timestamp"), now) {
            return Err(Refusal::invalid("isv.invalid-timestamp", "非法的时间戳参数"));
        }
        if value("version") != "1.0" {
            return Err(Refusal::invalid("isv.invalid-parameter", "version: 1.0"));
        }
        if !self.get("notify_url").is_none_or(is_callback) {
            let text = "notify_url: http or https, at most 256 characters";
            return Err(Refusal::invalid("isv.invalid-parameter", text));
        }
        match self.0.keys().find(|name| !NAMES.contains(&name.as_str())) {
            Some(name) => {
                Err(Refusal::invalid("isv.invalid-parameter", format!("{name}: unknown")))
            }
            None => Ok(()),
        }
    }
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let illegal = || Refusal::invalid("isv.invalid-parameter", "not form-urlencoded UTF-8");
    calls::percent_decoded(&spaced).ok_or_else(illegal)
}

fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    let Some(at) = time::parse(timestamp) else {
        return false;
    };
    now.as_second().abs_diff(at.as_second()) <= CLOCK_SKEW_S
}

fn is_callback(value: &str) -> bool {
    let Ok(uri) = value.parse::<Uri>() else {
        return false;
    };
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    scheme && host && value.len() <= NOTIFY_URL_LEN_MAX && !value.contains('#')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::rsa;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/vectors/alipay.json")).unwrap()
    }

    #[test]
    fn the_signed_text_and_the_signature_are_those_of_an_independent_sdk() {
        let vectors = vectors();
        let pem = vectors["config"]["app_private_key_pkcs8_pem"].as_str().unwrap();
        let key = rsa::private_key("app", pem).unwrap();
        for vector in vectors["request_signing"].as_array().unwrap() {
            let form = vector["form_body"].as_str().unwrap();
            for (query, body) in [(form, ""), ("", form)] {
                let parameters = Parameters::read(query, body).unwrap();
                let text = parameters.signed_text();
                assert_eq!(text, vector["string_to_sign"].as_str().unwrap());
                assert_eq!(parameters.get("sign"), vector["sign"].as_str());
                assert_eq!(rsa::sign(&key, text.as_bytes()).unwrap(), vector["sign"]);
            }
        }
    }

    #[test]
    fn the_signed_text_of_notifications_is_the_one_that_their_readers_verify() {
        for vector in vectors()["inbound"].as_array().unwrap() {
            let Some(expected) = vector["string_to_verify"].as_str() else {
                continue;
            };
            let parameters = Parameters::read("", vector["body"].as_str().unwrap()).unwrap();
            let values = parameters.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let signed = values.filter(|(name, _)| !matches!(*name, "sign" | "sign_type"));
            assert_eq!(signed_text(signed), expected);
        }
    }

    #[test]
    fn a_parameter_is_given_once_in_query_or_body() {
        for (query, body, read) in [
            ("a=1", "b=2", true),
            ("a=1", "a=1", false),
            ("a=1&a=2", "", false),
            ("", "a=1&%61=2", false),
            ("a", "", true),
            ("a=%f", "", false),
            ("a=%ff", "", false),
        ] {
            assert_eq!(Parameters::read(query, body).is_ok(), read, "{query} {body}");
        }
    }

    #[test]
    fn a_timestamp_counts_for_a_quarter_of_an_hour_both_ways() {
        let now: Timestamp = "2026-01-01T08:00:00Z".parse().unwrap();
        for (timestamp, accepted) in [
            ("2026-01-01 15:44:59", false),
            ("2026-01-01 15:45:00", true),
            ("2026-01-01 16:15:00", true),
            ("2026-01-01 16:15:01", false),
            ("2026-01-01 08:00:00", false),
            ("2026-01-01T16:00:00", false),
        ] {
            assert_eq!(is_recent(timestamp, now), accepted, "{timestamp}");
        }
    }

    #[test]
    fn a_notify_url_is_an_address_of_at_most_256_characters() {
        for (value, accepted) in [
            ("https://pay.example.com/v1/callbacks/alipay?a=b", true),
            ("http://pay.example.com/v1/callbacks/alipay", true),
            ("ftp://pay.example.com/", false),
            ("https://pay.example.com/#a", false),
            ("/v1/callbacks/alipay", false),
        ] {
            assert_eq!(is_callback(value), accepted, "{value}");
        }
        for (length, accepted) in [(256, true), (257, false)] {
            assert_eq!(is_callback(&format!("{:a<length$}", "https://a/")), accepted, "{length}");
        }
    }
}
