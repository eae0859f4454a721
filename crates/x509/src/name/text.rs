//! The text form of names (RFC 4514): written exactly, read with the usual keywords.

use std::{fmt, str::FromStr};

use super::{Attribute, Name, NameBuilder, StringKind};
use crate::{
    Error, Oid, der,
    oid::{self},
    oids,
};

/// RFC 4514 §3's keywords, then the ones that administrators and OpenSSL use. The first entry of an
/// identifier is the one written.
const KEYWORDS: &[(&str, Oid)] = &[
    ("CN", oids::COMMON_NAME),
    ("L", oids::LOCALITY),
    ("ST", oids::STATE),
    ("O", oids::ORGANIZATION),
    ("OU", oids::ORGANIZATIONAL_UNIT),
    ("C", oids::COUNTRY),
    ("STREET", oids::STREET),
    ("DC", oids::DOMAIN_COMPONENT),
    ("UID", oids::USER_ID),
    ("serialNumber", oids::SERIAL_NUMBER),
    ("emailAddress", oids::EMAIL_ADDRESS),
    ("SN", oids::SURNAME),
    ("GN", oids::GIVEN_NAME),
    ("title", oids::TITLE),
    ("initials", oids::INITIALS),
    ("pseudonym", oids::PSEUDONYM),
    ("dnQualifier", oids::DN_QUALIFIER),
    ("generationQualifier", oids::GENERATION_QUALIFIER),
    ("postalCode", oids::POSTAL_CODE),
    ("businessCategory", oids::BUSINESS_CATEGORY),
    ("organizationIdentifier", oids::ORGANIZATION_IDENTIFIER),
    ("S", oids::STATE),
    ("E", oids::EMAIL_ADDRESS),
    ("EMAIL", oids::EMAIL_ADDRESS),
    ("G", oids::GIVEN_NAME),
    ("T", oids::TITLE),
];

impl fmt::Display for Name {
    /// RFC 4514 §2.1: most specific relative distinguished name first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rdns: Vec<Vec<Attribute<'_>>> = Vec::new();
        for a in self.attributes() {
            match rdns.last_mut() {
                Some(rdn) if rdn.first().is_some_and(|b| b.rdn == a.rdn) => rdn.push(a),
                _ => rdns.push(vec![a]),
            }
        }
        for (i, rdn) in rdns.iter().rev().enumerate() {
            for (j, a) in rdn.iter().enumerate() {
                f.write_str(match (i, j) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                })?;
                write_attribute(f, a)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

fn write_attribute(f: &mut fmt::Formatter<'_>, a: &Attribute<'_>) -> fmt::Result {
    let keyword = KEYWORDS.iter().find(|(_, o)| *o == a.oid);
    match (keyword, a.string()) {
        (Some((k, _)), Some(text)) => write!(f, "{k}={}", escape(&text)),
        (Some((k, _)), None) => write!(f, "{k}={}", hex_form(a)),
        (None, _) => write!(f, "{}={}", a.oid, hex_form(a)),
    }
}

/// RFC 4514 §2.4: `#` and the hexadecimal of the value's whole encoding.
pub(super) fn hex_form(a: &Attribute<'_>) -> String {
    format!("#{}", hex::encode(der::encode(a.tag, a.value)))
}

/// RFC 4514 §2.4, with control characters in hexadecimal so that a name cannot forge a log line.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let last = text.chars().count().saturating_sub(1);
    for (i, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            ' ' | '#' if i == 0 => out.extend(['\\', c]),
            ' ' if i == last => out.push_str("\\ "),
            c if c.is_control() => {
                for b in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&format!("\\{b:02X}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

impl FromStr for Name {
    type Err = Error;

    /// RFC 4514 §3: most specific first, as `Display` writes it. Values get the string types of
    /// [`StringKind::Auto`].
    fn from_str(s: &str) -> Result<Self, Error> {
        if s.trim().is_empty() {
            return Ok(Name::empty());
        }
        let mut rdns = Vec::new();
        for rdn in split_unescaped(s, &[',', ';']) {
            let attributes = split_unescaped(rdn, &['+'])
                .into_iter()
                .map(parse_attribute);
            rdns.push(attributes.collect::<Result<Vec<_>, Error>>()?);
        }
        rdns.reverse();
        let mut builder = NameBuilder::default();
        for rdn in rdns {
            for (i, (oid, value)) in rdn.into_iter().enumerate() {
                builder = match (i, value) {
                    (0, Value::Text(t)) => builder.push(oid, &t, StringKind::Auto)?,
                    (_, Value::Text(t)) => builder.push_joined(oid, &t, StringKind::Auto)?,
                    (i, Value::Der(d)) => builder.push_encoded(oid, &d, i > 0)?,
                };
            }
        }
        Ok(builder.build())
    }
}

enum Value {
    Text(String),
    Der(Vec<u8>),
}

fn split_unescaped<'a>(s: &'a str, separators: &[char]) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped, mut quoted) = (0, false, false);
    for (i, c) in s.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && separators.contains(&c) => {
                parts.push(s.get(start..i).unwrap_or_default());
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(s.get(start..).unwrap_or_default());
    parts
}

fn parse_attribute(s: &str) -> Result<(Oid, Value), Error> {
    let (keyword, value) = s
        .split_once('=')
        .ok_or(Error::invalid("name", "each part must read TYPE=value"))?;
    let oid = attribute_type(keyword.trim())?;
    let value = value.trim_start();
    if let Some(digits) = value.strip_prefix('#') {
        let der = hex::decode(digits.trim_end())
            .map_err(|_| Error::invalid("name", "a value after # must be hexadecimal"))?;
        return Ok((oid, Value::Der(der)));
    }
    Ok((oid, Value::Text(unescape(value)?)))
}

fn attribute_type(keyword: &str) -> Result<Oid, Error> {
    let known = KEYWORDS
        .iter()
        .find(|(k, _)| k.eq_ignore_ascii_case(keyword));
    let found = known
        .map(|(_, o)| *o)
        .or_else(|| oid::by_name(keyword))
        .or_else(|| keyword.parse().ok());
    found.ok_or(Error::invalid("name", "unknown attribute type"))
}

fn unescape(value: &str) -> Result<String, Error> {
    const BAD: Error = Error::Invalid {
        what: "name",
        why: "a backslash must be followed by a special character or two hexadecimal digits",
    };
    let value = trim_end_unescaped(value);
    let unquoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = unquoted.unwrap_or(value).bytes();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match bytes.next().ok_or(BAD)? {
            high if high.is_ascii_hexdigit() => {
                let low = bytes.next().ok_or(BAD)?;
                let mut octet = [0];
                hex::decode_to_slice([high, low], &mut octet).map_err(|_| BAD)?;
                out.extend(octet);
            }
            c => out.push(c),
        }
    }
    String::from_utf8(out).map_err(|_| Error::invalid("name", "values must be UTF-8"))
}

/// Trailing spaces do not count unless the last one is escaped.
fn trim_end_unescaped(value: &str) -> &str {
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|b| *b == b'\\').count();
    match backslashes % 2 == 1 && trimmed.len() < value.len() {
        true => value.get(..trimmed.len() + 1).unwrap_or(trimmed),
        false => trimmed,
    }
}
