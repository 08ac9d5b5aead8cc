//! From a scan to a payment, a close or a cancellation.

use http::Method;
use serde_json::json;

use super::merchant::Merchant;
use crate::support::{START_S, set_clock};

#[tokio::test]
async fn there_is_no_trade_until_a_scan_and_the_code_stays_payable() {
    let merchant = Merchant::start().await;
    let code_url = merchant.precreated("order_1").await;
    assert_eq!(merchant.query("order_1").await.code(), "ACQ.TRADE_NOT_EXIST");
    assert_eq!(merchant.close("order_1").await.code(), "ACQ.TRADE_NOT_EXIST");
    let scanned = merchant.scan(&code_url).await.body;
    assert_eq!(
        (&scanned["payment_id"], &scanned["gateway"]),
        (&json!("order_1"), &json!("alipay"))
    );
    let trade = merchant.query("order_1").await.succeeded();
    assert_eq!(trade["trade_no"], scanned["trade_no"]);
    assert_eq!(trade["trade_status"], "WAIT_BUYER_PAY");
    assert_eq!(
        (&trade["total_amount"], &trade["receipt_amount"]),
        (&json!("12.80"), &json!("0.00"))
    );
    assert_eq!(trade.get("send_pay_date"), None);
    assert_eq!(merchant.scan(&code_url).await.body, scanned);
    let paid = merchant.stack.pay(json!({ "code_url": code_url })).await.body;
    assert_eq!(paid["transaction_id"], scanned["trade_no"]);
}

#[tokio::test]
async fn a_paid_trade_is_found_by_both_numbers() {
    let merchant = Merchant::start().await;
    let code_url = merchant.precreated("order_1").await;
    set_clock(START_S + 60);
    let paid = merchant.stack.pay(json!({ "code_url": code_url })).await.body;
    let by_number = merchant.query("order_1").await;
    let trade_no = json!({ "trade_no": paid["transaction_id"], "out_trade_no": "other" });
    assert_eq!(merchant.call("alipay.trade.query", &trade_no).await.text, by_number.text);
    let trade = by_number.succeeded();
    assert_eq!(trade["trade_status"], "TRADE_SUCCESS");
    assert_eq!(trade["send_pay_date"], "2026-01-01 08:01:00");
    assert_eq!(
        (&trade["total_amount"], &trade["receipt_amount"]),
        (&json!("12.80"), &json!("12.80"))
    );
    assert_eq!(
        trade["fund_bill_list"],
        json!([{ "amount": "12.80", "fund_channel": "ALIPAYACCOUNT" }])
    );
    let neither = merchant.call("alipay.trade.query", &json!({})).await;
    assert_eq!(neither.code(), "ACQ.INVALID_PARAMETER");
    let unknown = merchant.call("alipay.trade.query", &json!({ "trade_no": "2026" })).await;
    assert_eq!(unknown.code(), "ACQ.TRADE_NOT_EXIST");
}

#[tokio::test]
async fn only_a_scanned_and_unpaid_trade_can_be_closed() {
    let merchant = Merchant::start().await;
    let code_url = merchant.scanned("order_1").await;
    let closed = merchant.close("order_1").await.succeeded();
    assert_eq!(closed["out_trade_no"], "order_1");
    assert_eq!(merchant.query("order_1").await.object["trade_status"], "TRADE_CLOSED");
    assert_eq!(merchant.close("order_1").await.code(), "ACQ.TRADE_STATUS_ERROR");
    for refused in
        [merchant.scan(&code_url).await, merchant.stack.pay(json!({ "code_url": code_url })).await]
    {
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("code_closed")));
    }
    merchant.paid("order_2").await;
    assert_eq!(merchant.close("order_2").await.code(), "ACQ.TRADE_STATUS_ERROR");
    assert_eq!(merchant.query("order_2").await.object["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_scanned_trade_can_be_paid_until_its_time_is_over_though_its_code_has_run_out() {
    let merchant = Merchant::start().await;
    let mut codes = Vec::new();
    for number in ["order_1", "order_2"] {
        let mut order = merchant.order(number);
        order["qr_code_timeout_express"] = json!("1m");
        let code_url = merchant.precreate(&order).await.succeeded()["qr_code"].clone();
        assert_eq!(merchant.scan(&code_url).await.status, 200);
        codes.push(code_url);
    }
    set_clock(START_S + 15 * 60);
    assert_eq!(merchant.stack.pay(json!({ "code_url": codes[0] })).await.status, 200);
    set_clock(START_S + 15 * 60 + 1);
    let late = merchant.stack.pay(json!({ "code_url": codes[1] })).await;
    assert_eq!((late.status, &late.body["code"]), (409, &json!("code_expired")));
    assert_eq!(merchant.stack.ledger("order_2").await["closed"], false);
    assert_eq!(merchant.query("order_2").await.object["trade_status"], "TRADE_CLOSED");
    assert_eq!(merchant.stack.ledger("order_2").await["closed"], true);
    assert_eq!(
        merchant.precreate(&merchant.order("order_3")).await.code(),
        "ACQ.INVALID_PARAMETER"
    );
}

#[tokio::test]
async fn a_paid_code_is_neither_scanned_nor_paid_again_unless_forced() {
    let merchant = Merchant::start().await;
    let code_url = merchant.precreated("order_1").await;
    let first = merchant.stack.pay(json!({ "code_url": code_url })).await.body;
    for refused in
        [merchant.scan(&code_url).await, merchant.stack.pay(json!({ "code_url": code_url })).await]
    {
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("already_paid")));
    }
    let second = merchant.stack.pay(json!({ "code_url": code_url, "force": true })).await.body;
    assert_ne!(first["transaction_id"], second["transaction_id"]);
    assert_eq!(merchant.query("order_1").await.object["trade_no"], first["transaction_id"]);
    let other = json!({ "trade_no": second["transaction_id"] });
    let other = merchant.call("alipay.trade.query", &other).await.succeeded();
    assert_eq!(other["trade_status"], "TRADE_SUCCESS");
    let line = merchant.stack.ledger("order_1").await;
    assert_eq!(line["captured"], json!({ "amount": 2560, "currency": "CNY" }));
}

#[tokio::test]
async fn force_pays_a_closed_trade_and_another_amount_is_told_as_the_total() {
    let merchant = Merchant::start().await;
    let code_url = merchant.scanned("order_1").await;
    merchant.close("order_1").await.succeeded();
    let amount = json!({ "amount": 5, "currency": "CNY" });
    let forced = json!({ "code_url": code_url, "force": true, "amount": amount });
    assert_eq!(merchant.stack.pay(forced).await.status, 200);
    let trade = merchant.query("order_1").await.succeeded();
    assert_eq!(
        (&trade["trade_status"], &trade["total_amount"]),
        (&json!("TRADE_SUCCESS"), &json!("0.05"))
    );
    let dollars = json!({ "amount": 5, "currency": "USD" });
    let refused = json!({ "code_url": code_url, "force": true, "amount": dollars });
    assert_eq!(merchant.stack.pay(refused).await.body["code"], "invalid_request");
}

#[tokio::test]
async fn a_cancelled_trade_is_closed_or_refunded_and_every_cancel_is_counted() {
    let merchant = Merchant::start().await;
    let cancels = async || {
        let ledger = merchant.stack.control(Method::GET, "ledger", json!(null)).await.body;
        ledger["cancels"].clone()
    };
    assert_eq!(cancels().await, 0);
    let unknown = merchant.cancel("order_1").await.succeeded();
    assert_eq!(unknown.get("action"), None);
    let code_url = merchant.precreated("order_1").await;
    assert_eq!(merchant.cancel("order_1").await.succeeded().get("action"), None);
    assert_eq!(merchant.scan(&code_url).await.status, 200);
    assert_eq!(merchant.cancel("order_1").await.succeeded()["action"], "close");
    assert_eq!(merchant.stack.ledger("order_1").await["closed"], true);
    merchant.paid("order_2").await;
    merchant.callback.wait(1).await;
    let cancelled = merchant.cancel("order_2").await.succeeded();
    assert_eq!((&cancelled["action"], &cancelled["retry_flag"]), (&json!("refund"), &json!("N")));
    let line = merchant.stack.ledger("order_2").await;
    assert_eq!(line["refunded"], json!({ "amount": 1280, "currency": "CNY" }));
    let notice = &merchant.callback.wait(2).await[1];
    assert_eq!(
        (notice["trade_status"].as_str(), notice["refund_fee"].as_str()),
        ("TRADE_CLOSED", "12.80")
    );
    let again = merchant.cancel("order_2").await;
    assert_eq!(again.code(), "ACQ.REASON_TRADE_REFUND_FEE_ERR");
    assert_eq!(cancels().await, 5);
}

#[tokio::test]
async fn a_paid_trade_can_be_cancelled_for_a_day() {
    for (wait_s, code) in [(86_400, "10000"), (86_401, "ACQ.TRADE_CANCEL_TIME_OUT")] {
        set_clock(START_S);
        let merchant = Merchant::start().await;
        merchant.paid("order_1").await;
        set_clock(START_S + wait_s);
        assert_eq!(merchant.cancel("order_1").await.code(), code, "{wait_s}");
    }
}

#[tokio::test]
async fn a_scan_at_another_gateway_checks_that_the_code_could_be_paid() {
    let merchant = Merchant::start().await;
    let code_url = merchant.stack.created("order-1").await;
    let scanned = merchant.scan(&code_url).await;
    let told = json!({ "payment_id": "order-1", "gateway": "wechat_pay", "trade_no": null });
    assert_eq!((scanned.status, scanned.body), (200, told));
    merchant.stack.close("order-1").await;
    assert_eq!(merchant.scan(&code_url).await.body["code"], "code_closed");
    let unknown = merchant.scan(&json!("https://qr.alipay.com/bax0")).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_code")));
}

#[tokio::test]
async fn a_transaction_is_known_at_its_own_gateway_only() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    let path =
        format!("/v3/pay/transactions/id/{trade_no}?mchid={}", merchant.stack.settings.mchid);
    assert_eq!(merchant.stack.call(Method::GET, &path, None).await.status, 404);
    let refund = merchant.stack.refund_of(&trade_no, "refund-1");
    assert_eq!(merchant.stack.refund(&refund).await.status, 404);
    let transaction_id = merchant.stack.paid("order-2").await;
    let other = merchant.call("alipay.trade.query", &json!({ "trade_no": transaction_id })).await;
    assert_eq!(other.code(), "ACQ.TRADE_NOT_EXIST");
}
