//! `make bench`: what the product costs, measured on this machine.
//!
//! Each part measures one thing and writes its own tables into `docs/performance.md`. What is
//! compared is measured in turns within one run, so that a machine whose speed drifts does it to
//! both; figures are medians and quartiles, and comparisons are ratios.

pub mod backlog;
pub mod checkouts;
pub mod figures;
pub mod functions;
pub mod growth;
pub mod hot_booking;
pub mod hot_paths;
pub mod machine;
pub mod page;
pub mod part;
pub mod plot;
mod side_by_side;
