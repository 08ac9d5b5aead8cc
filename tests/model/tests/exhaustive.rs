//! The small worlds, as far as a test run can look.

use domain::product::Flow;
use model::world::{Gateway, World};
use model::worlds::{EXHAUSTED, LATE, ODD_GATEWAY, REFUNDS, TWO_GATEWAYS, TWO_WINDOWS, WORLDS};
use model::{Extent, Limits, Report, explore};

fn look(world: &World, depth: Option<usize>) -> Report {
    explore(world, Limits { depth, time: None })
}

#[track_caller]
fn check(world: &World, depth: Option<usize>) {
    let report = look(world, depth);
    assert_eq!(report.broken, None, "{}", world.name);
}

#[test]
fn every_rule_holds_in_the_first_states_of_every_world() {
    for world in WORLDS {
        check(world, Some(8));
    }
}

#[test]
fn two_windows_two_codes_and_crashes_break_no_rule() {
    check(&TWO_WINDOWS, Some(13));
}

#[test]
fn switching_gateways_breaks_no_rule() {
    check(&TWO_GATEWAYS, Some(10));
}

#[test]
fn refunds_that_fail_and_codes_that_are_paid_twice_break_no_rule() {
    check(&REFUNDS, Some(10));
    check(&ODD_GATEWAY, Some(10));
}

#[test]
fn small_worlds_are_explored_to_their_ends_and_reach_all_they_should() {
    for (world, extent) in [(LATE, Extent::All), (EXHAUSTED, Extent::Depth)] {
        let report = look(&world, None);
        assert_eq!((report.broken, report.extent), (None, extent), "{}", world.name);
        assert_eq!(report.missed, [""; 0], "{}", world.name);
    }
}

#[test]
fn each_flow_has_a_world() {
    for flow in [Flow::SubmitOnce, Flow::OrderFirst, Flow::Instant] {
        assert!(WORLDS.iter().any(|world| world.flow == flow), "{flow:?}");
    }
}

/// One code of gateway A, sent again just before `pay_by`, and asked for while it is on its way.
fn create_on_its_way(grace_s: i64) -> World {
    World {
        gateways: &[Gateway::A],
        clock_s: &[0, 299, 329, 359, 4_000],
        asking_until: 1,
        quotes: 1,
        payments: 1,
        captures: 1,
        grace_s,
        milestones: &[],
        ..TWO_WINDOWS
    }
}

#[test]
fn a_gateway_must_not_be_believed_before_the_last_create_has_arrived() {
    // Sent at 299 s, a create arrives until 329 s; asked at 329 s, the answer is read until 359 s.
    let report = look(&create_on_its_way(29), None);
    assert_eq!((report.broken, report.extent), (None, Extent::All));
    let (steps, rule) = look(&create_on_its_way(28), None).broken.expect("a code is forgotten");
    assert!(rule.contains("code 0A1 can still be paid"), "{rule}");
    assert_eq!(steps.len(), 10, "{steps:#?}");
}
