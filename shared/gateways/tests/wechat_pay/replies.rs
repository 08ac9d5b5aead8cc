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
    Mode, NOW_S, PAYMENT_ID, REFUND_NUMBER, TRANSACTION_ID, adapter, at, cny, payment, problem,
    refund, settings, signed, transaction, unsigned,
};

const CREATED: &str = r#"{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}"#;

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
        code_url: "weixin://wxpay/bizpayurl?pr=p4lpSuKzz".to_owned(),
        gateway_ref: None,
    }
}

fn made(status: &str) -> Value {
    json!({
        "refund_id": "50000000382019052709732678859",
        "out_refund_no": REFUND_NUMBER,
        "transaction_id": TRANSACTION_ID,
        "out_trade_no": PAYMENT_ID,
        "status": status,
        "amount": { "total": 1280, "refund": 1280, "currency": "CNY" },
    })
}

#[test]
fn a_signed_code_is_payable_and_an_unsigned_one_is_not_known() {
    assert_eq!(read_create(&signed(200, CREATED)), payable());
    for reply in [
        unsigned(200, CREATED),
        signed(200, "{}"),
        signed(200, r#"{"code_url":""}"#),
        signed(200, "not json"),
        signed(302, CREATED),
        unsigned(502, "<html>"),
        unsigned(400, "<html>"),
    ] {
        let outcome = read_create(&reply);
        assert!(matches!(outcome, CreateOutcome::Unknown(_)), "{outcome:?}");
    }
}

#[test]
fn a_code_is_taken_up_to_its_longest() {
    for (len, is_taken) in [(CODE_URL_LEN_MAX, true), (CODE_URL_LEN_MAX + 1, false)] {
        let code_url = "w".repeat(len);
        let outcome = read_create(&signed(200, json!({ "code_url": code_url }).to_string()));
        let payable = CreateOutcome::Payable { code_url, gateway_ref: None };
        assert_eq!(outcome == payable, is_taken, "{len}");
        assert_eq!(matches!(outcome, CreateOutcome::Unknown(_)), !is_taken, "{outcome:?}");
    }
}

#[test]
fn a_reply_is_believed_for_less_than_300_seconds_either_way() {
    let gateway = adapter(settings());
    for (offset, is_believed) in [
        (-301, false),
        (-300, false),
        (-299, true),
        (0, true),
        (299, true),
        (300, false),
        (301, false),
    ] {
        let mut reply = unsigned(200, CREATED);
        let timestamp = (NOW_S + offset).to_string();
        *reply.headers_mut() = Mode::PublicKey.headers_at(&timestamp, CREATED.as_bytes());
        let outcome = gateway.read_create(&reply, at(NOW_S));
        assert_eq!(outcome == payable(), is_believed, "{offset}");
        if !is_believed {
            assert!(
                matches!(&outcome, CreateOutcome::Unknown(r) if r.code == "stale_timestamp"),
                "{outcome:?}"
            );
        }
    }
}

#[test]
fn both_kinds_of_keys_sign_replies() {
    let mut reply = unsigned(200, CREATED);
    *reply.headers_mut() = Mode::Certificate.headers(CREATED.as_bytes());
    assert_eq!(read_create(&reply), payable());
    // The right signature under the other key's name.
    let serial = Mode::PublicKey.serial().parse().unwrap();
    reply.headers_mut().insert("wechatpay-serial", serial);
    assert!(matches!(
        read_create(&reply),
        CreateOutcome::Unknown(r) if r.code == "bad_signature"
    ));
}

#[test]
fn create_errors_change_a_state_only_when_signed() {
    for (code, when_signed, when_unsigned) in [
        ("ORDERPAID", "already_paid", "already_paid"),
        ("ORDER_PAID", "already_paid", "already_paid"),
        ("ORDER_CLOSED", "closed", "unknown"),
        ("ORDERCLOSED", "closed", "unknown"),
        ("PARAM_ERROR", "refused", "unknown"),
        ("RULELIMIT", "refused", "unknown"),
        ("NO_AUTH", "refused", "unknown"),
        ("TRADE_ERROR", "refused", "unknown"),
        ("ACCOUNT_ERROR", "refused", "unknown"),
        ("MCH_NOT_EXISTS", "refused", "unknown"),
        ("APPID_MCHID_NOT_MATCH", "refused", "unknown"),
        ("INVALID_REQUEST", "unknown", "unknown"),
        ("OUT_TRADE_NO_USED", "unknown", "unknown"),
        ("FREQUENCY_LIMITED", "unknown", "unknown"),
        ("SIGN_ERROR", "unknown", "unknown"),
        ("SOMETHING_NEW", "unknown", "unknown"),
    ] {
        let body = problem(code, "m");
        let (name, told) = create_name(read_create(&signed(400, &body)));
        assert_eq!(name, when_signed, "{code}, signed");
        assert!(told.is_none_or(|told| told == refusal(400, code, "m")));
        let (name, _) = create_name(read_create(&unsigned(400, &body)));
        assert_eq!(name, when_unsigned, "{code}, unsigned");
        // Whatever its code says, a fault on the gateway's side tells nothing.
        let outcome = read_create(&signed(500, &body));
        assert_eq!(outcome, CreateOutcome::Unknown(refusal(500, code, "m")));
    }
}

#[test]
fn an_error_with_a_wrong_signature_is_an_unsigned_one() {
    let body = problem("ORDER_CLOSED", "m");
    let mut reply = signed(400, &body);
    let probe = "WECHATPAY/SIGNTEST/AAAA".parse().unwrap();
    reply.headers_mut().insert("wechatpay-signature", probe);
    assert!(matches!(read_create(&reply), CreateOutcome::Unknown(_)));
    assert!(matches!(read_query(&reply), QueryOutcome::Unknown(_)));
    assert!(matches!(read_close(&reply), CloseOutcome::Ask(_)));
}

#[test]
fn every_trade_state_is_read() {
    let capture = Capture {
        transaction_id: TRANSACTION_ID.to_owned(),
        captured: cny(1280),
        paid_at: at(NOW_S - 30),
    };
    for (state, expected) in [
        ("SUCCESS", QueryOutcome::Paid(capture.clone())),
        ("REFUND", QueryOutcome::Returned(capture)),
        ("NOTPAY", QueryOutcome::Unpaid),
        ("USERPAYING", QueryOutcome::Unpaid),
        ("PAYERROR", QueryOutcome::Unpaid),
        ("CLOSED", QueryOutcome::Closed),
        ("REVOKED", QueryOutcome::Closed),
        ("NEW_STATE", QueryOutcome::Unknown(refusal(200, "NEW_STATE", "an unknown trade_state"))),
    ] {
        let mut answer = transaction();
        answer["trade_state"] = json!(state);
        assert_eq!(read_query(&signed(200, answer.to_string())), expected);
        let outcome = read_query(&unsigned(200, answer.to_string()));
        assert!(matches!(outcome, QueryOutcome::Unknown(_)), "{state}");
    }
}

#[test]
fn an_unpaid_answer_needs_none_of_the_payment_s_fields() {
    let mut answer = transaction();
    answer["trade_state"] = json!("NOTPAY");
    for field in ["transaction_id", "success_time", "amount", "attach"] {
        answer.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(read_query(&signed(200, answer.to_string())), QueryOutcome::Unpaid);
}

#[test]
fn an_answer_about_something_else_or_half_an_answer_is_not_known() {
    for (field, value, code) in [
        ("out_trade_no", json!("another"), "mismatch"),
        ("mchid", json!("1900000110"), "mismatch"),
        ("appid", json!("wx0000000000000000"), "mismatch"),
        ("transaction_id", json!(null), "unreadable"),
        ("transaction_id", json!(""), "unreadable"),
        ("success_time", json!(null), "unreadable"),
        ("success_time", json!("yesterday"), "unreadable"),
        ("amount", json!(null), "unreadable"),
        ("amount", json!({ "total": 0, "currency": "CNY" }), "unreadable"),
        ("amount", json!({ "total": -1, "currency": "CNY" }), "unreadable"),
        ("amount", json!({ "total": 12.5, "currency": "CNY" }), "unreadable"),
        ("amount", json!({ "total": 1280, "currency": "yuan" }), "unreadable"),
    ] {
        let mut answer = transaction();
        answer[field] = value;
        let outcome = read_query(&signed(200, answer.to_string()));
        let QueryOutcome::Unknown(refusal) = outcome else {
            panic!("{answer}: {outcome:?}");
        };
        assert_eq!(refusal.code, code, "{answer}");
    }
}

#[test]
fn a_foreign_currency_is_reported_as_it_is_and_an_absent_one_is_yuan() {
    let mut answer = transaction();
    answer["amount"] = json!({ "total": 1280, "currency": "USD" });
    let outcome = read_query(&signed(200, answer.to_string()));
    assert!(matches!(
        outcome,
        QueryOutcome::Paid(c) if c.captured.currency.as_str() == "USD"
    ));
    answer["amount"] = json!({ "total": 1280 });
    let outcome = read_query(&signed(200, answer.to_string()));
    assert!(matches!(outcome, QueryOutcome::Paid(c) if c.captured == cny(1280)));
}

#[test]
fn query_errors_change_a_state_only_when_signed() {
    for (status, code, when_signed) in [
        (404, "ORDER_NOT_EXIST", Some(QueryOutcome::NotFound)),
        (404, "ORDERNOTEXIST", Some(QueryOutcome::NotFound)),
        (400, "ORDER_CLOSED", Some(QueryOutcome::Closed)),
        (401, "SIGN_ERROR", None),
        (404, "SOMETHING_NEW", None),
        (500, "ORDER_NOT_EXIST", None),
    ] {
        let body = problem(code, "m");
        let unknown = QueryOutcome::Unknown(refusal(status, code, "m"));
        let expected = when_signed.unwrap_or_else(|| unknown.clone());
        assert_eq!(read_query(&signed(status, &body)), expected, "{code}");
        assert_eq!(read_query(&unsigned(status, &body)), unknown, "{code}");
    }
}

#[test]
fn the_owner_is_read_from_a_believed_answer_about_our_merchant_only() {
    let gateway = adapter(settings());
    let owner = |reply: &Response<Bytes>| gateway.read_owner(reply, at(NOW_S));
    let answer = transaction();
    let expected = Owner { payment_id: PAYMENT_ID.to_owned(), echo: "lp1.echo".to_owned() };
    assert_eq!(owner(&signed(200, answer.to_string())), Ok(Some(expected)));
    // What is not known is no word that the payment is not ours.
    assert!(owner(&unsigned(200, answer.to_string())).is_err());
    let declined = |code: &str| json!({ "code": code, "message": "no" }).to_string();
    assert_eq!(owner(&signed(404, declined("ORDER_NOT_EXIST"))), Ok(None));
    assert!(owner(&unsigned(404, declined("ORDER_NOT_EXIST"))).is_err());
    assert!(owner(&signed(429, declined("FREQUENCY_LIMITED"))).is_err());
    assert!(owner(&unsigned(401, declined("SIGN_ERROR"))).is_err());
    assert!(owner(&signed(500, declined("SYSTEM_ERROR"))).is_err());
    for (field, value) in [("attach", ""), ("mchid", "1"), ("appid", "wx")] {
        let mut answer = transaction();
        answer[field] = json!(value);
        assert_eq!(owner(&signed(200, answer.to_string())), Ok(None), "{field}");
    }
}

#[test]
fn only_a_signed_204_or_order_closed_is_a_confirmed_close() {
    let problem = |code| problem(code, "m");
    let ask = |status, code| CloseOutcome::Ask(refusal(status, code, "m"));
    for (status, code, when_signed) in [
        (400, "ORDER_CLOSED", CloseOutcome::Closed),
        (400, "ORDERCLOSED", CloseOutcome::Closed),
        (404, "ORDER_NOT_EXIST", CloseOutcome::NotFound),
        (400, "ORDERPAID", ask(400, "ORDERPAID")),
        (400, "INVALID_REQUEST", ask(400, "INVALID_REQUEST")),
        (403, "TRADE_ERROR", ask(403, "TRADE_ERROR")),
        (401, "SIGN_ERROR", ask(401, "SIGN_ERROR")),
    ] {
        let body = problem(code);
        assert_eq!(read_close(&signed(status, &body)), when_signed, "{code}");
        assert_eq!(read_close(&unsigned(status, &body)), ask(status, code));
    }
    assert_eq!(read_close(&signed(204, "")), CloseOutcome::Closed);
    let paying = problem("USERPAYING");
    assert_eq!(read_close(&signed(202, &paying)), ask(202, "USERPAYING"));
    assert!(matches!(read_close(&signed(200, "")), CloseOutcome::Ask(_)));
    for reply in [
        unsigned(204, ""),
        unsigned(202, &paying),
        signed(500, problem("SYSTEM_ERROR")),
        signed(500, problem("ORDER_CLOSED")),
        unsigned(502, ""),
    ] {
        let outcome = read_close(&reply);
        assert!(matches!(outcome, CloseOutcome::Unknown(_)), "{outcome:?}");
    }
}

#[test]
fn every_refund_status_is_read_alike_from_both_calls() {
    for (status, name) in [
        ("SUCCESS", "succeeded"),
        ("PROCESSING", "processing"),
        ("CLOSED", "failed"),
        ("ABNORMAL", "stuck"),
        ("NEW_STATUS", "unknown"),
    ] {
        let reply = signed(200, made(status).to_string());
        assert_eq!(refund_name(&read_refund(&reply)), name);
        assert_eq!(refund_name(&read_query_refund(&reply)), name);
        let reply = unsigned(200, made(status).to_string());
        assert_eq!(refund_name(&read_refund(&reply)), "unknown");
        assert_eq!(refund_name(&read_query_refund(&reply)), "unknown");
    }
}

#[test]
fn a_refund_reply_about_something_else_is_not_known() {
    for (field, value) in [
        ("out_refund_no", json!("another")),
        ("transaction_id", json!("another")),
        ("out_trade_no", json!("another")),
        ("amount", json!({ "total": 1280, "refund": 1279, "currency": "CNY" })),
        ("amount", json!({ "total": 1281, "refund": 1280, "currency": "CNY" })),
        ("amount", json!({ "total": 1280, "refund": 1280, "currency": "USD" })),
    ] {
        let mut answer = made("SUCCESS");
        answer[field] = value;
        let reply = signed(200, answer.to_string());
        let unknown =
            RefundOutcome::Unknown(refusal(200, "mismatch", "the reply is about something else"));
        assert_eq!(read_refund(&reply), unknown, "{answer}");
        assert_eq!(read_query_refund(&reply), unknown, "{answer}");
    }
}

#[test]
fn refund_errors_follow_the_table() {
    for (status, code, message, when_signed, when_unsigned) in [
        (403, "NOT_ENOUGH", "", "later", "later"),
        (403, "NOTENOUGH", "", "later", "later"),
        (401, "SIGN_ERROR", "", "later", "later"),
        (403, "NO_AUTH", "", "later", "later"),
        (403, "REQUEST_BLOCKED", "", "later", "later"),
        (404, "MCH_NOT_EXISTS", "", "later", "later"),
        (400, "PARAM_ERROR", "", "later", "later"),
        (403, "USER_ACCOUNT_ABNORMAL", "", "refused", "unknown"),
        (404, "RESOURCE_NOT_EXISTS", "", "refused", "unknown"),
        (404, "ORDER_NOT_EXIST", "", "refused", "unknown"),
        (400, "INVALID_REQUEST", "退款金额大于订单金额", "refused", "unknown"),
        (400, "INVALID_REQUEST", "订单已全额退款", "unknown", "unknown"),
        (400, "INVALID_REQUEST", "请在1分钟后重试", "later", "later"),
        (400, "INVALID_REQUEST", "Wait 1 Minute", "later", "later"),
        (400, "SOMETHING_NEW", "", "unknown", "unknown"),
        (500, "SYSTEM_ERROR", "", "unknown", "unknown"),
        (500, "USER_ACCOUNT_ABNORMAL", "", "unknown", "unknown"),
    ] {
        let body = problem(code, message);
        let name = refund_name(&read_refund(&signed(status, &body)));
        assert_eq!(name, when_signed, "{status} {code} {message}, signed");
        let name = refund_name(&read_refund(&unsigned(status, &body)));
        assert_eq!(name, when_unsigned, "{status} {code} {message}, unsigned");
    }
    assert_eq!(refund_name(&read_refund(&unsigned(502, ""))), "unknown");
}

#[test]
fn a_refund_that_the_gateway_does_not_know_is_not_found() {
    let missing = problem("RESOURCE_NOT_EXISTS", "m");
    for reply in [signed(404, &missing), unsigned(404, &missing)] {
        assert_eq!(read_query_refund(&reply), RefundOutcome::NotFound);
    }
    for (status, code) in
        [(500, "RESOURCE_NOT_EXISTS"), (404, "MCH_NOT_EXISTS"), (403, "USER_ACCOUNT_ABNORMAL")]
    {
        let outcome = read_query_refund(&signed(status, problem(code, "m")));
        assert_eq!(outcome, RefundOutcome::Unknown(refusal(status, code, "m")));
    }
}

/// Every call but create reads a refusal of how often it is called, and of nothing else, so.
#[test]
fn a_gateway_that_is_called_too_often_says_so_with_and_without_a_signature() {
    for (status, code, is_too_often) in [
        (429, "FREQUENCY_LIMITED", true),
        (429, "FREQUENCY_LIMITED_EXCEED", true),
        (429, "FREQUENCYLIMITED", true),
        (429, "ANYTHING", true),
        (403, "FREQUENCY_LIMITED", true),
        (400, "RATELIMIT_EXCEEDED", true),
        (428, "ANYTHING", false),
        (403, "RULE_LIMIT", false),
        (500, "FREQUENCY_LIMITED", false),
        (503, "ANYTHING", false),
    ] {
        let body = problem(code, "m");
        let told = TooOften { refusal: refusal(status, code, "m"), retry_after: None };
        for reply in [signed(status, &body), unsigned(status, &body)] {
            let queried = read_query(&reply) == QueryOutcome::TooOften(told.clone());
            let closed = read_close(&reply) == CloseOutcome::TooOften(told.clone());
            let too_often = RefundOutcome::TooOften(told.clone());
            let refunded = read_refund(&reply) == too_often;
            let asked = read_query_refund(&reply) == too_often;
            let all = [queried, closed, refunded, asked];
            assert_eq!(all, [is_too_often; 4], "{status} {code}");
            assert!(matches!(read_create(&reply), CreateOutcome::Unknown(_)) || !is_too_often);
        }
    }
    let mut patient = unsigned(429, "<html>");
    patient.headers_mut().insert("retry-after", "7".parse().unwrap());
    let CloseOutcome::TooOften(told) = read_close(&patient) else { panic!("{patient:?}") };
    assert_eq!(told.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn the_gateway_s_words_are_kept_short() {
    let body = problem(&"C".repeat(1000), &"长".repeat(1000));
    let CreateOutcome::Unknown(refusal) = read_create(&unsigned(400, body)) else {
        panic!("not unknown");
    };
    assert_eq!(refusal.code.len(), 64);
    assert_eq!(refusal.message, "长".repeat(85));
}

fn create_name(outcome: CreateOutcome) -> (&'static str, Option<Refusal>) {
    match outcome {
        CreateOutcome::Payable { .. } => ("payable", None),
        CreateOutcome::AlreadyPaid => ("already_paid", None),
        CreateOutcome::Closed => ("closed", None),
        CreateOutcome::Refused(refusal) => ("refused", Some(refusal)),
        CreateOutcome::Unknown(refusal) => ("unknown", Some(refusal)),
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
