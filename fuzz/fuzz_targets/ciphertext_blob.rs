//! `moho_fuzz::ciphertext_blob` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::ciphertext_blob(data));
