//! `moho_fuzz::snp_report` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::snp_report(data));
