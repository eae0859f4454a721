//! The subject's public key (RFC 8017, RFC 5480, RFC 8410; sizes by NIST SP 800-131A).

use super::{Cert, Rule, Scope::*, Verdict, holds, must, should, show_oid, since};
use crate::{der::Tag, oids};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "key-algorithm-known",
        "NIST SP 800-131A r2 §3; CABF BR §7.1.3.1",
        "the key is RSA, on a NIST curve, or Ed25519",
        |c| match c.spki.is_rsa() || c.spki.is_ec() || c.spki.is_ed25519() {
            true => None,
            false => Some(show_oid(c.spki.algorithm.oid).into()),
        },
    ),
    must(
        Certificate,
        "rsa-parameters-null",
        "RFC 3279 §2.3.1, RFC 4055 §1.2",
        "the parameters of an RSA key are NULL",
        |c| holds(!c.spki.is_rsa() || c.spki.algorithm.parameters.is_some_and(|p| p.raw == [5, 0])),
    ),
    must(
        Certificate,
        "rsa-key-well-formed",
        "RFC 8017 §A.1.1",
        "an RSA key is a SEQUENCE of a positive odd modulus and a positive exponent",
        |c| {
            holds(
                !c.spki.is_rsa()
                    || c.spki
                        .rsa()
                        .is_some_and(|(n, _)| n.last().is_some_and(|b| b & 1 == 1)),
            )
        },
    ),
    must(
        Certificate,
        "rsa-2048-bits",
        "NIST SP 800-131A r2 §3",
        "an RSA modulus has at least 2048 bits",
        |c| holds(c.spki.rsa().is_none_or(|(n, _)| bits(n) >= 2048)),
    )
    .since(since::BASELINE),
    should(
        Certificate,
        "rsa-bits-multiple-of-eight",
        "CABF BR §6.1.5",
        "the bits of an RSA modulus are a multiple of 8",
        |c| holds(c.spki.rsa().is_none_or(|(n, _)| bits(n).is_multiple_of(8))),
    )
    .since(since::BASELINE),
    must(
        Certificate,
        "rsa-exponent",
        "NIST SP 800-56B r2 §6.2; CABF BR §6.1.6",
        "an RSA exponent is odd and from 65537 to 2^256-1",
        |c| holds(c.spki.rsa().is_none_or(|(_, e)| is_sound_exponent(e))),
    )
    .since(since::BASELINE),
    must(
        Certificate,
        "ec-named-curve",
        "RFC 5480 §2.1.1",
        "an EC key names its curve, which is P-256, P-384 or P-521",
        |c| holds(!c.spki.is_ec() || field_octets(c).is_some()),
    )
    .since(since::RFC5480),
    must(
        Certificate,
        "ec-point-uncompressed",
        "RFC 5480 §2.2; CABF BR §7.1.3.1.2",
        "an EC point is uncompressed and has the length of its curve",
        ec_point,
    )
    .since(since::RFC5480),
    must(
        Certificate,
        "ed25519-form",
        "RFC 8410 §3, §4",
        "an Ed25519 key has 32 octets and no parameters",
        |c| {
            holds(
                !c.spki.is_ed25519()
                    || (c.spki.key.len() == 32 && c.spki.algorithm.parameters.is_none()),
            )
        },
    )
    .since(since::RFC8410),
];

fn bits(modulus: &[u8]) -> usize {
    let lead = modulus.first().map_or(0, |b| b.leading_zeros() as usize);
    modulus.len() * 8 - lead
}

/// An odd number of three octets or more is at least 65537.
fn is_sound_exponent(e: &[u8]) -> bool {
    (3..=32).contains(&e.len()) && e.last().is_some_and(|b| b & 1 == 1)
}

/// Octets in a coordinate of the named curve.
fn field_octets(c: &Cert<'_>) -> Option<usize> {
    let named = c
        .spki
        .algorithm
        .parameters
        .filter(|p| p.tag == Tag::OID)?
        .value;
    let curves = [(oids::P256, 32), (oids::P384, 48), (oids::P521, 66)];
    curves
        .iter()
        .find(|(o, _)| o.as_bytes() == named)
        .map(|(_, n)| *n)
}

fn ec_point(c: &Cert<'_>) -> Verdict {
    match field_octets(c) {
        Some(n) if c.spki.is_ec() => {
            holds(c.spki.key.len() == 2 * n + 1 && c.spki.key.first() == Some(&4))
        }
        _ => None,
    }
}
