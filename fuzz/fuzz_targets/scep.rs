//! SCEP messages and the queries they come in. The property tests of crates/enroll call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| enroll::device::exercise::scep(data));
