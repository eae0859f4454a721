//! The public key of a passkey: a COSE key (RFC 9052 §7, RFC 9053) with one of the algorithms that authenticators have.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::cbor::{self, Item};

/// COSE algorithms that are offered to authenticators, the preferred one first: ES256, EdDSA (Ed25519), ES384, RS256.
pub const ALGORITHMS: [i64; 4] = [-7, -8, -35, -257];

// COSE key parameters: RFC 9052 §7.1, RFC 9053 §7.1 and §7.2, RFC 8230 §4.
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const RSA_N: i64 = -1;
const RSA_E: i64 = -2;

/// A key that can verify.
pub(crate) enum Key {
    Ec(&'static dyn VerificationAlgorithm, Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Key {
    /// Reads a key; what it is must be said in full and must fit together.
    pub(crate) fn from_cose(bytes: &[u8]) -> Result<(Self, i64), &'static str> {
        let item = cbor::only(bytes).map_err(|_| "the public key is not CBOR")?;
        let number = |key| item.at(key).and_then(Item::integer);
        let octets = |key| item.at(key).and_then(Item::bytes);
        let algorithm = number(ALG).ok_or("the public key names no algorithm")?;
        let point = |width: usize| {
            let (Some(x), Some(y)) = (octets(X), octets(Y)) else {
                return Err("the point lacks a coordinate");
            };
            if x.len() != width || y.len() != width {
                return Err("a coordinate has another length than its curve");
            }
            Ok([&[4], x, y].concat())
        };
        let key = match (algorithm, number(KTY), number(CRV)) {
            (-7, Some(2), Some(1)) => Key::Ec(&ECDSA_P256_SHA256_ASN1, point(32)?),
            (-35, Some(2), Some(2)) => Key::Ec(&ECDSA_P384_SHA384_ASN1, point(48)?),
            (-8, Some(1), Some(6)) => match octets(X) {
                Some(x) if x.len() == 32 => Key::Ed25519(x.to_vec()),
                _ => return Err("an Ed25519 key has 32 octets"),
            },
            (-257, Some(3), _) => match (octets(RSA_N), octets(RSA_E)) {
                (Some(n), Some(e)) if (256..=1024).contains(&n.len()) && !e.is_empty() => {
                    Key::Rsa {
                        n: n.to_vec(),
                        e: e.to_vec(),
                    }
                }
                _ => return Err("an RSA key has 2048 to 8192 bits"),
            },
            _ => return Err("the public key is of a kind that was not offered"),
        };
        Ok((key, algorithm))
    }

    /// Whether `signature` over `message` is this key's.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Key::Ec(algorithm, point) => UnparsedPublicKey::new(*algorithm, point)
                .verify(message, signature)
                .is_ok(),
            Key::Ed25519(octets) => UnparsedPublicKey::new(&ED25519, octets)
                .verify(message, signature)
                .is_ok(),
            Key::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}
