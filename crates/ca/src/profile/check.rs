//! What makes a profile sound: fields that fit together, algorithms that are not forbidden (R03),
//! usages that suit the keys, validity within the rules of R05. Everything found is reported with
//! its line, the rule and the rule's source, not just the first thing.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use toml::Spanned;
use x509::{KeyAlgorithm, Oid};

use super::Profile;
use super::describe::describe;
use super::identity::{names, subject};
use super::limits::{extensions, validity};
use super::raw::Raw;
use super::usage::{check_logon, usage};

/// Something about a profile's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it keeps the profile from being used.
    pub severity: Severity,
    /// The line, counted from 1.
    pub line: usize,
    /// A stable name.
    pub rule: &'static str,
    /// Where the rule stands.
    pub source: &'static str,
    /// What is wrong.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The profile cannot be used.
    Error,
    /// It can; somebody should think about it.
    Warning,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Finding {
            line,
            message,
            rule,
            source,
            ..
        } = self;
        write!(f, "line {line}: {severity}: {message} [{rule}; {source}]")
    }
}

/// Everything there is to say about a profile's text; empty means sound.
pub fn check(toml: &str) -> Vec<Finding> {
    read(toml).1
}

/// Reads and checks. There is a profile only if the text could be read at all; it may be used only
/// if no finding is an error.
pub(super) fn read(text: &str) -> (Option<Profile>, Vec<Finding>) {
    let mut findings = Findings {
        text,
        list: Vec::new(),
    };
    let raw: Raw = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            let at = error.span().unwrap_or_default();
            findings.error(at, "syntax", "docs/profiles.md", error.message().to_owned());
            return (None, findings.list);
        }
    };
    let profile = build(raw, &mut findings);
    findings.list.sort_by_key(|finding| finding.line);
    (profile, findings.list)
}

pub(super) struct Findings<'a> {
    text: &'a str,
    list: Vec<Finding>,
}

impl Findings<'_> {
    pub(super) fn error(
        &mut self,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Error, at, rule, source, message.into());
    }

    pub(super) fn warn(
        &mut self,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, at, rule, source, message.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        at: Range<usize>,
        rule: &'static str,
        source: &'static str,
        message: String,
    ) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        self.list.push(Finding {
            severity,
            line,
            rule,
            source,
            message,
        });
    }
}

fn build(raw: Raw, findings: &mut Findings<'_>) -> Option<Profile> {
    check_head(&raw, findings);
    let algorithms = algorithms(&raw.keys.algorithms, findings);
    let names_at = raw.names.span();
    let min_names = raw.names.get_ref().min;
    let names = names(raw.names.get_ref(), names_at, findings);
    let subject = subject(raw.subject.get_ref(), raw.subject.span(), &names, findings);
    let usage = usage(&raw.usage, &algorithms, *raw.class.get_ref(), findings);
    check_logon(&usage, &names, raw.usage.extended.span(), findings);
    let validity = validity(&raw.validity, *raw.class.get_ref(), findings)?;
    let policies = raw
        .policies
        .iter()
        .filter_map(|text| oid(text, findings))
        .collect();
    let extensions = extensions(&raw.extensions, findings);
    if raw.permission.roles.get_ref().is_empty() {
        let at = raw.permission.roles.span();
        findings.error(
            at,
            "permission.roles",
            "R04",
            "nobody may ask for this profile",
        );
    }
    if raw.permission.approvals > 5 {
        let at = raw.permission.roles.span();
        findings.error(at, "permission.approvals", "R07", "at most 5 approvals");
    }
    let server_keys = raw.keys.server_keys;
    let mut profile = Profile {
        name: raw.name.into_inner(),
        title: raw.title,
        class: raw.class.into_inner(),
        issued_by: raw.issued_by.into_inner(),
        citations: raw.citations,
        policies,
        algorithms,
        server_keys,
        subject,
        names,
        min_names,
        usage,
        validity,
        roles: raw.permission.roles.into_inner(),
        approvals: raw.permission.approvals,
        evidence: raw.permission.evidence,
        extensions,
        json: serde_json::Value::Null,
    };
    profile.json = describe(&profile);
    Some(profile)
}

fn check_head(raw: &Raw, findings: &mut Findings<'_>) {
    if !is_slug(raw.name.get_ref()) {
        let why = "a name is 1 to 40 of a-z, 0-9 and -, beginning with a letter";
        findings.error(raw.name.span(), "name", "docs/profiles.md", why);
    }
    if raw.issued_by.get_ref().is_empty() {
        findings.error(
            raw.issued_by.span(),
            "issued-by",
            "R04",
            "no authority may issue this",
        );
    }
    if raw.citations.is_empty() {
        let why = "no citation says where these rules come from";
        findings.warn(raw.name.span(), "citations", "R06", why);
    }
}

/// Whether `text` can be a name of a profile or an authority: it becomes part of URLs.
pub(crate) fn is_slug(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&text.len())
        && text.bytes().all(ok)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Algorithms that a profile may not name, and why (R03).
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "rsa-1024",
        "RSA below 2048 bits has less than 112 bits of strength",
    ),
    (
        "rsa-512",
        "RSA below 2048 bits has less than 112 bits of strength",
    ),
    ("dsa-1024", "DSA is withdrawn (FIPS 186-5)"),
    ("dsa-2048", "DSA is withdrawn (FIPS 186-5)"),
    (
        "ecdsa-p192",
        "curves below 224 bits have less than 112 bits of strength",
    ),
    (
        "ecdsa-p224",
        "P-256 is the smallest curve that peers support (R03)",
    ),
    (
        "ecdsa-secp256k1",
        "the curve is not in FIPS 186-5 nor in TLS",
    ),
];

fn algorithms(
    raw: &Spanned<Vec<Spanned<String>>>,
    findings: &mut Findings<'_>,
) -> Vec<KeyAlgorithm> {
    let mut known = Vec::new();
    for text in raw.get_ref() {
        let name = text.get_ref().as_str();
        match (name.parse(), FORBIDDEN.iter().find(|(bad, _)| *bad == name)) {
            (Ok(algorithm), _) if known.contains(&algorithm) => {
                findings.error(text.span(), "keys.twice", "docs/profiles.md", "named twice");
            }
            (Ok(algorithm), _) => known.push(algorithm),
            (Err(_), Some((_, why))) => {
                let source = "R03, NIST SP 800-131Ar2 §3";
                findings.error(
                    text.span(),
                    "keys.forbidden",
                    source,
                    format!("{name}: {why}"),
                );
            }
            (Err(_), None) => {
                let why = format!(
                    "`{name}` is not known; rsa-2048, rsa-3072, rsa-4096, ecdsa-p256, \
                     ecdsa-p384, ecdsa-p521, ed25519 are"
                );
                findings.error(text.span(), "keys.unknown", "docs/profiles.md", why);
            }
        }
    }
    if raw.get_ref().is_empty() {
        findings.error(
            raw.span(),
            "keys.none",
            "R04",
            "no key algorithm is allowed",
        );
    }
    known
}

pub(super) fn oid(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Oid> {
    match text.get_ref().parse() {
        Ok(found) => Some(found),
        Err(_) => {
            let why = format!(
                "`{}` is neither a known name nor an object identifier",
                text.get_ref()
            );
            findings.error(text.span(), "oid", "ITU-T X.660", why);
            None
        }
    }
}
