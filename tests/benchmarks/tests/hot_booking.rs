//! A rush on one booking is measured with nothing lost, whatever guards it.

use std::time::Duration;

use benchmarks::hot_booking::measure;
use benchmarks::hot_booking::run::{Lock, Rush, run};
use benchmarks::hot_booking::slow::Waits;
use benchmarks::part::Size;

#[tokio::test(flavor = "multi_thread")]
async fn every_window_of_a_small_rush_has_its_order_under_either_lock() {
    let waits = Waits { call: Duration::from_millis(1), work: Duration::from_millis(2) };
    for lock in Lock::EVERY {
        let ran = run(Rush { lock, windows: 3, waits }).await;
        assert_eq!(ran.orders(), 3, "{ran:?}");
        // Each order is read for and written at least once, and a lease taken and given back.
        let (calls_min, refused) = match lock {
            Lock::Version => (2, ran.leases_refused),
            Lock::Lease => (4, ran.races_lost),
        };
        assert!(ran.billed.calls >= 3 * calls_min, "{ran:?}");
        assert_eq!(refused, 0, "each lock loses only its own races: {ran:?}");
    }
}

#[test]
fn the_table_of_a_hot_booking_has_a_row_for_each_lock_and_number_of_windows() {
    let measured = measure(Size::Sample).unwrap();
    for lock in Lock::EVERY {
        let named = format!("| {} |", lock.name());
        assert_eq!(measured.lines().filter(|line| line.contains(&named)).count(), 2, "{measured}");
    }
}
