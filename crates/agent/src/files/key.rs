//! Whether a private key belongs to a certificate, by the public numbers that stand beside the private ones in its
//! file. No private number is used for anything here; only `keys` does that.

use x509::{
    Oid,
    der::{Reader, Tag},
    oids,
};
use zeroize::Zeroizing;

/// A key in a file.
pub(super) struct Key {
    pub(super) encrypted: bool,
    /// What it has of its public key.
    pub(super) public: Option<Public>,
}

/// The public part, as both files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Public {
    /// Modulus.
    Rsa(Vec<u8>),
    /// The point, or the octets of an Edwards curve's key.
    Point(Vec<u8>),
}

impl Key {
    pub(super) fn encrypted() -> Self {
        Self {
            encrypted: true,
            public: None,
        }
    }

    /// Reads PKCS #8 (RFC 5958), PKCS #1 (RFC 8017 Appendix A.1.2) or SEC 1 (RFC 5915).
    pub(super) fn from_der(der: Zeroizing<Vec<u8>>) -> Self {
        Self {
            encrypted: false,
            public: pkcs8(&der).or_else(|| rsa(&der)).or_else(|| sec1(&der)),
        }
    }

    /// Whether it is the key of this SubjectPublicKeyInfo. None: nobody can tell.
    pub(super) fn matches(&self, spki: &[u8]) -> Option<bool> {
        let own = self.public.as_ref()?;
        Some(*own == spki_public(spki)?)
    }
}

/// Whether the bytes are an EncryptedPrivateKeyInfo: an algorithm, and octets.
pub(super) fn is_encrypted_pkcs8(der: &[u8]) -> bool {
    let read = || {
        let mut outer = Reader::new(der).tolerant();
        let mut info = outer.sequence()?;
        info.sequence()?.oid()?;
        info.octet_string()?;
        info.finish()?;
        outer.finish()
    };
    read().is_ok()
}

fn pkcs8(der: &[u8]) -> Option<Public> {
    let mut info = Reader::new(der).tolerant().sequence().ok()?;
    info.u64().ok()?;
    let mut algorithm = info.sequence().ok()?;
    let kind = algorithm.oid().ok()?;
    let key = info.octet_string().ok()?;
    if kind == oids::RSA_ENCRYPTION || kind == RSA_PSS {
        return rsa(key);
    }
    if kind == oids::EC_PUBLIC_KEY {
        return sec1(key);
    }
    // OneAsymmetricKey has the public key behind the attributes (RFC 8410 §7).
    info.optional_nested(Tag::context_constructed(0)).ok()?;
    let public = info.element().ok()?;
    (public.tag == PUBLIC_KEY).then(|| Public::Point(without_unused_bits(public.value)))
}

/// id-RSASSA-PSS, 1.2.840.113549.1.1.10
const RSA_PSS: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 10]);
/// [1] IMPLICIT BIT STRING
const PUBLIC_KEY: Tag = Tag(0x81);

fn rsa(der: &[u8]) -> Option<Public> {
    let mut key = Reader::new(der).tolerant().sequence().ok()?;
    key.u64().ok()?;
    let modulus = key.element().ok()?;
    (modulus.tag == Tag::INTEGER && modulus.value.len() > 32)
        .then(|| Public::Rsa(trimmed(modulus.value)))
}

fn sec1(der: &[u8]) -> Option<Public> {
    let mut key = Reader::new(der).tolerant().sequence().ok()?;
    key.u64().ok()?;
    key.octet_string().ok()?;
    key.optional_nested(Tag::context_constructed(0)).ok()?;
    let mut public = key.nested(Tag::context_constructed(1)).ok()?;
    let bits = public.element().ok()?;
    Some(Public::Point(without_unused_bits(bits.value)))
}

fn spki_public(spki: &[u8]) -> Option<Public> {
    let mut info = Reader::new(spki).tolerant().sequence().ok()?;
    let kind = info.sequence().ok()?.oid().ok()?;
    let bits = without_unused_bits(info.element().ok()?.value);
    if kind == oids::RSA_ENCRYPTION || kind == RSA_PSS {
        let mut key = Reader::new(&bits).tolerant().sequence().ok()?;
        return Some(Public::Rsa(trimmed(key.element().ok()?.value)));
    }
    Some(Public::Point(bits))
}

/// Content of a BIT STRING whose first octet counts the bits that are not used.
fn without_unused_bits(value: &[u8]) -> Vec<u8> {
    value.get(1..).unwrap_or_default().to_vec()
}

fn trimmed(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number[zeros..].to_vec()
}
