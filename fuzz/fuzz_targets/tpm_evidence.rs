//! `moho_fuzz::tpm_evidence` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::tpm_evidence(data));
