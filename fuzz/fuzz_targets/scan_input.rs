//! What a scan is told: ranges, ports, names, limits, cursors. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::scan::exercise::input(data));
