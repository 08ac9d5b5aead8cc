//! Starting a payment: an attempt at a gateway, written before the gateway is called.

use crate::booking::{Booking, Order, Payment, PaymentStatus};
use crate::change::{Change, close_task};
use crate::decide::{Env, Rejection};
use crate::gateway::GatewayName;
use crate::ids::{Echo, PaymentId};
use crate::money::Money;
use crate::product::{Kind, Product};
use crate::quote::after;
use crate::task::{QUERY_FIRST_S, Record, Task, TaskKind};
use jiff::Timestamp;

/// How often one order may be tried at one gateway.
pub const ATTEMPTS_MAX: u32 = 5;

/// Everything that a gateway's create request is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaymentPlan {
    /// The merchant order number.
    pub payment_id: PaymentId,
    /// What the payer reads.
    pub description: String,
    /// What is to be paid.
    pub amount: Money,
    /// The last moment to pay.
    pub expires_at: Timestamp,
    /// What comes back with every notification.
    pub echo: String,
}

/// Where a payment is to be made, and how its gateway writes the request that creates it.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The gateway.
    pub gateway: &'a GatewayName,
    /// Its exact create request; pure.
    pub create_body: &'a (dyn Fn(&PaymentPlan) -> String + Sync),
}

/// Writes a new attempt into the change's live order, with the task that will ask for it.
///
/// Other open payments of the order are to be closed: the new one becomes current. `pay_by` is set
/// with the first payment and never moves; a renewal must be paid before the term ends.
///
/// # Errors
/// [`Rejection::AttemptsExhausted`], and [`Rejection::NotFound`] without a live order.
pub fn start_payment(
    change: &mut Change,
    product: &Product,
    at: At<'_>,
    env: Env<'_>,
) -> Result<PaymentId, Rejection> {
    let mut order = change.booking.live_order.take().ok_or(Rejection::NotFound)?;
    let attempt = next_attempt(&order, at.gateway)?;
    change.close_open_payments(&mut order, env.now);
    let limit = after(env.now, product.payment_ttl_s);
    let term_end = change.booking.valid_until().filter(|_| order.kind == Kind::Renewal);
    let expires_at =
        *order.pay_by.get_or_insert(term_end.map_or(limit, |term_end| limit.min(term_end)));
    let echo = Echo {
        booking_id: change.booking.booking_id.clone(),
        order_id: order.order_id.clone(),
        order_seq: order.seq,
        attempt,
    };
    let plan = PaymentPlan {
        payment_id: env.ids.payment(&order.order_id, at.gateway, attempt),
        description: format!("{} x {}", product.name, order.quantity),
        amount: order.amount,
        expires_at,
        echo: env.ids.seal_echo(&echo),
    };
    change.tasks.push(query_task(&echo, &plan, (at.create_body)(&plan), env.now));
    order.payments.push(Payment {
        payment_id: plan.payment_id.clone(),
        gateway: at.gateway.clone(),
        attempt,
        status: PaymentStatus::Creating,
        code_url: None,
        gateway_ref: None,
        transaction_id: None,
        paid_at: None,
    });
    change.booking.live_order = Some(order);
    Ok(plan.payment_id)
}

fn next_attempt(order: &Order, gateway: &GatewayName) -> Result<u32, Rejection> {
    let at_gateway = order.payments.iter().filter(|payment| payment.gateway == *gateway);
    let last = at_gateway.map(|payment| payment.attempt).max().unwrap_or(0);
    let next = last.saturating_add(1);
    if next > ATTEMPTS_MAX { Err(Rejection::AttemptsExhausted) } else { Ok(next) }
}

fn query_task(echo: &Echo, plan: &PaymentPlan, create_body: String, now: Timestamp) -> Task {
    Task {
        booking_id: echo.booking_id.clone(),
        record: Record::Order { order_id: echo.order_id.clone(), order_seq: echo.order_seq },
        kind: TaskKind::QueryPayment { payment_id: plan.payment_id.clone(), create_body },
        due_at: after(now, QUERY_FIRST_S).min(plan.expires_at),
        tries: 0,
        attention: None,
    }
}

/// What the gateway said to a create request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Created {
    /// The code can be paid.
    Payable {
        /// What the QR code encodes.
        code_url: String,
        /// The gateway's own id, where later calls need it.
        gateway_ref: Option<String>,
    },
    /// The gateway had closed it: the attempt is spent.
    Closed,
    /// The gateway finally refused it: the attempt is spent.
    Refused,
}

/// Stores what came of creating a payment; `None` if there is nothing left to store.
///
/// A code for a payment that is no longer wanted is not stored: its close task is written already,
/// and gets the gateway's own id where it needs one. An attempt that the gateway refused is closed
/// all the same, because an earlier try of the same request may have been taken.
#[must_use]
pub fn payment_created(
    booking: &Booking,
    order: &Order,
    payment_id: &PaymentId,
    created: Created,
    now: Timestamp,
) -> Option<Change> {
    let mut order = order.clone();
    let mut change = Change::of(booking);
    let payment = order.payments.iter_mut().find(|payment| payment.payment_id == *payment_id)?;
    match (payment.status, created) {
        (PaymentStatus::Creating, Created::Payable { code_url, gateway_ref }) => {
            payment.status = PaymentStatus::Payable;
            payment.code_url = Some(code_url);
            payment.gateway_ref = gateway_ref;
        }
        (PaymentStatus::Creating, Created::Closed) => payment.status = PaymentStatus::Closed,
        (PaymentStatus::Creating, Created::Refused) => {
            payment.status = PaymentStatus::Failed;
            change.tasks.push(close_task(booking, &order, payment_id, now));
        }
        (
            PaymentStatus::Closing | PaymentStatus::Failed,
            Created::Payable { gateway_ref: Some(gateway_ref), .. },
        ) if payment.gateway_ref.is_none() => {
            payment.gateway_ref = Some(gateway_ref);
        }
        (
            PaymentStatus::Payable
            | PaymentStatus::Closing
            | PaymentStatus::Paid
            | PaymentStatus::Closed
            | PaymentStatus::Failed,
            _,
        ) => return None,
    }
    change.put_back(order);
    Some(change)
}
