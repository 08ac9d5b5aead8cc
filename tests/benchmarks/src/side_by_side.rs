//! Work on many numbered things, on every processor.

use std::ops::Range;
use std::thread;

use local::stack::TABLE;
use serde_json::Value;
use tests::World;

/// How many threads share it. Most of the work ends in the embedded store, which lets one after the
/// other in: more would wait for each other.
const THREADS: u32 = 2;
/// How many numbers' items are put into a store at once.
const NUMBERS_PER_IMPORT: usize = 5_000;

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

/// Puts the items of each number below `count` into a stack's store, beneath the SDK.
///
/// # Panics
/// If the store refuses them.
pub fn import_all<Items: IntoIterator<Item = Value>>(
    world: &World,
    count: u32,
    items_of: impl Fn(u32) -> Items + Sync,
) {
    shared_out(count, |mut numbers| {
        while !numbers.is_empty() {
            let some = numbers.by_ref().take(NUMBERS_PER_IMPORT);
            let items = some.flat_map(&items_of).collect();
            world.stack.embedded.import(TABLE, items).unwrap();
        }
    });
}
