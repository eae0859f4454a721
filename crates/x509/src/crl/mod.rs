//! Certificate revocation lists (RFC 5280 §5): reading lists of any size without unpacking them, and building them
//! from entries encoded beforehand.
//!
//! Reading is lenient as for certificates, because foreign CAs' lists come in as they are; the entries are walked
//! lazily, so that opening a list of a million costs nothing but its bytes.

mod build;
mod entry;
mod reason;

use std::{ops::Range, sync::Arc};

use crate::{
    AlgorithmIdentifier, Error, Extension, Name, Oid, PublicKey, Time,
    der::{self, Reader, Tag},
    ext::{self, ExtensionValue},
    oids, pem,
};

pub use build::{TbsCrl, UnsignedCrl};
use entry::RawEntry;
pub use entry::{RevokedEntry, encode_entry};
pub use reason::{Reason, UnknownReason};

/// Largest list read unless the caller says otherwise: about 1.5 million entries.
pub const MAX_DER: usize = 64 << 20;

/// Extensions of the list itself; RFC 5280 knows seven.
const MAX_EXTENSIONS: usize = 64;

/// A parsed CRL. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct CertificateList {
    inner: Arc<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    der: Vec<u8>,
    tbs: Range<usize>,
    entries: Range<usize>,
    signature: Range<usize>,
    version: u8,
    algorithm: AlgorithmIdentifier,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    extensions: Vec<Extension>,
}

impl CertificateList {
    /// Reads a list of at most [`MAX_DER`] bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        Self::from_der_with_limit(der, MAX_DER)
    }

    pub fn from_der_with_limit(der: &[u8], limit: usize) -> Result<Self, Error> {
        if der.len() > limit {
            return Err(Error::TooLarge { what: "CRL", limit });
        }
        Self::from_vec(der.to_vec())
    }

    /// Reads a list without copying it.
    pub fn from_vec(der: Vec<u8>) -> Result<Self, Error> {
        let parsed = parse(&der)?;
        Ok(Self {
            inner: Arc::new(Parsed { der, ..parsed }),
        })
    }

    /// The first CRL in PEM.
    pub fn from_pem(text: &[u8]) -> Result<Self, Error> {
        Self::from_vec(pem::decode_first(text, &[pem::X509_CRL])?)
    }

    pub fn to_pem(&self) -> String {
        pem::encode(pem::X509_CRL, self.der())
    }

    pub fn der(&self) -> &[u8] {
        &self.inner.der
    }

    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.inner.tbs)
    }

    /// 1 or 2.
    pub fn version(&self) -> u8 {
        self.inner.version
    }

    pub fn issuer(&self) -> &Name {
        &self.inner.issuer
    }

    pub fn this_update(&self) -> Time {
        self.inner.this_update
    }

    /// Mandatory in RFC 5280 §5.1.2.5, absent in some old lists.
    pub fn next_update(&self) -> Option<Time> {
        self.inner.next_update
    }

    pub fn signature_algorithm(&self) -> &AlgorithmIdentifier {
        &self.inner.algorithm
    }

    pub fn signature(&self) -> &[u8] {
        self.slice(&self.inner.signature)
    }

    pub fn extensions(&self) -> &[Extension] {
        &self.inner.extensions
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

    /// cRLNumber (RFC 5280 §5.2.3).
    pub fn number(&self) -> Result<Option<ext::CrlNumber>, Error> {
        self.ext()
    }

    /// The base that this delta CRL refers to; `None` for a complete CRL (RFC 5280 §5.2.4).
    pub fn delta_base(&self) -> Result<Option<ext::DeltaCrlIndicator>, Error> {
        self.ext()
    }

    pub fn issuing_distribution_point(
        &self,
    ) -> Result<Option<ext::IssuingDistributionPoint>, Error> {
        self.ext()
    }

    pub fn authority_key_id(&self) -> Result<Option<ext::AuthorityKeyId>, Error> {
        self.ext()
    }

    pub fn freshest_crl(&self) -> Result<Option<ext::FreshestCrl>, Error> {
        self.ext()
    }

    /// The first critical extension not understood here; a list that has one must not be used to find a status
    /// (RFC 5280 §5.2).
    pub fn unknown_critical_extension(&self) -> Option<&Oid> {
        let known = [
            oids::AUTHORITY_KEY_IDENTIFIER,
            oids::ISSUER_ALT_NAME,
            oids::CRL_NUMBER,
            oids::DELTA_CRL_INDICATOR,
            oids::ISSUING_DISTRIBUTION_POINT,
            oids::FRESHEST_CRL,
            oids::AUTHORITY_INFO_ACCESS,
        ];
        let mut critical = self.extensions().iter().filter(|e| e.critical);
        critical.find(|e| !known.contains(&e.oid)).map(|e| &e.oid)
    }

    /// The entries in order, decoded as they are asked for. Ends after the first error.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            raw: self.raw_entries(),
        }
    }

    /// The entry for a certificate of the CRL's own issuer, by INTEGER content octets.
    pub fn find(&self, serial: &[u8]) -> Result<Option<RevokedEntry>, Error> {
        self.find_issued_by(self.issuer(), serial)
    }

    /// The entry for a certificate of any issuer: in an indirect CRL entries name their certificate's issuer.
    pub fn find_issued_by(
        &self,
        issuer: &Name,
        serial: &[u8],
    ) -> Result<Option<RevokedEntry>, Error> {
        let mut entries = self.raw_entries();
        while let Some((entry, named_issuer)) = entries.next()? {
            let entry_issuer = named_issuer.as_ref().unwrap_or(self.issuer());
            if entry.serial == serial && entry_issuer.canonical_eq(issuer) {
                return entry.to_entry(named_issuer).map(Some);
            }
        }
        Ok(None)
    }

    /// Checks the signature under the issuer's key.
    pub fn verify_signed_by(&self, key: &PublicKey) -> Result<(), Error> {
        key.verify_with(&self.inner.algorithm, self.tbs_der(), self.signature())
    }

    fn raw_entries(&self) -> RawEntries<'_> {
        RawEntries {
            reader: Reader::new(self.slice(&self.inner.entries)).tolerant(),
            issuer: None,
        }
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.inner.der.get(range.clone()).unwrap_or_default()
    }
}

/// See [`CertificateList::entries`].
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    raw: RawEntries<'a>,
}

impl Iterator for Entries<'_> {
    type Item = Result<RevokedEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let decoded = match self.raw.next() {
            Ok(None) => return None,
            Ok(Some((entry, issuer))) => entry.to_entry(issuer),
            Err(e) => Err(e),
        };
        if decoded.is_err() {
            self.raw.reader = Reader::new(&[]);
        }
        Some(decoded)
    }
}

#[derive(Debug, Clone)]
struct RawEntries<'a> {
    reader: Reader<'a>,
    /// The certificateIssuer that is in force until an entry names another (RFC 5280 §5.3.3).
    issuer: Option<Name>,
}

impl<'a> RawEntries<'a> {
    fn next(&mut self) -> Result<Option<(RawEntry<'a>, Option<Name>)>, Error> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let entry = RawEntry::read(&mut self.reader)?;
        if let Some(issuer) = entry.check()? {
            self.issuer = Some(issuer);
        }
        Ok(Some((entry, self.issuer.clone())))
    }
}

fn parse(input: &[u8]) -> Result<Parsed, Error> {
    let mut outer = Reader::new(input).tolerant();
    let mut list = outer.sequence()?;
    outer.finish()?;
    let tbs = list.expect(Tag::SEQUENCE)?;
    let algorithm = AlgorithmIdentifier::read(&mut list)?;
    let signature = list.bit_string_octets()?;
    let mut fields = list.descend(tbs.value)?;
    list.finish()?;

    let version = match fields.optional(Tag::INTEGER)?.map(|e| e.value) {
        None | Some([0]) => 1,
        Some([1]) => 2,
        Some(_) => return Err(invalid("the version is neither 1 nor 2")),
    };
    let signed_algorithm = AlgorithmIdentifier::read(&mut fields)?;
    if signed_algorithm != algorithm {
        return Err(invalid(
            "the signature algorithms inside and outside differ (RFC 5280 §5.1.1.2)",
        ));
    }
    let issuer = Name::from_der(fields.expect(Tag::SEQUENCE)?.raw)?;
    let this_update = Time::from_element_lenient(fields.element()?)?;
    let next_update = match fields.peek() {
        Some(Tag::UTC_TIME | Tag::GENERALIZED_TIME) => {
            Some(Time::from_element_lenient(fields.element()?)?)
        }
        _ => None,
    };
    let entries = fields.optional(Tag::SEQUENCE)?.map_or(&[][..], |e| e.value);
    let extensions = match fields.optional_nested(Tag::context_constructed(0))? {
        None => Vec::new(),
        Some(wrapper) => read_extensions(wrapper)?,
    };
    fields.finish()?;
    Ok(Parsed {
        der: Vec::new(),
        tbs: range_in(input, tbs.raw),
        entries: range_in(input, entries),
        signature: range_in(input, signature),
        version,
        algorithm,
        issuer,
        this_update,
        next_update,
        extensions,
    })
}

fn read_extensions(mut wrapper: Reader<'_>) -> Result<Vec<Extension>, Error> {
    let mut list = wrapper.sequence()?;
    wrapper.finish()?;
    let mut extensions = Vec::new();
    while !list.is_empty() {
        if extensions.len() == MAX_EXTENSIONS {
            return Err(der::Error::TooMany(MAX_EXTENSIONS).into());
        }
        extensions.push(Extension::read(&mut list)?);
    }
    Ok(extensions)
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if part.is_empty() || start > whole.len() {
        return 0..0;
    }
    start..start + part.len()
}

fn invalid(why: &'static str) -> Error {
    Error::invalid("CRL", why)
}
