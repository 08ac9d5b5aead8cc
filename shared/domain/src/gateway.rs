//! What the domain knows of gateways: their names and what they report.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The name of a gateway as routes and items spell it, such as `wechat_pay`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GatewayName(String);

impl GatewayName {
    /// The longest name, in characters.
    pub const LEN_MAX: usize = 16;

    /// Reads a name; `None` unless it is 1 to 16 of `a`-`z` and `_`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        fits.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for GatewayName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a gateway's name is 1 to 16 of a-z and _")
    }
}

impl From<GatewayName> for String {
    fn from(name: GatewayName) -> Self {
        name.0
    }
}

/// Money that a gateway captured, as its notification or its answer to a query tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capture {
    /// The gateway's own id of the transaction: the unit that is refunded.
    pub transaction_id: String,
    /// What was captured, before any discount that the gateway pays for.
    pub captured: Money,
    /// The gateway's own payment time: lateness is judged by it.
    pub paid_at: Timestamp,
}
