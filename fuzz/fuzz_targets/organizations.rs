//! `moho_fuzz::organizations` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::organizations(data));
