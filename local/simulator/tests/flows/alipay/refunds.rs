//! Money on its way back.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::merchant::Merchant;
use crate::support::{START_S, Stack, set_clock};

const YEAR_S: i64 = 365 * 24 * 60 * 60;

#[tokio::test]
async fn a_refund_is_accepted_without_money_and_arrives_later() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    let accepted = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!((&accepted["fund_change"], &accepted["refund_fee"]), (&json!("N"), &json!("0.00")));
    merchant.stack.ledger_says("order_1", "/refunded/amount", json!(1280)).await;
    let found = merchant.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(found["refund_status"], "REFUND_SUCCESS");
    assert_eq!(found["gmt_refund_pay"], "2026-01-01 08:00:00");
    assert_eq!(
        (&found["refund_amount"], &found["total_amount"]),
        (&json!("12.80"), &json!("12.80"))
    );
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_CLOSED");
}

#[tokio::test]
async fn a_refund_without_delay_moves_the_money_in_the_call_itself() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let refunded = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!((&refunded["fund_change"], &refunded["refund_fee"]), (&json!("Y"), &json!("12.80")));
    let again = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!((&again["fund_change"], &again["refund_fee"]), (&json!("N"), &json!("12.80")));
    assert_eq!(merchant.stack.ledger("order_1").await["refunded"]["amount"], 1280);
    let other = merchant.refund(&trade_no, "refund_2", "12.80").await;
    assert_eq!(other.code(), "ACQ.TRADE_HAS_CLOSE");
}

#[tokio::test]
async fn a_number_stands_for_one_amount_of_one_trade() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let first = merchant.paid("order_1").await;
    let second = merchant.paid("order_2").await;
    for trade_no in [&first, &second] {
        let refunded = merchant.refund(trade_no, "refund_1", "2.80").await.succeeded();
        assert_eq!(
            (&refunded["fund_change"], &refunded["refund_fee"]),
            (&json!("Y"), &json!("2.80"))
        );
        let other = merchant.refund(trade_no, "refund_1", "2.81").await;
        assert_eq!(other.code(), "ACQ.DISCORDANT_REPEAT_REQUEST");
    }
    for number in ["order_1", "order_2"] {
        assert_eq!(merchant.stack.ledger(number).await["refunded"]["amount"], 280);
    }
}

#[tokio::test]
async fn the_refund_fee_is_a_running_total_that_never_passes_the_payment() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let trade_no = merchant.paid("order_1").await;
    let first = merchant.refund(&trade_no, "refund_1", "10.00").await.succeeded();
    assert_eq!(first["refund_fee"], "10.00");
    set_clock(START_S + 3);
    let exceeding = merchant.refund(&trade_no, "refund_2", "2.81").await;
    assert_eq!(exceeding.code(), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_SUCCESS");
    let second = merchant.refund(&trade_no, "refund_2", "2.80").await.succeeded();
    assert_eq!(
        (&second["refund_fee"], &second["send_back_fee"]),
        (&json!("12.80"), &json!("2.80"))
    );
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_CLOSED");
    let found = merchant.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(found["refund_amount"], "10.00");
}

#[tokio::test]
async fn refunds_of_one_trade_keep_three_seconds_of_distance() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.refund(&trade_no, "refund_1", "1.00").await.succeeded();
    set_clock(START_S + 2);
    assert_eq!(merchant.refund(&trade_no, "refund_2", "1.00").await.code(), "ACQ.SYSTEM_ERROR");
    assert_eq!(merchant.refund(&trade_no, "refund_1", "1.00").await.code(), "10000");
    set_clock(START_S + 3);
    assert_eq!(merchant.refund(&trade_no, "refund_2", "1.00").await.code(), "10000");
}

#[tokio::test]
async fn a_query_shows_no_status_before_the_money_is_back() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    let unknown = merchant.refund_query(&trade_no, "refund_1").await;
    assert_eq!(unknown.text, r#"{"code":"10000","msg":"Success"}"#);
    merchant.stack.set_faults(json!({ "refund_delay_ms": 600_000 })).await;
    merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    let pending = merchant.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(pending["out_request_no"], "refund_1");
    assert_eq!((pending.get("refund_status"), pending.get("gmt_refund_pay")), (None, None));
    let other = merchant.refund_query("2026", "refund_1").await;
    assert_eq!(other.code(), "ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn a_refund_that_came_to_nothing_succeeds_under_its_own_number_later() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.stack.set_faults(json!({ "refund_outcome": "closed" })).await;
    let accepted = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!(accepted["fund_change"], "N");
    merchant.stack.ledger_says("order_1", "/refunds/0/status", json!("closed")).await;
    let lost = merchant.refund_query(&trade_no, "refund_1").await.succeeded();
    assert_eq!(lost.get("refund_status"), None);
    let again = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!(again["fund_change"], "N");
    merchant.stack.ledger_says("order_1", "/refunds/0/status", json!("closed")).await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let other = merchant.refund(&trade_no, "refund_1", "12.79").await;
    assert_eq!(other.code(), "ACQ.DISCORDANT_REPEAT_REQUEST");
    let refunded = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!(refunded["fund_change"], "Y");
    let line = merchant.stack.ledger("order_1").await;
    assert_eq!(line["refunds"].as_array().unwrap().len(), 1);
    assert_eq!(line["refunds"][0]["status"], "success");
    assert_eq!(line["refunded"]["amount"], 1280);
}

#[tokio::test]
async fn a_frozen_trade_is_refused_until_somebody_frees_it() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.stack.set_faults(json!({ "refund_outcome": "abnormal" })).await;
    let refused = merchant.refund(&trade_no, "refund_1", "12.80").await;
    assert_eq!(refused.code(), "ACQ.REASON_TRADE_BEEN_FREEZEN");
    assert_eq!(merchant.stack.ledger("order_1").await["refunds"], json!([]));
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let refunded = merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!(refunded["fund_change"], "Y");
}

#[tokio::test]
async fn a_refund_of_everything_may_go_without_a_number() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let trade_no = merchant.paid("order_1").await;
    let refund = async |yuan: &str| {
        let refund = json!({ "out_trade_no": "order_1", "refund_amount": yuan });
        merchant.call("alipay.trade.refund", &refund).await
    };
    assert_eq!(refund("12.79").await.code(), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
    assert_eq!(refund("12.80").await.succeeded()["fund_change"], "Y");
    let found = merchant.refund_query(&trade_no, "order_1").await.succeeded();
    assert_eq!(found["refund_status"], "REFUND_SUCCESS");
}

#[tokio::test]
async fn a_malformed_or_impossible_refund_is_refused() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.scanned("order_2").await;
    merchant.precreated("order_3").await;
    for (name, value, code) in [
        ("refund_amount", json!("0.00"), "ACQ.INVALID_PARAMETER"),
        ("refund_amount", json!("1.001"), "ACQ.INVALID_PARAMETER"),
        ("refund_amount", json!(1), "ACQ.INVALID_PARAMETER"),
        ("refund_amount", json!("12.81"), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        ("out_request_no", json!(""), "ACQ.INVALID_PARAMETER"),
        ("out_request_no", json!("r".repeat(65)), "ACQ.INVALID_PARAMETER"),
        ("refund_reason", json!("r".repeat(257)), "ACQ.INVALID_PARAMETER"),
        ("refund_currency", json!("USD"), "ACQ.INVALID_PARAMETER"),
        ("refund_fee", json!("1.00"), "ACQ.INVALID_PARAMETER"),
        ("trade_no", json!("2026"), "ACQ.TRADE_NOT_EXIST"),
        ("trade_no", Value::Null, "ACQ.INVALID_PARAMETER"),
    ] {
        let mut refund =
            json!({ "trade_no": trade_no, "out_request_no": "r_1", "refund_amount": "1.00" });
        refund[name] = value.clone();
        let reply = merchant.call("alipay.trade.refund", &refund).await;
        assert_eq!(reply.code(), code, "{name} {value}");
    }
    for (number, code) in
        [("order_2", "ACQ.TRADE_STATUS_ERROR"), ("order_3", "ACQ.TRADE_NOT_EXIST")]
    {
        let refund =
            json!({ "out_trade_no": number, "out_request_no": "r_1", "refund_amount": "1.00" });
        assert_eq!(merchant.call("alipay.trade.refund", &refund).await.code(), code, "{number}");
    }
}

#[tokio::test]
async fn a_trade_can_be_refunded_for_a_year() {
    for (wait_s, code, status) in [
        (YEAR_S, "10000", "TRADE_SUCCESS"),
        (YEAR_S + 1, "ACQ.TRADE_HAS_FINISHED", "TRADE_FINISHED"),
    ] {
        set_clock(START_S);
        let merchant = Merchant::start().await;
        let trade_no = merchant.paid("order_1").await;
        set_clock(START_S + wait_s);
        assert_eq!(merchant.query("order_1").await.object["trade_status"], status);
        assert_eq!(merchant.refund(&trade_no, "refund_1", "1.00").await.code(), code);
    }
}

#[tokio::test]
async fn a_second_capture_is_refunded_by_itself() {
    let merchant = Merchant::start().await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    let code_url = merchant.precreated("order_1").await;
    merchant.stack.pay(json!({ "code_url": code_url })).await;
    let second = merchant.stack.pay(json!({ "code_url": code_url, "force": true })).await.body;
    let trade_no = second["transaction_id"].as_str().unwrap();
    let refunded = merchant.refund(trade_no, "refund_1", "12.80").await.succeeded();
    assert_eq!((&refunded["fund_change"], &refunded["refund_fee"]), (&json!("Y"), &json!("12.80")));
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn somebody_refunds_in_the_console_of_the_gateway() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.callback.wait(1).await;
    let part = json!({ "amount": 280, "currency": "CNY" });
    let refund = json!({ "transaction_id": trade_no, "amount": part });
    let refunded = merchant.control("refund", refund).await;
    assert_eq!((refunded.status, &refunded.body["amount"]), (200, &part));
    let notice = &merchant.callback.wait(2).await[1];
    assert_eq!(
        (notice["trade_status"].as_str(), notice["refund_fee"].as_str()),
        ("TRADE_SUCCESS", "2.80")
    );
    assert_eq!(json!(notice["out_biz_no"]), refunded.body["refund_no"]);
    let rest = merchant.control("refund", json!({ "transaction_id": trade_no })).await;
    assert_eq!(rest.body["amount"]["amount"], 1000);
    merchant.stack.ledger_says("order_1", "/refunded/amount", json!(1280)).await;
    let more = merchant.control("refund", json!({ "transaction_id": trade_no })).await;
    assert_eq!((more.status, &more.body["code"]), (409, &json!("refused")));
    let unknown = merchant.control("refund", json!({ "transaction_id": "2026" })).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_transaction")));
}

#[tokio::test]
async fn the_console_gives_back_no_more_than_is_left_and_only_the_same_currency() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    for (amount, currency, status) in
        [(0, "CNY", 409), (1281, "CNY", 409), (1280, "USD", 409), (1280, "CNY", 200)]
    {
        let amount = json!({ "amount": amount, "currency": currency });
        let refund = json!({ "transaction_id": trade_no, "amount": amount });
        assert_eq!(merchant.control("refund", refund).await.status, status, "{amount}");
    }
}

#[tokio::test]
async fn a_refund_in_the_console_of_wechat_pay_is_notified_there() {
    let stack = Stack::start().await;
    let transaction_id = stack.paid("order-1").await;
    stack.callback.wait(1).await;
    let refund = json!({ "transaction_id": transaction_id });
    let refunded = stack.control(Method::POST, "refund", refund).await.body;
    let delivered = stack.callback.wait(2).await;
    let (envelope, notice) = stack.open(&delivered[1]).unwrap();
    assert_eq!(envelope["event_type"], "REFUND.SUCCESS");
    assert_eq!(notice["out_refund_no"], refunded["refund_no"]);
    let refund_no = refunded["refund_no"].as_str().unwrap();
    assert_eq!(stack.refund_status(refund_no).await, "SUCCESS");
}

#[tokio::test]
async fn an_order_without_a_notify_url_is_not_notified() {
    let merchant = Merchant::start().await;
    let order = merchant.order("order_1");
    let mut parameters = merchant.parameters("alipay.trade.precreate", &order);
    parameters.remove("notify_url");
    merchant.sign(&mut parameters);
    let code_url = merchant.send(&parameters).await.unwrap().succeeded()["qr_code"].clone();
    let paid = merchant.stack.pay(json!({ "code_url": code_url })).await.body;
    merchant.refund(paid["transaction_id"].as_str().unwrap(), "refund_1", "12.80").await;
    merchant.stack.ledger_says("order_1", "/refunded/amount", json!(1280)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(merchant.callback.bodies().len(), 0);
}
