//! The laptop's clock: it runs with another one, and can be turned.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use runtime::deps::Clock;

use crate::secrets::write_whole;

/// A clock that runs with another one and is ahead of it.
#[derive(Clone)]
pub struct TurnedClock {
    beneath: Clock,
    ahead_ms: Arc<AtomicI64>,
    /// Where it is kept how far it is ahead: what is stored must not lie in the future after a
    /// restart.
    file: Option<PathBuf>,
}

impl TurnedClock {
    /// As far ahead of a clock as the folder says; without a folder nothing is kept.
    ///
    /// # Errors
    /// The folder holds something else than what was kept there, or cannot be read.
    pub fn open(beneath: Clock, folder: Option<&Path>) -> io::Result<Self> {
        let file = folder.map(|folder| folder.join("clock"));
        let kept = match &file {
            Some(file) if file.exists() => std::fs::read_to_string(file)?,
            Some(_) | None => "0".to_owned(),
        };
        let ahead_ms = kept.trim().parse().map_err(io::Error::other)?;
        Ok(Self { beneath, ahead_ms: Arc::new(AtomicI64::new(ahead_ms)), file })
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.ahead_ms.load(Ordering::SeqCst));
        let beneath = (self.beneath)();
        beneath.checked_add(ahead).unwrap_or(beneath)
    }

    /// The same clock for whoever only reads it.
    #[must_use]
    pub fn reader(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// Turns it by so many seconds.
    pub fn advance_s(&self, seconds: i64) {
        self.ahead_ms.fetch_add(seconds.saturating_mul(1_000), Ordering::SeqCst);
    }

    /// Turns it to a moment.
    pub fn set(&self, moment: Timestamp) {
        let by = moment.duration_since(self.now()).as_millis();
        self.ahead_ms.fetch_add(i64::try_from(by).unwrap_or_default(), Ordering::SeqCst);
    }

    /// Keeps how far it is ahead, where anything is kept.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => write_whole(file, &self.ahead_ms.load(Ordering::SeqCst).to_string()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_goes_on_where_it_was_after_a_restart() {
        let beneath: Clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let folder = std::env::temp_dir().join(format!("latchpay-clock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let clock = TurnedClock::open(Arc::clone(&beneath), Some(&folder)).unwrap();
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance_s(60);
        clock.keep().unwrap();
        let again = TurnedClock::open(Arc::clone(&beneath), Some(&folder)).unwrap();
        assert_eq!(again.now().as_second(), 60);
        again.set(Timestamp::from_second(90).unwrap());
        assert_eq!((again.reader())().as_second(), 90);
        std::fs::write(folder.join("clock"), "noon").unwrap();
        assert!(TurnedClock::open(beneath, Some(&folder)).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
