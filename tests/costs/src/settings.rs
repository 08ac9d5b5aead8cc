//! Prices and assumptions, as `docs/costs.yaml` has them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::money::Dollars;

/// What the command needs beside what it counts.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The AWS region of the prices.
    pub region: String,
    /// The day for which they are stated.
    pub as_of: String,
    /// Prices by name.
    pub prices: BTreeMap<String, Dollars>,
    /// Assumptions by name, in the unit that the name ends in.
    pub assumed: BTreeMap<String, u64>,
    /// Limits by name, in the unit that the name ends in.
    pub limits: BTreeMap<String, u64>,
}

impl Settings {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A line that says what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        serde_saphyr::from_str(&text).map_err(|error| error.to_string())
    }

    /// The project's own file.
    ///
    /// # Errors
    /// Like [`Settings::read`].
    pub fn of_project() -> Result<Self, String> {
        Self::read(&root().join("docs/costs.yaml"))
    }

    /// Replaces one price, assumption or limit by `name=value`.
    ///
    /// # Errors
    /// A line: there is none of that name, or that is no value of it.
    pub fn set(&mut self, change: &str) -> Result<(), String> {
        let (name, value) = change.split_once('=').ok_or("a change is name=value")?;
        if let Some(price) = self.prices.get_mut(name) {
            *price = Dollars::parse(value).ok_or(format!("{value} is no plain decimal"))?;
            return Ok(());
        }
        let Some(number) = self.assumed.get_mut(name).or_else(|| self.limits.get_mut(name)) else {
            return Err(format!("there is no price, no assumption and no limit {name}"));
        };
        *number = value.parse().map_err(|_| format!("{value} is no whole number"))?;
        Ok(())
    }

    /// The price of that name.
    ///
    /// # Panics
    /// If the file lacks it.
    #[must_use]
    pub fn price(&self, name: &str) -> Dollars {
        *self.prices.get(name).unwrap_or_else(|| panic!("there is no price {name}"))
    }

    /// The assumption of that name.
    ///
    /// # Panics
    /// If the file lacks it.
    #[must_use]
    pub fn assume(&self, name: &str) -> u64 {
        *self.assumed.get(name).unwrap_or_else(|| panic!("there is no assumption {name}"))
    }

    /// The limit of that name.
    ///
    /// # Panics
    /// If the file lacks it.
    #[must_use]
    pub fn limit(&self, name: &str) -> u64 {
        *self.limits.get(name).unwrap_or_else(|| panic!("there is no limit {name}"))
    }
}

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::Settings;
    use crate::money::Dollars;

    #[test]
    fn every_price_assumption_and_limit_can_be_replaced_by_its_name() {
        let mut settings = Settings::of_project().unwrap();
        settings.set("dynamodb_write_units_million=1.25").unwrap();
        assert_eq!(settings.price("dynamodb_write_units_million"), Dollars::parse("1.25").unwrap());
        settings.set("poll_every_s=5").unwrap();
        assert_eq!(settings.assume("poll_every_s"), 5);
        settings.set("functions_at_once=2000").unwrap();
        assert_eq!(settings.limit("functions_at_once"), 2_000);
        for wrong in ["poll_every_s", "poll_every_s=-1", "poll_every_s=0.5", "nothing=1"] {
            settings.set(wrong).unwrap_err();
        }
        settings.set("dynamodb_write_units_million=1e3").unwrap_err();
    }
}
