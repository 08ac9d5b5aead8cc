//! The customer's wallet: pays a code, as far as its gateway lets it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::delivery::{self, Job};
use crate::ledger::{
    Code, Deliveries, Event, Gateway, Ledger, Money, Payment, PaymentKey, Subject, Transaction,
};
use crate::problem::Problem;
use crate::random::Random;
use crate::state::{Shared, State};
use crate::stripe;
use crate::wechat_pay;

/// What to pay, and how it differs from an ordinary payment.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayRequest {
    pub(crate) code_url: String,
    /// Captured instead of the order's amount.
    pub(crate) amount: Option<Money>,
    /// The gateway's payment time; given, it is not held against any expiry.
    pub(crate) paid_at: Option<Timestamp>,
    /// Pays whatever the gateway thinks of it: a closed code, or a paid one again.
    #[serde(default)]
    pub(crate) force: bool,
    /// Pays by a method whose money arrives later, where the gateway has one.
    #[serde(default)]
    pub(crate) delayed: bool,
}

/// A payment that went through.
#[derive(Serialize)]
pub(crate) struct Paid {
    pub(crate) transaction_id: String,
    pub(crate) payment_id: String,
    pub(crate) paid_at: Timestamp,
}

/// Captures money, and has the gateway announce it.
pub(crate) fn pay(shared: &Shared, request: &PayRequest) -> Result<Paid, Problem> {
    check_amount(request)?;
    match gateway(shared, &request.code_url)? {
        Gateway::WechatPay => pay_order(shared, request),
        Gateway::Stripe => stripe::wallet::pay(shared, request),
    }
}

fn gateway(shared: &Shared, code_url: &str) -> Result<Gateway, Problem> {
    let state = shared.lock();
    let payment = state.ledger.payment_by_code(code_url).ok_or(Problem::UnknownCode)?;
    Ok(payment.key.gateway)
}

/// Pays a code that one order has for itself.
fn pay_order(shared: &Shared, request: &PayRequest) -> Result<Paid, Problem> {
    if request.delayed {
        let detail = "this gateway has no method whose money arrives later";
        return Err(Problem::InvalidRequest(detail.to_owned()));
    }
    let now = shared.now();
    let mut state = shared.lock();
    let payment = payable(&state.ledger, request, now)?.clone();
    let amount = request.amount.clone().unwrap_or_else(|| payment.amount.clone());
    let paid_at = whole_second(request.paid_at.unwrap_or(now));
    let transaction = transaction(&mut state, payment.key.gateway, amount, paid_at);
    let (paid, jobs) = capture(&mut state, &payment.key, transaction, now)?;
    drop(state);
    shared.start(jobs);
    Ok(paid)
}

fn check_amount(request: &PayRequest) -> Result<(), Problem> {
    let Some(money) = &request.amount else {
        return Ok(());
    };
    let letters = money.currency.bytes().all(|byte| byte.is_ascii_uppercase());
    if money.amount >= 1 && money.currency.len() == 3 && letters {
        return Ok(());
    }
    let detail = "`amount` is at least 1 minor unit of a three-letter currency";
    Err(Problem::InvalidRequest(detail.to_owned()))
}

fn payable<'a>(
    ledger: &'a Ledger,
    request: &PayRequest,
    now: Timestamp,
) -> Result<&'a Payment, Problem> {
    let payment = ledger.payment_by_code(&request.code_url).ok_or(Problem::UnknownCode)?;
    if request.force {
        return Ok(payment);
    }
    if !payment.transactions.is_empty() {
        return Err(Problem::AlreadyPaid);
    }
    if payment.closed {
        return Err(Problem::CodeClosed);
    }
    let code = payment.codes.iter().find(|code| code.url == request.code_url);
    let in_time = code.is_some_and(|code| is_in_time(payment, code, now));
    if request.paid_at.is_none() && !in_time {
        return Err(Problem::CodeExpired);
    }
    Ok(payment)
}

fn is_in_time(payment: &Payment, code: &Code, now: Timestamp) -> bool {
    now <= payment.expires_at && now <= code.valid_until
}

fn transaction(
    state: &mut State,
    gateway: Gateway,
    amount: Money,
    paid_at: Timestamp,
) -> Transaction {
    let number = state.ledger.next_number();
    Transaction {
        number,
        transaction_id: transaction_id(gateway, number, paid_at, &mut state.random),
        amount,
        paid_at,
        notifications: Deliveries::default(),
    }
}

/// A new transaction id of this gateway; the number keeps it unique.
fn transaction_id(
    gateway: Gateway,
    number: u64,
    paid_at: Timestamp,
    random: &mut Random,
) -> String {
    match gateway {
        Gateway::WechatPay => wechat_pay::objects::transaction_id(number, paid_at, random),
        Gateway::Stripe => stripe::objects::intent_id(number, random),
    }
}

fn capture(
    state: &mut State,
    payment: &PaymentKey,
    transaction: Transaction,
    now: Timestamp,
) -> Result<(Paid, Vec<Job>), Problem> {
    let paid = Paid {
        transaction_id: transaction.transaction_id.clone(),
        payment_id: payment.payment_id.clone(),
        paid_at: transaction.paid_at,
    };
    let subject = Subject::Transaction(transaction.transaction_id.clone());
    let announcement = delivery::announce(state, payment, subject, now);
    let mut events = vec![Event::Captured { payment: payment.clone(), transaction }];
    events.extend(announcement.events);
    state.record(events)?;
    Ok((paid, announcement.jobs))
}

/// Gateways report whole seconds.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
