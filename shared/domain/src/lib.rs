//! The domain: the rules of bookings, orders, payments and refunds.
//!
//! Everything here is pure. There is no IO, no clock, no randomness and no float: what a decision
//! needs is passed in, and what it wants is a [`change::Change`] that somebody else commits.

pub mod attention;
pub mod booking;
pub mod change;
pub mod decide;
pub mod event;
pub mod figures;
pub mod gateway;
pub mod ids;
pub mod money;
pub mod product;
pub mod quote;
pub mod reconcile;
pub mod task;
pub mod term;
pub mod timeline;
