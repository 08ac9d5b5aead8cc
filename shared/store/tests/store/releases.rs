//! Releases side by side: what an earlier one stored, and what becomes of what a later one stores.
//!
//! `releases/1.json` holds an item of each kind as the first release wrote them, in DynamoDB's own
//! JSON. It is never changed; a release that stores otherwise adds a file.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::booking::{Booking, Order, Unmatched};
use domain::change::{Change, UnmatchedChange};
use domain::ids::BookingId;
use serde_json::Value;
use store::error::StoreError;
use store::load::{Want, WantOrder};

use crate::place::{Place, on_every_place};
use crate::records::{IDS, booking_id, commit, t, token};

type Item = HashMap<String, AttributeValue>;

const RELEASE_1: &str = include_str!("../releases/1.json");

/// What only counts writes, or says which order item is the newest.
const COUNTERS: [&str; 2] = ["version", "revision"];

fn attribute(json: &Value) -> AttributeValue {
    let (kind, value) = json.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "L" => AttributeValue::L(value.as_array().unwrap().iter().map(attribute).collect()),
        "M" => AttributeValue::M(attributes(value)),
        other => panic!("{other} is no type that our items have"),
    }
}

fn attributes(json: &Value) -> Item {
    let fields = json.as_object().unwrap().iter();
    fields.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// The items of the first release, by their sort keys.
fn release_1() -> Vec<Item> {
    let items: Value = serde_json::from_str(RELEASE_1).unwrap();
    items.as_array().unwrap().iter().map(attributes).collect()
}

async fn put(place: &Place, items: Vec<Item>) {
    for item in items {
        let put = place.client.put_item().table_name(place.table()).set_item(Some(item));
        put.send().await.unwrap();
    }
}

/// The items of the table as they are now, by their keys.
async fn table(place: &Place) -> HashMap<(String, String), Item> {
    let scan = place.client.scan().table_name(place.table()).consistent_read(true);
    let items = scan.send().await.unwrap().items.unwrap();
    let key = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
    items.into_iter().map(|item| ((key(&item, "pk"), key(&item, "sk")), item)).collect()
}

fn the_booking() -> BookingId {
    booking_id("alice", "k")
}

async fn read(place: &Place) -> (Booking, Order, Unmatched) {
    let id = the_booking();
    let want = Want { booking_id: &id, product: true, order: WantOrder::Ended(0) };
    let loaded = place.store.load(want).await.unwrap().unwrap();
    let order = loaded.ended.unwrap();
    let payment = order.payments[0].payment_id.clone();
    // Its payment is another one, whose id is in its key.
    let items = table(place).await;
    let (_, sk) = items.keys().find(|(_, sk)| sk.starts_with("unmatched#")).unwrap();
    let mut parts = sk.split('#').skip(1);
    let (of, transaction) = (parts.next().unwrap(), parts.next().unwrap());
    assert_ne!(of, payment.as_str());
    let unmatched = place.store.unmatched(id.key(), of, transaction).await.unwrap().unwrap();
    (loaded.booking, order, unmatched)
}

/// Reads every record that is written whole, and writes it again as it is.
async fn rewrite(place: &Place) {
    let store = &place.store;
    let (booking, order, unmatched) = read(place).await;
    commit(store, Change { ended: vec![order], ..Change::of(&booking) }).await;
    store.update_unmatched(&UnmatchedChange::of(&unmatched), &token()).await.unwrap();
    let tag = IDS.product_tag("desk");
    let product = store.product("desk", &tag).await.unwrap().unwrap();
    store.put_product(&product, &tag).await.unwrap();
}

#[tokio::test]
async fn items_of_the_first_release_are_read_and_written_again_without_loss() {
    on_every_place(async |place| {
        put(place, release_1()).await;
        let before = table(place).await;
        assert_eq!(before.len(), release_1().len());
        rewrite(place).await;
        let mut after = table(place).await;
        for (key, mut item) in before {
            let mut now = after.remove(&key).unwrap();
            for counter in COUNTERS {
                item.remove(counter);
                now.remove(counter);
            }
            assert_eq!(now, item, "{key:?}");
        }
        assert!(after.is_empty(), "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn every_other_record_of_the_first_release_is_read() {
    on_every_place(async |place| {
        put(place, release_1()).await;
        let (store, id) = (&place.store, the_booking());
        assert_eq!(store.bookings_of("alice", None).await.unwrap().bookings.len(), 1);
        assert_eq!(store.booking_with_orders(&id).await.unwrap().unwrap().1.len(), 1);
        assert_eq!(store.attention_of(&id).await.unwrap().len(), 1);
        assert_eq!(store.attention_page(None).await.unwrap().waiting.len(), 1);
        assert_eq!(store.audits_of(&id).await.unwrap().len(), 1);
        let order_id = store.booking(&id).await.unwrap().unwrap().live_order.unwrap().order_id;
        let want = Want { booking_id: &id, product: false, order: WantOrder::ById(&order_id) };
        assert_eq!(store.load(want).await.unwrap().unwrap().ended, None, "it is the live one");
        let mut kinds = vec![];
        for shard in 0..store::schema::DUE_SHARDS {
            for due in store.due_tasks(shard, t(0), 100).await.unwrap() {
                let claimed = store.claim_task(&due, t(60_000)).await.unwrap();
                kinds.push(claimed.unwrap().kind.as_str());
            }
        }
        kinds.sort_unstable();
        assert_eq!(kinds, ["close_payment", "query_payment", "refund", "refund"]);
    })
    .await;
}

/// Takes out of an item, and of all that it holds, what came into items after their first form, or
/// puts it back under the name that it had.
fn as_first_written(item: &mut Item) {
    for later in ["paid_at", "extra_attempts", "revision"] {
        item.remove(later);
    }
    if let Some(failed) = item.remove("failed_attempts") {
        item.insert("reversed_attempts".to_owned(), failed);
    }
    maps_in(item).into_iter().for_each(as_first_written);
}

/// The maps that an item holds, alone or in a list.
fn maps_in(item: &mut Item) -> Vec<&mut Item> {
    let mut maps = vec![];
    for value in item.values_mut() {
        let ones = if let AttributeValue::L(list) = value {
            list.as_mut_slice()
        } else {
            std::slice::from_mut(value)
        };
        for one in ones {
            if let AttributeValue::M(map) = one {
                maps.push(map);
            }
        }
    }
    maps
}

#[tokio::test]
async fn items_without_what_came_later_are_read() {
    on_every_place(async |place| {
        let mut items = release_1();
        items.iter_mut().for_each(as_first_written);
        put(place, items).await;
        let (booking, order, unmatched) = read(place).await;
        for order in [&order, booking.live_order.as_ref().unwrap()] {
            assert_eq!((order.revision, order.payments[0].paid_at), (0, None));
            let refund = &order.refunds[0];
            assert_eq!((refund.extra_attempts, refund.paid_at), (0, None));
            assert_eq!(refund.failed_attempts, [1], "under its older name");
        }
        assert_eq!((unmatched.refund.failed_attempts, unmatched.own_task), (vec![1], None));
    })
    .await;
}

/// Adds what this release does not know to an item, and to each map in it that is open.
fn from_the_future(item: &mut Item) {
    // Money, and a product's tiers.
    let closed = |map: &Item| ["currency", "min_quantity"].iter().any(|key| map.contains_key(*key));
    let maps = maps_in(item).into_iter().filter(|map| !closed(map));
    maps.for_each(from_the_future);
    item.insert("came_later".to_owned(), AttributeValue::S("kept?".to_owned()));
}

/// The sort keys under which items carry what this release does not know, in their own attributes.
async fn still_there(place: &Place) -> Vec<String> {
    let items = table(place).await.into_iter();
    let mut kept: Vec<String> = items
        .filter(|(_, item)| item.contains_key("came_later"))
        .map(|((_, sk), _)| sk.split('#').next().unwrap().to_owned())
        .collect();
    kept.sort();
    kept
}

#[tokio::test]
async fn what_a_later_release_added_is_read_over_and_lost_where_an_item_is_written_whole() {
    on_every_place(async |place| {
        let mut items = release_1();
        items.iter_mut().for_each(from_the_future);
        put(place, items).await;
        rewrite(place).await;
        // These are written whole; tasks are put off by updates, and the rest is never changed.
        let kept = still_there(place).await;
        for lost in ["summary", "order", "unmatched", "product"] {
            assert!(!kept.iter().any(|kind| kind == lost), "{lost} in {kept:?}");
        }
        for kept_kind in ["attention", "audit", "booking", "made", "task"] {
            assert!(kept.iter().any(|kind| kind == kept_kind), "{kept_kind} in {kept:?}");
        }
        let (booking, ..) = read(place).await;
        let key = (format!("booking#{}", booking.booking_id.key()), "summary".to_owned());
        let items = table(place).await;
        let live = items[&key]["live_order"].as_m().unwrap();
        assert!(!live.contains_key("came_later"), "nor does it stay within");
    })
    .await;
}

/// Reads the booking of the first release with a change to its item, which must be refused.
async fn check_refused(change: impl Fn(&mut Item)) {
    on_every_place(async |place| {
        let mut items = release_1();
        let summary = items.iter_mut().find(|item| item["sk"].as_s().unwrap() == "summary");
        change(summary.unwrap());
        put(place, items).await;
        let read = place.store.booking(&the_booking()).await;
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    })
    .await;
}

#[tokio::test]
async fn a_word_that_a_later_release_added_is_refused_and_not_guessed() {
    check_refused(|item| {
        item.insert("status".to_owned(), AttributeValue::S("suspended".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn money_with_more_than_an_amount_and_a_currency_is_refused() {
    check_refused(|item| {
        let AttributeValue::M(live) = item.get_mut("live_order").unwrap() else { panic!() };
        let AttributeValue::M(amount) = live.get_mut("amount").unwrap() else { panic!() };
        amount.insert("came_later".to_owned(), AttributeValue::N("1".to_owned()));
    })
    .await;
}
