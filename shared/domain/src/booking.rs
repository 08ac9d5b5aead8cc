//! A booking with its term, orders, payments and refunds: the state that the version guards.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use serde::{Deserialize, Serialize};

use crate::gateway::GatewayName;
use crate::ids::{BookingId, OrderId, PaymentId, RefundId, TokenId};
use crate::money::{Currency, Money};
use crate::product::{Flow, Kind, LatePayment, Product, Unit};

/// What a booking pins of its product when it is created.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pins {
    /// What quantities count.
    pub unit: Unit,
    /// The zone whose calendar counts.
    pub time_zone: String,
    /// The currency of every order.
    pub currency: Currency,
    /// How often it may be renewed.
    pub max_renewals: u32,
}

impl Pins {
    /// What a booking of `product` pins.
    #[must_use]
    pub fn of(product: &Product) -> Self {
        Self {
            unit: product.unit,
            time_zone: product.time_zone.clone(),
            currency: product.currency,
            max_renewals: product.max_renewals,
        }
    }
}

/// The stored status of a booking. `expired` follows from the clock and is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BookingStatus {
    /// Not yet paid for.
    PendingPayment,
    /// Paid for; whether it has run out is a matter of `valid_until`.
    Active,
    /// Given up before it was paid for.
    Cancelled,
}

/// From when and until when a booking is valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Term {
    /// When the first payment was applied.
    #[serde(with = "millisecond::required")]
    pub starts_at: Timestamp,
    /// The end, computed from `starts_at` and all units paid.
    #[serde(with = "millisecond::required")]
    pub valid_until: Timestamp,
}

/// One customer's claim on a product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Booking {
    /// Its id.
    pub booking_id: BookingId,
    /// Whose it is: the JWT's subject.
    pub customer_id: String,
    /// What is booked.
    pub product_id: String,
    /// Where it stands.
    pub status: BookingStatus,
    /// How many changes it has seen: the optimistic lock.
    pub version: u64,
    /// What holds for its whole life.
    pub pins: Pins,
    /// When it was opened.
    #[serde(with = "millisecond::required")]
    pub created_at: Timestamp,
    /// `None` until it is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Units of all its paid orders together.
    pub quantity_paid: u32,
    /// Renewals paid for.
    pub renewals: u32,
    /// Orders made so far; the next one gets this position.
    pub orders_made: u32,
    /// The one pending order, with its payments and refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_order: Option<Order>,
}

/// A booking's status as callers see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusNow {
    /// Not yet paid for.
    PendingPayment,
    /// Paid for and running.
    Active,
    /// Paid for and over.
    Expired,
    /// Given up before it was paid for.
    Cancelled,
}

impl Booking {
    /// The status at a moment. A booking is over at `valid_until` itself.
    #[must_use]
    pub fn status_at(&self, moment: Timestamp) -> StatusNow {
        match self.status {
            BookingStatus::PendingPayment => StatusNow::PendingPayment,
            BookingStatus::Cancelled => StatusNow::Cancelled,
            BookingStatus::Active => match self.term {
                Some(term) if moment < term.valid_until => StatusNow::Active,
                Some(_) | None => StatusNow::Expired,
            },
        }
    }

    /// The kind of order that can be made or paid at a moment; `None` if no kind can.
    #[must_use]
    pub fn kind_at(&self, moment: Timestamp) -> Option<Kind> {
        match self.status_at(moment) {
            StatusNow::PendingPayment => Some(Kind::First),
            StatusNow::Active => Some(Kind::Renewal),
            StatusNow::Expired | StatusNow::Cancelled => None,
        }
    }

    /// The end of the running term; `None` before the first payment.
    #[must_use]
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.term.map(|term| term.valid_until)
    }

    /// The live order, if it has this id.
    #[must_use]
    pub fn live(&self, order_id: &OrderId) -> Option<&Order> {
        self.live_order.as_ref().filter(|order| order.order_id == *order_id)
    }
}

/// Where an order stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// It can be paid.
    Pending,
    /// Paid and applied.
    Paid,
    /// A newer order voided it.
    Superseded,
    /// Its price no longer holds.
    Stale,
    /// Nobody paid in time.
    Expired,
    /// The customer dropped it, or its booking.
    Cancelled,
}

/// Why an order ended, where its status does not say it all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Nobody paid in time.
    Unpaid,
    /// It was paid too late.
    LatePayment,
    /// The customer dropped the order.
    OrderCancelled,
    /// The customer cancelled the booking.
    BookingCancelled,
}

impl EndReason {
    /// The reason as items and answers spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::LatePayment => "late_payment",
            Self::OrderCancelled => "order_cancelled",
            Self::BookingCancelled => "booking_cancelled",
        }
    }
}

/// A booking's commitment to buy a quantity at a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its id, derived from its token's.
    pub order_id: OrderId,
    /// Its position among the booking's orders, from 0.
    pub seq: u32,
    /// First booking or renewal.
    pub kind: Kind,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// Units bought.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: Money,
    /// The price of all: what the page showed.
    pub amount: Money,
    /// The product's price version when it was made.
    pub price_version: String,
    /// The flow that it was made by.
    pub flow: Flow,
    /// What becomes of late payments.
    pub late_payment: LatePayment,
    /// The token that made it.
    pub token_id: TokenId,
    /// When that token was issued.
    #[serde(with = "millisecond::required")]
    pub quote_issued_at: Timestamp,
    /// Until when the first payment may be generated.
    #[serde(with = "millisecond::required")]
    pub quote_expires_at: Timestamp,
    /// When the order was made.
    #[serde(with = "millisecond::required")]
    pub created_at: Timestamp,
    /// Set once, with the first payment: every payment of the order expires at it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millisecond::optional")]
    pub pay_by: Option<Timestamp>,
    /// The order that replaced this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<OrderId>,
    /// The booking's version with which the order's own item was last written; 0 while it has none.
    /// An item that was read beside its booking may be older than it: this tells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// All payments, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
    /// All refunds, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Order {
    /// The payment that is shown: the open one of a live order, or the one that was applied.
    #[must_use]
    pub fn current_payment(&self) -> Option<&Payment> {
        match self.status {
            OrderStatus::Pending => self.payments.iter().find(|payment| payment.is_open()),
            OrderStatus::Paid => self.payments.iter().find(|payment| self.is_applied(payment)),
            OrderStatus::Superseded
            | OrderStatus::Stale
            | OrderStatus::Expired
            | OrderStatus::Cancelled => None,
        }
    }

    /// The payment of that id.
    #[must_use]
    pub fn payment(&self, payment_id: &PaymentId) -> Option<&Payment> {
        self.payments.iter().find(|payment| payment.payment_id == *payment_id)
    }

    /// Our refund of a captured transaction.
    #[must_use]
    pub fn refund_of(&self, payment_id: &PaymentId, transaction_id: &str) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.is_of(payment_id, transaction_id))
    }

    /// Whether some payment may still be paid at its gateway.
    #[must_use]
    pub fn has_unsettled_payment(&self) -> bool {
        self.payments.iter().any(|payment| payment.is_open() || payment.is_closing())
    }

    /// What the first transaction of that payment captured: the order's amount, unless it goes back
    /// as another.
    #[must_use]
    pub fn captured_amount(&self, payment: &Payment, transaction_id: &str) -> Money {
        let refund = self.refund_of(&payment.payment_id, transaction_id);
        refund.map_or(self.amount, |refund| refund.amount)
    }

    /// Whether that payment's money bought the order.
    #[must_use]
    pub fn is_applied(&self, payment: &Payment) -> bool {
        let transaction = payment.transaction_id.as_deref();
        transaction.is_some_and(|id| self.refund_of(&payment.payment_id, id).is_none())
    }
}

/// Where a payment stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Written here; whether the gateway has it is not known yet.
    Creating,
    /// Its code can be paid.
    Payable,
    /// To be closed at its gateway; never shown again.
    Closing,
    /// Money was captured.
    Paid,
    /// The gateway confirmed that it cannot be paid any more.
    Closed,
    /// The gateway finally refused to create it.
    Failed,
}

/// One payable code at one gateway for one order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Payment {
    /// Its id, the merchant order number at the gateway.
    pub payment_id: PaymentId,
    /// Where it is paid.
    pub gateway: GatewayName,
    /// Which attempt of the order at that gateway it is, from 1.
    pub attempt: u32,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What the QR code encodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_url: Option<String>,
    /// The gateway's own id, where later calls need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ref: Option<String>,
    /// The first captured transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// When the gateway captured it, by its own clock. Absent in items of earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millisecond::optional")]
    pub paid_at: Option<Timestamp>,
}

impl Payment {
    /// Whether it is wanted: being created, or payable.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.status, PaymentStatus::Creating | PaymentStatus::Payable)
    }

    /// Whether it is to be closed.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.status, PaymentStatus::Closing)
    }
}

/// Why money goes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// Another amount or currency than the order's.
    AmountMismatch,
    /// The order, or the payment, was paid twice.
    DuplicatePayment,
    /// A newer order had voided the order.
    Superseded,
    /// The order's price no longer held.
    Stale,
    /// The order had expired.
    Expired,
    /// The order had been dropped.
    Cancelled,
    /// The booking could not take it at the payment time.
    BookingNotPayable,
    /// It was paid after `pay_by`.
    LatePayment,
    /// Ours, but no such payment is stored.
    Unmatched,
    /// Somebody else refunded at the gateway.
    ForeignRefund,
    /// The payer's bank takes the payment into question: no refund, but money that may go.
    Dispute,
}

impl RefundReason {
    /// Whether it makes us give captured money back; what others do is only recorded.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::ForeignRefund | Self::Dispute)
    }

    /// The reason as items, answers and gateways spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmountMismatch => "amount_mismatch",
            Self::DuplicatePayment => "duplicate_payment",
            Self::Superseded => "superseded",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::BookingNotPayable => "booking_not_payable",
            Self::LatePayment => "late_payment",
            Self::Unmatched => "unmatched",
            Self::ForeignRefund => "foreign_refund",
            Self::Dispute => "dispute",
        }
    }
}

/// Where a refund stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Owed.
    Due,
    /// The gateway has accepted it.
    Submitted,
    /// The money is back.
    Succeeded,
    /// It stands still until a person acts.
    NeedsAttention,
}

/// Money on its way back, in full.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refund {
    /// The current attempt's id.
    pub refund_id: RefundId,
    /// The payment that captured the money.
    pub payment_id: PaymentId,
    /// The captured transaction.
    pub transaction_id: String,
    /// Which attempt is under way, from 1.
    pub attempt: u32,
    /// Where it stands.
    pub status: RefundStatus,
    /// What was captured.
    pub amount: Money,
    /// Why it goes back.
    pub reason: RefundReason,
    /// When it last changed.
    #[serde(with = "millisecond::required")]
    pub updated_at: Timestamp,
    /// Why a person should look, where one should; work may go on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// How many attempts a person has allowed beyond those that it has by itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub extra_attempts: u32,
    /// Attempts that failed, also after their money had arrived. That is final: a word of their
    /// success that is heard afterwards is older, since gateways keep no order in what they tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty", alias = "reversed_attempts")]
    pub failed_attempts: Vec<u32>,
    /// When the gateway captured the transaction, where its payment does not say it: a second
    /// transaction of one payment, and unmatched money.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millisecond::optional")]
    pub paid_at: Option<Timestamp>,
}

impl Refund {
    /// Whether it is ours and gives that transaction of that payment back.
    #[must_use]
    pub fn is_of(&self, payment_id: &PaymentId, transaction_id: &str) -> bool {
        self.reason.is_ours()
            && self.payment_id == *payment_id
            && self.transaction_id == transaction_id
    }

    /// The status as callers see it: one that a person should look at waits for that.
    #[must_use]
    pub fn shown_status(&self) -> RefundStatus {
        let flagged = self.attention.is_some() && self.status != RefundStatus::Succeeded;
        if flagged { RefundStatus::NeedsAttention } else { self.status }
    }

    /// Whether nothing more is to be done by itself.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.status, RefundStatus::Succeeded | RefundStatus::NeedsAttention)
    }
}

/// Money that is provably ours to answer for, with no stored payment to match it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unmatched {
    /// The booking that the echo names.
    pub booking_id: BookingId,
    /// How many changes it has seen.
    pub version: u64,
    /// The payment's gateway.
    pub gateway: GatewayName,
    /// The refund of what was captured.
    pub refund: Refund,
    /// What names its task in place of the first attempt's id, by which an order's refund of the
    /// same money has its task. Absent in items of earlier releases: there it is that id all the
    /// same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_task: Option<RefundId>,
}
