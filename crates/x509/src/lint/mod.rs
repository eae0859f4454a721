//! Rules that a certificate or CRL must keep, as data: what it says, where it says so, since when.
//!
//! The linter reads the exact bytes that are about to be signed (or that somebody else signed) through
//! its own zero-copy view, so that it shares no mistake with the code that built them, and so that a
//! leaf costs a few microseconds on the way to a signature. A rule is a row of a table; each row has a
//! negative case in `tests/lint.rs`, and every good certificate there is its positive case.

mod crl_view;
mod rules;
mod syntax;
mod view;

use std::borrow::Cow;

use serde::Serialize;

use crate::{Certificate, Time, crl::CertificateList};
use crl_view::{CrlView, Entry, ListTraits};
use view::CertView;

/// How much a broken rule weighs. The order is that of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good hygiene that some legitimate profiles leave aside.
    Notice,
    /// A SHOULD of the cited text, or a thing that commonly breaks clients.
    Warning,
    /// A MUST of the cited text. The authority refuses to sign.
    Error,
}

/// What a rule applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    Certificate,
    Authority,
    EndEntity,
    /// An end entity that names serverAuth among its purposes.
    TlsServer,
    Crl,
}

/// One row of the table.
pub struct Rule {
    pub name: &'static str,
    pub citation: &'static str,
    /// What the rule demands, in a sentence.
    pub text: &'static str,
    pub severity: Severity,
    pub scope: Scope,
    /// Certificates that begin, and CRLs that were issued, before this instant are exempt.
    pub effective: Time,
    check: Check,
}

enum Check {
    Certificate(fn(&Cert<'_>) -> Verdict),
    Crl(fn(&CrlView<'_>) -> Verdict),
    /// Whether an entry keeps the rule; all such rules share one walk over the entries.
    Entry(EntryCheck),
}

type EntryCheck = fn(&ListTraits, &Entry<'_>) -> bool;

/// `None`: kept. Otherwise what is wrong; an empty text means that the rule's own text says it all.
type Verdict = Option<Cow<'static, str>>;

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: &'static str,
    pub citation: &'static str,
    pub severity: Severity,
    pub message: Cow<'static, str>,
}

/// What is known of the issuer; enables the rules that compare the two.
#[derive(Debug, Clone, Copy)]
pub struct IssuerFacts<'a> {
    /// The issuer's subject, as encoded.
    pub subject_der: &'a [u8],
    /// Value of the issuer's subject key identifier.
    pub key_id: Option<&'a [u8]>,
    pub not_after: Time,
}

/// What the caller knows beyond the bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct LintContext<'a> {
    pub issuer: Option<IssuerFacts<'a>>,
    /// Names of rules that a profile sets aside on purpose.
    pub except: &'a [&'a str],
}

struct Cert<'a> {
    view: CertView<'a>,
    context: &'a LintContext<'a>,
}

impl<'a> std::ops::Deref for Cert<'a> {
    type Target = CertView<'a>;

    fn deref(&self) -> &CertView<'a> {
        &self.view
    }
}

/// Every rule, in the order in which findings are reported.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    rules::TABLES.iter().flat_map(|table| table.iter())
}

/// Lints a TBSCertificate.
pub fn lint_tbs(tbs_der: &[u8], context: &LintContext<'_>) -> Vec<Finding> {
    let view = match CertView::parse(tbs_der) {
        Ok(view) => view,
        Err(e) => return vec![unreadable("tbs-well-formed", "RFC 5280 §4.1", &e)],
    };
    let cert = Cert { view, context };
    let mut findings = Vec::new();
    for rule in rules() {
        if let Check::Certificate(check) = rule.check
            && rule.applies_to(&cert)
            && !context.except.contains(&rule.name)
            && let Some(detail) = check(&cert)
        {
            findings.push(rule.finding(detail));
        }
    }
    findings
}

/// Lints a certificate that somebody has already signed.
pub fn lint_certificate(certificate: &Certificate) -> Vec<Finding> {
    lint_tbs(certificate.tbs_der(), &LintContext::default())
}

/// Lints a whole CertificateList, every entry included.
pub fn lint_crl(list: &CertificateList) -> Vec<Finding> {
    lint_crl_der(list.der())
}

/// [`lint_crl`] over bytes.
pub fn lint_crl_der(der: &[u8]) -> Vec<Finding> {
    let view = match CrlView::parse(der) {
        Ok(view) => view,
        Err(e) => return vec![unreadable("crl-well-formed", "RFC 5280 §5.1", &e)],
    };
    let issued = view.issued().unwrap_or(Time(i64::MAX));
    let mut findings = Vec::new();
    for rule in rules().filter(|r| r.effective <= issued) {
        if let Check::Crl(check) = rule.check
            && let Some(detail) = check(&view)
        {
            findings.push(rule.finding(detail));
        }
    }
    findings.extend(lint_entries(&view, issued));
    findings
}

/// Names the first entry that breaks each rule.
fn lint_entries(view: &CrlView<'_>, issued: Time) -> Vec<Finding> {
    let traits = view.traits();
    let mut open: Vec<(&Rule, EntryCheck)> = rules()
        .filter(|r| r.effective <= issued)
        .filter_map(|r| match r.check {
            Check::Entry(check) => Some((r, check)),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    for entry in view.entries().flatten() {
        open.retain(|(rule, check)| {
            let kept = check(&traits, &entry);
            if !kept {
                findings.push(rule.finding(hex::encode(entry.serial).into()));
            }
            kept
        });
    }
    findings
}

impl Rule {
    const fn new(
        severity: Severity,
        scope: Scope,
        name: &'static str,
        citation: &'static str,
        text: &'static str,
        check: Check,
    ) -> Rule {
        Rule {
            name,
            citation,
            text,
            severity,
            scope,
            effective: rules::since::RFC5280,
            check,
        }
    }

    const fn since(self, effective: Time) -> Rule {
        Rule { effective, ..self }
    }

    fn applies_to(&self, cert: &Cert<'_>) -> bool {
        let in_scope = match self.scope {
            Scope::Certificate => true,
            Scope::Authority => cert.is_authority,
            Scope::EndEntity => !cert.is_authority,
            Scope::TlsServer => !cert.is_authority && cert.is_tls_server(),
            Scope::Crl => false,
        };
        in_scope && cert.valid_from.is_none_or(|from| self.effective <= from)
    }

    fn finding(&self, detail: Cow<'static, str>) -> Finding {
        let message = match detail.as_ref() {
            "" => Cow::Borrowed(self.text),
            detail => Cow::Owned(format!("{}: {detail}", self.text)),
        };
        Finding {
            rule: self.name,
            citation: self.citation,
            severity: self.severity,
            message,
        }
    }
}

fn unreadable(rule: &'static str, citation: &'static str, e: &crate::der::Error) -> Finding {
    Finding {
        rule,
        citation,
        severity: Severity::Error,
        message: Cow::Owned(format!("cannot be read: {e}")),
    }
}
