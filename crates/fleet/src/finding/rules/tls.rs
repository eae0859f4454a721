//! What a server takes and what it chose (NIST SP 800-52r2 §3; seed S3; R19).
//!
//! Only what was seen is held against it: a look at the certificate alone shows one suite, one that asks for all of them
//! shows the rest.

use std::collections::BTreeSet;

use agent::observation::{TlsSeen, Version};
use agent::tls::suite::{KeyExchange, Suite, suite};

use super::{Look, Rule, Severity::*, is_served, of_place, words};
use crate::inventory::PlaceFacts;

/// S3's `ssl_ciphers`, which is SP 800-52r2 §3.3.1.1 without CBC and CCM.
const LISTED: [u16; 4] = [0xc02c, 0xc030, 0xc02b, 0xc02f];
/// `ssl_ciphers` says nothing of TLS 1.3, which S3 asks for: AES with GCM and CCM (SP 800-52r2 §3.3.1.2) and ChaCha20
/// (RFC 8446 §9.1). What is left: a short tag (CCM_8), no encryption, national ciphers.
const LISTED_13: [u16; 4] = [0x1301, 0x1302, 0x1303, 0x1304];
/// Groups with ML-KEM in them (IANA "TLS Supported Groups"; FIPS 203).
const ML_KEM: [u16; 6] = [0x0200, 0x0201, 0x0202, 0x11eb, 0x11ec, 0x11ed];

pub(super) static RULES: &[Rule] = &[
    of_place(
        High,
        ("tls.version", "takes versions below TLS 1.2"),
        "NIST SP 800-52r2 §3.1; RFC 8996; RFC 7568; R19",
        "switch SSL 3.0, TLS 1.0 and TLS 1.1 off; where the device leaves no choice, put a TLS gateway in front of it (R31) and waive this",
        old_version,
    ),
    of_place(
        High,
        (
            "tls.suite-broken",
            "takes suites that are anonymous, unencrypted, for export, or of RC4, DES or 3DES",
        ),
        "RFC 9325 §4.1; RFC 7465; NIST SP 800-131A r2 §2; NIST SP 800-52r2 §3.3.1",
        "take these suites out of its configuration",
        broken_suite,
    ),
    of_place(
        Medium,
        (
            "tls.forward-secrecy",
            "takes suites without forward secrecy",
        ),
        "RFC 9325 §4.1; NIST SP 800-52r2 §3.3.1; R19",
        "allow ECDHE suites only: what is recorded today can otherwise be read by whoever gets the key later",
        no_forward_secrecy,
    ),
    of_place(
        Low,
        ("tls.suite", "takes suites outside the list"),
        "S3 (ssl_ciphers); NIST SP 800-52r2 §3.3.1; R19",
        "allow ECDHE with AES-GCM (TLS 1.2) and the suites of TLS 1.3 only",
        outside_the_list,
    ),
    of_place(
        Medium,
        ("tls.key-exchange", "its key exchange is too small"),
        "DICOM PS3.15 B.13; NIST SP 800-56A r3 §5.5.1; RFC 9325 §4.1",
        "use ECDHE with P-256 or X25519, or Diffie-Hellman with 2048 bits and more",
        small_key_exchange,
    ),
    of_place(
        High,
        ("tls.compression", "compresses what it encrypts"),
        "CVE-2012-4929; RFC 9325 §3.3",
        "switch TLS compression off",
        compression,
    ),
    of_place(
        Medium,
        ("tls.renegotiation", "does not secure renegotiation"),
        "RFC 5746 §4; CVE-2009-3555; NIST SP 800-52r2 §3.4.1.1",
        "update its TLS library, or switch renegotiation off",
        renegotiation,
    ),
    of_place(
        Low,
        (
            "tls.master-secret",
            "does not bind the session's key to its handshake",
        ),
        "RFC 7627 §1; NIST SP 800-52r2 §3.4.1.3",
        "update its TLS library",
        master_secret,
    ),
    of_place(
        Note,
        ("crypto.rsa-only", "has nothing but RSA"),
        "NIST IR 8547; S3 (\"use ECDSA\" for constrained devices)",
        "plan for ECDSA beside it, and ask the vendor for agility",
        rsa_only,
    ),
    of_place(
        Note,
        (
            "crypto.quantum",
            "agrees on keys that a quantum computer could work out later",
        ),
        "FIPS 203; NIST IR 8547; draft-ietf-tls-ecdhe-mlkem",
        "prefer X25519MLKEM768 where software knows it, PHI first: recordings of today keep for decades",
        not_quantum_safe,
    ),
];

/// Versions that were seen to be accepted.
fn versions(tls: &TlsSeen) -> BTreeSet<Version> {
    let asked = tls.versions.iter().map(|seen| seen.version);
    asked
        .chain(tls.negotiated.map(|(version, _)| version))
        .chain(tls.beyond)
        .collect()
}

/// Suites that were seen to be accepted, and in which version.
fn suites(tls: &TlsSeen) -> BTreeSet<(Version, u16)> {
    let asked = tls.versions.iter().flat_map(|seen| {
        let version = seen.version;
        seen.suites.iter().map(move |code| (version, *code))
    });
    asked.chain(tls.negotiated).collect()
}

/// The names of those suites that are wrong, each once.
fn named(tls: &TlsSeen, wrong: impl Fn(Version, u16, Option<Suite>) -> bool) -> Option<String> {
    let found: BTreeSet<String> = suites(tls)
        .into_iter()
        .filter(|(version, code)| wrong(*version, *code, suite(*code)))
        .map(|(_, code)| match suite(code) {
            Some(suite) => suite.name.to_owned(),
            None => format!("0x{code:04x}"),
        })
        .collect();
    (!found.is_empty()).then(|| words::list(found.into_iter()))
}

fn old_version(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let mut versions = versions(place.tls.as_ref()?);
    versions.retain(|version| *version < Version::Tls12);
    (!versions.is_empty()).then(|| words::list(versions.iter().map(ToString::to_string)))
}

fn broken_suite(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    named(place.tls.as_ref()?, |_, _, suite| {
        suite.is_some_and(|suite| {
            suite.anonymous()
                || suite.export()
                || suite.bits() < 128
                || suite.name.contains("_RC4_")
        })
    })
}

fn no_forward_secrecy(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    named(place.tls.as_ref()?, |_, _, suite| {
        suite.is_some_and(|suite| !suite.forward_secret())
    })
}

fn outside_the_list(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    named(place.tls.as_ref()?, |version, code, _| {
        let listed = match version {
            Version::Tls13 => LISTED_13,
            _ => LISTED,
        };
        !listed.contains(&code)
    })
}

fn small_key_exchange(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let tls = place.tls.as_ref()?;
    let bits = tls.key_exchange_bits?;
    let (_, code) = tls.negotiated?;
    let (least, what) = match suite(code)?.key_exchange() {
        KeyExchange::Dhe | KeyExchange::DhAnon | KeyExchange::DhePsk => (2048, "Diffie-Hellman"),
        // The field of Curve25519 has 255.
        KeyExchange::Ecdhe | KeyExchange::EcdhAnon | KeyExchange::EcdhePsk => {
            (255, "elliptic curve Diffie-Hellman")
        }
        _ => return None,
    };
    (bits < least).then(|| format!("{what} of {bits} bits"))
}

fn compression(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let method = place.tls.as_ref()?.compression?;
    (method != 0).then(|| format!("method {method}"))
}

/// What was negotiated below TLS 1.3, where the two extensions mean something.
fn below_13(tls: &TlsSeen) -> Option<Version> {
    let (version, _) = tls.negotiated?;
    (version < Version::Tls13).then_some(version)
}

fn renegotiation(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let tls = place.tls.as_ref()?;
    let version = below_13(tls)?;
    (tls.renegotiation_info == Some(false))
        .then(|| format!("{version} without RFC 5746's renegotiation_info"))
}

fn master_secret(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let tls = place.tls.as_ref()?;
    let version = below_13(tls).filter(|version| *version > Version::Ssl3)?;
    (tls.extended_master_secret == Some(false))
        .then(|| format!("{version} without RFC 7627's extended_master_secret"))
}

/// Said only of who was asked for everything.
fn rsa_only(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let tls = place.tls.as_ref()?;
    let asked = !tls.versions.is_empty() && tls.versions.iter().all(|seen| seen.complete);
    if !asked || !is_served(place) || look.facts.key != "rsa" {
        return None;
    }
    let other = suites(tls)
        .into_iter()
        .filter_map(|(_, code)| suite(code))
        .any(|suite| suite.name.contains("_ECDSA_"));
    (!other).then(|| {
        format!(
            "RSA of {} bits, and no suite with ECDSA",
            look.facts.key_bits
        )
    })
}

/// Every look at versions asks for the groups with ML-KEM.
fn not_quantum_safe(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let tls = place.tls.as_ref()?;
    if tls.versions.is_empty() || !is_served(place) {
        return None;
    }
    let safe = tls
        .groups
        .iter()
        .chain(&tls.group)
        .any(|group| ML_KEM.contains(group));
    (!safe).then(|| match versions(tls).contains(&Version::Tls13) {
        true => "takes no group with ML-KEM".to_owned(),
        false => "has no TLS 1.3, and so no ML-KEM".to_owned(),
    })
}
