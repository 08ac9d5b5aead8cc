//! What the functions' figures look like in the page.

use std::fmt::Write as _;

use crate::figures::Figures;

/// Bytes in a megabyte, as Lambda's limits count them.
const MEGABYTE: f64 = 1e6;

/// What was measured of one function and of what it is compared with: ours, the floor, the floor
/// once more, and hello.
#[derive(Clone, Default, Debug)]
pub struct Measured {
    /// The function.
    pub function: &'static str,
    /// What it was asked.
    pub what: &'static str,
    /// The operations of its calls to the table, and its calls to a gateway.
    pub calls: Vec<String>,
    /// The floor's binary.
    pub floor: &'static str,
    /// From no process to its first answer.
    pub cold_ms: [Vec<f64>; 4],
    /// On a CPU until then.
    pub cold_cpu_ms: [Vec<f64>; 4],
    /// One warm call.
    pub warm_us: [Vec<f64>; 4],
    /// On a CPU for one warm call.
    pub warm_cpu_us: [Vec<f64>; 4],
    /// The most memory at the end.
    pub peak_mib: [f64; 4],
    /// The binary in a zip.
    pub zip_len: [usize; 4],
}

/// The tables: what each came to, its ratios, and the noise.
///
/// # Errors
/// A line, if nothing was measured.
pub fn shown(measured: &[Measured]) -> Result<String, String> {
    if measured.is_empty() {
        return Err("nothing was measured".to_owned());
    }
    Ok(format!(
        "### Ratios to the floor\n\n{}\n### Ours\n\n{}\n### The floor, and hello\n\n{}",
        ratios(measured),
        values(measured, 0),
        others(measured)
    ))
}

fn ratios(measured: &[Measured]) -> String {
    let mut table = "| function | asked | cold | cold CPU | warm p50 | warm CPU | memory | zip |\n\
                     | --- | --- | --- | --- | --- | --- | --- | --- |\n\
                     | target | | ≤ 0.85 | | ≤ 1.10 | ≤ 1.15 | ≤ 1.00 | ≤ 0.65 |\n"
        .to_owned();
    for one in measured {
        let _ = writeln!(table, "| `{}` | {} | {} |", one.function, one.what, row(one, 0));
    }
    for one in measured {
        let _ =
            writeln!(table, "| A/A | the floor of `{}`, twice | {} |", one.function, row(one, 2));
    }
    table
}

/// The ratios of one subject to the floor.
fn row(one: &Measured, at: usize) -> String {
    let ratio = |of: &[Vec<f64>; 4]| Figures::ratios(&of[at], &of[1]).shown(2);
    let zip = match at {
        0 => format!("{:.2}", one.zip_len[0] as f64 / one.zip_len[1] as f64),
        _ => String::new(),
    };
    [
        ratio(&one.cold_ms),
        ratio(&one.cold_cpu_ms),
        ratio(&one.warm_us),
        ratio(&one.warm_cpu_us),
        format!("{:.2}", one.peak_mib[at] / one.peak_mib[1]),
        zip,
    ]
    .join(" | ")
}

fn head(first: &str) -> String {
    let (names, lines) = (first.matches('|').count(), " --- |");
    format!(
        "| {first} | cold ms | cold CPU ms | warm µs, p50 | p99 | warm CPU µs | peak MiB \
         | zip MB |\n|{}\n",
        lines.repeat(names + 8)
    )
}

fn values(measured: &[Measured], at: usize) -> String {
    let mut table = head("function | calls");
    for one in measured {
        let _ = writeln!(table, "| `{}` | {} | {} |", one.function, calls(one), figures(one, at));
    }
    table
}

fn others(measured: &[Measured]) -> String {
    let mut table = head("floor of | binary");
    for one in measured {
        let _ = writeln!(table, "| `{}` | {} | {} |", one.function, one.floor, figures(one, 1));
    }
    if let Some(last) = measured.last() {
        let _ = writeln!(table, "| hello | | {} |", figures(last, 3));
    }
    table
}

fn calls(one: &Measured) -> String {
    if one.calls.is_empty() { "none".to_owned() } else { one.calls.join(", ") }
}

fn figures(one: &Measured, at: usize) -> String {
    let of = |measured: &[Vec<f64>; 4]| Figures::of(measured[at].clone());
    let warm = of(&one.warm_us);
    [
        of(&one.cold_ms).shown(1),
        of(&one.cold_cpu_ms).shown(1),
        warm.shown(0),
        format!("{:.0}", warm.quantile(0.99)),
        of(&one.warm_cpu_us).shown(0),
        format!("{:.1}", one.peak_mib[at]),
        format!("{:.2}", one.zip_len[at] as f64 / MEGABYTE),
    ]
    .join(" | ")
}
