//! Comparing a gateway's daily bill with what is recorded. Pure: no row is applied or refunded.
//!
//! The bill is held, and what is recorded passes by it once, in any order. What then is still open
//! at the gateway is looked at again under its booking's version before a person is asked: see
//! [`crate::decide::flag`].

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::booking::{Order, Payment, Unmatched};
use crate::decide::record_refund::REFUND_ATTEMPTS_TOTAL_MAX;
use crate::gateway::GatewayName;
use crate::ids::{Ids, OrderId, PaymentId, RefundNumber};
use crate::money::Money;

/// How much earlier than the bill's day the captures begin and end that must be in it, in seconds.
/// A capture of the day's last hour, which the gateway may book on the next day, is asked for with
/// that day's bill, beside which the bill of the day before is read.
pub const MARGIN_S: i64 = 3_600;

/// Which way a bill's money went.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RowKind {
    /// It was captured.
    Payment,
    /// It goes back, or went.
    Refund {
        /// The refund's number at the merchant: ours, or anybody's.
        number: String,
    },
}

/// One row of a gateway's bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BillRow {
    /// Payment or refund.
    pub kind: RowKind,
    /// The merchant order number: a payment id if it is ours. Empty where the bill has none.
    pub payment_id: String,
    /// The captured transaction.
    pub transaction_id: String,
    /// How much.
    pub amount: Money,
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// The echo field, where the bill carries it.
    pub echo: Option<String>,
}

impl BillRow {
    /// What names the row beside its payment: the refund's number, or the transaction.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.kind {
            RowKind::Payment => &self.transaction_id,
            RowKind::Refund { number } => number,
        }
    }
}

/// From when, and before when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Window {
    /// A day of a calendar, as a zone has it; `None` where time ends.
    #[must_use]
    pub fn of_day(day: Date, zone: &TimeZone) -> Option<Self> {
        let begin = |day: Date| day.to_zoned(zone.clone()).map(|begin| begin.timestamp()).ok();
        Some(Self { from: begin(day)?, until: begin(day.tomorrow().ok()?)? })
    }

    /// Whether a moment is in it.
    #[must_use]
    pub fn contains(self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.until
    }
}

/// Where a payment is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The digits that name its booking (see [`crate::ids::BookingId::key`]).
    pub booking_key: String,
    /// Its order.
    pub order_id: OrderId,
    /// That order's position.
    pub order_seq: u32,
}

/// What is recorded of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// Nothing: no such payment.
    Nothing,
    /// The payment, and nothing of this row's money.
    PaymentOnly(Place),
    /// The same money.
    Same,
    /// Another amount or currency.
    Differs {
        /// What is recorded.
        recorded: Money,
        /// Where; `None` for unmatched money.
        place: Option<Place>,
    },
}

/// A row that the record does not explain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The row.
    pub row: BillRow,
    /// What is recorded of it.
    pub found: Found,
}

/// A capture that is recorded and in neither bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnlyHere {
    /// The digits that name its booking.
    pub booking_key: String,
    /// Its payment.
    pub payment_id: PaymentId,
    /// Its transaction.
    pub transaction_id: String,
    /// How much.
    pub amount: Money,
    /// When, by the gateway's clock.
    pub paid_at: Timestamp,
}

/// How many, and how much of each currency in minor units.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    /// How many.
    pub count: u64,
    /// Minor units by currency.
    pub amounts: BTreeMap<String, i64>,
}

impl Sums {
    /// Adds one.
    pub fn add(&mut self, money: Money) {
        self.count = self.count.saturating_add(1);
        let sum = self.amounts.entry(money.currency.as_str().to_owned()).or_default();
        *sum = sum.saturating_add(money.amount);
    }
}

/// Payments and refunds, each by count and sum.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Captured.
    pub payments: Sums,
    /// Given back.
    pub refunds: Sums,
}

impl Tally {
    /// Adds a row of a bill.
    pub fn add(&mut self, row: &BillRow) {
        match row.kind {
            RowKind::Payment => self.payments.add(row.amount),
            RowKind::Refund { .. } => self.refunds.add(row.amount),
        }
    }
}

/// What a comparison came to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Compared {
    /// Rows that the record agrees with.
    pub in_both: Tally,
    /// All others, in the bill's order.
    pub open: Vec<Open>,
    /// What is recorded and in neither bill; only the first of them are kept.
    pub only_here: Vec<OnlyHere>,
    /// All that is recorded and in neither bill.
    pub only_here_sums: Sums,
}

/// How many captures that only the record knows are kept beside their sums.
pub const ONLY_HERE_MAX: usize = 200;

/// One gateway's bill, past which the record goes.
#[derive(Debug)]
pub struct Comparison<'a> {
    ids: &'a Ids,
    gateway: GatewayName,
    due: Window,
    rows: Vec<Open>,
    by_payment: HashMap<String, Vec<usize>>,
    day_before: HashSet<String>,
    compared: Compared,
}

impl<'a> Comparison<'a> {
    /// A comparison of `rows`, the bill of `day` at a gateway. Captures of `day` moved ahead by
    /// [`MARGIN_S`] must be in it or, by their transaction, in `day_before`.
    #[must_use]
    pub fn new(
        ids: &'a Ids,
        gateway: GatewayName,
        day: Window,
        rows: Vec<BillRow>,
        day_before: &[BillRow],
    ) -> Self {
        let ahead = |at: Timestamp| {
            at.checked_sub(jiff::SignedDuration::from_secs(MARGIN_S)).unwrap_or(Timestamp::MIN)
        };
        let mut by_payment = HashMap::<String, Vec<usize>>::new();
        for (at, row) in rows.iter().enumerate() {
            by_payment.entry(row.payment_id.clone()).or_default().push(at);
        }
        let captured = day_before.iter().filter(|row| row.kind == RowKind::Payment);
        Self {
            ids,
            gateway,
            due: Window { from: ahead(day.from), until: ahead(day.until) },
            rows: rows.into_iter().map(|row| Open { row, found: Found::Nothing }).collect(),
            by_payment,
            day_before: captured.map(|row| row.transaction_id.clone()).collect(),
            compared: Compared::default(),
        }
    }

    /// Compares what is recorded of an order, live or ended.
    pub fn see_order(&mut self, booking_key: &str, order: &Order) {
        let gateway = self.gateway.clone();
        for payment in order.payments.iter().filter(|one| one.gateway == gateway) {
            for at in self.rows_of(&payment.payment_id) {
                let Some(open) = self.rows.get_mut(at) else { continue };
                let found = explain(self.ids, booking_key, order, payment, &open.row);
                // That the order does not know the money says nothing against what lies beside it.
                if open.found == Found::Nothing || !matches!(found, Found::PaymentOnly(_)) {
                    open.found = found;
                }
            }
            for (transaction_id, amount, paid_at) in captures(order, payment) {
                let payment_id = payment.payment_id.clone();
                let booking_key = booking_key.to_owned();
                let transaction_id = transaction_id.to_owned();
                let Some(paid_at) = paid_at else { continue };
                self.ask_for(OnlyHere { booking_key, payment_id, transaction_id, amount, paid_at });
            }
        }
    }

    /// Compares what is recorded of money without a stored payment.
    pub fn see_unmatched(&mut self, unmatched: &Unmatched) {
        if unmatched.gateway != self.gateway {
            return;
        }
        let refund = &unmatched.refund;
        for at in self.rows_of(&refund.payment_id) {
            let Some(open) = self.rows.get_mut(at) else { continue };
            // What an order says of the row counts more than that money lies beside it.
            let is_open = matches!(open.found, Found::Nothing | Found::PaymentOnly(_));
            if let (true, Some(found)) =
                (is_open, explain_unmatched(self.ids, unmatched, &open.row))
            {
                open.found = found;
            }
        }
        let Some(paid_at) = refund.paid_at else { return };
        self.ask_for(OnlyHere {
            booking_key: unmatched.booking_id.key().to_owned(),
            payment_id: refund.payment_id.clone(),
            transaction_id: refund.transaction_id.clone(),
            amount: refund.amount,
            paid_at,
        });
    }

    /// What it all came to.
    #[must_use]
    pub fn finish(mut self) -> Compared {
        for open in self.rows {
            match open.found {
                Found::Same => self.compared.in_both.add(&open.row),
                Found::Nothing | Found::PaymentOnly(_) | Found::Differs { .. } => {
                    self.compared.open.push(open);
                }
            }
        }
        self.compared
    }

    fn rows_of(&self, payment_id: &PaymentId) -> Vec<usize> {
        self.by_payment.get(payment_id.as_str()).cloned().unwrap_or_default()
    }

    /// Asks both bills for a capture, if it is due in them.
    fn ask_for(&mut self, capture: OnlyHere) {
        if !self.due.contains(capture.paid_at) {
            return;
        }
        let in_bill = self.rows_of(&capture.payment_id).into_iter().any(|at| {
            self.rows.get(at).is_some_and(|open| {
                open.row.kind == RowKind::Payment
                    && open.row.transaction_id == capture.transaction_id
            })
        });
        if in_bill || self.day_before.contains(&capture.transaction_id) {
            return;
        }
        self.compared.only_here_sums.add(capture.amount);
        if self.compared.only_here.len() < ONLY_HERE_MAX {
            self.compared.only_here.push(capture);
        }
    }
}

/// The captured transactions of a payment, each with its amount and, where it is known, its time.
fn captures<'o>(
    order: &'o Order,
    payment: &'o Payment,
) -> impl Iterator<Item = (&'o str, Money, Option<Timestamp>)> {
    let first = payment.transaction_id.as_deref();
    let first = first.map(|id| (id, order.captured_amount(payment, id), payment.paid_at));
    let ours = |one: &&crate::booking::Refund| {
        one.is_of(&payment.payment_id, &one.transaction_id)
            && payment.transaction_id.as_ref() != Some(&one.transaction_id)
    };
    let later = order.refunds.iter().filter(ours);
    first.into_iter().chain(later.map(|one| (one.transaction_id.as_str(), one.amount, one.paid_at)))
}

/// What an order's payment records of a row of that payment.
#[must_use]
pub fn explain(
    ids: &Ids,
    booking_key: &str,
    order: &Order,
    payment: &Payment,
    row: &BillRow,
) -> Found {
    let place = Place {
        booking_key: booking_key.to_owned(),
        order_id: order.order_id.clone(),
        order_seq: order.seq,
    };
    let recorded = match &row.kind {
        RowKind::Payment => {
            let mut captures = captures(order, payment);
            let same = captures.find(|(transaction_id, ..)| *transaction_id == row.transaction_id);
            same.map(|(_, amount, _)| amount)
        }
        RowKind::Refund { number } => {
            let ours = order
                .refund_of(&payment.payment_id, &row.transaction_id)
                .filter(|_| is_attempt(ids, row, number));
            let foreign = || {
                order.refunds.iter().find(|refund| {
                    !refund.reason.is_ours()
                        && refund.payment_id == payment.payment_id
                        && refund.transaction_id == *number
                })
            };
            ours.or_else(foreign).map(|refund| refund.amount)
        }
    };
    match recorded {
        None => Found::PaymentOnly(place),
        Some(amount) if amount == row.amount => Found::Same,
        Some(recorded) => Found::Differs { recorded, place: Some(place) },
    }
}

/// What unmatched money records of a row of its payment; `None` if nothing.
#[must_use]
pub fn explain_unmatched(ids: &Ids, unmatched: &Unmatched, row: &BillRow) -> Option<Found> {
    let refund = &unmatched.refund;
    let is_payments = refund.payment_id.as_str() == row.payment_id;
    if !is_payments || refund.transaction_id != row.transaction_id {
        return None;
    }
    let is_known = match &row.kind {
        RowKind::Payment => true,
        RowKind::Refund { number } => is_attempt(ids, row, number),
    };
    let recorded = refund.amount;
    is_known.then(|| {
        if recorded == row.amount { Found::Same } else { Found::Differs { recorded, place: None } }
    })
}

/// Whether a refund's number is that of one of our attempts to give the row's transaction back.
fn is_attempt(ids: &Ids, row: &BillRow, number: &str) -> bool {
    RefundNumber::from_wire(number).is_some_and(|number| {
        (1..=REFUND_ATTEMPTS_TOTAL_MAX).any(|attempt| {
            ids.refund(&row.payment_id, &row.transaction_id, attempt) == number.refund_id
        })
    })
}
