//! Version, serial number, signature algorithm and validity (RFC 5280 §4.1).

use super::{Rule, Scope::*, Verdict, holds, may, must, none_of, should, show_oid, since};
use crate::{
    der::{Element, Tag, is_minimal_integer},
    lint::view::Algorithm,
    oids,
};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "der-shortest-lengths",
        "X.690 §10.1",
        "lengths are written in their shortest form",
        |c| holds(!c.is_sloppy),
    )
    .since(since::ALWAYS),
    must(
        Certificate,
        "version-v3",
        "RFC 5280 §4.1.2.1",
        "a certificate with extensions has version 3",
        |c| holds(c.version == 2),
    ),
    must(
        Certificate,
        "serial-positive",
        "RFC 5280 §4.1.2.2",
        "the serial number is not negative",
        |c| holds(c.serial.first().is_some_and(|b| b & 0x80 == 0)),
    ),
    must(
        Certificate,
        "serial-not-zero",
        "RFC 5280 §4.1.2.2",
        "the serial number is not zero",
        |c| holds(c.serial.iter().any(|b| *b != 0)),
    ),
    must(
        Certificate,
        "serial-length",
        "RFC 5280 §4.1.2.2",
        "the serial number has at most 20 octets",
        |c| holds(c.serial.len() <= 20),
    ),
    must(
        Certificate,
        "serial-shortest-form",
        "X.690 §8.3.2",
        "the serial number is an INTEGER without padding",
        |c| holds(is_minimal_integer(c.serial)),
    )
    .since(since::ALWAYS),
    should(
        Certificate,
        "serial-entropy",
        "CABF BR §7.1",
        "the serial number has room for 64 unpredictable bits",
        |c| holds(c.serial.len() >= 8),
    )
    .since(since::ENTROPY),
    must(
        Certificate,
        "signature-algorithm-strong",
        "NIST SP 800-131A r2 §3, §9",
        "the signature does not rest on MD5 or SHA-1",
        |c| weak_algorithm(&c.signature),
    )
    .since(since::SHA2_ONLY),
    must(
        Certificate,
        "signature-algorithm-known",
        "RFC 5280 §4.1.1.2",
        "the signature algorithm is RSA PKCS#1, RSA-PSS, ECDSA or Ed25519 with SHA-2",
        |c| known_algorithm(&c.signature),
    ),
    must(
        Certificate,
        "signature-algorithm-parameters",
        "RFC 4055 §5, RFC 5758 §3.2, RFC 8410 §3",
        "algorithm parameters are NULL for RSA PKCS#1 and absent for ECDSA and Ed25519",
        |c| algorithm_parameters(&c.signature),
    ),
    must(
        Certificate,
        "rsa-pss-parameters",
        "RFC 4055 §3.1, RFC 8017 §A.2.3",
        "RSA-PSS parameters are one of the three encodings with SHA-2, MGF1 of the same hash and a salt of its length",
        |c| pss_parameters(&c.signature),
    ),
    must(
        Certificate,
        "validity-form",
        "RFC 5280 §4.1.2.5",
        "times have seconds, end in Z and have no fraction",
        |c| {
            none_of(
                [c.not_before, c.not_after]
                    .into_iter()
                    .filter(|t| !is_time_form(t))
                    .map(|t| show_time(&t)),
            )
        },
    ),
    must(
        Certificate,
        "validity-type",
        "RFC 5280 §4.1.2.5",
        "dates through 2049 are UTCTime and dates from 2050 on are GeneralizedTime",
        |c| {
            none_of(
                [c.not_before, c.not_after]
                    .into_iter()
                    .filter(|t| !is_time_type(t))
                    .map(|t| show_time(&t)),
            )
        },
    ),
    must(
        Certificate,
        "validity-order",
        "RFC 5280 §4.1.2.5",
        "notBefore lies before notAfter",
        |c| holds(matches!((c.valid_from, c.valid_to), (Some(from), Some(to)) if from < to)),
    ),
    should(
        Certificate,
        "validity-within-issuer",
        "RFC 5280 §6.1.3 (a)(2)",
        "the certificate does not outlive its issuer, after whose end no path is valid",
        |c| {
            holds(
                c.context
                    .issuer
                    .is_none_or(|i| c.valid_to.is_some_and(|to| to <= i.not_after)),
            )
        },
    ),
    should(
        TlsServer,
        "server-validity-three-years",
        "NIST SP 800-52 r2 §3.2.1",
        "a TLS server certificate is valid for at most three years",
        |c| match (c.valid_from, c.valid_to) {
            (Some(from), Some(to)) => holds(to.0.saturating_sub(from.0) <= 1096 * 86_400),
            _ => None,
        },
    )
    .since(since::SP800_52R2),
    must(
        Certificate,
        "no-unique-ids",
        "RFC 5280 §4.1.2.8",
        "issuerUniqueID and subjectUniqueID are absent",
        |c| holds(!c.has_unique_ids),
    ),
    may(
        Authority,
        "authority-validity-expires",
        "NIST SP 800-57 pt 1 §5.3",
        "an authority's certificate has an end within 30 years",
        |c| match (c.valid_from, c.valid_to) {
            (Some(from), Some(to)) => holds(to.0.saturating_sub(from.0) <= 30 * 366 * 86_400),
            _ => None,
        },
    ),
];

pub(super) fn weak_algorithm(a: &Algorithm<'_>) -> Verdict {
    let weak = [
        oids::MD2_RSA,
        oids::MD5_RSA,
        oids::SHA1_RSA,
        oids::ECDSA_SHA1,
        oids::DSA_SHA1,
    ];
    none_of(
        weak.iter()
            .filter(|w| w.as_bytes() == a.oid)
            .map(|w| show_oid(w.as_bytes())),
    )
}

const RSA_PKCS1: [crate::Oid; 3] = [oids::SHA256_RSA, oids::SHA384_RSA, oids::SHA512_RSA];
const WITHOUT_PARAMETERS: [crate::Oid; 4] = [
    oids::ECDSA_SHA256,
    oids::ECDSA_SHA384,
    oids::ECDSA_SHA512,
    oids::ED25519,
];

pub(super) fn known_algorithm(a: &Algorithm<'_>) -> Verdict {
    let pss = [oids::RSASSA_PSS];
    let mut known = RSA_PKCS1.iter().chain(&WITHOUT_PARAMETERS).chain(&pss);
    match known.any(|k| k.as_bytes() == a.oid) {
        true => None,
        false => Some(show_oid(a.oid).into()),
    }
}

pub(super) fn algorithm_parameters(a: &Algorithm<'_>) -> Verdict {
    if RSA_PKCS1.iter().any(|k| k.as_bytes() == a.oid) {
        return holds(a.parameters.is_some_and(|p| p.raw == [5, 0]));
    }
    if WITHOUT_PARAMETERS.iter().any(|k| k.as_bytes() == a.oid) {
        return holds(a.parameters.is_none());
    }
    None
}

pub(super) fn pss_parameters(a: &Algorithm<'_>) -> Verdict {
    if a.oid != oids::RSASSA_PSS.as_bytes() {
        return None;
    }
    let hashes = [(oids::SHA256, 32), (oids::SHA384, 48), (oids::SHA512, 64)];
    let found = a.parameters.map(|p| p.raw).unwrap_or_default();
    holds(hashes.iter().any(|(hash, salt)| {
        [true, false]
            .iter()
            .any(|null| pss(hash, *salt, *null) == found)
    }))
}

/// RSASSA-PSS-params; RFC 4055 §2.1 accepts the hash both with NULL and without parameters.
fn pss(hash: &crate::Oid, salt: u64, null: bool) -> Vec<u8> {
    use crate::der::Writer;
    let hash_algorithm = |w: &mut Writer| {
        w.sequence(|w| {
            w.oid(hash);
            if null {
                w.null();
            }
        });
    };
    crate::der::sequence(|w| {
        w.nested(Tag::context_constructed(0), hash_algorithm);
        w.nested(Tag::context_constructed(1), |w| {
            w.sequence(|w| {
                w.oid(&oids::MGF1);
                hash_algorithm(w);
            });
        });
        w.nested(Tag::context_constructed(2), |w| {
            w.u64(salt);
        });
    })
}

pub(super) fn is_time_form(t: &Element<'_>) -> bool {
    let digits = match t.tag {
        Tag::UTC_TIME => 12,
        Tag::GENERALIZED_TIME => 14,
        _ => return false,
    };
    t.value.len() == digits + 1
        && t.value.last() == Some(&b'Z')
        && t.value.iter().take(digits).all(u8::is_ascii_digit)
        && crate::Time::from_element(*t).is_ok()
}

pub(super) fn is_time_type(t: &Element<'_>) -> bool {
    match t.tag {
        Tag::UTC_TIME => true,
        Tag::GENERALIZED_TIME => t.value.get(..4).is_some_and(|year| year >= &b"2050"[..]),
        _ => false,
    }
}

pub(super) fn show_time(t: &Element<'_>) -> String {
    format!("{} {}", t.tag, crate::lint::syntax::show(t.value))
}
