//! Calls to WeChat Pay, signed as it demands.
//!
//! Source: API v3 guide, chapter "签名生成", read 2026-11-23,
//! <https://wechatpay-api.gitbook.io/wechatpay-api-v3/qian-ming-zhi-nan-1/qian-ming-sheng-cheng>.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Error;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::{Client, Url};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::Value;

use crate::names::Names;

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// What a client makes by itself, or what is signed anew.
const OF_EACH_CALL: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::AUTHORIZATION];

/// One recorded call.
pub struct Call {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: String,
}

impl Call {
    /// Reads it.
    ///
    /// # Errors
    /// A line, if it is none.
    pub fn read(recorded: &Value) -> Result<Self, Error> {
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
        let mut headers = HeaderMap::new();
        for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
            let name = HeaderName::try_from(name)?;
            if !OF_EACH_CALL.contains(&name) {
                headers.insert(name, HeaderValue::try_from(text(value))?);
            }
        }
        let method = text(&recorded["method"]).parse()?;
        Ok(Self { method, url: text(&recorded["url"]), headers, body: text(&recorded["body"]) })
    }
}

/// The merchant with an ordinary HTTP client.
pub struct WechatPay {
    client: Client,
    mchid: String,
    serial: String,
    key: RsaKeyPair,
}

impl WechatPay {
    /// The merchant of these settings: number, certificate's serial number, and the private key in
    /// PKCS#8.
    ///
    /// # Errors
    /// A line about the key.
    pub fn new(settings: &Value) -> Result<Self, Error> {
        let text = |name: &str| settings[name].as_str().unwrap_or_default();
        let refused = |error: ring::error::KeyRejected| error.to_string();
        let pem = text("merchant_private_key_pem");
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        Ok(Self {
            client: Client::new(),
            mchid: text("mchid").to_owned(),
            serial: text("merchant_serial").to_owned(),
            key: RsaKeyPair::from_pkcs8(&STANDARD.decode(base64)?).map_err(refused)?,
        })
    }

    /// The value of `Authorization`.
    fn authorization(&self, method: &Method, url: &Url, body: &str) -> Result<String, Error> {
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let (source, mut random) = (SystemRandom::new(), [0; 16]);
        source.fill(&mut random).map_err(|_| "no randomness")?;
        let nonce: String = random.iter().map(|byte| format!("{byte:02X}")).collect();
        let message = format!("{method}\n{target}\n{timestamp}\n{nonce}\n{body}\n");
        let mut signature = vec![0; self.key.public().modulus_len()];
        let signed = self.key.sign(&RSA_PKCS1_SHA256, &source, message.as_bytes(), &mut signature);
        signed.map_err(|_| "it cannot be signed")?;
        let signature = STANDARD.encode(signature);
        let Self { mchid, serial, .. } = self;
        Ok(format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce}\",signature=\"{signature}\",\
             timestamp=\"{timestamp}\",serial_no=\"{serial}\""
        ))
    }

    /// Makes a call again.
    ///
    /// # Errors
    /// What came of it, if it was not answered well.
    pub async fn make(&self, call: &Call, names: &Names<'_>) -> Result<(), Error> {
        let (url, body) = (Url::parse(&names.within(&call.url))?, names.within(&call.body));
        let authorization = self.authorization(&call.method, &url, &body)?;
        let request = self.client.request(call.method.clone(), url).headers(call.headers.clone());
        let request = request.header(header::AUTHORIZATION, authorization).body(body);
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }
}
