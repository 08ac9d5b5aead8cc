//! What replies are believed for.

use std::time::Duration;

use bytes::Bytes;
use domain::gateway::Capture;
use gateways::{
    CODE_URL_LEN_MAX, CloseOutcome, CreateOutcome, Gateway, Owner, QueryOutcome, RefundOutcome,
    Refusal, TooOften,
};
use http::Response;
use serde_json::{Value, json};

use crate::peer::{
    Key, NOW_S, PAYMENT_ID, PUBLIC_KEY_PEM, REFUND_NUMBER, TRADE_NO, adapter, at, cny, declined,
    enveloped, payment, refund, refused, reply, settings, signed, unsigned,
};

const PRECREATE: &str = "alipay.trade.precreate";
const QUERY: &str = "alipay.trade.query";
const CLOSE: &str = "alipay.trade.close";
const REFUND: &str = "alipay.trade.refund";
const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";

const CREATED: &str =
    r#"{"code":"10000","msg":"Success","qr_code":"https:\/\/qr.alipay.com\/bax03431"}"#;
const CREATED_NAME: &str = "alipay_trade_precreate_response";

fn refusal(status: u16, code: &str, message: &str) -> Refusal {
    Refusal { status, code: code.to_owned(), message: message.to_owned() }
}

fn read_create(reply: &Response<Bytes>) -> CreateOutcome {
    adapter(settings()).read_create(reply, at(NOW_S))
}

fn read_query(reply: &Response<Bytes>) -> QueryOutcome {
    adapter(settings()).read_query(&payment(), reply, at(NOW_S))
}

fn read_close(reply: &Response<Bytes>) -> CloseOutcome {
    adapter(settings()).read_close(reply, at(NOW_S))
}

fn read_refund(reply: &Response<Bytes>) -> RefundOutcome {
    adapter(settings()).read_refund(&refund(), reply, at(NOW_S))
}

fn read_query_refund(reply: &Response<Bytes>) -> RefundOutcome {
    adapter(settings()).read_query_refund(&refund(), reply, at(NOW_S))
}

fn payable() -> CreateOutcome {
    CreateOutcome::Payable {
        code_url: "https://qr.alipay.com/bax03431".to_owned(),
        gateway_ref: None,
    }
}

fn trade(status: &str) -> Value {
    json!({
        "code": "10000",
        "msg": "Success",
        "out_trade_no": PAYMENT_ID,
        "trade_no": TRADE_NO,
        "trade_status": status,
        "total_amount": "12.80",
        "receipt_amount": "10.00",
        "buyer_pay_amount": "10.00",
        "send_pay_date": "2026-01-01 07:59:30",
        "passback_params": "lp1.echo",
    })
}

fn made() -> Value {
    json!({
        "code": "10000",
        "msg": "Success",
        "out_trade_no": PAYMENT_ID,
        "trade_no": TRADE_NO,
        "fund_change": "Y",
        "refund_fee": "12.80",
        "gmt_refund_pay": "2026-01-01 08:00:10",
    })
}

fn found() -> Value {
    json!({
        "code": "10000",
        "msg": "Success",
        "out_trade_no": PAYMENT_ID,
        "trade_no": TRADE_NO,
        "out_request_no": REFUND_NUMBER,
        "total_amount": "12.80",
        "refund_amount": "12.80",
        "refund_status": "REFUND_SUCCESS",
    })
}

#[test]
fn a_signed_code_is_payable_and_anything_less_is_not_known() {
    assert_eq!(read_create(&signed(PRECREATE, CREATED)), payable());
    let signature = Key::Current.sign(CREATED.as_bytes());
    let whole = enveloped(CREATED_NAME, CREATED, &signature);
    let mut elsewhere = reply(200, &whole);
    for status in [201, 302, 400, 500, 502] {
        *elsewhere.status_mut() = http::StatusCode::from_u16(status).unwrap();
        let outcome = read_create(&elsewhere);
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{status}: {outcome:?}");
    }
    for body in [
        format!(r#"{{"{CREATED_NAME}":{CREATED}}}"#),
        format!(r#"{{"{CREATED_NAME}":{CREATED},"sign":null}}"#),
        format!(r#"{{"{CREATED_NAME}":{CREATED},"sign":"{signature}","sign":"{signature}"}}"#),
        format!(
            r#"{{"{CREATED_NAME}":{CREATED},"{CREATED_NAME}":{CREATED},"sign":"{signature}"}}"#
        ),
        // The right signature, under the name of another call, and as an error.
        enveloped("alipay_trade_query_response", CREATED, &signature),
        enveloped("error_response", CREATED, &signature),
        enveloped(CREATED_NAME, &CREATED.replace("\\/", "/"), &signature),
        enveloped(CREATED_NAME, &CREATED.replace(',', ", "), &signature),
        enveloped(CREATED_NAME, CREATED, ""),
        format!("{whole}x"),
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
    ] {
        let outcome = read_create(&reply(200, &body));
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{body}: {outcome:?}");
    }
    for contents in [
        r#"{"code":"10000"}"#,
        r#"{"code":"10000","qr_code":""}"#,
        r#"{"code":10000,"qr_code":"x"}"#,
        r#"{"qr_code":"x"}"#,
        r#""10000""#,
    ] {
        let outcome = read_create(&signed(PRECREATE, contents));
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{contents}: {outcome:?}");
    }
}

#[test]
fn a_code_is_taken_up_to_its_longest() {
    for (len, is_taken) in [(CODE_URL_LEN_MAX, true), (CODE_URL_LEN_MAX + 1, false)] {
        let code_url = "q".repeat(len);
        let contents = json!({ "code": "10000", "qr_code": code_url }).to_string();
        let outcome = read_create(&signed(PRECREATE, &contents));
        let payable = CreateOutcome::Payable { code_url, gateway_ref: None };
        assert_eq!(outcome == payable, is_taken, "{len}");
        assert_eq!(matches!(outcome, CreateOutcome::Unknown(_)), !is_taken, "{outcome:?}");
    }
}

#[test]
fn the_signed_text_is_cut_out_whatever_stands_in_its_strings() {
    for note in [r"}", r#"\"}"#, r#"\",\"sign\":\"x\"}"#, r"{[\\", "\u{8ba2}"] {
        let contents =
            format!(r#"{{ "note":"{note}" ,"code":"10000" , "qr_code":"https:\/\/q\/1"}}"#);
        let signature = Key::Current.sign(contents.as_bytes());
        for body in [
            enveloped(CREATED_NAME, &contents, &signature),
            format!("{{\n \"{CREATED_NAME}\" : {contents} ,\"sign\" : \"{signature}\"\n}}\n"),
            format!(r#"{{"sign":"{signature}","alipay_cert_sn":"1","{CREATED_NAME}":{contents}}}"#),
            enveloped(CREATED_NAME, &contents, &signature.replace('/', "\\/")),
        ] {
            let outcome = read_create(&reply(200, &body));
            let CreateOutcome::Payable { code_url, gateway_ref: None } = outcome else {
                panic!("{body}: {outcome:?}");
            };
            assert_eq!(code_url, "https://q/1");
        }
    }
}

#[test]
fn any_byte_of_the_signed_text_changed_is_not_known() {
    let gateway = adapter(settings());
    let signature = Key::Current.sign(CREATED.as_bytes());
    for position in 0..CREATED.len() {
        let mut contents = CREATED.as_bytes().to_vec();
        contents[position] ^= 1;
        let Ok(contents) = String::from_utf8(contents) else { continue };
        let reply = reply(200, enveloped(CREATED_NAME, &contents, &signature));
        let outcome = gateway.read_create(&reply, at(NOW_S));
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{contents}: {outcome:?}");
    }
}

#[test]
fn the_current_and_the_previous_key_sign_replies_side_by_side() {
    for key in [Key::Current, Key::Previous] {
        let body = enveloped(CREATED_NAME, CREATED, &key.sign(CREATED.as_bytes()));
        assert_eq!(read_create(&reply(200, &body)), payable(), "{key:?}");
        let mut one_key = settings();
        one_key["verify_keys"] = json!([PUBLIC_KEY_PEM]);
        let outcome = adapter(one_key).read_create(&reply(200, &body), at(NOW_S));
        assert_eq!(outcome == payable(), key == Key::Current, "{outcome:?}");
    }
}

#[test]
fn create_refusals_change_a_state_only_when_signed() {
    for (contents, when_signed, when_unsigned) in [
        (refused("ACQ.TRADE_HAS_SUCCESS"), "already_paid", "already_paid"),
        (refused("ACQ.TRADE_HAS_CLOSE"), "closed", "unknown"),
        (refused("aop.ACQ.TRADE_HAS_CLOSE"), "closed", "unknown"),
        (refused("AQC.TRADE_HAS_CLOSE"), "closed", "unknown"),
        (refused("ACQ.INVALID_PARAMETER"), "refused", "unknown"),
        (refused("ACQ.TOTAL_FEE_EXCEED"), "refused", "unknown"),
        (refused("ACQ.EXIST_FORBIDDEN_WORD"), "refused", "unknown"),
        (refused("ACQ.PARTNER_ERROR"), "refused", "unknown"),
        (refused("ACQ.ACCESS_FORBIDDEN"), "refused", "unknown"),
        (refused("ACQ.BUYER_SELLER_EQUAL"), "refused", "unknown"),
        (refused("ACQ.SELLER_BEEN_BLOCKED"), "refused", "unknown"),
        (declined("40006", "isv.insufficient-isv-permissions"), "refused", "unknown"),
        (refused("ACQ.CONTEXT_INCONSISTENT"), "unknown", "unknown"),
        (refused("ACQ.TRADE_BUYER_NOT_MATCH"), "unknown", "unknown"),
        (refused("ACQ.SYSTEM_ERROR"), "unknown", "unknown"),
        (refused("ACQ.SOMETHING_NEW"), "unknown", "unknown"),
        (declined("40002", "isv.invalid-signature"), "unknown", "unknown"),
        (declined("40001", "isv.missing-method"), "unknown", "unknown"),
        (declined("20001", "aop.invalid-auth-token"), "unknown", "unknown"),
        (declined("20000", "isp.unknow-error"), "unknown", "unknown"),
        (declined("20000", "ACQ.TRADE_HAS_CLOSE"), "unknown", "unknown"),
        (declined("40002", "ACQ.TRADE_HAS_CLOSE"), "unknown", "unknown"),
        (declined("99999", "ACQ.TRADE_HAS_CLOSE"), "unknown", "unknown"),
    ] {
        let outcome = read_create(&signed(PRECREATE, &contents));
        assert_eq!(create_name(&outcome), when_signed, "{contents}, signed");
        let outcome = read_create(&unsigned(PRECREATE, &contents));
        assert_eq!(create_name(&outcome), when_unsigned, "{contents}, unsigned");
    }
}

#[test]
fn a_refusal_under_error_response_counts_like_any_other() {
    let contents = refused("ACQ.TRADE_HAS_CLOSE");
    let signature = Key::Current.sign(contents.as_bytes());
    let body = enveloped("error_response", &contents, &signature);
    assert_eq!(read_create(&reply(200, body)), CreateOutcome::Closed);
    let body = format!(r#"{{"error_response":{}}}"#, declined("40002", "isv.invalid-signature"));
    let unknown = CreateOutcome::Unknown(refusal(200, "isv.invalid-signature", "m"));
    assert_eq!(read_create(&reply(200, &body)), unknown);
    assert!(matches!(read_close(&reply(200, &body)), CloseOutcome::Ask(_)));
    // Without a reason of its own, the code speaks.
    let body = r#"{"error_response":{"code":"40002","msg":"Invalid Arguments"}}"#;
    let unknown = CreateOutcome::Unknown(refusal(200, "40002", "Invalid Arguments"));
    assert_eq!(read_create(&reply(200, body)), unknown);
}

#[test]
fn a_refusal_with_a_wrong_signature_is_an_unsigned_one() {
    let contents = refused("ACQ.TRADE_NOT_EXIST");
    let signature = Key::Current.sign(b"something else");
    let reply = |name| reply(200, enveloped(name, &contents, &signature));
    let queried = read_query(&reply("alipay_trade_query_response"));
    assert!(matches!(queried, QueryOutcome::Unknown(_)));
    let closed = read_close(&reply("alipay_trade_close_response"));
    assert!(matches!(closed, CloseOutcome::Ask(_)));
}

fn capture() -> Capture {
    Capture { transaction_id: TRADE_NO.to_owned(), captured: cny(1280), paid_at: at(NOW_S - 30) }
}

#[test]
fn every_trade_status_is_read() {
    for (status, expected) in [
        ("WAIT_BUYER_PAY", QueryOutcome::Unpaid),
        ("TRADE_SUCCESS", QueryOutcome::Paid(capture())),
        ("TRADE_FINISHED", QueryOutcome::Paid(capture())),
        // Paid, and back in full: the capture stands.
        ("TRADE_CLOSED", QueryOutcome::Returned(capture())),
        ("NEW_STATE", QueryOutcome::Unknown(refusal(200, "NEW_STATE", "an unknown trade_status"))),
    ] {
        let contents = trade(status).to_string();
        assert_eq!(read_query(&signed(QUERY, &contents)), expected);
        let outcome = read_query(&unsigned(QUERY, &contents));
        let QueryOutcome::Unknown(refusal) = outcome else { panic!("{status}: {outcome:?}") };
        assert_eq!(refusal.code, "missing_header");
    }
}

#[test]
fn a_trade_that_was_never_paid_is_closed_and_needs_none_of_a_payment_s_fields() {
    for (status, expected) in
        [("WAIT_BUYER_PAY", QueryOutcome::Unpaid), ("TRADE_CLOSED", QueryOutcome::Closed)]
    {
        for send_pay_date in [None, Some(json!(null)), Some(json!(""))] {
            let mut answer = trade(status);
            for field in ["send_pay_date", "trade_no", "total_amount", "passback_params"] {
                answer.as_object_mut().unwrap().remove(field);
            }
            if let Some(date) = send_pay_date {
                answer["send_pay_date"] = date;
            }
            assert_eq!(read_query(&signed(QUERY, &answer.to_string())), expected);
        }
    }
}

#[test]
fn an_answer_about_something_else_or_half_an_answer_is_not_known() {
    for (field, value, code) in [
        ("out_trade_no", json!("another"), "mismatch"),
        ("out_trade_no", json!(null), "unreadable"),
        ("trade_status", json!(null), "unreadable"),
        ("trade_no", json!(null), "unreadable"),
        ("trade_no", json!(""), "unreadable"),
        ("send_pay_date", json!(null), "unreadable"),
        ("send_pay_date", json!("yesterday"), "unreadable"),
        ("send_pay_date", json!("2026-01-01T07:59:30Z"), "unreadable"),
        ("total_amount", json!(null), "unreadable"),
        ("total_amount", json!("0.00"), "unreadable"),
        ("total_amount", json!("-12.80"), "unreadable"),
        ("total_amount", json!("12.801"), "unreadable"),
        ("total_amount", json!(12.8), "unreadable"),
    ] {
        let mut answer = trade("TRADE_SUCCESS");
        answer[field] = value;
        let outcome = read_query(&signed(QUERY, &answer.to_string()));
        let QueryOutcome::Unknown(refusal) = outcome else { panic!("{answer}: {outcome:?}") };
        assert_eq!(refusal.code, code, "{answer}");
    }
}

#[test]
fn a_trade_that_does_not_exist_is_not_found_only_when_signed() {
    for sub_code in ["ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST"] {
        let contents = refused(sub_code);
        assert_eq!(read_query(&signed(QUERY, &contents)), QueryOutcome::NotFound);
        assert_eq!(read_close(&signed(CLOSE, &contents)), CloseOutcome::NotFound);
        let told = refusal(200, sub_code, "m");
        assert_eq!(read_query(&unsigned(QUERY, &contents)), QueryOutcome::Unknown(told.clone()));
        assert_eq!(read_close(&unsigned(CLOSE, &contents)), CloseOutcome::Ask(told));
    }
    for contents in [
        refused("ACQ.SYSTEM_ERROR"),
        refused("ACQ.INVALID_PARAMETER"),
        declined("20000", "aop.ACQ.SYSTEM_ERROR"),
        declined("40002", "isv.invalid-timestamp"),
        declined("40002", "ACQ.TRADE_NOT_EXIST"),
    ] {
        let outcome = read_query(&signed(QUERY, &contents));
        assert!(matches!(outcome, QueryOutcome::Unknown(_)), "{contents}: {outcome:?}");
    }
}

#[test]
fn the_owner_is_what_a_believed_answer_carries_back() {
    let gateway = adapter(settings());
    let owner = |reply: &Response<Bytes>| gateway.read_owner(reply, at(NOW_S));
    let answer = trade("TRADE_SUCCESS");
    let expected = Owner { payment_id: PAYMENT_ID.to_owned(), echo: "lp1.echo".to_owned() };
    assert_eq!(owner(&signed(QUERY, &answer.to_string())), Ok(Some(expected)));
    assert_eq!(owner(&signed(QUERY, &refused("ACQ.TRADE_NOT_EXIST"))), Ok(None));
    for echo in [json!(""), json!(null)] {
        let mut answer = answer.clone();
        answer["passback_params"] = echo;
        assert_eq!(owner(&signed(QUERY, &answer.to_string())), Ok(None));
    }
    // What is not known is no word that the payment is not ours.
    for reply in [
        unsigned(QUERY, &answer.to_string()),
        unsigned(QUERY, &refused("ACQ.TRADE_NOT_EXIST")),
        signed(QUERY, &refused("ACQ.SYSTEM_ERROR")),
        signed(QUERY, &refused("ACQ.INVALID_PARAMETER")),
        reply(502, ""),
    ] {
        assert!(owner(&reply).is_err());
    }
}

#[test]
fn only_a_signed_10000_is_a_confirmed_close() {
    let closed = json!({ "code": "10000", "out_trade_no": PAYMENT_ID, "trade_no": TRADE_NO });
    assert_eq!(read_close(&signed(CLOSE, &closed.to_string())), CloseOutcome::Closed);
    let outcome = read_close(&unsigned(CLOSE, &closed.to_string()));
    assert!(matches!(outcome, CloseOutcome::Unknown(_)), "{outcome:?}");
    for sub_code in [
        "ACQ.TRADE_STATUS_ERROR",
        "ACQ.REASON_TRADE_STATUS_INVALID",
        "ACQ.REASON_ILLEGAL_STATUS",
        "ACQ.INVALID_PARAMETER",
        "ACQ.TRADE_HAS_CLOSE",
        "ACQ.SOMETHING_NEW",
    ] {
        let ask = CloseOutcome::Ask(refusal(200, sub_code, "m"));
        assert_eq!(read_close(&signed(CLOSE, &refused(sub_code))), ask);
        assert_eq!(read_close(&unsigned(CLOSE, &refused(sub_code))), ask);
    }
    for contents in [refused("ACQ.SYSTEM_ERROR"), declined("20000", "isp.unknow-error")] {
        let outcome = read_close(&signed(CLOSE, &contents));
        assert!(matches!(outcome, CloseOutcome::Unknown(_)), "{contents}: {outcome:?}");
    }
    assert!(matches!(read_close(&reply(502, "")), CloseOutcome::Unknown(_)));
}

#[test]
fn a_refund_has_succeeded_only_when_it_moved_the_whole_amount() {
    assert_eq!(read_refund(&signed(REFUND, &made().to_string())), RefundOutcome::Succeeded);
    let outcome = read_refund(&unsigned(REFUND, &made().to_string()));
    assert_eq!(refund_name(&outcome), "unknown");
    for (field, value, name) in [
        ("fund_change", json!("N"), "processing"),
        ("fund_change", json!(null), "processing"),
        ("fund_change", json!("y"), "processing"),
        ("refund_fee", json!("12.8"), "succeeded"),
        ("refund_fee", json!("12.79"), "unknown"),
        ("refund_fee", json!("12.81"), "unknown"),
        ("refund_fee", json!(null), "unknown"),
        ("refund_fee", json!(12.8), "unknown"),
        ("trade_no", json!("another"), "unknown"),
        ("trade_no", json!(null), "unknown"),
        ("out_trade_no", json!("another"), "unknown"),
    ] {
        let mut answer = made();
        answer[field] = value;
        let outcome = read_refund(&signed(REFUND, &answer.to_string()));
        assert_eq!(refund_name(&outcome), name, "{answer}");
    }
}

#[test]
fn refund_refusals_follow_the_table() {
    for (sub_code, when_signed, when_unsigned) in [
        ("SYSTEM_ERROR", "unknown", "unknown"),
        ("SELLER_BALANCE_NOT_ENOUGH", "later", "later"),
        ("REFUND_CHARGE_ERROR", "later", "later"),
        ("TRADE_HAS_FINISHED", "refused", "unknown"),
        ("TRADE_HAS_CLOSE", "unknown", "unknown"),
        ("TRADE_NOT_ALLOW_REFUND", "refused", "unknown"),
        ("NOT_ALLOW_PARTIAL_REFUND", "refused", "unknown"),
        ("ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND", "refused", "unknown"),
        ("BUYER_NOT_EXIST", "refused", "unknown"),
        ("BUYER_ERROR", "refused", "unknown"),
        ("BUYER_ENABLE_STATUS_FORBID", "refused", "unknown"),
        ("CUSTOMER_VALIDATE_ERROR", "refused", "unknown"),
        ("REFUND_AMT_NOT_EQUAL_TOTAL", "refused", "unknown"),
        ("REASON_TRADE_REFUND_FEE_ERR", "refused", "unknown"),
        ("REFUND_FEE_ERROR", "refused", "unknown"),
        ("TRADE_STATUS_ERROR", "unknown", "unknown"),
        ("REASON_TRADE_STATUS_INVALID", "unknown", "unknown"),
        ("TRADE_NOT_EXIST", "unknown", "unknown"),
        ("REASON_TRADE_BEEN_FREEZEN", "stuck", "unknown"),
        ("DISCORDANT_REPEAT_REQUEST", "stuck", "unknown"),
        ("INVALID_PARAMETER", "unknown", "unknown"),
        ("SOMETHING_NEW", "unknown", "unknown"),
    ] {
        for prefix in ["ACQ.", "aop.ACQ.", ""] {
            let contents = refused(&format!("{prefix}{sub_code}"));
            let outcome = read_refund(&signed(REFUND, &contents));
            assert_eq!(refund_name(&outcome), when_signed, "{contents}, signed");
            let outcome = read_refund(&unsigned(REFUND, &contents));
            assert_eq!(refund_name(&outcome), when_unsigned, "{contents}, unsigned");
        }
    }
}

#[test]
fn faults_of_our_own_settings_say_nothing_about_the_payer_s_money() {
    for (code, name) in [
        ("20000", "unknown"),
        ("20001", "later"),
        ("40001", "later"),
        ("40002", "later"),
        ("40006", "later"),
        ("40003", "unknown"),
        ("99999", "unknown"),
    ] {
        let contents = declined(code, "isv.any");
        for reply in [signed(REFUND, &contents), unsigned(REFUND, &contents)] {
            assert_eq!(refund_name(&read_refund(&reply)), name, "{code}");
        }
    }
    assert_eq!(refund_name(&read_refund(&reply(502, ""))), "unknown");
}

#[test]
fn a_refund_is_found_only_with_its_status_and_as_it_was_asked_for() {
    let read = |answer: &Value| read_query_refund(&signed(REFUND_QUERY, &answer.to_string()));
    assert_eq!(read(&found()), RefundOutcome::Succeeded);
    let outcome = read_query_refund(&unsigned(REFUND_QUERY, &found().to_string()));
    assert_eq!(refund_name(&outcome), "unknown");
    for (field, value, name) in [
        ("refund_status", json!(null), "not_found"),
        ("refund_status", json!(""), "not_found"),
        ("refund_status", json!("REFUND_FAIL"), "unknown"),
        ("refund_amount", json!("12.8"), "succeeded"),
        ("refund_amount", json!("12.79"), "unknown"),
        ("refund_amount", json!(null), "unknown"),
        ("out_request_no", json!("another"), "unknown"),
        ("out_request_no", json!(null), "unknown"),
        ("trade_no", json!("another"), "unknown"),
        ("out_trade_no", json!("another"), "unknown"),
    ] {
        let mut answer = found();
        answer[field] = value;
        assert_eq!(refund_name(&read(&answer)), name, "{answer}");
    }
}

#[test]
fn a_refund_that_the_gateway_does_not_know_is_not_found() {
    let bare = json!({ "code": "10000", "msg": "Success" });
    let outcome = read_query_refund(&signed(REFUND_QUERY, &bare.to_string()));
    assert_eq!(outcome, RefundOutcome::NotFound);
    let outcome = read_query_refund(&unsigned(REFUND_QUERY, &bare.to_string()));
    assert_eq!(refund_name(&outcome), "unknown");
    let of_another = json!({ "code": "10000", "out_request_no": "another" });
    let outcome = read_query_refund(&signed(REFUND_QUERY, &of_another.to_string()));
    assert_eq!(refund_name(&outcome), "unknown");
    for sub_code in ["ACQ.TRADE_NOT_EXIST", "ACQ.SYSTEM_ERROR", "ACQ.INVALID_PARAMETER"] {
        let outcome = read_query_refund(&signed(REFUND_QUERY, &refused(sub_code)));
        assert_eq!(outcome, RefundOutcome::Unknown(refusal(200, sub_code, "m")));
    }
}

/// Every call but create reads a refusal of how often it is called, and of nothing else, so.
#[test]
fn a_gateway_that_is_called_too_often_says_so_with_and_without_a_signature() {
    for (code, sub_code, is_too_often) in [
        ("40005", "isv.app-call-limited", true),
        ("40005", "isv.method-call-limited", true),
        ("40005", "isv.something-new", true),
        ("40004", "isv.app-call-limited", true),
        ("40004", "method-call-limited", true),
        ("40004", "ACQ.SOMETHING_NEW", false),
        ("40003", "isv.something-new", false),
        ("40006", "isv.insufficient-isv-permissions", false),
        ("20000", "isv.app-call-limited", false),
    ] {
        let contents = declined(code, sub_code);
        let told = TooOften { refusal: refusal(200, sub_code, "m"), retry_after: None };
        for reply in [signed, unsigned] {
            let queried =
                read_query(&reply(QUERY, &contents)) == QueryOutcome::TooOften(told.clone());
            let closed =
                read_close(&reply(CLOSE, &contents)) == CloseOutcome::TooOften(told.clone());
            let too_often = RefundOutcome::TooOften(told.clone());
            let refunded = read_refund(&reply(REFUND, &contents)) == too_often;
            let asked = read_query_refund(&reply(REFUND_QUERY, &contents)) == too_often;
            let all = [queried, closed, refunded, asked];
            assert_eq!(all, [is_too_often; 4], "{code} {sub_code}");
            let created = read_create(&reply(PRECREATE, &contents));
            assert!(matches!(created, CreateOutcome::Unknown(_)) || !is_too_often);
        }
    }
    let mut patient = unsigned(CLOSE, &declined("40005", "isv.app-call-limited"));
    patient.headers_mut().insert("retry-after", "7".parse().unwrap());
    let CloseOutcome::TooOften(told) = read_close(&patient) else { panic!("{patient:?}") };
    assert_eq!(told.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn the_gateway_s_words_are_kept_short() {
    let contents = json!({
        "code": "40004",
        "msg": "Business Failed",
        "sub_code": "C".repeat(1000),
        "sub_msg": "长".repeat(1000),
    });
    let outcome = read_create(&unsigned(PRECREATE, &contents.to_string()));
    let CreateOutcome::Unknown(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.code.len(), 64);
    assert_eq!(refusal.message, "长".repeat(85));
}

fn create_name(outcome: &CreateOutcome) -> &'static str {
    match outcome {
        CreateOutcome::Payable { .. } => "payable",
        CreateOutcome::AlreadyPaid => "already_paid",
        CreateOutcome::Closed => "closed",
        CreateOutcome::Refused(_) => "refused",
        CreateOutcome::Unknown(_) => "unknown",
    }
}

fn refund_name(outcome: &RefundOutcome) -> &'static str {
    match outcome {
        RefundOutcome::Succeeded => "succeeded",
        RefundOutcome::Processing => "processing",
        RefundOutcome::Failed(_) => "failed",
        RefundOutcome::Refused(_) => "refused",
        RefundOutcome::NotFound => "not_found",
        RefundOutcome::Later(_) => "later",
        RefundOutcome::TooOften(_) => "too_often",
        RefundOutcome::Stuck(_) => "stuck",
        RefundOutcome::Unknown(_) => "unknown",
    }
}
