//! A line of a file of observations. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::scan::exercise::line(data));
