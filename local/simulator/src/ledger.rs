//! What the gateways know: payments, captures, refunds and notifications. Pure.
//!
//! Everything changes through [`Ledger::apply`], so that replaying the journal gives the same
//! ledger. Events record decisions; they decide nothing and so cannot fail.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alipay::keys::AlipayKey;
use crate::stripe::book::{Book, Change};

/// An amount in minor units, as the control calls write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Money {
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

/// A gateway that is simulated.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gateway {
    #[default]
    WechatPay,
    Alipay,
    Stripe,
}

/// A payment at its gateway, under the number that the merchant gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct PaymentKey {
    pub(crate) gateway: Gateway,
    pub(crate) payment_id: String,
}

/// A refund at its gateway, under the number that the merchant gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct RefundKey {
    pub(crate) gateway: Gateway,
    pub(crate) refund_no: String,
}

/// Something that can be paid, and whatever happened to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) key: PaymentKey,
    /// The merchant's request: a repeat must be identical.
    pub(crate) request: Value,
    pub(crate) amount: Money,
    /// The merchant's own text, given back in queries and notifications.
    pub(crate) attach: Option<String>,
    pub(crate) notify_url: String,
    pub(crate) created_at: Timestamp,
    /// The last moment to pay.
    pub(crate) expires_at: Timestamp,
    pub(crate) closed: bool,
    pub(crate) codes: Vec<Code>,
    /// What a scan made of it, at a gateway where only a scan makes a trade.
    #[serde(default)]
    pub(crate) trade: Option<Trade>,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) refunds: Vec<Refund>,
}

/// What a QR encodes. Several codes may pay the same payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) number: u64,
    pub(crate) url: String,
    pub(crate) valid_until: Timestamp,
}

/// A trade that a scan began; it is bound to the wallet that scanned.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trade {
    pub(crate) number: u64,
    pub(crate) trade_no: String,
    pub(crate) scanned_at: Timestamp,
}

/// Money that was captured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) number: u64,
    pub(crate) transaction_id: String,
    pub(crate) amount: Money,
    pub(crate) paid_at: Timestamp,
    pub(crate) notifications: Deliveries,
}

/// Money on its way back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Refund {
    pub(crate) number: u64,
    pub(crate) refund_no: String,
    pub(crate) refund_id: String,
    pub(crate) transaction_id: String,
    /// The merchant's request: a repeat must be identical.
    pub(crate) request: Value,
    pub(crate) amount: Money,
    pub(crate) notify_url: Option<String>,
    pub(crate) created_at: Timestamp,
    /// How it will end, settled when it was accepted.
    pub(crate) outcome: RefundOutcome,
    /// How it ended, once it has.
    pub(crate) settled: Option<Settled>,
    pub(crate) notifications: Deliveries,
}

/// How a refund ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefundOutcome {
    #[default]
    Success,
    /// The payer's card cannot take the money: someone must act at the gateway.
    Abnormal,
    /// Given up: a new refund number is needed.
    Closed,
    /// Succeeds, and fails some time later where a gateway knows such an end; else it succeeds.
    FailedLater,
}

/// The end of a refund.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) outcome: RefundOutcome,
    pub(crate) at: Timestamp,
}

/// Deliveries that went out, and those that were answered as the gateway wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deliveries {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Transaction(String),
    Refund(String),
}

/// A notification that is to be delivered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) number: u64,
    /// Equal for two deliveries that duplicate each other.
    pub(crate) notification_id: String,
    pub(crate) payment: PaymentKey,
    pub(crate) subject: Subject,
    pub(crate) created_at: Timestamp,
    pub(crate) attempts: usize,
}

/// One change, as the journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    PaymentCreated(Payment),
    CodeIssued {
        payment: PaymentKey,
        code: Code,
    },
    Scanned {
        payment: PaymentKey,
        trade: Trade,
    },
    /// The customer's wallet has read a code. Only a gateway with trades notices.
    CodeRead {
        payment: PaymentKey,
        at: Timestamp,
    },
    PaymentClosed {
        payment: PaymentKey,
    },
    Captured {
        payment: PaymentKey,
        transaction: Transaction,
    },
    RefundAccepted {
        payment: PaymentKey,
        refund: Refund,
    },
    /// A refund that had come to nothing is tried again under its own number.
    RefundReopened {
        refund: RefundKey,
        outcome: RefundOutcome,
    },
    RefundSettled {
        refund: RefundKey,
        settled: Settled,
    },
    CancelAsked,
    AlipaySignsWith {
        key: AlipayKey,
    },
    NotificationQueued(Delivery),
    NotificationSent {
        payment: PaymentKey,
        subject: Subject,
        acknowledged: bool,
    },
    DeliveryTried {
        number: u64,
    },
    DeliveryOver {
        number: u64,
    },
    Stripe(Box<Change>),
}

/// Everything that the gateways know.
#[derive(Default)]
pub(crate) struct Ledger {
    payments: BTreeMap<PaymentKey, Payment>,
    codes: HashMap<String, PaymentKey>,
    read_at: BTreeMap<PaymentKey, Timestamp>,
    transactions: HashMap<String, PaymentKey>,
    refunds: HashMap<RefundKey, PaymentKey>,
    deliveries: BTreeMap<u64, Delivery>,
    stripe: Book,
    last_number: u64,
    cancels: u64,
    alipay_key: AlipayKey,
}

impl Gateway {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WechatPay => "wechat_pay",
            Self::Alipay => "alipay",
            Self::Stripe => "stripe",
        }
    }
}

impl Payment {
    pub(crate) fn transaction(&self, transaction_id: &str) -> Option<&Transaction> {
        self.transactions.iter().find(|known| known.transaction_id == transaction_id)
    }

    pub(crate) fn refund(&self, refund_no: &str) -> Option<&Refund> {
        self.refunds.iter().find(|known| known.refund_no == refund_no)
    }

    pub(crate) fn refunds_of(&self, transaction_id: &str) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().filter(move |refund| refund.transaction_id == transaction_id)
    }

    /// What may still go back of a transaction, in minor units: closed refunds leave room.
    pub(crate) fn refundable(&self, transaction: &Transaction) -> i64 {
        let refunds = self.refunds_of(&transaction.transaction_id);
        let taken = refunds.filter(|refund| refund.counts()).map(|refund| refund.amount.amount);
        taken.fold(transaction.amount.amount, i64::saturating_sub)
    }

    /// Captures in the currency of the first one; the order's own currency while unpaid.
    pub(crate) fn captured(&self) -> Money {
        let captured = self.transactions.iter().map(|transaction| &transaction.amount);
        total(self.currency(), captured)
    }

    /// Money that has arrived back.
    pub(crate) fn refunded(&self) -> Money {
        let returned = self.refunds.iter().filter(|refund| refund.returned());
        total(self.currency(), returned.map(|refund| &refund.amount))
    }

    pub(crate) fn notifications(&self) -> Deliveries {
        let payments = self.transactions.iter().map(|transaction| transaction.notifications);
        let refunds = self.refunds.iter().map(|refund| refund.notifications);
        payments.chain(refunds).fold(Deliveries::default(), Deliveries::plus)
    }

    fn currency(&self) -> &str {
        let first = self.transactions.first();
        first.map_or(&self.amount.currency, |transaction| &transaction.amount.currency)
    }

    fn deliveries_mut(&mut self, subject: &Subject) -> Option<&mut Deliveries> {
        match subject {
            Subject::Transaction(id) => {
                let mut all = self.transactions.iter_mut();
                all.find(|known| &known.transaction_id == id).map(|known| &mut known.notifications)
            }
            Subject::Refund(no) => {
                let mut all = self.refunds.iter_mut();
                all.find(|known| &known.refund_no == no).map(|known| &mut known.notifications)
            }
        }
    }
}

impl Refund {
    /// Money of this refund that is back, or may still arrive: all but a closed one.
    pub(crate) fn counts(&self) -> bool {
        self.settled.as_ref().is_none_or(|settled| match settled.outcome {
            RefundOutcome::Success | RefundOutcome::Abnormal | RefundOutcome::FailedLater => true,
            RefundOutcome::Closed => false,
        })
    }

    /// The end that comes next; none where the refund has reached its last one.
    pub(crate) fn next_end(&self) -> Option<RefundOutcome> {
        let succeeded = self.returned();
        match (self.outcome, &self.settled) {
            (RefundOutcome::FailedLater, None) => Some(RefundOutcome::Success),
            (RefundOutcome::FailedLater, Some(_)) if succeeded => Some(RefundOutcome::Closed),
            (outcome, None) => Some(outcome),
            (_, Some(_)) => None,
        }
    }

    fn returned(&self) -> bool {
        self.settled.as_ref().is_some_and(|settled| settled.outcome == RefundOutcome::Success)
    }
}

impl Deliveries {
    fn count(&mut self, acknowledged: bool) {
        *self = self.plus(Self { sent: 1, acknowledged: u64::from(acknowledged) });
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            acknowledged: self.acknowledged.saturating_add(other.acknowledged),
        }
    }
}

impl Ledger {
    pub(crate) fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    pub(crate) fn payment(&self, key: &PaymentKey) -> Option<&Payment> {
        self.payments.get(key)
    }

    pub(crate) fn payment_by_code(&self, url: &str) -> Option<&Payment> {
        self.payments.get(self.codes.get(url)?)
    }

    pub(crate) fn payment_by_transaction(&self, transaction_id: &str) -> Option<&Payment> {
        self.payments.get(self.transactions.get(transaction_id)?)
    }

    pub(crate) fn payment_by_refund(&self, key: &RefundKey) -> Option<&Payment> {
        self.payments.get(self.refunds.get(key)?)
    }

    /// When the customer's wallet first read a code of the payment.
    pub(crate) fn read_at(&self, key: &PaymentKey) -> Option<Timestamp> {
        self.read_at.get(key).copied()
    }

    pub(crate) fn delivery(&self, number: u64) -> Option<&Delivery> {
        self.deliveries.get(&number)
    }

    pub(crate) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    pub(crate) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// How often a merchant asked a gateway to cancel, which gives paid money back.
    pub(crate) fn cancels(&self) -> u64 {
        self.cancels
    }

    pub(crate) fn alipay_key(&self) -> AlipayKey {
        self.alipay_key
    }

    /// A number that no code, transaction, refund or delivery has, also after a restart.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    /// The only way in which anything changes.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::PaymentCreated(payment) => {
                self.payments.insert(payment.key.clone(), payment);
            }
            Event::CodeIssued { payment, code } => self.issue(payment, code),
            Event::Scanned { payment, trade } => self.scan(payment, trade),
            Event::CodeRead { payment, at } => {
                self.read_at.entry(payment).or_insert(at);
            }
            Event::PaymentClosed { payment } => {
                self.change(&payment, |payment| payment.closed = true);
            }
            Event::Captured { payment, transaction } => self.capture(payment, transaction),
            Event::RefundAccepted { payment, refund } => self.accept(payment, refund),
            Event::RefundReopened { refund, outcome } => self.reopen(&refund, outcome),
            Event::RefundSettled { refund, settled } => self.settle(&refund, settled),
            Event::CancelAsked => self.cancels = self.cancels.saturating_add(1),
            Event::AlipaySignsWith { key } => self.alipay_key = key,
            Event::NotificationQueued(delivery) => {
                self.seen(delivery.number);
                self.deliveries.insert(delivery.number, delivery);
            }
            Event::NotificationSent { payment, subject, acknowledged } => {
                self.change(&payment, |payment| {
                    if let Some(deliveries) = payment.deliveries_mut(&subject) {
                        deliveries.count(acknowledged);
                    }
                });
            }
            Event::DeliveryTried { number } => {
                if let Some(delivery) = self.deliveries.get_mut(&number) {
                    delivery.attempts = delivery.attempts.saturating_add(1);
                }
            }
            Event::DeliveryOver { number } => {
                self.deliveries.remove(&number);
            }
            Event::Stripe(change) => self.change_stripe(*change),
        }
    }

    /// The objects that only Stripe has.
    pub(crate) fn stripe(&self) -> &Book {
        &self.stripe
    }

    fn change_stripe(&mut self, change: Change) {
        self.seen(change.number());
        if let Some(key) = self.stripe.apply(change) {
            let closed = self.stripe.is_closed(&key);
            self.change(&key, |payment| payment.closed = closed);
        }
    }

    fn issue(&mut self, key: PaymentKey, code: Code) {
        self.seen(code.number);
        self.codes.insert(code.url.clone(), key.clone());
        self.change(&key, |payment| payment.codes.push(code));
    }

    fn scan(&mut self, key: PaymentKey, trade: Trade) {
        self.seen(trade.number);
        self.transactions.insert(trade.trade_no.clone(), key.clone());
        self.change(&key, |payment| payment.trade = Some(trade));
    }

    fn capture(&mut self, key: PaymentKey, transaction: Transaction) {
        self.seen(transaction.number);
        self.transactions.insert(transaction.transaction_id.clone(), key.clone());
        self.change(&key, |payment| payment.transactions.push(transaction));
    }

    fn accept(&mut self, key: PaymentKey, refund: Refund) {
        self.seen(refund.number);
        let refund_key = RefundKey { gateway: key.gateway, refund_no: refund.refund_no.clone() };
        self.refunds.insert(refund_key, key.clone());
        self.change(&key, |payment| payment.refunds.push(refund));
    }

    fn settle(&mut self, key: &RefundKey, settled: Settled) {
        self.change_refund(key, |refund| refund.settled = Some(settled));
    }

    fn reopen(&mut self, key: &RefundKey, outcome: RefundOutcome) {
        self.change_refund(key, |refund| {
            refund.outcome = outcome;
            refund.settled = None;
        });
    }

    fn change_refund(&mut self, key: &RefundKey, change: impl FnOnce(&mut Refund)) {
        let Some(payment) = self.refunds.get(key).cloned() else {
            return;
        };
        self.change(&payment, |payment| {
            let mut refunds = payment.refunds.iter_mut();
            if let Some(refund) = refunds.find(|refund| refund.refund_no == key.refund_no) {
                change(refund);
            }
        });
    }

    fn change(&mut self, key: &PaymentKey, change: impl FnOnce(&mut Payment)) {
        if let Some(payment) = self.payments.get_mut(key) {
            change(payment);
        }
    }

    fn seen(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }
}

fn total<'a>(currency: &str, amounts: impl Iterator<Item = &'a Money>) -> Money {
    let same = amounts.filter(|money| money.currency == currency);
    let amount = same.fold(0, |sum: i64, money| sum.saturating_add(money.amount));
    Money { amount, currency: currency.to_owned() }
}
