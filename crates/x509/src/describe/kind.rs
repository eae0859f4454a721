//! Tells apart, by shape alone, what a DER structure is.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Error,
    der::{Element, Reader, Tag},
};

/// The kinds of object this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Certificate,
    CertificationRequest,
    Crl,
    OcspRequest,
    OcspResponse,
    Pkcs7,
    Pkcs12,
    PublicKey,
    PrivateKey,
}

const EXPLICIT_0: Tag = Tag::context_constructed(0);

impl Kind {
    /// The kind of a DER or (PKCS #7, PKCS #12) BER structure.
    pub fn of(der: &[u8]) -> Result<Kind, Error> {
        if let Some(kind) = streamed(der) {
            return Ok(kind);
        }
        let mut outer = Reader::new(der).tolerant();
        let fields = elements(outer.expect(Tag::SEQUENCE)?.value)?;
        outer.finish()?;
        let tags: Vec<Tag> = fields.iter().map(|e| e.tag).collect();
        match tags.as_slice() {
            [Tag::OID, ..] => Ok(Kind::Pkcs7),
            [Tag::ENUMERATED, ..] => Ok(Kind::OcspResponse),
            [Tag::INTEGER, Tag::SEQUENCE, ..] if holds_content_info(&fields) => Ok(Kind::Pkcs12),
            [Tag::INTEGER, ..] => Ok(Kind::PrivateKey),
            [Tag::SEQUENCE, Tag::BIT_STRING] => Ok(Kind::PublicKey),
            [Tag::SEQUENCE, Tag::OCTET_STRING] => Ok(Kind::PrivateKey), // encrypted PKCS #8
            [Tag::SEQUENCE] | [Tag::SEQUENCE, EXPLICIT_0] => Ok(Kind::OcspRequest),
            [Tag::SEQUENCE, Tag::SEQUENCE, Tag::BIT_STRING] => signed(&fields),
            _ => Err(unknown()),
        }
    }

    /// The name used in descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Certificate => "certificate",
            Kind::CertificationRequest => "certificationRequest",
            Kind::Crl => "crl",
            Kind::OcspRequest => "ocspRequest",
            Kind::OcspResponse => "ocspResponse",
            Kind::Pkcs7 => "pkcs7",
            Kind::Pkcs12 => "pkcs12",
            Kind::PublicKey => "publicKey",
            Kind::PrivateKey => "privateKey",
        }
    }
}

/// Only the two containers come with indefinite length.
fn streamed(input: &[u8]) -> Option<Kind> {
    match input {
        [0x30, 0x80, 0x06, ..] => Some(Kind::Pkcs7),
        [0x30, 0x80, 0x02, 0x01, 0x03, ..] => Some(Kind::Pkcs12),
        _ => None,
    }
}

/// PFX: the second field is a ContentInfo.
fn holds_content_info(fields: &[Element<'_>]) -> bool {
    match fields {
        [version, content, ..] => {
            version.value == [3] && content.value.first() == Some(&Tag::OID.0)
        }
        _ => false,
    }
}

/// `SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }`: certificate, request or CRL, by what is signed.
fn signed(fields: &[Element<'_>]) -> Result<Kind, Error> {
    let tbs = fields.first().ok_or(unknown())?;
    let fields = elements(tbs.value)?;
    let tags: Vec<Tag> = fields.iter().map(|e| e.tag).collect();
    let unversioned = match tags.as_slice() {
        [Tag::INTEGER, rest @ ..] => rest,
        all => all,
    };
    match unversioned {
        [EXPLICIT_0, ..] => Ok(Kind::Certificate),
        [
            Tag::SEQUENCE,
            Tag::SEQUENCE,
            Tag::UTC_TIME | Tag::GENERALIZED_TIME,
            ..,
        ] => Ok(Kind::Crl),
        // RFC 2986: attributes are mandatory, but some old clients leave them out.
        [Tag::SEQUENCE, Tag::SEQUENCE] | [Tag::SEQUENCE, Tag::SEQUENCE, EXPLICIT_0] => {
            Ok(Kind::CertificationRequest)
        }
        // Version 1: algorithm, issuer, validity, subject, key.
        [Tag::SEQUENCE, Tag::SEQUENCE, Tag::SEQUENCE, ..] => Ok(Kind::Certificate),
        _ => Err(unknown()),
    }
}

fn elements(content: &[u8]) -> Result<Vec<Element<'_>>, Error> {
    let mut reader = Reader::new(content).tolerant();
    let mut elements = Vec::new();
    while !reader.is_empty() && elements.len() < 16 {
        elements.push(reader.element()?);
    }
    Ok(elements)
}

/// DER as it is, or what bare base64 holds, as enrolment protocols send it.
pub(crate) fn der_or_base64(input: &[u8]) -> Result<Vec<u8>, Error> {
    if input.first() == Some(&Tag::SEQUENCE.0) {
        return Ok(input.to_vec());
    }
    let text: Vec<u8> = input
        .iter()
        .copied()
        .filter(|c| !c.is_ascii_whitespace())
        .collect();
    STANDARD.decode(&text).map_err(|_| unknown())
}

fn unknown() -> Error {
    Error::invalid(
        "input",
        "it is no certificate, request, CRL, OCSP message, PKCS #7, PKCS #12 or key in DER or PEM",
    )
}
