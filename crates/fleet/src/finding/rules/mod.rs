//! The table, in parts. A rule is a row: what is wrong, how much it matters, whose rule it is, what to do.

mod chain;
mod flow;
mod key;
mod name;
mod origin;
mod tls;
mod usage;
mod validity;
mod vendor;

use super::{Check, Look, Rule, Severity, is_served, presented, words};
use crate::inventory::PlaceFacts;

pub use vendor::{Default, vendor_defaults};

static TABLES: &[&[Rule]] = &[
    origin::RULES,
    validity::RULES,
    key::RULES,
    name::RULES,
    chain::RULES,
    usage::RULES,
    tls::RULES,
    vendor::RULES,
    flow::RULES,
];

/// Every rule, in the order of the documentation.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The rule of this name.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

type Text = &'static str;

/// A rule about the certificate, wherever it is.
const fn of_certificate(
    severity: Severity,
    (id, title): (Text, Text),
    citation: Text,
    remedy: Text,
    check: fn(&Look<'_>) -> Option<String>,
) -> Rule {
    Rule {
        id,
        title,
        severity,
        citation,
        remedy,
        check: Check::Certificate(check),
    }
}

/// A rule about one place.
const fn of_place(
    severity: Severity,
    (id, title): (Text, Text),
    citation: Text,
    remedy: Text,
    check: fn(&Look<'_>, &PlaceFacts) -> Option<String>,
) -> Rule {
    Rule {
        id,
        title,
        severity,
        citation,
        remedy,
        check: Check::Place(check),
    }
}

/// A rule that is judged where its facts are.
const fn elsewhere(
    severity: Severity,
    (id, title): (Text, Text),
    citation: Text,
    remedy: Text,
) -> Rule {
    Rule {
        id,
        title,
        severity,
        citation,
        remedy,
        check: Check::Elsewhere,
    }
}
