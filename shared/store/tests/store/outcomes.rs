//! What became of a commit: it happened, it did not, somebody came first, or nobody knows.

use std::time::Duration;

use store::error::{CommitError, StoreError};
use store::load::{Want, WantOrder};

use crate::place::{Place, SDK_SENDS_MAX, on_every_place};
use crate::records::{booking, next_order, opened, token};
use crate::wrap::{Fault, Wrap, cancelled, error};

const COMMIT: &str = "TransactWriteItems";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Applied,
    Conflict,
    NotApplied,
    Unknown,
}

fn outcome(result: &Result<(), CommitError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Applied,
        Err(CommitError::Conflict) => Outcome::Conflict,
        Err(CommitError::NotApplied(_)) => Outcome::NotApplied,
        Err(CommitError::Unknown(_)) => Outcome::Unknown,
    }
}

/// Whether it really happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Once,
    None,
}

async fn check(place: &Place, case: &str, wrap: Wrap, expected: Outcome, effect: Effect) {
    let booking = opened(&place.store, "alice", case).await;
    let change = next_order(&booking, 1);
    let store = place.through_within(&wrap, Duration::from_secs(2));
    let result = store.commit(&change, &token()).await;
    assert_eq!(outcome(&result), expected, "{case}: {result:?}");
    let stored = place.store.booking(&booking.booking_id).await.unwrap().unwrap();
    let now = if effect == Effect::Once { change.booking } else { booking };
    assert_eq!(stored, now, "{case}");
}

#[tokio::test]
async fn refusals_before_any_effect_are_no_effect() {
    on_every_place(async |place| {
        for (case, body, expected) in [
            ("throttled", error("ThrottlingException"), Outcome::NotApplied),
            ("limit", error("ProvisionedThroughputExceededException"), Outcome::NotApplied),
            ("invalid", error("ValidationException"), Outcome::NotApplied),
            ("denied", error("AccessDeniedException"), Outcome::NotApplied),
            ("no-table", error("ResourceNotFoundException"), Outcome::NotApplied),
            ("token", error("IdempotentParameterMismatchException"), Outcome::NotApplied),
            ("throttled-inside", cancelled(&["None", "ThrottlingError"]), Outcome::NotApplied),
            ("lost", cancelled(&["ConditionalCheckFailed", "None"]), Outcome::Conflict),
            ("lost-marker", cancelled(&["None", "ConditionalCheckFailed"]), Outcome::Conflict),
            ("raced", cancelled(&["TransactionConflict", "None"]), Outcome::Conflict),
        ] {
            let wrap = Wrap::of(COMMIT).always(Fault::Instead(400, body));
            check(place, case, wrap, expected, Effect::None).await;
        }
    })
    .await;
}

#[tokio::test]
async fn without_a_clear_answer_the_outcome_is_unknown() {
    on_every_place(async |place| {
        let server = || error("InternalServerError");
        for (case, fault, effect) in [
            ("500-before", Fault::Instead(500, server()), Effect::None),
            ("500-after", Fault::After(500, server()), Effect::Once),
            ("503-before", Fault::Instead(503, error("ServiceUnavailable")), Effect::None),
            ("running", Fault::Instead(400, error("TransactionInProgressException")), Effect::None),
            ("dropped-before", Fault::DroppedBefore, Effect::None),
            ("dropped-after", Fault::DroppedAfter, Effect::Once),
            ("garbled-after", Fault::GarbledAfter, Effect::Once),
        ] {
            let wrap = Wrap::of(COMMIT).always(fault);
            check(place, case, wrap, Outcome::Unknown, effect).await;
        }
    })
    .await;
}

#[tokio::test]
async fn no_answer_in_time_is_unknown() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "silent").await;
        let change = next_order(&booking, 1);
        let wrap = Wrap::of(COMMIT).always(Fault::SilentAfter);
        let store = place.through_within(&wrap, Duration::from_millis(50));
        let result = store.commit(&change, &token()).await;
        assert_eq!(outcome(&result), Outcome::Unknown, "{result:?}");
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_found_by_sending_again() {
    on_every_place(async |place| {
        let running = Fault::Instead(400, error("TransactionInProgressException"));
        for (case, faults) in [
            ("dropped-before", vec![Fault::DroppedBefore]),
            ("dropped-after", vec![Fault::DroppedAfter]),
            ("500-after", vec![Fault::After(500, error("InternalServerError"))]),
            ("still-running", vec![Fault::DroppedAfter, running]),
            ("more-than-the-sdk-sends", vec![Fault::DroppedAfter; 3]),
        ] {
            let wrap = Wrap::of(COMMIT).once(&faults);
            check(place, case, wrap, Outcome::Applied, Effect::Once).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_a_later_sending_says_nothing_of_an_earlier_one() {
    on_every_place(async |place| {
        let throttled = || Fault::Instead(400, error("ThrottlingException"));
        let raced = || Fault::Instead(400, cancelled(&["TransactionConflict"]));
        for (case, first, later) in [
            ("dropped-throttled", Fault::DroppedAfter, throttled()),
            ("500-throttled", Fault::After(500, error("InternalServerError")), throttled()),
            ("garbled-throttled", Fault::GarbledAfter, throttled()),
            ("dropped-raced", Fault::DroppedAfter, raced()),
        ] {
            // Within the SDK's own sendings, and from its last one to the adapter's next call.
            for before in [1, SDK_SENDS_MAX] {
                let lost = vec![first.clone(); usize::try_from(before).unwrap()];
                let wrap = Wrap::of(COMMIT).once(&lost).always(later.clone());
                let case = format!("{case}-{before}");
                check(place, &case, wrap, Outcome::Unknown, Effect::Once).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_sending_leaves_it_unknown_whatever_follows() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "silent").await;
        let wrap = Wrap::of(COMMIT)
            .once(&[Fault::SilentAfter])
            .always(Fault::Instead(400, error("ThrottlingException")));
        let store = place.through_within(&wrap, Duration::from_millis(200));
        let result = store.commit(&next_order(&booking, 1), &token()).await;
        assert_eq!(outcome(&result), Outcome::Unknown, "{result:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_bytes_and_not_without_end() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "again").await;
        let wrap = Wrap::of(COMMIT).always(Fault::DroppedBefore);
        let result = place.through(&wrap).commit(&next_order(&booking, 1), "0123abcd").await;
        assert_eq!(outcome(&result), Outcome::Unknown);
        let bodies = wrap.bodies();
        assert_eq!(bodies.len(), usize::try_from(SDK_SENDS_MAX).unwrap().strict_mul(2));
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        let body: serde_json::Value = serde_json::from_slice(&bodies[0]).unwrap();
        assert_eq!(body["ClientRequestToken"], "0123abcd");
    })
    .await;
}

#[tokio::test]
async fn what_came_first_is_told_at_once() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "at-once").await;
        let wrap = Wrap::of(COMMIT);
        let store = place.through(&wrap);
        store.commit(&next_order(&booking, 1), &token()).await.unwrap();
        let lost = store.commit(&next_order(&booking, 2), &token()).await;
        assert_eq!(outcome(&lost), Outcome::Conflict);
        assert_eq!(wrap.bodies().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_opening_that_is_not_known_is_not_taken_for_an_older_booking() {
    on_every_place(async |place| {
        let wrap = Wrap::of(COMMIT).always(Fault::DroppedAfter);
        let opening = place.through(&wrap).open_booking(&booking("alice", "k"), &token()).await;
        assert!(matches!(opening, Err(CommitError::Unknown(_))), "{opening:?}");
    })
    .await;
}

#[tokio::test]
async fn a_read_without_an_answer_is_unavailable() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "k").await;
        let id = &booking.booking_id;
        let broken =
            |operation| place.through(&Wrap::of(operation).always(Fault::Instead(500, error("x"))));
        let unavailable = |result: Result<(), StoreError>| {
            assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        };
        unavailable(broken("GetItem").booking(id).await.map(drop));
        unavailable(broken("Query").booking_with_orders(id).await.map(drop));
        unavailable(broken("Query").bookings_of("alice", None).await.map(drop));
        unavailable(broken("BatchGetItem").bookings_of("alice", None).await.map(drop));
        let want = Want { booking_id: id, product: false, order: WantOrder::Live };
        unavailable(broken("BatchGetItem").load(want).await.map(drop));
        unavailable(broken("Query").orders_from(id, 0).await.map(drop));
        unavailable(broken("Query").task_places(0, None, 1).await.map(drop));
        unavailable(broken("Scan").records_page(None).await.map(drop));
    })
    .await;
}
