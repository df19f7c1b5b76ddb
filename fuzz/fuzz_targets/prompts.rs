//! `moho_fuzz::prompts` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::prompts(data));
