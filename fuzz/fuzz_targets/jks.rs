//! Java key stores. The property tests of crates/x509 call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| x509::exercise::jks(data));
