//! `moho_fuzz::saml_metadata` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::saml_metadata(data));
