//! One walk over a certificate that finds its parts (RFC 5280 §4.1).

use super::MAX_SIZE;
use crate::{
    Error,
    der::{self, Element, Reader, Tag},
    ext::RawExtension,
};

/// The parts of a certificate, borrowed from its bytes.
pub(super) struct Fields<'a> {
    pub(super) tbs: &'a [u8],
    /// The version field as written; absent means version 1.
    pub(super) version_field: Option<&'a [u8]>,
    pub(super) version: u32,
    pub(super) serial: &'a [u8],
    pub(super) tbs_algorithm: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Element<'a>,
    pub(super) not_after: Element<'a>,
    pub(super) subject: &'a [u8],
    pub(super) spki: &'a [u8],
    pub(super) has_unique_ids: bool,
    /// Content of the SEQUENCE OF Extension.
    pub(super) extensions: Option<&'a [u8]>,
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Error> {
        if der.len() > MAX_SIZE {
            return Err(Error::TooLarge {
                what: "certificate",
                limit: MAX_SIZE,
            });
        }
        let mut outer = Reader::new(der).tolerant();
        let mut certificate = outer.sequence()?;
        outer.finish()?;
        let tbs = certificate.expect(Tag::SEQUENCE)?;
        let algorithm = algorithm(&mut certificate)?;
        let signature = certificate.bit_string_octets()?;
        certificate.finish()?;

        let mut r = certificate.descend(tbs.value)?;
        let version_field = version_field(&mut r)?;
        let serial = r.integer_lenient()?;
        let tbs_algorithm = self::algorithm(&mut r)?;
        let issuer = r.expect(Tag::SEQUENCE)?.raw;
        let mut validity = r.sequence()?;
        let (not_before, not_after) = (validity.element()?, validity.element()?);
        validity.finish()?;
        let subject = r.expect(Tag::SEQUENCE)?.raw;
        let spki = r.expect(Tag::SEQUENCE)?.raw;
        let issuer_id = unique_id(&mut r, 1)?;
        let subject_id = unique_id(&mut r, 2)?;
        let extensions = extensions(&mut r)?;
        r.finish()?;
        Ok(Fields {
            tbs: tbs.raw,
            version_field,
            version: version_number(version_field)?,
            serial,
            tbs_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            has_unique_ids: issuer_id || subject_id,
            extensions,
            algorithm,
            signature,
        })
    }

    /// Every extension is at least an identifier, a flag and bytes.
    pub(super) fn check_extensions(&self) -> Result<(), der::Error> {
        let mut r = Reader::new(self.extensions.unwrap_or_default()).tolerant();
        while !r.is_empty() {
            RawExtension::read(&mut r)?;
        }
        Ok(())
    }
}

/// One AlgorithmIdentifier, checked, as its bytes.
fn algorithm<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let e = r.expect(Tag::SEQUENCE)?;
    let mut inner = r.descend(e.value)?;
    inner.oid()?;
    if !inner.is_empty() {
        inner.element()?;
    }
    inner.finish()?;
    Ok(e.raw)
}

fn version_field<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Error> {
    let Some(mut explicit) = r.optional_nested(Tag::context_constructed(0))? else {
        return Ok(None);
    };
    let content = explicit.integer_lenient()?;
    explicit.finish()?;
    Ok(Some(content))
}

/// Version 1 is written as 0.
fn version_number(field: Option<&[u8]>) -> Result<u32, Error> {
    match field {
        None => Ok(1),
        Some([first, ..]) if first & 0x80 != 0 => {
            Err(Error::invalid("certificate version", "is negative"))
        }
        Some(content) => {
            let zeros = content.iter().take_while(|b| **b == 0).count();
            let number = der::parse_u64(content.get(zeros..).unwrap_or_default())?;
            let written = u32::try_from(number).unwrap_or(u32::MAX);
            Ok(written.saturating_add(1))
        }
    }
}

fn unique_id(r: &mut Reader<'_>, n: u8) -> Result<bool, Error> {
    let primitive = r.optional(Tag::context(n))?;
    Ok(match primitive {
        Some(_) => true,
        None => r.optional(Tag::context_constructed(n))?.is_some(),
    })
}

fn extensions<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Error> {
    let Some(mut explicit) = r.optional_nested(Tag::context_constructed(3))? else {
        return Ok(None);
    };
    let list = explicit.value(Tag::SEQUENCE)?;
    explicit.finish()?;
    Ok(Some(list))
}
