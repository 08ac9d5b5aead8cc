//! Response bodies: what callers read of bookings, orders, payments, refunds and quotes, and what
//! operators read of what waits for them.

use domain::attention::{Action, Attention, Audit, Subject};
use domain::booking::{
    Booking, EndReason, Order, OrderStatus, Payment, PaymentStatus, Refund, RefundReason,
    RefundStatus, StatusNow, Term,
};
use domain::gateway::GatewayName;
use domain::ids::{BookingId, OrderId, PaymentId, RefundId};
use domain::money::{Currency, Money};
use domain::product::{Flow, Kind, LatePayment, PriceCheck, Product, Tier, Unit};
use domain::quote::{Offer, Quote};
use domain::reconcile::Sums;
use jiff::Timestamp;
use serde::Serialize;

use crate::token::Keyring;

/// What views need beside what they show.
#[derive(Clone, Copy, Debug)]
pub struct ViewContext<'a> {
    /// Signs the tokens that views carry.
    pub keyring: &'a Keyring,
    /// The moment that derived statuses are of.
    pub now: Timestamp,
}

/// A product.
#[derive(Serialize, Debug)]
pub struct ProductView<'a> {
    product_id: &'a str,
    name: &'a str,
    flow: Flow,
    unit: Unit,
    time_zone: &'a str,
    first_unit_price: Money,
    renewal_unit_price: Money,
    tiers: &'a [Tier],
    min_quantity: u32,
    max_quantity: u32,
    max_renewals: u32,
    currency: Currency,
    price_version: &'a str,
    quote_ttl_s: u32,
    payment_ttl_s: u32,
    price_check: PriceCheck,
    late_payment: LatePayment,
    gateways: &'a [GatewayName],
}

impl<'a> ProductView<'a> {
    /// Shows a product.
    #[must_use]
    pub fn of(product: &'a Product) -> Self {
        Self {
            product_id: &product.product_id,
            name: &product.name,
            flow: product.flow,
            unit: product.unit,
            time_zone: &product.time_zone,
            first_unit_price: product.first_unit_price,
            renewal_unit_price: product.renewal_unit_price,
            tiers: &product.tiers,
            min_quantity: product.min_quantity,
            max_quantity: product.max_quantity,
            max_renewals: product.max_renewals,
            currency: product.currency,
            price_version: &product.price_version,
            quote_ttl_s: product.quote_ttl_s,
            payment_ttl_s: product.payment_ttl_s,
            price_check: product.price_check,
            late_payment: product.late_payment,
            gateways: &product.gateways,
        }
    }
}

/// From when and until when a booking is valid.
#[derive(Serialize, Debug)]
pub struct TermView {
    starts_at: Timestamp,
    valid_until: Timestamp,
}

impl From<Term> for TermView {
    fn from(term: Term) -> Self {
        Self { starts_at: term.starts_at, valid_until: term.valid_until }
    }
}

/// A booking.
#[derive(Serialize, Debug)]
pub struct BookingView {
    booking_id: BookingId,
    product_id: String,
    status: StatusNow,
    version: u64,
    term: Option<TermView>,
    renewals: u32,
    live_order: Option<OrderView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<Vec<OrderView>>,
}

impl BookingView {
    /// Shows a booking with its newest orders, the live one among them, newest first.
    #[must_use]
    pub fn with_orders(
        booking: &Booking,
        ended: &[Order],
        orders_max: usize,
        on: ViewContext<'_>,
    ) -> Self {
        let orders = booking.live_order.iter().chain(ended).take(orders_max);
        let orders = orders.map(|order| OrderView::of(booking, order, on)).collect();
        Self { orders: Some(orders), ..Self::listed(booking, on) }
    }

    /// Shows a booking as one of many, without its ended orders.
    #[must_use]
    pub fn listed(booking: &Booking, on: ViewContext<'_>) -> Self {
        let live = booking.live_order.as_ref();
        Self {
            booking_id: booking.booking_id.clone(),
            product_id: booking.product_id.clone(),
            status: booking.status_at(on.now),
            version: booking.version,
            term: booking.term.map(TermView::from),
            renewals: booking.renewals,
            live_order: live.map(|order| OrderView::of(booking, order, on)),
            orders: None,
        }
    }
}

/// A page of bookings.
#[derive(Serialize, Debug)]
pub struct BookingsView {
    /// Newest first.
    pub bookings: Vec<BookingView>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The tag of a booking's representation: its version and what the clock makes of it.
#[must_use]
pub fn etag(booking: &Booking, now: Timestamp) -> String {
    let status = match booking.status_at(now) {
        StatusNow::PendingPayment => 'p',
        StatusNow::Active => 'a',
        StatusNow::Expired => 'e',
        StatusNow::Cancelled => 'c',
    };
    let live = booking.live_order.as_ref();
    let quoted = live.is_some_and(|order| has_open_quote(order, now));
    let payable = live.is_some_and(|order| order.pay_by.is_some_and(|pay_by| now < pay_by));
    // Weak: the token inside is signed by whichever key is newest.
    format!("W/\"{}-{status}{}{}\"", booking.version, u8::from(quoted), u8::from(payable))
}

/// Whether a live order without a payment can still get one by its quote. Once it has had one, the
/// quote's own expiry says nothing any more.
fn has_open_quote(order: &Order, now: Timestamp) -> bool {
    order.status == OrderStatus::Pending
        && order.current_payment().is_none()
        && now < order.pay_by.unwrap_or(order.quote_expires_at)
}

/// An order.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct OrderView {
    order_id: OrderId,
    kind: Kind,
    status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<EndReason>,
    quantity: u32,
    amount: Money,
    created_at: Timestamp,
    pay_by: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<QuoteView>,
    payment: Option<PaymentView>,
    payments: Vec<PaymentView>,
    refunds: Vec<RefundView>,
}

impl OrderView {
    /// Shows an order of a booking.
    #[must_use]
    pub fn of(booking: &Booking, order: &Order, on: ViewContext<'_>) -> Self {
        let quote = has_open_quote(order, on.now).then(|| {
            let quote = Quote::of_order(booking, order);
            QuoteView::of(&quote.offer, Some(on.keyring.sign(&quote)))
        });
        let view = |payment: &Payment| PaymentView::of(order, payment, on.now);
        Self {
            order_id: order.order_id.clone(),
            kind: order.kind,
            status: order.status,
            reason: order.reason,
            quantity: order.quantity,
            amount: order.amount,
            created_at: order.created_at,
            pay_by: order.pay_by,
            superseded_by: order.superseded_by.clone(),
            quote,
            payment: order.current_payment().map(view),
            payments: order.payments.iter().map(view).collect(),
            refunds: order.refunds.iter().map(RefundView::of).collect(),
        }
    }

    /// The current payment.
    #[must_use]
    pub fn payment(&self) -> Option<&PaymentView> {
        self.payment.as_ref()
    }
}

/// A payment.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct PaymentView {
    payment_id: PaymentId,
    gateway: GatewayName,
    status: PaymentStatus,
    code_url: Option<String>,
    expires_at: Option<Timestamp>,
}

impl PaymentView {
    /// Shows a payment of an order. Its code is shown only while it should be paid.
    fn of(order: &Order, payment: &Payment, now: Timestamp) -> Self {
        let wanted = order.status == OrderStatus::Pending
            && payment.status == PaymentStatus::Payable
            && order.pay_by.is_some_and(|pay_by| now < pay_by);
        Self {
            payment_id: payment.payment_id.clone(),
            gateway: payment.gateway.clone(),
            status: payment.status,
            code_url: payment.code_url.clone().filter(|_| wanted),
            expires_at: order.pay_by,
        }
    }
}

/// A refund.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct RefundView {
    refund_id: RefundId,
    payment_id: PaymentId,
    status: RefundStatus,
    amount: Money,
    reason: RefundReason,
    updated_at: Timestamp,
}

impl RefundView {
    fn of(refund: &Refund) -> Self {
        Self {
            refund_id: refund.refund_id.clone(),
            payment_id: refund.payment_id.clone(),
            status: refund.shown_status(),
            amount: refund.amount,
            reason: refund.reason,
            updated_at: refund.updated_at,
        }
    }
}

/// A quote; its token is null where making one would create an order.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct QuoteView {
    token: Option<String>,
    kind: Kind,
    quantity: u32,
    unit_price: Money,
    amount: Money,
    price_version: String,
    expires_at: Timestamp,
}

impl QuoteView {
    /// Shows an offer with the token that stands for it.
    #[must_use]
    pub fn of(offer: &Offer, token: Option<String>) -> Self {
        Self {
            token,
            kind: offer.kind,
            quantity: offer.quantity,
            unit_price: offer.unit_price,
            amount: offer.amount,
            price_version: offer.price_version.clone(),
            expires_at: offer.expires_at,
        }
    }
}

/// The answer to asking for a quote.
#[derive(Serialize, Debug)]
pub struct QuotedView {
    /// The offer.
    pub quote: QuoteView,
    /// The order that it made, where the flow makes one.
    pub order: Option<OrderView>,
    /// That order's payment, where the flow makes one.
    pub payment: Option<PaymentView>,
}

/// The answer to creating an order or generating a payment.
#[derive(Serialize, Debug)]
pub struct OrderAndPaymentView {
    /// The order.
    pub order: OrderView,
    /// Its current payment.
    pub payment: Option<PaymentView>,
}

impl From<OrderView> for OrderAndPaymentView {
    fn from(order: OrderView) -> Self {
        Self { payment: order.payment.clone(), order }
    }
}

/// A checkout link.
#[derive(Serialize, Debug)]
pub struct LinkView {
    /// The page's address with the link's token.
    pub url: String,
    /// From when on it holds no longer.
    pub expires_at: Timestamp,
}

/// Something that waits for a person. It never says who paid.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct AttentionView {
    booking_id: BookingId,
    attention_id: String,
    subject: Subject,
    reason: String,
    since: Timestamp,
    /// Null for money without a stored payment.
    order_id: Option<OrderId>,
    payment_id: PaymentId,
    transaction_id: Option<String>,
    amount: Option<Money>,
}

impl From<&Attention> for AttentionView {
    fn from(attention: &Attention) -> Self {
        Self {
            booking_id: attention.booking_id.clone(),
            attention_id: attention.attention_id.to_path(),
            subject: attention.subject,
            reason: attention.reason.clone(),
            since: attention.since,
            order_id: attention.record.order_id().cloned(),
            payment_id: attention.payment_id.clone(),
            transaction_id: attention.transaction_id.clone(),
            amount: attention.amount,
        }
    }
}

/// One page of what waits.
#[derive(Serialize, Debug)]
pub struct AttentionPageView {
    /// The longest waiting first.
    pub attention: Vec<AttentionView>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// What waits on one booking, and what people did about it.
#[derive(Serialize, Debug)]
pub struct BookingAttentionView {
    /// The booking.
    pub booking_id: BookingId,
    /// What waits.
    pub attention: Vec<AttentionView>,
    /// What people did, newest first.
    pub audit: Vec<AuditView>,
}

/// What a person did about something that waited.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct AuditView {
    booking_id: BookingId,
    attention_id: String,
    action: Action,
    by: String,
    note: Option<String>,
    reason: String,
    since: Timestamp,
    at: Timestamp,
}

impl From<&Audit> for AuditView {
    fn from(audit: &Audit) -> Self {
        Self {
            booking_id: audit.booking_id.clone(),
            attention_id: audit.attention_id.to_path(),
            action: audit.action,
            by: audit.by.clone(),
            note: audit.note.clone(),
            reason: audit.reason.clone(),
            since: audit.since,
            at: audit.at,
        }
    }
}

/// A count, and a sum for each currency in minor units.
#[derive(Serialize, Default, Debug)]
pub struct SumsView {
    count: u64,
    amounts: Vec<Money>,
}

impl From<&Sums> for SumsView {
    fn from(sums: &Sums) -> Self {
        let amounts = sums
            .amounts
            .iter()
            .filter_map(|(currency, amount)| Some(Money::new(*amount, Currency::parse(currency)?)));
        Self { count: sums.count, amounts: amounts.collect() }
    }
}
