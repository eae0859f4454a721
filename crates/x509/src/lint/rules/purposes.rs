//! Extended key usage, OCSP responders and time-stamping (RFC 5280 §4.2.1.12, RFC 6960, RFC 3161).

use super::{
    Cert, Rule, Scope::*, Verdict, first_repeated, holds, may, must, none_of, should, show_oid,
    since,
};
use crate::{
    Oid,
    ext::{ExtensionValue, TlsFeature},
    lint::view::usage::*,
    oids,
};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "purposes-not-empty",
        "RFC 5280 §4.2.1.12",
        "extended key usage names a purpose",
        |c| holds(c.purposes.as_ref().is_none_or(|p| !p.is_empty())),
    ),
    should(
        Certificate,
        "purposes-no-duplicates",
        "RFC 5280 §4.2.1.12",
        "no purpose is named twice",
        |c| {
            let all: Vec<&[u8]> = c.purposes.iter().flatten().copied().collect();
            none_of(first_repeated(&all).map(show_oid).into_iter())
        },
    ),
    should(
        EndEntity,
        "no-any-purpose",
        "NIST SP 800-52 r2 §3.2.1; CABF BR §7.1.2.7.10",
        "an end entity's purposes do not include anyExtendedKeyUsage",
        |c| holds(!c.has_purpose(&oids::ANY_EXTENDED_KEY_USAGE)),
    ),
    should(
        Certificate,
        "any-purpose-not-critical",
        "RFC 5280 §4.2.1.12",
        "extended key usage with anyExtendedKeyUsage is not critical",
        |c| {
            let critical = c.ext(&oids::EXT_KEY_USAGE).is_some_and(|e| e.is_critical);
            holds(!critical || !c.has_purpose(&oids::ANY_EXTENDED_KEY_USAGE))
        },
    ),
    may(
        EndEntity,
        "purpose-stated",
        "RFC 5280 §4.2.1.12; CABF BR §7.1.2.7.10",
        "an end entity states its purpose",
        |c| holds(c.purposes.is_some()),
    ),
    must(
        EndEntity,
        "purpose-consistent-with-usage",
        "RFC 5280 §4.2.1.12",
        "every purpose can be served with a bit that key usage asserts",
        purpose_without_usage,
    ),
    should(
        EndEntity,
        "signing-purpose-alone",
        "CABF CSBR §7.1.2.3; RFC 6960 §4.2.2.2",
        "code signing and OCSP signing are not mixed with TLS or mail",
        signing_mixed,
    ),
    must(
        EndEntity,
        "time-stamping-alone-critical",
        "RFC 3161 §2.3",
        "time-stamping is the only purpose, and extended key usage is critical",
        |c| {
            let critical = c.ext(&oids::EXT_KEY_USAGE).is_some_and(|e| e.is_critical);
            let alone = c.purposes.as_ref().is_some_and(|p| p.len() == 1);
            holds(!c.has_purpose(&oids::EKU_TIME_STAMPING) || (critical && alone))
        },
    ),
    must(
        Certificate,
        "ocsp-no-check-only-responders",
        "RFC 6960 §4.2.2.2.1",
        "only an OCSP responder's certificate carries ocsp-nocheck",
        |c| holds(c.ext(&oids::OCSP_NO_CHECK).is_none() || c.has_purpose(&oids::EKU_OCSP_SIGNING)),
    ),
    must(
        Certificate,
        "ocsp-no-check-null",
        "RFC 6960 §4.2.2.2.1",
        "the value of ocsp-nocheck is NULL",
        |c| {
            holds(
                c.ext(&oids::OCSP_NO_CHECK)
                    .is_none_or(|e| e.value == [5, 0]),
            )
        },
    ),
    should(
        EndEntity,
        "responder-states-revocation",
        "RFC 6960 §4.2.2.2.1; CABF BR §4.9.9",
        "an OCSP responder carries ocsp-nocheck or says where its own status is",
        |c| {
            let responder = c.has_purpose(&oids::EKU_OCSP_SIGNING);
            let stated = c.ext(&oids::OCSP_NO_CHECK).is_some()
                || c.distribution.is_some()
                || !c.access.is_empty();
            holds(!responder || stated)
        },
    ),
    must(
        EndEntity,
        "mail-purpose-has-address",
        "RFC 8550 §3, §4.4.3",
        "a certificate for mail names a mailbox or, for an organisation in Direct, a domain",
        |c| {
            let named = c.alt(1).chain(c.alt(2)).chain(c.alt(0)).next().is_some();
            holds(!c.has_purpose(&oids::EKU_EMAIL_PROTECTION) || named)
        },
    ),
    must(
        EndEntity,
        "logon-purpose-has-principal",
        "MS-PKCA §3.1.5.2.1.3",
        "a smart-card logon certificate names a principal by UPN, SID or mapped subject",
        |c| {
            let principal = c.alt(0).chain(c.alt(6)).next().is_some()
                || c.ext(&oids::MS_SID_EXTENSION).is_some();
            holds(!c.has_purpose(&oids::EKU_MS_SMARTCARD_LOGON) || principal)
        },
    ),
    must(
        Certificate,
        "tls-feature-form",
        "RFC 7633 §4",
        "TLS features are a non-empty SEQUENCE of small integers",
        |c| {
            holds(
                c.ext(&oids::TLS_FEATURE)
                    .is_none_or(|e| lists_features(e.value)),
            )
        },
    )
    .since(since::BASELINE),
];

fn lists_features(value: &[u8]) -> bool {
    TlsFeature::parse(value).is_ok_and(|f| !f.0.is_empty())
}

/// Key usage bits, any of which makes sense of a purpose (RFC 5280 §4.2.1.12).
const NEEDS: [(Oid, u16); 8] = [
    (
        oids::EKU_SERVER_AUTH,
        DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
    ),
    (oids::EKU_CLIENT_AUTH, DIGITAL_SIGNATURE | KEY_AGREEMENT),
    (oids::EKU_CODE_SIGNING, DIGITAL_SIGNATURE),
    (
        oids::EKU_EMAIL_PROTECTION,
        DIGITAL_SIGNATURE | CONTENT_COMMITMENT | KEY_ENCIPHERMENT | KEY_AGREEMENT,
    ),
    (
        oids::EKU_TIME_STAMPING,
        DIGITAL_SIGNATURE | CONTENT_COMMITMENT,
    ),
    (
        oids::EKU_OCSP_SIGNING,
        DIGITAL_SIGNATURE | CONTENT_COMMITMENT,
    ),
    (oids::EKU_MS_SMARTCARD_LOGON, DIGITAL_SIGNATURE),
    (oids::EKU_UPDATE_SIGNING, DIGITAL_SIGNATURE),
];

fn purpose_without_usage(c: &Cert<'_>) -> Verdict {
    let usage = c.key_usage?;
    let unserved = |(purpose, bits): &&(Oid, u16)| usage & bits == 0 && c.has_purpose(purpose);
    none_of(
        NEEDS
            .iter()
            .filter(unserved)
            .map(|(purpose, _)| show_oid(purpose.as_bytes())),
    )
}

fn signing_mixed(c: &Cert<'_>) -> Verdict {
    let signing = [oids::EKU_CODE_SIGNING, oids::EKU_OCSP_SIGNING];
    let other = [
        oids::EKU_SERVER_AUTH,
        oids::EKU_CLIENT_AUTH,
        oids::EKU_EMAIL_PROTECTION,
    ];
    let mixed = other.iter().any(|o| c.has_purpose(o));
    none_of(
        signing
            .iter()
            .filter(|s| mixed && c.has_purpose(s))
            .map(|s| show_oid(s.as_bytes())),
    )
}
