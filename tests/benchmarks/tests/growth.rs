//! What requests cost as a booking's history and the table grow, as far as it can be checked
//! without time.

use benchmarks::growth::Before::{Bookings, Orders};
use benchmarks::growth::{costs_after, measure};
use benchmarks::part::Size;

/// Requests that read the orders: they grow up to the newest that an answer shows.
const SHOW_ORDERS: [&str; 2] = ["GET booking", "operations, a booking"];

#[tokio::test]
async fn requests_cost_the_same_at_the_first_order_and_at_the_2000th() {
    let (first, hundredth) = (costs_after(Orders(0)).await, costs_after(Orders(99)).await);
    assert_eq!(hundredth, costs_after(Orders(1_999)).await);
    assert_eq!(first.len(), hundredth.len());
    for (first, hundredth) in first.iter().zip(&hundredth) {
        if !SHOW_ORDERS.contains(&first.0) {
            assert_eq!(first, hundredth);
        }
        assert!((1..=10).contains(&first.1.trips), "{first:?}");
    }
}

#[tokio::test]
async fn requests_cost_the_same_in_a_table_of_one_booking_and_of_2000() {
    assert_eq!(costs_after(Bookings(0)).await, costs_after(Bookings(1_999)).await);
}

#[test]
fn a_sample_has_a_row_for_each_request_in_each_of_its_tables() {
    let measured = measure(Size::Sample).unwrap();
    for request in ["quote", "generate-payment", "GET booking, 304", "notification, refunded"] {
        let rows = measured.lines().filter(|line| line.starts_with(&format!("| {request} |")));
        assert_eq!(rows.count(), 4, "{measured}");
    }
}
