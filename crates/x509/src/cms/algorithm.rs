//! The algorithms of CMS messages: digests and signatures (RFC 3370 §2–3, RFC 5754), key transport (RFC 3370 §4.2.1,
//! RFC 3560) and content encryption (RFC 3565, and 3DES of RFC 3370 §5.1 for devices that know nothing else).

use aws_lc_rs::{
    cipher::{self, AES_128, AES_192, AES_256},
    digest,
};
use md5::Digest as _;

use super::{CmsError, rsa_public};
use crate::{
    AlgorithmIdentifier, Error, KeyAlgorithm, Oid, PublicKey, SignatureAlgorithm,
    der::{self, Reader, Tag},
    oids,
};

pub(super) const NULL: [u8; 2] = [0x05, 0x00];

/// A message digest. MD5 and SHA-1 are for devices that sign with nothing better, and never by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestAlgorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    pub const ALL: [Self; 5] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    pub const fn oid(self) -> Oid {
        match self {
            Self::Md5 => oids::MD5,
            Self::Sha1 => oids::SHA1,
            Self::Sha256 => oids::SHA256,
            Self::Sha384 => oids::SHA384,
            Self::Sha512 => oids::SHA512,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Whether collisions are known, so that only an explicit legacy policy admits it.
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }

    pub fn from_oid(oid: &Oid) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.oid() == *oid)
    }

    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Md5 => return md5::Md5::digest(message).to_vec(),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// NULL parameters: RFC 5754 §2 has readers take both forms, and old ones take only this.
    pub(super) fn identifier(self) -> AlgorithmIdentifier {
        AlgorithmIdentifier {
            oid: self.oid(),
            params: Some(NULL.to_vec()),
        }
    }

    pub(super) fn read(id: &AlgorithmIdentifier) -> Result<Self, CmsError> {
        Self::from_oid(&id.oid).ok_or_else(|| unsupported("digest algorithm", id.oid))
    }
}

/// Signatures that are made for devices that verify nothing better, where an endpoint's policy says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegacySignature {
    RsaMd5,
    RsaSha1,
}

impl LegacySignature {
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::RsaMd5 => DigestAlgorithm::Md5,
            Self::RsaSha1 => DigestAlgorithm::Sha1,
        }
    }

    /// Verifies such a signature: with an RSA key from 1024 to 4096 bits.
    pub fn verify(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), CmsError> {
        rsa_public::verify(key, &self.digest_info(message), signature)
    }

    /// What PKCS #1 v1.5 pads: DigestInfo (RFC 8017 §9.2) of the message.
    pub fn digest_info(self, message: &[u8]) -> Vec<u8> {
        digest_info(self.digest(), message)
    }
}

/// DigestInfo (RFC 8017 §9.2) of a message.
pub(super) fn digest_info(digest: DigestAlgorithm, message: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        digest.identifier().write(w);
        w.octet_string(&digest.digest(message));
    })
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageSignature {
    Current(SignatureAlgorithm),
    Legacy(LegacySignature),
}

impl MessageSignature {
    /// How a key of this kind signs with that digest, if it can. An elliptic curve has one digest only, that of its
    /// strength; Ed25519 goes with SHA-512 (RFC 8419 §2.3).
    pub fn with(key: KeyAlgorithm, digest: DigestAlgorithm) -> Option<Self> {
        use {DigestAlgorithm as D, KeyAlgorithm as K, SignatureAlgorithm as S};
        Some(match (key, digest) {
            (K::Rsa2048 | K::Rsa3072 | K::Rsa4096, digest) => match digest {
                D::Md5 => Self::Legacy(LegacySignature::RsaMd5),
                D::Sha1 => Self::Legacy(LegacySignature::RsaSha1),
                D::Sha256 => Self::Current(S::RsaSha256),
                D::Sha384 => Self::Current(S::RsaSha384),
                D::Sha512 => Self::Current(S::RsaSha512),
            },
            (K::EcdsaP256, D::Sha256) => Self::Current(S::EcdsaSha256),
            (K::EcdsaP384, D::Sha384) => Self::Current(S::EcdsaSha384),
            (K::EcdsaP521, D::Sha512) => Self::Current(S::EcdsaSha512),
            (K::Ed25519, D::Sha512) => Self::Current(S::Ed25519),
            _ => return None,
        })
    }

    pub const fn digest(self) -> DigestAlgorithm {
        use {DigestAlgorithm as D, SignatureAlgorithm as S};
        match self {
            Self::Legacy(legacy) => legacy.digest(),
            Self::Current(S::RsaSha256 | S::RsaPssSha256 | S::EcdsaSha256) => D::Sha256,
            Self::Current(S::RsaSha384 | S::RsaPssSha384 | S::EcdsaSha384) => D::Sha384,
            Self::Current(S::RsaSha512 | S::RsaPssSha512 | S::EcdsaSha512 | S::Ed25519) => {
                D::Sha512
            }
        }
    }

    /// The identifier in a SignerInfo. PKCS #1 v1.5 is written as plain rsaEncryption, which every CMS reader must
    /// take (RFC 3370 §3.2) and which is all that some SCEP clients know.
    pub(super) fn identifier(self) -> AlgorithmIdentifier {
        use SignatureAlgorithm as S;
        match self {
            Self::Legacy(_) | Self::Current(S::RsaSha256 | S::RsaSha384 | S::RsaSha512) => {
                AlgorithmIdentifier {
                    oid: oids::RSA_ENCRYPTION,
                    params: Some(NULL.to_vec()),
                }
            }
            Self::Current(other) => other.identifier(),
        }
    }
}

/// How a content key travels to its recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyTransport {
    /// RSAES-PKCS1-v1_5 (RFC 8017 §7.2), which is what SCEP devices use.
    Pkcs1v15,
    /// RSAES-OAEP (RFC 8017 §7.1).
    Oaep {
        hash: DigestAlgorithm,
        /// The hash of the mask generation function; some writers leave it at SHA-1.
        mask: DigestAlgorithm,
        label: Vec<u8>,
    },
}

impl KeyTransport {
    /// OAEP with one hash for both purposes and no label.
    pub const fn oaep(hash: DigestAlgorithm) -> Self {
        Self::Oaep {
            hash,
            mask: hash,
            label: Vec::new(),
        }
    }

    pub(super) fn identifier(&self) -> AlgorithmIdentifier {
        match self {
            Self::Pkcs1v15 => AlgorithmIdentifier {
                oid: oids::RSA_ENCRYPTION,
                params: Some(NULL.to_vec()),
            },
            Self::Oaep { hash, mask, label } => AlgorithmIdentifier {
                oid: oids::RSAES_OAEP,
                params: Some(oaep_params(*hash, *mask, label)),
            },
        }
    }

    pub(super) fn read(id: &AlgorithmIdentifier) -> Result<Self, CmsError> {
        match id.oid {
            oids::RSA_ENCRYPTION => Ok(Self::Pkcs1v15),
            oids::RSAES_OAEP => read_oaep(id.params.as_deref()),
            other => Err(unsupported("key transport", other)),
        }
    }
}

/// RSAES-OAEP-params (RFC 4055 §4.1) with everything spelled out but the empty label.
fn oaep_params(hash: DigestAlgorithm, mask: DigestAlgorithm, label: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        if hash != DigestAlgorithm::Sha1 {
            w.nested(Tag::context_constructed(0), |w| hash.identifier().write(w));
        }
        if mask != DigestAlgorithm::Sha1 {
            w.nested(Tag::context_constructed(1), |w| {
                w.sequence(|w| {
                    w.oid(&oids::MGF1);
                    mask.identifier().write(w);
                });
            });
        }
        if !label.is_empty() {
            w.nested(Tag::context_constructed(2), |w| {
                w.sequence(|w| {
                    w.oid(&oids::P_SPECIFIED).octet_string(label);
                });
            });
        }
    })
}

fn read_oaep(params: Option<&[u8]>) -> Result<KeyTransport, CmsError> {
    let (mut hash, mut mask, mut label) = (DigestAlgorithm::Sha1, DigestAlgorithm::Sha1, &[][..]);
    let mut outer = Reader::new(params.unwrap_or(&[0x30, 0])).tolerant();
    let mut fields = outer.sequence()?;
    outer.finish()?;
    if let Some(mut r) = fields.optional_nested(Tag::context_constructed(0))? {
        hash = DigestAlgorithm::read(&AlgorithmIdentifier::read(&mut r)?)?;
    }
    if let Some(mut r) = fields.optional_nested(Tag::context_constructed(1))? {
        let mut generator = r.sequence()?;
        let oid = generator.oid()?;
        if oid != oids::MGF1 {
            return Err(unsupported("mask generation function", oid));
        }
        mask = DigestAlgorithm::read(&AlgorithmIdentifier::read(&mut generator)?)?;
    }
    if let Some(mut r) = fields.optional_nested(Tag::context_constructed(2))? {
        let mut source = r.sequence()?;
        let oid = source.oid()?;
        if oid != oids::P_SPECIFIED {
            return Err(unsupported("OAEP label source", oid));
        }
        label = source.octet_string()?;
    }
    fields.finish()?;
    if hash == DigestAlgorithm::Md5 || mask == DigestAlgorithm::Md5 {
        return Err(unsupported("OAEP hash", oids::MD5));
    }
    let label = label.to_vec();
    Ok(KeyTransport::Oaep { hash, mask, label })
}

/// How the content itself is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentCipher {
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
    /// Three-key 3DES, for devices that know nothing else.
    DesEde3Cbc,
    /// Single DES, which anybody can break: RFC 8894 §2.9 forbids it, and some SCEP clients (micromdm's) know no other.
    DesCbc,
}

impl ContentCipher {
    pub const ALL: [Self; 5] = [
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
        Self::DesEde3Cbc,
        Self::DesCbc,
    ];

    pub const fn oid(self) -> Oid {
        match self {
            Self::Aes128Cbc => oids::AES128_CBC,
            Self::Aes192Cbc => oids::AES192_CBC,
            Self::Aes256Cbc => oids::AES256_CBC,
            Self::DesEde3Cbc => oids::DES_EDE3_CBC,
            Self::DesCbc => oids::DES_CBC,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Cbc => "AES-128-CBC",
            Self::Aes192Cbc => "AES-192-CBC",
            Self::Aes256Cbc => "AES-256-CBC",
            Self::DesEde3Cbc => "3DES",
            Self::DesCbc => "DES",
        }
    }

    /// Whether only an explicit legacy policy admits it (SP 800-131A r2 §2: 3DES ended in 2023).
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::DesEde3Cbc | Self::DesCbc)
    }

    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc | Self::DesEde3Cbc => 24,
            Self::Aes256Cbc => 32,
            Self::DesCbc => 8,
        }
    }

    pub(super) const fn block_len(self) -> usize {
        match self {
            Self::DesEde3Cbc | Self::DesCbc => 8,
            _ => 16,
        }
    }

    #[allow(deprecated)]
    pub(super) const fn algorithm(self) -> &'static cipher::Algorithm {
        match self {
            Self::Aes128Cbc => &AES_128,
            Self::Aes192Cbc => &AES_192,
            Self::Aes256Cbc => &AES_256,
            Self::DesEde3Cbc => &cipher::DES_EDE3_FOR_LEGACY_USE_ONLY,
            Self::DesCbc => &cipher::DES_FOR_LEGACY_USE_ONLY,
        }
    }

    pub(super) fn from_oid(oid: &Oid) -> Result<Self, CmsError> {
        let found = Self::ALL.into_iter().find(|cipher| cipher.oid() == *oid);
        found.ok_or_else(|| unsupported("content encryption", *oid))
    }
}

pub(super) fn unsupported(what: &'static str, oid: Oid) -> CmsError {
    Error::Unsupported { what, oid }.into()
}
