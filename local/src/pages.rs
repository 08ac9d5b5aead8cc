//! The laptop's own pages: its first one, and the customer's wallet.

use api::page::Page;

/// What this is, and a checkout at a press.
pub static HOME: Page = include!(concat!(env!("OUT_DIR"), "/home.rs"));

/// The codes that there are, to be scanned, paid and refused.
pub static WALLET: Page = include!(concat!(env!("OUT_DIR"), "/wallet.rs"));
