//! Properties of everything that reads outside bytes, one function for each target.
//!
//! A target takes any bytes and panics where a property does not hold. `cargo test` runs each of
//! them over its corpus and over what follows from it; `make fuzz` lets libFuzzer look for more.
//!
//! What a signature guards is reached by signing: the targets hold the gateways' and the
//! deployment's side of the secrets, throw-away ones all of them.

pub mod api_gateway_event;
mod canned;
pub mod checkout_link;
pub mod gateway_reply;
pub mod identifier;
mod message;
pub mod notification;
mod peer;
pub mod quote_token;
pub mod request;
pub mod return_url;
pub mod route;
pub mod settings;
pub mod stored_item;
pub mod stream_event;

/// A property over any bytes. It panics where it does not hold.
pub type Target = fn(&[u8]);

/// Every target, by the name of its module, its program and its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_gateway_event", api_gateway_event::check),
    ("checkout_link", checkout_link::check),
    ("gateway_reply", gateway_reply::check),
    ("identifier", identifier::check),
    ("notification", notification::check),
    ("quote_token", quote_token::check),
    ("request", request::check),
    ("return_url", return_url::check),
    ("route", route::check),
    ("settings", settings::check),
    ("stored_item", stored_item::check),
    ("stream_event", stream_event::check),
];
