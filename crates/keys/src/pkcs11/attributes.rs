//! The dialect of PKCS#11: templates for new keys, public keys read back, mechanisms and the exact
//! bytes that each of them signs.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType};
use x509::cms::LegacySignature;
use x509::der::{self, Reader, Tag};
use x509::{KeyAlgorithm, Oid, PublicKey, SignatureAlgorithm, oids};

use crate::record::{KeyId, KeyUse};

pub(super) fn generation_mechanism(algorithm: KeyAlgorithm) -> Mechanism<'static> {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            Mechanism::RsaPkcsKeyPairGen
        }
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
            Mechanism::EccKeyPairGen
        }
        KeyAlgorithm::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
    }
}

/// What a token is told about the public half.
pub(super) fn public_template(algorithm: KeyAlgorithm, id: &KeyId, label: &str) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Id(id.as_str().as_bytes().to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let rsa = |bits: u64| {
        [
            Attribute::ModulusBits(bits.into()),
            Attribute::PublicExponent(vec![1, 0, 1]),
        ]
    };
    match algorithm {
        KeyAlgorithm::Rsa2048 => template.extend(rsa(2048)),
        KeyAlgorithm::Rsa3072 => template.extend(rsa(3072)),
        KeyAlgorithm::Rsa4096 => template.extend(rsa(4096)),
        KeyAlgorithm::EcdsaP256 => template.push(curve(&oids::P256)),
        KeyAlgorithm::EcdsaP384 => template.push(curve(&oids::P384)),
        KeyAlgorithm::EcdsaP521 => template.push(curve(&oids::P521)),
        KeyAlgorithm::Ed25519 => template.push(curve(&oids::ED25519)),
    }
    template
}

/// What a token is told about the private half: it signs, deciphers only if it is for that, and never leaves.
pub(super) fn private_template(
    usage: KeyUse,
    algorithm: KeyAlgorithm,
    id: &KeyId,
    label: &str,
) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Id(id.as_str().as_bytes().to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    if matches!(
        algorithm,
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096
    ) {
        template.push(Attribute::Decrypt(usage == KeyUse::SignAndDecipher));
    }
    template
}

/// `CKA_EC_PARAMS`: the named curve (PKCS #11 v3.1 §6.3.3).
fn curve(oid: &Oid) -> Attribute {
    Attribute::EcParams(der::encode(Tag::OID, oid.as_bytes()))
}

pub(super) fn public_attributes(algorithm: KeyAlgorithm) -> &'static [AttributeType] {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            &[AttributeType::Modulus, AttributeType::PublicExponent]
        }
        _ => &[AttributeType::EcPoint],
    }
}

/// The public key that a token reports, as SubjectPublicKeyInfo of the kind that was asked for.
pub(super) fn public_key(algorithm: KeyAlgorithm, attributes: &[Attribute]) -> Option<PublicKey> {
    let spki = match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            let modulus = attributes.iter().find_map(|attribute| match attribute {
                Attribute::Modulus(bytes) => Some(bytes),
                _ => None,
            })?;
            let exponent = attributes.iter().find_map(|attribute| match attribute {
                Attribute::PublicExponent(bytes) => Some(bytes),
                _ => None,
            })?;
            let key = der::sequence(|w| {
                w.unsigned(modulus).unsigned(exponent);
            });
            spki(&oids::RSA_ENCRYPTION, |w| _ = w.null(), &key)
        }
        KeyAlgorithm::EcdsaP256 => ec_spki(&oids::P256, &point(attributes, 65)?),
        KeyAlgorithm::EcdsaP384 => ec_spki(&oids::P384, &point(attributes, 97)?),
        KeyAlgorithm::EcdsaP521 => ec_spki(&oids::P521, &point(attributes, 133)?),
        KeyAlgorithm::Ed25519 => spki(&oids::ED25519, |_| (), &point(attributes, 32)?),
    };
    let public = PublicKey::from_spki_der(&spki).ok()?;
    (KeyAlgorithm::of(&public) == Some(algorithm)).then_some(public)
}

fn ec_spki(curve: &Oid, point: &[u8]) -> Vec<u8> {
    spki(&oids::EC_PUBLIC_KEY, |w| _ = w.oid(curve), point)
}

fn spki(algorithm: &Oid, parameters: impl FnOnce(&mut der::Writer), key: &[u8]) -> Vec<u8> {
    der::sequence(|w| {
        w.sequence(|w| {
            w.oid(algorithm);
            parameters(w);
        })
        .bit_string_octets(key);
    })
}

/// `CKA_EC_POINT` is an OCTET STRING around the point; some tokens give the bare point.
fn point(attributes: &[Attribute], length: usize) -> Option<Vec<u8>> {
    let value = attributes.iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(bytes) => Some(bytes),
        _ => None,
    })?;
    if value.len() == length {
        return Some(value.clone());
    }
    let inner = Reader::new(value).octet_string().ok()?;
    (inner.len() == length).then(|| inner.to_vec())
}

/// A mechanism, what goes into it, and what is to be made of what comes out.
pub(super) struct Recipe {
    pub(super) mechanism: Mechanism<'static>,
    pub(super) input: Vec<u8>,
    /// What is being asked for, for errors.
    pub(super) what: String,
    /// ECDSA: the token answers r and s side by side, certificates carry a SEQUENCE of two INTEGERs.
    pub(super) pair: bool,
}

impl Recipe {
    /// RSA with SHA-1 or MD5: the token pads what is given.
    pub(super) fn legacy(how: LegacySignature, message: &[u8]) -> Self {
        Self {
            mechanism: Mechanism::RsaPkcs,
            input: how.digest_info(message),
            what: format!("{} signatures", how.digest().name()),
            pair: false,
        }
    }

    pub(super) fn new(algorithm: SignatureAlgorithm, message: &[u8]) -> Self {
        use SignatureAlgorithm as A;
        let hash = match algorithm {
            A::RsaSha256 | A::RsaPssSha256 | A::EcdsaSha256 => &SHA256,
            A::RsaSha384 | A::RsaPssSha384 | A::EcdsaSha384 => &SHA384,
            A::RsaSha512 | A::RsaPssSha512 | A::EcdsaSha512 => &SHA512,
            A::Ed25519 => {
                return Self {
                    mechanism: Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
                    input: message.to_vec(),
                    what: format!("{algorithm} signatures"),
                    pair: false,
                };
            }
        };
        let digest = digest::digest(hash, message);
        let (mechanism, input) = match algorithm {
            A::RsaSha256 | A::RsaSha384 | A::RsaSha512 => {
                (Mechanism::RsaPkcs, digest_info(hash, digest.as_ref()))
            }
            A::RsaPssSha256 | A::RsaPssSha384 | A::RsaPssSha512 => {
                (Mechanism::RsaPkcsPss(pss(hash)), digest.as_ref().to_vec())
            }
            A::EcdsaSha256 | A::EcdsaSha384 | A::EcdsaSha512 | A::Ed25519 => {
                (Mechanism::Ecdsa, digest.as_ref().to_vec())
            }
        };
        Self {
            pair: matches!(mechanism, Mechanism::Ecdsa),
            mechanism,
            input,
            what: format!("{algorithm} signatures"),
        }
    }

    /// The signature as a certificate carries it; `None` when the token gave no such thing.
    pub(super) fn finish(&self, signature: Vec<u8>) -> Option<Vec<u8>> {
        if !self.pair {
            return Some(signature);
        }
        if signature.is_empty() || !signature.len().is_multiple_of(2) {
            return None;
        }
        let (r, s) = signature.split_at(signature.len() / 2);
        // RFC 3279 §2.2.3.
        Some(der::sequence(|w| {
            w.unsigned(r).unsigned(s);
        }))
    }
}

/// `DigestInfo`, RFC 8017 §9.2 step 2; the token only pads it.
fn digest_info(hash: &'static digest::Algorithm, digest: &[u8]) -> Vec<u8> {
    let oid = if hash == &SHA256 {
        &oids::SHA256
    } else if hash == &SHA384 {
        &oids::SHA384
    } else {
        &oids::SHA512
    };
    der::sequence(|w| {
        w.sequence(|w| {
            w.oid(oid).null();
        })
        .octet_string(digest);
    })
}

/// A salt as long as the hash, RFC 4055 §3.1.
fn pss(hash: &'static digest::Algorithm) -> PkcsPssParams {
    let (hash_alg, mgf, length) = if hash == &SHA256 {
        (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32)
    } else if hash == &SHA384 {
        (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48)
    } else {
        (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64)
    };
    PkcsPssParams {
        hash_alg,
        mgf,
        s_len: u64::into(length),
    }
}
