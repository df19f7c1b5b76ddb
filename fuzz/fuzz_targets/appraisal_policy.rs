//! `moho_fuzz::appraisal_policy` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::appraisal_policy(data));
