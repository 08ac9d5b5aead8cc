//! Writing under a version: one winner, all or nothing, once.

use domain::booking::Booking;
use domain::change::{Change, UnmatchedChange};
use store::error::CommitError;
use store::load::{Loaded, Want, WantOrder};
use store::{Opened, Store};

use crate::place::on_every_place;
use crate::records::{
    IDS, booking, close_task, commit, next_order, opened, order, stored, t, token, unmatched,
    with_tasks,
};
use crate::wrap::{Fault, Wrap, cancelled};

async fn read(store: &Store, booking: &Booking) -> Booking {
    store.booking(&booking.booking_id).await.unwrap().unwrap()
}

async fn made(store: &Store, change: &Change) -> Loaded {
    let (order_id, _) = change.made.as_ref().unwrap();
    let booking_id = &change.booking.booking_id;
    let want = Want { booking_id, product: false, order: WantOrder::ById(order_id) };
    store.load(want).await.unwrap().unwrap()
}

/// Of two changes of one version, the loser left nothing behind.
async fn check_one_won(store: &Store, won: &Change, lost: &Change) {
    assert_eq!(read(store, &won.booking).await, won.booking);
    for (change, is_there) in [(won, true), (lost, false)] {
        let (order_id, _) = change.made.as_ref().unwrap();
        assert_eq!(made(store, change).await.order(order_id).is_some(), is_there);
        for task in &change.tasks {
            let stored = store.task(&task.booking_id, &task.id()).await.unwrap();
            assert_eq!(stored.is_some(), is_there, "{task:?}");
        }
    }
}

#[tokio::test]
async fn of_two_writers_on_one_version_the_first_wins_whichever_it_is() {
    on_every_place(async |place| {
        for key in ["a-then-b", "b-then-a"] {
            let booking = opened(&place.store, "alice", key).await;
            let booking = commit(&place.store, next_order(&booking, 0)).await;
            let of_window = |window: u8| {
                let mut change = next_order(&booking, window);
                change.tasks = vec![close_task(&booking.booking_id, window, 0)];
                change
            };
            let (mut first, mut second) = (of_window(1), of_window(2));
            if key == "b-then-a" {
                std::mem::swap(&mut first, &mut second);
            }
            place.store.commit(&first, &token()).await.unwrap();
            let lost = place.store.commit(&second, &token()).await;
            assert!(matches!(lost, Err(CommitError::Conflict)), "{lost:?}");
            check_one_won(&place.store, &first, &second).await;
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_at_once_one_wins() {
    on_every_place(async |place| {
        for round in 0..10 {
            let booking = opened(&place.store, "alice", &format!("race-{round}")).await;
            let (a, b) = (next_order(&booking, 1), next_order(&booking, 2));
            let (token_a, token_b) = (token(), token());
            let (of_a, of_b) =
                tokio::join!(place.store.commit(&a, &token_a), place.store.commit(&b, &token_b));
            match (of_a, of_b) {
                (Ok(()), Err(CommitError::Conflict)) => check_one_won(&place.store, &a, &b).await,
                (Err(CommitError::Conflict), Ok(())) => check_one_won(&place.store, &b, &a).await,
                both => panic!("{both:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_order_id_that_was_used_stops_the_whole_change() {
    on_every_place(async |place| {
        let store = &place.store;
        let task = close_task(&booking("alice", "k").booking_id, 1, 0);
        let booking = with_tasks(store, "k", vec![task.clone()]).await;
        let used = next_order(&booking, 1);
        let booking = commit(store, used.clone()).await;
        let mut change = next_order(&booking, 2);
        change.made.clone_from(&used.made);
        change.tasks = vec![close_task(&booking.booking_id, 2, 0)];
        change.done = vec![task.id()];
        let refused = store.commit(&change, &token()).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
        assert_eq!(read(store, &booking).await, booking);
        let ended = Want {
            booking_id: &booking.booking_id,
            product: false,
            order: WantOrder::Ended(change.ended[0].seq),
        };
        assert_eq!(store.load(ended).await.unwrap().unwrap().ended, None);
        let written = store.task(&booking.booking_id, &change.tasks[0].id()).await.unwrap();
        assert_eq!(written, None);
        assert_eq!(store.task(&booking.booking_id, &task.id()).await.unwrap(), Some(task.clone()));
    })
    .await;
}

#[tokio::test]
async fn a_change_writes_and_removes_all_that_it_names() {
    on_every_place(async |place| {
        let store = &place.store;
        let needless = close_task(&booking("alice", "k").booking_id, 1, 0);
        let booking = with_tasks(store, "k", vec![needless.clone()]).await;
        let first = commit(store, next_order(&booking, 1)).await;
        let mut change = next_order(&first, 2);
        change.tasks =
            vec![close_task(&booking.booking_id, 2, 0), close_task(&booking.booking_id, 3, 60_000)];
        change.done = vec![needless.id()];
        let next = commit(store, change.clone()).await;
        assert_eq!(read(store, &booking).await, next);
        let ended =
            Want { booking_id: &booking.booking_id, product: false, order: WantOrder::Ended(0) };
        let ended = store.load(ended).await.unwrap().unwrap().ended;
        assert_eq!(ended, Some(stored(&change.ended[0], &next)));
        for task in change.tasks {
            assert_eq!(store.task(&task.booking_id, &task.id()).await.unwrap(), Some(task));
        }
        assert_eq!(store.task(&booking.booking_id, &needless.id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_token_twice_is_one_write() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "k").await;
        let change = next_order(&booking, 1);
        place.store.commit(&change, "once").await.unwrap();
        place.store.commit(&change, "once").await.unwrap();
        assert_eq!(read(&place.store, &booking).await, change.booking);
        let other = place.store.commit(&change, "twice").await;
        assert!(matches!(other, Err(CommitError::Conflict)), "{other:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_never_stored_cannot_be_changed() {
    on_every_place(async |place| {
        let booking = booking("alice", "never");
        let refused = place.store.commit(&next_order(&booking, 1), &token()).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
        assert_eq!(place.store.booking(&booking.booking_id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_booking_is_opened_once() {
    on_every_place(async |place| {
        let store = &place.store;
        let first = opened(store, "alice", "k").await;
        let later = Booking { created_at: t(77), ..first.clone() };
        let again = store.open_booking(&later, &token()).await.unwrap();
        assert_eq!(again, Opened::Before(Box::new(first.clone())));
        // The same customer and key for another product: the caller sees whose key it is.
        let other = Booking {
            booking_id: IDS.booking("alice", "k", &IDS.product_tag("room")),
            product_id: "room".to_owned(),
            ..first.clone()
        };
        let taken = store.open_booking(&other, &token()).await.unwrap();
        assert_eq!(taken, Opened::Before(Box::new(first.clone())));
        assert_eq!(store.bookings_of("alice", None).await.unwrap().bookings, [first]);
    })
    .await;
}

#[tokio::test]
async fn a_booking_opened_by_two_at_once_is_one() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = booking("alice", "k");
        let (a, b) = (token(), token());
        let (a, b) =
            tokio::join!(store.open_booking(&booking, &a), store.open_booking(&booking, &b));
        let before = Opened::Before(Box::new(booking.clone()));
        assert!([&a, &b].into_iter().any(|one| one.as_ref().unwrap() == &Opened::New));
        assert!([&a, &b].into_iter().any(|one| one.as_ref().unwrap() == &before));
    })
    .await;
}

#[tokio::test]
async fn unmatched_money_is_stored_once_and_changed_under_its_version() {
    on_every_place(async |place| {
        let store = &place.store;
        let id = booking("nobody", "k").booking_id;
        let (unmatched, task) = unmatched(&id);
        let (payment, transaction) =
            (unmatched.refund.payment_id.as_str(), unmatched.refund.transaction_id.as_str());
        let read = async || store.unmatched(id.key(), payment, transaction).await.unwrap();
        assert_eq!(read().await, None);
        store.commit_unmatched(&unmatched, &task, &token()).await.unwrap();
        assert_eq!(read().await, Some(unmatched.clone()));
        assert_eq!(store.task(&id, &task.id()).await.unwrap(), Some(task.clone()));
        let again = store.commit_unmatched(&unmatched, &task, &token()).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");

        let mut change = UnmatchedChange::of(&unmatched);
        change.unmatched.refund.attempt = 3;
        change.done = vec![task.id()];
        store.update_unmatched(&change, &token()).await.unwrap();
        assert_eq!(read().await, Some(change.unmatched.clone()));
        assert_eq!(store.task(&id, &task.id()).await.unwrap(), None);
        let lost = store.update_unmatched(&change, &token()).await;
        assert!(matches!(lost, Err(CommitError::Conflict)), "{lost:?}");
    })
    .await;
}

#[tokio::test]
async fn unmatched_money_that_another_is_writing_is_not_taken_for_stored() {
    on_every_place(async |place| {
        let (unmatched, task) = unmatched(&booking("nobody", "k").booking_id);
        let conflict = Fault::Instead(400, cancelled(&["TransactionConflict", "None"]));
        let store = place.through(&Wrap::of("TransactWriteItems").always(conflict));
        let outcome = store.commit_unmatched(&unmatched, &task, &token()).await;
        assert!(matches!(outcome, Err(CommitError::NotApplied(_))), "{outcome:?}");
        place.store.commit_unmatched(&unmatched, &task, &token()).await.unwrap();
        let outcome = store.commit_unmatched(&unmatched, &task, &token()).await;
        assert!(matches!(outcome, Err(CommitError::Conflict)), "{outcome:?}");
    })
    .await;
}

#[tokio::test]
async fn an_order_that_ended_is_stored_as_it_ended_and_again_when_it_changes() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "k").await;
        let booking = commit(&place.store, next_order(&booking, 1)).await;
        let booking = commit(&place.store, next_order(&booking, 2)).await;
        let mut ended = stored(&order(&booking, 0, 1), &booking);
        ended.status = domain::booking::OrderStatus::Expired;
        let change = Change { ended: vec![ended.clone()], ..Change::of(&booking) };
        let booking = commit(&place.store, change).await;
        let read = place.store.booking_with_orders(&booking.booking_id).await.unwrap();
        let ended = stored(&ended, &booking);
        assert_eq!(read, Some((booking, vec![ended])));
    })
    .await;
}
