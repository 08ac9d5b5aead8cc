//! libFuzzer over [`fuzz::checkout_link`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::checkout_link::check(bytes));
