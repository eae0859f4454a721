//! The chain as it was sent (RFC 5246 §7.4.2, RFC 8446 §4.4.2; R19).

use std::sync::Arc;

use x509::Certificate;
use x509::ext::{AuthorityKeyId, SubjectKeyId};

use super::{Look, Rule, Severity::*, is_served, of_place, words};
use crate::inventory::PlaceFacts;

/// Certificates of a chain that are looked at. Real ones have two to four; a scan takes 200 and more.
const LONGEST: usize = 32;

pub(super) static RULES: &[Rule] = &[
    of_place(
        High,
        ("chain.incomplete", "a certificate of its chain is not sent"),
        "RFC 5246 §7.4.2; RFC 8446 §4.4.2; NIST SP 800-52r2 §3.2.1; R19",
        "install the whole chain: the certificate, then each issuer below the root",
        incomplete,
    ),
    of_place(
        Low,
        (
            "chain.order",
            "the chain is sent out of order, or with certificates that do not belong",
        ),
        "RFC 5246 §7.4.2; RFC 8446 §4.4.2",
        "send each certificate once, each followed by the one that certifies it",
        out_of_order,
    ),
    of_place(
        High,
        ("chain.expired", "an issuer in its chain has ended"),
        "RFC 5280 §6.1.3 (a)(2)",
        "install the issuer's present certificate",
        expired_issuer,
    ),
];

fn sent(place: &PlaceFacts) -> &[Arc<Certificate>] {
    let all = &place.chain;
    all.get(..LONGEST).unwrap_or(all)
}

/// By names and key identifiers; signatures are the inventory's matter, and were verified there.
fn certifies(issuer: &Certificate, subject: &Certificate) -> bool {
    if !issuer.subject().canonical_eq(subject.issuer()) {
        return false;
    }
    let wanted = subject.ext::<AuthorityKeyId>().ok().flatten();
    let wanted = wanted.and_then(|id| id.key_id);
    let has = issuer.ext::<SubjectKeyId>().ok().flatten();
    match (wanted, has) {
        (Some(wanted), Some(has)) => wanted == has.0,
        _ => true,
    }
}

/// A root may be left out: whoever trusts it has it. What is not known to be missing is not said to be.
fn incomplete(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    if !is_served(place) || look.facts.self_signed {
        return None;
    }
    let chain = sent(place);
    let mut top = look.certificate();
    // No longer than the chain: each step uses another certificate, or a loop ends the search.
    for _ in 0..chain.len() {
        let above = chain
            .iter()
            .find(|one| one.as_ref() != top && certifies(one, top));
        match above {
            Some(above) => top = above,
            None => break,
        }
        if top.is_self_issued() {
            return None;
        }
    }
    let known = look.facts.issuers.iter().find(|one| certifies(one, top))?;
    (!known.is_self_issued()).then(|| {
        format!(
            "{} certificate(s) sent; {} is missing",
            chain.len(),
            words::called(known)
        )
    })
}

fn out_of_order(_: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let chain = sent(place);
    let (at, pair) = chain
        .windows(2)
        .enumerate()
        .find(|(_, pair)| matches!(pair, [subject, issuer] if subject == issuer || !certifies(issuer, subject)))?;
    let [before, wrong] = pair else { return None };
    let number = at + 2;
    let repeated = chain.iter().take(at + 1).any(|one| one == wrong);
    Some(match repeated {
        true => format!("number {number}, {}, was sent before", words::called(wrong)),
        false => format!(
            "number {number}, {}, does not certify {} before it",
            words::called(wrong),
            words::called(before)
        ),
    })
}

/// A root that has ended and is sent along harms nobody who does not trust it.
fn expired_issuer(look: &Look<'_>, place: &PlaceFacts) -> Option<String> {
    let mut issuers = sent(place).iter().skip(1);
    let ended = issuers.find(|one| one.not_after() < look.now && !one.is_self_issued())?;
    let since = words::days(look.now.0 - ended.not_after().0);
    Some(format!("{} ended {since} ago", words::called(ended)))
}
