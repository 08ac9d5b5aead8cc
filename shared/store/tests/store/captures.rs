//! The read of the whole table, by segments and pages.

use std::collections::BTreeSet;

use domain::change::Change;
use store::captures::SEGMENTS;

use crate::place::{Place, on_every_place};
use crate::records::{booking, commit, full_booking, next_order, opened, token, unmatched};

/// What else the table holds: three times what a page of each segment has.
const OTHERS: u32 = 40;
/// How many pages of a segment a test reads.
const PAGES_MAX: usize = 1_000;

/// Everything that the pages show: keys of bookings with the order's position, and payments of
/// unmatched money; and how many pages there were.
#[derive(Default, PartialEq, Eq, Debug)]
struct Shown {
    orders: Vec<(String, u32)>,
    unmatched: Vec<String>,
    pages: usize,
}

async fn shown(place: &Place) -> Shown {
    let mut shown = Shown::default();
    for segment in 0..SEGMENTS {
        let mut from = None;
        for _ in 0..PAGES_MAX {
            let page = place.store.captures_page(segment, from).await.unwrap();
            shown.pages = shown.pages.strict_add(1);
            let orders = page.orders.into_iter().map(|(key, order)| (key, order.seq));
            shown.orders.extend(orders);
            let unmatched = page.unmatched.into_iter().map(|one| one.refund.payment_id);
            shown.unmatched.extend(unmatched.map(|id| id.to_string()));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(from, None, "a segment ends");
    }
    shown
}

/// Items of a kind that no bill is about, larger together than one page.
async fn fill(place: &Place) {
    for number in 0..OTHERS {
        place.put_large(&format!("other#{number}"), "other").await;
    }
}

#[tokio::test]
async fn every_order_with_a_payment_and_all_unmatched_money_is_shown_once_over_all_pages() {
    on_every_place(async |place| {
        let store = &place.store;
        let mut expected = BTreeSet::new();
        for number in 0..12 {
            let opened = opened(store, "alice", &format!("k{number}")).await;
            let change = Change { booking: full_booking(&opened), ..Change::of(&opened) };
            let full = commit(store, change).await;
            let live = full.live_order.as_ref().unwrap();
            expected.insert((full.booking_id.key().to_owned(), live.seq));
        }
        // A booking without an order, and one whose order has no payment.
        opened(store, "bob", "k").await;
        let without = opened(store, "carol", "k").await;
        commit(store, next_order(&without, 1)).await;
        let (money, task) = unmatched(&booking("dora", "k").booking_id);
        let payment_id = money.refund.payment_id.to_string();
        store.commit_unmatched(&money, &task, &token()).await.unwrap();
        fill(place).await;
        let shown = shown(place).await;
        assert!(shown.pages > 4, "some segment has several pages: {}", shown.pages);
        let once: BTreeSet<_> = shown.orders.iter().cloned().collect();
        assert_eq!((once, shown.orders.len()), (expected, 12));
        assert_eq!(shown.unmatched, [payment_id]);
    })
    .await;
}

#[tokio::test]
async fn a_table_without_payments_shows_nothing() {
    on_every_place(async |place| {
        opened(&place.store, "alice", "k").await;
        let shown = shown(place).await;
        assert_eq!((shown.orders, shown.unmatched), (vec![], vec![]));
    })
    .await;
}

#[tokio::test]
async fn every_booking_every_ended_order_and_all_unmatched_money_is_in_one_page_of_the_table() {
    on_every_place(async |place| {
        let store = &place.store;
        let (mut bookings, mut orders) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..6 {
            let mut booking = opened(store, "alice", &format!("k{number}")).await;
            bookings.insert(booking.booking_id.to_string());
            for window in 0..3 {
                let change = next_order(&booking, window);
                orders.extend(change.ended.iter().map(|order| order.order_id.to_string()));
                booking = commit(store, change).await;
            }
        }
        let (money, task) = unmatched(&booking("dora", "k").booking_id);
        store.commit_unmatched(&money, &task, &token()).await.unwrap();
        fill(place).await;
        let (mut from, mut pages, mut seen) = (None, 0_usize, vec![]);
        for _ in 0..PAGES_MAX {
            let page = store.records_page(from).await.unwrap();
            pages = pages.strict_add(1);
            seen.extend(page.bookings.iter().map(|booking| booking.booking_id.to_string()));
            seen.extend(page.orders.iter().map(|order| order.order_id.to_string()));
            seen.extend(page.unmatched.iter().map(|it| it.refund.refund_id.to_string()));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert!(pages > 4 && from.is_none(), "several pages, and an end: {pages}");
        let mut expected: Vec<_> = bookings.into_iter().chain(orders).collect();
        expected.push(money.refund.refund_id.to_string());
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected);
    })
    .await;
}
