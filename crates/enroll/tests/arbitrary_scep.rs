//! No reader of SCEP panics: on noise, and on good messages damaged. The fuzz target `scep` runs the same function.
//!
//! The messages were made by `interop/scep/client.py` and verify with `openssl smime`: AES and SHA-256; 3DES and MD5, signed with
//! a version 1 certificate; a key of 1024 bits; and the first one in BER.

use enroll::device::exercise;
use proptest::collection::vec;
use proptest::prelude::*;

const MESSAGES: [&[u8]; 4] = [
    include_bytes!("scep_messages/aes-sha256.der"),
    include_bytes!("scep_messages/3des-md5-v1.der"),
    include_bytes!("scep_messages/rsa-1024.der"),
    include_bytes!("scep_messages/ber.der"),
];

/// A message with some octets replaced, inserted or cut.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let index = any::<prop::sample::Index>;
    let changes = vec((index(), any::<u8>()), 0..4);
    (0..MESSAGES.len(), index(), index(), changes).prop_map(|(which, from, to, changes)| {
        let mut bytes = MESSAGES[which].to_vec();
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
    })
}

proptest! {
    #[test]
    fn noise(data in vec(any::<u8>(), 0..300)) {
        exercise::scep(&data);
    }

    #[test]
    fn damaged_messages(data in damaged()) {
        exercise::scep(&data);
    }

    #[test]
    fn queries(text in "(operation|message|x)=[A-Za-z0-9+/=%& \n-]{0,200}") {
        exercise::scep(text.as_bytes());
    }
}

#[test]
fn every_truncation_of_a_message() {
    for message in MESSAGES {
        for end in (0..message.len()).step_by(7) {
            exercise::scep(&message[..end]);
        }
    }
}
