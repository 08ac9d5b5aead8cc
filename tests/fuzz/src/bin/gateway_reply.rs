//! libFuzzer over [`fuzz::gateway_reply`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::gateway_reply::check(bytes));
