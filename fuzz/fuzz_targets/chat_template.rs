//! `moho_fuzz::chat_template` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::chat_template(data));
