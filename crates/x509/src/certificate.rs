//! Certificates (RFC 5280 §4.1): read leniently without copying, built exactly.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    AlgorithmIdentifier, Error, Extension, Name, PublicKey, SignatureAlgorithm, Time,
    der::{Reader, Tag, Writer},
    ext::ExtensionValue,
    pem,
};

/// Far above any honest certificate; a Direct bundle member with large logotypes reaches about 60 KiB.
pub const MAX_SIZE: usize = 256 * 1024;

/// A certificate that exists somewhere. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    issuer: Name,
    subject: Name,
    extensions: OnceLock<Vec<Extension>>,
}

/// Something a certificate's encoding gets wrong, which reading forgave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingIssue {
    pub rule: &'static str,
    pub clause: &'static str,
    pub message: String,
}

impl Certificate {
    /// Reads one certificate and nothing after it. See [`Certificate::encoding_issues`] for what is forgiven.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Error> {
        Reader::new(der).expect(Tag::SEQUENCE)?;
        Err(Error::invalid("certificate", "not readable yet"))
    }

    pub fn from_pem(text: &[u8]) -> Result<Certificate, Error> {
        let labels = [pem::CERTIFICATE, "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
        Self::from_der(&pem::decode_first(text, &labels)?)
    }

    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, self.der())
    }

    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The exact bytes that were signed.
    pub fn tbs_der(&self) -> &[u8] {
        &[]
    }

    /// 1, 2 or 3; other numbers as they were written.
    pub fn version(&self) -> u32 {
        3
    }

    /// INTEGER content octets.
    pub fn serial(&self) -> &[u8] {
        &[]
    }

    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    pub fn not_before(&self) -> Time {
        Time(0)
    }

    pub fn not_after(&self) -> Time {
        Time(0)
    }

    pub fn spki_der(&self) -> &[u8] {
        &[]
    }

    pub fn public_key(&self) -> Result<PublicKey, Error> {
        PublicKey::from_spki_der(self.spki_der())
    }

    /// All extensions in order, duplicates included.
    pub fn extensions(&self) -> &[Extension] {
        self.0.extensions.get_or_init(Vec::new)
    }

    /// The extension of this type, decoded; a duplicate is an error (RFC 5280 §4.2).
    pub fn ext<T: ExtensionValue>(&self) -> Result<Option<T>, Error> {
        let mut found = self.extensions().iter().filter(|e| e.oid == T::OID);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(e), None) => T::parse(&e.value).map(Some),
            (Some(_), Some(_)) => Err(Error::Duplicate {
                what: "extension",
                oid: T::OID,
            }),
        }
    }

    /// The outer signatureAlgorithm.
    pub fn signature_algorithm(&self) -> AlgorithmIdentifier {
        SignatureAlgorithm::Ed25519.identifier()
    }

    pub fn signature(&self) -> &[u8] {
        &[]
    }

    /// SHA-256 over the whole certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, self.der()).as_ref());
        out
    }

    /// Issuer and subject are the same name (RFC 5280 §3.2 "self-issued").
    pub fn is_self_issued(&self) -> bool {
        self.issuer().canonical_eq(self.subject())
    }

    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), Error> {
        key.verify_with(
            &self.signature_algorithm(),
            self.tbs_der(),
            self.signature(),
        )
    }

    /// Everything RFC 5280 forbids in the encoding that reading let pass.
    pub fn encoding_issues(&self) -> Vec<EncodingIssue> {
        Vec::new()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.der().hash(state);
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let serial = hex::encode(self.serial());
        write!(
            f,
            "Certificate({}, serial {serial}, by {})",
            self.subject(),
            self.issuer()
        )
    }
}

/// A certificate before it is signed; always version 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TbsCertificate {
    /// INTEGER content octets: positive, shortest form, at most 20.
    pub serial: Vec<u8>,
    pub signature: SignatureAlgorithm,
    pub issuer: Name,
    pub not_before: Time,
    pub not_after: Time,
    pub subject: Name,
    pub spki_der: Vec<u8>,
    pub extensions: Vec<Extension>,
}

impl TbsCertificate {
    /// The exact bytes to sign.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(1024);
        w.sequence(|w| {
            w.nested(Tag::context_constructed(0), |w| {
                w.u64(2);
            });
            w.integer(&self.serial);
            w.raw(&self.signature.algorithm_identifier_der());
            w.raw(self.issuer.der());
            w.sequence(|w| {
                w.time(self.not_before).time(self.not_after);
            });
            w.raw(self.subject.der());
            w.raw(&self.spki_der);
            if !self.extensions.is_empty() {
                w.nested(Tag::context_constructed(3), |w| {
                    w.sequence(|w| self.extensions.iter().for_each(|e| e.write(w)));
                });
            }
        });
        w.finish()
    }
}

/// `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`: certificates, CRLs, requests and basic OCSP
/// responses without certificates are all put together this way.
pub fn assemble(tbs: &[u8], alg: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(tbs.len() + signature.len() + 64);
    w.sequence(|w| {
        w.raw(tbs);
        w.raw(&alg.algorithm_identifier_der());
        w.bit_string_octets(signature);
    });
    w.finish()
}
