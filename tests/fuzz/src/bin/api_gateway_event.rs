//! libFuzzer over [`fuzz::api_gateway_event`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::api_gateway_event::check(bytes));
