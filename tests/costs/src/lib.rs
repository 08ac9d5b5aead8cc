//! What a checkout costs: whole checkouts are played on the stack, what AWS would bill is counted,
//! and the counts are multiplied with the prices of a file.
//!
//! It stands beside the tests because it plays with their harness. Everything that is counted comes
//! out the same at each run: clock, randomness and seed are given. What cannot be counted is
//! assumed, by name, in the same file as the prices.

pub mod capacity;
pub mod count;
pub mod document;
pub mod money;
pub mod play;
pub mod settings;
