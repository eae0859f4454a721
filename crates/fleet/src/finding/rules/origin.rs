//! Who issued it, whose it is, and whether it is what should be there (R16, R20, R21, R23).

use super::{Look, Rule, Severity::*, of_certificate, of_place, words};
use crate::finding::MISISSUANCE;
use crate::inventory::PlaceFacts;

pub(super) static RULES: &[Rule] = &[
    of_certificate(
        Critical,
        (
            MISISSUANCE,
            "signed with a key of ours, and not issued by us",
        ),
        "R20; NIST SP 800-57 pt 2 §5.4; 45 CFR 164.402",
        "treat the CA key as copied: find out where the certificate is used, revoke it by its serial number, rotate the authority, assess a breach of ePHI",
        misissued,
    ),
    of_certificate(
        High,
        ("revoked.in-use", "revoked, and still shown"),
        "RFC 5280 §3.3; R13",
        "put the certificate that replaced it in place, or take the service away",
        revoked_in_use,
    ),
    of_certificate(
        Medium,
        ("self-signed", "certified by nobody but itself"),
        "NIST SP 800-52r2 §3.2; R17",
        "have a certificate issued from a profile, by ACME, EST or SCEP if it can",
        self_signed,
    ),
    of_certificate(
        Medium,
        ("issuer.untrusted", "nobody whom we trust vouches for it"),
        "RFC 5280 §6.1.1 (d); NIST SP 800-52r2 §3.2; R21",
        "have it issued by an authority of ours, or put its anchor into a trust bundle if it is a partner's or a vendor's",
        untrusted,
    ),
    of_certificate(
        Medium,
        ("owner.none", "nobody answers for it"),
        "R16",
        "register the asset, or add an owner rule that matches it",
        unowned,
    ),
    of_place(
        Medium,
        (
            "deploy.differs",
            "something else is served than what was last issued for it",
        ),
        "R23; NIST SP 1800-16B §5.1",
        "install the certificate that it was given, or restart the service that still has the old one loaded",
        differs,
    ),
];

fn misissued(look: &Look<'_>) -> Option<String> {
    let authority = look.facts.authority.as_ref()?;
    if look.facts.recorded {
        return None;
    }
    let serial = hex::encode(look.certificate().serial());
    let subject = words::called(look.certificate());
    let seen = match look.facts.places.is_empty() {
        true => "seen in no place yet".to_owned(),
        false => format!("seen at {}", words::places(look.facts.places.iter())),
    };
    Some(format!(
        "{subject}, serial {serial}, carries a valid signature of {authority} that is in no record; {seen}"
    ))
}

fn revoked_in_use(look: &Look<'_>) -> Option<String> {
    let reason = x509::crl::Reason::from_code(look.facts.revoked?);
    let reason = reason.map_or("an unknown reason", |reason| reason.name());
    let places = look.is_shown().then(|| words::places(look.shown_at()))?;
    Some(format!("revoked for {reason}, shown at {places}"))
}

/// Roots that lie in trust stores are what they should be; one that a server shows as its own is not.
fn self_signed(look: &Look<'_>) -> Option<String> {
    let wrong = look.facts.self_signed && look.is_leaf();
    wrong.then(|| format!("{} signed itself", words::called(look.certificate())))
}

fn untrusted(look: &Look<'_>) -> Option<String> {
    let facts = look.facts;
    let known = facts.self_signed || facts.authority.is_some() || !look.is_leaf();
    if known || look.policy.anchors.of(facts).is_some() {
        return None;
    }
    let top = facts.issuers.last().unwrap_or(&facts.certificate);
    Some(match top.is_self_issued() {
        true => format!(
            "it leads to {}, which is in no trust bundle",
            words::called(top)
        ),
        false => format!("its issuer {} is not known here", words::name(top.issuer())),
    })
}

/// Authorities of others that were only seen in chains and stores are theirs.
fn unowned(look: &Look<'_>) -> Option<String> {
    let ours = look.is_leaf() && look.facts.assigned.owner.is_none();
    ours.then(|| "neither an asset nor an owner rule says whose it is".to_owned())
}

fn differs(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let expected = place.expected?;
    (expected != look.facts.sha256).then(|| {
        format!(
            "{} has it, and was last given {}",
            words::place(&place.place),
            hex::encode(expected)
        )
    })
}
