//! Stored items, as DynamoDB's JSON: an older or later release may have written them.
//!
//! Attributes of a type that DynamoDB does not have yet are left out: nobody can write one, and
//! `serde_dynamo` panics at them.
//!
//! - An item without the shape of this release or an earlier one is not read.
//! - What is read can be shown, and written again: reading that gives the same record.
//! - A booking is the same read alone and read with its orders; a task, claimed and read.

use std::cell::LazyCell;

use api::token::Keyring;
use api::view::{BookingView, ProductView, ViewContext, etag};
use domain::booking::Booking;
use domain::change::Change;
use domain::ids::{BookingId, Ids};
use domain::quote::{Quote, price};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use store::Store;
use store::bookings::ORDERS_MAX;
use store::error::StoreError;
use store::schema::{Key, SHAPE, SHAPE_ATTRIBUTE};
use store::tasks::DueTask;
use tokio::runtime::{Builder, Runtime};

use crate::canned::Canned;
use crate::message::NOW_S;

struct World {
    runtime: Runtime,
    canned: Canned,
    store: Store,
    keyring: Keyring,
}

thread_local! {
    static WORLD: LazyCell<World> = LazyCell::new(|| {
        let canned = Canned::default();
        World {
            runtime: Builder::new_current_thread().enable_time().build().expect("a runtime"),
            store: canned.store(),
            canned,
            keyring: Keyring::new(&[("one".to_owned(), vec![7; 32])]).expect("a usable key"),
        }
    });
}

/// The types of attributes.
const TYPES: [&str; 10] = ["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"];

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Ok(Value::Object(item)) = serde_json::from_slice(bytes) else { return };
    if !item.values().all(is_typed) {
        return;
    }
    let has_shape = has_shape(&item);
    WORLD.with(|world| {
        world.canned.answer("GetItem", 200, around("Item", bytes));
        world.canned.answer("UpdateItem", 200, around("Attributes", bytes));
        world.canned.answer("Query", 200, [b"{\"Items\":[", bytes, b"]}"].concat());
        let is_read = world.runtime.block_on(world.check(&item, bytes));
        world.canned.take_calls();
        assert!(has_shape || !is_read, "an item of an unknown shape is read");
    });
}

fn is_typed(attribute: &Value) -> bool {
    let mut types = attribute.as_object().into_iter().flatten();
    types.all(|(name, value)| {
        TYPES.contains(&name.as_str())
            && match value {
                Value::Object(attributes) => attributes.values().all(is_typed),
                Value::Array(attributes) if name == "L" => attributes.iter().all(is_typed),
                Value::Array(_)
                | Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_) => true,
            }
    })
}

fn around(field: &str, item: &[u8]) -> Vec<u8> {
    [format!("{{\"{field}\":").as_bytes(), item, b"}"].concat()
}

/// Whether the item says that it has a shape that this release knows.
fn has_shape(item: &Map<String, Value>) -> bool {
    let shape = item.get(SHAPE_ATTRIBUTE).and_then(|shape| shape.get("N")?.as_str()?.parse().ok());
    shape.is_some_and(|shape: u32| (1..=SHAPE).contains(&shape))
}

impl World {
    /// Reads the item as each of the records, and whether it was one of them.
    async fn check(&self, item: &Map<String, Value>, bytes: &[u8]) -> bool {
        let booking = present(self.store.booking_by_key("0").await);
        if let Some(booking) = &booking {
            self.check_booking(booking).await;
        }
        let unmatched = present(self.store.unmatched("0", "0", "0").await);
        self.canned.answer("GetItem", 200, around("Item", bytes));
        let product = self.check_product(item).await;
        let task = self.check_task().await;
        booking.is_some() || unmatched.is_some() || product || task
    }

    async fn check_booking(&self, booking: &Booking) {
        let now = Timestamp::from_second(NOW_S).expect("a moment");
        let view = ViewContext { keyring: &self.keyring, now };
        let orders = booking.live_order.iter().cloned().collect::<Vec<_>>();
        let shown = BookingView::with_orders(booking, &orders, ORDERS_MAX, view);
        assert!(serde_json::to_value(shown).is_ok());
        assert!(!etag(booking, now).is_empty());
        for order in &orders {
            let quote = Quote::of_order(booking, order);
            // What is longer than any customer's id and price version may not fit a token.
            if let Some(said) = self.keyring.verify(&self.keyring.sign(&quote)) {
                assert_eq!(said, quote);
            }
        }
        let listed = self.store.booking_with_orders(&booking.booking_id).await;
        if let Ok(Some((listed, ended))) = listed {
            assert_eq!((&listed, ended.len()), (booking, 0));
        }
        self.check_written_again(booking).await;
    }

    async fn check_written_again(&self, booking: &Booking) {
        self.canned.take_calls();
        self.canned.answer("TransactWriteItems", 200, "{}");
        let change = Change::of(booking);
        self.store.commit(&change, "token").await.expect("it can be written");
        let calls = self.canned.take_calls();
        let [(operation, body)] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!(operation, "TransactWriteItems");
        let put = &body["TransactItems"][0]["Put"];
        let read =
            json!({ ":read": { "N": change.booking.version.saturating_sub(1).to_string() } });
        assert_eq!(put["ExpressionAttributeValues"], read);
        self.canned.answer("GetItem", 200, json!({ "Item": put["Item"] }).to_string());
        let again = self.store.booking_by_key("0").await.expect("it can be read");
        assert_eq!(again.as_ref(), Some(&change.booking));
    }

    async fn check_product(&self, item: &Map<String, Value>) -> bool {
        let product_id = item.get("product_id").and_then(|id| id["S"].as_str()).unwrap_or_default();
        let tag = Ids::new(&[7; 32]).expect("a long secret").product_tag(product_id);
        let Some(product) = present(self.store.product(product_id, &tag).await) else {
            return false;
        };
        assert_eq!(product.product_id, product_id);
        assert!(serde_json::to_value(ProductView::of(&product)).is_ok());
        let (smallest, largest) = product.amount_range();
        let booking = booking_of(&product);
        let now = Timestamp::from_second(NOW_S).expect("a moment");
        for quantity in [product.min_quantity, product.max_quantity] {
            if let Ok(offer) = price(&booking, &product, quantity, now) {
                assert!((smallest..=largest).contains(&offer.amount.amount));
            }
        }
        true
    }

    async fn check_task(&self) -> bool {
        let key = Key { pk: "booking#0".to_owned(), sk: "task#0".to_owned() };
        let due = DueTask { key, due_at_ms: 0 };
        let moment = Timestamp::from_second(NOW_S).expect("a moment");
        let Some(task) = present(self.store.claim_task(&due, moment).await) else { return false };
        assert!(["query#", "close#", "refund#"].iter().any(|k| task.id().as_str().starts_with(k)));
        let stored = self.store.task(&task.booking_id, &task.id()).await;
        assert_eq!(present(stored), Some(task));
        true
    }
}

/// The record that was read; what cannot be read is none.
fn present<T>(read: Result<Option<T>, StoreError>) -> Option<T> {
    read.ok().flatten()
}

/// A booking of a product that nobody has paid for.
fn booking_of(product: &domain::product::Product) -> Booking {
    Booking {
        booking_id: BookingId::parse(&"a".repeat(32)).expect("an id"),
        customer_id: "alice".to_owned(),
        product_id: product.product_id.clone(),
        status: domain::booking::BookingStatus::PendingPayment,
        version: 1,
        pins: domain::booking::Pins::of(product),
        created_at: Timestamp::from_second(NOW_S).expect("a moment"),
        term: None,
        quantity_paid: 0,
        renewals: 0,
        orders_made: 0,
        live_order: None,
    }
}
