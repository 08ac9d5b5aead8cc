//! The customer's wallet: reads, pays or refuses a code, as far as its gateway lets it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::delivery::{self, Job};
use crate::ledger::{
    Code, Deliveries, Event, Gateway, Ledger, Money, Payment, PaymentKey, Subject, Trade,
    Transaction,
};
use crate::problem::Problem;
use crate::random::Random;
use crate::state::{Shared, State};
use crate::{alipay, stripe, wechat_pay};

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

/// The code that the wallet scans, or does not pay after all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeRequest {
    code_url: String,
}

/// A code that the customer looked at in the wallet and did not pay.
#[derive(Serialize)]
pub(crate) struct Refused {
    payment_id: String,
    gateway: Gateway,
    /// The try that came to nothing, where the gateway tells of one.
    transaction_id: Option<String>,
}

/// A code that the wallet has scanned and can now pay.
#[derive(Serialize)]
pub(crate) struct Scanned {
    payment_id: String,
    gateway: Gateway,
    /// The trade that the scan began, where scans do.
    trade_no: Option<String>,
}

/// A payment that went through.
#[derive(Serialize)]
pub(crate) struct Paid {
    pub(crate) transaction_id: String,
    pub(crate) payment_id: String,
    pub(crate) paid_at: Timestamp,
}

impl PayRequest {
    /// An ordinary payment of the whole amount, now.
    pub(crate) fn plain(code_url: &str) -> Self {
        let code_url = code_url.to_owned();
        Self { code_url, amount: None, paid_at: None, force: false, delayed: false }
    }
}

/// Captures money, and has the gateway announce it.
pub(crate) fn pay(shared: &Shared, request: &PayRequest) -> Result<Paid, Problem> {
    check_amount(request)?;
    match gateway(shared, &request.code_url)? {
        Gateway::WechatPay | Gateway::Alipay => pay_order(shared, request),
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
    let mut payment = payable(&state.ledger, request, now)?.clone();
    let amount = request.amount.clone().unwrap_or_else(|| payment.amount.clone());
    check_currency(payment.key.gateway, &amount)?;
    let paid_at = whole_second(request.paid_at.unwrap_or(now));
    let begun = begin_trade(&mut state, &mut payment, paid_at);
    let transaction = transaction(&mut state, &payment, amount, paid_at);
    let (paid, jobs) = capture(&mut state, &payment.key, begun, transaction, now)?;
    drop(state);
    shared.start(jobs);
    Ok(paid)
}

/// Scans a code without paying it.
pub(crate) fn scan(shared: &Shared, request: &CodeRequest) -> Result<Scanned, Problem> {
    let payment = read(shared, &request.code_url)?;
    Ok(Scanned {
        payment_id: payment.key.payment_id,
        gateway: payment.key.gateway,
        trade_no: payment.trade.map(|trade| trade.trade_no),
    })
}

/// Reads a code, and does not pay it after all.
///
/// The wallets of WeChat Pay and Alipay tell nobody, and the code can still be paid.
pub(crate) fn refuse(shared: &Shared, request: &CodeRequest) -> Result<Refused, Problem> {
    let payment = read(shared, &request.code_url)?;
    let transaction_id = match payment.key.gateway {
        Gateway::WechatPay | Gateway::Alipay => None,
        Gateway::Stripe => Some(stripe::wallet::refuse(shared, &request.code_url)?),
    };
    let PaymentKey { gateway, payment_id } = payment.key;
    Ok(Refused { payment_id, gateway, transaction_id })
}

/// Reads a code that can be paid, which begins the trade where a gateway has trades.
fn read(shared: &Shared, code_url: &str) -> Result<Payment, Problem> {
    stripe::expiry::expire_due(shared)?;
    let now = shared.now();
    let mut state = shared.lock();
    check(&state.ledger, code_url, now)?;
    let payment = state.ledger.payment_by_code(code_url).cloned();
    let mut payment = payment.ok_or(Problem::UnknownCode)?;
    let mut events = begin_trade(&mut state, &mut payment, whole_second(now));
    events.push(Event::CodeRead { payment: payment.key.clone(), at: whole_second(now) });
    state.record(events)?;
    Ok(payment)
}

/// Whether the wallet could pay a code now, and why not.
pub(crate) fn check(ledger: &Ledger, code_url: &str, now: Timestamp) -> Result<(), Problem> {
    let plain = PayRequest::plain(code_url);
    let payment = ledger.payment_by_code(code_url).ok_or(Problem::UnknownCode)?;
    match payment.key.gateway {
        Gateway::WechatPay | Gateway::Alipay => payable(ledger, &plain, now).map(drop),
        Gateway::Stripe => stripe::wallet::check(ledger.stripe(), &plain),
    }
}

/// Begins the trade where only a scan does and none has; what is to be kept of it.
fn begin_trade(state: &mut State, payment: &mut Payment, scanned_at: Timestamp) -> Vec<Event> {
    match payment.key.gateway {
        Gateway::WechatPay | Gateway::Stripe => return Vec::new(),
        Gateway::Alipay if payment.trade.is_some() => return Vec::new(),
        Gateway::Alipay => {}
    }
    let number = state.ledger.next_number();
    let trade_no = transaction_id(payment.key.gateway, number, scanned_at, &mut state.random);
    let trade = Trade { number, trade_no, scanned_at };
    payment.trade = Some(trade.clone());
    vec![Event::Scanned { payment: payment.key.clone(), trade }]
}

fn check_currency(gateway: Gateway, amount: &Money) -> Result<(), Problem> {
    match gateway {
        Gateway::Alipay if amount.currency != "CNY" => {
            Err(Problem::InvalidRequest("Alipay captures CNY".to_owned()))
        }
        Gateway::Alipay | Gateway::WechatPay | Gateway::Stripe => Ok(()),
    }
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

/// Whether nobody scanned the code where only a scan begins a payment, and nobody can any more:
/// there is nothing that could be closed.
pub(crate) fn was_never_begun(payment: &Payment, now: Timestamp) -> bool {
    payment.key.gateway == Gateway::Alipay
        && payment.trade.is_none()
        && payment.codes.iter().all(|code| !is_in_time(payment, code, now))
}

fn is_in_time(payment: &Payment, code: &Code, now: Timestamp) -> bool {
    // A code that was scanned in time has become a trade, which lives longer.
    now <= payment.expires_at && (payment.trade.is_some() || now <= code.valid_until)
}

fn transaction(
    state: &mut State,
    payment: &Payment,
    amount: Money,
    paid_at: Timestamp,
) -> Transaction {
    let number = state.ledger.next_number();
    let begun = payment.trade.as_ref().filter(|_| payment.transactions.is_empty());
    let gateway = payment.key.gateway;
    Transaction {
        number,
        transaction_id: begun.map_or_else(
            || transaction_id(gateway, number, paid_at, &mut state.random),
            |trade| trade.trade_no.clone(),
        ),
        amount,
        paid_at,
        notifications: Deliveries::default(),
    }
}

/// A new transaction id of this gateway; the number keeps it unique.
pub(crate) fn transaction_id(
    gateway: Gateway,
    number: u64,
    paid_at: Timestamp,
    random: &mut Random,
) -> String {
    match gateway {
        Gateway::WechatPay => wechat_pay::objects::transaction_id(number, paid_at, random),
        Gateway::Alipay => alipay::trade::trade_no(number, paid_at, random),
        Gateway::Stripe => stripe::objects::intent_id(number, random),
    }
}

fn capture(
    state: &mut State,
    payment: &PaymentKey,
    begun: Vec<Event>,
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
    let mut events = begun;
    events.push(Event::Captured { payment: payment.clone(), transaction });
    events.extend(announcement.events);
    state.record(events)?;
    Ok((paid, announcement.jobs))
}

/// Gateways report whole seconds.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
