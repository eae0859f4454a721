//! CertID (RFC 6960 §4.1.1): a certificate named by hashes of its issuer and by its serial number.

use aws_lc_rs::digest::{self, digest};

use crate::{
    AlgorithmIdentifier, Error, Name, Oid, PublicKey,
    der::{Reader, Tag, Writer},
    oids,
};

/// Octets of the longest hash kept, SHA-512.
const MAX_HASH: usize = 64;

/// What a CertID is hashed with. RFC 5019bis asks for SHA-256; nearly every client still sends SHA-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Other(Oid),
}

impl HashAlgorithm {
    fn from_oid(oid: Oid) -> Self {
        match oid {
            oids::SHA1 => Self::Sha1,
            oids::SHA256 => Self::Sha256,
            oids::SHA384 => Self::Sha384,
            oids::SHA512 => Self::Sha512,
            other => Self::Other(other),
        }
    }

    pub fn oid(self) -> Oid {
        match self {
            Self::Sha1 => oids::SHA1,
            Self::Sha256 => oids::SHA256,
            Self::Sha384 => oids::SHA384,
            Self::Sha512 => oids::SHA512,
            Self::Other(oid) => oid,
        }
    }

    fn digest(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::Sha1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => Some(&digest::SHA256),
            Self::Sha384 => Some(&digest::SHA384),
            Self::Sha512 => Some(&digest::SHA512),
            Self::Other(_) => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Hash {
    len: u8,
    bytes: [u8; MAX_HASH],
}

impl Hash {
    fn new(octets: &[u8]) -> Option<Hash> {
        let mut bytes = [0; MAX_HASH];
        bytes.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(Hash {
            len: octets.len() as u8,
            bytes,
        })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The name of a certificate in requests and responses.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CertId {
    /// As received, so that the answer repeats it octet for octet: with or without NULL parameters.
    der: Vec<u8>,
    hash: HashAlgorithm,
    issuer_name_hash: Hash,
    issuer_key_hash: Hash,
    serial: Vec<u8>,
}

impl CertId {
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    pub fn issuer_name_hash(&self) -> &[u8] {
        self.issuer_name_hash.as_bytes()
    }

    pub fn issuer_key_hash(&self) -> &[u8] {
        self.issuer_key_hash.as_bytes()
    }

    /// INTEGER content octets.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let element = r.expect(Tag::SEQUENCE)?;
        let mut fields = r.descend(element.value)?;
        let algorithm = AlgorithmIdentifier::read(&mut fields)?;
        let issuer_name_hash = read_hash(&mut fields)?;
        let issuer_key_hash = read_hash(&mut fields)?;
        let serial = fields.integer_lenient()?.to_vec();
        fields.finish()?;
        Ok(Self {
            der: element.raw.to_vec(),
            hash: HashAlgorithm::from_oid(algorithm.oid),
            issuer_name_hash,
            issuer_key_hash,
            serial,
        })
    }
}

impl std::fmt::Debug for CertId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [name, key, serial] = [
            self.issuer_name_hash(),
            self.issuer_key_hash(),
            self.serial(),
        ]
        .map(hex::encode);
        write!(
            f,
            "CertId({:?}, name {name}, key {key}, serial {serial})",
            self.hash
        )
    }
}

fn read_hash(fields: &mut Reader<'_>) -> Result<Hash, Error> {
    Hash::new(fields.octet_string()?).ok_or(Error::invalid("CertID", "a hash exceeds 64 octets"))
}

/// An issuer as CertIDs name it, hashed once.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerId {
    name_der: Vec<u8>,
    key_bytes: Vec<u8>,
    sha1: (Hash, Hash),
    sha256: (Hash, Hash),
}

impl IssuerId {
    /// `name` is the subject of the issuer's certificate, `key` its key.
    pub fn new(name: &Name, key: &PublicKey) -> Self {
        let pair = |algorithm| {
            let hash = |octets: &[u8]| {
                let mut bytes = [0; MAX_HASH];
                let value = digest(algorithm, octets);
                let octets = value.as_ref();
                for (to, from) in bytes.iter_mut().zip(octets) {
                    *to = *from;
                }
                Hash {
                    len: octets.len() as u8,
                    bytes,
                }
            };
            (hash(name.der()), hash(key.key_bytes()))
        };
        Self {
            name_der: name.der().to_vec(),
            key_bytes: key.key_bytes().to_vec(),
            sha1: pair(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha256: pair(&digest::SHA256),
        }
    }

    /// Whether the CertID names a certificate of this issuer.
    pub fn matches(&self, id: &CertId) -> bool {
        let named = (id.issuer_name_hash, id.issuer_key_hash);
        match id.hash {
            HashAlgorithm::Sha1 => named == self.sha1,
            HashAlgorithm::Sha256 => named == self.sha256,
            other => other.digest().is_some_and(|algorithm| {
                digest(algorithm, &self.name_der).as_ref() == id.issuer_name_hash()
                    && digest(algorithm, &self.key_bytes).as_ref() == id.issuer_key_hash()
            }),
        }
    }

    /// The CertID of one of the issuer's certificates, by INTEGER content octets.
    pub fn cert_id_sha1(&self, serial: &[u8]) -> CertId {
        cert_id(HashAlgorithm::Sha1, self.sha1, serial)
    }

    /// As [`IssuerId::cert_id_sha1`], with SHA-256.
    pub fn cert_id_sha256(&self, serial: &[u8]) -> CertId {
        cert_id(HashAlgorithm::Sha256, self.sha256, serial)
    }

    /// SHA-1 over the key's bits: a responder that signs with this key is named by it (RFC 6960 §4.2.1).
    pub fn key_hash_sha1(&self) -> &[u8] {
        self.sha1.1.as_bytes()
    }
}

impl std::fmt::Debug for IssuerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuerId({})", hex::encode(self.key_hash_sha1()))
    }
}

fn cert_id(hash: HashAlgorithm, (name, key): (Hash, Hash), serial: &[u8]) -> CertId {
    let mut w = Writer::with_capacity(128);
    w.sequence(|w| {
        w.sequence(|w| {
            w.oid(&hash.oid()).null();
        });
        w.octet_string(name.as_bytes());
        w.octet_string(key.as_bytes());
        w.integer(serial);
    });
    CertId {
        der: w.finish(),
        hash,
        issuer_name_hash: name,
        issuer_key_hash: key,
        serial: serial.to_vec(),
    }
}
