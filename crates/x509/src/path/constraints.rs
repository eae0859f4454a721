//! Name constraints of every kind (RFC 5280 §4.2.1.10, §6.1.3 (b) and (c), §6.1.4 (g)).
//!
//! Each authority's constraints are a layer. A name must lie inside one permitted subtree of its kind in
//! every layer that has any (the intersection) and inside no excluded subtree of any layer (the union).

use std::net::IpAddr;

use super::{
    build::Meter,
    error::{Fault, PathRule},
    names::{is_host, text_of},
    node::Node,
};
use crate::{
    GeneralName, Name, Oid,
    ext::{Constraint, IpRange, NameConstraints},
    oids,
};

const CLAUSE: &str = "RFC 5280 §4.2.1.10, §6.1.3 (b), (c)";

/// The constraints in force at some place on a path.
pub(super) struct Layers<'a> {
    layers: Vec<&'a NameConstraints>,
    /// Reads `.example.com` as "below example.com" in a dNSName constraint, as many authorities mean it.
    forgives_leading_dot: bool,
}

/// A name to be judged.
enum Presented<'a> {
    Dns(&'a str),
    Email(&'a str),
    Uri(&'a str),
    Ip(IpAddr),
    Directory(&'a Name),
    Other(&'a Oid, &'a [u8]),
    /// Kinds whose constraints nobody defines.
    Opaque(&'static str),
}

/// How a name lies to a subtree. The two differ for wildcards, which stand for many names: all of them
/// must be permitted, and none excluded.
struct Position {
    inside: bool,
    touching: bool,
}

impl<'a> Layers<'a> {
    pub(super) fn new(forgives_leading_dot: bool) -> Self {
        Self {
            layers: Vec::new(),
            forgives_leading_dot,
        }
    }

    /// RFC 5280 §6.1.4 (g).
    pub(super) fn push(&mut self, constraints: &'a NameConstraints) {
        self.layers.push(constraints);
    }

    /// RFC 5280 §6.1.3 (b) and (c).
    pub(super) fn check(&self, node: &Node, meter: &mut Meter) -> Result<(), Fault> {
        if self.layers.is_empty() {
            return Ok(());
        }
        let subject = node.certificate.subject();
        if !subject.is_empty() {
            self.judge(&Presented::Directory(subject), meter)?;
        }
        for attribute in subject
            .attributes()
            .filter(|a| a.oid == oids::EMAIL_ADDRESS)
        {
            self.judge(&Presented::Email(&attribute.text()), meter)?;
        }
        for name in node.facts()?.alt_names.iter().flatten() {
            self.judge(&Presented::from(name), meter)?;
        }
        Ok(())
    }

    fn judge(&self, name: &Presented<'_>, meter: &mut Meter) -> Result<(), Fault> {
        for layer in &self.layers {
            let mut is_limited = false;
            let mut is_permitted = false;
            for subtree in &layer.permitted {
                meter.compare_names(name.cost())?;
                if let Some(position) = self.position(name, &subtree.base)? {
                    is_limited = true;
                    is_permitted |= position.inside;
                }
            }
            if is_limited && !is_permitted {
                return Err(refused(
                    name,
                    "lies outside what is permitted to its issuer",
                ));
            }
            for subtree in &layer.excluded {
                meter.compare_names(name.cost())?;
                if self
                    .position(name, &subtree.base)?
                    .is_some_and(|p| p.touching)
                {
                    return Err(refused(name, "is excluded for its issuer"));
                }
            }
        }
        Ok(())
    }

    /// `None` if the subtree is of another kind than the name.
    fn position(&self, name: &Presented<'_>, base: &Constraint) -> Result<Option<Position>, Fault> {
        let position = match (name, base) {
            (Presented::Dns(n), Constraint::Dns(c)) => self.dns(n, c)?,
            (Presented::Email(n), Constraint::Email(c)) => exactly(email(n, c)?),
            (Presented::Uri(n), Constraint::Uri(c)) => exactly(uri(n, c)?),
            (Presented::Ip(n), Constraint::Ip(c)) => match ip(*n, c)? {
                Some(inside) => exactly(inside),
                None => return Ok(None),
            },
            (Presented::Directory(n), Constraint::DirName(c)) => exactly(n.is_within(c)),
            (Presented::Other(kind, value), Constraint::Email(c)) => {
                // RFC 9598 §6: mailboxes with international local parts obey rfc822Name constraints.
                match text_of(kind, &oids::ON_SMTP_UTF8_MAILBOX, value) {
                    Some(mailbox) => exactly(email(mailbox, c)?),
                    None => return Ok(None),
                }
            }
            (Presented::Other(kind, value), Constraint::Other { type_id, value_der }) => {
                if *kind != type_id {
                    return Ok(None);
                }
                exactly(other(kind, value, value_der)?)
            }
            (Presented::Opaque("registeredID"), Constraint::RegisteredId(_))
            | (Presented::Opaque("x400Address"), Constraint::X400(_))
            | (Presented::Opaque("ediPartyName"), Constraint::Ediparty(_)) => {
                return Err(refused(
                    name,
                    "is constrained in a way that cannot be evaluated",
                ));
            }
            _ => return Ok(None),
        };
        Ok(Some(position))
    }

    fn dns(&self, name: &str, constraint: &str) -> Result<Position, Fault> {
        let dotted = constraint
            .strip_prefix('.')
            .filter(|_| self.forgives_leading_dot);
        let base = dotted.unwrap_or(constraint);
        if !base.is_empty() && !is_host(base) {
            return Err(malformed("dNSName constraint", constraint));
        }
        let wildcard = name.strip_prefix("*.");
        let plain = wildcard.unwrap_or(name);
        if !is_host(plain) {
            return Err(malformed("dNSName", name));
        }
        let is_base = plain.eq_ignore_ascii_case(base) && wildcard.is_none() && dotted.is_some();
        let inside = is_at_or_below(plain, base) && !is_base;
        let names_base = wildcard.is_some_and(|parent| {
            let above_base = base.split_once('.').map(|(_, above)| above);
            above_base.is_some_and(|above| above.eq_ignore_ascii_case(parent))
        });
        Ok(Position {
            inside,
            touching: inside || names_base,
        })
    }
}

impl<'a> From<&'a GeneralName> for Presented<'a> {
    fn from(name: &'a GeneralName) -> Self {
        match name {
            GeneralName::Dns(n) => Self::Dns(n),
            GeneralName::Email(n) => Self::Email(n),
            GeneralName::Uri(n) => Self::Uri(n),
            GeneralName::Ip(n) => Self::Ip(*n),
            GeneralName::DirName(n) => Self::Directory(n),
            GeneralName::Other { type_id, value_der } => Self::Other(type_id, value_der),
            other => Self::Opaque(other.kind()),
        }
    }
}

impl Presented<'_> {
    /// Distinguished names are normalised for each comparison.
    fn cost(&self) -> u32 {
        match self {
            Self::Directory(_) => 16,
            _ => 1,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Dns(n) | Self::Email(n) | Self::Uri(n) => (*n).to_owned(),
            Self::Ip(n) => n.to_string(),
            Self::Directory(n) => n.to_string(),
            Self::Other(kind, _) => format!("otherName {kind}"),
            Self::Opaque(kind) => (*kind).to_owned(),
        }
    }
}

fn exactly(inside: bool) -> Position {
    Position {
        inside,
        touching: inside,
    }
}

fn refused(name: &Presented<'_>, why: &str) -> Fault {
    Fault::new(
        PathRule::NameConstraints,
        CLAUSE,
        format!("the name {} {why}", name.text()),
    )
}

fn malformed(what: &str, text: &str) -> Fault {
    Fault::new(
        PathRule::NameConstraints,
        CLAUSE,
        format!("malformed {what} {text:?}"),
    )
}

/// `example.com` holds itself and everything below it; the empty name holds everything.
fn is_at_or_below(name: &str, base: &str) -> bool {
    let Some(split) = name.len().checked_sub(base.len()) else {
        return false;
    };
    let (front, back) = (name.get(..split), name.get(split..));
    back.is_some_and(|b| b.eq_ignore_ascii_case(base))
        && front.is_some_and(|f| f.is_empty() || f.ends_with('.') || base.is_empty())
}

fn is_below(host: &str, domain: &str) -> bool {
    host.len() > domain.len() && is_at_or_below(host, domain)
}

/// A mailbox, a host, or with a leading dot the hosts below a domain.
fn email(name: &str, constraint: &str) -> Result<bool, Fault> {
    let (local, host) = name
        .rsplit_once('@')
        .filter(|(local, host)| is_local_part(local) && is_host(host))
        .ok_or_else(|| malformed("rfc822Name", name))?;
    if let Some((wanted, wanted_host)) = constraint.rsplit_once('@') {
        if !is_local_part(wanted) || !is_host(wanted_host) {
            return Err(malformed("rfc822Name constraint", constraint));
        }
        return Ok(local == wanted && host.eq_ignore_ascii_case(wanted_host));
    }
    host_matches(host, constraint).ok_or_else(|| malformed("rfc822Name constraint", constraint))
}

/// Dot-string or quoted string (RFC 5321 §4.1.2); an `@` stands only within quotes.
fn is_local_part(local: &str) -> bool {
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    quoted || (!local.is_empty() && !local.contains(['@', '"', ' ']))
}

/// `None` if the constraint is malformed.
fn host_matches(host: &str, constraint: &str) -> Option<bool> {
    let domain = constraint.strip_prefix('.');
    match domain {
        _ if constraint.is_empty() => Some(true),
        Some(domain) => is_host(domain).then(|| is_below(host, domain)),
        None => is_host(constraint).then(|| host.eq_ignore_ascii_case(constraint)),
    }
}

/// A URI that a constraint of its kind meets must name a host (RFC 5280 §4.2.1.10).
fn uri(name: &str, constraint: &str) -> Result<bool, Fault> {
    let host = uri_host(name).filter(|h| is_host(h));
    let host = host.ok_or_else(|| malformed("URI under a constraint (no host name)", name))?;
    host_matches(host, constraint).ok_or_else(|| malformed("URI constraint", constraint))
}

fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host_port = authority.rsplit('@').next()?;
    match host_port.starts_with('[') {
        true => None,
        false => host_port.split(':').next(),
    }
}

/// `None` if the versions of IP differ.
fn ip(name: IpAddr, range: &IpRange) -> Result<Option<bool>, Fault> {
    let octets = match name {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    };
    if !matches!(range.mask.len(), 4 | 16) || !is_prefix(&range.mask) {
        return Err(malformed(
            "iPAddress constraint, mask",
            &hex::encode(&range.mask),
        ));
    }
    if octets.len() != range.address.len() || octets.len() != range.mask.len() {
        return Ok(None);
    }
    let masked = octets.iter().zip(&range.address).zip(&range.mask);
    Ok(Some(
        masked
            .into_iter()
            .all(|((a, b), mask)| a & mask == b & mask),
    ))
}

fn is_prefix(mask: &[u8]) -> bool {
    let bits = mask
        .iter()
        .flat_map(|b| (0..8).rev().map(move |i| b >> i & 1));
    bits.is_sorted_by(|a, b| a >= b)
}

/// User principal names are constrained as mailboxes are, which is what Windows does; no other type of
/// otherName has constraints that anybody defined.
fn other(kind: &Oid, name: &[u8], constraint: &[u8]) -> Result<bool, Fault> {
    let upn = |der| text_of(kind, &oids::ON_UPN, der);
    match (upn(name), upn(constraint)) {
        (Some(name), Some(constraint)) => email(name, constraint.trim_start_matches('@')),
        _ => Err(refused(
            &Presented::Other(kind, name),
            "is constrained in a way that cannot be evaluated",
        )),
    }
}
