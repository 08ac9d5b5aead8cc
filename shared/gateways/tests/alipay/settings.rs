//! Wrong settings are refused at start-up, by name.

use domain::gateway::GatewayName;
use gateways::Gateway;
use gateways::alipay::AlipaySettings;
use gateways::registry::Registry;
use gateways::settings::SettingsError;
use serde_json::{Value, json};

use crate::peer::{
    APP_ID, PREVIOUS_KEY_PEM, PUBLIC_KEY_PEM, adapter, app_private_key, settings, vectors,
};

fn registry(settings: &Value) -> Result<Registry, SettingsError> {
    Registry::from_settings(&json!({ "alipay": settings }).to_string())
}

#[test]
fn right_settings_make_the_gateway() {
    let registry = registry(&settings()).unwrap();
    let name = GatewayName::parse("alipay").unwrap();
    assert_eq!(registry.get(&name).unwrap().name(), &name);
    assert_eq!(adapter(settings()).name(), &name);
}

#[test]
fn every_field_but_the_base_url_is_needed() {
    let names = settings();
    for name in names.as_object().unwrap().keys() {
        for absent in [None, Some(Value::Null)] {
            let mut settings = settings();
            settings.as_object_mut().unwrap().remove(name);
            if let Some(null) = absent {
                settings[name] = null;
            }
            let error = registry(&settings).unwrap_err();
            assert_eq!(error.to_string(), format!("alipay.{name} is missing"));
        }
    }
}

/// Spoils one field and checks what the refusal says.
fn check(field: &str, value: Value, message: &str) {
    let mut settings = settings();
    settings[field] = value;
    let error = registry(&settings).unwrap_err();
    assert_eq!(error.to_string(), format!("alipay.{message}"));
}

#[test]
fn wrong_names_are_refused() {
    for (field, value, problem) in [
        ("app_id", json!(""), "is empty"),
        ("app_id", json!(2_021_000_199_990_001_i64), "must be a text"),
        ("app_id", json!("2021&x=1"), "is not 1 to 32 letters and digits"),
        ("app_id", json!("1".repeat(33)), "is not 1 to 32 letters and digits"),
        ("seller_id", json!(""), "is empty"),
        ("seller_id", json!("2088 1"), "is not 1 to 32 letters and digits"),
        ("appid", json!(APP_ID), "is not a known field"),
    ] {
        check(field, value, &format!("{field} {problem}"));
    }
}

#[test]
fn a_private_key_that_is_none_is_refused() {
    let field = "app_private_key_pem";
    let mislabelled = PUBLIC_KEY_PEM.replace("PUBLIC", "PRIVATE");
    let as_pkcs1 = app_private_key().replace("PRIVATE KEY", "RSA PRIVATE KEY");
    let no_kind = "is neither a `PRIVATE KEY` nor an `RSA PRIVATE KEY`";
    let no_key = "is not an RSA key of 2048 to 4096 bits";
    for (value, problem) in [
        ("MIIE", "is not a PEM text"),
        (PUBLIC_KEY_PEM, no_kind),
        (&mislabelled, no_key),
        (&as_pkcs1, no_key),
    ] {
        check(field, json!(value), &format!("{field} {problem}"));
    }
}

#[test]
fn verify_keys_that_are_no_keys_of_the_gateway_are_refused() {
    let own_key = vectors()["config"]["app_public_key_pem"].clone();
    let short = include_str!("../keys/short_public_key.pem");
    let elliptic = include_str!("../keys/elliptic_public_key.pem");
    let certificate = include_str!("../keys/gateway_certificate.pem");
    let two_blocks = format!("{PUBLIC_KEY_PEM}{PREVIOUS_KEY_PEM}");
    let unfit = "is not an RSA key of 2048 to 8192 bits";
    for (keys, message) in [
        (json!([]), "verify_keys is empty".to_owned()),
        (json!(PUBLIC_KEY_PEM), "verify_keys must be a list".to_owned()),
        (json!([{ "pem": "x" }]), "verify_keys[0] must be a text".to_owned()),
        (json!(["x"]), "verify_keys[0] is not a PEM text".to_owned()),
        (json!([certificate]), "verify_keys[0] is not a PEM `PUBLIC KEY`".to_owned()),
        (json!([app_private_key()]), "verify_keys[0] is not a PEM `PUBLIC KEY`".to_owned()),
        (json!([two_blocks]), "verify_keys[0] holds more than one PEM block".to_owned()),
        (json!([PUBLIC_KEY_PEM, short]), format!("verify_keys[1] {unfit}")),
        (json!([PUBLIC_KEY_PEM, elliptic]), format!("verify_keys[1] {unfit}")),
        (json!([PUBLIC_KEY_PEM, own_key]), "verify_keys[1] is the app's own key".to_owned()),
        (json!([PUBLIC_KEY_PEM, PUBLIC_KEY_PEM]), "verify_keys[1] is given twice".to_owned()),
    ] {
        check("verify_keys", keys, &message);
    }
}

#[test]
fn wrong_urls_are_refused_and_a_laptop_s_are_taken() {
    let with_query = "has a query string or a fragment";
    for (field, value, problem) in [
        ("base_url", "openapi.alipay.com", "is not an absolute URL"),
        ("base_url", "http://openapi.alipay.com", "is not https"),
        ("base_url", "https://openapi.alipay.com?x=1", with_query),
        ("notify_url", "", "is not a URL"),
        ("notify_url", "http://pay.example.com/n", "is not https"),
        ("notify_url", "https://pay.example.com/n?x", with_query),
    ] {
        check(field, json!(value), &format!("{field} {problem}"));
    }
    for (field, value) in [
        ("base_url", "http://127.0.0.1:8080/simulator/alipay"),
        ("base_url", "https://openapi-sandbox.dl.alipaydev.com"),
        ("notify_url", "http://localhost:8080/v1/callbacks/alipay"),
    ] {
        let mut settings = settings();
        settings[field] = json!(value);
        assert!(registry(&settings).is_ok(), "{value}");
    }
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let read: AlipaySettings = serde_json::from_value(settings()).unwrap();
    let mut wrong_type = settings();
    wrong_type["app_private_key_pem"] = json!([app_private_key()]);
    let error = serde_json::from_value::<AlipaySettings>(wrong_type).unwrap_err();
    let text = format!("{read:?} {:?} {error} {error:?}", adapter(settings()));
    for secret in ["BEGIN PRIVATE KEY", "MIIEv"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains(APP_ID));
}
