//! Checkouts that are measured are whole, and so is what is played of them.

use std::time::Duration;

use benchmarks::checkouts::customer::Flow;
use benchmarks::checkouts::measure;
use benchmarks::checkouts::run::{Load, run};
use benchmarks::part::Size;

#[tokio::test(flavor = "multi_thread")]
async fn every_checkout_of_a_run_is_paid_and_its_calls_can_be_played_again() {
    for flow in Flow::EVERY {
        let ran = run(Load { flow, customers: 2, checkouts: 2 }).await;
        assert_eq!(ran.checked_out.len(), 2, "{flow:?}");
        for one in &ran.checked_out {
            assert_eq!(one.steps.len(), flow.steps().len(), "{flow:?}");
            assert_eq!(one.whole, one.steps.iter().sum::<Duration>(), "{flow:?}");
        }
        // Two calls for the notification, and at least one for each request before it.
        let calls_min = usize::try_from(flow.requests()).unwrap() + 1;
        assert!(ran.calls >= 2 * calls_min, "{flow:?}: {} calls", ran.calls);
        assert_eq!(ran.calls % 2, 0, "{flow:?}: every checkout makes the same calls");
    }
}

#[test]
fn the_tables_of_checkouts_have_a_row_for_each_flow_and_load() {
    let measured = measure(Size::Sample).unwrap();
    for flow in Flow::EVERY {
        let rows =
            measured.lines().filter(|line| line.starts_with(&format!("| `{}` |", flow.name())));
        // One load, its steps, and where the time goes.
        assert_eq!(rows.count(), 1 + flow.steps().len() + 1, "{measured}");
    }
}
