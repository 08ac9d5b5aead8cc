//! Asking a person about money that a gateway's bill has and the record has not, or otherwise.
//!
//! It moves no money: what a lost notification would have told is told to a person instead.

use crate::attention::{AMOUNT_DIFFERS, Attention, AttentionId, NOT_RECORDED, Subject};
use crate::booking::{Booking, Order, Unmatched};
use crate::change::Change;
use crate::decide::Env;
use crate::decide::record_refund::{Foreign, ForeignKind, record_foreign};
use crate::ids::{BookingId, OrderId, PaymentId};
use crate::reconcile::{BillRow, Found, RowKind, explain, explain_unmatched};
use crate::task::Record;

/// Whose payment a row is of.
#[derive(Clone, Copy, Debug)]
pub struct RowOf<'a> {
    /// Its booking.
    pub booking_id: &'a BookingId,
    /// Its order.
    pub order_id: &'a OrderId,
    /// That order's position.
    pub order_seq: u32,
    /// The payment.
    pub payment_id: &'a PaymentId,
    /// The row.
    pub row: &'a BillRow,
}

impl RowOf<'_> {
    /// The name under which the row waits for a person: the same for the same row.
    #[must_use]
    pub fn attention_id(&self, env: Env<'_>) -> AttentionId {
        let id = env.ids.refund(self.payment_id.as_str(), self.row.name(), 0);
        AttentionId::reconciliation(&id)
    }
}

/// What is done about a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flagging {
    /// It is recorded by now, or stored and flagged as what others did.
    Explained,
    /// A refund that somebody else made: stored and flagged as its notification would have been.
    Foreign(Box<Change>),
    /// It waits for a person.
    Raised(Box<Attention>),
}

/// Decides what is done about a row of our payment, from what is stored of it now: its order, live
/// or ended, and money that lies beside it. Whether it was raised before is for the caller to know.
#[must_use]
pub fn flag(
    booking: Option<&Booking>,
    order: Option<&Order>,
    unmatched: Option<&Unmatched>,
    of: RowOf<'_>,
    env: Env<'_>,
) -> Flagging {
    let beside = unmatched.and_then(|one| explain_unmatched(env.ids, one, of.row));
    let payment = order.and_then(|order| Some((order, order.payment(of.payment_id)?)));
    let found = match (beside, payment) {
        (Some(found), _) => found,
        (None, Some((order, payment))) => {
            explain(env.ids, of.booking_id.key(), order, payment, of.row)
        }
        (None, None) => Found::Nothing,
    };
    let reason = match found {
        Found::Same => return Flagging::Explained,
        Found::Differs { .. } => AMOUNT_DIFFERS,
        Found::Nothing | Found::PaymentOnly(_) => NOT_RECORDED,
    };
    if let (Found::PaymentOnly(_), RowKind::Refund { number }, Some(booking), Some(order)) =
        (&found, &of.row.kind, booking, order)
    {
        let payment_id = of.payment_id;
        let kind = ForeignKind::Refund;
        let foreign = Foreign { kind, payment_id, number, amount: of.row.amount };
        return match record_foreign(booking, order, foreign, env) {
            Some(change) => Flagging::Foreign(Box::new(change)),
            None => Flagging::Explained,
        };
    }
    Flagging::Raised(Box::new(attention(of, reason, env)))
}

fn attention(of: RowOf<'_>, reason: &str, env: Env<'_>) -> Attention {
    Attention {
        attention_id: of.attention_id(env),
        booking_id: of.booking_id.clone(),
        subject: Subject::Reconciliation,
        record: Record::Order { order_id: of.order_id.clone(), order_seq: of.order_seq },
        payment_id: of.payment_id.clone(),
        transaction_id: Some(of.row.transaction_id.clone()),
        amount: Some(of.row.amount),
        reason: reason.to_owned(),
        since: env.now,
    }
}

/// The change that raises it on its booking.
#[must_use]
pub fn raise(booking: &Booking, attention: Attention) -> Change {
    let mut change = Change::of(booking);
    change.raised.push(attention);
    change
}
