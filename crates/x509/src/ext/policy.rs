//! Certificate policies and what may be done with them (RFC 5280 §4.2.1.4, 5, 11, 14).

use super::{ExtensionValue, saturating_u32, whole, whole_list, whole_sequence};
use crate::{
    Error, Oid, der,
    der::{Reader, Tag, Writer},
    general_name::primitive,
    name, oids,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyQualifier {
    Cps(String),
    /// explicitText, if present; noticeRef is dropped when parsed.
    UserNotice(Option<String>),
    Other {
        oid: Oid,
        value_der: Vec<u8>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyInformation {
    pub policy: Oid,
    pub qualifiers: Vec<PolicyQualifier>,
}

impl From<Oid> for PolicyInformation {
    fn from(policy: Oid) -> Self {
        Self {
            policy,
            qualifiers: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CertificatePolicies(pub Vec<PolicyInformation>);

impl ExtensionValue for CertificatePolicies {
    const OID: Oid = oids::CERTIFICATE_POLICIES;
    const CRITICAL: bool = false;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_list(value, read_policy).map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| self.0.iter().for_each(|p| write_policy(w, p)))
    }
}

fn read_policy(r: &mut Reader<'_>) -> Result<PolicyInformation, Error> {
    let mut inner = r.sequence()?;
    let policy = inner.oid()?;
    let mut qualifiers = Vec::new();
    if let Some(mut list) = inner.optional_nested(Tag::SEQUENCE)? {
        while !list.is_empty() {
            qualifiers.push(read_qualifier(list.sequence()?)?);
        }
    }
    inner.finish()?;
    Ok(PolicyInformation { policy, qualifiers })
}

fn read_qualifier(mut r: Reader<'_>) -> Result<PolicyQualifier, Error> {
    let oid = r.oid()?;
    let value = r.element()?;
    r.finish()?;
    Ok(match (oid, value.tag) {
        (oids::QT_CPS, Tag::IA5_STRING) => PolicyQualifier::Cps(
            name::decode_string(value.tag, value.value)
                .ok_or(der::Error::String)?
                .into_owned(),
        ),
        (oids::QT_UNOTICE, Tag::SEQUENCE) => {
            let mut notice = r.descend(value.value)?;
            notice.optional(Tag::SEQUENCE)?;
            let text = match notice.is_empty() {
                true => None,
                false => Some(notice.element()?),
            };
            notice.finish()?;
            let decoded = text.and_then(|t| name::decode_string(t.tag, t.value));
            PolicyQualifier::UserNotice(decoded.map(|t| t.into_owned()))
        }
        _ => PolicyQualifier::Other {
            oid,
            value_der: value.raw.to_vec(),
        },
    })
}

fn write_policy(w: &mut Writer, p: &PolicyInformation) {
    w.sequence(|w| {
        w.oid(&p.policy);
        if !p.qualifiers.is_empty() {
            w.sequence(|w| p.qualifiers.iter().for_each(|q| write_qualifier(w, q)));
        }
    });
}

fn write_qualifier(w: &mut Writer, q: &PolicyQualifier) {
    w.sequence(|w| match q {
        PolicyQualifier::Cps(uri) => {
            w.oid(&oids::QT_CPS).ia5_string(uri);
        }
        PolicyQualifier::UserNotice(text) => {
            w.oid(&oids::QT_UNOTICE).sequence(|w| {
                if let Some(t) = text {
                    w.utf8_string(t);
                }
            });
        }
        PolicyQualifier::Other { oid, value_der } => {
            w.oid(oid).raw(value_der);
        }
    });
}

/// Pairs of issuerDomainPolicy and subjectDomainPolicy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyMappings(pub Vec<(Oid, Oid)>);

impl ExtensionValue for PolicyMappings {
    const OID: Oid = oids::POLICY_MAPPINGS;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        let pairs = whole_list(value, |r| {
            let mut pair = r.sequence()?;
            let mapping = (pair.oid()?, pair.oid()?);
            pair.finish()?;
            Ok(mapping)
        });
        pairs.map(Self)
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            for (issuer, subject) in &self.0 {
                w.sequence(|w| {
                    w.oid(issuer).oid(subject);
                });
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyConstraints {
    pub require_explicit: Option<u32>,
    pub inhibit_mapping: Option<u32>,
}

impl ExtensionValue for PolicyConstraints {
    const OID: Oid = oids::POLICY_CONSTRAINTS;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole_sequence(value, |r| {
            let mut skip_certs = |n| -> Result<Option<u32>, Error> {
                let e = r.optional(Tag::context(n))?;
                e.map(|e| saturating_u32(e.value)).transpose()
            };
            Ok(Self {
                require_explicit: skip_certs(0)?,
                inhibit_mapping: skip_certs(1)?,
            })
        })
    }

    fn encode_value(&self) -> Vec<u8> {
        der::sequence(|w| {
            for (tag, value) in [(0, self.require_explicit), (1, self.inhibit_mapping)] {
                if let Some(n) = value {
                    primitive(w, tag, &der::unsigned_content(&n.to_be_bytes()));
                }
            }
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InhibitAnyPolicy(pub u32);

impl ExtensionValue for InhibitAnyPolicy {
    const OID: Oid = oids::INHIBIT_ANY_POLICY;
    const CRITICAL: bool = true;

    fn parse(value: &[u8]) -> Result<Self, Error> {
        whole(value, |r| Ok(Self(saturating_u32(r.integer_lenient()?)?)))
    }

    fn encode_value(&self) -> Vec<u8> {
        let content = der::unsigned_content(&self.0.to_be_bytes());
        der::encode(Tag::INTEGER, &content)
    }
}
