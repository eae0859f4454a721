//! Certificate revocation lists (RFC 5280 §5).

use super::{
    CrlView, Rule, Verdict, crl_must, crl_should, entry_must, entry_should, first_repeated,
    frame::{
        algorithm_parameters, is_time_form, is_time_type, known_algorithm, pss_parameters,
        show_time, weak_algorithm,
    },
    holds, none_of, show_oid, since,
};
use crate::{
    Oid, Time,
    der::{Element, Reader, Tag, is_minimal_integer},
    ext::{ExtensionValue, IssuingDistributionPoint},
    lint::{
        crl_view::Entry,
        view::{AuthorityKey, ExtView},
    },
    oids,
};

pub(super) static RULES: &[Rule] = &[
    crl_must(
        "crl-version-v2",
        "RFC 5280 §5.1.2.1",
        "a CRL has version 2",
        |c| holds(c.version == Some(1)),
    ),
    crl_must(
        "crl-signature-algorithms-agree",
        "RFC 5280 §5.1.1.2",
        "the signature algorithm is the same inside and outside what is signed",
        |c| {
            let (a, b) = (&c.signature, &c.outer_signature);
            holds(a.oid == b.oid && a.parameters.map(|p| p.raw) == b.parameters.map(|p| p.raw))
        },
    ),
    crl_must(
        "crl-signature-algorithm-strong",
        "NIST SP 800-131A r2 §3, §9",
        "the signature does not rest on MD5 or SHA-1",
        |c| weak_algorithm(&c.signature),
    )
    .since(since::SHA2_ONLY),
    crl_must(
        "crl-signature-algorithm-known",
        "RFC 5280 §5.1.1.2",
        "the signature algorithm is RSA PKCS#1, RSA-PSS, ECDSA or Ed25519 with SHA-2",
        |c| known_algorithm(&c.signature),
    ),
    crl_must(
        "crl-signature-algorithm-parameters",
        "RFC 4055 §3.1, §5, RFC 5758 §3.2, RFC 8410 §3",
        "algorithm parameters are as certificates have them",
        |c| algorithm_parameters(&c.signature).or_else(|| pss_parameters(&c.signature)),
    ),
    crl_must(
        "crl-issuer-not-empty",
        "RFC 5280 §5.1.2.3",
        "the issuer is a non-empty distinguished name",
        |c| holds(!c.issuer.attributes.is_empty()),
    ),
    crl_must(
        "crl-next-update-present",
        "RFC 5280 §5.1.2.5",
        "nextUpdate is present",
        |c| holds(c.next_update.is_some()),
    ),
    crl_must(
        "crl-time-form",
        "RFC 5280 §5.1.2.4, §5.1.2.5",
        "times have seconds, end in Z and have no fraction",
        |c| none_of(times(c).filter(|t| !is_time_form(t)).map(|t| show_time(&t))),
    ),
    crl_must(
        "crl-time-type",
        "RFC 5280 §5.1.2.4, §5.1.2.5",
        "dates through 2049 are UTCTime and dates from 2050 on are GeneralizedTime",
        |c| none_of(times(c).filter(|t| !is_time_type(t)).map(|t| show_time(&t))),
    ),
    crl_must(
        "crl-time-order",
        "RFC 5280 §5.1.2.5",
        "nextUpdate lies after thisUpdate",
        |c| {
            let next = c
                .next_update
                .and_then(|t| Time::from_element_lenient(t).ok());
            holds(next.is_none_or(|next| c.issued().is_some_and(|this| this < next)))
        },
    ),
    crl_must(
        "crl-extension-once",
        "RFC 5280 §5.2",
        "no extension occurs twice",
        |c| {
            let all: Vec<&[u8]> = c.extensions.iter().map(|e| e.oid).collect();
            none_of(first_repeated(&all).map(show_oid).into_iter())
        },
    ),
    crl_must(
        "crl-extension-criticality-encoding",
        "X.690 §11.1, §11.5",
        "critical is FF where true and left out where false",
        |c| {
            none_of(
                c.extensions
                    .iter()
                    .filter(|e| e.criticality.is_some_and(|v| v != [0xff]))
                    .map(|e| show_oid(e.oid)),
            )
        },
    )
    .since(since::ALWAYS),
    crl_must(
        "crl-authority-key-id",
        "RFC 5280 §5.2.1",
        "the authority key identifier names the signing key",
        |c| {
            let value = c
                .ext(&oids::AUTHORITY_KEY_IDENTIFIER)
                .map(|e| AuthorityKey::read(&mut Reader::new(e.value)));
            holds(value.is_some_and(|k| k.is_ok_and(|k| k.key_id.is_some())))
        },
    ),
    crl_must(
        "crl-number-present",
        "RFC 5280 §5.2.3",
        "the CRL number is present and not critical",
        |c| holds(c.ext(&oids::CRL_NUMBER).is_some_and(|e| !e.is_critical)),
    ),
    crl_must(
        "crl-number-form",
        "RFC 5280 §5.2.3",
        "CRL numbers are not negative and have at most 20 octets",
        |c| {
            let numbers = [oids::CRL_NUMBER, oids::DELTA_CRL_INDICATOR];
            holds(numbers.iter().filter_map(|o| c.ext(o)).all(is_crl_number))
        },
    ),
    crl_must(
        "crl-delta-critical",
        "RFC 5280 §5.2.4",
        "the delta CRL indicator is critical",
        |c| {
            holds(
                c.ext(&oids::DELTA_CRL_INDICATOR)
                    .is_none_or(|e| e.is_critical),
            )
        },
    ),
    crl_must(
        "crl-delta-no-freshest",
        "RFC 5280 §5.2.6",
        "a delta CRL does not point to a fresher one",
        |c| holds(!c.is_delta() || c.ext(&oids::FRESHEST_CRL).is_none()),
    ),
    crl_must(
        "crl-distribution-point-critical",
        "RFC 5280 §5.2.5",
        "the issuing distribution point is critical",
        |c| {
            holds(
                c.ext(&oids::ISSUING_DISTRIBUTION_POINT)
                    .is_none_or(|e| e.is_critical),
            )
        },
    ),
    crl_must(
        "crl-distribution-point-scope",
        "RFC 5280 §5.2.5",
        "the issuing distribution point is not empty and narrows to one kind of certificate at most",
        distribution_point_scope,
    ),
    crl_should(
        "crl-critical-extension-known",
        "RFC 5280 §5.2",
        "critical extensions are the delta indicator and the issuing distribution point",
        |c| {
            let known = [oids::DELTA_CRL_INDICATOR, oids::ISSUING_DISTRIBUTION_POINT];
            none_of(unknown_critical(&c.extensions, &known))
        },
    ),
    crl_must(
        "crl-no-empty-list",
        "RFC 5280 §5.1.2.6",
        "without revoked certificates the list is absent, not empty",
        |c| holds(c.revoked.is_none_or(|r| !r.is_empty())),
    ),
];

pub(super) static ENTRY_RULES: &[Rule] = &[
    crl_must(
        "crl-entry-readable",
        "RFC 5280 §5.1.2.6",
        "every entry can be read",
        |c| none_of(c.entries().filter_map(Result::err).map(|e| e.to_string())),
    ),
    crl_must(
        "crl-entry-once",
        "RFC 5280 §5.1.2.6",
        "no serial number is listed twice in a direct CRL",
        repeated_serial,
    ),
    entry_must(
        "crl-entry-serial",
        "RFC 5280 §4.1.2.2, §5.1.2.6",
        "serial numbers are positive integers in shortest form",
        |_, e| is_minimal_integer(e.serial) && e.serial.first().is_some_and(|b| b & 0x80 == 0),
    ),
    entry_must(
        "crl-entry-date",
        "RFC 5280 §5.1.2.6",
        "revocation dates are written as the CRL's own times are",
        |_, e| is_time_form(&e.date) && is_time_type(&e.date),
    ),
    entry_should(
        "crl-entry-date-past",
        "RFC 5280 §5.1.2.6",
        "nothing is revoked later than the CRL was issued",
        |list, e| Time::from_element_lenient(e.date).ok() <= list.issued,
    ),
    entry_must(
        "crl-entry-extensions-not-empty",
        "RFC 5280 §5.3",
        "an entry's extensions are not an empty list",
        |_, e| !e.has_empty_extensions,
    ),
    entry_must(
        "crl-entry-reason-code",
        "RFC 5280 §5.3.1",
        "reason codes are 1 to 6 and 8 to 10",
        |_, e| reason(e).is_none_or(|r| matches!(r, Some(0..=6 | 8..=10))),
    ),
    entry_should(
        "crl-entry-reason-stated",
        "RFC 5280 §5.3.1",
        "unspecified is said by leaving the reason out",
        |_, e| reason(e) != Some(Some(0)),
    ),
    entry_must(
        "crl-entry-remove-only-delta",
        "RFC 5280 §5.3.1",
        "removeFromCRL occurs only in delta CRLs",
        |list, e| list.is_delta || reason(e) != Some(Some(8)),
    ),
    entry_must(
        "crl-entry-never-critical",
        "RFC 5280 §5.3.1, §5.3.2",
        "reason code and invalidity date are not critical",
        |_, e| {
            let never = [oids::CRL_REASON, oids::INVALIDITY_DATE];
            !e.extensions
                .iter()
                .any(|x| x.is_critical && never.iter().any(|o| is(x, o)))
        },
    ),
    entry_must(
        "crl-entry-invalidity-date",
        "RFC 5280 §5.3.2",
        "the invalidity date is a GeneralizedTime in full seconds",
        |_, e| entry_ext(e, &oids::INVALIDITY_DATE).is_none_or(is_generalized),
    ),
    entry_must(
        "crl-entry-issuer-critical",
        "RFC 5280 §5.3.3",
        "certificate issuer is critical and stands only in an indirect CRL",
        |list, e| {
            let named = entry_ext(e, &oids::CERTIFICATE_ISSUER);
            named.is_none_or(|x| x.is_critical && list.is_indirect)
        },
    ),
];

fn times<'a>(c: &CrlView<'a>) -> impl Iterator<Item = Element<'a>> {
    [Some(c.this_update), c.next_update].into_iter().flatten()
}

fn is(e: &ExtView<'_>, oid: &Oid) -> bool {
    e.oid == oid.as_bytes()
}

fn unknown_critical(extensions: &[ExtView<'_>], known: &[Oid]) -> impl Iterator<Item = String> {
    let unknown = |e: &&ExtView<'_>| e.is_critical && !known.iter().any(|o| is(e, o));
    extensions.iter().filter(unknown).map(|e| show_oid(e.oid))
}

fn is_crl_number(e: &ExtView<'_>) -> bool {
    let number = Reader::new(e.value).integer();
    number.is_ok_and(|n| n.len() <= 20 && n.first().is_some_and(|b| b & 0x80 == 0))
}

fn distribution_point(c: &CrlView<'_>) -> Option<Result<IssuingDistributionPoint, crate::Error>> {
    c.ext(&oids::ISSUING_DISTRIBUTION_POINT)
        .map(|e| IssuingDistributionPoint::parse(e.value))
}

fn distribution_point_scope(c: &CrlView<'_>) -> Verdict {
    match distribution_point(c)? {
        Err(e) => Some(e.to_string().into()),
        Ok(d) => {
            let kinds = [d.only_user_certs, d.only_ca_certs, d.only_attribute_certs];
            let narrowed = kinds.iter().filter(|k| **k).count();
            holds(d != IssuingDistributionPoint::default() && narrowed <= 1)
        }
    }
}

fn repeated_serial(c: &CrlView<'_>) -> Verdict {
    let serials: Vec<&[u8]> = c.entries().flatten().map(|e| e.serial).collect();
    match c.is_indirect() {
        true => None,
        false => none_of(first_repeated(&serials).map(hex::encode).into_iter()),
    }
}

fn entry_ext<'e, 'a>(e: &'e Entry<'a>, oid: &Oid) -> Option<&'e ExtView<'a>> {
    e.extensions.iter().find(|x| is(x, oid))
}

/// The reason code; `Some(None)` if it cannot be read.
fn reason(e: &Entry<'_>) -> Option<Option<u8>> {
    let ext = entry_ext(e, &oids::CRL_REASON)?;
    Some(Reader::new(ext.value).enumerated().ok())
}

fn is_generalized(e: &ExtView<'_>) -> bool {
    let date = Reader::new(e.value).expect(Tag::GENERALIZED_TIME);
    date.is_ok_and(|d| is_time_form(&d))
}
