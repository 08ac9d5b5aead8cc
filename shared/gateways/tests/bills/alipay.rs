//! Alipay's archive of texts in GBK.

use std::io::{Cursor, Write};

use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use encoding_rs::GBK;
use gateways::bill::alipay::{UnreadableBill, rows};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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

fn read(lines: &[&str], payments: usize, refunds: usize) -> Result<Vec<BillRow>, UnreadableBill> {
    let sums = "#支付宝业务汇总查询\r\n#账号：[20880000000000000156]\r\n";
    rows(&archive(&[sums, &text(lines, payments, refunds)]))
}

fn cny(amount: i64) -> Money {
    Money::new(amount, Currency::parse("CNY").unwrap())
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
        assert_eq!(read, Err(UnreadableBill::Incomplete), "{payments} {refunds}");
    }
    let odd_kind = PAYMENT.replace("交易", "转账");
    let no_amount = PAYMENT.replace("12.80", "");
    let no_time = PAYMENT.replace("2026-11-23 23:59:59", "");
    let cut = &PAYMENT[..60];
    for line in [odd_kind.as_str(), &no_amount, &no_time, cut] {
        assert_eq!(read(&[line], 1, 0), Err(UnreadableBill::Row), "{line}");
    }
    let whole = text(&[PAYMENT], 1, 0);
    let (cut, _) = whole.split_once("#交易合计").unwrap();
    assert_eq!(rows(&archive(&[cut])), Err(UnreadableBill::Incomplete));
}

#[test]
fn what_is_no_archive_of_a_bill_is_refused() {
    assert_eq!(rows(b""), Err(UnreadableBill::Archive));
    assert_eq!(rows(b"PK\x03\x04"), Err(UnreadableBill::Archive));
    assert_eq!(rows(&archive(&[])), Err(UnreadableBill::NoRows));
    assert_eq!(rows(&archive(&["#支付宝业务汇总查询\r\n"])), Err(UnreadableBill::NoRows));
    let whole = text(&[PAYMENT], 1, 0);
    let texts = vec![whole.as_str(); 16];
    assert!(rows(&archive(&texts)).is_ok());
    let texts = vec![whole.as_str(); 17];
    assert_eq!(rows(&archive(&texts)), Err(UnreadableBill::Archive));
}
