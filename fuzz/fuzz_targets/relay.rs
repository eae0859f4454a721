//! What the core says to an agent, and what lies on its disk. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::relay::exercise::read(data));
