//! What the figures of a page mean, and where they go.

use benchmarks::figures::Figures;
use benchmarks::page::with_measured;

#[test]
fn a_quantile_is_a_measurement_that_so_many_are_not_above() {
    let figures = Figures::of(vec![4.0, 1.0, 3.0, 2.0]);
    assert_eq!(figures.count(), 4);
    assert_eq!(figures.quantile(0.0), 1.0);
    assert_eq!(figures.quantile(0.25), 1.0);
    assert_eq!(figures.quantile(0.26), 2.0);
    assert_eq!(figures.median(), 2.0);
    assert_eq!(figures.quantile(1.0), 4.0);
    assert_eq!(figures.shown(1), "2.0 (1.0–3.0)");
}

#[test]
fn ratios_are_of_what_was_measured_side_by_side() {
    let ratios = Figures::ratios(&[2.0, 6.0, 1.0], &[1.0, 2.0, 1.0]);
    assert_eq!(ratios.median(), 2.0);
    assert_eq!(ratios.quantile(1.0), 3.0);
}

#[test]
fn what_a_part_measured_replaces_what_it_measured_before_and_nothing_else() {
    let page = "a\n<!-- growth: begin -->\nold\n<!-- growth: end -->\nb\n";
    let written = with_measured(page, "growth", "new\n").unwrap();
    assert_eq!(written, "a\n<!-- growth: begin -->\nnew\n<!-- growth: end -->\nb\n");
    let missing = with_measured(page, "backlog", "new\n");
    assert_eq!(missing, Err("the page has no place for backlog".to_owned()));
}
