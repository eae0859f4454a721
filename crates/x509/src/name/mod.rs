//! Distinguished names: RDNSequence (RFC 5280 §4.1.2.4), text form (RFC 4514), comparison (§7.1).

use std::borrow::Cow;

use crate::{
    Error, Oid,
    der::{self, Reader, Tag},
    oids,
};

mod build;
mod canonical;
mod string;
mod text;

pub use build::{NameBuilder, StringKind};
pub use string::decode as decode_string;
pub(crate) use string::is_printable;

/// A name kept as its DER, whose structure was checked when it was made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    der: Box<[u8]>,
}

/// One attribute of a name, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Index of the relative distinguished name this attribute is in.
    pub rdn: usize,
    pub oid: Oid,
    pub tag: Tag,
    pub value: &'a [u8],
}

impl Name {
    /// The empty sequence, as in a subject that is named only by its alternative names.
    pub fn empty() -> Name {
        Name {
            der: Box::new([0x30, 0]),
        }
    }

    /// One complete RDNSequence, checked down to its attributes.
    pub fn from_der(der: &[u8]) -> Result<Name, Error> {
        check_structure(der)?;
        Ok(Name { der: der.into() })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// From the most general attribute to the most specific, as the encoding has them.
    pub fn builder() -> NameBuilder {
        NameBuilder::default()
    }

    /// Attributes in encoded order.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.der)
    }

    /// The text of the first attribute of this type.
    pub fn find(&self, oid: &Oid) -> Option<Cow<'_, str>> {
        let found = self.attributes().find(|a| a.oid == *oid);
        found.map(|a| a.text())
    }

    /// The most specific commonName.
    pub fn common_name(&self) -> Option<Cow<'_, str>> {
        let names = self.attributes().filter(|a| a.oid == oids::COMMON_NAME);
        names.last().map(|a| a.text())
    }

    /// Equality under RFC 5280 §7.1: case and spacing do not matter in directory strings.
    pub fn canonical_eq(&self, other: &Name) -> bool {
        self.der == other.der || self.canonical() == other.canonical()
    }

    /// Whether the other name is this one written back to front, as some Java clients do.
    pub(crate) fn is_reverse_of(&self, other: &Name) -> bool {
        let mut reversed = canonical::of(self);
        reversed.reverse();
        reversed == canonical::of(other)
    }

    /// A byte string that is equal for two names exactly when [`Name::canonical_eq`] holds.
    pub fn canonical(&self) -> Vec<u8> {
        canonical::of(self).concat()
    }

    /// Whether this name is `base` or below it in the directory tree (RFC 5280 §4.2.1.10).
    pub fn is_within(&self, base: &Name) -> bool {
        canonical::of(self).starts_with(&canonical::of(base))
    }
}

impl<'a> Attribute<'a> {
    /// The value as text; what is not a character string is written as RFC 4514 §2.4's `#` and hex.
    pub fn text(&self) -> Cow<'a, str> {
        match string::decode(self.tag, self.value) {
            Some(text) => text,
            None => Cow::Owned(text::hex_form(self)),
        }
    }

    /// The value as text, or `None` where it is not a well-formed character string.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        string::decode(self.tag, self.value)
    }
}

pub struct Attributes<'a> {
    sets: Reader<'a>,
    current: Reader<'a>,
    rdn: usize,
}

impl<'a> Attributes<'a> {
    fn new(der: &'a [u8]) -> Self {
        let empty = Reader::new(&[]);
        let sets = Reader::new(der).tolerant().sequence();
        Attributes {
            sets: sets.unwrap_or(empty.clone()),
            current: empty,
            rdn: 0,
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        while self.current.is_empty() {
            self.current = self.sets.set().ok()?;
            self.rdn += 1;
        }
        read_attribute(&mut self.current, self.rdn - 1).ok()
    }
}

fn read_attribute<'a>(r: &mut Reader<'a>, rdn: usize) -> Result<Attribute<'a>, der::Error> {
    let mut pair = r.sequence()?;
    let oid = pair.oid()?;
    let e = pair.element()?;
    pair.finish()?;
    Ok(Attribute {
        rdn,
        oid,
        tag: e.tag,
        value: e.value,
    })
}

/// Structure only: an attribute's value may be anything (device vendors do put anything there).
fn check_structure(der: &[u8]) -> Result<(), der::Error> {
    let mut outer = Reader::new(der).tolerant();
    let mut sets = outer.sequence()?;
    outer.finish()?;
    while !sets.is_empty() {
        let mut set = sets.set()?;
        while !set.is_empty() {
            read_attribute(&mut set, 0)?;
        }
    }
    Ok(())
}
