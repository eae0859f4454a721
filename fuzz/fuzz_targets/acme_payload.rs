//! Payloads of ACME messages. The property tests of crates/enroll call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| enroll::acme::exercise::payload(data));
