//! What happened, line by line: kept where somebody wants to read it, and always summed up.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock;

/// The course of a run. Two runs of a seed have the same.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Course>);

#[derive(Debug, Default)]
struct Course {
    keeps: bool,
    lines: Vec<String>,
    sum: DefaultHasher,
}

impl Trace {
    /// A course that keeps its lines.
    #[must_use]
    pub fn kept() -> Self {
        Self(Mutex::new(Course { keeps: true, ..Course::default() }))
    }

    /// Something happened now.
    pub fn tell(&self, line: &str) {
        let ms = clock::elapsed().as_millis();
        let mut course = self.course();
        (ms, line).hash(&mut course.sum);
        if course.keeps {
            let (s, ms) = (ms / 1_000, ms % 1_000);
            course.lines.push(format!("{s:>6}.{ms:03} {line}"));
        }
    }

    /// The sum of all lines.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.course().sum.finish()
    }

    /// The lines that were kept.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.course().lines.clone()
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
