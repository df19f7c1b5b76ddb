//! `moho_fuzz::cloudtrail` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::cloudtrail(data));
