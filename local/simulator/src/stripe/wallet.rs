//! The customer pays or declines: a session's page, or the QR of a PaymentIntent.

use jiff::Timestamp;

use super::book::{Book, Change, Charge, Decline, Expired, Intent, IntentStatus, Payable, Session};
use super::execution::{Execution, Told};
use super::intent::searchable_at;
use super::{expiry, objects};
use crate::delivery::Job;
use crate::error::JournalError;
use crate::ledger::{Deliveries, Event, Money, Subject, Transaction};
use crate::problem::Problem;
use crate::state::Shared;
use crate::wallet::{Paid, PayRequest, whole_second};

/// Pays as far as Stripe lets it.
pub(crate) fn pay(shared: &Shared, request: &PayRequest) -> Result<Paid, Problem> {
    expiry::expire_due(shared)?;
    let mut state = shared.lock();
    let coded = checked(state.ledger.stripe(), request)?;
    let mut execution = Execution::new(shared, &mut state);
    let paid_at = whole_second(request.paid_at.unwrap_or(execution.now));
    let (session, intent) = match coded {
        Coded::Session(session) => {
            let intent = intent_of_session(&mut execution, &session, request, paid_at);
            (Some(session), intent)
        }
        Coded::Intent(intent) => (None, intent_to_pay(&mut execution, intent, request, paid_at)),
    };
    let paid = Paid {
        transaction_id: intent.id.clone(),
        payment_id: intent.payment.payment_id.clone(),
        paid_at,
    };
    let session = session.map(|mut session| {
        session.intents.push(intent.id.clone());
        session
    });
    if request.delayed {
        promise(&mut execution, session, intent, paid_at);
    } else {
        capture(&mut execution, session.as_ref(), intent, paid_at, "checkout.session.completed");
    }
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(paid)
}

/// Captures money that was on its way.
pub(crate) fn settle(shared: &Shared, intent_id: &str) -> Result<(), JournalError> {
    let mut state = shared.lock();
    let book = state.ledger.stripe();
    let Some(intent) = book.intent(intent_id).filter(|it| it.is_processing()).cloned() else {
        return Ok(());
    };
    let session = intent.session.as_ref().and_then(|id| book.session(id)).cloned();
    let mut execution = Execution::new(shared, &mut state);
    let paid_at = whole_second(execution.now);
    let kind = "checkout.session.async_payment_succeeded";
    capture(&mut execution, session.as_ref(), intent, paid_at, kind);
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(())
}

/// The customer tries to pay, and it comes to nothing: a session's page declines the card and
/// waits for another one; the QR of a PaymentIntent is used up. Answers the PaymentIntent.
pub(crate) fn refuse(shared: &Shared, code_url: &str) -> Result<String, Problem> {
    expiry::expire_due(shared)?;
    let request = PayRequest::plain(code_url);
    let mut state = shared.lock();
    let coded = checked(state.ledger.stripe(), &request)?;
    let mut execution = Execution::new(shared, &mut state);
    let at = whole_second(execution.now);
    let mut intent = match coded {
        Coded::Session(mut session) => {
            let mut intent = intent_of_session(&mut execution, &session, &request, at);
            intent.declined = Some(Decline::Card);
            session.tried = Some(intent.id.clone());
            execution.change(Change::Session(session));
            intent
        }
        Coded::Intent(intent) => Intent { declined: Some(Decline::Wallet), ..intent },
    };
    intent.status = IntentStatus::RequiresPaymentMethod;
    let told = Told::new("payment_intent.payment_failed", at, objects::intent(&intent));
    let declined = intent.id.clone();
    // No transaction exists that could count its deliveries.
    let subject = Subject::Transaction(declined.clone());
    execution.change(Change::Intent(intent.clone()));
    execution.tell(&intent.payment, &subject, vec![told]);
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(declined)
}

/// Whether Stripe would let a code be paid.
pub(crate) fn check(book: &Book, request: &PayRequest) -> Result<(), Problem> {
    checked(book, request).map(drop)
}

/// What a code pays, as it is.
enum Coded {
    Session(Session),
    Intent(Intent),
}

fn checked(book: &Book, request: &PayRequest) -> Result<Coded, Problem> {
    let coded = match book.payable(&request.code_url).ok_or(Problem::UnknownCode)? {
        Payable::Session(id) => book.session(id).cloned().map(Coded::Session),
        Payable::Intent(id) => book.intent(id).cloned().map(Coded::Intent),
    };
    let coded = coded.ok_or(Problem::UnknownCode)?;
    match &coded {
        Coded::Session(session) => check_session(session, request)?,
        Coded::Intent(intent) => check_intent(intent, request)?,
    }
    Ok(coded)
}

fn check_session(session: &Session, request: &PayRequest) -> Result<(), Problem> {
    if request.force {
        return Ok(());
    }
    if !session.intents.is_empty() {
        return Err(Problem::AlreadyPaid);
    }
    match session.expired {
        None => Ok(()),
        Some(Expired::ByMerchant) => Err(Problem::CodeClosed),
        Some(Expired::ByClock) if request.paid_at.is_some() => Ok(()),
        Some(Expired::ByClock) => Err(Problem::CodeExpired),
    }
}

fn check_intent(intent: &Intent, request: &PayRequest) -> Result<(), Problem> {
    if request.force {
        return Ok(());
    }
    match intent.status {
        IntentStatus::RequiresAction => Ok(()),
        IntentStatus::Processing | IntentStatus::Succeeded => Err(Problem::AlreadyPaid),
        IntentStatus::Canceled
        | IntentStatus::RequiresPaymentMethod
        | IntentStatus::RequiresConfirmation => Err(Problem::CodeClosed),
    }
}

/// A session makes its PaymentIntent when it is first tried, and goes on with that one.
fn intent_of_session(
    execution: &mut Execution<'_>,
    session: &Session,
    request: &PayRequest,
    paid_at: Timestamp,
) -> Intent {
    let book = execution.state.ledger.stripe();
    let tried = session.tried.as_ref().filter(|_| session.intents.is_empty());
    if let Some(tried) = tried.and_then(|id| book.intent(id)).cloned() {
        return intent_to_pay(execution, tried, request, paid_at);
    }
    let number = execution.state.ledger.next_number();
    Intent {
        number,
        id: objects::intent_id(number, &mut execution.state.random),
        payment: session.payment.clone(),
        session: Some(session.id.clone()),
        amount: request.amount.clone().unwrap_or_else(|| session.amount.clone()),
        metadata: session.intent_metadata.clone(),
        description: session.description.clone(),
        payment_method_types: session.payment_method_types.clone(),
        created_at: paid_at,
        searchable_at: searchable_at(execution.state, execution.now),
        status: IntentStatus::Processing,
        code: None,
        canceled: None,
        declined: None,
        charge: None,
    }
}

/// The PaymentIntent itself; another one like it where it was paid before.
fn intent_to_pay(
    execution: &mut Execution<'_>,
    mut intent: Intent,
    request: &PayRequest,
    paid_at: Timestamp,
) -> Intent {
    if intent.is_processing() || intent.charge.is_some() {
        intent.number = execution.state.ledger.next_number();
        intent.id = objects::intent_id(intent.number, &mut execution.state.random);
        intent.created_at = paid_at;
        intent.searchable_at = searchable_at(execution.state, execution.now);
        intent.code = None;
        intent.charge = None;
    }
    if let Some(amount) = &request.amount {
        intent.amount = amount.clone();
    }
    intent.status = IntentStatus::Processing;
    intent.declined = None;
    intent
}

/// The customer is done, but the money arrives later.
fn promise(execution: &mut Execution<'_>, session: Option<Session>, intent: Intent, at: Timestamp) {
    let mut told = vec![Told::new("payment_intent.processing", at, objects::intent(&intent))];
    if let Some(session) = session {
        let object = objects::session(&session, Some(&intent));
        told.push(Told::new("checkout.session.completed", at, object));
        execution.change(Change::Session(session));
    }
    let wait = execution.state.faults.refund_delay(execution.settling);
    execution.start(Job::SettleIntent { intent_id: intent.id.clone(), wait });
    let subject = Subject::Transaction(intent.id.clone());
    execution.change(Change::Intent(intent.clone()));
    execution.tell(&intent.payment, &subject, told);
}

fn capture(
    execution: &mut Execution<'_>,
    session: Option<&Session>,
    mut intent: Intent,
    paid_at: Timestamp,
    session_event: &'static str,
) {
    intent.status = IntentStatus::Succeeded;
    let charge = charge(&intent, paid_at);
    intent.charge = Some(charge.clone());
    let mut told = vec![
        Told::new("payment_intent.succeeded", paid_at, objects::intent(&intent)),
        Told::new("charge.succeeded", paid_at, objects::charge(&intent, &charge, 0)),
    ];
    if let Some(session) = session {
        let object = objects::session(session, Some(&intent));
        told.push(Told::new(session_event, paid_at, object));
        execution.change(Change::Session(session.clone()));
    }
    execution.keep(Event::Captured {
        payment: intent.payment.clone(),
        transaction: transaction(&intent, charge.amount, paid_at),
    });
    let subject = Subject::Transaction(intent.id.clone());
    execution.change(Change::Intent(intent.clone()));
    execution.tell(&intent.payment, &subject, told);
}

/// A charge has the number of its PaymentIntent.
fn charge(intent: &Intent, paid_at: Timestamp) -> Charge {
    let id = intent.id.strip_prefix("pi_").unwrap_or(&intent.id);
    Charge { id: format!("ch_{id}"), amount: intent.amount.clone(), paid_at, dispute: None }
}

fn transaction(intent: &Intent, amount: Money, paid_at: Timestamp) -> Transaction {
    Transaction {
        number: intent.number,
        transaction_id: intent.id.clone(),
        amount,
        paid_at,
        notifications: Deliveries::default(),
    }
}
