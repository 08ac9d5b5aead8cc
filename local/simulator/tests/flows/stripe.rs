//! Stripe over HTTP, called by a merchant who has only its settings and the public API.

mod balance;
mod calls;
mod console;
mod idempotency;
mod intents;
mod refunds;
mod restart;
mod sessions;
mod support;
mod wallet;
mod webhooks;
