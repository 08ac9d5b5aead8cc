//! libFuzzer over [`fuzz::quote_token`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::quote_token::check(bytes));
