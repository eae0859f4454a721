//! DNS answers, as resolvers send them. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::control::exercise::dns_answer(data));
