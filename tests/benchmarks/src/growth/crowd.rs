//! A table of many bookings, made beneath the SDK: a million of them by requests would take hours.

use serde_json::{Value, json};
use store::schema::PK;
use tests::history::stored_in;
use tests::{Window, World};

use crate::side_by_side::import_all;

/// Puts so many copies of a window's booking beside it, each in a partition of its own and with an
/// entry among the bookings of a customer of its own.
///
/// # Panics
/// If there is no such booking, or the store refuses the copies.
pub fn add_bookings(world: &World, window: &Window, customer: &str, count: u32) {
    let booking_id = window.booking_id();
    let key = booking_id.key();
    let mut copied = stored_in(world, &format!("booking#{key}"));
    copied.extend(stored_in(world, &format!("customer#{customer}")));
    assert!(copied.len() >= 2, "{copied:?}");
    import_all(world, count, |number| copied.iter().map(move |it| copy(it, number)));
}

/// The item in another partition, whose name is as long.
fn copy(item: &Value, number: u32) -> Value {
    let mut item = item.clone();
    let partition = item[PK]["S"].as_str().unwrap();
    let digits = format!("{number:08x}");
    let (kind, of) = partition.split_once('#').unwrap();
    item[PK]["S"] = json!(format!("{kind}#{digits}{}", &of[digits.len()..]));
    item
}
