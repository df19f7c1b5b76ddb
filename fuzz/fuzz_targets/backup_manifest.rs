//! `moho_fuzz::backup_manifest` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::backup_manifest(data));
