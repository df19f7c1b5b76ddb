//! `moho_fuzz::sealed_object` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::sealed_object(data));
