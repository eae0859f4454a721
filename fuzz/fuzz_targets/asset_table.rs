//! Tables of assets, CSV and XLSX. The property tests of crates/fleet call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fleet::exercise::table(data));
