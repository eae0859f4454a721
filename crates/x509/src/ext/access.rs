//! Where to find things: issuers, responders and CRLs (RFC 5280 §4.2.1.13, §4.2.1.15, §4.2.2, §5.2.5).

use super::{
    ExtensionValue,
    basic::{named_bits, write_names},
    whole_list, whole_sequence,
};
use crate::{
    Error, GeneralName, Oid, der,
    der::{Reader, Tag, Writer},
    general_name::primitive,
    oids,
};

/// An extension that is a list and nothing else; none of them is critical.
macro_rules! list_extension {
    ($name:ident of $item:ident, $oid:expr) => {
        impl ExtensionValue for $name {
            const OID: Oid = $oid;
            const CRITICAL: bool = false;

            fn parse(value: &[u8]) -> Result<Self, Error> {
                whole_list(value, $item::read).map(Self)
            }

            fn encode_value(&self) -> Vec<u8> {
                $item::encode_list(&self.0)
            }
        }
    };
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDescription {
    pub method: Oid,
    pub location: GeneralName,
}

impl AccessDescription {
    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut inner = r.sequence()?;
        let method = inner.oid()?;
        let location = GeneralName::read(&mut inner)?;
        inner.finish()?;
        Ok(Self { method, location })
    }

    fn encode_list(list: &[Self]) -> Vec<u8> {
        der::sequence(|w| {
            for d in list {
                w.sequence(|w| {
                    w.oid(&d.method);
                    d.location.write(w);
                });
            }
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorityInfoAccess(pub Vec<AccessDescription>);

impl AuthorityInfoAccess {
    /// URIs under one access method, such as `oids::AD_OCSP`.
    pub fn uris(&self, method: Oid) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |d| match &d.location {
            GeneralName::Uri(u) if d.method == method => Some(u.as_str()),
            _ => None,
        })
    }
}

list_extension!(AuthorityInfoAccess of AccessDescription, oids::AUTHORITY_INFO_ACCESS);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectInfoAccess(pub Vec<AccessDescription>);

list_extension!(SubjectInfoAccess of AccessDescription, oids::SUBJECT_INFO_ACCESS);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistributionPointName {
    Full(Vec<GeneralName>),
    /// Complete AttributeTypeAndValue elements to append to the CRL issuer's name.
    RelativeToIssuer(Vec<Vec<u8>>),
}

impl DistributionPointName {
    /// The content of the explicit `[0]`, which holds a CHOICE.
    fn read(mut r: Reader<'_>) -> Result<Self, Error> {
        let e = r.element()?;
        r.finish()?;
        let mut inner = r.descend(e.value)?;
        match e.tag {
            Tag(0xa0) => GeneralName::read_all(inner).map(Self::Full),
            Tag(0xa1) => {
                let mut attributes = Vec::new();
                while !inner.is_empty() {
                    attributes.push(inner.expect(Tag::SEQUENCE)?.raw.to_vec());
                }
                Ok(Self::RelativeToIssuer(attributes))
            }
            _ => Err(Error::invalid("DistributionPointName", "unknown kind")),
        }
    }

    fn write(&self, w: &mut Writer) {
        w.nested(Tag::context_constructed(0), |w| match self {
            Self::Full(names) => {
                w.nested(Tag::context_constructed(0), |w| write_names(w, names));
            }
            Self::RelativeToIssuer(attributes) => {
                w.nested(Tag::context_constructed(1), |w| {
                    for a in attributes {
                        w.raw(a);
                    }
                });
            }
        });
    }
}

/// ReasonFlags: bit `n` of the inner number is ASN.1 bit `n` (RFC 5280 §4.2.1.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ReasonFlags(pub u16);

impl ReasonFlags {
    pub const UNUSED: ReasonFlags = ReasonFlags(1 << 0);
    pub const KEY_COMPROMISE: ReasonFlags = ReasonFlags(1 << 1);
    pub const CA_COMPROMISE: ReasonFlags = ReasonFlags(1 << 2);
    pub const AFFILIATION_CHANGED: ReasonFlags = ReasonFlags(1 << 3);
    pub const SUPERSEDED: ReasonFlags = ReasonFlags(1 << 4);
    pub const CESSATION_OF_OPERATION: ReasonFlags = ReasonFlags(1 << 5);
    pub const CERTIFICATE_HOLD: ReasonFlags = ReasonFlags(1 << 6);
    pub const PRIVILEGE_WITHDRAWN: ReasonFlags = ReasonFlags(1 << 7);
    pub const AA_COMPROMISE: ReasonFlags = ReasonFlags(1 << 8);
    /// Every reason a certificate can be revoked for.
    pub const ALL: ReasonFlags = ReasonFlags(0x1fe);

    pub const fn contains(self, other: ReasonFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistributionPoint {
    pub name: Option<DistributionPointName>,
    pub reasons: Option<ReasonFlags>,
    /// Empty when absent: the certificate's issuer also issues the CRL.
    pub crl_issuer: Vec<GeneralName>,
}

impl DistributionPoint {
    pub fn uri(uri: &str) -> Self {
        let name = DistributionPointName::Full(vec![GeneralName::Uri(uri.to_owned())]);
        Self {
            name: Some(name),
            ..Self::default()
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Error> {
        let mut inner = r.sequence()?;
        let name = read_name(&mut inner)?;
        let reasons = read_flags(&mut inner, 1)?;
        let crl_issuer = match inner.optional_nested(Tag::context_constructed(2))? {
            Some(names) => GeneralName::read_all(names)?,
            None => Vec::new(),
        };
        inner.finish()?;
        Ok(Self {
            name,
            reasons,
            crl_issuer,
        })
    }

    fn encode_list(list: &[Self]) -> Vec<u8> {
        der::sequence(|w| {
            for point in list {
                w.sequence(|w| {
                    if let Some(name) = &point.name {
                        name.write(w);
                    }
                    write_flags(w, 1, point.reasons);
                    if !point.crl_issuer.is_empty() {
                        w.nested(Tag::context_constructed(2), |w| {
                            write_names(w, &point.crl_issuer);
                        });
                    }
                });
            }
        })
    }
}

fn read_name(r: &mut Reader<'_>) -> Result<Option<DistributionPointName>, Error> {
    let inner = r.optional_nested(Tag::context_constructed(0))?;
    inner.map(DistributionPointName::read).transpose()
}

fn read_flags(r: &mut Reader<'_>, n: u8) -> Result<Option<ReasonFlags>, Error> {
    let e = r.optional(Tag::context(n))?;
    e.map(|e| named_bits(e.value).map(ReasonFlags)).transpose()
}

fn write_flags(w: &mut Writer, n: u8, flags: Option<ReasonFlags>) {
    if let Some(ReasonFlags(bits)) = flags {
        primitive(w, n, &der::named_bits_content(bits));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrlDistributionPoints(pub Vec<DistributionPoint>);

impl CrlDistributionPoints {
    /// Every URI of every point.
    pub fn uris(&self) -> impl Iterator<Item = &str> {
        let full = self.0.iter().filter_map(|p| match &p.name {
            Some(DistributionPointName::Full(names)) => Some(names),
            _ => None,
        });
        full.flatten().filter_map(|n| match n {
            GeneralName::Uri(u) => Some(u.as_str()),
            _ => None,
        })
    }
}

list_extension!(CrlDistributionPoints of DistributionPoint, oids::CRL_DISTRIBUTION_POINTS);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FreshestCrl(pub Vec<DistributionPoint>);

list_extension!(FreshestCrl of DistributionPoint, oids::FRESHEST_CRL);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuingDistributionPoint {
    pub name: Option<DistributionPointName>,
    pub only_user_certs: bool,
    pub only_ca_certs: bool,
    pub only_some_reasons: Option<ReasonFlags>,
    pub indirect_crl: bool,
    pub only_attribute_certs: bool,
}

impl ExtensionValue for IssuingDistributionPoint {
    const OID: Oid = oids::ISSUING_DISTRIBUTION_POINT;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_sequence(value, |r| {
            Ok(Self {
                name: read_name(r)?,
                only_user_certs: read_flag(r, 1)?,
                only_ca_certs: read_flag(r, 2)?,
                only_some_reasons: read_flags(r, 3)?,
                indirect_crl: read_flag(r, 4)?,
                only_attribute_certs: read_flag(r, 5)?,
            })
        })
    }

    fn encode_value(&self) -> Vec<u8> {
        let flag = |w: &mut Writer, n, set| {
            if set {
                primitive(w, n, &[0xff]);
            }
        };
        der::sequence(|w| {
            if let Some(name) = &self.name {
                name.write(w);
            }
            flag(w, 1, self.only_user_certs);
            flag(w, 2, self.only_ca_certs);
            write_flags(w, 3, self.only_some_reasons);
            flag(w, 4, self.indirect_crl);
            flag(w, 5, self.only_attribute_certs);
        })
    }
}

fn read_flag(r: &mut Reader<'_>, n: u8) -> Result<bool, Error> {
    match r.optional(Tag::context(n))? {
        Some(e) => Ok(der::parse_boolean(e.value)?),
        None => Ok(false),
    }
}
