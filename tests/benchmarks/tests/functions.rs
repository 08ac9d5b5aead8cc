//! What functions and their floors are asked, without the binaries.

use std::collections::BTreeSet;

use benchmarks::functions::case::{EVERY, GREETING, names};
use benchmarks::functions::table::{Measured, shown};
use tests::World;

#[tokio::test]
async fn each_event_of_a_case_says_as_many_names_and_none_that_another_has() {
    let world = World::start_unsettled().await;
    for case in EVERY {
        let (first, second) = (case.event(&world).await, case.event(&world).await);
        let (first, second) = (names(&first), names(&second));
        assert_eq!(first.len(), second.len(), "{}", case.function);
        let both: BTreeSet<_> = first.iter().chain(&second).collect();
        // A task's moment may be that of another.
        let least = first.len() * 2 - usize::from(!case.is_request());
        assert!(both.len() >= least, "{}: {first:?}, {second:?}", case.function);
        assert!(first.iter().all(|name| name.len() > 8), "{}: {first:?}", case.function);
    }
}

#[tokio::test]
async fn every_function_is_asked_once_and_a_greeting_needs_no_booking() {
    let world = World::start_unsettled().await;
    let functions: BTreeSet<_> = EVERY.iter().map(|case| case.function).collect();
    assert_eq!(functions.len(), EVERY.len());
    assert!(names(&GREETING.event(&world).await).is_empty());
}

#[test]
fn every_row_has_as_many_cells_as_the_head_of_its_table() {
    let times = || [(); 4].map(|()| vec![1.0]);
    let measured = EVERY.map(|case| Measured {
        function: case.function,
        what: case.what,
        calls: vec!["GetItem".to_owned(), "gateway".to_owned()],
        floor: "floor-gateway",
        cold_ms: times(),
        cold_cpu_ms: times(),
        warm_us: times(),
        warm_cpu_us: times(),
        peak_mib: [1.0; 4],
        zip_len: [1; 4],
    });
    let tables = shown(&measured).unwrap();
    for table in tables.split("\n\n").filter(|part| part.starts_with('|')) {
        let cells: BTreeSet<_> = table.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(cells.len(), 1, "{table}");
    }
    for case in EVERY {
        let rows = tables.matches(&format!("\n| `{}` |", case.function)).count();
        assert_eq!(rows, 3, "{tables}");
    }
    assert!(shown(&[]).is_err());
}
