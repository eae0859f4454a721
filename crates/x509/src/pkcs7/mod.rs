//! PKCS #7 bundles: certificates and CRLs carried in a SignedData (RFC 5652 §5) that signs nothing.
//!
//! This is how EST, Windows and the Direct trust bundles hand over chains. Reading also takes signed messages, for
//! the certificates in them, and BER as streaming writers produce it; no signature is verified here.

mod ber;

use crate::{
    Certificate, Error, Oid,
    der::{self, Reader, Tag, Writer},
    oids,
};

pub use ber::{BerError, join_octet_fragments, to_der};

/// Largest bundle read. The largest Direct trust bundles hold a few hundred anchors, under 1 MiB.
pub const MAX_SIZE: usize = 16 << 20;

/// Most certificates, and most CRLs, read from one bundle.
pub const MAX_ITEMS: usize = 10_000;

/// What a SignedData carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedData {
    /// In the order of the message.
    pub certificates: Vec<Certificate>,
    /// CRLs in DER.
    pub crls: Vec<Vec<u8>>,
    pub content_type: Oid,
    /// The encapsulated content, absent in a bundle that only carries certificates.
    pub content: Option<Vec<u8>>,
    /// How many signatures it has; 0 for a bundle.
    pub signers: usize,
}

/// A bundle of certificates and CRLs, both in DER. Certificates stay in the order given: sorting them as a SET
/// would put the leaf behind its issuers, which breaks clients that take the first for their own.
pub fn build<C: AsRef<[u8]>, L: AsRef<[u8]>>(
    certificates: impl IntoIterator<Item = C>,
    crls: impl IntoIterator<Item = L>,
) -> Vec<u8> {
    let mut w = Writer::new();
    w.sequence(|w| {
        w.oid(&oids::SIGNED_DATA);
        w.nested(Tag::context_constructed(0), |w| {
            w.sequence(|w| {
                w.u64(1);
                w.set(|_| {});
                w.sequence(|w| {
                    w.oid(&oids::DATA);
                });
                write_members(w, Tag::context_constructed(0), certificates);
                write_members(w, Tag::context_constructed(1), crls);
                w.set(|_| {});
            });
        });
    });
    w.finish()
}

fn write_members<B: AsRef<[u8]>>(w: &mut Writer, tag: Tag, members: impl IntoIterator<Item = B>) {
    let mut members = members.into_iter().peekable();
    if members.peek().is_none() {
        return;
    }
    w.nested(tag, |w| {
        for member in members {
            w.raw(member.as_ref());
        }
    });
}

/// Reads a ContentInfo with SignedData in DER or BER.
pub fn parse(input: &[u8]) -> Result<SignedData, Error> {
    let der = normalised(input)?;
    let (kind, mut content) = content_info(&der)?;
    if kind != oids::SIGNED_DATA {
        return Err(Error::Unsupported {
            what: "CMS content type",
            oid: kind,
        });
    }
    let mut fields = content.sequence()?;
    content.finish()?;
    read_signed_data(&mut fields)
}

/// The input with definite lengths, and errors as the rest of this crate words them.
pub(crate) fn normalised(input: &[u8]) -> Result<Vec<u8>, Error> {
    to_der(input, MAX_SIZE).map_err(|e| match e {
        BerError::Budget("bytes") => Error::TooLarge {
            what: "BER structure",
            limit: MAX_SIZE,
        },
        BerError::Budget(_) => der::Error::TooDeep.into(),
        BerError::Truncated(_) => der::Error::Truncated.into(),
        BerError::HighTag(_) => der::Error::HighTagNumber.into(),
        BerError::Trailing(at) => der::Error::TrailingData(input.len().saturating_sub(at)).into(),
        BerError::Length(_) | BerError::Fragment(_) => Error::invalid(
            "BER structure",
            "a length or a fragmented string is malformed",
        ),
    })
}

/// Type and content of a ContentInfo (RFC 5652 §3).
pub(crate) fn content_info(der: &[u8]) -> Result<(Oid, Reader<'_>), Error> {
    let mut outer = Reader::new(der).tolerant();
    let mut info = outer.sequence()?;
    outer.finish()?;
    let kind = info.oid()?;
    let content = info.nested(Tag::context_constructed(0))?;
    info.finish()?;
    Ok((kind, content))
}

fn read_signed_data(fields: &mut Reader<'_>) -> Result<SignedData, Error> {
    fields.u64()?; // The version follows from the rest (RFC 5652 §5.1).
    fields.set()?;
    let mut encapsulated = fields.sequence()?;
    let content_type = encapsulated.oid()?;
    let content = match encapsulated.optional_nested(Tag::context_constructed(0))? {
        None => None,
        Some(mut explicit) => {
            let element = explicit.element()?;
            // PKCS #7 1.5 allowed any type here; CMS an OCTET STRING only.
            Some(match element.tag {
                Tag::OCTET_STRING => element.value.to_vec(),
                _ => element.raw.to_vec(),
            })
        }
    };
    let certificates = read_certificates(fields)?;
    let crls = read_crls(fields)?;
    let mut signer_infos = fields.set()?;
    let mut signers = 0;
    while !signer_infos.is_empty() {
        signer_infos.element()?;
        signers += 1;
    }
    Ok(SignedData {
        certificates,
        crls,
        content_type,
        content,
        signers,
    })
}

/// CertificateSet; attribute certificates and other choices are passed over.
fn read_certificates(fields: &mut Reader<'_>) -> Result<Vec<Certificate>, Error> {
    let mut certificates = Vec::new();
    for element in members(fields, Tag::context_constructed(0))? {
        if element.tag == Tag::SEQUENCE {
            certificates.push(Certificate::from_der(element.raw)?);
        }
    }
    Ok(certificates)
}

fn read_crls(fields: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let elements = members(fields, Tag::context_constructed(1))?.into_iter();
    let crls = elements.filter(|element| element.tag == Tag::SEQUENCE);
    Ok(crls.map(|element| element.raw.to_vec()).collect())
}

fn members<'a>(fields: &mut Reader<'a>, tag: Tag) -> Result<Vec<der::Element<'a>>, Error> {
    let mut members = Vec::new();
    if let Some(mut set) = fields.optional_nested(tag)? {
        while !set.is_empty() {
            if members.len() == MAX_ITEMS {
                return Err(der::Error::TooMany(MAX_ITEMS).into());
            }
            members.push(set.element()?);
        }
    }
    Ok(members)
}
