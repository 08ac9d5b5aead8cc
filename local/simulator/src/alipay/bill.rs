//! The trade bill of a day: where it is, and the archive.
//!
//! A payment is of the day on which it was paid, a refund of the day on which the money was back.
//! Sources, read 2026-11-24: `alipay.data.dataservice.bill.downloadurl.query` of the open platform,
//! and the columns of the bill.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use axum::body::Body;
use axum::response::Response;
use encoding_rs::GBK;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::civil::Date;
use ring::hmac;
use serde::Deserialize;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use super::parameters::Call;
use super::refusal::Refusal;
use super::reply::Object;
use super::time::{BEIJING, beijing};
use super::trade::{BUYER_LOGON_ID, Trade, out_request_no_of};
use super::{BILL_PATH, SELLER_ID, fields, yuan};
use crate::ledger::{Gateway, Ledger, Refund, RefundOutcome, Transaction};
use crate::state::Shared;

/// When a day's bill is there, in hours of the next day.
const READY_HOUR: i8 = 9;
/// How long an archive's address is good, in seconds.
const ADDRESS_LIFE_S: i64 = 30;
/// What proves that an address was given out here.
const ADDRESS_KEY: &[u8] = b"the addresses of simulated bills";

const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,\
    操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,\
    商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,\
    服务费（元）,分润（元）,备注";
const SUMMARY_COLUMNS: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,\
    商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";
const RULE: &str = "-----------------------------------------";

/// <https://opendocs.alipay.com/apis/api_15/alipay.data.dataservice.bill.downloadurl.query>, read
/// 2026-11-24. Bills of months, of accounts and of campaigns are not simulated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BillRequest {
    bill_type: String,
    bill_date: String,
}

/// What of a day is in its bill.
#[derive(Default)]
struct Bill {
    /// When, and the line.
    rows: Vec<(Timestamp, String)>,
    payments: usize,
    refunds: usize,
    captured: i64,
    refunded: i64,
}

/// Says where the bill of a day is.
pub(super) fn place(shared: &Shared, call: &Call, host: &str) -> Result<Object, Refusal> {
    let request: BillRequest = fields::biz_content(&call.biz_content)?;
    let day = asked_day(&request)?;
    let now = shared.now();
    check_day(day, now)?;
    let bill = Bill::of(&shared.lock().ledger, day);
    if bill.rows.is_empty() {
        return Err(Refusal::no_bill());
    }
    let (digits, at_s) = (day.strftime("%Y%m%d"), now.as_second());
    let name = format!("{SELLER_ID}0156_{digits}.csv.zip");
    let proof = proof(day, at_s);
    Ok(Object::success().with(
        "bill_download_url",
        format!(
            "http://{host}{BILL_PATH}?bizType=trade&userId={SELLER_ID}0156&fileType=csv.zip\
             &bizDates={digits}&downloadFileName={name}&fileId=%2Ftrade%2F{name}\
             &timestamp={at_s}&token={proof}"
        ),
    ))
}

/// The archive at an address that was given out a short while ago.
pub(super) fn archive(shared: &Shared, query: &str) -> Response {
    let now = shared.now();
    let Some(day) = given_out(query, now) else {
        return page(StatusCode::FORBIDDEN, "the address is not good, or not any more");
    };
    let bill = Bill::of(&shared.lock().ledger, day);
    let texts = [("业务明细", bill.details(day, now)), ("业务明细(汇总)", bill.summary(day, now))];
    let Ok(bytes) = packed(day, &texts) else {
        return page(StatusCode::INTERNAL_SERVER_ERROR, "the archive cannot be written");
    };
    let mut response = Response::new(Body::from(bytes));
    let stream = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, stream);
    response
}

fn page(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

fn asked_day(request: &BillRequest) -> Result<Date, Refusal> {
    let is_whole = request.bill_date.len() == "2026-11-23".len();
    let day = is_whole.then(|| request.bill_date.parse().ok()).flatten();
    match (request.bill_type.as_str(), day) {
        ("trade", Some(day)) => Ok(day),
        _ => Err(Refusal::bill_arguments("bill_type: trade; bill_date: yyyy-MM-dd")),
    }
}

fn check_day(day: Date, now: Timestamp) -> Result<(), Refusal> {
    let local = BEIJING.to_datetime(now);
    let days = local.date().since(day).map_or(-1, |span| span.get_days());
    match days {
        ..=0 => Err(Refusal::bill_arguments("bill_date: a day that is over")),
        // As in the world, nobody can tell a bill that is late from a day without trades.
        1 if local.hour() < READY_HOUR => Err(Refusal::no_bill()),
        _ => Ok(()),
    }
}

fn proof(day: Date, at_s: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, ADDRESS_KEY);
    let proof = hmac::sign(&key, format!("{day}.{at_s}").as_bytes());
    proof.as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The day of an address that is still good.
fn given_out(query: &str, now: Timestamp) -> Option<Date> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let day = Date::strptime("%Y%m%d", value("bizDates")?).ok()?;
    let at_s: i64 = value("timestamp")?.parse().ok()?;
    let age_s = now.as_second().checked_sub(at_s)?;
    let is_good = value("token")? == proof(day, at_s) && (0..=ADDRESS_LIFE_S).contains(&age_s);
    is_good.then_some(day)
}

impl Bill {
    fn of(ledger: &Ledger, day: Date) -> Self {
        let is_of_day = |at: Timestamp| BEIJING.to_datetime(at).date() == day;
        let mut bill = Self::default();
        for payment in ledger.payments().filter(|one| one.key.gateway == Gateway::Alipay) {
            for transaction in &payment.transactions {
                let trade_no = transaction.transaction_id.clone();
                let trade = Trade { payment: payment.clone(), trade_no };
                if is_of_day(transaction.paid_at) {
                    bill.add_payment(&trade, transaction);
                }
                for (at, refund) in returned(&trade).filter(|(at, _)| is_of_day(*at)) {
                    bill.add_refund(&trade, refund, at);
                }
            }
        }
        bill.rows.sort();
        bill
    }

    fn add_payment(&mut self, trade: &Trade, transaction: &Transaction) {
        let amount = transaction.amount.amount;
        self.payments = self.payments.saturating_add(1);
        self.captured = self.captured.saturating_add(amount);
        let at = transaction.paid_at;
        self.rows.push((at, row(trade, "交易", at, &yuan::written(amount), "")));
    }

    fn add_refund(&mut self, trade: &Trade, refund: &Refund, at: Timestamp) {
        let amount = refund.amount.amount;
        self.refunds = self.refunds.saturating_add(1);
        self.refunded = self.refunded.saturating_add(amount);
        let (amount, number) = (format!("-{}", yuan::written(amount)), out_request_no_of(refund));
        self.rows.push((at, row(trade, "退款", at, &amount, number)));
    }

    fn details(&self, day: Date, now: Timestamp) -> String {
        let Self { payments, refunds, .. } = self;
        let (captured, refunded) = (yuan::written(self.captured), yuan::written(self.refunded));
        let mut text = head("业务明细查询", day);
        text.push_str(&format!("#{RULE}业务明细列表{RULE}\r\n{COLUMNS}\r\n"));
        for (_, line) in &self.rows {
            text.push_str(line);
        }
        text.push_str(&format!(
            "#{RULE}业务明细列表结束{RULE}\r\n\
             #交易合计：{payments}笔，商家实收共{captured}元，商家优惠共0.00元\r\n\
             #退款合计：{refunds}笔，商家实收退款共-{refunded}元，商家优惠退款共0.00元\r\n\
             #导出时间：[{}]\r\n",
            chinese(now)
        ));
        text
    }

    fn summary(&self, day: Date, now: Timestamp) -> String {
        let Self { payments, refunds, .. } = self;
        let net = yuan::signed(self.captured.saturating_sub(self.refunded));
        let mut text = head("业务汇总查询", day);
        text.push_str(&format!("#{RULE}业务汇总列表{RULE}\r\n{SUMMARY_COLUMNS}\r\n"));
        for shop in ["\t,\t", "合计,"] {
            text.push_str(&format!(
                "{shop},{payments},{refunds},{net},{net},0.00,0.00,0.00,0.00,0.00,{net}\r\n"
            ));
        }
        text.push_str(&format!(
            "#{RULE}业务汇总列表结束{RULE}\r\n#导出时间：[{}]\r\n",
            chinese(now)
        ));
        text
    }
}

/// The refunds of a trade whose money is back, each with since when.
fn returned(trade: &Trade) -> impl Iterator<Item = (Timestamp, &Refund)> {
    trade.payment.refunds_of(&trade.trade_no).filter_map(|refund| {
        let settled = refund.settled.as_ref()?;
        (settled.outcome == RefundOutcome::Success).then_some((settled.at, refund))
    })
}

/// A line of the details. No value is quoted, also where a merchant named goods with commas; a tab
/// keeps spreadsheets from taking numbers for amounts.
fn row(trade: &Trade, kind: &str, at: Timestamp, amount: &str, number: &str) -> String {
    let (trade_no, payment_id) = (&trade.trade_no, &trade.payment.key.payment_id);
    let subject = trade.requested("subject").unwrap_or_default();
    let (created, completed) = (beijing(trade.created_at()), beijing(at));
    format!(
        "{trade_no}\t,{payment_id}\t,{kind}\t,{subject},{created},{completed},\t,\t,\t,\t,\
         {BUYER_LOGON_ID}\t,{amount},{amount},0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,{number}\t,\
         0.00,0.00,\r\n"
    )
}

fn head(title: &str, day: Date) -> String {
    let (from, until) = (day.strftime("%Y年%m月%d日"), day.tomorrow().unwrap_or(day));
    let until = until.strftime("%Y年%m月%d日");
    format!(
        "#支付宝{title}\r\n#账号：[{SELLER_ID}0156]\r\n\
         #起始日期：[{from} 00:00:00]   终止日期：[{until} 00:00:00]\r\n"
    )
}

fn chinese(at: Timestamp) -> String {
    BEIJING.to_datetime(at).strftime("%Y年%m月%d日 %H:%M:%S").to_string()
}

/// The archive of texts, each in GBK under its own name.
fn packed(day: Date, texts: &[(&str, String)]) -> Result<Vec<u8>, ZipError> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let digits = day.strftime("%Y%m%d");
    for (name, text) in texts {
        let name = format!("{SELLER_ID}0156_{digits}_{name}.csv");
        archive.start_file(name, SimpleFileOptions::default())?;
        let (bytes, _, _) = GBK.encode(text);
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
