//! `moho_fuzz::root_key` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::root_key(data));
