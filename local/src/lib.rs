//! The laptop stack: every handler behind one port, the embedded store beneath the real SDK
//! client, the `settle` worker, and the gateways' simulator. No deployed function contains it.

pub mod attention;
pub mod client;
pub mod clock;
pub mod demo;
pub mod dispatch;
pub mod events;
pub mod lambda;
pub mod pages;
pub mod pipe;
pub mod reconcile;
pub mod server;

pub mod secrets;
pub mod seed;
pub mod stack;
pub mod webhook;
pub mod worker;
