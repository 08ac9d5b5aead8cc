//! Alipay's trade bill: an archive of texts in GBK, of which one lists every payment and refund.
//!
//! Sources, read 2026-11-24: `alipay.data.dataservice.bill.downloadurl.query` of the open platform,
//! and the bill's own columns. The address that it answers is good for 30 seconds and is asked for
//! without a signature; the archive carries no hash, so that its own sums vouch for its rows. It
//! does not carry the echo: a row is ours if its payment is stored.

use std::io::{Cursor, Read};

use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use encoding_rs::GBK;
use zip::ZipArchive;

use crate::bill::{BILL_ROWS_MAX, beijing_moment, fen};

/// How many texts an archive may have.
const TEXTS_MAX: usize = 16;
/// How large a text may be once it is unpacked, in bytes.
const TEXT_LEN_MAX: u64 = 64 * 1024 * 1024;

/// How the text with the rows begins; the one with sums for each shop begins otherwise.
const TITLE: &str = "#支付宝业务明细查询";
const ROWS_BEGIN: &str = "业务明细列表";
const ROWS_END: &str = "业务明细列表结束";
const PAYMENTS_TOTAL: &str = "#交易合计：";
const REFUNDS_TOTAL: &str = "#退款合计：";

/// Where the name of the goods stands, in which a merchant may have written commas. Two times
/// follow it.
const GOODS_AT: usize = 3;

/// Why a bill cannot be read. Half a bill is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnreadableBill {
    /// It is no archive, or one with a text that is too large.
    #[error("it is no archive that can be unpacked")]
    Archive,
    /// No text of it lists rows.
    #[error("it has no list of rows")]
    NoRows,
    /// A row has not the columns that its list names, or a value that cannot be read.
    #[error("a row cannot be read")]
    Row,
    /// It has not as many payments or refunds as it says.
    #[error("it has not as many rows as its sums say")]
    Incomplete,
    /// It has more rows than are read.
    #[error("it has more rows than are read")]
    TooLarge,
}

/// Reads the rows of a bill from its archive.
///
/// # Errors
/// [`UnreadableBill`].
pub fn rows(archive: &[u8]) -> Result<Vec<BillRow>, UnreadableBill> {
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
            return rows_of(&text);
        }
    }
    Err(UnreadableBill::NoRows)
}

fn rows_of(text: &str) -> Result<Vec<BillRow>, UnreadableBill> {
    let mut lines = text.lines();
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
        "交易" => (RowKind::Payment, fen(amount)?),
        "退款" => {
            let number = get("退款批次号/请求号")?.to_owned();
            (RowKind::Refund { number }, fen(amount.strip_prefix('-').unwrap_or(amount))?)
        }
        _ => return None,
    };
    Some(BillRow {
        kind,
        payment_id: get("商户订单号")?.to_owned(),
        transaction_id: get("支付宝交易号")?.to_owned(),
        amount: Money::new(amount, Currency::parse("CNY")?),
        at: beijing_moment(get("完成时间")?)?,
        echo: None,
    })
}

/// The values of a line under its columns. Commas in the name of the goods are undone by the two
/// times behind it; those in the remark, which is last, need not be.
fn values<'a>(columns: &[String], line: &'a str) -> Option<Vec<&'a str>> {
    let mut values: Vec<&str> = line.split(',').map(str::trim).collect();
    let is_moment = |at: usize| values.get(at).is_some_and(|it| beijing_moment(it).is_some());
    let goods_end = GOODS_AT.checked_add(1)?;
    let times_at =
        (goods_end..values.len()).find(|at| is_moment(*at) && is_moment(at.saturating_add(1)))?;
    values.drain(goods_end..times_at);
    (values.len() >= columns.len()).then_some(values)
}
