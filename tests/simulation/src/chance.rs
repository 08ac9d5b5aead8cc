//! Seeded draws: all that a run leaves to chance.

use std::ops::Range;
use std::time::Duration;

/// A source of draws. What is forked from it draws for itself, so that one actor's next draw does
/// not depend on what another has done meanwhile.
#[derive(Clone, Debug)]
pub struct Chance(fastrand::Rng);

/// A share of cases, in parts per thousand.
pub type PerMille = u32;

impl Chance {
    /// The draws of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A source of its own.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Whether something that happens in this share of cases happens now.
    pub fn hits(&mut self, share: PerMille) -> bool {
        self.0.u32(0..1_000) < share
    }

    /// A number of a range.
    pub fn number(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    /// A time within a range of milliseconds.
    pub fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    /// One of several; `None` of none.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        self.0.choice(all)
    }

    /// Puts several in any order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        self.0.shuffle(all);
    }

    /// One of several, by their weights.
    pub fn weighted<T: Copy>(&mut self, all: &[(u32, T)]) -> T {
        let mut drawn = self.0.u32(0..all.iter().map(|(weight, _)| weight).sum());
        for (weight, one) in all {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return *one,
            }
        }
        unreachable!("the weights add up")
    }

    /// Sixteen bytes.
    pub fn bytes(&mut self) -> [u8; 16] {
        self.0.u128(..).to_be_bytes()
    }
}
