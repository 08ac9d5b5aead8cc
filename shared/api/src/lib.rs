//! The HTTP API: routes, requests, problems, response bodies, quote tokens, checkout links, pages.
//!
//! What a caller may send and will read is decided here, free of Lambda and AWS.

pub mod cursor;
pub mod link;
pub mod page;
pub mod problem;
pub mod request;
pub mod respond;
pub mod return_url;
pub mod route;
pub mod texts;
pub mod token;
pub mod view;
