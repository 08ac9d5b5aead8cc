//! Alipay's trade bill: an archive of texts in GBK, of which one lists every payment and refund.
//!
//! Sources, read 2026-11-24: `alipay.data.dataservice.bill.downloadurl.query` of the open platform,
//! and the bill's own columns. Where it is, is answered with a signature, and is an address that is
//! good for 30 seconds and is asked for without one. The archive carries no hash: TLS vouches for
//! it, and its checksums and its own sums for its being whole. It does not carry the echo: a row is
//! ours if its payment is stored.

use std::io::{Cursor, Read};

use bytes::Bytes;
use domain::reconcile::{BillRow, RowKind};
use encoding_rs::GBK;
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use zip::ZipArchive;

use super::Alipay;
use super::reply::{Fault, mismatch, refusal, unreadable};
use super::request::{BILL, download};
use super::wire::BillPlace;
use crate::beijing::{BEIJING, instant};
use crate::bill::{BILL_ROWS_MAX, BillOutcome, BillStep, Bills, unfinished};
use crate::text::id_in_bill;
use crate::{Refusal, Stamp, TooOften, yuan};

/// Under which domains bills are downloaded, production's and the sandbox's: it has been
/// `dwbillcenter` of both. Whatever scheme an address of theirs has, it is asked for by TLS.
/// Besides them only the host of `base_url` is believed.
const DOWNLOAD_DOMAINS: &[&str] = &[".alipay.com", ".alipaydev.com"];

/// The gateway's word that there is no bill: nothing was sold, or it is late. The first is how the
/// gateway spells it and the second how its pages do.
const NO_BILL: &[&str] = &["bill_not_exist", "BILL_NOT_EXIST"];

/// From which hour of the next day that word means that nothing was sold. A bill is written by nine
/// as a rule, and later in exceptions.
const EMPTY_FROM_HOUR: i8 = 12;

/// How many texts an archive may have.
const TEXTS_MAX: usize = 16;
/// How large a text may be once it is unpacked, in bytes.
const TEXT_LEN_MAX: u64 = 64 * 1024 * 1024;

/// How the text with the rows begins; the one with sums for each shop begins otherwise.
const TITLE: &str = "#支付宝业务明细查询";
const BEGINS: &str = "#起始日期：";
const ROWS_BEGIN: &str = "业务明细列表";
const ROWS_END: &str = "业务明细列表结束";
const PAYMENTS_TOTAL: &str = "#交易合计：";
const REFUNDS_TOTAL: &str = "#退款合计：";

/// Where the name of the goods stands, in which a merchant may have written commas. Two times
/// follow it.
const GOODS_AT: usize = 3;

/// Why a bill cannot be read. Half a bill is none.
#[derive(thiserror::Error, Debug)]
enum UnreadableBill {
    #[error("it is no archive that can be unpacked")]
    Archive,
    #[error("it has no list of rows")]
    NoRows,
    #[error("it is of another day")]
    OtherDay,
    #[error("a row cannot be read")]
    Row,
    #[error("it has not as many rows as its sums say")]
    Incomplete,
    #[error("it has more rows than are read")]
    TooLarge,
}

impl Bills for Alipay {
    fn offset(&self) -> Offset {
        BEIJING
    }

    fn ask(&self, step: &BillStep, stamp: Stamp) -> Request<Bytes> {
        match step {
            BillStep::Day(day) => self.ask_for_bill(*day, stamp),
            // It was read from a reply and checked then.
            BillStep::Next { at, .. } => download(at.parse().unwrap_or_default()),
        }
    }

    fn read(&self, step: &BillStep, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome {
        if let Some(unfinished) = unfinished(BEIJING, step.day(), now) {
            return unfinished;
        }
        match step {
            BillStep::Day(day) => self.bill_place(*day, reply, now),
            BillStep::Next { day, .. } => match downloaded(*day, reply) {
                Ok(rows) => BillOutcome::Read { rows, next: None },
                Err(refusal) => BillOutcome::Unknown(refusal),
            },
        }
    }
}

impl Alipay {
    fn bill_place(&self, day: Date, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome {
        let place = match self.read::<BillPlace>(BILL, reply) {
            Ok(place) => place,
            Err(Fault::Declined(declined)) if declined.is_signed_any_of(NO_BILL) => {
                return match may_be_late(day, now) {
                    true => BillOutcome::NotReady(declined.refusal),
                    false => BillOutcome::Read { rows: vec![], next: None },
                };
            }
            Err(Fault::Declined(declined)) => return BillOutcome::Unknown(declined.refusal),
            Err(Fault::TooOften(TooOften { refusal, .. }) | Fault::Unusable(refusal)) => {
                return BillOutcome::Unknown(refusal);
            }
        };
        let Some(uri) = self.download_uri(&place.bill_download_url) else {
            return BillOutcome::Unknown(mismatch(reply));
        };
        let next = BillStep::Next { day, at: uri.to_string(), hash: None };
        BillOutcome::Read { rows: vec![], next: Some(next) }
    }

    /// Where a bill is downloaded; `None` for a host that is not believed.
    fn download_uri(&self, url: &str) -> Option<Uri> {
        let mut parts = url.parse::<Uri>().ok()?.into_parts();
        let authority = parts.authority.as_ref()?;
        if *authority == self.endpoint.authority {
            return (parts.scheme.as_ref() == Some(&self.endpoint.scheme))
                .then(|| url.parse().ok())?;
        }
        let host = authority.as_str().to_ascii_lowercase();
        // The host ends the text, so that no port is named.
        let is_alipay = DOWNLOAD_DOMAINS.iter().any(|domain| host.ends_with(domain));
        if !is_alipay || host.contains('@') {
            return None;
        }
        parts.scheme = Some(Scheme::HTTPS);
        Uri::from_parts(parts).ok()
    }
}

/// Whether the bill of a day may still be written.
fn may_be_late(day: Date, now: Timestamp) -> bool {
    let empty_from = || {
        let moment = day.tomorrow().ok()?.at(EMPTY_FROM_HOUR, 0, 0, 0);
        BEIJING.to_timestamp(moment).ok()
    };
    empty_from().is_none_or(|moment| now < moment)
}

fn downloaded(day: Date, reply: &Response<Bytes>) -> Result<Vec<BillRow>, Refusal> {
    if reply.status() != StatusCode::OK {
        return Err(unreadable(reply));
    }
    rows(day, reply.body()).map_err(|why| refusal(reply, "unreadable_bill", &why.to_string()))
}

/// The rows of a bill from its archive.
fn rows(day: Date, archive: &[u8]) -> Result<Vec<BillRow>, UnreadableBill> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|_| UnreadableBill::Archive)?;
    if archive.len() > TEXTS_MAX {
        return Err(UnreadableBill::Archive);
    }
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|_| UnreadableBill::Archive)?;
        let mut bytes = vec![];
        let read = file.take(TEXT_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes);
        let len = read.map_err(|_| UnreadableBill::Archive)?;
        if u64::try_from(len).unwrap_or(u64::MAX) > TEXT_LEN_MAX {
            return Err(UnreadableBill::Archive);
        }
        let (text, _, _) = GBK.decode(&bytes);
        if text.starts_with(TITLE) {
            return rows_of(day, &text);
        }
    }
    Err(UnreadableBill::NoRows)
}

fn rows_of(day: Date, text: &str) -> Result<Vec<BillRow>, UnreadableBill> {
    let begins = format!("{BEGINS}[{} 00:00:00]", day.strftime("%Y年%m月%d日"));
    let mut lines = text.lines();
    if !lines.by_ref().any(|line| line.starts_with(&begins)) {
        return Err(UnreadableBill::OtherDay);
    }
    lines.by_ref().find(|line| line.starts_with('#') && line.contains(ROWS_BEGIN));
    let columns: Vec<String> =
        lines.next().ok_or(UnreadableBill::NoRows)?.split(',').map(spelt).collect();
    let mut rows = vec![];
    let listed = lines.by_ref().take_while(|line| !line.contains(ROWS_END));
    for line in listed.filter(|line| !line.trim().is_empty()) {
        rows.push(row(&columns, line).ok_or(UnreadableBill::Row)?);
        if rows.len() > BILL_ROWS_MAX {
            return Err(UnreadableBill::TooLarge);
        }
    }
    let payments = rows.iter().filter(|row| row.kind == RowKind::Payment).count();
    let refunds = rows.len().saturating_sub(payments);
    let sums: Vec<&str> = lines.collect();
    let is_complete = total(&sums, PAYMENTS_TOTAL) == Some(payments)
        && total(&sums, REFUNDS_TOTAL) == Some(refunds);
    if is_complete { Ok(rows) } else { Err(UnreadableBill::Incomplete) }
}

/// How many the line of a sum counts.
fn total(sums: &[&str], of: &str) -> Option<usize> {
    let line = sums.iter().find_map(|line| line.strip_prefix(of))?;
    line.split_once('笔')?.0.trim().parse().ok()
}

/// A column's name; bills have been seen with parentheses of either width.
fn spelt(name: &str) -> String {
    name.trim().replace('（', "(").replace('）', ")")
}

fn row(columns: &[String], line: &str) -> Option<BillRow> {
    let values = values(columns, line)?;
    let get = |column: &str| {
        let at = columns.iter().position(|name| name == column)?;
        values.get(at).copied()
    };
    let amount = get("订单金额(元)")?;
    let (kind, amount) = match get("业务类型")? {
        "交易" => (RowKind::Payment, yuan::amount(amount)?),
        "退款" => {
            let number = get("退款批次号/请求号")?.to_owned();
            (RowKind::Refund { number }, yuan::amount(amount.strip_prefix('-').unwrap_or(amount))?)
        }
        _ => return None,
    };
    Some(BillRow {
        kind,
        payment_id: get("商户订单号")?.to_owned(),
        transaction_id: id_in_bill(get("支付宝交易号")?)?,
        amount,
        at: instant(get("完成时间")?)?,
        echo: None,
    })
}

/// The values of a line under its columns. Commas in the name of the goods are undone by the two
/// times behind it; those in the remark, which is last, need not be.
fn values<'a>(columns: &[String], line: &'a str) -> Option<Vec<&'a str>> {
    let mut values: Vec<&str> = line.split(',').map(str::trim).collect();
    let is_moment = |at: usize| values.get(at).is_some_and(|it| instant(it).is_some());
    let goods_end = GOODS_AT.checked_add(1)?;
    let times_at =
        (goods_end..values.len()).find(|at| is_moment(*at) && is_moment(at.saturating_add(1)))?;
    values.drain(goods_end..times_at);
    (values.len() >= columns.len()).then_some(values)
}
