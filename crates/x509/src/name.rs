//! Distinguished names: RDNSequence (RFC 5280 §4.1.2.4), text form (RFC 4514), comparison (§7.1).

use std::{borrow::Cow, fmt, str::FromStr};

use crate::{
    Error, Oid,
    der::{self, Reader, Tag},
};

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

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringKind {
    /// PrintableString if every character allows it, else UTF8String; IA5String where the attribute's
    /// definition demands it (emailAddress, domainComponent).
    Auto,
    Utf8,
    Printable,
    Ia5,
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
        let found = self
            .attributes()
            .filter(|a| a.oid == crate::oids::COMMON_NAME)
            .last();
        found.map(|a| a.text())
    }

    /// Equality under RFC 5280 §7.1: case and spacing do not matter in directory strings.
    pub fn canonical_eq(&self, other: &Name) -> bool {
        self.der == other.der || self.canonical() == other.canonical()
    }

    /// A byte string that is equal for two names exactly when [`Name::canonical_eq`] holds.
    pub fn canonical(&self) -> Vec<u8> {
        self.der.to_vec()
    }

    /// Whether this name is `base` or below it in the directory tree (RFC 5280 §4.2.1.10).
    pub fn is_within(&self, base: &Name) -> bool {
        self.canonical_eq(base)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl FromStr for Name {
    type Err = Error;

    /// RFC 4514 §3: most specific first, as `Display` writes it.
    fn from_str(_s: &str) -> Result<Self, Error> {
        Err(Error::invalid("name", "text form is not readable yet"))
    }
}

impl<'a> Attribute<'a> {
    /// The value as text, with undecodable parts replaced; other types in RFC 4514's `#hex` form.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.value)
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

fn check_structure(der: &[u8]) -> Result<(), Error> {
    let mut outer = Reader::new(der).tolerant();
    let mut sets = outer.sequence()?;
    outer.finish()?;
    let mut rdn = 0;
    while !sets.is_empty() {
        let mut set = sets.set()?;
        while !set.is_empty() {
            read_attribute(&mut set, rdn)?;
        }
        rdn += 1;
    }
    Ok(())
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

    pub fn build(self) -> Name {
        let der = der::sequence(|w| {
            for rdn in self.rdns {
                w.set_of(rdn);
            }
        });
        Name { der: der.into() }
    }
}

fn attribute(oid: Oid, value: &str, _kind: StringKind) -> Result<Vec<u8>, Error> {
    Ok(der::sequence(|w| {
        w.oid(&oid).utf8_string(value);
    }))
}
