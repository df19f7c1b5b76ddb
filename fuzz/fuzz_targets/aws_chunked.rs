//! `moho_fuzz::aws_chunked` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moho_fuzz::aws_chunked(data));
