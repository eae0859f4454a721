//! Capture files, pcap and pcapng. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::capture::exercise::file(data));
