//! Certificates (RFC 5280 §4.1): read leniently and with few copies, built exactly.
//!
//! Reading checks the structure once and keeps offsets; names, extensions and the key are decoded
//! when asked for. What a certificate gets wrong without becoming unreadable (version 1, a negative
//! serial, SHA-1, year 9999) is let through: discovery must see it. Those who must not accept it ask
//! [`Certificate::encoding_issues`].

use std::{
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    AlgorithmIdentifier, Error, Extension, Name, PublicKey, Time,
    der::{Reader, range_in},
    ext::{ExtensionValue, RawExtension},
    pem,
};

mod build;
mod fields;
mod issues;

pub use build::{TbsCertificate, assemble};
use fields::Fields;
pub use issues::EncodingIssue;

/// Far above any honest certificate; one with large logotypes reaches about 60 KiB.
pub const MAX_SIZE: usize = 256 * 1024;

/// A certificate that exists somewhere. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Box<[u8]>,
    tbs: Range<usize>,
    version: u32,
    serial: Range<usize>,
    issuer: Name,
    not_before: Time,
    not_after: Time,
    subject: Name,
    spki: Range<usize>,
    /// Content of the SEQUENCE OF Extension; empty when there is none.
    raw_extensions: Range<usize>,
    algorithm: AlgorithmIdentifier,
    /// The algorithm inside the signed part is the one outside it.
    algorithms_agree: bool,
    signature: Range<usize>,
    extensions: OnceLock<Vec<Extension>>,
    key: OnceLock<Result<PublicKey, Error>>,
}

impl Certificate {
    /// Reads one certificate and nothing after it.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Error> {
        let f = Fields::read(der)?;
        let range = |part: &[u8]| range_in(der, part);
        let issuer = Name::from_der(f.issuer)?;
        let subject = match f.subject == f.issuer {
            true => issuer.clone(),
            false => Name::from_der(f.subject)?,
        };
        f.check_extensions()?;
        Ok(Certificate(Arc::new(Inner {
            tbs: range(f.tbs),
            version: f.version,
            serial: range(f.serial),
            issuer,
            not_before: Time::from_element_lenient(f.not_before)?,
            not_after: Time::from_element_lenient(f.not_after)?,
            subject,
            spki: range(f.spki),
            raw_extensions: range(f.extensions.unwrap_or_default()),
            algorithm: AlgorithmIdentifier::from_der(f.algorithm)?,
            algorithms_agree: f.algorithm == f.tbs_algorithm,
            signature: range(f.signature),
            der: der.into(),
            extensions: OnceLock::new(),
            key: OnceLock::new(),
        })))
    }

    pub fn from_pem(text: &[u8]) -> Result<Certificate, Error> {
        Self::from_der(&pem::decode_first(text, &pem::CERTIFICATE_LABELS)?)
    }

    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, self.der())
    }

    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The exact bytes that were signed.
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.0.tbs)
    }

    /// 1, 2 or 3; other numbers as they were written.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// INTEGER content octets.
    pub fn serial(&self) -> &[u8] {
        self.slice(&self.0.serial)
    }

    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    pub fn not_before(&self) -> Time {
        self.0.not_before
    }

    pub fn not_after(&self) -> Time {
        self.0.not_after
    }

    /// The validity period includes both ends (RFC 5280 §4.1.2.5).
    pub fn is_valid_at(&self, time: Time) -> bool {
        (self.not_before()..=self.not_after()).contains(&time)
    }

    pub fn spki_der(&self) -> &[u8] {
        self.slice(&self.0.spki)
    }

    /// Decoded once; clones share what verification has cached.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        let key = self
            .0
            .key
            .get_or_init(|| PublicKey::from_spki_der(self.spki_der()));
        key.clone()
    }

    /// All extensions in order, duplicates included.
    pub fn extensions(&self) -> &[Extension] {
        self.0.extensions.get_or_init(|| {
            let own = |e: RawExtension<'_>| Extension {
                oid: e.oid,
                critical: e.critical,
                value: e.value.to_vec(),
            };
            self.raw_extensions().map(own).collect()
        })
    }

    fn raw_extensions(&self) -> impl Iterator<Item = RawExtension<'_>> {
        let mut r = Reader::new(self.slice(&self.0.raw_extensions)).tolerant();
        std::iter::from_fn(move || RawExtension::read(&mut r).ok())
    }

    /// The extension of this type, decoded; a duplicate is an error (RFC 5280 §4.2).
    pub fn ext<T: ExtensionValue>(&self) -> Result<Option<T>, Error> {
        Ok(self.ext_with_criticality()?.map(|(value, _)| value))
    }

    /// As [`Certificate::ext`], with whether it is marked critical.
    pub fn ext_with_criticality<T: ExtensionValue>(&self) -> Result<Option<(T, bool)>, Error> {
        let mut found = self.raw_extensions().filter(|e| e.oid == T::OID);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(e), None) => Ok(Some((T::parse(e.value)?, e.critical))),
            (Some(_), Some(_)) => Err(Error::Duplicate {
                what: "extension",
                oid: T::OID,
            }),
        }
    }

    /// The outer signatureAlgorithm.
    pub fn signature_algorithm(&self) -> AlgorithmIdentifier {
        self.0.algorithm.clone()
    }

    pub fn signature(&self) -> &[u8] {
        self.slice(&self.0.signature)
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

    /// With an algorithm that may be relied on today, named alike inside and outside the signed part
    /// (RFC 5280 §4.1.1.2).
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), Error> {
        if !self.0.algorithms_agree {
            return Err(Error::invalid(
                "certificate",
                "names different signature algorithms inside and outside",
            ));
        }
        key.verify_with(
            &self.signature_algorithm(),
            self.tbs_der(),
            self.signature(),
        )
    }

    /// As [`Certificate::verify_signed_by`], taking SHA-1 and 1024-bit RSA too: for describing what was
    /// found, never for trusting it.
    pub fn verify_signed_by_legacy(&self, key: &PublicKey) -> Result<(), Error> {
        key.verify_legacy(&self.0.algorithm, self.tbs_der(), self.signature())
    }

    /// Everything RFC 5280 and X.690 forbid in the encoding that reading let pass.
    pub fn encoding_issues(&self) -> Vec<EncodingIssue> {
        issues::of(self)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
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

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial = hex::encode(self.serial());
        let (subject, issuer) = (self.subject(), self.issuer());
        write!(f, "Certificate({subject}, serial {serial}, by {issuer})")
    }
}
