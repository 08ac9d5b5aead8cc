//! One change at Stripe under way: what is kept in one line of the journal, and what starts then.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::book::{Change, Notice, Session};
use super::{API_VERSION, objects};
use crate::delivery::{self, Job};
use crate::error::JournalError;
use crate::ledger::{Code, Event, Money, Payment, PaymentKey, Subject};
use crate::state::{Shared, State};

/// The call that a change comes from, as its events name it.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) request_id: String,
    pub(super) idempotency_key: Option<String>,
}

/// What an event tells.
pub(super) struct Told {
    pub(super) kind: &'static str,
    pub(super) created_at: Timestamp,
    /// The object as it is from now on.
    pub(super) object: Value,
    /// What it was before, where it was updated.
    pub(super) previous: Option<Value>,
}

impl Told {
    /// An event about an object that is as it is.
    pub(super) fn new(kind: &'static str, created_at: Timestamp, object: Value) -> Self {
        Self { kind, created_at, object, previous: None }
    }

    /// An event about an object whose status changed.
    pub(super) fn changed(self, status: &str) -> Self {
        Self { previous: Some(json!({ "status": status })), ..self }
    }
}

/// What can be paid anew: how the ledger will know it.
pub(super) struct Payable<'a> {
    pub(super) payment: &'a PaymentKey,
    pub(super) amount: &'a Money,
    pub(super) echo: Option<&'a String>,
    pub(super) expires_at: Timestamp,
    pub(super) code: Option<Code>,
}

/// A change under way. Nothing is true before [`Execution::commit`].
pub(super) struct Execution<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Timestamp,
    /// How long refunds and slow methods take unless the plan says otherwise.
    pub(super) settling: Duration,
    cause: Option<Cause>,
    events: Vec<Event>,
    jobs: Vec<Job>,
}

impl<'a> Execution<'a> {
    /// A change that nobody called for: the customer's, the console's or the clock's.
    pub(super) fn new(shared: &Shared, state: &'a mut State) -> Self {
        let (now, settling) = (shared.now(), shared.config.refund_delay);
        Self { state, now, settling, cause: None, events: Vec::new(), jobs: Vec::new() }
    }

    /// A change that a call asks for.
    pub(super) fn caused(shared: &Shared, state: &'a mut State, cause: Cause) -> Self {
        Self { cause: Some(cause), ..Self::new(shared, state) }
    }

    pub(super) fn keep(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn change(&mut self, change: Change) {
        self.keep(Event::Stripe(Box::new(change)));
    }

    pub(super) fn start(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// A session's own job: to end by itself.
    pub(super) fn expire_in_time(&mut self, session: &Session) {
        let wait = super::expiry::wait(session.expires_at, self.now);
        self.start(Job::ExpireSessions { wait });
    }

    /// Makes the ledger know what can be paid; a number that it knows gets another code.
    pub(super) fn open(&mut self, payable: Payable<'_>) {
        let key = payable.payment;
        if self.state.ledger.payment(key).is_none() {
            self.keep(Event::PaymentCreated(Payment {
                key: key.clone(),
                request: Value::Null,
                amount: payable.amount.clone(),
                attach: payable.echo.cloned(),
                notify_url: String::new(),
                created_at: self.now,
                expires_at: payable.expires_at,
                closed: false,
                codes: Vec::new(),
                trade: None,
                transactions: Vec::new(),
                refunds: Vec::new(),
            }));
        }
        if let Some(code) = payable.code {
            self.keep(Event::CodeIssued { payment: key.clone(), code });
        }
    }

    /// Has events delivered in any order: Stripe promises none.
    pub(super) fn tell(&mut self, payment: &PaymentKey, subject: &Subject, mut told: Vec<Told>) {
        while !told.is_empty() {
            let next = self.state.random.next().checked_rem(told.len() as u64);
            let told = told.swap_remove(next.unwrap_or_default() as usize);
            self.tell_one(payment, subject, &told);
        }
    }

    /// Keeps all of it at once; answers what starts then.
    pub(super) fn commit(self) -> Result<Vec<Job>, JournalError> {
        let Self { state, events, jobs, .. } = self;
        if !events.is_empty() {
            state.record(events)?;
        }
        Ok(jobs)
    }

    /// Forgets the change. What it drew from chance stays drawn.
    pub(super) fn abandon(&mut self) {
        self.events.clear();
        self.jobs.clear();
    }

    fn tell_one(&mut self, payment: &PaymentKey, subject: &Subject, told: &Told) {
        let number = self.state.ledger.next_number();
        let id = objects::id("evt_1", number, &mut self.state.random);
        let body = envelope(&id, told, self.cause.as_ref());
        let about = match subject {
            Subject::Transaction(id) | Subject::Refund(id) => id.clone(),
        };
        let named = id.clone();
        let notice = Notice { number, id, about, kind: told.kind.to_owned(), body };
        self.change(Change::Notice(notice));
        let announcement =
            delivery::announce_as(self.state, payment, subject.clone(), told.created_at, |_| named);
        self.events.extend(announcement.events);
        self.jobs.extend(announcement.jobs);
    }
}

/// The event object.
///
/// <https://docs.stripe.com/api/events/object> (read 2026-11-24).
pub(super) fn envelope(id: &str, told: &Told, cause: Option<&Cause>) -> Value {
    let mut data = json!({ "object": told.object });
    if let (Some(data), Some(previous)) = (data.as_object_mut(), &told.previous) {
        data.insert("previous_attributes".to_owned(), previous.clone());
    }
    json!({
        "id": id,
        "object": "event",
        "api_version": API_VERSION,
        "created": told.created_at.as_second(),
        "data": data,
        "livemode": false,
        "pending_webhooks": 1,
        "request": {
            "id": cause.map(|cause| &cause.request_id),
            "idempotency_key": cause.and_then(|cause| cause.idempotency_key.as_ref()),
        },
        "type": told.kind,
    })
}
