//! Lambda on this machine: starts the binaries that are deployed, plays the Runtime API to them,
//! and takes invocations as the Lambda API does.
//!
//! One [`Sandbox`](sandbox::Sandbox) is one process of one function, as Lambda has it: it serves
//! one invocation at a time, and is ended at the deadline of an invocation that it does not meet.
//! [`Lambda`](lambda::Lambda) starts as many of them as are called at once, keeps those that have
//! answered for the next call, and is what `local` calls an endpoint of functions.

mod api;
pub mod lambda;
pub mod sandbox;
