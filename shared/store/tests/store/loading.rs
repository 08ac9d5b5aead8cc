//! Reading a booking with what a decision looks at beside it.

use domain::booking::Booking;
use domain::change::{Change, Ending};
use domain::ids::{BookingId, OrderId};
use store::Store;
use store::error::{CommitError, StoreError};
use store::load::{Loaded, Want, WantOrder};

use crate::place::{Place, on_every_place};
use crate::records::{IDS, booking, commit, next_order, opened, order, product, t, token};
use crate::wrap::Wrap;

const READ: &str = "BatchGetItem";

async fn load(store: &Store, booking_id: &BookingId, order: WantOrder<'_>) -> Loaded {
    let want = Want { booking_id, product: false, order };
    store.load(want).await.unwrap().unwrap()
}

/// A stored booking of two orders: the first superseded, the second live.
async fn two_orders(store: &Store, key: &str) -> Booking {
    let booking = opened(store, "alice", key).await;
    let booking = commit(store, next_order(&booking, 1)).await;
    commit(store, next_order(&booking, 2)).await
}

fn id_of(booking: &Booking, seq: u32, window: u8) -> OrderId {
    order(booking, seq, window).order_id
}

#[tokio::test]
async fn an_order_is_found_live_or_ended_and_no_other_is() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = two_orders(store, "k").await;
        let id = &booking.booking_id;
        let (ended, live) = (id_of(&booking, 0, 1), id_of(&booking, 1, 2));
        let unused = id_of(&booking, 0, 2);
        for (want, found) in [
            (WantOrder::Live, None),
            (WantOrder::Ended(0), Some(&ended)),
            (WantOrder::Ended(1), None),
            (WantOrder::Ended(2), None),
            (WantOrder::ById(&ended), Some(&ended)),
            (WantOrder::ById(&live), None),
            (WantOrder::ById(&unused), None),
        ] {
            let loaded = load(store, id, want).await;
            assert_eq!(loaded.booking, booking);
            assert_eq!(loaded.ended.as_ref().map(|order| &order.order_id), found, "{want:?}");
            assert!(loaded.order(&live).is_some(), "{want:?}");
            assert_eq!(loaded.order(&ended).is_some(), found.is_some(), "{want:?}");
            assert_eq!(loaded.order(&unused), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_product_comes_with_its_booking() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = opened(store, "alice", "k").await;
        let booking_id = &booking.booking_id;
        let want = Want { booking_id, product: true, order: WantOrder::Live };
        assert_eq!(store.load(want).await.unwrap().unwrap().product, None);
        let product = product("desk");
        store.put_product(&product, &IDS.product_tag("desk")).await.unwrap();
        assert_eq!(store.load(want).await.unwrap().unwrap().product, Some(product.clone()));
        let want = Want { product: false, ..want };
        assert_eq!(store.load(want).await.unwrap().unwrap().product, None);
        // With an order of it beside both.
        let booking = commit(store, next_order(&booking, 1)).await;
        let booking = commit(store, next_order(&booking, 2)).await;
        for order in [WantOrder::Ended(0), WantOrder::ById(&id_of(&booking, 0, 1))] {
            let loaded = store.load(Want { booking_id, product: true, order }).await;
            let loaded = loaded.unwrap().unwrap();
            assert_eq!(loaded.product, Some(product.clone()));
            assert_eq!(loaded.ended.map(|order| order.seq), Some(0));
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_with_another_products_tag_finds_nothing() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = two_orders(store, "k").await;
        let foreign = IDS.booking("alice", "k", &IDS.product_tag("room"));
        assert_eq!(foreign.key(), booking.booking_id.key());
        assert_eq!(store.booking(&foreign).await.unwrap(), None);
        assert_eq!(store.booking_with_orders(&foreign).await.unwrap(), None);
        let ended = id_of(&booking, 0, 1);
        for order in [WantOrder::Live, WantOrder::Ended(0), WantOrder::ById(&ended)] {
            let want = Want { booking_id: &foreign, product: true, order };
            assert_eq!(store.load(want).await.unwrap(), None, "{order:?}");
        }
        assert_eq!(store.booking_by_key(foreign.key()).await.unwrap(), Some(booking.clone()));
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_is_not_stored_is_not_found() {
    on_every_place(async |place| {
        let id = booking("alice", "never").booking_id;
        let order = IDS.order(&IDS.fresh_token([1; 16]));
        for order in [WantOrder::Live, WantOrder::Ended(0), WantOrder::ById(&order)] {
            let want = Want { booking_id: &id, product: true, order };
            assert_eq!(place.store.load(want).await.unwrap(), None);
        }
        assert_eq!(place.store.booking(&id).await.unwrap(), None);
        assert_eq!(place.store.booking_with_orders(&id).await.unwrap(), None);
    })
    .await;
}

fn is_booking(sk: &str) -> bool {
    sk == "summary"
}

fn is_not_booking(sk: &str) -> bool {
    sk != "summary"
}

/// What happens to the live order while a batch is read.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Superseded,
    Ended,
}

fn meanwhile(booking: &Booking, what: Meanwhile) -> Change {
    match what {
        Meanwhile::Superseded => next_order(booking, 3),
        Meanwhile::Ended => {
            let mut change = Change::of(booking);
            change.end_live_order(Ending::PAID, t(9));
            change
        }
    }
}

async fn load_torn(
    place: &Place,
    booking: &Booking,
    late: fn(&str) -> bool,
    change: Change,
    order: WantOrder<'_>,
) -> Loaded {
    let store = place.store.clone();
    let wrap = Wrap::of(READ).torn(late, async move {
        store.commit(&change, &token()).await.unwrap();
    });
    load(&place.through(&wrap), &booking.booking_id, order).await
}

#[tokio::test]
async fn an_order_that_ends_between_the_reads_of_a_batch_is_found() {
    on_every_place(async |place| {
        for (key, late) in
            [("booking-last", is_booking as fn(&str) -> bool), ("booking-first", is_not_booking)]
        {
            for what in [Meanwhile::Superseded, Meanwhile::Ended] {
                for by_id in [false, true] {
                    let case = format!("{key}-{what:?}-{by_id}");
                    let booking = two_orders(&place.store, &case).await;
                    let live = id_of(&booking, 1, 2);
                    let want = if by_id { WantOrder::ById(&live) } else { WantOrder::Ended(1) };
                    let change = meanwhile(&booking, what);
                    let loaded = load_torn(place, &booking, late, change, want).await;
                    let order = loaded.order(&live).unwrap_or_else(|| panic!("{case}: {loaded:?}"));
                    assert_eq!(order.seq, 1, "{case}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_ended_order_that_changed_since_it_was_read_is_lost() {
    on_every_place(async |place| {
        let store = &place.store;
        let booking = two_orders(store, "changed").await;
        let ended = id_of(&booking, 0, 1);
        let flagged = |loaded: &Loaded, seconds: i64| {
            let mut change = Change::of(&loaded.booking);
            let mut order = loaded.order(&ended).unwrap().clone();
            order.pay_by = Some(t(seconds));
            change.ended.push(order);
            change
        };
        let first = load(store, &booking.booking_id, WantOrder::Ended(0)).await;
        let meanwhile = flagged(&first, 1);
        // The order is read before the other change, and the booking after it.
        let torn = load_torn(place, &booking, is_booking, meanwhile, WantOrder::Ended(0)).await;
        assert_eq!(torn.booking.version, first.booking.version + 1);
        assert_eq!(torn.order(&ended).unwrap().pay_by, None);
        let lost = store.commit(&flagged(&torn, 2), &token()).await;
        assert!(matches!(lost, Err(CommitError::Conflict)), "{lost:?}");
        let after = load(store, &booking.booking_id, WantOrder::Ended(0)).await;
        assert_eq!(after.order(&ended).unwrap().pay_by, Some(t(1)));
        store.commit(&flagged(&after, 2), &token()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_order_made_between_the_reads_of_a_batch_does_no_harm() {
    on_every_place(async |place| {
        for (key, late) in
            [("booking-last", is_booking as fn(&str) -> bool), ("booking-first", is_not_booking)]
        {
            let booking = opened(&place.store, "alice", key).await;
            let change = next_order(&booking, 1);
            let (order_id, _) = change.made.clone().unwrap();
            let want = WantOrder::ById(&order_id);
            let loaded = load_torn(place, &booking, late, change.clone(), want).await;
            // As of the booking's version: not made yet, or live.
            assert_eq!(loaded.ended, None, "{key}");
            let made = loaded.booking.version == change.booking.version;
            assert_eq!(loaded.order(&order_id).is_some(), made, "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_left_unprocessed_are_asked_for_again() {
    on_every_place(async |place| {
        let store = &place.store;
        let product = product("desk");
        store.put_product(&product, &IDS.product_tag("desk")).await.unwrap();
        let booking = two_orders(store, "k").await;
        let wrap = Wrap::of(READ).answering(1);
        let booking_id = &booking.booking_id;
        let want = Want { booking_id, product: true, order: WantOrder::Ended(0) };
        let loaded = place.through(&wrap).load(want).await.unwrap().unwrap();
        assert_eq!(loaded.booking, booking);
        assert_eq!(loaded.product, Some(product.clone()));
        assert_eq!(loaded.ended.map(|order| order.seq), Some(0));
        assert_eq!(wrap.bodies().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn keys_left_unprocessed_again_and_again_are_given_up() {
    on_every_place(async |place| {
        let booking = opened(&place.store, "alice", "k").await;
        let wrap = Wrap::of(READ).answering(0);
        let booking_id = &booking.booking_id;
        let want = Want { booking_id, product: true, order: WantOrder::Live };
        let given_up = place.through(&wrap).load(want).await;
        assert!(matches!(given_up, Err(StoreError::Unavailable(_))), "{given_up:?}");
        assert_eq!(wrap.bodies().len(), 5);
    })
    .await;
}
