//! Stripe's bill: pages of balance transactions, each with the charge or the refund behind it.
//!
//! Source, read 2026-11-24: <https://docs.stripe.com/api/balance_transactions/list> and
//! <https://docs.stripe.com/reports/balance-transaction-types>. A balance transaction is of the day
//! on which it was created, in UTC. Its own amount is in the currency that is settled in; what was
//! captured or refunded is the amount of its source. A charge has the metadata of its payment
//! intent. Nothing is signed: TLS and the host vouch for every page.

use bytes::Bytes;
use domain::reconcile::{BillRow, RowKind};
use http::{Request, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::Deserialize;

use super::Stripe;
use super::reply::{Fault, read, unreadable};
use super::wire::{Metadata, Page, money, nullable};
use crate::bill::{BillOutcome, BillStep, Bills, unfinished, window};
use crate::text::id_in_bill;
use crate::{Refusal, Stamp};

/// What is answered.
#[derive(Deserialize)]
#[serde(tag = "object")]
enum Listed {
    #[serde(rename = "list")]
    Movements(Page<BalanceTransaction>),
}

/// One movement of the balance.
#[derive(Deserialize)]
struct BalanceTransaction {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    /// Of some kinds it is absent, and of others it is read by nobody.
    source: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Charge {
    livemode: Option<bool>,
    /// `succeeded`, `pending` or `failed`.
    status: String,
    amount: i64,
    currency: String,
    payment_intent: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    amount: i64,
    currency: String,
    /// Absent on some that are older than the field.
    status: Option<String>,
    payment_intent: Option<String>,
    charge: Option<Charge>,
    #[serde(default, deserialize_with = "nullable")]
    metadata: Metadata,
}

impl Bills for Stripe {
    fn offset(&self) -> Offset {
        Offset::UTC
    }

    fn ask(&self, step: &BillStep, _stamp: Stamp) -> Request<Bytes> {
        let (day, after) = match step {
            BillStep::Day(day) => (*day, None),
            BillStep::Next { day, at, .. } => (*day, Some(at.as_str())),
        };
        self.movements_request(window(Offset::UTC, day), after)
    }

    fn read(&self, step: &BillStep, reply: &Response<Bytes>, now: Timestamp) -> BillOutcome {
        if let Some(unfinished) = unfinished(Offset::UTC, step.day(), now) {
            return unfinished;
        }
        match self.movements(step.day(), reply) {
            Ok((rows, next)) => BillOutcome::Read { rows, next },
            Err(refusal) => BillOutcome::Unknown(refusal),
        }
    }
}

impl Stripe {
    /// The payments and refunds of a page, without the other movements, and the page after it.
    fn movements(
        &self,
        day: Date,
        reply: &Response<Bytes>,
    ) -> Result<(Vec<BillRow>, Option<BillStep>), Refusal> {
        let (status, Listed::Movements(page)) = read(reply).map_err(Fault::into_refusal)?;
        let last = page.data.last().map(|one| one.id.clone());
        let next = last.filter(|_| page.has_more);
        if page.has_more && next.is_none() {
            return Err(unreadable(status));
        }
        let mut rows = Vec::with_capacity(page.data.len());
        for one in page.data {
            rows.extend(self.row(one).ok_or_else(|| unreadable(status))?);
        }
        Ok((rows, next.map(|at| BillStep::Next { day, at, hash: None })))
    }

    /// The row of a movement: `None` if it cannot be read, nothing if it is no row.
    fn row(&self, one: BalanceTransaction) -> Option<Option<BillRow>> {
        let at = Timestamp::from_second(one.created).ok()?;
        match one.kind.as_str() {
            "charge" | "payment" => {
                let charge: Charge = serde_json::from_value(one.source?).ok()?;
                let is_known = matches!(charge.status.as_str(), "succeeded" | "pending" | "failed");
                if !is_known || !self.is_of_mode(charge.livemode) {
                    return None;
                }
                // A payment that takes days is booked when it begins. No money is captured before
                // it succeeds.
                if charge.status != "succeeded" {
                    return Some(None);
                }
                Some(Some(captured(charge, at)?))
            }
            "refund" | "payment_refund" => {
                let refund: Refund = serde_json::from_value(one.source?).ok()?;
                // The money came back to us: it never arrived.
                if matches!(refund.status.as_deref(), Some("failed" | "canceled")) {
                    return Some(None);
                }
                Some(Some(refunded(refund, at)?))
            }
            _ => Some(None),
        }
    }
}

fn captured(charge: Charge, at: Timestamp) -> Option<BillRow> {
    Some(BillRow {
        kind: RowKind::Payment,
        payment_id: charge.metadata.payment_id.unwrap_or_default(),
        transaction_id: id_in_bill(&charge.payment_intent.unwrap_or_default())?,
        amount: money(charge.amount, &charge.currency)?,
        at,
        echo: charge.metadata.echo,
    })
}

fn refunded(refund: Refund, at: Timestamp) -> Option<BillRow> {
    let of_charge = refund.charge.map(|charge| charge.metadata).unwrap_or_default();
    // One that somebody made in the dashboard has Stripe's own id alone.
    let number = refund.metadata.refund_number.unwrap_or(refund.id);
    Some(BillRow {
        kind: RowKind::Refund { number },
        payment_id: of_charge.payment_id.unwrap_or_default(),
        transaction_id: id_in_bill(&refund.payment_intent.unwrap_or_default())?,
        amount: money(refund.amount, &refund.currency)?,
        at,
        echo: of_charge.echo,
    })
}
