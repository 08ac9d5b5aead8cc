//! libFuzzer over [`fuzz::return_url`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::return_url::check(bytes));
