//! No reader of what clients send panics: on noise, and on good messages damaged. The fuzz targets `jws` and `acme_payload`
//! run the same functions.

use enroll::acme::exercise;
use proptest::collection::vec;
use proptest::prelude::*;

/// RFC 7515 A.3 as a flattened JWS with its key, and a message with everything in it that is refused.
const MESSAGES: [&str; 3] = [
    r#"{"protected":"eyJhbGciOiJFUzI1NiIsImp3ayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vjc2ZThUdXM5dVBIdlJWRVUiLCJ5IjoieF9GRXpSdTltMzZITE5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTVhMCJ9LCJub25jZSI6IkFBQUEiLCJ1cmwiOiJodHRwczovL2EvIn0","payload":"e30","signature":"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}"#,
    r#"{"protected":"eyJhbGciOiJub25lIiwiY3JpdCI6W119","payload":"","signature":"","header":{},"signatures":[]}"#,
    r#"{"payload":"e30","signatures":[{"protected":"e30","signature":"AA"}]}"#,
];

const PAYLOADS: [&str; 7] = [
    r#"{"contact":["mailto:admin@example.org"],"termsOfServiceAgreed":true,"externalAccountBinding":{"protected":"eyJhbGciOiJIUzI1NiJ9","payload":"e30","signature":"AA"}}"#,
    r#"{"identifiers":[{"type":"dns","value":"*.icu.example.org"},{"type":"dns","value":"xn--bcher-kva.example"},{"type":"ip","value":"2001:db8::1"}],"notBefore":"2026-11-22T00:00:00Z","profile":"server-tls"}"#,
    r#"{"account":"https://a/acme/x/account/1","oldKey":{"kty":"RSA","n":"sXch","e":"AQAB"}}"#,
    r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    r#"{"csr":"MIHsMIGTAgEAMA"}"#,
    r#"{"status":"deactivated","contact":["tel:1","mailto:"]}"#,
    "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
];

/// A request as devices send it: in lines, and with something before and after.
const EST_BODIES: [&str; 2] = [
    "MIHcMIGDAgEAMCExHzAdBgNVBAMMFnB1bXAtMTcubWVyY3kuZXhhbXBsZTBZMBMG\r\nByqGSM49AgEGCCqGSM49AwEHA0IABA==",
    "-----BEGIN CERTIFICATE REQUEST-----\nMIHcMIGDAgEA\n-----END CERTIFICATE REQUEST-----\n",
];

/// A sample with some bytes replaced, inserted or cut.
fn damaged(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let cut = (
        0..samples.len(),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
    );
    (cut, vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)).prop_map(
        move |((which, from, to), changes)| {
            let mut bytes = samples[which].as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                match byte % 3 {
                    0 => bytes.insert(at, byte),
                    _ => bytes[at] = byte,
                }
            }
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            match from % 4 {
                0 => bytes.drain(from.min(to)..from.max(to)).collect(),
                _ => bytes,
            }
        },
    )
}

proptest! {
    #[test]
    fn messages_of_noise(data in vec(any::<u8>(), 0..300)) {
        exercise::jws(&data);
        exercise::payload(&data);
    }

    #[test]
    fn messages_that_were_damaged(data in damaged(&MESSAGES)) {
        exercise::jws(&data);
    }

    #[test]
    fn est_bodies_of_noise(data in vec(any::<u8>(), 0..300)) {
        enroll::device::exercise::est(&data);
    }

    #[test]
    fn est_bodies_that_were_damaged(data in damaged(&EST_BODIES)) {
        enroll::device::exercise::est(&data);
    }

    #[test]
    fn payloads_that_were_damaged(data in damaged(&PAYLOADS)) {
        exercise::payload(&data);
    }
}

#[test]
fn the_samples_themselves() {
    for sample in MESSAGES {
        exercise::jws(sample.as_bytes());
    }
    for sample in PAYLOADS {
        exercise::payload(sample.as_bytes());
    }
}
