//! Releasing what waits: read, decide, commit, and again when a race is lost.

use api::problem::Problem;
use domain::attention::{Attention, AttentionId, Audit, Subject};
use domain::decide::release::{
    Release, Waiting, release as release_of_booking, release_unbooked, release_unmatched,
};
use domain::ids::BookingId;
use domain::task::{Record, TaskId};
use runtime::apply::{TRIES_MAX, back_off, commit_once, commit_unmatched_once};
use runtime::deps::Deps;
use store::error::CommitError;
use store::load::{Want, WantOrder};

/// Releases what waits under a name, and answers the audit record of it: the one that is written
/// now, or the one of the same request before.
///
/// # Errors
/// [`Problem::NotFound`] if nothing waits under that name and the last that was done about it is
/// something else; [`Problem::RetryNotPossible`]; [`Problem::VersionConflict`];
/// [`Problem::StoreUnavailable`].
pub(crate) async fn release(
    deps: &Deps,
    (booking_id, attention_id): (&BookingId, &AttentionId),
    release: Release<'_>,
) -> Result<Audit, Problem> {
    for tries in 0..TRIES_MAX {
        back_off(deps, tries).await;
        let Some(attention) = deps.store.attention(booking_id, attention_id).await? else {
            return released_before(deps, (booking_id, attention_id), release).await;
        };
        let audit = match &attention.record {
            Record::Order { order_seq, .. } => {
                release_once(deps, &attention, *order_seq, release).await?
            }
            Record::Unmatched => release_unmatched_once(deps, &attention, release).await?,
        };
        if let Some(audit) = audit {
            log(&audit);
            return Ok(audit);
        }
    }
    Err(Problem::VersionConflict)
}

/// What was done last under that name, if it is what is asked for now.
async fn released_before(
    deps: &Deps,
    (booking_id, attention_id): (&BookingId, &AttentionId),
    release: Release<'_>,
) -> Result<Audit, Problem> {
    let audits = deps.store.audits_of(booking_id).await?;
    let last = audits.into_iter().find(|audit| audit.attention_id == *attention_id);
    last.filter(|audit| audit.action == release.action).ok_or(Problem::NotFound)
}

/// One try on a booking; `None` if somebody else came first.
async fn release_once(
    deps: &Deps,
    attention: &Attention,
    order_seq: u32,
    release: Release<'_>,
) -> Result<Option<Audit>, Problem> {
    let booking_id = &attention.booking_id;
    let want = Want { booking_id, product: false, order: WantOrder::Ended(order_seq) };
    let loaded = match (deps.store.load(want).await?, attention.subject) {
        (Some(loaded), _) => loaded,
        // What a bill has of a booking that is not stored waits all the same.
        (None, Subject::Reconciliation) => {
            return release_unbooked_once(deps, attention, release).await;
        }
        (None, _) => return Err(Problem::NotFound),
    };
    let task = match task_of(attention) {
        Some(task) => deps.store.task(booking_id, &task).await?,
        None => None,
    };
    let order = loaded.order_at(order_seq);
    let waiting = Waiting { attention, order, task: task.as_ref() };
    let change = release_of_booking(&loaded.booking, waiting, release, deps.env())?;
    Ok(commit_once(deps, &change).await?.then_some(change.released).flatten())
}

/// One try on a booking that is not stored; `None` if somebody else came first.
async fn release_unbooked_once(
    deps: &Deps,
    attention: &Attention,
    release: Release<'_>,
) -> Result<Option<Audit>, Problem> {
    let audit = release_unbooked(attention, release, deps.env())?;
    match deps.store.release_unbooked(&audit, &deps.request_token()).await {
        Ok(()) => Ok(Some(audit)),
        Err(CommitError::Conflict) => Ok(None),
        Err(error @ (CommitError::NotApplied(_) | CommitError::Unknown(_))) => Err(error.into()),
    }
}

/// The task whose stored form is needed to try it again.
fn task_of(attention: &Attention) -> Option<TaskId> {
    match attention.subject {
        Subject::ClosePayment => Some(TaskId::close(&attention.payment_id)),
        Subject::QueryPayment => Some(TaskId::query(&attention.payment_id)),
        Subject::Refund | Subject::ForeignRefund | Subject::Dispute | Subject::Reconciliation => {
            None
        }
    }
}

/// One try on unmatched money; `None` if somebody else came first.
async fn release_unmatched_once(
    deps: &Deps,
    attention: &Attention,
    release: Release<'_>,
) -> Result<Option<Audit>, Problem> {
    let (key, payment) = (attention.booking_id.key(), attention.payment_id.as_str());
    let transaction_id = attention.transaction_id.as_deref().unwrap_or_default();
    let stored = deps.store.unmatched(key, payment, transaction_id).await?;
    let stored = stored.ok_or(Problem::NotFound)?;
    let change = release_unmatched(&stored, attention, release, deps.env())?;
    Ok(commit_unmatched_once(deps, &change).await?.then_some(change.released).flatten())
}

/// Tells who did what. The note is for the audit record alone.
fn log(audit: &Audit) {
    tracing::info!(
        operator = audit.by,
        action = audit.action.as_str(),
        booking.id = audit.booking_id.as_str(),
        attention.id = audit.attention_id.as_str(),
        "released"
    );
}
