//! Seeded randomness, so that a run can be repeated.

use crate::faults::Share;

const ALPHABET_LEN: u32 = 36;

const SHARE_WHOLE: u64 = Share::WHOLE as u64;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Whether something that happens in this share of cases happens now.
    pub(crate) fn hits(&mut self, share: Share) -> bool {
        self.next() % SHARE_WHOLE < u64::from(share.parts_per_million())
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count).filter_map(|_| self.character(10)).collect()
    }

    /// Lower-case letters and digits.
    pub(crate) fn alphanumerics(&mut self, count: usize) -> String {
        (0..count).filter_map(|_| self.character(ALPHABET_LEN)).collect()
    }

    fn character(&mut self, radix: u32) -> Option<char> {
        let digit = u32::try_from(self.next().checked_rem(u64::from(radix))?).ok()?;
        char::from_digit(digit, radix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }
}
