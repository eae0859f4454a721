//! One line of a CRL (RFC 5280 §5.3): what stands in `revokedCertificates`.

use super::Reason;
use crate::{
    Error, GeneralName, Name, Oid, Time,
    der::{self, Reader, Tag, Writer},
    oids,
};

/// A revoked certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedEntry {
    /// INTEGER content octets.
    pub serial: Vec<u8>,
    pub date: Time,
    pub reason: Option<Reason>,
    pub invalidity_date: Option<Time>,
    /// Whose certificate it is, where that is not the CRL's issuer (an indirect CRL, RFC 5280 §5.3.3).
    /// Reading resolves the rule that an entry without the extension inherits it from the entry before.
    pub certificate_issuer: Option<Name>,
}

impl RevokedEntry {
    pub fn new(serial: Vec<u8>, date: Time, reason: Option<Reason>) -> Self {
        Self {
            serial,
            date,
            reason,
            invalidity_date: None,
            certificate_issuer: None,
        }
    }
}

/// Appends the DER of one entry. An unspecified reason is left out (RFC 5280 §5.3.1).
pub fn encode_entry(entry: &RevokedEntry, out: &mut Vec<u8>) {
    let mut w = Writer::with_capacity(64);
    w.sequence(|w| {
        w.integer(&entry.serial);
        w.time(entry.date);
        let reason = entry.reason.filter(|reason| *reason != Reason::Unspecified);
        if reason.is_none() && entry.invalidity_date.is_none() && entry.certificate_issuer.is_none()
        {
            return;
        }
        w.sequence(|w| {
            if let Some(reason) = reason {
                w.raw(&reason_extension(reason));
            }
            if let Some(date) = entry.invalidity_date {
                w.sequence(|w| {
                    w.oid(&oids::INVALIDITY_DATE);
                    w.nested(Tag::OCTET_STRING, |w| {
                        w.generalized_time(date);
                    });
                });
            }
            if let Some(issuer) = &entry.certificate_issuer {
                w.sequence(|w| {
                    w.oid(&oids::CERTIFICATE_ISSUER).boolean(true);
                    w.nested(Tag::OCTET_STRING, |w| {
                        w.sequence(|w| {
                            w.element(Tag::context_constructed(4), issuer.der());
                        });
                    });
                });
            }
        });
    });
    out.extend_from_slice(&w.finish());
}

/// The reasonCode extension, whose twelve octets differ in the last only.
fn reason_extension(reason: Reason) -> [u8; 12] {
    let code = reason.code();
    [
        0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, code,
    ]
}

/// An entry whose parts are still DER.
#[derive(Debug, Clone)]
pub(super) struct RawEntry<'a> {
    pub(super) serial: &'a [u8],
    date: der::Element<'a>,
    extensions: Option<Reader<'a>>,
}

impl<'a> RawEntry<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let mut fields = reader.sequence()?;
        let serial = fields.integer_lenient()?;
        let date = fields.element()?;
        let extensions = fields.optional_nested(Tag::SEQUENCE)?;
        fields.finish()?;
        Ok(Self {
            serial,
            date,
            extensions,
        })
    }

    /// The entry's own certificateIssuer, and an error for a critical extension that is not known here: RFC 5280 §5.3
    /// forbids to use such a CRL at all.
    pub(super) fn check(&self) -> Result<Option<Name>, Error> {
        let mut issuer = None;
        self.each_extension(|oid, critical, value| {
            match oid {
                oids::CRL_REASON | oids::INVALIDITY_DATE => {}
                oids::CERTIFICATE_ISSUER => issuer = Some(directory_name(value)?),
                _ if critical => {
                    return Err(Error::Unsupported {
                        what: "critical CRL entry extension",
                        oid,
                    });
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(issuer)
    }

    /// The typed entry; `certificate_issuer` is the one in force, found by [`RawEntry::check`].
    pub(super) fn to_entry(&self, certificate_issuer: Option<Name>) -> Result<RevokedEntry, Error> {
        let date = Time::from_element_lenient(self.date)?;
        let mut entry = RevokedEntry::new(self.serial.to_vec(), date, None);
        entry.certificate_issuer = certificate_issuer;
        self.each_extension(|oid, _, value| {
            let mut value = Reader::new(value).tolerant();
            match oid {
                oids::CRL_REASON => {
                    let reason = Reason::from_code(value.enumerated()?);
                    let reason = reason.ok_or(Error::invalid(
                        "reasonCode",
                        "the code is not assigned in RFC 5280 §5.3.1",
                    ))?;
                    entry.reason = Some(reason);
                }
                oids::INVALIDITY_DATE => {
                    entry.invalidity_date = Some(Time::from_element_lenient(value.element()?)?);
                }
                _ => return Ok(()),
            }
            Ok(value.finish()?)
        })?;
        Ok(entry)
    }

    fn each_extension(
        &self,
        mut each: impl FnMut(Oid, bool, &'a [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(mut extensions) = self.extensions.clone() else {
            return Ok(());
        };
        while !extensions.is_empty() {
            let mut extension = extensions.sequence()?;
            let oid = extension.oid()?;
            let critical = extension.boolean_default_false()?;
            let value = extension.octet_string()?;
            extension.finish()?;
            each(oid, critical, value)?;
        }
        Ok(())
    }
}

/// The directory name among GeneralNames; certificateIssuer is useless without one.
fn directory_name(value: &[u8]) -> Result<Name, Error> {
    let mut names = Reader::new(value).tolerant().sequence()?;
    while !names.is_empty() {
        if let GeneralName::DirName(name) = GeneralName::read(&mut names)? {
            return Ok(name);
        }
    }
    Err(Error::invalid(
        "certificateIssuer",
        "it names no directory name",
    ))
}
