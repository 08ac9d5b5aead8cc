//! libFuzzer over [`fuzz::notification`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::notification::check(bytes));
