//! Key stores, armoured text, log entries. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::files::exercise::store(data));
