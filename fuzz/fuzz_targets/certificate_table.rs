//! Tables of certificates that other tools write, CSV and XLSX. The property tests of crates/fleet call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fleet::exercise::certificate_table(data));
