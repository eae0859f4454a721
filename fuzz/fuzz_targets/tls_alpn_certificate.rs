//! Certificates shown for tls-alpn-01. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::control::exercise::tls_alpn_certificate(data));
