//! Every target over its corpus, over what is one change away from it, and over random inputs.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use fuzz::{TARGETS, Target};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How many files one target's corpus has at most.
const CORPUS_FILES_MAX: usize = 80;
/// How long they are together at most, in bytes.
const CORPUS_LEN_MAX: usize = 40 * 1024;
/// How many changed inputs one target is tried with: a longer corpus is changed at fewer places.
const CHANGES_MAX: usize = 1_200;
/// How many random inputs one target is tried with.
const RANDOM_INPUTS: u32 = 200;
/// The longest random input, in bytes.
const RANDOM_LEN_MAX: usize = 512;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let stems = entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned());
    stems.map(|stem| stem.into_string().unwrap()).collect()
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = folder("corpus").join(target);
    let files = names(&folder).into_iter().map(|name| fs::read(folder.join(name)).unwrap());
    let files: Vec<_> = files.collect();
    assert!((1..=CORPUS_FILES_MAX).contains(&files.len()), "{target} has {} files", files.len());
    let len: usize = files.iter().map(Vec::len).sum();
    assert!(len <= CORPUS_LEN_MAX, "the corpus of {target} has {len} bytes");
    files
}

/// Runs work for every target side by side, and tells which of them failed.
fn each_target(work: impl Fn(&str, Target) -> Result<(), String> + Sync) {
    let complaints: Vec<String> = thread::scope(|scope| {
        let work = &work;
        let start = |&(name, target)| (name, scope.spawn(move || work(name, target)));
        let running: Vec<_> = TARGETS.iter().map(start).collect();
        let ended = running.into_iter().map(|(name, thread)| (name, thread.join().unwrap()));
        ended.filter_map(|(name, end)| Some(format!("{name}: {}", end.err()?))).collect()
    });
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Runs a target, whose panic has said which property does not hold.
fn run(target: Target, bytes: &[u8]) -> Result<(), String> {
    let outcome = catch_unwind(|| target(bytes));
    outcome.map_err(|_| format!("does not hold for b\"{}\"", bytes.escape_ascii()))
}

/// What one flipped bit, one more byte, or an early end makes of an input at a place.
fn changes(input: &[u8], at: usize) -> [Vec<u8>; 4] {
    let flipped = |bit: u8| {
        let mut changed = input.to_vec();
        changed[at] ^= bit;
        changed
    };
    let mut longer = input.to_vec();
    longer.insert(at, input[at]);
    [flipped(1), flipped(0x80), longer, input[..at].to_vec()]
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_nothing_else_has() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "two targets share a name");
    assert_eq!(names(&folder("src/bin")), targets);
    assert_eq!(names(&folder("corpus")), targets);
}

#[test]
fn every_target_holds_for_its_corpus() {
    each_target(|name, target| {
        corpus(name).iter().chain([&vec![]]).try_for_each(|input| run(target, input))
    });
}

#[test]
fn every_target_holds_for_what_is_one_change_away_from_its_corpus() {
    each_target(|name, target| {
        let corpus = corpus(name);
        let places: usize = corpus.iter().map(Vec::len).sum();
        let step = (places * 4).div_ceil(CHANGES_MAX).max(1);
        for input in &corpus {
            for at in (0..input.len()).step_by(step) {
                changes(input, at).iter().try_for_each(|changed| run(target, changed))?;
            }
        }
        Ok(())
    });
}

#[test]
fn every_target_holds_for_random_inputs() {
    each_target(|name, target| {
        let corpus = corpus(name);
        let piece = || (prop::sample::select(corpus.clone()), any::<prop::sample::Index>());
        let random = prop::collection::vec(any::<u8>(), 0..RANDOM_LEN_MAX);
        // Beginning and end of two inputs, with random bytes between them.
        let spliced = (piece(), random.clone(), piece()).prop_map(|(head, middle, tail)| {
            let (head, from) = head;
            let (tail, until) = tail;
            let head = &head[..from.index(head.len() + 1)];
            let tail = &tail[until.index(tail.len() + 1)..];
            [head, &middle[..middle.len() / 16], tail].concat()
        });
        let config =
            Config { cases: RANDOM_INPUTS, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(&prop_oneof![random, spliced], |input| {
            run(target, &input).map_err(TestCaseError::fail)
        });
        outcome.map_err(|error| error.to_string())
    });
}
