//! Attestation objects and the TPM structures in them. The tests of crates/enroll read the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| enroll::acme::attest::exercise(data));
