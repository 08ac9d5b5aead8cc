//! What the pictures of the page show.

use benchmarks::plot::{Axis, Chart, Scale};

fn chart(up: Scale) -> Chart {
    let across = Axis { name: "orders", scale: Scale::Log };
    Chart::new("Reads & writes", across, Axis { name: "units", scale: up })
}

#[test]
fn a_chart_names_itself_its_axes_and_its_lines() {
    let chart = chart(Scale::Linear).line("quote", vec![(1.0, 2.0), (10_000.0, 2.0)]);
    let svg = chart.svg().unwrap();
    for text in ["<title>Reads &amp; writes</title>", "orders", "units", "quote", "10,000"] {
        assert!(svg.contains(text), "{text} is not in\n{svg}");
    }
    assert_eq!(svg, chart.svg().unwrap());
}

#[test]
fn a_chart_without_points_or_with_one_that_has_no_place_is_refused() {
    assert_eq!(chart(Scale::Linear).svg(), Err("there is nothing to draw".to_owned()));
    let zero = |scale| chart(scale).line("quote", vec![(1.0, 0.0)]).svg();
    assert!(zero(Scale::Linear).is_ok());
    assert_eq!(zero(Scale::Log), Err("0 has no place by powers of ten".to_owned()));
}
