//! Keys for the key exchange of TLS 1.3. One set serves a whole scan: it protects nothing, it only lets the
//! server's certificate be read, and making one for every connection would be most of a connection's cost.

use super::{COMPUTABLE, SECP256R1, SECP384R1, SECP521R1, X25519};
use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, SHA512, digest};

/// Private keys and their public halves, made from a seed, so that a dry run shows the very bytes that a
/// scan with the same seed sends.
pub struct KeyShares {
    keys: Vec<(u16, PrivateKey, Vec<u8>)>,
}

impl KeyShares {
    pub fn new(seed: &[u8; 32]) -> Self {
        let keys = COMPUTABLE
            .iter()
            .filter_map(|&group| {
                let key = private(group, seed)?;
                let public = key.compute_public_key().ok()?.as_ref().to_vec();
                Some((group, key, public))
            })
            .collect();
        Self { keys }
    }

    pub fn public(&self, group: u16) -> Option<&[u8]> {
        let found = self.keys.iter().find(|(own, ..)| *own == group)?;
        Some(&found.2)
    }

    /// The secret shared with the holder of `theirs`; none if that is no key of this group.
    pub(crate) fn agree(&self, group: u16, theirs: &[u8]) -> Option<Vec<u8>> {
        let (_, key, _) = self.keys.iter().find(|(own, ..)| *own == group)?;
        let theirs = UnparsedPublicKey::new(algorithm(group)?, theirs);
        agreement::agree(key, theirs, (), |secret| Ok(secret.to_vec())).ok()
    }
}

fn algorithm(group: u16) -> Option<&'static Algorithm> {
    match group {
        X25519 => Some(&agreement::X25519),
        SECP256R1 => Some(&agreement::ECDH_P256),
        SECP384R1 => Some(&agreement::ECDH_P384),
        SECP521R1 => Some(&agreement::ECDH_P521),
        _ => None,
    }
}

/// The first number that hashes of seed and counter give and the curve accepts.
fn private(group: u16, seed: &[u8; 32]) -> Option<PrivateKey> {
    let algorithm = algorithm(group)?;
    (0u8..16).find_map(|counter| {
        let mut input = seed.to_vec();
        input.extend(group.to_be_bytes());
        input.push(counter);
        let short = digest(&SHA256, &input);
        let long = digest(&SHA512, &input);
        let scalar = match group {
            SECP384R1 => long.as_ref().get(..48)?.to_vec(),
            // 66 bytes, of which the order has 521 bits.
            SECP521R1 => [&[0, 0], long.as_ref()].concat(),
            _ => short.as_ref().to_vec(),
        };
        PrivateKey::from_private_key(algorithm, &scalar).ok()
    })
}
