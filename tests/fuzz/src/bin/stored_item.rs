//! libFuzzer over [`fuzz::stored_item`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::stored_item::check(bytes));
