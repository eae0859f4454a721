//! What an authenticator sends: CBOR, COSE keys, authenticator data, client data.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| access::exercise(data));
