//! Issuer, subject and subject alternative names (RFC 5280 §4.1.2.4, §4.1.2.6, §4.2.1.6, appendix A).

use super::{
    Cert, Rule, Scope::*, Verdict, first_repeated, holds, may, must, none_of, should, show_oid,
    since,
};
use crate::{
    Oid,
    der::{Element, Reader, Tag},
    lint::{
        syntax::{
            is_absolute_uri, is_dotted_quad, is_host_name, is_host_name_or_wildcard, is_mailbox,
            is_printable_string, show,
        },
        view::{Attribute, NameView},
    },
    oids,
};

/// The numbers of GeneralName's alternatives.
mod choice {
    pub(super) const OTHER: u8 = 0;
    pub(super) const EMAIL: u8 = 1;
    pub(super) const DNS: u8 = 2;
    pub(super) const DIRECTORY: u8 = 4;
    pub(super) const URI: u8 = 6;
    pub(super) const IP: u8 = 7;
}

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "issuer-not-empty",
        "RFC 5280 §4.1.2.4",
        "the issuer is a non-empty distinguished name",
        |c| holds(!c.issuer.attributes.is_empty()),
    ),
    must(
        Authority,
        "authority-subject-not-empty",
        "RFC 5280 §4.1.2.6",
        "an authority has a non-empty subject",
        |c| holds(!c.subject.attributes.is_empty()),
    ),
    must(
        Certificate,
        "issuer-matches-authority",
        "RFC 5280 §4.1.2.4, §6.1.3 (a)(4)",
        "the issuer field is the authority's subject, octet for octet",
        |c| {
            holds(
                c.context
                    .issuer
                    .is_none_or(|i| i.subject_der == c.issuer.raw),
            )
        },
    ),
    must(
        Certificate,
        "name-no-empty-rdn",
        "X.501 §9.3",
        "every relative distinguished name has an attribute",
        |c| holds(!c.issuer.has_empty_rdn && !c.subject.has_empty_rdn),
    )
    .since(since::ALWAYS),
    must(
        Certificate,
        "name-attribute-type-once",
        "X.501 §9.3; RFC 5280 §4.1.2.4",
        "single-valued attributes (CN, C, serialNumber) occur once in the subject",
        |c| {
            let single = [oids::COMMON_NAME, oids::COUNTRY, oids::SERIAL_NUMBER];
            none_of(
                single
                    .iter()
                    .filter(|o| c.subject.all(o).count() > 1)
                    .map(|o| show_oid(o.as_bytes())),
            )
        },
    ),
    must(
        Certificate,
        "name-value-not-empty",
        "RFC 5280 appendix A.1",
        "attribute values are not empty",
        |c| each_attribute(c, |a| !a.value.is_empty()),
    ),
    must(
        Certificate,
        "name-upper-bounds",
        "RFC 5280 appendix A.1",
        "attribute values keep within their upper bounds (commonName 64, organizationName 64, …)",
        |c| each_attribute(c, within_bound),
    ),
    must(
        Certificate,
        "name-directory-string",
        "RFC 5280 §4.1.2.4",
        "DirectoryString attributes are PrintableString or UTF8String",
        |c| {
            each_attribute(c, |a| {
                !is_directory_string(a.kind)
                    || matches!(a.tag, Tag::PRINTABLE_STRING | Tag::UTF8_STRING)
            })
        },
    ),
    must(
        Certificate,
        "name-printable-only",
        "RFC 5280 appendix A.1",
        "countryName, serialNumber and dnQualifier are PrintableString",
        |c| {
            each_attribute(c, |a| {
                !is_printable_only(a.kind) || a.tag == Tag::PRINTABLE_STRING
            })
        },
    ),
    must(
        Certificate,
        "name-ia5-only",
        "RFC 5280 appendix A.1",
        "emailAddress and domainComponent are IA5String",
        |c| each_attribute(c, |a| !is_ia5_only(a.kind) || a.tag == Tag::IA5_STRING),
    ),
    must(
        Certificate,
        "name-string-alphabet",
        "X.680 §41; RFC 5280 §4.1.2.4",
        "attribute values keep to the alphabet of their string type",
        |c| each_attribute(c, in_alphabet),
    )
    .since(since::ALWAYS),
    must(
        Certificate,
        "name-no-control-characters",
        "RFC 4518 §2.2",
        "attribute values hold no control characters",
        |c| {
            each_attribute(c, |a| {
                a.tag == Tag::BMP_STRING || !a.value.iter().any(u8::is_ascii_control)
            })
        },
    ),
    should(
        Certificate,
        "name-no-outer-spaces",
        "RFC 4518 §2.6.1",
        "attribute values do not begin or end with a space",
        |c| {
            each_attribute(c, |a| {
                a.value.first() != Some(&b' ') && a.value.last() != Some(&b' ')
            })
        },
    ),
    must(
        Certificate,
        "country-two-letters",
        "ISO 3166-1; RFC 5280 appendix A.1",
        "countryName is two capital letters",
        |c| {
            each_attribute(c, |a| {
                a.kind != oids::COUNTRY.as_bytes() || matches!(a.value, [b'A'..=b'Z', b'A'..=b'Z'])
            })
        },
    ),
    must(
        Certificate,
        "san-when-subject-empty",
        "RFC 5280 §4.1.2.6",
        "a certificate with an empty subject has a critical subjectAltName",
        |c| {
            let critical = c
                .ext(&oids::SUBJECT_ALT_NAME)
                .is_some_and(|e| e.is_critical);
            holds(critical || !c.subject.attributes.is_empty())
        },
    ),
    should(
        Certificate,
        "san-not-critical",
        "RFC 5280 §4.2.1.6",
        "subjectAltName is not critical where the subject is not empty",
        |c| {
            let critical = c
                .ext(&oids::SUBJECT_ALT_NAME)
                .is_some_and(|e| e.is_critical);
            holds(!critical || c.subject.attributes.is_empty())
        },
    ),
    must(
        Certificate,
        "san-not-empty",
        "RFC 5280 §4.2.1.6",
        "subjectAltName holds at least one name",
        |c| holds(c.alt_names.as_ref().is_none_or(|names| !names.is_empty())),
    ),
    must(
        Certificate,
        "san-dns-syntax",
        "RFC 5280 §4.2.1.6, RFC 1034 §3.5, RFC 9525 §6.3",
        "dNSName is a host name in preferred syntax, its leftmost label at most a lone wildcard",
        |c| {
            none_of(
                c.alt(choice::DNS)
                    .filter(|n| !is_dotted_quad(n) && !is_host_name_or_wildcard(n))
                    .map(show),
            )
        },
    ),
    must(
        Certificate,
        "san-dns-not-address",
        "RFC 5280 §4.2.1.6",
        "an IP address is an iPAddress, never a dNSName",
        |c| none_of(c.alt(choice::DNS).filter(|n| is_dotted_quad(n)).map(show)),
    ),
    must(
        Certificate,
        "san-email-syntax",
        "RFC 5280 §4.2.1.6, RFC 5321 §4.1.2",
        "rfc822Name is an ASCII mailbox",
        |c| none_of(c.alt(choice::EMAIL).filter(|n| !is_mailbox(n)).map(show)),
    ),
    must(
        Certificate,
        "san-uri-syntax",
        "RFC 5280 §4.2.1.6, RFC 3986 §3",
        "uniformResourceIdentifier is absolute: a scheme, and a host wherever there is an authority",
        |c| none_of(c.alt(choice::URI).filter(|n| !is_absolute_uri(n)).map(show)),
    ),
    must(
        Certificate,
        "san-ip-length",
        "RFC 5280 §4.2.1.6",
        "iPAddress has 4 or 16 octets",
        |c| {
            none_of(
                c.alt(choice::IP)
                    .filter(|n| !matches!(n.len(), 4 | 16))
                    .map(show),
            )
        },
    ),
    must(
        Certificate,
        "san-directory-not-empty",
        "RFC 5280 §4.2.1.6",
        "directoryName is a non-empty distinguished name",
        |c| holds(c.alt(choice::DIRECTORY).all(is_named)),
    ),
    must(
        Certificate,
        "san-other-name-form",
        "RFC 5280 §4.2.1.6, MS-WCCE §2.2.2.7, RFC 4108 §5",
        "otherName is type and value; a UPN is UTF8String, a hardware module name a SEQUENCE",
        |c| holds(c.alt(choice::OTHER).all(is_other_name)),
    ),
    should(
        Certificate,
        "san-no-duplicates",
        "RFC 5280 §4.2.1.6",
        "no subjectAltName entry is repeated",
        |c| {
            let all: Vec<&[u8]> = c.alt_names.iter().flatten().map(|e| e.raw).collect();
            none_of(first_repeated(&all).map(show).into_iter())
        },
    ),
    must(
        TlsServer,
        "server-has-host-name",
        "RFC 9525 §4.1",
        "a TLS server is named by dNSName, iPAddress or URI, never by its common name alone",
        |c| {
            let names = [choice::DNS, choice::IP, choice::URI];
            holds(names.iter().any(|n| c.alt(*n).next().is_some()))
        },
    )
    .since(since::BASELINE),
    must(
        TlsServer,
        "common-name-in-san",
        "CABF BR §7.1.4.3",
        "a common name that looks like a host or address repeats a subjectAltName",
        common_name_in_san,
    )
    .since(since::BASELINE),
    may(
        EndEntity,
        "subject-no-email",
        "RFC 5280 §4.1.2.6",
        "mail addresses stand in rfc822Name, not in the subject",
        |c| holds(c.subject.all(&oids::EMAIL_ADDRESS).next().is_none()),
    ),
];

fn each_attribute(c: &Cert<'_>, good: impl Fn(&Attribute<'_>) -> bool) -> Verdict {
    let both: [&NameView<'_>; 2] = [&c.issuer, &c.subject];
    let all = both.into_iter().flat_map(|n| &n.attributes);
    none_of(
        all.filter(|a| !good(a))
            .map(|a| format!("{} {}", show_oid(a.kind), show(a.value))),
    )
}

const BOUNDS: [(Oid, usize); 15] = [
    (oids::COMMON_NAME, 64),
    (oids::ORGANIZATION, 64),
    (oids::ORGANIZATIONAL_UNIT, 64),
    (oids::SERIAL_NUMBER, 64),
    (oids::TITLE, 64),
    (oids::COUNTRY, 2),
    (oids::LOCALITY, 128),
    (oids::STATE, 128),
    (oids::PSEUDONYM, 128),
    (oids::EMAIL_ADDRESS, 255),
    (oids::SURNAME, 32768),
    (oids::GIVEN_NAME, 32768),
    (oids::INITIALS, 32768),
    (oids::GENERATION_QUALIFIER, 32768),
    (oids::NAME, 32768),
];

/// Bounds count characters, not octets.
fn within_bound(a: &Attribute<'_>) -> bool {
    let Some((_, bound)) = BOUNDS.iter().find(|(o, _)| o.as_bytes() == a.kind) else {
        return true;
    };
    let characters = match a.tag {
        Tag::UTF8_STRING => a.value.iter().filter(|b| **b & 0xc0 != 0x80).count(),
        Tag::BMP_STRING => a.value.len() / 2,
        _ => a.value.len(),
    };
    characters <= *bound
}

fn is_directory_string(kind: &[u8]) -> bool {
    const KINDS: [Oid; 16] = [
        oids::COMMON_NAME,
        oids::SURNAME,
        oids::LOCALITY,
        oids::STATE,
        oids::STREET,
        oids::ORGANIZATION,
        oids::ORGANIZATIONAL_UNIT,
        oids::TITLE,
        oids::BUSINESS_CATEGORY,
        oids::POSTAL_CODE,
        oids::NAME,
        oids::GIVEN_NAME,
        oids::INITIALS,
        oids::GENERATION_QUALIFIER,
        oids::PSEUDONYM,
        oids::ORGANIZATION_IDENTIFIER,
    ];
    KINDS.iter().any(|k| k.as_bytes() == kind)
}

fn is_printable_only(kind: &[u8]) -> bool {
    [oids::COUNTRY, oids::SERIAL_NUMBER, oids::DN_QUALIFIER]
        .iter()
        .any(|k| k.as_bytes() == kind)
}

fn is_ia5_only(kind: &[u8]) -> bool {
    [oids::EMAIL_ADDRESS, oids::DOMAIN_COMPONENT]
        .iter()
        .any(|k| k.as_bytes() == kind)
}

fn in_alphabet(a: &Attribute<'_>) -> bool {
    match a.tag {
        Tag::PRINTABLE_STRING => is_printable_string(a.value),
        Tag::UTF8_STRING => std::str::from_utf8(a.value).is_ok(),
        Tag::IA5_STRING => a.value.is_ascii(),
        Tag::NUMERIC_STRING => a.value.iter().all(|b| b.is_ascii_digit() || *b == b' '),
        Tag::BMP_STRING => a.value.len().is_multiple_of(2),
        _ => true,
    }
}

fn is_named(directory_name: &[u8]) -> bool {
    NameView::read(&mut Reader::new(directory_name)).is_ok_and(|n| !n.attributes.is_empty())
}

fn is_other_name(content: &[u8]) -> bool {
    read_other_name(content).is_ok_and(|(kind, value)| {
        if kind == oids::ON_UPN.as_bytes() {
            return value.tag == Tag::UTF8_STRING
                && std::str::from_utf8(value.value).is_ok_and(|s| s.contains('@'));
        }
        kind != oids::ON_HARDWARE_MODULE_NAME.as_bytes() || value.tag == Tag::SEQUENCE
    })
}

fn read_other_name(content: &[u8]) -> Result<(&[u8], Element<'_>), crate::der::Error> {
    let mut r = Reader::new(content);
    let kind = r.value(Tag::OID)?;
    let mut wrapped = r.nested(Tag::context_constructed(0))?;
    let value = wrapped.element()?;
    wrapped.finish()?;
    r.finish()?;
    Ok((kind, value))
}

fn common_name_in_san(c: &Cert<'_>) -> Verdict {
    let missing = |cn: &&Attribute<'_>| {
        let address = std::str::from_utf8(cn.value)
            .ok()
            .and_then(|s| s.parse::<std::net::IpAddr>().ok());
        let octets = match address {
            Some(std::net::IpAddr::V4(a)) => Some(a.octets().to_vec()),
            Some(std::net::IpAddr::V6(a)) => Some(a.octets().to_vec()),
            None => None,
        };
        match octets {
            Some(octets) => !c.alt(choice::IP).any(|n| n == octets),
            None if looks_like_host(cn.value) => {
                !c.alt(choice::DNS).any(|n| n.eq_ignore_ascii_case(cn.value))
            }
            None => false,
        }
    };
    none_of(
        c.subject
            .all(&oids::COMMON_NAME)
            .filter(missing)
            .map(|a| show(a.value)),
    )
}

fn looks_like_host(cn: &[u8]) -> bool {
    let host = cn.strip_prefix(b"*.").unwrap_or(cn);
    host.contains(&b'.') && is_host_name(host)
}
