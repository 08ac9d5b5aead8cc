//! The first result under an `Idempotency-Key`, and what a repeat gets.
//!
//! <https://docs.stripe.com/api/idempotent_requests> (read 2026-11-24): the result is kept once a
//! call began to run, whatever it was; what was refused for its parameters is not; keys go after
//! 24 hours.

use super::book::StoredResult;
use super::form::Pairs;
use super::refusal::Refusal;

const KEY_LEN_MAX: usize = 255;

/// A key, and the call that it is used for.
pub(super) struct Keyed {
    pub(super) key: String,
    pub(super) path: String,
    pub(super) parameters: Pairs,
}

impl Keyed {
    pub(super) fn new(key: &str, path: &str, mut parameters: Pairs) -> Result<Self, Refusal> {
        if key.chars().count() > KEY_LEN_MAX {
            let message = format!("The idempotency key is longer than {KEY_LEN_MAX} characters");
            return Err(Refusal::idempotency(message));
        }
        parameters.sort();
        Ok(Self { key: key.to_owned(), path: path.to_owned(), parameters })
    }

    /// Refuses another call under the key of a result.
    pub(super) fn check(&self, stored: &StoredResult) -> Result<(), Refusal> {
        let Self { key, path, parameters } = self;
        let advice = format!(
            "Try using a key other than '{key}' if you meant to execute a different request."
        );
        if stored.path != *path {
            return Err(Refusal::idempotency(format!(
                "Keys for idempotent requests can only be used for the same endpoint they were \
                 first used for ('{path}' vs '{}'). {advice}",
                stored.path
            )));
        }
        if stored.parameters != *parameters {
            return Err(Refusal::idempotency(format!(
                "Keys for idempotent requests can only be used with the same parameters they were \
                 first used with. {advice}"
            )));
        }
        Ok(())
    }
}
