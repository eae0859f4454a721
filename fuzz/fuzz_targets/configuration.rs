//! Configurations of nginx, Apache and HAProxy. The tests of crates/agent call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agent::files::exercise::configuration(data));
