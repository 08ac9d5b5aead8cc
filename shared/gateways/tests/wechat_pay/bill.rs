//! The trade bill: where it is, and its rows.

use domain::reconcile::{BillRow, RowKind};
use gateways::bill::{BILL_ROWS_MAX, BillOutcome, BillStep};
use gateways::wechat_pay::WechatPay;
use gateways::{Gateway, ID_LEN_MAX};
use jiff::civil::Date;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::peer::*;

const COLUMNS: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,\
    交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,\
    充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,\
    订单总金额,申请退款总金额";
const URL: &str = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a%7Cb";

fn day() -> Date {
    "2025-12-31".parse().unwrap()
}

fn asked() -> BillStep {
    BillStep::Day(day())
}

fn gateway() -> WechatPay {
    adapter(settings())
}

fn read(step: &BillStep, reply: &http::Response<bytes::Bytes>) -> BillOutcome {
    gateway().bills().unwrap().read(step, reply, at(NOW_S))
}

fn place(more: Value) -> String {
    let mut place = json!({ "hash_type": "SHA1", "hash_value": "00", "download_url": URL });
    place.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    place.to_string()
}

fn payment_line() -> String {
    format!(
        "`2025-12-31 23:59:59,`{APPID},`{MCHID},`0,`,`{TRANSACTION_ID},`{PAYMENT_ID},`openid,\
         `NATIVE,`SUCCESS,`OTHERS,`CNY,`12.00,`0.80,`0,`0,`0.00,`0.00,`,`,`Desk,`lp1.echo,\
         `0.07000,`0.60%,`12.80,`0.00,`"
    )
}

fn refund_line(state: &str) -> String {
    format!(
        "`2025-12-31 00:00:00,`{APPID},`{MCHID},`0,`,`{TRANSACTION_ID},`{PAYMENT_ID},`openid,\
         `NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030,`{REFUND_NUMBER},`12.00,`0.00,`ORIGINAL,\
         `{state},`Desk,`lp1.echo,`-0.07000,`0.60%,`0.00,`12.80,`"
    )
}

fn bill(lines: &[String]) -> String {
    let rows: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let count = lines.len();
    format!(
        "\u{feff}{COLUMNS}\r\n{rows}{SUMMARY}\r\n\
         `{count},`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00\r\n"
    )
}

fn next_of(text: &str) -> BillStep {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    BillStep::Next { day: day(), at: URL.to_owned(), hash: Some(hash) }
}

fn rows(text: &str) -> Result<Vec<BillRow>, String> {
    match read(&next_of(text), &unsigned(200, text)) {
        BillOutcome::Read { rows, next: None } => Ok(rows),
        BillOutcome::Unknown(refusal) => Err(refusal.code),
        other @ (BillOutcome::Read { .. } | BillOutcome::NotReady(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_s_id_is_taken_up_to_its_longest() {
    for (len, is_taken) in [(0, true), (ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        let line = payment_line().replace(TRANSACTION_ID, &"4".repeat(len));
        assert_eq!(rows(&bill(&[line])).is_ok(), is_taken, "{len}");
    }
}

#[test]
fn a_bill_is_asked_for_by_day_and_downloaded_from_where_the_gateway_says() {
    let gateway = gateway();
    let bills = gateway.bills().unwrap();
    let stamp = gateways::Stamp { now: at(NOW_S), nonce: [7; 16] };
    let request = bills.ask(&asked(), stamp);
    let host = "https://api.mch.weixin.qq.com";
    let asked_for = format!("{host}/v3/bill/tradebill?bill_date=2025-12-31&bill_type=ALL");
    assert_eq!((request.method().as_str(), request.uri().to_string()), ("GET", asked_for));
    let BillOutcome::Read { rows, next: Some(next) } =
        read(&asked(), &signed(200, place(json!({}))))
    else {
        panic!("no place")
    };
    assert_eq!((rows.len(), next.day()), (0, day()));
    let request = bills.ask(&next, stamp);
    assert_eq!(request.uri().to_string(), URL);
    assert!(request.headers().contains_key("authorization"));
    assert_eq!(request.headers()["accept"], "application/json");
}

#[test]
fn a_place_is_believed_only_with_a_signature_and_at_the_gateways_own_host() {
    for reply in [
        unsigned(200, place(json!({}))),
        signed(200, place(json!({ "hash_type": "MD5" }))),
        signed(
            200,
            place(json!({ "download_url": "https://api.mch.weixin.qq.com.example.com/x" })),
        ),
        signed(200, place(json!({ "download_url": "http://api.mch.weixin.qq.com/x" }))),
        signed(200, place(json!({ "download_url": "/v3/billdownload/file" }))),
        signed(200, "{}"),
        unsigned(400, problem("NO_STATEMENT_EXIST", "")),
        signed(400, problem("PARAM_ERROR", "")),
        unsigned(500, problem("SYSTEM_ERROR", "")),
    ] {
        let outcome = read(&asked(), &reply);
        assert!(matches!(outcome, BillOutcome::Unknown(_)), "{reply:?}: {outcome:?}");
    }
}

#[test]
fn a_day_without_trades_is_an_empty_bill_and_one_that_is_being_written_is_not_ready() {
    for status in [400, 404] {
        let empty = read(&asked(), &signed(status, problem("NO_STATEMENT_EXIST", "")));
        assert_eq!(empty, BillOutcome::Read { rows: vec![], next: None });
        let creating = read(&asked(), &signed(status, problem("STATEMENT_CREATING", "")));
        assert!(matches!(creating, BillOutcome::NotReady(_)), "{creating:?}");
    }
}

#[test]
fn a_day_that_is_not_over_has_no_bill_whatever_is_answered() {
    let today = BillStep::Day("2026-01-01".parse().unwrap());
    let outcome = read(&today, &signed(200, place(json!({}))));
    assert!(matches!(outcome, BillOutcome::NotReady(_)), "{outcome:?}");
}

#[test]
fn payments_and_refunds_are_read_with_the_orders_amount_and_beijing_time() {
    let read = rows(&bill(&[payment_line(), refund_line("PROCESSING")])).unwrap();
    let payment = BillRow {
        kind: RowKind::Payment,
        payment_id: PAYMENT_ID.to_owned(),
        transaction_id: TRANSACTION_ID.to_owned(),
        amount: cny(1280),
        at: "2025-12-31T15:59:59Z".parse().unwrap(),
        echo: Some("lp1.echo".to_owned()),
    };
    let refund = BillRow {
        kind: RowKind::Refund { number: REFUND_NUMBER.to_owned() },
        at: "2025-12-30T16:00:00Z".parse().unwrap(),
        ..payment.clone()
    };
    assert_eq!(read, [payment, refund]);
}

#[test]
fn a_refund_that_failed_moved_no_money() {
    assert_eq!(rows(&bill(&[refund_line("FAIL")])), Ok(vec![]));
    for state in ["SUCCESS", "PROCESSING", "CHANGE"] {
        assert_eq!(rows(&bill(&[refund_line(state)])).unwrap().len(), 1, "{state}");
    }
    let revoked = payment_line().replace("SUCCESS", "REVOKED");
    assert_eq!(rows(&bill(&[revoked])), Ok(vec![]));
}

#[test]
fn what_a_merchant_names_goods_by_cannot_shift_the_columns() {
    for name in ["Tea, and cake", "Tea,`and cake", "`,`,`,`", ",", "\"Tea\""] {
        let line = payment_line().replace("`Desk", &format!("`{name}"));
        let read = rows(&bill(&[line])).unwrap();
        assert_eq!(
            (read[0].amount, read[0].echo.as_deref()),
            (cny(1280), Some("lp1.echo")),
            "{name}"
        );
    }
}

#[test]
fn a_bill_that_is_not_whole_is_none() {
    let whole = bill(&[payment_line(), refund_line("SUCCESS")]);
    assert!(rows(&whole).is_ok());
    let other_merchant = payment_line().replace(MCHID, "1900000110");
    let count = |text: &str, from: &str, to: &str| text.replace(from, to);
    for text in [
        String::new(),
        COLUMNS.to_owned(),
        whole.replace(SUMMARY, ""),
        count(&whole, "\r\n`2,", "\r\n`3,"),
        count(&whole, "\r\n`2,", "\r\n`1,"),
        whole.replace("商户订单号", "订单号"),
        whole.replace("12.80", "12.805"),
        whole.replace("`SUCCESS,`OTHERS", "`ODD,`OTHERS"),
        whole.replace("2025-12-31 23:59:59", "2025-12-31"),
        whole.replace(",`OTHERS", ""),
        bill(&[other_merchant]),
    ] {
        assert_eq!(rows(&text), Err("unreadable_bill".to_owned()), "{text}");
    }
    let mut flipped = whole.clone().into_bytes();
    let last = flipped.len() - 3;
    flipped[last] ^= 1;
    let outcome = read(&next_of(&whole), &unsigned(200, flipped));
    let BillOutcome::Unknown(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.code, "hash_mismatch");
    let unhashed = BillStep::Next { day: day(), at: URL.to_owned(), hash: None };
    assert!(matches!(read(&unhashed, &unsigned(200, &whole)), BillOutcome::Unknown(_)));
    assert!(matches!(read(&next_of(&whole), &unsigned(500, &whole)), BillOutcome::Unknown(_)));
}

#[test]
fn a_bill_has_at_most_the_rows_that_memory_is_kept_for() {
    // The rows themselves are looked at behind their number.
    for (count, expected) in [
        (BILL_ROWS_MAX, "a row cannot be read"),
        (BILL_ROWS_MAX + 1, "it has more rows than are read"),
    ] {
        let text = bill(&vec!["`".to_owned(); count]);
        let outcome = read(&next_of(&text), &unsigned(200, &text));
        let BillOutcome::Unknown(refusal) = outcome else { panic!("{count}") };
        assert_eq!(refusal.message, expected, "{count}");
    }
}

#[test]
fn a_day_of_thousands_of_rows_is_read_row_by_row() {
    let lines: Vec<String> = (0..5_000)
        .map(|number| payment_line().replace(PAYMENT_ID, &format!("SHOP-{number}")))
        .collect();
    let rows = rows(&bill(&lines)).unwrap();
    assert_eq!((rows.len(), rows[4_999].payment_id.as_str()), (5_000, "SHOP-4999"));
}
