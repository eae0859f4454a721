//! The algorithms Ward certifies and signs with, and their identifiers (RFC 3279, 4055, 5758, 8410).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PublicKey, PublicKeyKind};
use crate::{
    Error, Oid, der,
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
        let mut r = Reader::new(der).tolerant();
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

    pub(crate) fn has_null_params(&self) -> bool {
        self.params.as_deref() == Some(&NULL)
    }
}

const NULL: [u8; 2] = [0x05, 0x00];

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

    /// Whether a key of this algorithm can make signatures of that one.
    pub const fn can_sign(self, alg: SignatureAlgorithm) -> bool {
        use SignatureAlgorithm as S;
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => !matches!(
                alg,
                S::EcdsaSha256 | S::EcdsaSha384 | S::EcdsaSha512 | S::Ed25519
            ),
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => {
                matches!(alg, S::EcdsaSha256 | S::EcdsaSha384 | S::EcdsaSha512)
            }
            Self::Ed25519 => matches!(alg, S::Ed25519),
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
    pub const ALL: [SignatureAlgorithm; 10] = [
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::RsaPssSha256,
        Self::RsaPssSha384,
        Self::RsaPssSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::RsaSha384 => "rsa-sha384",
            Self::RsaSha512 => "rsa-sha512",
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPssSha384 => "rsa-pss-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::EcdsaSha256 => "ecdsa-sha256",
            Self::EcdsaSha384 => "ecdsa-sha384",
            Self::EcdsaSha512 => "ecdsa-sha512",
            Self::Ed25519 => "ed25519",
        }
    }

    pub const fn oid(self) -> Oid {
        match self {
            Self::RsaSha256 => oids::SHA256_RSA,
            Self::RsaSha384 => oids::SHA384_RSA,
            Self::RsaSha512 => oids::SHA512_RSA,
            Self::RsaPssSha256 | Self::RsaPssSha384 | Self::RsaPssSha512 => oids::RSASSA_PSS,
            Self::EcdsaSha256 => oids::ECDSA_SHA256,
            Self::EcdsaSha384 => oids::ECDSA_SHA384,
            Self::EcdsaSha512 => oids::ECDSA_SHA512,
            Self::Ed25519 => oids::ED25519,
        }
    }

    /// NULL parameters for RSA (RFC 4055 §5), none for ECDSA (RFC 5758 §3.2) and Ed25519
    /// (RFC 8410 §3).
    pub fn identifier(self) -> AlgorithmIdentifier {
        let params = match self {
            Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => Some(NULL.to_vec()),
            Self::RsaPssSha256 => Some(pss_params(oids::SHA256, 32)),
            Self::RsaPssSha384 => Some(pss_params(oids::SHA384, 48)),
            Self::RsaPssSha512 => Some(pss_params(oids::SHA512, 64)),
            _ => None,
        };
        AlgorithmIdentifier {
            oid: self.oid(),
            params,
        }
    }

    /// The complete `AlgorithmIdentifier` as it stands in a certificate.
    pub fn algorithm_identifier_der(self) -> Vec<u8> {
        let mut w = Writer::new();
        self.identifier().write(&mut w);
        w.finish()
    }

    /// The algorithm named by an identifier, if it is one Ward signs with. RSA parameters may be
    /// absent (RFC 4055 §2.1 lets readers take both); the others must be exact.
    pub fn from_identifier(id: &AlgorithmIdentifier) -> Option<Self> {
        let rsa_params = id.params.is_none() || id.has_null_params();
        let found = match id.oid {
            oids::SHA256_RSA if rsa_params => Self::RsaSha256,
            oids::SHA384_RSA if rsa_params => Self::RsaSha384,
            oids::SHA512_RSA if rsa_params => Self::RsaSha512,
            oids::RSASSA_PSS => return parse_pss(id.params.as_deref()?).ok().flatten(),
            oids::ECDSA_SHA256 if id.params.is_none() => Self::EcdsaSha256,
            oids::ECDSA_SHA384 if id.params.is_none() => Self::EcdsaSha384,
            oids::ECDSA_SHA512 if id.params.is_none() => Self::EcdsaSha512,
            oids::ED25519 if id.params.is_none() => Self::Ed25519,
            _ => return None,
        };
        Some(found)
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(s: &str) -> Result<Self, UnknownAlgorithm> {
        let found = Self::ALL.into_iter().find(|a| a.as_str() == s);
        found.ok_or_else(|| UnknownAlgorithm(s.to_owned()))
    }
}

/// RSASSA-PSS-params (RFC 4055 §3.1), salt as long as the hash.
fn pss_params(hash: Oid, salt: u64) -> Vec<u8> {
    let hash = AlgorithmIdentifier {
        oid: hash,
        params: Some(NULL.to_vec()),
    };
    der::sequence(|w| {
        w.nested(Tag::context_constructed(0), |w| hash.write(w));
        w.nested(Tag::context_constructed(1), |w| {
            w.sequence(|w| {
                w.oid(&oids::MGF1);
                hash.write(w);
            });
        });
        w.nested(Tag::context_constructed(2), |w| {
            w.u64(salt);
        });
    })
}

fn parse_pss(params: &[u8]) -> Result<Option<SignatureAlgorithm>, Error> {
    let mut r = Reader::new(params).tolerant();
    let mut inner = r.sequence()?;
    r.finish()?;
    let hash = AlgorithmIdentifier::read(&mut inner.nested(Tag::context_constructed(0))?)?;
    let mut mask = inner.nested(Tag::context_constructed(1))?.sequence()?;
    let generator = mask.oid()?;
    let mask_hash = AlgorithmIdentifier::read(&mut mask)?;
    let salt = inner.nested(Tag::context_constructed(2))?.u64()?;
    if let Some(mut trailer) = inner.optional_nested(Tag::context_constructed(3))?
        && trailer.u64()? != 1
    {
        return Ok(None);
    }
    inner.finish()?;
    if generator != oids::MGF1 || mask_hash.oid != hash.oid {
        return Ok(None);
    }
    Ok(match (hash.oid, salt) {
        (oids::SHA256, 32) => Some(SignatureAlgorithm::RsaPssSha256),
        (oids::SHA384, 48) => Some(SignatureAlgorithm::RsaPssSha384),
        (oids::SHA512, 64) => Some(SignatureAlgorithm::RsaPssSha512),
        _ => None,
    })
}
