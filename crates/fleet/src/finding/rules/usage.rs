//! What it may be used for, where its status is found, and how well it is made (RFC 5280; R13, R19).

use agent::observation::Place;
use x509::ext::ExtKeyUsage;
use x509::lint::Severity as Weight;
use x509::{Oid, oids};

use super::{Look, Rule, Severity::*, is_served, of_certificate, of_place, words};
use crate::inventory::PlaceFacts;

/// Status is not looked for on what lives as short as this: BR §7.1.2.11.2 calls seven days short-lived from 15 March 2026.
const SHORT_LIVED: i64 = 7 * 86_400;

pub(super) static RULES: &[Rule] = &[
    of_certificate(
        High,
        (
            "usage.authority",
            "an authority's, and a server shows it as its own",
        ),
        "RFC 5280 §4.2.1.9; CA/B Forum BR §7.1.2.7; R04",
        "take the authority's key off the server and treat it as exposed",
        authority_on_server,
    ),
    of_place(
        Medium,
        ("usage.server", "not for servers, and a server shows it"),
        "RFC 5280 §4.2.1.12; NIST SP 800-52r2 §3.2.1",
        "renew it from a profile for servers",
        not_for_servers,
    ),
    of_place(
        Medium,
        ("usage.client", "not for clients, and a client shows it"),
        "RFC 5280 §4.2.1.12; NIST SP 800-52r2 §4.2.1",
        "renew it from a profile for clients",
        not_for_clients,
    ),
    of_certificate(
        Low,
        ("revocation.none", "says nowhere whether it is revoked"),
        "RFC 5280 §4.2.1.13; RFC 6960 §3.1; NIST SP 800-52r2 §3.2.2; R13",
        "renew it from an authority that publishes status, or let it live for a week at most",
        no_status,
    ),
    of_certificate(
        Low,
        ("certificate.malformed", "breaks rules of its format"),
        "RFC 5280; X.690",
        "have its issuer repair the template it comes from; strict clients refuse it",
        malformed,
    ),
];

fn authority_on_server(look: &Look<'_>) -> Option<String> {
    let wrong = look.is_ca && look.is_served() && !look.facts.self_signed;
    wrong.then(|| {
        let served = look.facts.places.iter().filter(|place| is_served(place));
        format!("shown at {}", words::places(served))
    })
}

/// No extension means every purpose (RFC 5280 §4.2.1.12).
fn lacks(look: &Look<'_>, purpose: Oid) -> Option<String> {
    let usage = look.certificate().ext::<ExtKeyUsage>().ok().flatten()?;
    let allowed = usage.contains(&purpose) || usage.contains(&oids::ANY_EXTENDED_KEY_USAGE);
    (!allowed).then(|| {
        let names = usage.0.iter().map(|oid| match oid.name() {
            Some(name) => name.to_owned(),
            None => oid.to_string(),
        });
        format!("it is for {}", words::list(names))
    })
}

fn not_for_servers(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    is_served(place).then(|| lacks(look, oids::EKU_SERVER_AUTH))?
}

fn not_for_clients(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    matches!(place.place, Place::Client { .. }).then(|| lacks(look, oids::EKU_CLIENT_AUTH))?
}

fn no_status(look: &Look<'_>) -> Option<String> {
    let certificate = look.certificate();
    let life = certificate
        .not_after()
        .0
        .saturating_sub(certificate.not_before().0);
    if look.facts.self_signed || look.is_ca || life <= SHORT_LIVED {
        return None;
    }
    look.breaks("status-can-be-found")
        .then(|| "neither a CRL nor an OCSP responder is named".to_owned())
}

/// Those that have a finding of their own.
const SAID: [&str; 6] = [
    "rsa-2048-bits",
    "rsa-exponent",
    "signature-algorithm-strong",
    "signature-algorithm-known",
    "server-has-host-name",
    "common-name-in-san",
];

fn malformed(look: &Look<'_>) -> Option<String> {
    if !look.is_leaf() {
        return None;
    }
    let broken: Vec<&str> = look
        .lint()
        .iter()
        .filter(|finding| finding.severity == Weight::Error && !SAID.contains(&finding.rule))
        .map(|finding| finding.rule)
        .collect();
    (!broken.is_empty()).then(|| words::list(broken.iter().map(|rule| (*rule).to_owned())))
}
