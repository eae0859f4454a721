//! What is wrong with what was found (R16, R19, R20): rules as data over [`Facts`], the findings they make, waivers with an
//! owner and an end, and the one finding that is an incident.
//!
//! # Invariants
//! - [`evaluate`] is a function of facts, policy and time: the same facts give the same findings, and a finding that is no
//!   longer made is closed.
//! - A finding is one row by rule and subject, so that it keeps its age and its waiver however often it is seen.
//! - A waiver hides nothing: it has an owner, a reason and an end, and ends by itself. An incident takes none, and nothing but a
//!   person closes it.

mod anchors;
mod apply;
mod count;
mod incident;
mod list;
mod policy;
mod rules;
mod waiver;
mod words;

use std::cell::OnceCell;
use std::fmt;
use std::str::FromStr;

use agent::observation::Place;
use audit::Timestamp;
use serde::{Deserialize, Serialize};
use x509::ext::{BasicConstraints, KeyUsage, SubjectAltName};
use x509::{Certificate, GeneralName, Time};

use crate::check::is_host_name;
use crate::inventory::{Facts, PlaceFacts};

pub use anchors::{Anchors, Origin};
pub use apply::{Judge, Judged, finding_id};
pub use count::Open;
pub use incident::{INCIDENT, MISISSUANCE};
pub use list::{Finding, FindingFilter, FindingPage, Show};
pub use policy::Policy;
pub use rules::{Default as VendorDefault, rule, rules, vendor_defaults};
pub use waiver::{NewWaiver, StoredWaiver, WAIVER_RECORDS, Waiver};

/// How much it matters. The numbers are those of the table `findings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing, wrong in no standard.
    Note = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

impl Severity {
    pub const ALL: [Severity; 5] = [
        Severity::Note,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Severity::ALL.into_iter().find(|one| *one as i64 == number)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = crate::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Severity::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| crate::UnknownWord {
            text: text.chars().take(40).collect(),
            what: "severity",
            accepted: Severity::ALL.map(Severity::name).join(", "),
        })
    }
}

/// One row of the table of rules.
#[derive(Serialize)]
pub struct Rule {
    /// Stable: waivers, metrics and saved searches name it.
    pub id: &'static str,
    /// What is wrong, in half a sentence.
    pub title: &'static str,
    pub severity: Severity,
    /// Whose rule it is.
    pub citation: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    #[serde(skip)]
    pub(crate) check: Check,
}

/// What a rule looks at. `Some` says what is wrong.
pub(crate) enum Check {
    Certificate(fn(&Look<'_>) -> Option<String>),
    Place(fn(&Look<'_>, &PlaceFacts) -> Option<String>),
    /// Judged where its facts are (data flows), and described here with the others.
    Elsewhere,
}

/// A rule that is broken.
#[derive(Clone)]
pub struct Found {
    pub rule: &'static Rule,
    /// The row of the place, where it is a matter of the place and not of the certificate.
    pub place: Option<i64>,
    /// What exactly: safe to print, whatever the certificate says.
    pub what: String,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}: {}", self.rule.id, self.place, self.what)
    }
}

/// Everything that is wrong, by the table of rules.
pub fn evaluate(facts: &Facts, policy: &Policy, now: Timestamp) -> Vec<Found> {
    let look = Look::at(facts, policy, now);
    let mut all = Vec::new();
    for rule in rules() {
        match rule.check {
            Check::Certificate(check) => all.extend(check(&look).map(|what| Found {
                rule,
                place: None,
                what: words::safe(&what),
            })),
            Check::Place(check) => all.extend(facts.places.iter().filter_map(|place| {
                let what = words::safe(&check(&look, place)?);
                Some(Found {
                    rule,
                    place: Some(place.id),
                    what,
                })
            })),
            Check::Elsewhere => {}
        }
    }
    all
}

/// Facts with what several rules ask of them.
pub(crate) struct Look<'a> {
    facts: &'a Facts,
    policy: &'a Policy,
    now: Time,
    is_ca: bool,
    lint: OnceCell<Vec<x509::lint::Finding>>,
}

impl<'a> Look<'a> {
    fn at(facts: &'a Facts, policy: &'a Policy, now: Timestamp) -> Self {
        Look {
            facts,
            policy,
            now: Time(now.seconds()),
            is_ca: is_authority(&facts.certificate),
            lint: OnceCell::new(),
        }
    }

    fn certificate(&self) -> &Certificate {
        &self.facts.certificate
    }

    /// What `x509::lint` has to say, once.
    fn lint(&self) -> &[x509::lint::Finding] {
        self.lint
            .get_or_init(|| x509::lint::lint_certificate(self.certificate()))
    }

    fn breaks(&self, lint: &str) -> bool {
        self.lint().iter().any(|finding| finding.rule == lint)
    }

    /// Where somebody shows it: as a server, or as a client of one.
    fn shown_at(&self) -> impl Iterator<Item = &PlaceFacts> {
        let shown = |place: &&PlaceFacts| {
            matches!(place.place, Place::Network { .. } | Place::Client { .. })
        };
        self.facts.places.iter().filter(shown)
    }

    fn is_shown(&self) -> bool {
        self.shown_at().next().is_some()
    }

    fn is_served(&self) -> bool {
        let places = &self.facts.places;
        places.iter().any(is_served)
    }

    /// An end entity's, or one that is used as if it were: shown by a server or a client, or made out to a host by itself,
    /// as `openssl req -x509` makes them.
    fn is_leaf(&self) -> bool {
        !self.is_ca || self.is_shown() || (self.facts.self_signed && names_host(self.certificate()))
    }
}

/// A server shows it there.
fn is_served(place: &PlaceFacts) -> bool {
    matches!(place.place, Place::Network { .. })
}

/// Whether a certificate that calls itself an authority's is a host's all the same: it names one (RFC 5280 §4.2.1.6), or its
/// common name is one and it lacks what an authority must have (§4.2.1.3).
fn names_host(certificate: &Certificate) -> bool {
    if !presented(certificate).is_empty() {
        return true;
    }
    let usage = certificate.ext::<KeyUsage>().ok().flatten();
    let signs = usage.is_some_and(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN));
    let name = certificate.subject().common_name();
    !signs && name.is_some_and(|name| name.contains('.') && is_host_name(&name))
}

/// Hosts and addresses that it presents.
fn presented(certificate: &Certificate) -> Vec<GeneralName> {
    let names = certificate.ext::<SubjectAltName>().ok().flatten();
    let mut names = names.map(|names| names.0).unwrap_or_default();
    names.retain(|name| matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_)));
    names
}

fn is_authority(certificate: &Certificate) -> bool {
    matches!(certificate.ext::<BasicConstraints>(), Ok(Some(constraints)) if constraints.ca)
}
