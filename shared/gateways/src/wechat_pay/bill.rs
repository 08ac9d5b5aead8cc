//! The trade bill: asked for by day, downloaded as text, each value behind a backquote.
//!
//! Sources, read 2026-11-23: "申请交易账单" and "下载账单" of the API v3 guide; the columns and what
//! day a row is of, "交易账单文件格式说明"
//! (<https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-trade.html>): a payment
//! is of the day of its success, a refund of the day on which it was accepted, with its state as of
//! then. The download is signed like every request and its reply is not: the hash of the first
//! reply, which is, vouches for it.

use bytes::Bytes;
use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use http::{Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use jiff::tz::Offset;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;

use super::WechatPay;
use super::reply::{Fault, mismatch, refusal, unreadable};
use crate::beijing::{BEIJING, instant};
use crate::bill::{BILL_ROWS_MAX, BillOutcome, BillStep, Bills, unfinished};
use crate::text::{id_in_bill, upper_hex};
use crate::{Refusal, Stamp, TooOften, yuan};

const BILL_PATH: &str = "/v3/bill/tradebill";
/// Where bills of the production host are downloaded, whichever of its two hosts was asked.
const DOWNLOAD_HOST: &str = "api.mch.weixin.qq.com";
/// The gateway's word that nothing happened on that day.
const NO_BILL: &[&str] = &["NOSTATEMENTEXIST"];
/// Its word that the bill is still being written.
const NOT_YET: &[&str] = &["STATEMENTCREATING"];

/// In front of each value, so that spreadsheets leave it as it is. Values are not quoted: only the
/// two of them together end a value for certain.
const BACKQUOTE: &str = "`";
const BETWEEN: &str = ",`";
/// The columns behind the two texts that merchants write themselves.
const COLUMNS_BEHIND_TEXTS: usize = 5;
/// How the first column of the summary is called.
const ROW_COUNT: &str = "总交易单数";

/// 200 of asking for a bill.
#[derive(Deserialize)]
struct BillPlace {
    hash_type: String,
    hash_value: String,
    download_url: String,
}

impl Bills for WechatPay {
    fn offset(&self) -> Offset {
        BEIJING
    }

    fn ask(&self, step: &BillStep, stamp: Stamp) -> Request<Bytes> {
        match step {
            BillStep::Day(day) => {
                self.get(&format!("{BILL_PATH}?bill_date={day}&bill_type=ALL"), stamp)
            }
            // It was read from a reply and checked then.
            BillStep::Next { at, .. } => {
                self.request_to(at.parse().unwrap_or_default(), Method::GET, "", stamp)
            }
        }
    }

    fn read(&self, step: &BillStep, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome {
        if let Some(unfinished) = unfinished(BEIJING, step.day(), now) {
            return unfinished;
        }
        match step {
            BillStep::Day(_) => self.place(step, reply, now),
            BillStep::Next { hash, .. } => match self.rows(hash.as_deref(), reply) {
                Ok(rows) => BillOutcome::Read { rows, next: None },
                Err(refusal) => BillOutcome::Unknown(refusal),
            },
        }
    }
}

impl WechatPay {
    fn place(&self, step: &BillStep, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome {
        let (status, place) = match self.read_json::<BillPlace>(reply, now) {
            Ok(place) => place,
            Err(Fault::Declined(declined)) if declined.is_signed_any_of(NO_BILL) => {
                return BillOutcome::Read { rows: vec![], next: None };
            }
            Err(Fault::Declined(declined)) if declined.is_signed_any_of(NOT_YET) => {
                return BillOutcome::NotReady(declined.refusal);
            }
            Err(Fault::Declined(declined)) => return BillOutcome::Unknown(declined.refusal),
            Err(Fault::TooOften(TooOften { refusal, .. }) | Fault::Unusable(refusal)) => {
                return BillOutcome::Unknown(refusal);
            }
        };
        if place.hash_type != "SHA1" || !self.is_own(&place.download_url) {
            return BillOutcome::Unknown(mismatch(status));
        }
        let (at, hash) = (place.download_url, Some(place.hash_value));
        let next = BillStep::Next { day: step.day(), at, hash };
        BillOutcome::Read { rows: vec![], next: Some(next) }
    }

    /// Whether a URL is the gateway's: what goes there carries our signature.
    fn is_own(&self, url: &str) -> bool {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        let is_host = uri.authority().is_some_and(|authority| {
            *authority == self.endpoint.authority || authority == DOWNLOAD_HOST
        });
        is_host && uri.scheme() == Some(&self.endpoint.scheme)
    }

    fn rows(&self, hash: Option<&str>, reply: &Response<Bytes>) -> Result<Vec<BillRow>, Refusal> {
        let (status, body) = (reply.status(), reply.body().as_ref());
        if status != StatusCode::OK {
            return Err(unreadable(status));
        }
        let sha1 = upper_hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, body).as_ref());
        if !hash.is_some_and(|hash| hash.eq_ignore_ascii_case(&sha1)) {
            return Err(refusal(status, "hash_mismatch", "the bill is not what was promised"));
        }
        let text = std::str::from_utf8(body).map_err(|_| unreadable(status))?;
        let bill = Bill::of(text.trim_start_matches('\u{feff}'));
        bill.and_then(|bill| bill.rows(&self.mchid))
            .map_err(|what| refusal(status, "unreadable_bill", what))
    }
}

/// A bill in its parts.
struct Bill<'a> {
    columns: Columns,
    lines: Vec<&'a str>,
    row_count: usize,
}

impl<'a> Bill<'a> {
    /// Divides a bill: the columns, its rows, the summary's columns, the summary.
    fn of(text: &'a str) -> Result<Self, &'static str> {
        let mut lines = text.lines();
        let columns = Columns::of(lines.next().unwrap_or_default());
        let columns = columns.ok_or("it has not the columns that are read")?;
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let [lines @ .., summary_columns, summary] = lines.as_slice() else {
            return Err("it has no summary");
        };
        if !summary_columns.starts_with(ROW_COUNT) {
            return Err("it has no summary");
        }
        let row_count = summary.strip_prefix(BACKQUOTE).and_then(|line| line.split(BETWEEN).next());
        let row_count = row_count.and_then(|count| count.parse().ok());
        let row_count = row_count.ok_or("its summary does not count rows")?;
        Ok(Self { columns, lines: lines.to_vec(), row_count })
    }

    fn rows(&self, mchid: &str) -> Result<Vec<BillRow>, &'static str> {
        if self.row_count != self.lines.len() {
            return Err("it has not as many rows as its summary says");
        }
        if self.lines.len() > BILL_ROWS_MAX {
            return Err("it has more rows than are read");
        }
        let mut rows = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            rows.extend(self.columns.row(line, mchid).ok_or("a row cannot be read")?);
        }
        Ok(rows)
    }
}

/// Where the columns that are read stand.
struct Columns {
    count: usize,
    at: usize,
    merchant: usize,
    transaction: usize,
    payment: usize,
    state: usize,
    currency: usize,
    refund_number: usize,
    refund_state: usize,
    echo: usize,
    amount: usize,
    refund_amount: usize,
}

impl Columns {
    fn of(line: &str) -> Option<Self> {
        let names: Vec<&str> = line.split(',').collect();
        let at = |name: &str| names.iter().position(|known| *known == name);
        Some(Self {
            count: names.len(),
            at: at("交易时间")?,
            merchant: at("商户号")?,
            transaction: at("微信订单号")?,
            payment: at("商户订单号")?,
            state: at("交易状态")?,
            currency: at("货币种类")?,
            refund_number: at("商户退款单号")?,
            refund_state: at("退款状态")?,
            echo: at("商户数据包")?,
            amount: at("订单金额")?,
            refund_amount: at("申请退款金额")?,
        })
    }

    /// The values of a line. What a merchant names goods by may itself look like the end of a
    /// value: what is too much then belongs to the two texts, of which the last is read.
    fn values<'a>(&self, line: &'a str) -> Option<Vec<&'a str>> {
        let mut values: Vec<&str> = line.strip_prefix(BACKQUOTE)?.split(BETWEEN).collect();
        let too_many = values.len().checked_sub(self.count)?;
        if too_many > 0 {
            let texts_end = values.len().checked_sub(COLUMNS_BEHIND_TEXTS)?.checked_sub(1)?;
            let from = texts_end.checked_sub(too_many)?;
            values.drain(from..texts_end);
        }
        Some(values)
    }

    /// A line's row: `None` if it cannot be read, and nothing for one that moved no money.
    fn row(&self, line: &str, mchid: &str) -> Option<Option<BillRow>> {
        let values = self.values(line)?;
        let get = |at: usize| values.get(at).map(|value| value.trim());
        if get(self.merchant)? != mchid {
            return None;
        }
        let (kind, amount) = match get(self.state)? {
            "SUCCESS" => (RowKind::Payment, get(self.amount)?),
            "REFUND" if get(self.refund_state)? == "FAIL" => return Some(None),
            "REFUND" => {
                let number = get(self.refund_number)?.to_owned();
                (RowKind::Refund { number }, get(self.refund_amount)?)
            }
            // Taken back at a card reader before it was settled.
            "REVOKED" => return Some(None),
            _ => return None,
        };
        let currency = Currency::parse(get(self.currency)?)?;
        let echo = get(self.echo).filter(|echo| !echo.is_empty());
        Some(Some(BillRow {
            kind,
            payment_id: get(self.payment)?.to_owned(),
            transaction_id: id_in_bill(get(self.transaction)?)?,
            amount: Money::new(yuan::fen(amount)?, currency),
            at: instant(get(self.at)?)?,
            echo: echo.map(str::to_owned),
        }))
    }
}
