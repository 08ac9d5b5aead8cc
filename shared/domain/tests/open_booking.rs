//! Opening a booking, and the same request again.

use domain::booking::{Booking, BookingStatus, Pins};
use domain::decide::Rejection;
use domain::decide::open_booking::{open_booking, repeat_booking};
use domain::product::Unit;

use crate::support::*;

#[test]
fn a_new_booking_is_unpaid_at_version_1_and_pins_its_product() {
    let monthly = product(|p| {
        p.unit = Unit::Month;
        p.time_zone = "Europe/Berlin".to_owned();
        p.max_renewals = 3;
        in_dollars(p);
    });
    let booking = decided(&monthly, |product| open_booking(product, "alice", "key", env(5)));
    let expected = Booking {
        booking_id: IDS.booking("alice", "key", &IDS.product_tag("desk")),
        customer_id: "alice".to_owned(),
        product_id: "desk".to_owned(),
        status: BookingStatus::PendingPayment,
        version: 1,
        pins: Pins {
            unit: Unit::Month,
            time_zone: "Europe/Berlin".to_owned(),
            currency: monthly.currency,
            max_renewals: 3,
        },
        created_at: t(5),
        term: None,
        quantity_paid: 0,
        renewals: 0,
        orders_made: 0,
        live_order: None,
    };
    assert_eq!(booking, Ok(expected));
}

#[test]
fn a_retired_product_opens_no_booking() {
    let got = open_booking(&product(retired), "alice", "key", env(0));
    assert_eq!(got, Err(Rejection::BookingNotPayable));
}

#[test]
fn customer_and_key_name_the_booking_and_nothing_else_does() {
    let open = |customer, key, now_ms| open_booking(&DESK, customer, key, env(now_ms)).unwrap();
    let booking = open("alice", "key", 0);
    let other_price = product(|p| p.first_unit_price = cny(1));
    let later = open_booking(&other_price, "alice", "key", env(DAY_MS)).unwrap();
    assert_eq!(later.booking_id, booking.booking_id);
    for (customer, key) in [("bob", "key"), ("alice", "another"), ("alicek", "ey")] {
        assert_ne!(open(customer, key, 0).booking_id, booking.booking_id);
    }
}

#[test]
fn the_same_key_for_another_product_is_found_as_the_same_booking_and_refused() {
    let mut room = product(|_| {});
    room.product_id = "room".to_owned();
    let desk = open_booking(&DESK, "alice", "key", env(0)).unwrap();
    let in_room = open_booking(&room, "alice", "key", env(0)).unwrap();
    assert_eq!(desk.booking_id.key(), in_room.booking_id.key());
    assert_eq!(repeat_booking(desk.clone(), "desk"), Ok(desk.clone()));
    let refused = Err(Rejection::IdempotencyMismatch);
    assert_eq!(repeat_booking(desk, "room"), refused);
}
