//! What the merchant platform gives a merchant, and the checks that refuse it at start-up.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{Fields, SettingsError, text};

const BASE_URL: &str = "https://api.mch.weixin.qq.com";
/// The shortest of the limits on a notify URL: 255 when ordering, 256 when refunding.
const NOTIFY_URL_LEN_MAX: usize = 255;
/// `mchid` and `appid` are `string(32)`.
const IDENTIFIER_LEN_MAX: usize = 32;
/// A certificate's serial number has at most 20 octets (RFC 5280, section 4.1.2.2).
const SERIAL_LEN_MAX: usize = 40;

/// One merchant's settings. Its `Debug` shows no secret.
///
/// Numbers and keys are those that the merchant platform shows.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct WechatPaySettings {
    /// The merchant's number.
    pub mchid: String,
    /// The app that the payments belong to; it must be bound to `mchid`.
    pub appid: String,
    /// The serial number of the merchant's own API certificate, in hex. Not the platform's.
    pub merchant_serial: String,
    /// The private key of that certificate: PKCS#8, PEM. Secret.
    pub merchant_private_key_pem: String,
    /// `APIv3` keys of 32 bytes; all are tried, because a change of key has no overlap. Secret.
    pub apiv3_keys: Vec<String>,
    /// The gateway's own keys. The first public key among them is asked for in every request.
    pub verify_keys: Vec<VerifyKeySettings>,
    /// Where the API lives; the production host unless given. It may have a path.
    pub base_url: String,
    /// Where the gateway sends its notifications: `https`, public, without a query string.
    pub notify_url: String,
}

/// A key that the gateway signs with.
#[derive(Clone, Debug)]
pub struct VerifyKeySettings {
    /// What `Wechatpay-Serial` names it by: `PUB_KEY_ID_…`, or a certificate's serial in hex.
    pub serial: String,
    /// A `PUBLIC KEY` for the first kind, a `CERTIFICATE` for the second.
    pub pem: String,
}

impl fmt::Debug for WechatPaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serials: Vec<_> = self.verify_keys.iter().map(|key| &key.serial).collect();
        f.debug_struct("WechatPaySettings")
            .field("mchid", &self.mchid)
            .field("appid", &self.appid)
            .field("merchant_serial", &self.merchant_serial)
            .field("merchant_private_key_pem", &"***")
            .field("apiv3_keys", &vec!["***"; self.apiv3_keys.len()])
            .field("verify_keys", &serials)
            .field("base_url", &self.base_url)
            .field("notify_url", &self.notify_url)
            .finish()
    }
}

impl TryFrom<Value> for WechatPaySettings {
    type Error = SettingsError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let mut fields = Fields::of(value, "")?;
        let settings = Self {
            mchid: fields.text("mchid")?,
            appid: fields.text("appid")?,
            merchant_serial: fields.text("merchant_serial")?,
            merchant_private_key_pem: fields.text("merchant_private_key_pem")?,
            apiv3_keys: each(fields.list("apiv3_keys")?, "apiv3_keys", text)?,
            verify_keys: each(fields.list("verify_keys")?, "verify_keys", verify_key)?,
            base_url: fields.optional_text("base_url")?.unwrap_or_else(|| BASE_URL.to_owned()),
            notify_url: fields.text("notify_url")?,
        };
        fields.finish()?;
        Ok(settings)
    }
}

fn each<T>(
    values: Vec<Value>,
    list: &str,
    read: impl Fn(Value, &str) -> Result<T, SettingsError>,
) -> Result<Vec<T>, SettingsError> {
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| read(value, &format!("{list}[{at}]")))
        .collect()
}

fn verify_key(value: Value, name: &str) -> Result<VerifyKeySettings, SettingsError> {
    let mut fields = Fields::of(value, name)?;
    let read = |fields: &mut Fields, field| {
        let text = fields.text(field);
        text.map_err(|error| error.within(name))
    };
    let key =
        VerifyKeySettings { serial: read(&mut fields, "serial")?, pem: read(&mut fields, "pem")? };
    fields.finish().map_err(|error| error.within(name))?;
    Ok(key)
}

/// A merchant or app number as it may stand in a header and a path.
pub(super) fn identifier(text: &str, field: &str) -> Result<String, SettingsError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.is_empty() {
        return Err(SettingsError::new(field, "is empty"));
    }
    if text.len() > IDENTIFIER_LEN_MAX || !text.bytes().all(is_plain) {
        return Err(SettingsError::new(field, "is not 1 to 32 letters and digits"));
    }
    Ok(text.to_owned())
}

/// A certificate's serial number, as the gateway spells it: upper-case hex.
pub(super) fn hex_serial(text: &str, field: &str) -> Result<String, SettingsError> {
    let fits = (1..=SERIAL_LEN_MAX).contains(&text.len());
    if !fits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(SettingsError::new(field, "is not a serial number in hex"));
    }
    Ok(text.to_ascii_uppercase())
}

/// A notify URL that the gateway accepts and can call.
pub(super) fn notify_url(text: &str) -> Result<String, SettingsError> {
    url(text, "notify_url")?;
    if text.len() > NOTIFY_URL_LEN_MAX {
        return Err(SettingsError::new("notify_url", "is longer than 255 bytes"));
    }
    Ok(text.to_owned())
}

/// Where requests go: scheme and host, and what every path begins with.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) prefix: String,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, SettingsError> {
        let uri = url(text, "base_url")?;
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(SettingsError::new("base_url", "is not an absolute URL"));
        };
        Ok(Self { scheme, authority, prefix })
    }

    /// The URI of `path`, which is percent-encoded. Every path that this adapter makes fits a URI;
    /// one that did not would become `/`, which no host answers for.
    pub(super) fn uri(&self, path: &str) -> Uri {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .unwrap_or_default()
    }
}

fn url(text: &str, field: &str) -> Result<Uri, SettingsError> {
    let refuse = |problem| Err(SettingsError::new(field, problem));
    let Ok(uri) = text.parse::<Uri>() else {
        return refuse("is not a URL");
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refuse("is not an absolute URL");
    };
    if text.contains(['?', '#']) {
        return refuse("has a query string or a fragment");
    }
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return refuse("must name a host and no user");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if is_loopback(authority.host()) => Ok(uri),
        _ => refuse("is not https"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let ip: Option<IpAddr> = address.parse().ok();
    host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
}
