//! The pages say what this code costs.

use costs::capacity::capacity;
use costs::document::{Place, costs, scaling, with_tables};
use costs::play::play_all;
use costs::settings::{Settings, root};

fn check(page: &str, place: Place, tables: &str) {
    let written = std::fs::read_to_string(root().join(page)).unwrap();
    let expected = with_tables(&written, place, tables);
    assert_eq!(written, expected, "{page} is out of date: `make costs WRITE=1` renews it");
}

#[tokio::test]
async fn the_tables_of_the_pages_are_what_this_code_costs() {
    let settings = Settings::of_project().unwrap();
    let played = play_all(&settings).await;
    check("docs/costs.md", Place::Counted, &costs(&played, &settings));
    check("docs/scaling.md", Place::Counted, &scaling(&played, &settings));
    check("docs/scaling.md", Place::Capacity, &capacity(&played, &settings));
}
