//! Work on many numbered things, on every processor.

use std::ops::Range;
use std::thread;

/// How many threads share it. More processors would not help: what they do ends in the embedded
/// store, which lets one after the other in.
const THREADS: u32 = 2;

/// Splits the numbers below `count` into shares and does `work` on all of them at once; answers
/// what came of each, in the order of the numbers.
///
/// # Panics
/// If the work on one does.
pub fn shared_out<T: Send>(count: u32, work: impl Fn(Range<u32>) -> T + Sync) -> Vec<T> {
    let (work, share) = (&work, count.div_ceil(THREADS));
    thread::scope(|threads| {
        let shares = (0..THREADS).map(|at| (at * share).min(count)..((at + 1) * share).min(count));
        let working: Vec<_> = shares.map(|numbers| threads.spawn(move || work(numbers))).collect();
        working.into_iter().map(|one| one.join().unwrap()).collect()
    })
}
