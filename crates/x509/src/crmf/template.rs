//! CertTemplate (RFC 4211 §5): what a certificate is asked to hold, every field optional.

use crate::{
    AlgorithmIdentifier, Error, Extension, Name, Time,
    csr::MAX_EXTENSIONS,
    der::{self, Reader, Tag, Writer},
};

use super::{read_algorithm_content, read_small, write_small};

/// The same shape asks for a certificate (ir, cr, kur), names one (rr) and tells what to ask for (certReqTemplate).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertTemplate {
    pub version: Option<i64>,
    /// INTEGER content octets.
    pub serial: Option<Vec<u8>>,
    pub signing_algorithm: Option<AlgorithmIdentifier>,
    pub issuer: Option<Name>,
    pub not_before: Option<Time>,
    pub not_after: Option<Time>,
    pub subject: Option<Name>,
    /// The complete SubjectPublicKeyInfo.
    pub spki_der: Option<Vec<u8>>,
    pub extensions: Vec<Extension>,
}

impl CertTemplate {
    pub fn read(r: &mut Reader<'_>) -> Result<CertTemplate, Error> {
        let mut t = r.sequence()?;
        let mut out = CertTemplate {
            version: implicit_integer(&mut t, 0)?,
            ..Default::default()
        };
        if let Some(serial) = t.optional(Tag::context(1))? {
            if serial.value.is_empty() {
                return Err(der::Error::Integer.into());
            }
            out.serial = Some(serial.value.to_vec());
        }
        if let Some(algorithm) = t.optional_nested(Tag::context_constructed(2))? {
            out.signing_algorithm = Some(read_algorithm_content(algorithm)?);
        }
        out.issuer = explicit_name(&mut t, 3)?;
        if let Some(mut validity) = t.optional_nested(Tag::context_constructed(4))? {
            out.not_before = explicit_time(&mut validity, 0)?;
            out.not_after = explicit_time(&mut validity, 1)?;
            validity.finish()?;
        }
        out.subject = explicit_name(&mut t, 5)?;
        if let Some(key) = t.optional(Tag::context_constructed(6))? {
            out.spki_der = Some(der::encode(Tag::SEQUENCE, key.value));
        }
        // issuerUID and subjectUID are deprecated and mean nothing here (RFC 4211 §5).
        t.optional(Tag::context(7))?;
        t.optional(Tag::context(8))?;
        if let Some(extensions) = t.optional_nested(Tag::context_constructed(9))? {
            out.extensions = read_extensions(extensions)?;
        }
        t.finish()?;
        Ok(out)
    }

    pub fn write(&self, w: &mut Writer) {
        w.sequence(|w| {
            if let Some(version) = self.version {
                implicit(w, Tag::context(0), |w| write_small(w, version));
            }
            if let Some(serial) = &self.serial {
                w.element(Tag::context(1), serial);
            }
            if let Some(algorithm) = &self.signing_algorithm {
                implicit(w, Tag::context_constructed(2), |w| algorithm.write(w));
            }
            if let Some(issuer) = &self.issuer {
                w.element(Tag::context_constructed(3), issuer.der());
            }
            self.write_validity(w);
            if let Some(subject) = &self.subject {
                w.element(Tag::context_constructed(5), subject.der());
            }
            if let Some(spki) = &self.spki_der {
                implicit(w, Tag::context_constructed(6), |w| {
                    w.raw(spki);
                });
            }
            if !self.extensions.is_empty() {
                w.nested(Tag::context_constructed(9), |w| {
                    self.extensions.iter().for_each(|e| e.write(w));
                });
            }
        });
    }

    fn write_validity(&self, w: &mut Writer) {
        if self.not_before.is_none() && self.not_after.is_none() {
            return;
        }
        w.nested(Tag::context_constructed(4), |w| {
            for (n, time) in [(0, self.not_before), (1, self.not_after)] {
                if let Some(time) = time {
                    w.nested(Tag::context_constructed(n), |w| {
                        w.time(time);
                    });
                }
            }
        });
    }
}

/// Extensions under an implicit tag.
fn read_extensions(mut list: Reader<'_>) -> Result<Vec<Extension>, Error> {
    let mut out: Vec<Extension> = Vec::new();
    while !list.is_empty() {
        if out.len() == MAX_EXTENSIONS {
            return Err(der::Error::TooMany(MAX_EXTENSIONS).into());
        }
        let extension = Extension::read(&mut list)?;
        if out.iter().any(|e| e.oid == extension.oid) {
            return Err(Error::Duplicate {
                what: "extension",
                oid: extension.oid,
            });
        }
        out.push(extension);
    }
    Ok(out)
}

fn implicit_integer(r: &mut Reader<'_>, n: u8) -> Result<Option<i64>, Error> {
    let Some(element) = r.optional(Tag::context(n))? else {
        return Ok(None);
    };
    let universal = der::encode(Tag::INTEGER, element.value);
    read_small(&mut Reader::new(&universal)).map(Some)
}

/// Name is a CHOICE, so its tag is explicit in a module of implicit ones.
fn explicit_name(r: &mut Reader<'_>, n: u8) -> Result<Option<Name>, Error> {
    let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(n))? else {
        return Ok(None);
    };
    let name = Name::from_der(wrapped.expect(Tag::SEQUENCE)?.raw)?;
    wrapped.finish()?;
    Ok(Some(name))
}

fn explicit_time(r: &mut Reader<'_>, n: u8) -> Result<Option<Time>, Error> {
    let Some(mut wrapped) = r.optional_nested(Tag::context_constructed(n))? else {
        return Ok(None);
    };
    let time = Time::from_element_lenient(wrapped.element()?)?;
    wrapped.finish()?;
    Ok(Some(time))
}

/// One element with its own tag replaced.
fn implicit(w: &mut Writer, tag: Tag, body: impl FnOnce(&mut Writer)) {
    let mut own = Writer::new();
    body(&mut own);
    let own = own.finish();
    let content = Reader::new(&own).element().map(|e| e.value.to_vec());
    w.element(tag, &content.unwrap_or_default());
}
