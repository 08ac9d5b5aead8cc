//! Settings that make the gateway, and settings that are refused by the name of the field.

use domain::gateway::GatewayName;
use gateways::registry::Registry;
use gateways::settings::SettingsError;
use gateways::stripe::StripeSettings;
use serde_json::{Value, json};

use crate::peer::{NEW_SECRET, OLD_SECRET, SECRET_KEY, adapter, qr_settings, settings};

fn registry(settings: &Value) -> Result<Registry, SettingsError> {
    Registry::from_settings(&json!({ "stripe": settings }).to_string())
}

/// Spoils one field and checks what the refusal says.
fn check(field: &str, value: Value, message: &str) {
    let mut settings = settings();
    settings[field] = value;
    let error = registry(&settings).unwrap_err();
    assert_eq!(error.to_string(), format!("stripe.{message}"));
}

#[test]
fn right_settings_make_the_gateway() {
    let name = GatewayName::parse("stripe").unwrap();
    for settings in [settings(), qr_settings()] {
        let registry = registry(&settings).unwrap();
        assert_eq!(registry.names().collect::<Vec<_>>(), [&name]);
        assert_eq!(registry.get(&name).unwrap().name(), &name);
    }
}

#[test]
fn every_field_that_has_no_default_is_needed() {
    let names = settings();
    for name in names.as_object().unwrap().keys() {
        for absent in [None, Some(Value::Null)] {
            let mut settings = settings();
            settings.as_object_mut().unwrap().remove(name);
            if let Some(null) = absent {
                settings[name] = null;
            }
            let error = registry(&settings).unwrap_err();
            assert_eq!(error.to_string(), format!("stripe.{name} is missing"));
        }
    }
}

#[test]
fn what_is_shown_decides_whether_the_payer_is_sent_back() {
    for (code, has_url, is_right) in [
        (json!("checkout_session"), true, true),
        (json!("checkout_session"), false, false),
        (json!(null), true, true),
        (json!(null), false, false),
        (json!("wechat_pay_qr"), true, true),
        (json!("wechat_pay_qr"), false, true),
    ] {
        let mut settings = settings();
        settings["code"] = code.clone();
        if !has_url {
            settings.as_object_mut().unwrap().remove("success_url");
        }
        assert_eq!(registry(&settings).is_ok(), is_right, "{code} {has_url}");
    }
}

#[test]
fn wrong_keys_and_secrets_are_refused() {
    let not_a_key = "secret_key is not `sk_` or `rk_` with `live_` or `test_`";
    for key in [
        "",
        "sk_test_",
        "sk_live_",
        "pk_test_1",
        "sk_1",
        "SK_TEST_1",
        "sk_test_a b",
        "sk_test_a\n",
        "sk_test_é",
        " sk_test_1",
    ] {
        check("secret_key", json!(key), not_a_key);
    }
    check("secret_key", json!(1), "secret_key must be a text");
    let not_a_secret = "is not a signing secret, `whsec_…`";
    for (value, message) in [
        (json!([]), "webhook_secrets is empty".to_owned()),
        (json!(NEW_SECRET), "webhook_secrets must be a list".to_owned()),
        (json!([1]), "webhook_secrets[0] must be a text".to_owned()),
        (json!(["whsec_"]), format!("webhook_secrets[0] {not_a_secret}")),
        (json!([NEW_SECRET, SECRET_KEY]), format!("webhook_secrets[1] {not_a_secret}")),
        (json!([NEW_SECRET, "whsec_a b"]), format!("webhook_secrets[1] {not_a_secret}")),
    ] {
        check("webhook_secrets", value, &message);
    }
}

#[test]
fn every_kind_of_key_is_taken() {
    for key in ["sk_test_1", "sk_live_1", "rk_test_1", "rk_live_1", "sk_test_a-b_c"] {
        let mut settings = settings();
        settings["secret_key"] = json!(key);
        assert!(registry(&settings).is_ok(), "{key}");
    }
}

#[test]
fn what_is_no_setting_is_refused() {
    let neither = "code is neither `checkout_session` nor `wechat_pay_qr`";
    for (field, value, message) in [
        ("code", json!("qr"), neither),
        ("code", json!(""), neither),
        ("code", json!(1), "code must be a text"),
        ("webhook_secret", json!(NEW_SECRET), "webhook_secret is not a known field"),
        ("notify_url", json!("https://pay.example.com/n"), "notify_url is not a known field"),
    ] {
        check(field, value, message);
    }
}

#[test]
fn wrong_urls_are_refused() {
    let long = format!("https://pay.example.com/{}", "n".repeat(232));
    for (field, value, problem) in [
        ("base_url", "api.stripe.com", "is not an absolute URL"),
        ("base_url", "http://api.stripe.com", "is not https"),
        ("base_url", "https://api.stripe.com?x=1", "has a query string or a fragment"),
        ("success_url", "", "is not a URL"),
        ("success_url", "/paid", "is not an absolute URL"),
        ("success_url", "http://pay.example.com/paid", "is not https"),
        ("success_url", "javascript:alert(1)", "is not an absolute URL"),
        ("success_url", "https://u@pay.example.com/paid", "must name a host and no user"),
        ("success_url", &long, "is longer than 255 bytes"),
        ("cancel_url", "ftp://localhost", "is not https"),
        ("cancel_url", "http://127.0.0.1.example.com/n", "is not https"),
        ("cancel_url", &long, "is longer than 255 bytes"),
    ] {
        check(field, json!(value), &format!("{field} {problem}"));
    }
}

#[test]
fn a_payer_may_be_sent_back_with_a_query_and_to_a_laptop() {
    let longest = format!("https://pay.example.com/{}", "n".repeat(231));
    for (field, value) in [
        ("success_url", "https://pay.example.com/ok?sid={CHECKOUT_SESSION_ID}"),
        ("success_url", "http://localhost:8080/paid"),
        ("success_url", &longest),
        ("cancel_url", "http://[::1]:8080/back?to=desk#top"),
        ("base_url", "http://127.0.0.1:8080/simulator/stripe"),
    ] {
        let mut settings = settings();
        settings[field] = json!(value);
        assert!(registry(&settings).is_ok(), "{value}");
    }
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let read: StripeSettings = serde_json::from_value(settings()).unwrap();
    let text = format!("{read:?} {:?}", adapter(settings()));
    let mut wrong_type = settings();
    wrong_type["webhook_secrets"] = json!(NEW_SECRET);
    let error = serde_json::from_value::<StripeSettings>(wrong_type).unwrap_err();
    let text = format!("{text} {error} {error:?}");
    for secret in [OLD_SECRET, NEW_SECRET, SECRET_KEY, "sk_test_"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains("https://pay.example.com/paid"));
}
