//! Public keys (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7), what they verify and whether they are weak.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm},
};

use crate::{
    Error, Oid,
    der::{self, Reader, Tag, range_in},
    oids,
};

mod algorithm;
mod fermat;
mod verify;
mod weakness;

pub use algorithm::{AlgorithmIdentifier, KeyAlgorithm, SignatureAlgorithm, UnknownAlgorithm};
pub use weakness::Weakness;

/// Largest key read: RSA of 16384 bits, or a post-quantum key nobody here verifies, fits.
pub const MAX_SIZE: usize = 16 * 1024;

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

/// A SubjectPublicKeyInfo, cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    spki: Box<[u8]>,
    kind: PublicKeyKind,
    /// Where in `spki` the octets of the BIT STRING are.
    key: Range<usize>,
    /// Where in `spki` the RSA modulus is, without leading zeros; empty for other kinds.
    modulus: Range<usize>,
    /// The key as the first algorithm that needed it parsed it: an issuer's key verifies many signatures
    /// of one algorithm, and that of a request is checked for weakness before it verifies.
    parsed: OnceLock<Option<(SignatureAlgorithm, ParsedPublicKey)>>,
    /// Looked for when the key is read, and again before it is certified.
    weakness: OnceLock<Option<Weakness>>,
}

impl PublicKey {
    /// One complete SubjectPublicKeyInfo. Unknown algorithms are kept as [`PublicKeyKind::Other`].
    pub fn from_spki_der(spki: &[u8]) -> Result<PublicKey, Error> {
        if spki.len() > MAX_SIZE {
            return Err(Error::TooLarge {
                what: "public key",
                limit: MAX_SIZE,
            });
        }
        let mut r = Reader::new(spki).tolerant();
        let mut inner = r.sequence()?;
        r.finish()?;
        let mut algorithm = inner.sequence()?;
        let oid = algorithm.oid()?;
        let params = match algorithm.is_empty() {
            true => None,
            false => Some(algorithm.element()?),
        };
        algorithm.finish()?;
        let key = inner.bit_string_octets()?;
        inner.finish()?;
        let (kind, modulus) = classify(oid, params, key)?;
        Ok(PublicKey(Arc::new(Inner {
            kind,
            key: range_in(spki, key),
            modulus: range_in(spki, modulus),
            spki: spki.into(),
            parsed: OnceLock::new(),
            weakness: OnceLock::new(),
        })))
    }

    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    pub fn kind(&self) -> PublicKeyKind {
        self.0.kind
    }

    /// Octets of the subjectPublicKey BIT STRING.
    pub fn key_bytes(&self) -> &[u8] {
        self.0.spki.get(self.0.key.clone()).unwrap_or_default()
    }

    /// Big-endian, without leading zeros.
    pub fn rsa_modulus(&self) -> Option<&[u8]> {
        let modulus = self.0.spki.get(self.0.modulus.clone())?;
        (!modulus.is_empty()).then_some(modulus)
    }

    /// RFC 7093 §2 method 1: the left 160 bits of SHA-256 over the BIT STRING's octets.
    pub fn key_id(&self) -> [u8; 20] {
        let mut out = [0; 20];
        for (o, b) in out
            .iter_mut()
            .zip(digest(&SHA256, self.key_bytes()).as_ref())
        {
            *o = *b;
        }
        out
    }

    /// Whether the AlgorithmIdentifier's parameters are what the standards demand: NULL for RSA
    /// (RFC 3279 §2.3.1), a named curve for EC (RFC 5480 §2.1.1), none for Ed25519 (RFC 8410 §3).
    pub fn has_exact_parameters(&self) -> bool {
        let mut r = Reader::new(&self.0.spki);
        let Ok(id) = r
            .sequence()
            .map_err(Error::from)
            .and_then(|mut r| AlgorithmIdentifier::read(&mut r))
        else {
            return false;
        };
        match self.0.kind {
            PublicKeyKind::Rsa { .. } => id.has_null_params(),
            PublicKeyKind::Ec { .. } => true,
            PublicKeyKind::Ed25519 => id.params.is_none(),
            PublicKeyKind::Other(_) => false,
        }
    }

    /// The first reason found not to certify this key. Costs about 50 µs for RSA of 2048 bits, once.
    pub fn weakness(&self) -> Option<Weakness> {
        *self.0.weakness.get_or_init(|| self.find_weakness())
    }

    fn find_weakness(&self) -> Option<Weakness> {
        match self.0.kind {
            PublicKeyKind::Rsa { bits, exponent } => {
                weakness::rsa(self.rsa_modulus().unwrap_or_default(), bits, exponent)
            }
            PublicKeyKind::Ec { bits, .. } if bits < 256 => Some(Weakness::SmallCurve(bits)),
            PublicKeyKind::Ec { curve, .. } => self.point_weakness(curve),
            PublicKeyKind::Ed25519 | PublicKeyKind::Other(_) => None,
        }
    }

    /// RFC 5480 §2.2: uncompressed points only here; the compressed form is optional to support.
    fn point_weakness(&self, curve: Oid) -> Option<Weakness> {
        let (alg, algorithm) = verify::usual_for_curve(curve)?;
        let uncompressed = self.key_bytes().first() == Some(&0x04);
        let valid = uncompressed && self.parsed(alg, algorithm).is_some();
        (!valid).then_some(Weakness::BadPoint)
    }

    fn parsed(
        &self,
        alg: SignatureAlgorithm,
        algorithm: &'static dyn VerificationAlgorithm,
    ) -> Option<&(SignatureAlgorithm, ParsedPublicKey)> {
        let parse = || {
            let key = ParsedPublicKey::new(algorithm, self.key_bytes()).ok()?;
            Some((alg, key))
        };
        self.0.parsed.get_or_init(parse).as_ref()
    }

    /// Verifies with an algorithm that may be relied on today: SHA-2 or Ed25519, RSA from 2048 bits.
    pub fn verify(&self, alg: SignatureAlgorithm, msg: &[u8], sig: &[u8]) -> Result<(), Error> {
        if let PublicKeyKind::Rsa {
            bits: bits @ ..2048,
            ..
        } = self.0.kind
        {
            return Err(Error::WeakKey(Weakness::Small(bits)));
        }
        let algorithm = verify::current(self.0.kind, alg).ok_or(Error::Unsupported {
            what: "signature algorithm for this key",
            oid: alg.oid(),
        })?;
        let outcome = match self.parsed(alg, algorithm) {
            Some((cached, key)) if *cached == alg => key.verify_sig(msg, sig),
            _ => UnparsedPublicKey::new(algorithm, self.key_bytes()).verify(msg, sig),
        };
        outcome.map_err(|_| Error::BadSignature)
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
        if self.verify_with(id, msg, sig).is_ok() {
            return Ok(());
        }
        let algorithm = verify::legacy(self.0.kind, id.oid)?;
        let key = UnparsedPublicKey::new(algorithm, self.key_bytes());
        key.verify(msg, sig).map_err(|_| Error::BadSignature)
    }
}

fn classify<'a>(
    oid: Oid,
    params: Option<der::Element<'a>>,
    key: &'a [u8],
) -> Result<(PublicKeyKind, &'a [u8]), Error> {
    match oid {
        oids::RSA_ENCRYPTION => {
            let (modulus, exponent) = rsa_parts(key)?;
            let bits = bit_length(modulus);
            Ok((PublicKeyKind::Rsa { bits, exponent }, modulus))
        }
        oids::EC_PUBLIC_KEY => match params {
            Some(p) if p.tag == Tag::OID => {
                let curve = Oid::from_content(p.value)?;
                let bits = curve_bits(&curve, key);
                Ok((PublicKeyKind::Ec { curve, bits }, &[]))
            }
            _ => Ok((PublicKeyKind::Other(oid), &[])),
        },
        oids::ED25519 if key.len() == 32 => Ok((PublicKeyKind::Ed25519, &[])),
        oids::ED25519 => Err(Error::invalid("Ed25519 key", "must be 32 octets")),
        _ => Ok((PublicKeyKind::Other(oid), &[])),
    }
}

/// RSAPublicKey (RFC 8017 §A.1.1). A modulus written as a negative number is read as its magnitude,
/// as some old devices meant it.
fn rsa_parts(key: &[u8]) -> Result<(&[u8], u64), Error> {
    let mut r = Reader::new(key).tolerant();
    let mut inner = r.sequence()?;
    r.finish()?;
    let modulus = strip_zeros(inner.integer_lenient()?);
    let exponent = strip_zeros(inner.integer_lenient()?);
    inner.finish()?;
    if modulus.is_empty() {
        return Err(Error::invalid("RSA key", "the modulus is zero"));
    }
    Ok((modulus, der::parse_u64(exponent).unwrap_or(u64::MAX)))
}

fn strip_zeros(content: &[u8]) -> &[u8] {
    let zeros = content.iter().take_while(|b| **b == 0).count();
    content.get(zeros..).unwrap_or_default()
}

fn bit_length(magnitude: &[u8]) -> u32 {
    let first = magnitude.first().map_or(8, |b| b.leading_zeros());
    (magnitude.len() as u32 * 8).saturating_sub(first)
}

fn curve_bits(curve: &Oid, point: &[u8]) -> u32 {
    match *curve {
        oids::P224 => 224,
        oids::P256 | oids::SECP256K1 => 256,
        oids::P384 => 384,
        oids::P521 => 521,
        _ => (point.len().saturating_sub(1) as u32 / 2).saturating_mul(8),
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
        let id = hex::encode(self.key_id());
        write!(f, "PublicKey({:?}, {id})", self.kind())
    }
}
