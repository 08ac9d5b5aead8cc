//! What the hot paths' part measures, without its times.

use benchmarks::hot_paths::counts::{Count, section};
use benchmarks::hot_paths::path::EVERY;
use benchmarks::hot_paths::scene::Scene;
use benchmarks::hot_paths::table::{moved, shown};
use benchmarks::hot_paths::timing::timed;
use benchmarks::page::performance;
use benchmarks::part::Size;

/// A profile as callgrind writes it, cut to what is read.
const PROFILE: &str = "\
# callgrind format
version: 1
events: Ir
fl=(1)
fn=work
12 40
cfn=malloc
calls=3 0
12 300
cfn=memcpy
calls=9 0
12 90
cfn=realloc
calls=2 0
12 500

totals: 1234
";

fn counts_of(instructions: f64) -> Vec<Count> {
    vec![Count { instructions, allocations: 7.0 }; EVERY.len()]
}

#[test]
fn every_path_comes_to_what_it_should_and_does_again() {
    let scene = Scene::set();
    for path in EVERY {
        path.run(&scene);
        path.run(&scene);
    }
}

#[test]
fn every_path_is_measured_in_every_sample() {
    let folder = std::env::temp_dir().join(format!("hot-paths-timed-{}", std::process::id()));
    let timed = timed(&Scene::set(), Size::Sample, &folder).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(timed.len(), EVERY.len());
    assert!(timed.iter().all(|one| one.len() == 10 && one.iter().all(|ns| *ns > 0.0)));
}

#[test]
fn the_table_has_a_row_for_each_path_with_or_without_counts() {
    let timed = vec![vec![1.0]; EVERY.len()];
    for counted in [None, Some(counts_of(10.0))] {
        let table = shown(&timed, counted.as_deref()).unwrap();
        for path in EVERY {
            assert_eq!(table.matches(&format!("| `{}` | ", path.name)).count(), 1, "{table}");
        }
        let cells = table.lines().map(|line| line.matches(" |").count());
        assert!(cells.collect::<Vec<_>>().iter().all(|cells| *cells == 5), "{table}");
    }
    assert!(shown(&timed[1..], None).is_err());
}

#[test]
fn calls_for_memory_are_counted_and_other_calls_are_not() {
    assert_eq!(section(PROFILE), Ok(Count { instructions: 1234.0, allocations: 5.0 }));
    assert!(section("events: Ir\n").is_err());
}

#[test]
fn a_path_has_moved_from_two_percent_on_and_when_it_is_new() {
    let timed = vec![vec![1.0]; EVERY.len()];
    let page = shown(&timed, Some(&counts_of(1000.0))).unwrap();
    for (instructions, has_moved) in
        [(979.0, true), (980.0, false), (1000.0, false), (1020.0, false), (1021.0, true)]
    {
        let moved = moved(&page, &counts_of(instructions));
        assert_eq!(moved.len() == EVERY.len(), has_moved, "{moved:?}");
        assert_eq!(moved.is_empty(), !has_moved, "{moved:?}");
    }
    assert_eq!(moved("", &counts_of(1000.0)).len(), EVERY.len());
}

#[test]
fn the_page_says_what_each_path_executes() {
    let page = std::fs::read_to_string(performance()).unwrap();
    for path in EVERY {
        assert!(page.contains(&format!("| `{}` | {} | ", path.name, path.what)), "{}", path.name);
    }
}
