//! The laptop's own secrets: made at the first start and kept with the data, because ids derive
//! from them.

use std::io;
use std::path::Path;

use domain::ids::hex;
use runtime::deps::Randomness;
use serde_json::{Value, json};
use simulator::{alipay, stripe, wechat_pay};

use crate::webhook::WebhookSecret;

/// The secrets of a data folder, as the functions' environment would carry them.
///
/// # Errors
/// The folder cannot be read or written.
pub fn of_folder(folder: Option<&Path>, base_url: &str, random: &Randomness) -> io::Result<String> {
    let keys = kept(folder, "secrets.json", || fresh(random).to_string())?;
    let keys: Value = serde_json::from_str(&keys)?;
    Ok(json!({
        "id_secret": keys.get("id_secret"),
        "token_keys": keys.get("token_keys"),
        "gateways": {
            "alipay": alipay_settings(base_url),
            "stripe": stripe_settings(base_url),
            "wechat_pay": wechat_pay_settings(base_url),
        },
    })
    .to_string())
}

/// The secret of a data folder that signs webhooks, where none is given.
///
/// # Errors
/// The folder cannot be read or written, or its secret is none.
pub fn webhook_of_folder(folder: Option<&Path>, random: &Randomness) -> io::Result<WebhookSecret> {
    let secret = kept(folder, "webhook.secret", || WebhookSecret::fresh(random).to_text())?;
    WebhookSecret::parse(&secret)
        .ok_or_else(|| io::Error::other("webhook.secret holds no webhook secret"))
}

/// What a file of the data folder holds, made and kept where it is not there yet.
fn kept(folder: Option<&Path>, name: &str, make: impl Fn() -> String) -> io::Result<String> {
    match folder.map(|folder| folder.join(name)) {
        None => Ok(make()),
        Some(file) if file.exists() => std::fs::read_to_string(file),
        Some(file) => {
            let text = make();
            write_whole(&file, &text)?;
            Ok(text)
        }
    }
}

/// Writes a file under another name first: a kill must not leave half of it.
pub(crate) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    std::fs::write(&unfinished, text)?;
    std::fs::rename(unfinished, file)
}

fn fresh(random: &Randomness) -> Value {
    let secret = || -> String { hex(&[random(), random()].concat()).collect() };
    json!({ "id_secret": secret(), "token_keys": [{ "id": "laptop", "key": secret() }] })
}

/// The simulator's merchant at WeChat Pay, with our callback route as the address for
/// notifications.
fn wechat_pay_settings(base_url: &str) -> Value {
    let merchant = wechat_pay::merchant_settings();
    let verify_keys: Vec<Value> = merchant
        .verify_keys
        .iter()
        .map(|key| json!({ "serial": key.serial, "pem": key.pem }))
        .collect();
    json!({
        "mchid": merchant.mchid,
        "appid": merchant.appid,
        "merchant_serial": merchant.merchant_serial,
        "merchant_private_key_pem": merchant.merchant_private_key_pem,
        "apiv3_keys": [merchant.apiv3_key],
        "verify_keys": verify_keys,
        "base_url": format!("{base_url}{}", wechat_pay::MOUNT_PATH),
        "notify_url": format!("{base_url}/v1/callbacks/wechat_pay"),
    })
}

/// The simulator's app at Alipay, likewise; its key before the change still verifies.
fn alipay_settings(base_url: &str) -> Value {
    let merchant = alipay::merchant_settings();
    json!({
        "app_id": merchant.app_id,
        "seller_id": merchant.seller_id,
        "app_private_key_pem": merchant.app_private_key_pem,
        "verify_keys": [
            merchant.alipay_public_key_pem,
            merchant.previous_alipay_public_key_pem,
        ],
        "base_url": format!("{base_url}{}", alipay::MOUNT_PATH),
        "notify_url": format!("{base_url}/v1/callbacks/alipay"),
    })
}

/// The simulator's account at Stripe, whose webhooks come to our callback route by its own
/// configuration. Nobody comes back to the success page of a laptop.
fn stripe_settings(base_url: &str) -> Value {
    let merchant = stripe::merchant_settings();
    json!({
        "secret_key": merchant.secret_key,
        "webhook_secrets": merchant.webhook_secrets,
        "success_url": "https://shop.example.com/paid",
        "base_url": format!("{base_url}{}", stripe::MOUNT_PATH),
    })
}
