//! `moho_fuzz::query_forms` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::query_forms(data));
