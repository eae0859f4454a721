//! Extensions as a list, and the key identifiers (RFC 5280 §4.2, §4.2.1.1, §4.2.1.2).

use super::{
    Cert, Rule, Scope::*, Verdict, first_repeated, holds, may, must, none_of, should, show_oid,
    since,
};
use crate::{Oid, lint::view::ExtView, oids};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "extensions-not-empty",
        "RFC 5280 §4.1.2.9",
        "the extensions field holds an extension",
        |c| holds(c.extensions.as_ref().is_none_or(|e| !e.is_empty())),
    ),
    must(
        Certificate,
        "extension-once",
        "RFC 5280 §4.2",
        "no extension occurs twice",
        |c| {
            let all: Vec<&[u8]> = c.extensions.iter().flatten().map(|e| e.oid).collect();
            none_of(first_repeated(&all).map(show_oid).into_iter())
        },
    ),
    must(
        Certificate,
        "extension-criticality-encoding",
        "X.690 §11.1, §11.5",
        "critical is FF where true and left out where false",
        |c| {
            none_of(
                c.extensions
                    .iter()
                    .flatten()
                    .filter(|e| e.criticality.is_some_and(|v| v != [0xff]))
                    .map(shown),
            )
        },
    )
    .since(since::ALWAYS),
    must(
        Certificate,
        "extension-readable",
        "RFC 5280 §4.2.1",
        "the value of each standard extension can be read",
        |c| {
            none_of(
                c.unreadable
                    .iter()
                    .map(|(oid, e)| format!("{}: {e}", show_oid(oid))),
            )
        },
    ),
    should(
        Certificate,
        "critical-extension-known",
        "RFC 5280 §4.2",
        "critical extensions are ones that every conforming client processes",
        |c| {
            let unusual = |e: &&ExtView<'_>| {
                e.is_critical && !USUAL_CRITICAL.iter().any(|o| o.as_bytes() == e.oid)
            };
            none_of(c.extensions.iter().flatten().filter(unusual).map(shown))
        },
    ),
    must(
        Certificate,
        "never-critical",
        "RFC 5280 §4.2.1.1, §4.2.1.2, §4.2.1.8, §4.2.1.15, §4.2.2",
        "key identifiers, information access, freshest CRL and subject directory attributes are not critical",
        |c| {
            let wrong = |e: &&ExtView<'_>| {
                e.is_critical && NEVER_CRITICAL.iter().any(|o| o.as_bytes() == e.oid)
            };
            none_of(c.extensions.iter().flatten().filter(wrong).map(shown))
        },
    ),
    must(
        Certificate,
        "authority-key-id-present",
        "RFC 5280 §4.2.1.1",
        "every certificate but a self-signed one names its issuer's key",
        |c| {
            holds(
                c.is_self_issued() || c.authority_key.as_ref().is_some_and(|k| k.key_id.is_some()),
            )
        },
    ),
    should(
        Certificate,
        "authority-key-id-only",
        "CABF BR §7.1.2.11.1",
        "the authority key identifier has a key identifier and neither issuer nor serial number",
        |c| {
            holds(
                c.authority_key
                    .as_ref()
                    .is_none_or(|k| !k.has_issuer_or_serial),
            )
        },
    ),
    must(
        Certificate,
        "authority-key-id-matches",
        "RFC 5280 §4.2.1.1, §4.2.1.2",
        "the authority key identifier is the issuer's subject key identifier",
        authority_key_matches,
    ),
    must(
        Authority,
        "subject-key-id-present",
        "RFC 5280 §4.2.1.2",
        "an authority has a subject key identifier",
        |c| holds(c.subject_key.is_some()),
    ),
    may(
        EndEntity,
        "subject-key-id-advised",
        "RFC 5280 §4.2.1.2",
        "an end entity has a subject key identifier",
        |c| holds(c.subject_key.is_some()),
    ),
    must(
        Certificate,
        "subject-key-id-not-empty",
        "RFC 5280 §4.2.1.2",
        "the subject key identifier is not empty",
        |c| holds(c.subject_key.is_none_or(|k| !k.is_empty())),
    ),
];

const NEVER_CRITICAL: [Oid; 7] = [
    oids::AUTHORITY_KEY_IDENTIFIER,
    oids::SUBJECT_KEY_IDENTIFIER,
    oids::AUTHORITY_INFO_ACCESS,
    oids::SUBJECT_INFO_ACCESS,
    oids::FRESHEST_CRL,
    oids::SUBJECT_DIRECTORY_ATTRIBUTES,
    oids::OCSP_NO_CHECK,
];

const USUAL_CRITICAL: [Oid; 11] = [
    oids::BASIC_CONSTRAINTS,
    oids::KEY_USAGE,
    oids::EXT_KEY_USAGE,
    oids::SUBJECT_ALT_NAME,
    oids::ISSUER_ALT_NAME,
    oids::NAME_CONSTRAINTS,
    oids::CERTIFICATE_POLICIES,
    oids::POLICY_MAPPINGS,
    oids::POLICY_CONSTRAINTS,
    oids::INHIBIT_ANY_POLICY,
    oids::CRL_DISTRIBUTION_POINTS,
];

fn shown(e: &ExtView<'_>) -> String {
    show_oid(e.oid)
}

fn authority_key_matches(c: &Cert<'_>) -> Verdict {
    let expected = c.context.issuer.and_then(|i| i.key_id);
    let found = c.authority_key.as_ref().and_then(|k| k.key_id);
    match (expected, found) {
        (Some(expected), Some(found)) => holds(expected == found),
        _ => None,
    }
}
