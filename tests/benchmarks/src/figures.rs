//! What many measurements of one thing come to.

/// Measurements of one thing, in whatever unit they were taken.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Measurements in any order.
    ///
    /// # Panics
    /// If there is none, or one that is no number.
    #[must_use]
    pub fn of(mut measured: Vec<f64>) -> Self {
        assert!(!measured.is_empty(), "nothing was measured");
        assert!(measured.iter().all(|it| it.is_finite()), "{measured:?}");
        measured.sort_by(f64::total_cmp);
        Self(measured)
    }

    /// The measurement that a share of all is not above, such as 0.5 for the median: the nearest
    /// rank, so that it is one that was taken.
    ///
    /// # Panics
    /// If the share is not between 0 and 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        assert!((0.0..=1.0).contains(&share), "{share}");
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.max(1) - 1]
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// How many measurements these are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What each measurement is of the one that was taken beside it: the ratios of two things that
    /// were measured in turns, `ours` and `theirs` in the order in which they were taken.
    ///
    /// # Panics
    /// If there are not as many of the one as of the other.
    #[must_use]
    pub fn ratios(ours: &[f64], theirs: &[f64]) -> Self {
        assert_eq!(ours.len(), theirs.len(), "they were not measured in turns");
        Self::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// Median and quartiles, as the tables show them: `1.02 (0.99–1.04)`.
    #[must_use]
    pub fn shown(&self, digits: usize) -> String {
        let [low, median, high] = [0.25, 0.5, 0.75].map(|share| self.quantile(share));
        format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
    }
}
