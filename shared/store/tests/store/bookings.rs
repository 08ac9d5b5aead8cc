//! Listing bookings page by page, and reading one with its newest orders.

use domain::booking::Booking;
use domain::change::Change;
use store::bookings::{ORDERS_MAX, PAGE_LEN, is_page_start};
use store::{Opened, Store};

use crate::place::on_every_place;
use crate::records::{booking, close_task, commit, next_order, opened, t, token, unmatched};
use crate::wrap::Wrap;

/// So many bookings of a customer, newest first.
async fn open_many(store: &Store, customer: &str, count: usize) -> Vec<Booking> {
    let mut bookings = vec![];
    for number in 0..count {
        let created_at = t(i64::try_from(number).unwrap());
        let booking = Booking { created_at, ..booking(customer, &number.to_string()) };
        let stored = store.open_booking(&booking, &token()).await.unwrap();
        assert_eq!(stored, Opened::New);
        bookings.insert(0, booking);
    }
    bookings
}

#[tokio::test]
async fn bookings_are_listed_newest_first_and_page_by_page() {
    on_every_place(async |place| {
        let store = &place.store;
        open_many(store, "bob", 2).await;
        for count in [0, 1, PAGE_LEN - 1, PAGE_LEN, PAGE_LEN + 1, 2 * PAGE_LEN, 2 * PAGE_LEN + 1] {
            let customer = format!("alice-{count}");
            let opened = open_many(store, &customer, count).await;
            let mut expected: Vec<&[Booking]> = opened.chunks(PAGE_LEN).collect();
            expected.extend(opened.is_empty().then_some(&[][..]));
            let (mut pages, mut from) = (vec![], None);
            loop {
                let page = store.bookings_of(&customer, from.as_deref()).await.unwrap();
                pages.push(page.bookings);
                from = page.next;
                let Some(cursor) = &from else { break };
                assert!(is_page_start(cursor), "{cursor}");
            }
            assert!(pages == expected, "{count}: {} pages", pages.len());
        }
    })
    .await;
}

#[tokio::test]
async fn a_listed_booking_is_shown_as_it_is_now() {
    on_every_place(async |place| {
        let store = &place.store;
        let first = opened(store, "alice", "k").await;
        let now = commit(store, next_order(&first, 1)).await;
        assert_eq!(store.bookings_of("alice", None).await.unwrap().bookings, [now]);
        assert_eq!(store.bookings_of("alic", None).await.unwrap().bookings, []);
        assert_eq!(store.bookings_of("alice#", None).await.unwrap().bookings, []);
    })
    .await;
}

#[test]
fn only_what_a_page_gave_is_a_page_start() {
    let id = booking("alice", "k").booking_id;
    for (text, is_one) in [
        (format!("booking#001772323200000#{id}"), true),
        (format!("booking#001772323200000#{id}x"), false),
        (format!("booking##{id}"), false),
        (format!("booking#00177232320000a#{id}"), false),
        (format!("booking#{id}"), false),
        ("booking#001772323200000#".to_owned(), false),
        (format!("summary#001772323200000#{id}"), false),
        (String::new(), false),
    ] {
        assert_eq!(is_page_start(&text), is_one, "{text}");
    }
}

#[tokio::test]
async fn a_booking_comes_with_its_newest_orders_and_nothing_else_of_its_partition() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut booking = opened(store, "alice", "k").await;
        let tasks = (0..5).map(|number| close_task(&booking.booking_id, number, 0)).collect();
        booking = commit(store, Change { tasks, ..Change::of(&booking) }).await;
        let (unmatched, task) = unmatched(&booking.booking_id);
        store.commit_unmatched(&unmatched, &task, &token()).await.unwrap();
        // One order more each time: the first ones are fewer than a page, the last ones more.
        for made in 0..ORDERS_MAX + 5 {
            let wrap = Wrap::of("Query");
            let read = place.through(&wrap).booking_with_orders(&booking.booking_id).await;
            let (read, ended) = read.unwrap().unwrap();
            assert_eq!(read, booking);
            assert_eq!(wrap.bodies().len(), 1);
            let seqs: Vec<usize> =
                ended.iter().map(|one| usize::try_from(one.seq).unwrap()).collect();
            let newest = (0..made.saturating_sub(1)).rev().take(ORDERS_MAX);
            assert_eq!(seqs, newest.collect::<Vec<_>>());
            booking = commit(store, next_order(&booking, 1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn ended_orders_are_read_from_a_position_down_newest_first_and_in_bounds() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut booking = opened(store, "alice", "k").await;
        let last = u32::try_from(ORDERS_MAX).unwrap().strict_add(2);
        for _ in 0..=last {
            booking = commit(store, next_order(&booking, 1)).await;
        }
        let id = &booking.booking_id;
        let read = async |from: u32| -> Vec<u32> {
            let orders = store.orders_from(id, from).await.unwrap();
            orders.iter().map(|order| order.seq).collect()
        };
        let down = |from: u32, to: u32| (to..=from).rev().collect::<Vec<_>>();
        // The last one is live, and no item of its own.
        for from in [last, last.strict_sub(1), u32::MAX] {
            assert_eq!(read(from).await, down(last.strict_sub(1), 2), "{from}");
        }
        assert_eq!(read(last.strict_sub(2)).await, down(last.strict_sub(2), 1));
        assert_eq!(read(3).await, [3, 2, 1, 0]);
        assert_eq!(read(0).await, [0]);
        let other = opened(store, "bob", "k").await;
        assert_eq!(store.orders_from(&other.booking_id, 9).await.unwrap(), []);
    })
    .await;
}
