//! `Location` of a redirect, as servers under validation send it. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::control::exercise::redirect(data));
