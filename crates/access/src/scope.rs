//! Scope: the part of the house that a principal may touch. A role says what; a scope says where:
//! which profiles, which authorities, which names; and where things stand: which sites, segments,
//! departments and owners.
//!
//! Names are written `kind:value` (`dns:pacs.example.org`, `ip:10.20.0.9`, `uri:urn:uuid:…`); a
//! value without a kind is a DNS name. Matching never crosses kinds, so a pattern for a DNS zone
//! cannot be satisfied by a URI that merely ends like it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{Action, Refusal};

/// Limits on profiles, authorities, names and places. An empty list does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Globs over profile names: `server-*`.
    pub profiles: Vec<String>,
    /// Globs over authority names.
    pub authorities: Vec<String>,
    /// Patterns, one of which every name must match.
    pub names: Vec<NamePattern>,
    /// Globs over sites.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// Globs over segments of the network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<String>,
    /// Globs over departments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub departments: Vec<String>,
    /// Globs over owners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
}

/// Where something stands and whose it is. What is not known is outside every limit on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The site.
    pub site: Option<&'a str>,
    /// The segment of the network.
    pub segment: Option<&'a str>,
    /// The department.
    pub department: Option<&'a str>,
    /// The owner.
    pub owner: Option<&'a str>,
}

/// How much is known about where an action is aimed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Where<'a> {
    /// Nothing: whoever is limited to a part of the house may not.
    #[default]
    Anywhere,
    /// The act finds out, and holds it against the permit ([`crate::Permit::check_place`], a list's filter).
    Later,
    /// There.
    At(Place<'a>),
}

/// What an action is aimed at, as far as it is known before the request is read in full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The profile to be used.
    pub profile: Option<&'a str>,
    /// The authority to be used or changed.
    pub authority: Option<&'a str>,
    /// Names (`kind:value`); `ca` checks the final names again through [`crate::Permit::check_names`].
    pub names: &'a [String],
    /// Where it is.
    pub place: Where<'a>,
}

impl<'a> Target<'a> {
    /// Something at `place`.
    pub fn at(place: Place<'a>) -> Self {
        Target {
            place: Where::At(place),
            ..Target::default()
        }
    }

    /// Something whose place the act finds out.
    pub fn later() -> Self {
        Target {
            place: Where::Later,
            ..Target::default()
        }
    }
}

impl Scope {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Scope::default()
    }

    /// Whether it is limited to a part of the house.
    pub fn is_placed(&self) -> bool {
        let lists = [&self.sites, &self.segments, &self.departments, &self.owners];
        lists.iter().any(|list| !list.is_empty())
    }

    /// Refuses what `target` says and the scope does not cover.
    pub fn covers(&self, action: Action, target: &Target<'_>) -> Result<(), Refusal> {
        if let Some(profile) = target.profile {
            self.check_profile(profile)?;
        }
        if let Some(authority) = target.authority {
            self.check_authority(authority)?;
        }
        self.check_names(target.names.iter().map(String::as_str))?;
        match target.place {
            Where::At(place) => self.check_place(&place),
            Where::Later => Ok(()),
            Where::Anywhere if !self.is_placed() || action.reads_the_house() => Ok(()),
            Where::Anywhere => Err(Refusal::new(
                "scope.place",
                SOURCE,
                format!(
                    "to {action} concerns the whole house, and the grant is limited to a part of it"
                ),
            )
            .accepted("a grant without sites, segments, departments and owners")),
        }
    }

    /// Refuses a place outside the scope.
    pub fn check_place(&self, place: &Place<'_>) -> Result<(), Refusal> {
        let limits = [
            (&self.sites, place.site, "site", "scope.site"),
            (&self.segments, place.segment, "segment", "scope.segment"),
            (
                &self.departments,
                place.department,
                "department",
                "scope.department",
            ),
            (&self.owners, place.owner, "owner", "scope.owner"),
        ];
        for (globs, value, noun, rule) in limits {
            match value {
                Some(value) => check_globs(globs, value, noun, rule)?,
                None if globs.is_empty() => {}
                None => {
                    let text = format!("it has no {noun}, and the grant is limited to some");
                    return Err(Refusal::new(rule, SOURCE, text).accepted(globs.join(", ")));
                }
            }
        }
        Ok(())
    }

    /// Refuses globs and lists that are no use: a scope is written by people.
    pub fn check(&self) -> Result<(), Refusal> {
        const MOST: usize = 100;
        let lists = [
            &self.profiles,
            &self.authorities,
            &self.sites,
            &self.segments,
            &self.departments,
            &self.owners,
        ];
        let texts = lists.iter().flat_map(|list| list.iter());
        let is_bad = |text: &String| {
            text.is_empty() || text.len() > 200 || text.chars().any(char::is_control)
        };
        let many = self.names.len() > MOST || lists.iter().any(|list| list.len() > MOST);
        match texts.clone().find(|text| is_bad(text)) {
            None if !many => Ok(()),
            _ => Err(Refusal::new(
                "scope.form",
                "access",
                "a limit of the scope is no pattern, or there are too many",
            )
            .accepted(format!(
                "at most {MOST} patterns a list, of 1 to 200 printable characters each"
            ))),
        }
    }

    /// Refuses a profile outside the scope.
    pub fn check_profile(&self, profile: &str) -> Result<(), Refusal> {
        check_globs(&self.profiles, profile, "profile", "scope.profile")
    }

    /// Refuses an authority outside the scope.
    pub fn check_authority(&self, authority: &str) -> Result<(), Refusal> {
        check_globs(&self.authorities, authority, "authority", "scope.authority")
    }

    /// Refuses the first name outside the scope.
    pub fn check_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
        if self.names.is_empty() {
            return Ok(());
        }
        let outside = names
            .into_iter()
            .find(|name| !self.names.iter().any(|pattern| pattern.matches(name)));
        match outside {
            None => Ok(()),
            Some(name) => Err(Refusal::new(
                "scope.name",
                SOURCE,
                format!("the name {name} is outside the scope"),
            )
            .accepted(list(&self.names))),
        }
    }
}

/// Where the rule stands.
const SOURCE: &str = "scope";

fn check_globs(
    globs: &[String],
    value: &str,
    noun: &str,
    rule: &'static str,
) -> Result<(), Refusal> {
    if globs.is_empty() || globs.iter().any(|pattern| glob(pattern, value)) {
        return Ok(());
    }
    Err(Refusal::new(
        rule,
        SOURCE,
        format!("the {noun} {value} is outside the scope"),
    )
    .accepted(globs.join(", ")))
}

fn list(patterns: &[NamePattern]) -> String {
    let texts: Vec<&str> = patterns.iter().map(NamePattern::as_str).collect();
    texts.join(", ")
}

/// A pattern over names, kept as it was written.
///
/// | written | matches |
/// | --- | --- |
/// | `*` | every name of every kind |
/// | `pacs.example.org` | that DNS name |
/// | `*.icu.example.org` | DNS names one label below (and that wildcard itself) |
/// | `.example.org` | DNS names any number of labels below |
/// | `10.20.0.0/16`, `ip:2001:db8::/32` | addresses in the range |
/// | `email:*@example.org`, `uri:urn:uuid:*`, `hw:*`, … | a glob over the values of that kind |
/// | `cn:engine-*`, `dn:serialNumber=*`, `dn:UID=*` | of the subject: a common name that is no other name, … |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamePattern {
    text: String,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Any,
    DnsExact(String),
    DnsOneBelow(String),
    DnsAnyBelow(String),
    Ip { network: IpAddr, prefix: u8 },
    Glob { kind: &'static str, glob: String },
}

/// The kinds of names, as they are written before the colon.
pub const NAME_KINDS: [&str; 10] = [
    "dns",
    "ip",
    "email",
    "uri",
    "upn",
    "hw",
    "sid",
    "workstation",
    "dn",
    "cn",
];

impl NamePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let bad = |why| BadPattern {
            pattern: text.to_owned(),
            why,
        };
        if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err(bad("a pattern has 1 to 255 printable characters"));
        }
        let form = if text == "*" {
            Form::Any
        } else {
            match split_kind(text) {
                Some(("dns", value)) => dns_form(value).map_err(bad)?,
                Some(("ip", value)) => {
                    ip_form(value).ok_or_else(|| bad("not an address or CIDR range"))?
                }
                Some((kind, value)) => Form::Glob {
                    kind,
                    glob: value.to_owned(),
                },
                None => match ip_form(text) {
                    Some(form) => form,
                    None => dns_form(text).map_err(bad)?,
                },
            }
        };
        Ok(NamePattern {
            text: text.to_owned(),
            form,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `name`, written `kind:value`, falls under the pattern.
    pub fn matches(&self, name: &str) -> bool {
        let (kind, value) = split_kind(name).unwrap_or(("dns", name));
        match &self.form {
            Form::Any => true,
            Form::Glob {
                kind: wanted,
                glob: pattern,
            } => kind == *wanted && glob(pattern, value),
            Form::Ip { network, prefix } => {
                kind == "ip"
                    && value
                        .parse()
                        .is_ok_and(|ip| contains(*network, *prefix, ip))
            }
            dns if kind == "dns" => dns_matches(dns, &value.to_ascii_lowercase()),
            _ => false,
        }
    }
}

impl TryFrom<String> for NamePattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        NamePattern::parse(&text)
    }
}

impl From<NamePattern> for String {
    fn from(pattern: NamePattern) -> String {
        pattern.text
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A pattern that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("name pattern `{pattern}`: {why}")]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// Whether `value` matches `pattern`, in which every `*` stands for any run of characters.
/// Linear in the product of the lengths: the last star is remembered, nothing recurses.
pub fn glob(pattern: &str, value: &str) -> bool {
    let (pattern, value) = (pattern.as_bytes(), value.as_bytes());
    let (mut p, mut v) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, v));
            p += 1;
        } else if pattern.get(p) == value.get(v) {
            p += 1;
            v += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            v = from + 1;
        } else {
            return false;
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

fn split_kind(text: &str) -> Option<(&'static str, &str)> {
    let (kind, value) = text.split_once(':')?;
    let kind = NAME_KINDS.into_iter().find(|known| *known == kind)?;
    Some((kind, value))
}

fn dns_form(text: &str) -> Result<Form, &'static str> {
    let lower = text.to_ascii_lowercase();
    if let Some(zone) = lower.strip_prefix("*.") {
        is_dns(zone)?;
        return Ok(Form::DnsOneBelow(zone.to_owned()));
    }
    if let Some(zone) = lower.strip_prefix('.') {
        is_dns(zone)?;
        return Ok(Form::DnsAnyBelow(lower));
    }
    is_dns(&lower)?;
    Ok(Form::DnsExact(lower))
}

fn is_dns(zone: &str) -> Result<(), &'static str> {
    let label_ok = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if zone.split('.').all(label_ok) {
        Ok(())
    } else {
        Err("not a DNS name, `*.zone`, `.zone`, range or `kind:glob`")
    }
}

fn dns_matches(form: &Form, name: &str) -> bool {
    match form {
        Form::DnsExact(exact) => name == exact,
        Form::DnsAnyBelow(zone) => name.len() > zone.len() && name.ends_with(zone.as_str()),
        Form::DnsOneBelow(zone) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == zone),
        _ => false,
    }
}

fn ip_form(text: &str) -> Option<Form> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let network: IpAddr = address.parse().ok()?;
    let bits = if network.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|p| *p <= bits)?,
        None => bits,
    };
    Some(Form::Ip { network, prefix })
}

fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(prefix);
            let head = |ip: std::net::Ipv4Addr| u32::from(ip).checked_shr(shift).unwrap_or(0);
            head(network) == head(address)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(prefix);
            let head = |ip: std::net::Ipv6Addr| u128::from(ip).checked_shr(shift).unwrap_or(0);
            head(network) == head(address)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_kind_and_nothing_else() {
        let table: &[(&str, &str, bool)] = &[
            ("pacs.example.org", "dns:pacs.example.org", true),
            ("pacs.example.org", "dns:PACS.Example.ORG", true),
            ("pacs.example.org", "pacs.example.org", true),
            ("pacs.example.org", "dns:pacs.example.org.evil.net", false),
            ("*.icu.example.org", "dns:pump1.icu.example.org", true),
            ("*.icu.example.org", "dns:*.icu.example.org", true),
            ("*.icu.example.org", "dns:a.b.icu.example.org", false),
            ("*.icu.example.org", "dns:icu.example.org", false),
            ("*.icu.example.org", "dns:.icu.example.org", false),
            ("*.icu.example.org", "uri:https://x.icu.example.org", false),
            (".example.org", "dns:a.b.example.org", true),
            (".example.org", "dns:example.org", false),
            (".example.org", "dns:evilexample.org", false),
            (".example.org", "email:a@b.example.org", false),
            ("10.20.0.0/16", "ip:10.20.255.1", true),
            ("10.20.0.0/16", "ip:10.21.0.1", false),
            ("10.20.0.0/16", "dns:10.20.0.1", false),
            ("0.0.0.0/0", "ip:8.8.8.8", true),
            ("ip:2001:db8::/32", "ip:2001:db8:1::1", true),
            ("ip:2001:db8::/32", "ip:2001:db9::1", false),
            ("email:*@example.org", "email:a@example.org", true),
            ("email:*@example.org", "upn:a@example.org", false),
            ("uri:urn:uuid:*", "uri:urn:uuid:1234", true),
            ("*", "hw:1.2.3/42", true),
        ];
        for (pattern, name, expected) in table {
            let parsed = NamePattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(name), *expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for text in [
            "",
            "*.",
            "..",
            "a b",
            "ip:10.0.0.0/33",
            "*.*.example.org",
            "a\0b",
        ] {
            assert!(NamePattern::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn globs() {
        let table = [
            ("server-*", "server-tls", true),
            ("server-*", "api-tls", false),
            ("*-tls", "server-tls", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, value, expected) in table {
            assert_eq!(glob(pattern, value), expected, "{pattern} on {value}");
        }
    }
}
