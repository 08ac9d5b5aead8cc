//! Alipay's trade bill.

use std::io::{Cursor, Read};

use encoding_rs::GBK;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use zip::ZipArchive;

use super::merchant::{Merchant, Reply};
use crate::support::{START_S, set_clock};

const METHOD: &str = "alipay.data.dataservice.bill.downloadurl.query";
/// Nine o'clock of the next day in Beijing; the tests begin at eight.
const READY_S: i64 = START_S + 25 * 3_600;

async fn place(merchant: &Merchant, bill: Value) -> Reply {
    merchant.call(METHOD, &bill).await
}

async fn url(merchant: &Merchant, day: &str) -> String {
    let bill = json!({ "bill_type": "trade", "bill_date": day });
    let told = place(merchant, bill).await.succeeded();
    told["bill_download_url"].as_str().unwrap().to_owned()
}

async fn download(merchant: &Merchant, url: &str) -> (u16, Vec<u8>) {
    let request = Request::builder().uri(url).body(Full::default()).unwrap();
    let (status, bytes) = merchant.stack.file(request).await;
    (status, bytes.to_vec())
}

/// The texts of an archive, by name.
fn texts(bytes: Vec<u8>) -> Vec<(String, String)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let text = |at: usize| {
        let mut file = archive.by_index(at).unwrap();
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).unwrap();
        let (text, _, malformed) = GBK.decode(&bytes);
        assert!(!malformed);
        (file.name().unwrap().into_owned(), text.into_owned())
    };
    (0..2).map(text).collect()
}

#[tokio::test]
async fn a_bill_is_an_archive_with_the_days_payments_and_refunds_and_their_sums() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    merchant.scanned("order_2").await;
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    merchant.refund(&trade_no, "refund_1", "2.80").await.succeeded();
    set_clock(READY_S);
    let (status, bytes) = download(&merchant, &url(&merchant, "2026-01-01").await).await;
    assert_eq!(status, 200);
    let texts = texts(bytes);
    let [(name, details), (_, summary)] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!(name, "20880000000000010156_20260101_业务明细.csv");
    let lines: Vec<&str> = details.lines().collect();
    assert_eq!(lines[0], "#支付宝业务明细查询");
    assert!(lines[2].starts_with("#起始日期：[2026年01月01日 00:00:00]"), "{}", lines[2]);
    assert!(lines[4].starts_with("支付宝交易号,商户订单号,业务类型,"), "{}", lines[4]);
    let first = "交易\t,书桌 1 天,2026-01-01 08:00:00,2026-01-01 08:00:00,";
    assert!(lines[5].starts_with(&format!("{trade_no}\t,order_1\t,{first}")), "{}", lines[5]);
    assert!(lines[5].contains(",12.80,12.80,"), "{}", lines[5]);
    assert!(lines[6].contains("\t,退款\t,") && lines[6].contains(",-2.80,-2.80,"), "{}", lines[6]);
    assert!(lines[6].contains(",refund_1\t,"), "{}", lines[6]);
    assert_eq!(lines[5].split(',').count(), lines[4].split(',').count());
    assert!(lines[7].contains("业务明细列表结束"), "{}", lines[7]);
    assert!(lines[8].starts_with("#交易合计：1笔，商家实收共12.80元"), "{}", lines[8]);
    assert!(lines[9].starts_with("#退款合计：1笔，商家实收退款共-2.80元"), "{}", lines[9]);
    assert!(summary.starts_with("#支付宝业务汇总查询\r\n"));
    assert!(summary.contains("合计,,1,1,10.00,"), "{summary}");
}

#[tokio::test]
async fn money_is_of_the_day_on_which_it_moved() {
    let merchant = Merchant::start().await;
    let trade_no = merchant.paid("order_1").await;
    set_clock(START_S + 24 * 3_600);
    merchant.stack.set_faults(json!({ "refund_delay_ms": 0 })).await;
    merchant.refund(&trade_no, "refund_1", "12.80").await.succeeded();
    set_clock(READY_S + 24 * 3_600);
    for (day, payments, refunds) in [("2026-01-01", 1, 0), ("2026-01-02", 0, 1)] {
        let (_, bytes) = download(&merchant, &url(&merchant, day).await).await;
        let details = texts(bytes).remove(0).1;
        assert!(details.contains(&format!("#交易合计：{payments}笔")), "{day}");
        assert!(details.contains(&format!("#退款合计：{refunds}笔")), "{day}");
    }
}

#[tokio::test]
async fn a_bill_is_there_from_nine_and_only_of_a_day_with_trades() {
    let merchant = Merchant::start().await;
    merchant.paid("order_1").await;
    let of = |day: &str| json!({ "bill_type": "trade", "bill_date": day });
    for (now_s, bill, code) in [
        (START_S, of("2026-01-01"), "isv.invalid_arguments"),
        (READY_S - 1, of("2026-01-01"), "isp.bill_not_exist"),
        (READY_S, of("2026-01-01"), "10000"),
        (READY_S, of("2025-12-31"), "isp.bill_not_exist"),
        (READY_S, of("2026-01"), "isv.invalid_arguments"),
        (READY_S, of("2026-1-001"), "isv.invalid_arguments"),
        (
            READY_S,
            json!({ "bill_type": "signcustomer", "bill_date": "2026-01-01" }),
            "isv.invalid_arguments",
        ),
        (READY_S, json!({ "bill_type": "trade" }), "ACQ.INVALID_PARAMETER"),
    ] {
        set_clock(now_s);
        let reply = place(&merchant, bill.clone()).await;
        assert_eq!((reply.code(), reply.signed), (code, true), "{bill} at {now_s}");
    }
}

#[tokio::test]
async fn an_address_is_good_for_half_a_minute_and_for_its_own_day() {
    let merchant = Merchant::start().await;
    merchant.paid("order_1").await;
    set_clock(READY_S);
    let url = url(&merchant, "2026-01-01").await;
    for (age_s, status) in [(0, 200), (30, 200), (31, 403)] {
        set_clock(READY_S + age_s);
        assert_eq!(download(&merchant, &url).await.0, status, "{age_s}");
    }
    set_clock(READY_S);
    for (from, to) in [("bizDates=20260101", "bizDates=20251231"), ("token=", "token=0")] {
        assert_eq!(download(&merchant, &url.replace(from, to)).await.0, 403, "{to}");
    }
}
