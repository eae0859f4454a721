//! Values of CAA issue properties. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::control::exercise::caa_value(data));
