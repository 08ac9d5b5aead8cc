//! The simulator over HTTP, called by a merchant who has only its settings and the protocol.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests, outside of test functions"
)]

mod alipay;
mod bill;
mod calls;
mod create;
mod faults;
mod notifications;
mod refunds;
mod restart;
mod stripe;
mod support;
mod wallet;
