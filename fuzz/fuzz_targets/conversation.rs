//! TLS as somebody else speaks it, in segments. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::capture::exercise::conversation(data));
