//! What waits for a person: raised and cleared with what it is about, listed oldest first, audited.

use domain::attention::{Action, Attention, AttentionId, Audit, MANY_TRIES, Subject};
use domain::booking::Booking;
use domain::change::{Change, UnmatchedChange};
use domain::task::{Record, Task};
use store::Store;
use store::attention::PAGE_LEN;
use store::batch::OF_BOOKING_MAX;
use store::error::CommitError;
use store::index::PageStart;
use store::tasks::DueTask;

use crate::place::{Place, eventually, on_every_place};
use crate::records::{
    IDS, booking, close_task, cny, commit, opened, t, token, unmatched, with_tasks,
};
use crate::wrap::{Fault, Wrap};

/// What waits because a task of a booking was tried many times.
pub(crate) fn waiting(booking: &Booking, number: u8, since_ms: i64) -> Attention {
    Attention::of_task(&close_task(&booking.booking_id, number, 0), t(since_ms))
}

pub(crate) fn raise(booking: &Booking, raised: Vec<Attention>) -> Change {
    Change { raised, ..Change::of(booking) }
}

fn audit(of: &Attention, at_ms: i64) -> Audit {
    Audit {
        booking_id: of.booking_id.clone(),
        attention_id: of.attention_id.clone(),
        action: Action::Retry,
        by: "olga".to_owned(),
        note: Some("按客户要求 #1".to_owned()),
        reason: of.reason.clone(),
        since: of.since,
        at: t(at_ms),
    }
}

pub(crate) fn release(booking: &Booking, of: &Attention, at_ms: i64) -> Change {
    Change { released: Some(audit(of, at_ms)), ..Change::of(booking) }
}

async fn stored(store: &Store, of: &Attention) -> Option<Attention> {
    store.attention(&of.booking_id, &of.attention_id).await.unwrap()
}

/// Every page, one after the other.
async fn all_pages(store: &Store) -> Vec<Vec<Attention>> {
    let (mut pages, mut from) = (vec![], None);
    loop {
        let page = store.attention_page(from.as_ref()).await.unwrap();
        pages.push(page.waiting);
        // A caller keeps the start as text.
        let text = page.next.map(|next| next.to_text());
        match text {
            Some(text) => from = Some(PageStart::parse(&text).unwrap()),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn what_waits_comes_back_whole_and_raising_it_twice_is_one() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = opened(store, "alice", "k").await;
        let of_task = waiting(&booking, 1, 100);
        let of_refund = Attention {
            attention_id: AttentionId::foreign_refund(&IDS.refund("p", "t", 1)),
            subject: Subject::ForeignRefund,
            record: Record::Unmatched,
            transaction_id: Some("4200".to_owned()),
            amount: Some(cny(i64::MAX)),
            reason: "ABNORMAL".to_owned(),
            ..waiting(&booking, 2, 50)
        };
        let raised = vec![of_task.clone(), of_refund.clone()];
        let booking = commit(store, raise(&booking, raised)).await;
        for one in [&of_task, &of_refund] {
            assert_eq!(stored(store, one).await.as_ref(), Some(one));
        }
        let later = Attention { since: t(200), reason: "OTHER".to_owned(), ..of_task };
        commit(store, raise(&booking, vec![later.clone()])).await;
        let expected = vec![vec![of_refund, later.clone()]];
        eventually(expected, async || all_pages(store).await).await;
        assert_eq!(store.attention_of(&later.booking_id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_waits_is_found_under_the_whole_id_of_its_booking_only() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = opened(store, "alice", "k").await;
        let one = waiting(&booking, 1, 100);
        let booking = commit(store, raise(&booking, vec![one.clone()])).await;
        commit(store, release(&booking, &one, 300)).await;
        let booking = store.booking(&booking.booking_id).await.unwrap().unwrap();
        commit(store, raise(&booking, vec![one.clone()])).await;
        // The same key, and the tag of another product.
        let other = IDS.booking("alice", "k", &IDS.product_tag("room"));
        assert_eq!(other.key(), booking.booking_id.key());
        assert_eq!(store.attention(&other, &one.attention_id).await.unwrap(), None);
        assert_eq!(store.attention_of(&other).await.unwrap(), []);
        assert_eq!(store.audits_of(&other).await.unwrap(), []);
        assert_eq!(store.attention_of(&booking.booking_id).await.unwrap(), [one]);
        assert_eq!(store.audits_of(&booking.booking_id).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn pages_are_full_in_order_and_meet_without_a_gap_even_where_all_is_of_one_moment() {
    on_every_place(async |place| {
        let store = &place.store;
        for (key, apart_ms) in [("apart", 10), ("at-once", 0)] {
            let booking = opened(store, "alice", key).await;
            let count = u8::try_from(PAGE_LEN).unwrap().strict_mul(2).strict_add(1);
            let since = |number| i64::from(number).strict_mul(apart_ms).strict_add(1_000);
            let all: Vec<_> = (0..count).rev().map(|n| waiting(&booking, n, since(n))).collect();
            let booking = commit(store, raise(&booking, all.clone())).await;
            let lengths = async || {
                let pages = all_pages(store).await;
                pages.iter().map(Vec::len).collect::<Vec<_>>()
            };
            eventually(vec![PAGE_LEN, PAGE_LEN, 1], lengths).await;
            let listed: Vec<_> = all_pages(store).await.concat();
            assert!(listed.is_sorted_by_key(|one| one.since));
            for one in &all {
                assert_eq!(listed.iter().filter(|it| *it == one).count(), 1, "{key}");
            }
            assert_eq!(
                store.attention_of(&booking.booking_id).await.unwrap().len(),
                OF_BOOKING_MAX
            );
            let cleared = all.into_iter().map(|one| one.attention_id).collect();
            commit(store, Change { cleared, ..Change::of(&booking) }).await;
            eventually(vec![Vec::<Attention>::new()], async || all_pages(store).await).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_exactly_full_is_the_last_one() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut booking = opened(store, "alice", "k").await;
        for number in 0..u8::try_from(PAGE_LEN).unwrap() {
            booking = commit(store, raise(&booking, vec![waiting(&booking, number, 1)])).await;
        }
        let lengths = async || all_pages(store).await.iter().map(Vec::len).collect::<Vec<_>>();
        eventually(vec![PAGE_LEN], lengths).await;
    })
    .await;
}

#[test]
fn only_what_a_page_gave_is_where_the_next_one_starts() {
    let (key, id) = ("a".repeat(22), format!("refund-{}", "b".repeat(32)));
    let good = format!("1772323200000.{key}.{id}");
    assert_eq!(PageStart::parse(&good).unwrap().to_text(), good);
    for bad in [
        String::new(),
        format!("{good}.x"),
        format!("x.{key}.{id}"),
        format!("1.{}.{id}", "a".repeat(21)),
        format!("1.{}.{id}", "A".repeat(22)),
        format!("1.{key}.refund#{}", "b".repeat(32)),
        format!("1.{key}"),
    ] {
        assert_eq!(PageStart::parse(&bad), None, "{bad}");
    }
}

#[tokio::test]
async fn what_was_released_or_raised_anew_since_it_was_read_is_not_released_again() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = opened(store, "alice", "k").await;
        let one = waiting(&booking, 1, 100);
        let booking = commit(store, raise(&booking, vec![one.clone()])).await;
        let change = release(&booking, &one, 300);
        let booking = commit(store, change.clone()).await;
        assert_eq!(stored(store, &one).await, None);
        assert_eq!(store.audits_of(&one.booking_id).await.unwrap(), [audit(&one, 300)]);
        let again = store.commit(&release(&booking, &one, 301), &token()).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");
        let anew = Attention { since: t(101), ..one.clone() };
        let booking = commit(store, raise(&booking, vec![anew.clone()])).await;
        let again = store.commit(&release(&booking, &one, 301), &token()).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");
        assert_eq!(stored(store, &one).await, Some(anew));
        assert_eq!(store.audits_of(&one.booking_id).await.unwrap().len(), 1);
        assert_eq!(store.booking(&one.booking_id).await.unwrap(), Some(booking));
    })
    .await;
}

#[tokio::test]
async fn the_newest_audit_records_are_read_newest_first() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut booking = opened(store, "alice", "k").await;
        let mut all = vec![];
        for number in 0..u8::try_from(OF_BOOKING_MAX).unwrap().strict_add(1) {
            let one = waiting(&booking, number, 1);
            booking = commit(store, raise(&booking, vec![one.clone()])).await;
            // Times of different lengths as text: they are in order all the same.
            let at_ms = 10_i64.strict_pow(10).strict_mul(i64::from(number));
            booking = commit(store, release(&booking, &one, at_ms)).await;
            all.insert(0, audit(&one, at_ms));
        }
        all.truncate(OF_BOOKING_MAX);
        assert_eq!(store.audits_of(&booking.booking_id).await.unwrap(), all);
        assert_eq!(store.attention_of(&booking.booking_id).await.unwrap(), []);
    })
    .await;
}

/// A claimed task with its flag, and what it has raised.
async fn flagged(place: &Place, key: &str) -> (Booking, Task, Attention) {
    let store = &place.store;
    let id = booking("alice", key).booking_id;
    let task = close_task(&id, 1, 0);
    let booking = with_tasks(store, key, vec![task.clone()]).await;
    let claimed = claim(place, &task).await;
    let raised = Attention::of_task(&claimed, t(100));
    let next = Task { due_at: t(5_000), attention: Some(MANY_TRIES.to_owned()), ..claimed.clone() };
    store.flag_task(&claimed, &next, &raised).await.unwrap();
    assert_eq!(store.task(&id, &task.id()).await.unwrap(), Some(next.clone()));
    assert_eq!(stored(store, &raised).await.as_ref(), Some(&raised));
    (booking, next, raised)
}

async fn claim(place: &Place, task: &Task) -> Task {
    let pk = format!("booking#{}", task.booking_id.key());
    let key = store::schema::Key { pk, sk: format!("task#{}", task.id().as_str()) };
    let due = DueTask { key, due_at_ms: task.due_at.as_millisecond() };
    place.store.claim_task(&due, t(60_000)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_flagged_task_takes_what_it_raised_with_it_when_it_is_finished() {
    on_every_place(async |place| {
        let (_, next, raised) = flagged(place, "k").await;
        let claimed = claim(place, &next).await;
        // Whoever lost the claim removes neither.
        let slow = Task { due_at: t(59_999), ..claimed.clone() };
        place.store.finish_task(&slow).await.unwrap();
        assert_eq!(stored(&place.store, &raised).await.as_ref(), Some(&raised));
        place.store.finish_task(&claimed).await.unwrap();
        assert_eq!(stored(&place.store, &raised).await, None);
        assert_eq!(place.store.task(&next.booking_id, &next.id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_flagged_task_that_a_commit_makes_needless_takes_what_it_raised_with_it() {
    on_every_place(async |place| {
        let (booking, next, raised) = flagged(place, "k").await;
        let store = &place.store;
        let change = Change { done: vec![next.id()], ..Change::of(&booking) };
        let after = commit(store, change.clone()).await;
        assert_eq!(stored(store, &raised).await, None);
        assert_eq!(store.task(&next.booking_id, &next.id()).await.unwrap(), None);
        assert_eq!(store.booking(&booking.booking_id).await.unwrap(), Some(after));
        // A race that was lost is lost, flagged or not.
        let (booking, next, raised) = flagged(place, "other").await;
        let late = Change { done: vec![next.id()], ..Change::of(&booking) };
        commit(store, Change::of(&booking)).await;
        let lost = store.commit(&late, &token()).await;
        assert!(matches!(lost, Err(CommitError::Conflict)), "{lost:?}");
        assert_eq!(stored(store, &raised).await.as_ref(), Some(&raised));
        assert!(store.task(&next.booking_id, &next.id()).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn what_a_change_itself_raises_or_clears_is_not_touched_by_the_end_of_its_flagged_task() {
    on_every_place(async |place| {
        let store = &place.store;
        for (key, is_raised) in [("raised", true), ("cleared", false)] {
            let (booking, next, raised) = flagged(place, key).await;
            let anew = Attention { reason: "REFUSED".to_owned(), since: t(200), ..raised.clone() };
            let mut change = Change { done: vec![next.id()], ..Change::of(&booking) };
            match is_raised {
                true => change.raised = vec![anew.clone()],
                false => change.cleared = vec![raised.attention_id.clone()],
            }
            commit(store, change).await;
            assert_eq!(stored(store, &raised).await, is_raised.then_some(anew));
            assert_eq!(store.task(&next.booking_id, &next.id()).await.unwrap(), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_task_that_was_claimed_anew_or_is_done_is_not_flagged() {
    on_every_place(async |place| {
        let store = &place.store;
        let id = booking("alice", "k").booking_id;
        let task = close_task(&id, 1, 0);
        with_tasks(store, "k", vec![task.clone()]).await;
        let claimed = claim(place, &task).await;
        let next =
            Task { due_at: t(5_000), attention: Some(MANY_TRIES.to_owned()), ..claimed.clone() };
        let raised = Attention::of_task(&claimed, t(100));
        let lost = Task { due_at: t(59_999), ..claimed.clone() };
        store.flag_task(&lost, &next, &raised).await.unwrap();
        assert_eq!(store.task(&id, &task.id()).await.unwrap(), Some(claimed.clone()));
        assert_eq!(stored(store, &raised).await, None);
        store.finish_task(&claimed).await.unwrap();
        store.flag_task(&claimed, &next, &raised).await.unwrap();
        assert_eq!(store.task(&id, &task.id()).await.unwrap(), None);
        assert_eq!(stored(store, &raised).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_flag_that_the_store_did_not_take_is_reported_and_not_swallowed() {
    on_every_place(async |place| {
        let id = booking("alice", "k").booking_id;
        let task = close_task(&id, 1, 0);
        with_tasks(&place.store, "k", vec![task.clone()]).await;
        let claimed = claim(place, &task).await;
        let next = Task { attention: Some(MANY_TRIES.to_owned()), ..claimed.clone() };
        let raised = Attention::of_task(&claimed, t(100));
        let wrap = Wrap::of("TransactWriteItems").always(Fault::DroppedBefore);
        let failed = place.through(&wrap).flag_task(&claimed, &next, &raised).await;
        assert!(failed.is_err());
        assert_eq!(stored(&place.store, &raised).await, None);
        assert_eq!(place.store.task(&id, &task.id()).await.unwrap(), Some(claimed));
    })
    .await;
}

#[tokio::test]
async fn unmatched_money_raises_clears_and_is_released_with_its_own_version() {
    on_every_place(async |place| {
        let store = &place.store;
        let (stored_money, task) = unmatched(&booking("nobody", "k").booking_id);
        store.commit_unmatched(&stored_money, &task, &token()).await.unwrap();
        let one = Attention::of_task(&task, t(100));
        let mut change = UnmatchedChange::of(&stored_money);
        change.done = vec![task.id()];
        change.raised = vec![one.clone()];
        store.update_unmatched(&change, &token()).await.unwrap();
        assert_eq!(stored(store, &one).await.as_ref(), Some(&one));
        let mut retried = UnmatchedChange::of(&change.unmatched);
        retried.tasks = vec![task.clone()];
        retried.released = Some(audit(&one, 300));
        store.update_unmatched(&retried, &token()).await.unwrap();
        assert_eq!(stored(store, &one).await, None);
        assert_eq!(store.task(&one.booking_id, &task.id()).await.unwrap(), Some(task));
        assert_eq!(store.audits_of(&one.booking_id).await.unwrap(), [audit(&one, 300)]);
        let again = store.update_unmatched(&retried, &token()).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "{again:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_done_about_one_thing_is_found_however_much_was_done_since() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut booking = opened(store, "alice", "k").await;
        let [one, other, never] = [1, 2, 3].map(|number| waiting(&booking, number, 100));
        let count = i64::try_from(OF_BOOKING_MAX).unwrap().strict_add(2);
        let mut expected = vec![];
        for at_ms in 0..count {
            // The first and the last are about one thing, and all between them about another.
            let is_end = at_ms == 0 || at_ms == count.strict_sub(1);
            let of = if is_end { &one } else { &other };
            commit(store, raise(&booking, vec![of.clone()])).await;
            booking = store.booking(&booking.booking_id).await.unwrap().unwrap();
            booking = commit(store, release(&booking, of, at_ms)).await;
            booking = store.booking(&booking.booking_id).await.unwrap().unwrap();
            if is_end {
                expected.push(audit(&one, at_ms));
            }
        }
        // More than a page between the two.
        for number in 0..8 {
            let sk = format!("audit#{:015}#{number}", t(1).as_millisecond());
            place.put_large(&format!("booking#{}", booking.booking_id.key()), &sk).await;
        }
        let id = &booking.booking_id;
        assert_eq!(store.audits_about(id, &one.attention_id).await.unwrap(), expected);
        let all = store.audits_about(id, &other.attention_id).await.unwrap();
        assert_eq!(i64::try_from(all.len()).unwrap(), count.strict_sub(2));
        assert_eq!(store.audits_about(id, &never.attention_id).await.unwrap(), []);
    })
    .await;
}
