//! Response bodies for operators. They show what is stored, and neither who paid nor any token.

use api::view::{AttentionView, AuditView, ProductView, SumsView, TermView};
use domain::attention::AttentionId;
use domain::booking::{
    Booking, EndReason, Order, OrderStatus, Payment, PaymentStatus, Refund, RefundReason,
    RefundStatus, StatusNow, Unmatched,
};
use domain::figures::{Figures, MoneyFigures, OrderFigures};
use domain::gateway::GatewayName;
use domain::ids::{BookingId, OrderId, PaymentId, RefundId};
use domain::money::Money;
use domain::product::{Flow, Kind, LatePayment};
use domain::reconcile::Window;
use domain::task::{Task, TaskKind};
use domain::timeline::Entry;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// A booking with all that is stored of it.
#[derive(Serialize)]
pub(crate) struct InspectedView<'a> {
    pub(crate) booking_id: &'a BookingId,
    /// Null where only money of it is stored.
    pub(crate) booking: Option<BookingView<'a>>,
    /// Null where it, or the booking, is not stored.
    pub(crate) product: Option<ProductView<'a>>,
    /// Newest first, the live one among them.
    pub(crate) orders: Vec<OrderView<'a>>,
    /// Where the next page of orders starts.
    pub(crate) next_cursor: Option<String>,
    pub(crate) unmatched: Vec<UnmatchedView<'a>>,
    pub(crate) tasks: Vec<TaskView<'a>>,
    pub(crate) attention: Vec<AttentionView>,
    pub(crate) audit: Vec<AuditView>,
    /// Newest first.
    pub(crate) timeline: Vec<Entry>,
}

/// A booking alone.
#[derive(Serialize)]
pub(crate) struct BookingView<'a> {
    customer_id: &'a str,
    product_id: &'a str,
    status: StatusNow,
    version: u64,
    created_at: Timestamp,
    term: Option<TermView>,
    quantity_paid: u32,
    renewals: u32,
    max_renewals: u32,
    orders_made: u32,
}

impl<'a> BookingView<'a> {
    /// Shows a booking as of a moment.
    pub(crate) fn of(booking: &'a Booking, now: Timestamp) -> Self {
        Self {
            customer_id: &booking.customer_id,
            product_id: &booking.product_id,
            status: booking.status_at(now),
            version: booking.version,
            created_at: booking.created_at,
            term: booking.term.map(TermView::from),
            quantity_paid: booking.quantity_paid,
            renewals: booking.renewals,
            max_renewals: booking.pins.max_renewals,
            orders_made: booking.orders_made,
        }
    }
}

/// An order with all its payments and refunds, oldest first.
#[derive(Serialize)]
pub(crate) struct OrderView<'a> {
    order_id: &'a OrderId,
    position: u32,
    kind: Kind,
    status: OrderStatus,
    reason: Option<EndReason>,
    flow: Flow,
    late_payment: LatePayment,
    quantity: u32,
    unit_price: Money,
    amount: Money,
    created_at: Timestamp,
    quote_expires_at: Timestamp,
    pay_by: Option<Timestamp>,
    superseded_by: Option<&'a OrderId>,
    payments: Vec<PaymentView<'a>>,
    refunds: Vec<RefundView<'a>>,
}

impl<'a> OrderView<'a> {
    /// Shows an order.
    pub(crate) fn of(order: &'a Order) -> Self {
        Self {
            order_id: &order.order_id,
            position: order.seq,
            kind: order.kind,
            status: order.status,
            reason: order.reason,
            flow: order.flow,
            late_payment: order.late_payment,
            quantity: order.quantity,
            unit_price: order.unit_price,
            amount: order.amount,
            created_at: order.created_at,
            quote_expires_at: order.quote_expires_at,
            pay_by: order.pay_by,
            superseded_by: order.superseded_by.as_ref(),
            payments: order.payments.iter().map(|it| PaymentView::of(order, it)).collect(),
            refunds: order.refunds.iter().map(RefundView::of).collect(),
        }
    }
}

/// A payment, without its code: an operator does not pay it.
#[derive(Serialize)]
pub(crate) struct PaymentView<'a> {
    payment_id: &'a PaymentId,
    gateway: &'a GatewayName,
    attempt: u32,
    status: PaymentStatus,
    transaction_id: Option<&'a str>,
    paid_at: Option<Timestamp>,
    /// Whether its money bought the order.
    applied: bool,
}

impl<'a> PaymentView<'a> {
    fn of(order: &Order, payment: &'a Payment) -> Self {
        Self {
            payment_id: &payment.payment_id,
            gateway: &payment.gateway,
            attempt: payment.attempt,
            status: payment.status,
            transaction_id: payment.transaction_id.as_deref(),
            paid_at: payment.paid_at,
            applied: order.is_applied(payment),
        }
    }
}

/// A refund, with the gateway's own reason where a person should look.
#[derive(Serialize)]
pub(crate) struct RefundView<'a> {
    refund_id: &'a RefundId,
    payment_id: &'a PaymentId,
    transaction_id: &'a str,
    attempt: u32,
    status: RefundStatus,
    amount: Money,
    reason: RefundReason,
    attention: Option<&'a str>,
    paid_at: Option<Timestamp>,
    updated_at: Timestamp,
}

impl<'a> RefundView<'a> {
    fn of(refund: &'a Refund) -> Self {
        Self {
            refund_id: &refund.refund_id,
            payment_id: &refund.payment_id,
            transaction_id: &refund.transaction_id,
            attempt: refund.attempt,
            status: refund.shown_status(),
            amount: refund.amount,
            reason: refund.reason,
            attention: refund.attention.as_deref(),
            paid_at: refund.paid_at,
            updated_at: refund.updated_at,
        }
    }
}

/// Money without a stored payment.
#[derive(Serialize)]
pub(crate) struct UnmatchedView<'a> {
    gateway: &'a GatewayName,
    refund: RefundView<'a>,
}

impl<'a> UnmatchedView<'a> {
    /// Shows such money.
    pub(crate) fn of(unmatched: &'a Unmatched) -> Self {
        Self { gateway: &unmatched.gateway, refund: RefundView::of(&unmatched.refund) }
    }
}

/// A task. The request that creates a payment is left out: it may say who pays.
#[derive(Serialize)]
pub(crate) struct TaskView<'a> {
    booking_id: &'a BookingId,
    task_id: String,
    kind: &'static str,
    order_id: Option<&'a OrderId>,
    payment_id: &'a PaymentId,
    transaction_id: Option<&'a str>,
    due_at: Timestamp,
    tries: u32,
    attention: Option<&'a str>,
}

impl<'a> TaskView<'a> {
    /// Shows a task.
    pub(crate) fn of(task: &'a Task) -> Self {
        let (payment_id, transaction_id) = match &task.kind {
            TaskKind::Refund { payment_id, transaction_id, .. } => {
                (payment_id, Some(transaction_id.as_str()))
            }
            TaskKind::ClosePayment { payment_id } | TaskKind::QueryPayment { payment_id, .. } => {
                (payment_id, None)
            }
        };
        Self {
            booking_id: &task.booking_id,
            // What a task raises has the task's own name.
            task_id: AttentionId::of_task(&task.id()).to_path(),
            kind: task.kind.as_str(),
            order_id: task.record.order_id(),
            payment_id,
            transaction_id,
            due_at: task.due_at,
            tries: task.tries,
            attention: task.attention.as_deref(),
        }
    }
}

/// One page of tasks.
#[derive(Serialize)]
pub(crate) struct TasksView<'a> {
    /// The longest due first.
    pub(crate) tasks: Vec<TaskView<'a>>,
    /// Where the next page starts.
    pub(crate) next_cursor: Option<String>,
}

/// What one page of the table has of a day.
#[derive(Serialize)]
pub(crate) struct FiguresView<'a> {
    day: Date,
    time_zone: &'a str,
    from: Timestamp,
    until: Timestamp,
    bookings_opened: u64,
    orders: OrderFiguresView,
    /// By gateway.
    money: Vec<MoneyFiguresView<'a>>,
    /// Where the next page starts.
    next_cursor: Option<String>,
}

impl<'a> FiguresView<'a> {
    /// Shows the figures of a day in a zone.
    pub(crate) fn of(
        figures: &'a Figures,
        (day, time_zone, window): (Date, &'a str, Window),
        next_cursor: Option<String>,
    ) -> Self {
        Self {
            day,
            time_zone,
            from: window.from,
            until: window.until,
            bookings_opened: figures.bookings_opened,
            orders: OrderFiguresView::from(figures.orders),
            money: figures.money.iter().map(MoneyFiguresView::of).collect(),
            next_cursor,
        }
    }
}

/// The orders that were made on a day, by how they stand now.
#[derive(Serialize)]
struct OrderFiguresView {
    made: u64,
    pending: u64,
    paid: u64,
    superseded: u64,
    stale: u64,
    expired: u64,
    cancelled: u64,
}

impl From<OrderFigures> for OrderFiguresView {
    fn from(orders: OrderFigures) -> Self {
        let OrderFigures { made, pending, paid, superseded, stale, expired, cancelled } = orders;
        Self { made, pending, paid, superseded, stale, expired, cancelled }
    }
}

/// The money of one gateway on a day.
#[derive(Serialize)]
struct MoneyFiguresView<'a> {
    gateway: &'a GatewayName,
    captured: SumsView,
    applied: SumsView,
    given_back: SumsView,
    refunded: SumsView,
    owed: SumsView,
}

impl<'a> MoneyFiguresView<'a> {
    fn of((gateway, money): (&'a GatewayName, &MoneyFigures)) -> Self {
        Self {
            gateway,
            captured: (&money.captured).into(),
            applied: (&money.applied).into(),
            given_back: (&money.given_back).into(),
            refunded: (&money.refunded).into(),
            owed: (&money.owed).into(),
        }
    }
}
