//! A backlog of tasks, as far as it can be checked without time.

use benchmarks::backlog::{drained, drained_at, measure};
use benchmarks::part::Size;

#[tokio::test(flavor = "multi_thread")]
async fn workers_side_by_side_close_each_code_once() {
    for workers in [1, 3] {
        let drained = drained(50, workers).await;
        assert_eq!((drained.closed(), drained.refused()), (50, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_a_limit_closes_each_code_once_too() {
    let drained = drained_at(50, 2, 10).await;
    assert_eq!(drained.closed(), 50);
    assert!(drained.refused() > 0, "{drained:?}");
}

#[test]
fn a_sample_has_a_row_for_each_number_of_workers() {
    let measured = measure(Size::Sample).unwrap();
    for row in ["| 60 | 1 |", "| 60 | 2 |", "| 200 | 2 |", "| seconds until all are done |"] {
        assert_eq!(measured.lines().filter(|line| line.starts_with(row)).count(), 1, "{measured}");
    }
}
