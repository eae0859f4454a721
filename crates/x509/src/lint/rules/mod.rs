//! The table, in parts: one file for each part of a certificate, and one for CRLs.

mod constraints;
mod crl;
mod extensions;
mod frame;
mod keys;
mod location;
mod names;
mod purposes;
mod usage;

use super::{Cert, Check, CrlView, EntryCheck, Rule, Scope, Severity, Verdict};
use crate::Oid;

pub(super) static TABLES: &[&[Rule]] = &[
    frame::RULES,
    names::RULES,
    keys::RULES,
    extensions::RULES,
    usage::RULES,
    purposes::RULES,
    location::RULES,
    constraints::RULES,
    crl::RULES,
    crl::ENTRY_RULES,
];

/// When the texts that the rules cite came into force.
pub(super) mod since {
    use crate::Time;

    /// X.690 and X.509 as every certificate in use has known them.
    pub(crate) const ALWAYS: Time = Time::EARLIEST;
    pub(crate) const RFC5280: Time = Time(1_209_600_000); // 2008-05-01
    pub(crate) const RFC5480: Time = Time(1_235_865_600); // 2009-03-01
    pub(crate) const BASELINE: Time = Time(1_341_100_800); // 2012-07-01, CA/Browser Forum BR 1.0
    pub(crate) const SHA2_ONLY: Time = Time(1_451_606_400); // 2016-01-01, BR §7.1.3, SP 800-131A
    pub(crate) const ENTROPY: Time = Time(1_475_193_600); // 2016-09-30, BR §7.1 (ballot 164)
    pub(crate) const RFC8410: Time = Time(1_533_081_600); // 2018-08-01
    pub(crate) const SP800_52R2: Time = Time(1_564_617_600); // 2019-08-01
    pub(crate) const RFC8813: Time = Time(1_596_240_000); // 2020-08-01
}

type CertCheck = fn(&Cert<'_>) -> Verdict;
type CrlCheck = fn(&CrlView<'_>) -> Verdict;
type Text = &'static str;

const fn must(scope: Scope, name: Text, citation: Text, text: Text, check: CertCheck) -> Rule {
    Rule::new(
        Severity::Error,
        scope,
        name,
        citation,
        text,
        Check::Certificate(check),
    )
}

const fn should(scope: Scope, name: Text, citation: Text, text: Text, check: CertCheck) -> Rule {
    Rule::new(
        Severity::Warning,
        scope,
        name,
        citation,
        text,
        Check::Certificate(check),
    )
}

const fn may(scope: Scope, name: Text, citation: Text, text: Text, check: CertCheck) -> Rule {
    Rule::new(
        Severity::Notice,
        scope,
        name,
        citation,
        text,
        Check::Certificate(check),
    )
}

const fn crl_must(name: Text, citation: Text, text: Text, check: CrlCheck) -> Rule {
    Rule::new(
        Severity::Error,
        Scope::Crl,
        name,
        citation,
        text,
        Check::Crl(check),
    )
}

const fn crl_should(name: Text, citation: Text, text: Text, check: CrlCheck) -> Rule {
    Rule::new(
        Severity::Warning,
        Scope::Crl,
        name,
        citation,
        text,
        Check::Crl(check),
    )
}

const fn entry_must(name: Text, citation: Text, text: Text, check: EntryCheck) -> Rule {
    Rule::new(
        Severity::Error,
        Scope::Crl,
        name,
        citation,
        text,
        Check::Entry(check),
    )
}

const fn entry_should(name: Text, citation: Text, text: Text, check: EntryCheck) -> Rule {
    Rule::new(
        Severity::Warning,
        Scope::Crl,
        name,
        citation,
        text,
        Check::Entry(check),
    )
}

/// The rule's own text says what is wrong.
fn holds(kept: bool) -> Verdict {
    match kept {
        true => None,
        false => Some("".into()),
    }
}

/// The first culprit is named in the message.
fn none_of(mut culprits: impl Iterator<Item = String>) -> Verdict {
    culprits.next().map(Into::into)
}

/// Names an identifier in a message.
fn show_oid(content: &[u8]) -> String {
    match Oid::from_content(content) {
        Ok(oid) => oid.name().map_or_else(|| oid.to_string(), str::to_owned),
        Err(_) => format!("#{}", hex::encode(content)),
    }
}

/// The first member that occurs twice. The lists compared here are short, except in attacks, where the
/// quadratic walk is cut off by its budget and the excess itself is reported.
fn first_repeated<'a>(members: &[&'a [u8]]) -> Option<&'a [u8]> {
    if members.len() > 64 {
        let mut sorted = members.to_vec();
        sorted.sort_unstable();
        return sorted
            .windows(2)
            .find(|w| w.first() == w.last())
            .map(|w| w[0]);
    }
    let earlier = |i: usize| members.get(..i).unwrap_or_default();
    members
        .iter()
        .enumerate()
        .find(|(i, m)| earlier(*i).contains(m))
        .map(|(_, m)| *m)
}
