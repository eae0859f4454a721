//! Owner rules and what they are held against. The property tests of crates/fleet call the same function.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        fleet::exercise::owner_rules(text);
    }
});
