//! The one place where a decision meets the store: load, decide, commit, and again when lost.

use std::time::Duration;

use api::problem::{Problem, Refused};
use api::request::Claimant;
use domain::booking::Booking;
use domain::change::{Change, UnmatchedChange};
use domain::decide::Rejection;
use store::error::CommitError;
use store::load::{Loaded, Want};

use crate::deps::Deps;
use crate::telemetry::{Metric, count, know_booking};

/// How often a change is decided and committed before giving up.
pub const TRIES_MAX: u32 = 8;
/// The longest wait after the first lost race; it doubles with each.
const BACKOFF: Duration = Duration::from_millis(8);

/// What a decision asks for.
#[derive(Debug)]
pub enum Step<T> {
    /// Commit this, and then answer that.
    Commit(Box<Change>, T),
    /// Nothing to write.
    Done(T),
}

/// Loads, decides and commits until a commit wins, at most [`TRIES_MAX`] times.
///
/// `want` says what to read at each try, from 0. A commit whose outcome stays unknown is followed
/// by a reload: the derived ids show the next decision whether it happened.
///
/// # Errors
/// What `decide` refuses with; [`Problem::NotFound`] without such a booking;
/// [`Problem::VersionConflict`] when every race was lost; [`Problem::StoreUnavailable`].
pub async fn apply<'w, T>(
    deps: &Deps,
    want: impl Fn(u32) -> Want<'w>,
    decide: impl Fn(&Loaded) -> Result<Step<T>, Problem>,
) -> Result<T, Problem> {
    let mut last = Problem::VersionConflict;
    for tries in 0..TRIES_MAX {
        back_off(deps, tries).await;
        let loaded = deps.store.load(want(tries)).await?.ok_or(Problem::NotFound)?;
        know_booking(&loaded.booking.booking_id);
        let (change, answer) = match decide(&loaded)? {
            Step::Done(answer) => return Ok(answer),
            Step::Commit(change, answer) => (change, answer),
        };
        match deps.store.commit(&change, &deps.request_token()).await {
            Ok(()) => return Ok(answer),
            Err(CommitError::Conflict) => {
                count_race_lost();
                last = CommitError::Conflict.into();
            }
            Err(error @ CommitError::Unknown(_)) => last = error.into(),
            Err(error @ CommitError::NotApplied(_)) => return Err(error.into()),
        }
    }
    Err(last)
}

/// Waits a random moment before another try, longer with each; not before the first, which is 0.
pub async fn back_off(deps: &Deps, tries: u32) {
    if tries > 0 {
        let longest = BACKOFF.checked_mul(1 << tries.min(TRIES_MAX)).unwrap_or(BACKOFF);
        deps.wait_up_to(longest).await;
    }
}

/// Commits a change that holds only for the version that was read, such as a gateway's negative
/// answer. `false` if somebody else came first: then ask again.
///
/// # Errors
/// [`Problem::StoreUnavailable`]; the outcome may be unknown.
pub async fn commit_once(deps: &Deps, change: &Change) -> Result<bool, Problem> {
    won(deps.store.commit(change, &deps.request_token()).await)
}

/// Commits a change of unmatched money that holds only for the version that was read, like
/// [`commit_once`].
///
/// # Errors
/// Like [`commit_once`].
pub async fn commit_unmatched_once(deps: &Deps, change: &UnmatchedChange) -> Result<bool, Problem> {
    won(deps.store.update_unmatched(change, &deps.request_token()).await)
}

fn won(outcome: Result<(), CommitError>) -> Result<bool, Problem> {
    match outcome {
        Ok(()) => Ok(true),
        Err(CommitError::Conflict) => {
            count_race_lost();
            Ok(false)
        }
        Err(error @ (CommitError::NotApplied(_) | CommitError::Unknown(_))) => Err(error.into()),
    }
}

fn count_race_lost() {
    count(Metric::RacesLost, &[], "");
}

/// Refuses a booking that is not the claimant's as if it did not exist.
///
/// # Errors
/// [`Problem::NotFound`].
pub fn check_owner(booking: &Booking, claimant: Claimant<'_>) -> Result<(), Problem> {
    if claimant.may_have(booking) { Ok(()) } else { Err(Problem::NotFound) }
}

/// What the caller is told of a refusal.
#[must_use]
pub fn refuse(deps: &Deps, booking: &Booking, rejection: Rejection) -> Problem {
    let refused = Refused { booking, ids: &deps.ids, fresh: deps.fresh(), on: deps.view() };
    Problem::rejected(rejection, &refused)
}
