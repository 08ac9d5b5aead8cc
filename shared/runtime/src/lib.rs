//! What every function runs on: configuration, clock, transport, the commit loop, and the steps
//! between two commits that call a gateway.
//!
//! No rule about orders lives here; those are decisions of `domain`.

pub mod api_gateway;
pub mod apply;
pub mod config;
pub mod connectors;
pub mod create_payment;
pub mod deadline;
pub mod deps;
pub mod gateway_calls;
pub mod lambda;
pub mod news;
pub mod secret_reader;
mod secrets;
pub mod serve;
pub mod source;
pub mod telemetry;
pub mod transport;
