//! What a key may be used for: key usage and basic constraints (RFC 5280 §4.2.1.3, §4.2.1.9).

use super::{Cert, Rule, Scope::*, Verdict, holds, must, should, since};
use crate::{
    der::{Reader, Tag, parse_bit_string},
    lint::view::usage::*,
    oids,
};

pub(super) static RULES: &[Rule] = &[
    must(
        Authority,
        "basic-constraints-critical",
        "RFC 5280 §4.2.1.9",
        "basic constraints are critical in an authority's certificate",
        |c| {
            holds(
                c.ext(&oids::BASIC_CONSTRAINTS)
                    .is_none_or(|e| e.is_critical),
            )
        },
    ),
    must(
        Certificate,
        "basic-constraints-encoding",
        "X.690 §11.5",
        "a false cA is left out of basic constraints",
        |c| {
            holds(
                c.ext(&oids::BASIC_CONSTRAINTS)
                    .is_none_or(|e| e.value != [0x30, 3, 1, 1, 0]),
            )
        },
    ),
    must(
        Certificate,
        "path-length-only-for-authorities",
        "RFC 5280 §4.2.1.9",
        "a path length needs cA and, where there is a key usage, keyCertSign",
        |c| {
            let signs = c.key_usage.is_none_or(|u| u & KEY_CERT_SIGN != 0);
            holds(c.path_len.is_none() || (c.is_authority && signs))
        },
    ),
    must(
        EndEntity,
        "basic-constraints-when-signing",
        "RFC 5280 §4.2.1.3, §4.2.1.9",
        "keyCertSign is asserted only where cA is",
        |c| holds(c.usage() & KEY_CERT_SIGN == 0),
    ),
    must(
        Authority,
        "key-usage-in-authority",
        "RFC 5280 §4.2.1.3",
        "an authority's certificate has a key usage",
        |c| holds(c.ext(&oids::KEY_USAGE).is_some()),
    ),
    must(
        Authority,
        "key-usage-signs-certificates",
        "RFC 5280 §4.2.1.3, §4.2.1.9",
        "the key usage of an authority asserts keyCertSign",
        |c| holds(c.key_usage.is_none_or(|u| u & KEY_CERT_SIGN != 0)),
    ),
    should(
        Authority,
        "key-usage-signs-crls",
        "RFC 5280 §4.2.1.3, §5",
        "the key usage of an authority that names no other CRL issuer asserts cRLSign",
        |c| holds(c.key_usage.is_none_or(|u| u & CRL_SIGN != 0)),
    ),
    should(
        Certificate,
        "key-usage-critical",
        "RFC 5280 §4.2.1.3",
        "key usage is critical",
        |c| holds(c.ext(&oids::KEY_USAGE).is_none_or(|e| e.is_critical)),
    ),
    must(
        Certificate,
        "key-usage-not-empty",
        "RFC 5280 §4.2.1.3",
        "key usage asserts at least one bit",
        |c| holds(c.key_usage.is_none_or(|u| u != 0)),
    ),
    must(
        Certificate,
        "key-usage-encoding",
        "X.690 §11.2.2",
        "the bits of key usage end with the last one set",
        |c| {
            holds(
                c.ext(&oids::KEY_USAGE)
                    .is_none_or(|e| has_no_trailing_zeros(e.value)),
            )
        },
    )
    .since(since::ALWAYS),
    should(
        EndEntity,
        "key-usage-present",
        "RFC 5280 §4.2.1.3",
        "an end entity states what its key is for",
        |c| holds(c.ext(&oids::KEY_USAGE).is_some()),
    ),
    must(
        Certificate,
        "ec-key-no-encipherment",
        "RFC 5480 §3, RFC 8813 §3",
        "an EC key asserts neither keyEncipherment nor dataEncipherment",
        |c| holds(!c.spki.is_ec() || c.usage() & (KEY_ENCIPHERMENT | DATA_ENCIPHERMENT) == 0),
    )
    .since(since::RFC8813),
    must(
        Certificate,
        "ed25519-key-only-signs",
        "RFC 8410 §5",
        "an Ed25519 key asserts nothing but signing",
        |c| {
            let signing = DIGITAL_SIGNATURE | CONTENT_COMMITMENT | KEY_CERT_SIGN | CRL_SIGN;
            holds(!c.spki.is_ed25519() || c.usage() & !signing == 0)
        },
    )
    .since(since::RFC8410),
    must(
        Certificate,
        "rsa-key-no-agreement",
        "RFC 3279 §2.3.1",
        "an RSA key does not assert keyAgreement",
        |c| {
            holds(
                !c.spki.is_rsa()
                    || c.usage() & (KEY_AGREEMENT | ENCIPHER_ONLY | DECIPHER_ONLY) == 0,
            )
        },
    ),
    must(
        Certificate,
        "encipher-only-needs-agreement",
        "RFC 5280 §4.2.1.3, RFC 5480 §3",
        "encipherOnly and decipherOnly qualify keyAgreement, one at a time",
        |c| {
            let only = c.usage() & (ENCIPHER_ONLY | DECIPHER_ONLY);
            let agreement = c.usage() & KEY_AGREEMENT != 0;
            holds(only == 0 || (agreement && only.count_ones() == 1))
        },
    ),
    should(
        EndEntity,
        "least-key-usage",
        "NIST SP 800-57 pt 1 §5.2",
        "one key does not both sign for commitment and decipher",
        |c| {
            holds(
                c.usage() & CONTENT_COMMITMENT == 0
                    || c.usage() & (KEY_ENCIPHERMENT | DATA_ENCIPHERMENT | KEY_AGREEMENT) == 0,
            )
        },
    ),
    should(
        EndEntity,
        "end-entity-no-crl-sign",
        "RFC 5280 §4.2.1.3",
        "an end entity that is no CRL issuer does not assert cRLSign",
        end_entity_crl_sign,
    ),
];

/// A delegated CRL issuer is an end entity with nothing but cRLSign.
fn end_entity_crl_sign(c: &Cert<'_>) -> Verdict {
    holds(c.usage() & CRL_SIGN == 0 || c.usage() == CRL_SIGN)
}

fn has_no_trailing_zeros(value: &[u8]) -> bool {
    let bits = Reader::new(value)
        .value(Tag::BIT_STRING)
        .and_then(parse_bit_string);
    bits.is_ok_and(|b| match b.bytes.last() {
        Some(last) => *last != 0 && last.trailing_zeros() == u32::from(b.unused),
        None => true,
    })
}
