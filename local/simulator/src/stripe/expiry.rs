//! Sessions end by themselves: at their time, or when the next call looks at the clock.

use std::time::Duration;

use jiff::Timestamp;

use super::book::{Change, Expired, Session};
use super::execution::{Execution, Told};
use super::objects;
use crate::error::JournalError;
use crate::ledger::Subject;
use crate::state::Shared;

/// How long it is until then; nothing where it has passed.
pub(super) fn wait(expires_at: Timestamp, now: Timestamp) -> Duration {
    expires_at.duration_since(now).try_into().unwrap_or_default()
}

/// Expires every open session whose time has come.
pub(crate) fn expire_due(shared: &Shared) -> Result<(), JournalError> {
    let now = shared.now();
    let mut state = shared.lock();
    let due: Vec<Session> = state
        .ledger
        .stripe()
        .open_sessions()
        .take_while(|session| session.expires_at <= now)
        .cloned()
        .collect();
    let mut execution = Execution::new(shared, &mut state);
    for mut session in due {
        let expired_at = session.expires_at;
        expire(&mut execution, &mut session, Expired::ByClock, expired_at);
    }
    let jobs = execution.commit()?;
    drop(state);
    shared.start(jobs);
    Ok(())
}

/// Ends an open session, and says so.
pub(super) fn expire(
    execution: &mut Execution<'_>,
    session: &mut Session,
    why: Expired,
    at: Timestamp,
) {
    session.expired = Some(why);
    let tried = session.shown_intent().and_then(|id| execution.state.ledger.stripe().intent(id));
    let told = Told::new("checkout.session.expired", at, objects::session(session, tried));
    execution.change(Change::Session(session.clone()));
    // No transaction exists that could count its deliveries.
    let subject = Subject::Transaction(session.id.clone());
    execution.tell(&session.payment, &subject, vec![told]);
}
