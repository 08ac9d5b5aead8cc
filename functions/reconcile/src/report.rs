//! What a comparison came to, as JSON.

use api::view::SumsView;
use domain::gateway::GatewayName;
use domain::money::Money;
use domain::reconcile::{BillRow, Found, OnlyHere, Open, RowKind, Sums, Tally};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::bill::NoBill;
use crate::flag::Flagged;

/// How many rows that are not in both a report lists; all are counted.
pub const LISTED_MAX: usize = 500;

/// What a run came to, each gateway by itself.
#[derive(Serialize, Debug)]
pub struct Report {
    /// One for each gateway that was asked.
    pub gateways: Vec<GatewayReport>,
}

/// What became of comparing one bill.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Bill and record say the same of all money that is ours.
    Agrees,
    /// They do not.
    Differs,
    /// There was no bill to compare: it is asked for again at the next run.
    Failed,
}

/// What came of one gateway's bill.
#[derive(Serialize, Debug)]
pub struct GatewayReport {
    /// Whose bill.
    pub gateway: GatewayName,
    /// The day, in the gateway's calendar.
    pub day: Date,
    /// What became of it.
    pub status: Status,
    /// Why there was no bill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// In both, with the same amount.
    pub in_both: TallyView,
    /// In both, with another amount; the bill's.
    pub amount_differs: TallyView,
    /// Only at the gateway, and ours.
    pub not_recorded: TallyView,
    /// Only at the gateway, and not ours: the merchant sells other things.
    pub foreign: TallyView,
    /// Captures that only the record knows.
    pub only_here: SumsView,
    /// How many of all that a person is asked about from now on.
    pub raised: u64,
    /// What is not in both: our own first, at most [`LISTED_MAX`].
    pub rows: Vec<RowView>,
    /// How many more there are.
    pub rows_left_out: u64,
}

/// Counts and sums of payments and refunds.
#[derive(Serialize, Default, Debug)]
pub struct TallyView {
    payments: SumsView,
    refunds: SumsView,
}

/// Which way a row is not in both.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// Only at the gateway, and ours.
    NotRecorded,
    /// Another amount.
    AmountDiffers,
    /// Only in the record.
    OnlyHere,
    /// Only at the gateway, and not ours.
    Foreign,
}

/// A row that is not in both.
#[derive(Serialize, Debug)]
pub struct RowView {
    difference: Difference,
    kind: &'static str,
    payment_id: String,
    transaction_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_number: Option<String>,
    amount: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<Money>,
    at: Timestamp,
}

impl From<&Tally> for TallyView {
    fn from(tally: &Tally) -> Self {
        Self { payments: (&tally.payments).into(), refunds: (&tally.refunds).into() }
    }
}

impl GatewayReport {
    /// A report of a bill that was not read.
    pub(crate) fn failed(gateway: GatewayName, day: Date, error: &NoBill) -> Self {
        Self {
            gateway,
            day,
            status: Status::Failed,
            error: Some(error.to_string()),
            in_both: TallyView::default(),
            amount_differs: TallyView::default(),
            not_recorded: TallyView::default(),
            foreign: TallyView::default(),
            only_here: SumsView::default(),
            raised: 0,
            rows: vec![],
            rows_left_out: 0,
        }
    }
}

/// Gathers what becomes of the open rows of one bill.
#[derive(Default)]
pub(crate) struct Gathering {
    in_both: Tally,
    amount_differs: Tally,
    not_recorded: Tally,
    foreign: Tally,
    raised: u64,
    rows: Vec<RowView>,
    foreign_rows: Vec<RowView>,
    left_out: u64,
}

impl Gathering {
    /// What is in both, to begin with.
    pub(crate) fn of(in_both: Tally) -> Self {
        Self { in_both, ..Self::default() }
    }

    /// Adds an open row by what became of it.
    pub(crate) fn add(&mut self, open: &Open, flagged: Flagged) {
        let row = &open.row;
        match flagged {
            Flagged::Explained => return self.in_both.add(row),
            Flagged::Foreign => {
                self.foreign.add(row);
                let view = view(row, Difference::Foreign, None);
                return list(&mut self.foreign_rows, &mut self.left_out, view);
            }
            Flagged::Raised => self.raised = self.raised.saturating_add(1),
            Flagged::Before => {}
        }
        let (difference, recorded) = match &open.found {
            Found::Differs { recorded, .. } => (Difference::AmountDiffers, Some(*recorded)),
            Found::Nothing | Found::PaymentOnly(_) | Found::Same => (Difference::NotRecorded, None),
        };
        match difference {
            Difference::AmountDiffers => self.amount_differs.add(row),
            Difference::NotRecorded | Difference::OnlyHere | Difference::Foreign => {
                self.not_recorded.add(row);
            }
        }
        list(&mut self.rows, &mut self.left_out, view(row, difference, recorded));
    }

    /// Adds captures that only the record knows.
    pub(crate) fn add_only_here(&mut self, captures: Vec<OnlyHere>, sums: &Sums) {
        let kept = u64::try_from(captures.len()).unwrap_or(u64::MAX);
        self.left_out = self.left_out.saturating_add(sums.count.saturating_sub(kept));
        for capture in captures {
            let view = RowView {
                difference: Difference::OnlyHere,
                kind: "payment",
                payment_id: capture.payment_id.to_string(),
                transaction_id: capture.transaction_id,
                refund_number: None,
                amount: capture.amount,
                recorded: Some(capture.amount),
                at: capture.paid_at,
            };
            list(&mut self.rows, &mut self.left_out, view);
        }
    }

    /// The report of it all.
    pub(crate) fn report(
        mut self,
        gateway: GatewayName,
        day: Date,
        only_here: &Sums,
    ) -> GatewayReport {
        let ours = [&self.amount_differs, &self.not_recorded];
        let ours = ours.iter().any(|tally| tally.payments.count > 0 || tally.refunds.count > 0);
        let status = if ours || only_here.count > 0 { Status::Differs } else { Status::Agrees };
        for view in std::mem::take(&mut self.foreign_rows) {
            list(&mut self.rows, &mut self.left_out, view);
        }
        GatewayReport {
            gateway,
            day,
            status,
            error: None,
            in_both: (&self.in_both).into(),
            amount_differs: (&self.amount_differs).into(),
            not_recorded: (&self.not_recorded).into(),
            foreign: (&self.foreign).into(),
            only_here: only_here.into(),
            raised: self.raised,
            rows: self.rows,
            rows_left_out: self.left_out,
        }
    }
}

fn list(rows: &mut Vec<RowView>, left_out: &mut u64, view: RowView) {
    if rows.len() < LISTED_MAX {
        rows.push(view);
    } else {
        *left_out = left_out.saturating_add(1);
    }
}

fn view(row: &BillRow, difference: Difference, recorded: Option<Money>) -> RowView {
    let (kind, refund_number) = match &row.kind {
        RowKind::Payment => ("payment", None),
        RowKind::Refund { number } => ("refund", Some(number.clone())),
    };
    RowView {
        difference,
        kind,
        payment_id: row.payment_id.clone(),
        transaction_id: row.transaction_id.clone(),
        refund_number,
        amount: row.amount,
        recorded,
        at: row.at,
    }
}
