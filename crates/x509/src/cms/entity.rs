//! Who signed, or for whom a content key is: a certificate named by issuer and serial number, or by its key
//! identifier (RFC 5652 §5.3 SignerIdentifier, §6.2.1 RecipientIdentifier).

use super::CmsError;
use crate::{
    Certificate, Name,
    der::{Reader, Tag, Writer},
    ext::SubjectKeyId,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityId {
    IssuerAndSerial {
        issuer: Name,
        /// Content octets of the INTEGER.
        serial: Vec<u8>,
    },
    SubjectKeyId(Vec<u8>),
}

impl EntityId {
    /// By issuer and serial number: the form that every reader takes.
    pub fn of(certificate: &Certificate) -> Self {
        Self::IssuerAndSerial {
            issuer: certificate.issuer().clone(),
            serial: certificate.serial().to_vec(),
        }
    }

    /// By key identifier, if the certificate states one.
    pub fn by_key(certificate: &Certificate) -> Option<Self> {
        let extension = certificate.ext::<SubjectKeyId>().ok().flatten()?;
        Some(Self::SubjectKeyId(extension.0))
    }

    /// Whether this names the certificate. Names are compared as RFC 5280 §7.1 says, and also with their RDNs in
    /// reverse: some Java clients write the issuer's name back to front (jscep issue 180).
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                same_integer(serial, certificate.serial())
                    && (issuer.canonical_eq(certificate.issuer())
                        || issuer.is_reverse_of(certificate.issuer()))
            }
            Self::SubjectKeyId(id) => match certificate.ext::<SubjectKeyId>() {
                Ok(Some(stated)) => stated.0 == *id,
                _ => false,
            },
        }
    }

    /// `version` is what the structure around it says; issuer and serial stand untagged, the key identifier under [0].
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, CmsError> {
        if let Some(element) = fields.optional(Tag::context(0))? {
            return Ok(Self::SubjectKeyId(element.value.to_vec()));
        }
        let mut pair = fields.sequence()?;
        let issuer = Name::from_der(pair.expect(Tag::SEQUENCE)?.raw)?;
        let serial = pair.integer_lenient()?.to_vec();
        pair.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::IssuerAndSerial { issuer, serial } => w.sequence(|w| {
                w.raw(issuer.der()).integer(serial);
            }),
            Self::SubjectKeyId(id) => w.element(Tag::context(0), id),
        };
    }
}

/// Whether two INTEGERs are the same number: old devices pad theirs.
fn same_integer(a: &[u8], b: &[u8]) -> bool {
    shortest(a) == shortest(b)
}

fn shortest(mut content: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = content
        && rest.first().is_some_and(|next| next & 0x80 == 0)
    {
        content = rest;
    }
    content
}
