//! What a server answers to the scanner's hello. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::tls::exercise(data));
