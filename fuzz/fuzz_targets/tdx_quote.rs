//! `moho_fuzz::tdx_quote` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::tdx_quote(data));
