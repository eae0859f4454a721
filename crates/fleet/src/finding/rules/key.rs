//! Keys and signatures: how strong, how made, and who else has them (R03, R19).

use std::collections::BTreeSet;
use std::net::IpAddr;

use agent::observation::Place;
use x509::{Oid, PublicKeyKind, Weakness, oids};

use super::{Look, Rule, Severity::*, of_certificate, words};

pub(super) static RULES: &[Rule] = &[
    of_certificate(
        High,
        ("key.weak", "its key is too small"),
        "NIST SP 800-131A r2 §3; NIST SP 800-57 pt 1 §5.6.1; R19",
        "renew with a new key: RSA of 2048 bits, or P-256, and more",
        too_small,
    ),
    of_certificate(
        Critical,
        ("key.flawed", "its key can be worked out"),
        "CVE-2017-15361; CA/B Forum BR §6.1.1.3; NIST SP 800-56B r2 §6.2",
        "treat the key as public: make a new one on sound hardware, have the certificate revoked",
        flawed,
    ),
    of_certificate(
        High,
        ("signature.weak", "its signature rests on MD5 or SHA-1"),
        "NIST SP 800-131A r2 §9; RFC 9155; R19",
        "renew from an authority that signs with SHA-256 or better",
        weak_signature,
    ),
    of_certificate(
        High,
        ("key.shared", "several devices have the same private key"),
        "R08; NIST SP 800-57 pt 1 §5.2",
        "give each device a key of its own; what one of them loses, all lose. Servers that share on purpose get a waiver",
        shared,
    ),
    of_certificate(
        Low,
        (
            "key.many-places",
            "the same key at several addresses that are no known asset's",
        ),
        "R08; NIST SP 800-57 pt 1 §5.2",
        "register what is there: one machine with several addresses, or several machines with one key",
        many_places,
    ),
];

fn too_small(look: &Look<'_>) -> Option<String> {
    let key = look.certificate().public_key().ok()?;
    match (key.weakness(), key.kind()) {
        (Some(weakness @ (Weakness::Small(_) | Weakness::SmallCurve(_))), _) => {
            Some(weakness.to_string())
        }
        // FIPS 186-5 took it back, and TLS 1.3 does not know it.
        (_, PublicKeyKind::Other(oids::DSA)) => Some("DSA".to_owned()),
        _ => None,
    }
}

fn flawed(look: &Look<'_>) -> Option<String> {
    let weakness = look.certificate().public_key().ok()?.weakness()?;
    let flawed = matches!(
        weakness,
        Weakness::Roca
            | Weakness::SmallFactor(_)
            | Weakness::ClosePrimes
            | Weakness::Exponent
            | Weakness::BadPoint
    );
    flawed.then(|| weakness.to_string())
}

const WEAK: [Oid; 5] = [
    oids::MD2_RSA,
    oids::MD5_RSA,
    oids::SHA1_RSA,
    oids::ECDSA_SHA1,
    oids::DSA_SHA1,
];

/// The linter forgives what was signed before the rule; who is still shown it does not. Nobody relies on the signature of a
/// root in a trust store (RFC 5280 §6.1).
fn weak_signature(look: &Look<'_>) -> Option<String> {
    let root = look.facts.self_signed && !look.is_leaf();
    let algorithm = look.certificate().signature_algorithm().oid;
    let weak = WEAK.contains(&algorithm) || look.breaks("signature-algorithm-strong");
    (weak && !root).then(|| match algorithm.name() {
        Some(name) => name.to_owned(),
        None => algorithm.to_string(),
    })
}

fn shared(look: &Look<'_>) -> Option<String> {
    if look.is_ca && !look.is_served() {
        return None;
    }
    let mut assets: BTreeSet<&str> = look
        .facts
        .key_elsewhere
        .iter()
        .map(String::as_str)
        .collect();
    let here = look
        .facts
        .places
        .iter()
        .filter_map(|place| place.asset.as_ref());
    assets.extend(here.map(|asset| asset.id.as_str()));
    assets.extend(
        look.facts
            .assigned
            .asset
            .as_ref()
            .map(|asset| asset.id.as_str()),
    );
    (assets.len() > 1).then(|| {
        let names = words::list(assets.iter().map(|id| (*id).to_owned()));
        format!("{} assets: {names}", assets.len())
    })
}

/// IPv4 and IPv6 of one machine are two addresses, so each family is counted by itself.
fn many_places(look: &Look<'_>) -> Option<String> {
    let mut families: [BTreeSet<IpAddr>; 2] = Default::default();
    for place in look
        .facts
        .places
        .iter()
        .filter(|place| place.asset.is_none())
    {
        if let Place::Network { address, .. } = place.place {
            let [four, six] = &mut families;
            let family = if address.is_ipv4() { four } else { six };
            family.insert(address);
        }
    }
    let most = families.into_iter().max_by_key(BTreeSet::len)?;
    (most.len() > look.policy.same_key_addresses)
        .then(|| words::list(most.iter().map(ToString::to_string)))
}
