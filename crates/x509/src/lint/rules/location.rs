//! Where status and issuers are found (RFC 5280 §4.2.1.13, §4.2.1.15, §4.2.2.1).

use super::{Cert, Rule, Scope::*, holds, may, must, none_of, should};
use crate::{
    der::Element,
    lint::{
        syntax::{is_absolute_uri, scheme, show},
        view::DistributionPoint,
    },
    oids,
};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "crl-points-not-empty",
        "RFC 5280 §4.2.1.13",
        "CRL distribution points holds a point",
        |c| holds(c.distribution.as_ref().is_none_or(|d| !d.is_empty())),
    ),
    must(
        Certificate,
        "crl-point-complete",
        "RFC 5280 §4.2.1.13",
        "every distribution point has a name or a CRL issuer, never reasons alone",
        |c| holds(points(c).all(|p| p.has_name || p.has_issuer)),
    ),
    should(
        Certificate,
        "crl-point-http",
        "RFC 5280 §4.2.1.13; CABF BR §7.1.2.11.2",
        "a distribution point can be fetched over plain http",
        |c| {
            holds(
                points(c).all(|p| p.locations.is_empty() || p.locations.iter().any(|l| is_http(l))),
            )
        },
    ),
    must(
        Certificate,
        "crl-point-uri-syntax",
        "RFC 5280 §4.2.1.13",
        "the URIs of distribution points are absolute",
        |c| none_of(bad_uris(points(c).flat_map(|p| &p.locations))),
    ),
    should(
        Certificate,
        "crl-point-not-tls",
        "RFC 5280 §8",
        "a CRL is not fetched over https, whose own certificate would have to be checked first",
        |c| {
            none_of(
                points(c)
                    .flat_map(|p| &p.locations)
                    .filter(|l| is_https(l))
                    .map(|l| show(l.value)),
            )
        },
    ),
    should(
        Certificate,
        "crl-points-not-critical",
        "RFC 5280 §4.2.1.13",
        "CRL distribution points is not critical",
        |c| {
            holds(
                !c.ext(&oids::CRL_DISTRIBUTION_POINTS)
                    .is_some_and(|e| e.is_critical),
            )
        },
    ),
    must(
        Certificate,
        "information-access-not-empty",
        "RFC 5280 §4.2.2.1",
        "authority information access holds a description",
        |c| {
            holds(
                c.ext(&oids::AUTHORITY_INFO_ACCESS).is_none()
                    || !c.access.is_empty()
                    || c.unreadable.is_some(),
            )
        },
    ),
    must(
        Certificate,
        "information-access-uri-syntax",
        "RFC 5280 §4.2.2.1",
        "the URIs of authority information access are absolute",
        |c| none_of(bad_uris(c.access.iter().map(|(_, l)| l))),
    ),
    should(
        Certificate,
        "information-access-http",
        "RFC 5280 §4.2.2.1; CABF BR §7.1.2.7.7",
        "OCSP and caIssuers locations are plain http URIs",
        |c| {
            let known = [oids::AD_OCSP, oids::AD_CA_ISSUERS];
            let wrong = c.access.iter().filter(|(m, l)| {
                known.iter().any(|k| k.as_bytes() == *m) && !is_http(l) && !is_ldap(l)
            });
            none_of(wrong.map(|(_, l)| show(l.value)))
        },
    ),
    may(
        EndEntity,
        "status-can-be-found",
        "RFC 5280 §4.2.1.13, RFC 6960 §3.1",
        "an end entity says where its status is found, or is an OCSP responder",
        |c| {
            let ocsp = c.access.iter().any(|(m, _)| *m == oids::AD_OCSP.as_bytes());
            holds(ocsp || c.distribution.is_some() || c.ext(&oids::OCSP_NO_CHECK).is_some())
        },
    ),
    may(
        EndEntity,
        "issuer-can-be-found",
        "RFC 5280 §4.2.2.1, NIST SP 800-52 r2 §3.2.1",
        "an end entity says where its issuer's certificate is found",
        |c| {
            holds(
                c.access
                    .iter()
                    .any(|(m, _)| *m == oids::AD_CA_ISSUERS.as_bytes()),
            )
        },
    ),
    must(
        Certificate,
        "freshest-crl-with-complete",
        "RFC 5280 §4.2.1.15",
        "a freshest CRL pointer goes with a distribution point for the complete CRL",
        |c| holds(c.ext(&oids::FRESHEST_CRL).is_none() || c.distribution.is_some()),
    ),
];

fn points<'c, 'a>(c: &'c Cert<'a>) -> impl Iterator<Item = &'c DistributionPoint<'a>> {
    c.distribution.iter().flatten()
}

fn is_uri(name: &Element<'_>) -> bool {
    name.tag.0 & 0x1f == 6
}

fn has_scheme(name: &Element<'_>, wanted: &str) -> bool {
    is_uri(name) && scheme(name.value).eq_ignore_ascii_case(wanted.as_bytes())
}

fn is_http(name: &Element<'_>) -> bool {
    has_scheme(name, "http")
}

fn is_https(name: &Element<'_>) -> bool {
    has_scheme(name, "https")
}

fn is_ldap(name: &Element<'_>) -> bool {
    has_scheme(name, "ldap")
}

fn bad_uris<'a>(names: impl Iterator<Item = &'a Element<'a>>) -> impl Iterator<Item = String> {
    // ldap:///cn=… has an empty host by design (RFC 4516 §2): the client's own directory.
    let bad = |n: &&Element<'_>| is_uri(n) && !is_ldap(n) && !is_absolute_uri(n.value);
    names.filter(bad).map(|n| show(n.value))
}
