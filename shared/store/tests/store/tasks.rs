//! Due tasks: found by time, claimed by one, gone when done.

use std::collections::HashSet;

use domain::change::Change;
use domain::task::Task;
use jiff::Timestamp;
use store::Store;
use store::batch::OF_BOOKING_MAX;
use store::index::PageStart;
use store::schema::DUE_SHARDS;
use store::tasks::DueTask;

use crate::place::{Place, eventually, on_every_place};
use crate::records::{booking, close_task, commit, next_order, opened, t, with_tasks};

const LIMIT: u32 = 100;

/// What is due in any shard: sort keys and times, shard by shard.
async fn due(store: &Store, now: Timestamp) -> Vec<(String, i64)> {
    let mut all = vec![];
    for shard in 0..DUE_SHARDS {
        let found = store.due_tasks(shard, now, LIMIT).await.unwrap();
        all.extend(found.into_iter().map(|one| (one.key.sk, one.due_at_ms)));
    }
    all
}

fn named(task: &Task) -> (String, i64) {
    (format!("task#{}", task.id().as_str()), task.due_at.as_millisecond())
}

/// A task as the index shows it.
async fn indexed(place: &Place, task: &Task) -> DueTask {
    eventually(vec![named(task)], async || due(&place.store, task.due_at).await).await;
    for shard in 0..DUE_SHARDS {
        let found = place.store.due_tasks(shard, task.due_at, LIMIT).await.unwrap();
        if let Some(one) = found.into_iter().next() {
            return one;
        }
    }
    panic!("{task:?} is not due");
}

/// One stored task, due at 0, and how the index shows it.
async fn one_task(place: &Place) -> (Task, DueTask) {
    let task = close_task(&booking("alice", "k").booking_id, 1, 0);
    with_tasks(&place.store, "k", vec![task.clone()]).await;
    let due = indexed(place, &task).await;
    (task, due)
}

#[tokio::test]
async fn only_tasks_are_in_the_index_the_longest_due_first_and_none_before_its_time() {
    on_every_place(async |place| {
        let id = booking("alice", "k").booking_id;
        let tasks = [(1, 300), (2, 100), (3, 200), (4, 400)];
        let [third, first, second, fourth] = tasks.map(|(n, due_ms)| close_task(&id, n, due_ms));
        let all = vec![third.clone(), first.clone(), second.clone(), fourth];
        let booking = with_tasks(&place.store, "k", all).await;
        commit(&place.store, next_order(&booking, 1)).await;
        for (now, expected) in [
            (99, vec![]),
            (100, vec![&first]),
            (299, vec![&first, &second]),
            (300, vec![&first, &second, &third]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(named).collect();
            eventually(expected, async || due(&place.store, t(now)).await).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_holds_the_longest_due() {
    on_every_place(async |place| {
        let id = booking("alice", "k").booking_id;
        let tasks: Vec<Task> =
            (0..10).rev().map(|n| close_task(&id, n, i64::from(n).strict_mul(10))).collect();
        let expected: Vec<_> = tasks.iter().rev().take(3).map(named).collect();
        with_tasks(&place.store, "k", tasks).await;
        let first_three = async || {
            let mut all = vec![];
            for shard in 0..DUE_SHARDS {
                let page = place.store.due_tasks(shard, t(1_000), 3).await.unwrap();
                all.extend(page.into_iter().map(|one| (one.key.sk, one.due_at_ms)));
            }
            all
        };
        eventually(expected, first_three).await;
    })
    .await;
}

#[tokio::test]
async fn tasks_of_many_bookings_are_spread_over_every_shard_and_all_are_found() {
    on_every_place(async |place| {
        let mut written = HashSet::new();
        for number in 0..40_u8 {
            let key = number.to_string();
            let task = close_task(&booking("alice", &key).booking_id, number, 0);
            with_tasks(&place.store, &key, vec![task.clone()]).await;
            written.insert(named(&task));
        }
        let all = async || due(&place.store, t(0)).await.into_iter().collect::<HashSet<_>>();
        eventually(written, all).await;
        for shard in 0..DUE_SHARDS {
            let found = place.store.due_tasks(shard, t(0), LIMIT).await.unwrap().len();
            assert!((1..40).contains(&found), "shard {shard} has {found}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_claimed_task_is_nobody_elses_until_its_lease_ends() {
    on_every_place(async |place| {
        let store = &place.store;
        let (task, due_task) = one_task(place).await;
        let claimed = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
        assert_eq!(claimed, Task { due_at: t(60_000), tries: 1, ..task.clone() });
        assert_eq!(store.claim_task(&due_task, t(60_000)).await.unwrap(), None);
        eventually(vec![], async || due(store, t(59_999)).await).await;
        let again = indexed(place, &claimed).await;
        let claimed = store.claim_task(&again, t(120_000)).await.unwrap().unwrap();
        assert_eq!(claimed.tries, 2);
        assert_eq!(store.task(&task.booking_id, &task.id()).await.unwrap(), Some(claimed));
    })
    .await;
}

#[tokio::test]
async fn of_two_that_claim_at_once_one_gets_it() {
    on_every_place(async |place| {
        let (_, due_task) = one_task(place).await;
        let (a, b) = tokio::join!(
            place.store.claim_task(&due_task, t(60_000)),
            place.store.claim_task(&due_task, t(60_001))
        );
        assert_eq!([a.unwrap(), b.unwrap()].iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_task_put_off_is_due_again_later() {
    on_every_place(async |place| {
        let store = &place.store;
        let (task, due_task) = one_task(place).await;
        let claimed = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
        let next = Task { due_at: t(5_000), tries: 0, ..claimed.clone() };
        store.put_off_task(&claimed, &next).await.unwrap();
        let stored = async || store.task(&task.booking_id, &task.id()).await.unwrap();
        assert_eq!(stored().await, Some(next.clone()));
        // A flag stays through later claims and waits.
        let due_task = indexed(place, &next).await;
        let claimed = store.claim_task(&due_task, t(70_000)).await.unwrap().unwrap();
        let attention = Some("many_tries".to_owned());
        let flagged = Task { due_at: t(9_000), attention, ..claimed.clone() };
        store.put_off_task(&claimed, &flagged).await.unwrap();
        assert_eq!(stored().await, Some(flagged.clone()));
        let due_task = indexed(place, &flagged).await;
        let claimed = store.claim_task(&due_task, t(80_000)).await.unwrap().unwrap();
        assert_eq!(claimed.attention, flagged.attention);
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_the_claim_neither_puts_off_nor_finishes() {
    on_every_place(async |place| {
        let store = &place.store;
        let (task, due_task) = one_task(place).await;
        let slow = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
        let due_task = indexed(place, &slow).await;
        let newer = store.claim_task(&due_task, t(120_000)).await.unwrap().unwrap();
        store.put_off_task(&slow, &Task { due_at: t(1), ..slow.clone() }).await.unwrap();
        store.finish_task(&slow).await.unwrap();
        let stored = store.task(&task.booking_id, &task.id()).await.unwrap();
        assert_eq!(stored, Some(newer.clone()));
        store.finish_task(&newer).await.unwrap();
        assert_eq!(store.task(&task.booking_id, &task.id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_task_written_anew_while_it_is_worked_on_stays() {
    on_every_place(async |place| {
        let store = &place.store;
        let task = close_task(&booking("alice", "k").booking_id, 1, 0);
        let booking = with_tasks(store, "k", vec![task.clone()]).await;
        let due_task = indexed(place, &task).await;
        let claimed = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
        let anew = Task { due_at: t(7), ..task.clone() };
        commit(store, Change { tasks: vec![anew.clone()], ..Change::of(&booking) }).await;
        store.finish_task(&claimed).await.unwrap();
        store.put_off_task(&claimed, &Task { due_at: t(1), ..claimed.clone() }).await.unwrap();
        assert_eq!(store.task(&task.booking_id, &task.id()).await.unwrap(), Some(anew));
    })
    .await;
}

#[tokio::test]
async fn a_task_that_is_done_is_gone_and_does_not_come_back() {
    on_every_place(async |place| {
        let store = &place.store;
        for by_commit in [false, true] {
            let key = by_commit.to_string();
            let task = close_task(&booking("alice", &key).booking_id, 1, 0);
            let booking = with_tasks(store, &key, vec![task.clone()]).await;
            let due_task = indexed(place, &task).await;
            let claimed = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
            if by_commit {
                commit(store, Change { done: vec![task.id()], ..Change::of(&booking) }).await;
            } else {
                store.finish_task(&claimed).await.unwrap();
            }
            store.finish_task(&claimed).await.unwrap();
            store.put_off_task(&claimed, &claimed).await.unwrap();
            assert_eq!(store.claim_task(&due_task, t(60_000)).await.unwrap(), None);
            assert_eq!(store.task(&task.booking_id, &task.id()).await.unwrap(), None);
            eventually(vec![], async || due(store, t(1_000_000)).await).await;
        }
    })
    .await;
}

#[tokio::test]
async fn claiming_does_not_touch_the_booking() {
    on_every_place(async |place| {
        let store = &place.store;
        let (task, due_task) = one_task(place).await;
        let before = store.booking(&task.booking_id).await.unwrap();
        let claimed = store.claim_task(&due_task, t(60_000)).await.unwrap().unwrap();
        store.finish_task(&claimed).await.unwrap();
        assert_eq!(store.booking(&task.booking_id).await.unwrap(), before);
        // Nor does a booking without tasks show up anywhere.
        opened(store, "alice", "without").await;
        eventually(vec![], async || due(store, t(1_000_000)).await).await;
    })
    .await;
}

#[tokio::test]
async fn all_tasks_of_a_shard_are_shown_page_by_page_whether_they_are_due_or_not() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking_id = booking("alice", "k").booking_id;
        let due_ms = [5, 3, 3, 9, 1].into_iter().zip(0..);
        let tasks: Vec<_> = due_ms.map(|(due, it)| close_task(&booking_id, it, due)).collect();
        let stored = with_tasks(store, "k", tasks.clone()).await;
        let mut expected: Vec<_> = tasks.iter().map(named).collect();
        expected.sort_by_key(|(_, due_at_ms)| *due_at_ms);
        eventually(5, async || due(store, t(9)).await.len()).await;
        for limit in [1, 2, 5, 6] {
            let mut found = vec![];
            for shard in 0..DUE_SHARDS {
                let mut from = None;
                loop {
                    let places = store.task_places(shard, from.as_ref(), limit).await.unwrap();
                    let Some(last) = places.last() else { break };
                    assert_eq!(PageStart::parse(&last.to_text()).as_ref(), Some(last));
                    from = Some(last.clone());
                    found.extend(store.tasks_at(&places).await.unwrap());
                }
            }
            let shown: Vec<i64> = found.iter().map(|it| it.due_at.as_millisecond()).collect();
            let in_order: Vec<i64> = expected.iter().map(|(_, due_at_ms)| *due_at_ms).collect();
            assert_eq!(shown, in_order, "{limit} a page");
            let names = |found: &[Task]| found.iter().map(named).collect::<HashSet<_>>();
            assert_eq!(names(&found), expected.iter().cloned().collect());
        }
        let of_booking = store.tasks_of(&stored.booking_id).await.unwrap();
        assert_eq!(of_booking.len(), 5);
        assert_eq!(store.tasks_of(&booking("bob", "k").booking_id).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_tasks_of_one_booking_are_read_in_bounds() {
    on_every_place(async |place| {
        let booking_id = booking("alice", "k").booking_id;
        let many = u8::try_from(OF_BOOKING_MAX).unwrap().strict_add(1);
        let tasks = (0..many).map(|number| close_task(&booking_id, number, 1)).collect();
        with_tasks(&place.store, "k", tasks).await;
        let read = place.store.tasks_of(&booking_id).await.unwrap();
        assert_eq!(read.len(), OF_BOOKING_MAX);
    })
    .await;
}
