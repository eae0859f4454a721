//! Bodies of EST requests. The property tests of crates/enroll call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| enroll::device::exercise::est(data));
