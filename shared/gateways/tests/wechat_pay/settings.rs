//! Wrong settings are refused at start-up, by name.

use domain::gateway::GatewayName;
use gateways::registry::Registry;
use gateways::settings::SettingsError;
use gateways::wechat_pay::WechatPaySettings;
use serde_json::{Value, json};

use crate::peer::{
    CERTIFICATE_PEM, CERTIFICATE_SERIAL, NEW_KEY, OLD_KEY, PUBLIC_KEY_ID, PUBLIC_KEY_PEM, settings,
    vectors,
};

fn registry(settings: &Value) -> Result<Registry, SettingsError> {
    Registry::from_settings(&json!({ "wechat_pay": settings }).to_string())
}

#[test]
fn right_settings_make_the_gateway() {
    let registry = registry(&settings()).unwrap();
    let name = GatewayName::parse("wechat_pay").unwrap();
    assert_eq!(registry.names().collect::<Vec<_>>(), [&name]);
    assert_eq!(registry.get(&name).unwrap().name(), &name);
    assert!(registry.get(&GatewayName::parse("alipay").unwrap()).is_none());
}

#[test]
fn a_document_that_names_no_known_gateway_is_refused() {
    for (document, message) in [
        ("", "gateway settings are not JSON"),
        ("[]", "gateway settings must be an object"),
        ("{}", "gateway settings name no gateway"),
        (r#"{"wechat": {}}"#, "wechat is not a gateway"),
        (r#"{"wechat_pay": null}"#, "wechat_pay must be an object"),
        (r#"{"wechat_pay": {}}"#, "wechat_pay.mchid is missing"),
    ] {
        let error = Registry::from_settings(document).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
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
            assert_eq!(error.to_string(), format!("wechat_pay.{name} is missing"));
        }
    }
}

/// Spoils one field and checks what the refusal says.
fn check(field: &str, value: Value, message: &str) {
    let mut settings = settings();
    settings[field] = value;
    let error = registry(&settings).unwrap_err();
    assert_eq!(error.to_string(), format!("wechat_pay.{message}"));
}

#[test]
fn wrong_names_are_refused() {
    for (field, value, problem) in [
        ("mchid", json!(""), "is empty"),
        ("mchid", json!(1_900_000_109), "must be a text"),
        ("mchid", json!("19\"0"), "is not 1 to 32 letters and digits"),
        ("mchid", json!("1".repeat(33)), "is not 1 to 32 letters and digits"),
        ("appid", json!(""), "is empty"),
        ("appid", json!("wx 1"), "is not 1 to 32 letters and digits"),
        ("merchant_serial", json!(""), "is not a serial number in hex"),
        ("merchant_serial", json!("serial=44"), "is not a serial number in hex"),
        ("mch_id", json!("1900000109"), "is not a known field"),
    ] {
        check(field, value, &format!("{field} {problem}"));
    }
}

#[test]
fn wrong_secrets_are_refused() {
    let key = "merchant_private_key_pem";
    let mislabelled = PUBLIC_KEY_PEM.replace("PUBLIC", "PRIVATE");
    for (value, problem) in [
        ("MIIE", "is not a PEM text"),
        (PUBLIC_KEY_PEM, "is neither a `PRIVATE KEY` nor an `RSA PRIVATE KEY`"),
        (&mislabelled, "is not an RSA key of 2048 to 4096 bits"),
    ] {
        check(key, json!(value), &format!("{key} {problem}"));
    }
    for (value, message) in [
        (json!([]), "apiv3_keys is empty"),
        (json!(NEW_KEY), "apiv3_keys must be a list"),
        (json!([1]), "apiv3_keys[0] must be a text"),
        (json!([NEW_KEY, "x".repeat(31)]), "apiv3_keys[1] is not 32 bytes"),
        (json!(["x".repeat(33)]), "apiv3_keys[0] is not 32 bytes"),
    ] {
        check("apiv3_keys", value, message);
    }
}

#[test]
fn verify_keys_of_a_wrong_shape_are_refused() {
    let twice = json!({ "serial": PUBLIC_KEY_ID, "pem": PUBLIC_KEY_PEM });
    for (value, message) in [
        (json!([]), "verify_keys is empty"),
        (json!(["x"]), "verify_keys[0] must be an object"),
        (json!([{ "pem": "y" }]), "verify_keys[0].serial is missing"),
        (json!([{ "serial": "x" }]), "verify_keys[0].pem is missing"),
        (
            json!([{ "serial": "x", "pem": "y", "kid": "z" }]),
            "verify_keys[0].kid is not a known field",
        ),
        (json!([twice, twice]), "verify_keys[1].serial is given twice"),
    ] {
        check("verify_keys", value, message);
    }
}

#[test]
fn verify_keys_that_are_no_fitting_keys_are_refused() {
    let config = &vectors()["config"];
    let own_key = config["merchant_public_key_pem"].as_str().unwrap();
    let private = config["merchant_private_key_pem"].as_str().unwrap();
    let short = include_str!("../keys/short_public_key.pem");
    let elliptic = include_str!("../keys/elliptic_public_key.pem");
    let two_blocks = format!("{PUBLIC_KEY_PEM}{PUBLIC_KEY_PEM}");
    let spoilt = PUBLIC_KEY_PEM.replace("MIIBIjAN", "MIIBIjAO");
    for (pem, problem) in [
        ("x", "is not a PEM text"),
        (private, "is neither a `PUBLIC KEY` nor a `CERTIFICATE`"),
        (&two_blocks, "holds more than one PEM block"),
        (&spoilt, "is not a public key"),
        (short, "is not an RSA key of 2048 to 8192 bits"),
        (elliptic, "is not an RSA key of 2048 to 8192 bits"),
        (own_key, "is the merchant's own key"),
    ] {
        let keys = json!([{ "serial": PUBLIC_KEY_ID, "pem": pem }]);
        check("verify_keys", keys, &format!("verify_keys[0].pem {problem}"));
    }
}

#[test]
fn serials_that_are_not_their_keys_are_refused() {
    let another = "444F4864EA9B34415A51E1B8C1C0F2D3A4B5C6D7";
    let not_an_id = "of a public key must be its id, `PUB_KEY_ID_…`";
    for (serial, pem, problem) in [
        (CERTIFICATE_SERIAL, PUBLIC_KEY_PEM, not_an_id),
        ("PUB_KEY_ID_", PUBLIC_KEY_PEM, not_an_id),
        ("PUB_KEY_ID_1\n", PUBLIC_KEY_PEM, not_an_id),
        (PUBLIC_KEY_ID, CERTIFICATE_PEM, "is not a serial number in hex"),
        (another, CERTIFICATE_PEM, "is not the certificate's own"),
    ] {
        let keys = json!([{ "serial": serial, "pem": pem }]);
        check("verify_keys", keys, &format!("verify_keys[0].serial {problem}"));
    }
}

#[test]
fn wrong_urls_are_refused() {
    let with_query = "has a query string or a fragment";
    let long = format!("https://pay.example.com/{}", "n".repeat(232));
    for (field, value, problem) in [
        ("base_url", "api.mch.weixin.qq.com", "is not an absolute URL"),
        ("base_url", "http://api.mch.weixin.qq.com", "is not https"),
        ("base_url", "https://api.mch.weixin.qq.com?x=1", with_query),
        ("base_url", "ftp://localhost", "is not https"),
        ("notify_url", "", "is not a URL"),
        ("notify_url", "/callbacks", "is not an absolute URL"),
        ("notify_url", "http://pay.example.com/n", "is not https"),
        ("notify_url", "http://127.0.0.1.example.com/n", "is not https"),
        ("notify_url", "https://pay.example.com/n?x", with_query),
        ("notify_url", "https://pay.example.com/n?", with_query),
        ("notify_url", "https://pay.example.com/n#x", with_query),
        ("notify_url", "https://u@pay.example.com/n", "must name a host and no user"),
        ("notify_url", &long, "is longer than 255 bytes"),
    ] {
        check(field, json!(value), &format!("{field} {problem}"));
    }
    let mut settings = settings();
    settings["notify_url"] = json!(long[..255]);
    assert!(registry(&settings).is_ok());
}

#[test]
fn a_laptop_s_addresses_and_a_lower_case_serial_are_taken() {
    for (field, value) in [
        ("base_url", "http://127.0.0.1:8080/simulator/wechat_pay"),
        ("base_url", "http://localhost:8080/"),
        ("base_url", "https://api2.mch.weixin.qq.com"),
        ("notify_url", "http://localhost:8080/v1/callbacks/wechat_pay"),
        ("notify_url", "http://[::1]:8080/v1/callbacks/wechat_pay"),
        ("merchant_serial", "444f4864ea9b34415a51e1b8c1c0f2d3a4b5c6d7"),
    ] {
        let mut settings = settings();
        settings[field] = json!(value);
        assert!(registry(&settings).is_ok(), "{value}");
    }
    let mut settings = settings();
    settings["verify_keys"][0]["serial"] = json!(CERTIFICATE_SERIAL.to_lowercase());
    assert!(registry(&settings).is_ok());
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let read: WechatPaySettings = serde_json::from_value(settings()).unwrap();
    let text = format!("{read:?} {:?}", crate::peer::adapter(settings()));
    let mut wrong_type = settings();
    wrong_type["apiv3_keys"] = json!(NEW_KEY);
    let error = serde_json::from_value::<WechatPaySettings>(wrong_type).unwrap_err();
    let text = format!("{text} {error} {error:?}");
    for secret in [OLD_KEY, NEW_KEY, "BEGIN PRIVATE KEY", "MIIEv"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains("1900000109"));
}
