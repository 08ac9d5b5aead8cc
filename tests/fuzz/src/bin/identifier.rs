//! libFuzzer over [`fuzz::identifier`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::identifier::check(bytes));
