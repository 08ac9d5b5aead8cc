//! Whole checkouts, from the quote to the applied notification, beside the store driven bare.

pub mod customer;
pub mod run;
mod stopwatch;
mod table;
mod tape;

use crate::checkouts::customer::Flow;
use crate::checkouts::run::{Load, run};
use crate::checkouts::table::shown;
use crate::part::{Size, on_every_processor};

/// How much is run.
struct Extent {
    customers: &'static [usize],
    /// The same number for each, so that the store remembers as much: what it remembers slows it.
    checkouts: usize,
    rounds: usize,
}

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let extent = match size {
        Size::Whole => Extent { customers: &[1, 8, 64], checkouts: 128, rounds: 3 },
        Size::Sample => Extent { customers: &[1], checkouts: 1, rounds: 1 },
    };
    on_every_processor(async {
        let mut runs = vec![];
        for _ in 0..extent.rounds {
            for customers in extent.customers {
                for flow in Flow::EVERY {
                    let checkouts = extent.checkouts;
                    runs.push(run(Load { flow, customers: *customers, checkouts }).await);
                }
            }
        }
        shown(&runs, extent.customers)
    })
}
