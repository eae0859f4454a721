//! Whether a certificate presents the name that the relying party means (RFC 9525 §6).

use std::net::IpAddr;

use serde::Serialize;

use super::{
    error::{Fault, PathRule},
    node::Facts,
};
use crate::{GeneralName, Oid, der::Reader, oids};

/// A name that the target must present. Common names are never looked at (RFC 9525 §2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceName {
    /// A host in A-label form, with or without final dot.
    Dns(String),
    Ip(IpAddr),
    /// The local part counts with its case, the domain without.
    Email(String),
    /// Octet for octet, as UDAP demands.
    Uri(String),
    /// Microsoft user principal name.
    Upn(String),
    /// `_service.domain` (RFC 4985).
    Srv(String),
}

impl std::fmt::Display for ReferenceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dns(s) | Self::Email(s) | Self::Uri(s) | Self::Upn(s) | Self::Srv(s) => {
                f.write_str(s)
            }
            Self::Ip(a) => a.fmt(f),
        }
    }
}

impl ReferenceName {
    /// Whether a certificate that presents this name is meant by it.
    pub fn is_presented_by(&self, presented: &GeneralName) -> bool {
        matches(presented, self)
    }
}

pub(super) fn check(facts: &Facts, wanted: &[ReferenceName]) -> Result<(), Fault> {
    let presented = facts.alt_names.as_deref().unwrap_or_default();
    match wanted
        .iter()
        .find(|w| !presented.iter().any(|p| matches(p, w)))
    {
        None => Ok(()),
        Some(missing) => Err(Fault::new(
            PathRule::NameMismatch,
            "RFC 9525 §6",
            format!("the certificate does not present {missing}"),
        )),
    }
}

fn matches(presented: &GeneralName, wanted: &ReferenceName) -> bool {
    match (presented, wanted) {
        (GeneralName::Dns(p), ReferenceName::Dns(w)) => dns_matches(p, w),
        (GeneralName::Ip(p), ReferenceName::Ip(w)) => p == w,
        (GeneralName::Email(p), ReferenceName::Email(w)) => email_matches(p, w),
        (GeneralName::Uri(p), ReferenceName::Uri(w)) => p == w,
        (GeneralName::Other { type_id, value_der }, ReferenceName::Upn(w)) => {
            let upn = text_of(type_id, &oids::ON_UPN, value_der);
            upn.is_some_and(|p| p.to_lowercase() == w.to_lowercase())
        }
        (GeneralName::Other { type_id, value_der }, ReferenceName::Srv(w)) => {
            let srv = text_of(type_id, &oids::ON_DNS_SRV, value_der);
            srv.is_some_and(|p| p.eq_ignore_ascii_case(w))
        }
        (GeneralName::Other { type_id, value_der }, ReferenceName::Email(w)) => {
            let mailbox = text_of(type_id, &oids::ON_SMTP_UTF8_MAILBOX, value_der);
            mailbox.is_some_and(|p| email_matches(p, w))
        }
        _ => false,
    }
}

/// The string inside an otherName of the wanted type.
pub(super) fn text_of<'a>(type_id: &Oid, wanted: &Oid, value_der: &'a [u8]) -> Option<&'a str> {
    if type_id != wanted {
        return None;
    }
    let element = Reader::new(value_der).element().ok()?;
    std::str::from_utf8(element.value).ok()
}

/// A wildcard is the whole leftmost label and stands for exactly one label (RFC 9525 §6.3).
fn dns_matches(presented: &str, wanted: &str) -> bool {
    let wanted = wanted.strip_suffix('.').unwrap_or(wanted);
    if !is_host(wanted) {
        return false;
    }
    match presented.strip_prefix("*.") {
        None => is_host(presented) && presented.eq_ignore_ascii_case(wanted),
        Some(parent) => {
            let rest = wanted.split_once('.').map(|(_, rest)| rest);
            is_host(parent)
                && parent.contains('.')
                && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
        }
    }
}

/// Preferred name syntax (RFC 1034 §3.5), and not an address in disguise (RFC 5280 §4.2.1.6).
pub(super) fn is_host(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label) && name.parse::<IpAddr>().is_err()
}

fn email_matches(presented: &str, wanted: &str) -> bool {
    match (presented.rsplit_once('@'), wanted.rsplit_once('@')) {
        (Some((l1, d1)), Some((l2, d2))) => l1 == l2 && d1.eq_ignore_ascii_case(d2),
        _ => false,
    }
}
