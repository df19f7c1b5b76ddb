//! `moho_fuzz::attestation_document` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::attestation_document(data));
