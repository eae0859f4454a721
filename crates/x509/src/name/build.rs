//! Making names, within the upper bounds of RFC 5280 appendix A.1.

use super::{Name, is_printable};
use crate::{
    Error, Oid,
    der::{self, Tag},
    oids,
};

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringKind {
    /// What RFC 5280 §4.1.2.4 and the attribute's definition demand: PrintableString for countryName,
    /// serialNumber and dnQualifier, IA5String for emailAddress and domainComponent, else UTF8String.
    Auto,
    Utf8,
    Printable,
    Ia5,
}

/// Builds a name from its most general attribute to its most specific.
#[derive(Debug, Default, Clone)]
pub struct NameBuilder {
    rdns: Vec<Vec<Vec<u8>>>,
}

impl NameBuilder {
    /// Appends a relative distinguished name of one attribute.
    pub fn push(mut self, oid: Oid, value: &str, kind: StringKind) -> Result<Self, Error> {
        self.rdns.push(vec![attribute(oid, value, kind)?]);
        Ok(self)
    }

    /// Adds an attribute to the last relative distinguished name (`+` in text form).
    pub fn push_joined(mut self, oid: Oid, value: &str, kind: StringKind) -> Result<Self, Error> {
        let encoded = attribute(oid, value, kind)?;
        match self.rdns.last_mut() {
            Some(rdn) => rdn.push(encoded),
            None => self.rdns.push(vec![encoded]),
        }
        Ok(self)
    }

    /// Adds an attribute whose value is already one encoded element.
    pub fn push_encoded(mut self, oid: Oid, value: &[u8], joined: bool) -> Result<Self, Error> {
        let mut r = der::Reader::new(value);
        r.element()?;
        r.finish()?;
        let encoded = der::sequence(|w| {
            w.oid(&oid).raw(value);
        });
        match self.rdns.last_mut() {
            Some(rdn) if joined => rdn.push(encoded),
            _ => self.rdns.push(vec![encoded]),
        }
        Ok(self)
    }

    pub fn build(self) -> Name {
        let der = der::sequence(|w| {
            for rdn in self.rdns {
                w.set_of(rdn);
            }
        });
        Name { der: der.into() }
    }
}

fn attribute(oid: Oid, value: &str, kind: StringKind) -> Result<Vec<u8>, Error> {
    check_value(oid, value)?;
    let tag = match (kind, oid) {
        (StringKind::Utf8, _) => Tag::UTF8_STRING,
        (StringKind::Printable, _) => Tag::PRINTABLE_STRING,
        (StringKind::Ia5, _) => Tag::IA5_STRING,
        (_, oids::COUNTRY | oids::SERIAL_NUMBER | oids::DN_QUALIFIER) => Tag::PRINTABLE_STRING,
        (_, oids::EMAIL_ADDRESS | oids::DOMAIN_COMPONENT) => Tag::IA5_STRING,
        _ => Tag::UTF8_STRING,
    };
    if tag == Tag::PRINTABLE_STRING && !is_printable(value) {
        return Err(Error::invalid(
            "name",
            "PrintableString allows letters, digits, space and '()+,-./:=? only",
        ));
    }
    if tag == Tag::IA5_STRING && !value.is_ascii() {
        return Err(Error::invalid("name", "IA5String allows ASCII only"));
    }
    Ok(der::sequence(|w| {
        w.oid(&oid).element(tag, value.as_bytes());
    }))
}

fn check_value(oid: Oid, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::invalid("name", "an attribute must not be empty"));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            "an attribute must not hold control characters",
        ));
    }
    if oid == oids::COUNTRY && (value.len() != 2 || !value.bytes().all(|b| b.is_ascii_alphabetic()))
    {
        return Err(Error::invalid(
            "name",
            "countryName must be two letters (ISO 3166)",
        ));
    }
    match upper_bound(oid) {
        limit if value.chars().count() > limit => Err(Error::TooLarge {
            what: "name attribute",
            limit,
        }),
        _ => Ok(()),
    }
}

/// The `ub-` values of RFC 5280 appendix A.1, in characters. What has no bound there gets the widest.
fn upper_bound(oid: Oid) -> usize {
    match oid {
        oids::COMMON_NAME
        | oids::ORGANIZATION
        | oids::ORGANIZATIONAL_UNIT
        | oids::SERIAL_NUMBER
        | oids::TITLE => 64,
        oids::LOCALITY | oids::STATE | oids::PSEUDONYM => 128,
        oids::EMAIL_ADDRESS => 255,
        _ => 32_768,
    }
}
