//! The linter's own reading of a CertificateList (RFC 5280 §5.1).

use crate::{
    Time,
    der::{Element, Error, Reader, Tag},
    ext::{ExtensionValue, IssuingDistributionPoint},
    oids,
};

use super::view::{Algorithm, ExtView, NameView, read_extensions};

pub(super) struct CrlView<'a> {
    /// As encoded: 1 is v2.
    pub(super) version: Option<u64>,
    pub(super) signature: Algorithm<'a>,
    pub(super) outer_signature: Algorithm<'a>,
    pub(super) issuer: NameView<'a>,
    pub(super) this_update: Element<'a>,
    pub(super) next_update: Option<Element<'a>>,
    /// Content of revokedCertificates, if the field is there.
    pub(super) revoked: Option<&'a [u8]>,
    pub(super) extensions: Vec<ExtView<'a>>,
}

pub(super) struct Entry<'a> {
    pub(super) serial: &'a [u8],
    pub(super) date: Element<'a>,
    pub(super) extensions: Vec<ExtView<'a>>,
    pub(super) has_empty_extensions: bool,
}

/// What the rules over single entries need to know of their list.
pub(super) struct ListTraits {
    pub(super) issued: Option<Time>,
    pub(super) is_delta: bool,
    pub(super) is_indirect: bool,
}

impl<'a> CrlView<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut outer = Reader::new(der).tolerant().sequence()?;
        let mut r = outer.sequence()?;
        let outer_signature = Algorithm::read(&mut outer)?;
        let version = match r.peek() {
            Some(Tag::INTEGER) => Some(r.u64()?),
            _ => None,
        };
        let signature = Algorithm::read(&mut r)?;
        let issuer = NameView::read(&mut r)?;
        let this_update = r.element()?;
        let next_update = match r.peek() {
            Some(Tag::UTC_TIME | Tag::GENERALIZED_TIME) => Some(r.element()?),
            _ => None,
        };
        let revoked = r.optional(Tag::SEQUENCE)?.map(|e| e.value);
        let extensions = match r.optional_nested(Tag::context_constructed(0))? {
            Some(mut field) => read_extensions(&mut field)?,
            None => Vec::new(),
        };
        r.finish()?;
        Ok(Self {
            version,
            signature,
            outer_signature,
            issuer,
            this_update,
            next_update,
            revoked,
            extensions,
        })
    }

    pub(super) fn issued(&self) -> Option<Time> {
        Time::from_element_lenient(self.this_update).ok()
    }

    pub(super) fn ext(&self, oid: &crate::Oid) -> Option<&ExtView<'a>> {
        self.extensions.iter().find(|e| e.oid == oid.as_bytes())
    }

    pub(super) fn traits(&self) -> ListTraits {
        ListTraits {
            issued: self.issued(),
            is_delta: self.is_delta(),
            is_indirect: self.is_indirect(),
        }
    }

    pub(super) fn is_indirect(&self) -> bool {
        let point = self.ext(&oids::ISSUING_DISTRIBUTION_POINT);
        let parsed = point.map(|e| IssuingDistributionPoint::parse(e.value));
        parsed.is_some_and(|d| d.is_ok_and(|d| d.indirect_crl))
    }

    pub(super) fn is_delta(&self) -> bool {
        self.ext(&oids::DELTA_CRL_INDICATOR).is_some()
    }

    /// Reads the entries one by one; an entry that cannot be read ends the walk with its error.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Error>> {
        let mut r = Reader::new(self.revoked.unwrap_or_default()).tolerant();
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed || r.is_empty() {
                return None;
            }
            let entry = read_entry(&mut r);
            failed = entry.is_err();
            Some(entry)
        })
    }
}

fn read_entry<'a>(r: &mut Reader<'a>) -> Result<Entry<'a>, Error> {
    let mut body = r.sequence()?;
    let serial = body.value(Tag::INTEGER)?;
    let date = body.element()?;
    let has_field = !body.is_empty();
    let extensions = match has_field {
        true => read_extensions(&mut body)?,
        false => Vec::new(),
    };
    Ok(Entry {
        serial,
        date,
        has_empty_extensions: has_field && extensions.is_empty(),
        extensions,
    })
}
