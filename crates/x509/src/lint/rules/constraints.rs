//! What an authority's authority is limited to: policies and names (RFC 5280 §4.2.1.4, .5, .10, .11, .14).

use super::{
    Cert, Rule, Scope::*, Verdict, first_repeated, holds, must, none_of, should, show_oid,
};
use crate::{
    Oid,
    ext::{Constraint, ExtensionValue, NameConstraints, PolicyConstraints, PolicyMappings},
    oids,
};

pub(super) static RULES: &[Rule] = &[
    must(
        Certificate,
        "policies-not-empty",
        "RFC 5280 §4.2.1.4",
        "certificate policies names a policy",
        |c| holds(c.policies.as_ref().is_none_or(|p| !p.is_empty())),
    ),
    must(
        Certificate,
        "policies-no-duplicates",
        "RFC 5280 §4.2.1.4",
        "no policy is named twice",
        |c| {
            let all: Vec<&[u8]> = c.policies.iter().flatten().map(|p| p.id).collect();
            none_of(first_repeated(&all).map(show_oid).into_iter())
        },
    ),
    should(
        Certificate,
        "policies-no-user-notice",
        "RFC 5280 §4.2.1.4; CABF BR §7.1.2.11.5",
        "policies carry at most a CPS pointer: a user notice swells every handshake",
        |c| {
            let notice = oids::QT_UNOTICE;
            let has = |q: &[u8]| {
                q.windows(notice.as_bytes().len())
                    .any(|w| w == notice.as_bytes())
            };
            holds(
                !c.policies
                    .iter()
                    .flatten()
                    .any(|p| p.qualifiers.is_some_and(has)),
            )
        },
    ),
    must(
        EndEntity,
        "authority-extensions-only-in-authorities",
        "RFC 5280 §4.2.1.5, §4.2.1.10, §4.2.1.11, §4.2.1.14",
        "name constraints, policy mappings, policy constraints and inhibit anyPolicy stand only in authorities",
        |c| {
            none_of(
                AUTHORITY_ONLY
                    .iter()
                    .filter(|o| c.ext(o).is_some())
                    .map(|o| show_oid(o.as_bytes())),
            )
        },
    ),
    must(
        Certificate,
        "constraints-critical",
        "RFC 5280 §4.2.1.10, §4.2.1.11, §4.2.1.14",
        "name constraints, policy constraints and inhibit anyPolicy are critical",
        |c| {
            let critical = [
                oids::NAME_CONSTRAINTS,
                oids::POLICY_CONSTRAINTS,
                oids::INHIBIT_ANY_POLICY,
            ];
            none_of(
                critical
                    .iter()
                    .filter(|o| c.ext(o).is_some_and(|e| !e.is_critical))
                    .map(|o| show_oid(o.as_bytes())),
            )
        },
    ),
    should(
        Certificate,
        "policy-mappings-critical",
        "RFC 5280 §4.2.1.5",
        "policy mappings are critical",
        |c| holds(c.ext(&oids::POLICY_MAPPINGS).is_none_or(|e| e.is_critical)),
    ),
    must(
        Certificate,
        "policy-mappings-not-any",
        "RFC 5280 §4.2.1.5",
        "policies are not mapped to or from anyPolicy, and there is at least one mapping",
        |c| {
            let any = oids::ANY_POLICY;
            typed(c, |m: PolicyMappings| {
                !m.0.is_empty() && !m.0.iter().any(|(i, s)| *i == any || *s == any)
            })
        },
    ),
    must(
        Certificate,
        "policy-constraints-not-empty",
        "RFC 5280 §4.2.1.11",
        "policy constraints hold at least one of their two fields",
        |c| {
            typed(c, |p: PolicyConstraints| {
                p.require_explicit.is_some() || p.inhibit_mapping.is_some()
            })
        },
    ),
    must(
        Certificate,
        "name-constraints-not-empty",
        "RFC 5280 §4.2.1.10",
        "name constraints hold a permitted or an excluded subtree",
        |c| {
            typed(c, |n: NameConstraints| {
                !n.permitted.is_empty() || !n.excluded.is_empty()
            })
        },
    ),
    must(
        Certificate,
        "name-constraints-whole-subtrees",
        "RFC 5280 §4.2.1.10",
        "the minimum of a subtree is 0 and its maximum absent",
        |c| {
            typed(c, |n: NameConstraints| {
                subtrees(&n).all(|s| s.minimum == 0 && s.maximum.is_none())
            })
        },
    ),
    must(
        Certificate,
        "name-constraints-address-mask",
        "RFC 5280 §4.2.1.10, RFC 4632 §3.1",
        "the mask of an address range is a prefix and covers the address",
        |c| {
            typed(c, |n: NameConstraints| {
                subtrees(&n).all(|s| !matches!(&s.base, Constraint::Ip(r) if !is_prefix(&r.mask)))
            })
        },
    ),
    must(
        Certificate,
        "name-constraints-dns-form",
        "RFC 5280 §4.2.1.10",
        "a dNSName constraint has no leading dot and no wildcard: subdomains are always included",
        |c| {
            typed(c, |n: NameConstraints| {
                subtrees(&n)
                    .all(|s| !matches!(&s.base, Constraint::Dns(d) if d.starts_with(['.', '*'])))
            })
        },
    ),
];

const AUTHORITY_ONLY: [Oid; 4] = [
    oids::NAME_CONSTRAINTS,
    oids::POLICY_MAPPINGS,
    oids::POLICY_CONSTRAINTS,
    oids::INHIBIT_ANY_POLICY,
];

/// Looks at the typed value; one that cannot be read breaks the rule as well.
fn typed<T: ExtensionValue>(c: &Cert<'_>, good: impl Fn(T) -> bool) -> Verdict {
    match c.ext(&T::OID).map(|e| T::parse(e.value)) {
        None => None,
        Some(Ok(value)) => holds(good(value)),
        Some(Err(e)) => Some(e.to_string().into()),
    }
}

fn subtrees(n: &NameConstraints) -> impl Iterator<Item = &crate::ext::GeneralSubtree> {
    n.permitted.iter().chain(&n.excluded)
}

fn is_prefix(mask: &[u8]) -> bool {
    let ones: u32 = mask
        .iter()
        .map(|b| b.leading_ones())
        .take_while(|n| *n == 8)
        .sum();
    let mut rest = mask.iter().skip((ones / 8) as usize);
    let boundary = rest
        .next()
        .is_none_or(|b| b.leading_ones() + b.trailing_zeros() >= 8);
    boundary && rest.all(|b| *b == 0)
}
