//! libFuzzer over [`fuzz::stream_event`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::stream_event::check(bytes));
