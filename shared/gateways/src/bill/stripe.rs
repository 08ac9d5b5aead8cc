//! Stripe's bill: pages of balance transactions, each with the charge or the refund behind it.
//!
//! Source, read 2026-11-24: `GET /v1/balance_transactions` of the API reference, with
//! `expand[]=data.source` and `expand[]=data.source.charge`. A balance transaction is of the day on
//! which it was created, in UTC. Its own amount is in the currency that is settled in; what was
//! captured or refunded is the amount of its source. A charge has the metadata of its payment
//! intent.

use std::collections::BTreeMap;

use domain::money::{Currency, Money};
use domain::reconcile::{BillRow, RowKind};
use jiff::Timestamp;
use serde::Deserialize;

/// Under which keys our own names are in the metadata.
#[derive(Clone, Copy, Debug)]
pub struct MetadataKeys {
    /// The payment id, on the payment intent and so on the charge.
    pub payment_id: &'static str,
    /// The echo, beside it.
    pub echo: &'static str,
    /// The refund's number, on the refund.
    pub refund_number: &'static str,
}

/// A page of a bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Its payments and refunds; other movements of the balance are left out.
    pub rows: Vec<BillRow>,
    /// Behind what the next page starts (`starting_after`); `None` on the last one.
    pub next: Option<String>,
}

/// A page that is not what was asked for. Half a bill is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a page of balance transactions cannot be read")]
pub struct UnreadablePage;

#[derive(Deserialize)]
struct List {
    object: String,
    data: Vec<BalanceTransaction>,
    has_more: bool,
}

#[derive(Deserialize)]
struct BalanceTransaction {
    id: String,
    r#type: String,
    created: i64,
    source: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Charge {
    amount: i64,
    currency: String,
    payment_intent: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Refund {
    id: String,
    amount: i64,
    currency: String,
    status: Option<String>,
    payment_intent: Option<String>,
    charge: Option<Charge>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// Reads a page.
///
/// # Errors
/// [`UnreadablePage`]: it is no list, or a charge or refund in it is not whole.
pub fn page(body: &[u8], keys: MetadataKeys) -> Result<Page, UnreadablePage> {
    let list: List = serde_json::from_slice(body).map_err(|_| UnreadablePage)?;
    if list.object != "list" {
        return Err(UnreadablePage);
    }
    let last = list.data.last().map(|one| one.id.clone());
    let next = last.filter(|_| list.has_more);
    if list.has_more && next.is_none() {
        return Err(UnreadablePage);
    }
    let mut rows = Vec::with_capacity(list.data.len());
    for one in list.data {
        rows.extend(row(one, keys).ok_or(UnreadablePage)?);
    }
    Ok(Page { rows, next })
}

/// The row of a balance transaction: `None` if it cannot be read, nothing if it is no row.
fn row(one: BalanceTransaction, keys: MetadataKeys) -> Option<Option<BillRow>> {
    let at = Timestamp::from_second(one.created).ok()?;
    match one.r#type.as_str() {
        "charge" | "payment" => {
            let charge: Charge = serde_json::from_value(one.source?).ok()?;
            Some(Some(captured(&charge, at, keys)?))
        }
        "refund" | "payment_refund" => {
            let refund: Refund = serde_json::from_value(one.source?).ok()?;
            // The money came back to us: it never arrived.
            if matches!(refund.status.as_deref(), Some("failed" | "canceled")) {
                return Some(None);
            }
            Some(Some(refunded(&refund, at, keys)?))
        }
        _ => Some(None),
    }
}

fn captured(charge: &Charge, at: Timestamp, keys: MetadataKeys) -> Option<BillRow> {
    Some(BillRow {
        kind: RowKind::Payment,
        payment_id: charge.metadata.get(keys.payment_id).cloned().unwrap_or_default(),
        transaction_id: charge.payment_intent.clone().unwrap_or_default(),
        amount: money(charge.amount, &charge.currency)?,
        at,
        echo: charge.metadata.get(keys.echo).cloned(),
    })
}

fn refunded(refund: &Refund, at: Timestamp, keys: MetadataKeys) -> Option<BillRow> {
    let of_charge = |key: &str| refund.charge.as_ref()?.metadata.get(key).cloned();
    // One that somebody made in the dashboard has Stripe's own id alone.
    let number = refund.metadata.get(keys.refund_number).unwrap_or(&refund.id).clone();
    Some(BillRow {
        kind: RowKind::Refund { number },
        payment_id: of_charge(keys.payment_id).unwrap_or_default(),
        transaction_id: refund.payment_intent.clone().unwrap_or_default(),
        amount: money(refund.amount, &refund.currency)?,
        at,
        echo: of_charge(keys.echo),
    })
}

fn money(amount: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(&currency.to_ascii_uppercase())?;
    (amount > 0).then_some(Money::new(amount, currency))
}
