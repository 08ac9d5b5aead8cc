//! The trade bill: where it is, and its archive of texts in GBK.

use std::io::{Cursor, Write};

use bytes::Bytes;
use domain::reconcile::{BillRow, RowKind};
use encoding_rs::GBK;
use gateways::alipay::Alipay;
use gateways::bill::{BillOutcome, BillStep};
use gateways::{Gateway, ID_LEN_MAX, Stamp};
use http::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::peer::{adapter, cny, declined, refused, reply, settings, signed, unsigned};

const METHOD: &str = "alipay.data.dataservice.bill.downloadurl.query";
const URL: &str =
    "https://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&token=a%2Fb";
/// Noon of the day after the bill's, in Beijing.
const NOON: &str = "2026-11-24T04:00:00Z";

const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,\
    操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,\
    商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,\
    服务费（元）,分润（元）,备注";
const PAYMENT: &str = "2026112322001004720299453898\t,p1\t,交易\t,Desk,2026-11-23 23:59:00,\
    2026-11-23 23:59:59,\t,\t,\t,\t,*杨(137****2600)\t,12.80,12.00,0.80,0.00,0.00,0.00,0.00,,\
    0.00\t,0.00,\t,-0.07,0.00,";
const REFUND: &str = "2026112322001004720299453898\t,p1\t,退款\t,Desk,2026-11-23 00:00:00,\
    2026-11-23 00:00:01,\t,\t,\t,\t,*杨(137****2600)\t,-12.80,-12.00,0.00,0.00,0.00,0.00,0.00,,\
    0.00\t,0.00,r1\t,0.07,0.00,a remark, with commas";

fn text(lines: &[&str], payments: usize, refunds: usize) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "#支付宝业务明细查询\r\n#账号：[20880000000000000156]\r\n\
         #起始日期：[2026年11月23日 00:00:00]   终止日期：[2026年11月24日 00:00:00]\r\n\
         #-------------业务明细列表-------------\r\n{COLUMNS}\r\n{lines}\
         #-------------业务明细列表结束---------\r\n\
         #交易合计：{payments}笔，商家实收共12.00元，商家优惠共0.00元\r\n\
         #退款合计：{refunds}笔，商家实收退款共-12.00元，商家优惠退款共0.00元\r\n\
         #导出时间：[2026年11月24日 06:27:10]\r\n"
    )
}

fn archive(texts: &[&str]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    for (number, text) in texts.iter().enumerate() {
        archive.start_file(format!("{number}.csv"), SimpleFileOptions::default()).unwrap();
        let (bytes, _, unmappable) = GBK.encode(text);
        assert!(!unmappable);
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn day() -> Date {
    "2026-11-23".parse().unwrap()
}

fn read_at(now: &str, step: &BillStep, reply: &Response<Bytes>) -> BillOutcome {
    let now: Timestamp = now.parse().unwrap();
    adapter(settings()).bills().unwrap().read(step, reply, now)
}

fn asked(reply: &Response<Bytes>) -> BillOutcome {
    read_at(NOON, &BillStep::Day(day()), reply)
}

fn place(url: &str) -> Response<Bytes> {
    let place = json!({ "code": "10000", "msg": "Success", "bill_download_url": url });
    signed(METHOD, &place.to_string())
}

/// Where the bill is asked for that is said to be at `url`.
fn asked_at(gateway: &Alipay, url: &str) -> Option<String> {
    let bills = gateway.bills().unwrap();
    match bills.read(&BillStep::Day(day()), &place(url), NOON.parse().unwrap()) {
        BillOutcome::Read { rows, next: Some(next) } => {
            assert_eq!((rows.len(), next.day()), (0, day()));
            let request = bills.ask(&next, stamp());
            assert_eq!((request.method().as_str(), request.body().len()), ("GET", 0));
            Some(request.uri().to_string())
        }
        BillOutcome::Unknown(_) => None,
        other @ (BillOutcome::Read { .. } | BillOutcome::NotReady(_)) => panic!("{other:?}"),
    }
}

fn stamp() -> Stamp {
    Stamp { now: NOON.parse().unwrap(), nonce: [7; 16] }
}

/// The rows of an archive, or why it has none.
fn rows(archive: &[u8]) -> Result<Vec<BillRow>, String> {
    let step = BillStep::Next { day: day(), at: URL.to_owned(), hash: None };
    match read_at(NOON, &step, &reply(200, archive)) {
        BillOutcome::Read { rows, next: None } => Ok(rows),
        BillOutcome::Unknown(refusal) => {
            assert_eq!(refusal.code, "unreadable_bill");
            Err(refusal.message)
        }
        other @ (BillOutcome::Read { .. } | BillOutcome::NotReady(_)) => panic!("{other:?}"),
    }
}

fn read(lines: &[&str], payments: usize, refunds: usize) -> Result<Vec<BillRow>, String> {
    let sums = "#支付宝业务汇总查询\r\n#账号：[20880000000000000156]\r\n";
    rows(&archive(&[sums, &text(lines, payments, refunds)]))
}

fn err<T>(why: &str) -> Result<T, String> {
    Err(why.to_owned())
}

#[test]
fn a_bill_is_asked_for_by_day_and_downloaded_without_a_signature() {
    let gateway = adapter(settings());
    let request = gateway.bills().unwrap().ask(&BillStep::Day(day()), stamp());
    let uri = request.uri().to_string();
    assert!(uri.starts_with("https://openapi.alipay.com/gateway.do?"), "{uri}");
    assert!(uri.contains(&format!("method={METHOD}&")), "{uri}");
    let body: Vec<_> = form_urlencoded::parse(request.body()).into_owned().collect();
    let contents = r#"{"bill_type":"trade","bill_date":"2026-11-23"}"#;
    assert_eq!(body[0], ("biz_content".to_owned(), contents.to_owned()));
    assert_eq!(body[1].0, "sign");
    assert_eq!(asked_at(&gateway, URL).as_deref(), Some(URL));
}

#[test]
fn a_bill_is_downloaded_from_alipay_by_tls_or_from_the_configured_host() {
    let mut laptop = settings();
    laptop["base_url"] = json!("http://127.0.0.1:8080/simulator/alipay");
    let laptop = adapter(laptop);
    for (url, expected) in [
        (URL, Some(URL)),
        ("http://dwbillcenter.alipay.com/b?t=1", Some("https://dwbillcenter.alipay.com/b?t=1")),
        (
            "http://dwbillcenter.alipaydev.com/b?t=1",
            Some("https://dwbillcenter.alipaydev.com/b?t=1"),
        ),
        ("http://127.0.0.1:8080/b?t=1", Some("http://127.0.0.1:8080/b?t=1")),
        ("https://127.0.0.1:8080/b?t=1", None),
        ("http://127.0.0.1:8081/b?t=1", None),
        ("https://dwbillcenter.alipay.com:8443/b", None),
        ("https://evil.example@dwbillcenter.alipay.com/b", None),
        ("https://dwbillcenter.alipay.com.example.com/b", None),
        ("https://evilalipay.com/b", None),
        ("https://alipay.com/b", None),
        ("ftp://dwbillcenter.alipay.com/b", Some("https://dwbillcenter.alipay.com/b")),
        ("/downloadBillFile.resource", None),
        ("", None),
    ] {
        assert_eq!(asked_at(&laptop, url).as_deref(), expected, "{url}");
    }
    let production = adapter(settings());
    assert_eq!(asked_at(&production, "http://127.0.0.1:8080/b?t=1"), None);
    assert_eq!(asked_at(&production, "http://openapi.alipay.com/b?t=1"), None);
}

#[test]
fn no_bill_means_that_nothing_was_sold_once_it_cannot_be_late() {
    for code in ["isp.bill_not_exist", "BILL_NOT_EXIST"] {
        let reply = signed(METHOD, &refused(code));
        let empty = BillOutcome::Read { rows: vec![], next: None };
        assert_eq!(asked(&reply), empty, "{code}");
        for now in ["2026-11-23T16:00:00Z", "2026-11-24T03:59:59.999Z"] {
            let outcome = read_at(now, &BillStep::Day(day()), &reply);
            assert!(matches!(outcome, BillOutcome::NotReady(_)), "{now}: {outcome:?}");
        }
    }
}

#[test]
fn a_day_that_is_not_over_has_no_bill_whatever_is_answered() {
    for now in ["2026-11-23T00:00:00Z", "2026-11-23T15:59:59.999Z"] {
        let outcome = read_at(now, &BillStep::Day(day()), &place(URL));
        assert!(matches!(outcome, BillOutcome::NotReady(_)), "{now}: {outcome:?}");
    }
}

#[test]
fn a_place_is_believed_only_with_a_signature() {
    let place = json!({ "code": "10000", "msg": "Success", "bill_download_url": URL });
    for reply in [
        unsigned(METHOD, &place.to_string()),
        signed("alipay.trade.query", &place.to_string()),
        signed(METHOD, r#"{"code":"10000","msg":"Success"}"#),
        unsigned(METHOD, &refused("isp.bill_not_exist")),
        signed(METHOD, &refused("isv.invalid_arguments")),
        signed(METHOD, &declined("40006", "isv.insufficient-isv-permissions")),
        signed(METHOD, &declined("20000", "isp.bill_not_exist")),
        reply(500, ""),
    ] {
        let outcome = asked(&reply);
        assert!(matches!(outcome, BillOutcome::Unknown(_)), "{reply:?}: {outcome:?}");
    }
}

#[test]
fn payments_and_refunds_are_read_with_the_orders_amount_and_beijing_time() {
    let payment = BillRow {
        kind: RowKind::Payment,
        payment_id: "p1".to_owned(),
        transaction_id: "2026112322001004720299453898".to_owned(),
        amount: cny(1280),
        at: "2026-11-23T15:59:59Z".parse().unwrap(),
        echo: None,
    };
    let refund = BillRow {
        kind: RowKind::Refund { number: "r1".to_owned() },
        at: "2026-11-22T16:00:01Z".parse().unwrap(),
        ..payment.clone()
    };
    assert_eq!(read(&[PAYMENT, REFUND], 1, 1), Ok(vec![payment, refund]));
    assert_eq!(read(&[], 0, 0), Ok(vec![]));
}

#[test]
fn a_trade_s_number_is_taken_up_to_its_longest() {
    for (len, is_taken) in [(0, true), (ID_LEN_MAX, true), (ID_LEN_MAX + 1, false)] {
        let line = PAYMENT.replace("2026112322001004720299453898", &"2".repeat(len));
        assert_eq!(read(&[&line], 1, 0).is_ok(), is_taken, "{len}");
    }
}

#[test]
fn what_a_merchant_names_goods_by_cannot_shift_the_columns() {
    for name in ["Tea, cake", ",", "茶,糕点,\"", "2026-11-23 00:00:00,x"] {
        let line = PAYMENT.replace("Desk", name);
        let read = read(&[&line], 1, 0).unwrap();
        assert_eq!((read[0].amount, read[0].payment_id.as_str()), (cny(1280), "p1"), "{name}");
    }
}

#[test]
fn a_bill_that_is_not_whole_is_none() {
    for (payments, refunds) in [(0, 1), (2, 1), (1, 0), (1, 2)] {
        let read = read(&[PAYMENT, REFUND], payments, refunds);
        let why = "it has not as many rows as its sums say";
        assert_eq!(read, err(why), "{payments} {refunds}");
    }
    let odd_kind = PAYMENT.replace("交易", "转账");
    let no_amount = PAYMENT.replace("12.80", "");
    let no_time = PAYMENT.replace("2026-11-23 23:59:59", "");
    let cut = &PAYMENT[..60];
    for line in [odd_kind.as_str(), &no_amount, &no_time, cut] {
        assert_eq!(read(&[line], 1, 0), err("a row cannot be read"), "{line}");
    }
    let whole = text(&[PAYMENT], 1, 0);
    let (cut, _) = whole.split_once("#交易合计").unwrap();
    assert_eq!(rows(&archive(&[cut])), err("it has not as many rows as its sums say"));
}

#[test]
fn what_is_no_archive_of_a_bill_is_refused() {
    assert_eq!(rows(b""), err("it is no archive that can be unpacked"));
    assert_eq!(rows(b"PK\x03\x04"), err("it is no archive that can be unpacked"));
    assert_eq!(rows(&archive(&[])), err("it has no list of rows"));
    assert_eq!(rows(&archive(&["#支付宝业务汇总查询\r\n"])), err("it has no list of rows"));
    let whole = text(&[PAYMENT], 1, 0);
    let texts = vec![whole.as_str(); 16];
    assert!(rows(&archive(&texts)).is_ok());
    let texts = vec![whole.as_str(); 17];
    assert_eq!(rows(&archive(&texts)), err("it is no archive that can be unpacked"));
}

#[test]
fn an_archive_with_any_byte_changed_or_missing_is_never_another_bill() {
    let whole = archive(&[&text(&[PAYMENT, REFUND], 1, 1)]);
    let expected = rows(&whole).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        // Of the archive's own words some say nothing of its texts.
        if let Ok(rows) = rows(&changed) {
            assert_eq!(rows, expected, "byte {at}");
        }
        assert!(rows(&whole[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn a_bill_of_another_day_is_refused() {
    let other =
        text(&[PAYMENT], 1, 0).replace("起始日期：[2026年11月23日", "起始日期：[2026年11月22日");
    assert_eq!(rows(&archive(&[&other])), err("it is of another day"));
}

#[test]
fn what_is_no_bill_at_the_address_is_not_known() {
    let step = BillStep::Next { day: day(), at: URL.to_owned(), hash: None };
    let whole = archive(&[&text(&[PAYMENT], 1, 0)]);
    for (status, body) in [(404, whole.as_slice()), (206, &whole), (200, b"<html>"), (500, b"")] {
        let outcome = read_at(NOON, &step, &reply(status, body));
        assert!(matches!(outcome, BillOutcome::Unknown(_)), "{status}: {outcome:?}");
    }
}
