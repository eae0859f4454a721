//! Checks of what a profile says about names and the subject.

use std::collections::BTreeMap;
use std::ops::Range;

use access::NamePattern;

use super::check::Findings;
use super::raw::{RawNameRule, RawNames, RawSubject};
use super::{Attribute, AttributeRule, AttributeSource, NameKind, NameRule};

pub(super) fn names(
    raw: &RawNames,
    at: Range<usize>,
    findings: &mut Findings<'_>,
) -> BTreeMap<NameKind, NameRule> {
    let tables = [
        (NameKind::Dns, &raw.dns),
        (NameKind::Ip, &raw.ip),
        (NameKind::Email, &raw.email),
        (NameKind::Uri, &raw.uri),
        (NameKind::Upn, &raw.upn),
        (NameKind::HardwareModule, &raw.hardware_module),
        (NameKind::Sid, &raw.sid),
        (NameKind::Workstation, &raw.workstation),
    ];
    let mut rules = BTreeMap::new();
    for (kind, table) in tables {
        if let Some(table) = table
            && table.get_ref().max > 0
        {
            rules.insert(
                kind,
                name_rule(kind, table.get_ref(), table.span(), findings),
            );
        }
    }
    let most: u32 = rules
        .values()
        .map(|rule: &NameRule| u32::from(rule.max))
        .sum();
    if u32::from(raw.min) > most {
        let why = format!(
            "at least {} names are demanded and at most {most} allowed",
            raw.min
        );
        findings.error(at, "names.min", "docs/profiles.md", why);
    }
    rules
}

fn name_rule(
    kind: NameKind,
    raw: &RawNameRule,
    at: Range<usize>,
    findings: &mut Findings<'_>,
) -> NameRule {
    let source = "docs/profiles.md";
    if raw.min > raw.max {
        findings.error(at.clone(), "names.min", source, "min is greater than max");
    }
    if raw.max > 1000 {
        let why = "at most 1000 names of a kind: what the request parser reads";
        findings.error(at.clone(), "names.max", source, why);
    }
    if matches!(kind, NameKind::Sid | NameKind::Workstation) && raw.max > 1 {
        findings.error(
            at.clone(),
            "names.max",
            source,
            "an extension of this kind stands once",
        );
    }
    if raw.wildcard && kind != NameKind::Dns {
        let why = "only DNS names have wildcards";
        findings.error(at, "names.wildcard", "RFC 9525 §6.3", why);
    }
    let mut patterns = Vec::new();
    for text in &raw.patterns {
        match NamePattern::parse(&format!("{}:{}", kind.prefix(), text.get_ref())) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                findings.error(text.span(), "names.pattern", source, error.to_string());
            }
        }
    }
    NameRule {
        min: raw.min,
        max: raw.max,
        patterns,
        wildcard: raw.wildcard,
    }
}

pub(super) fn subject(
    raw: &RawSubject,
    at: Range<usize>,
    names: &BTreeMap<NameKind, NameRule>,
    findings: &mut Findings<'_>,
) -> BTreeMap<Attribute, AttributeRule> {
    let fields = [
        (Attribute::C, &raw.C),
        (Attribute::ST, &raw.ST),
        (Attribute::L, &raw.L),
        (Attribute::O, &raw.O),
        (Attribute::OU, &raw.OU),
        (Attribute::CN, &raw.CN),
        (Attribute::SerialNumber, &raw.serialNumber),
        (Attribute::UID, &raw.UID),
    ];
    let mut subject = BTreeMap::new();
    for (attribute, rule) in fields {
        let Some(rule) = rule else { continue };
        let wrong = match rule.from {
            AttributeSource::Dns if !names.contains_key(&NameKind::Dns) => {
                Some("is taken from the DNS names, of which none are allowed".to_owned())
            }
            AttributeSource::Email if !names.contains_key(&NameKind::Email) => {
                Some("is taken from the mail addresses, of which none are allowed".to_owned())
            }
            AttributeSource::Value => value_fault(attribute, rule.value.as_deref()),
            _ if rule.value.is_some() => Some("has a value and another source".to_owned()),
            _ => None,
        };
        if let Some(why) = wrong {
            let message = format!("{attribute} {why}");
            findings.error(at.clone(), "subject", "docs/profiles.md", message);
        }
        subject.insert(attribute, rule.clone());
    }
    let nameless =
        subject.values().all(|rule| !rule.required) && names.values().all(|rule| rule.min == 0);
    if nameless && subject.is_empty() {
        let why = "neither a subject nor alternative names: the certificate would name nobody";
        findings.error(at, "subject.empty", "RFC 5280 §4.1.2.6", why);
    }
    subject
}

fn value_fault(attribute: Attribute, value: Option<&str>) -> Option<String> {
    match value {
        None => Some("has no value".to_owned()),
        Some("") => Some("has an empty value".to_owned()),
        Some(value) if value.chars().count() > attribute.max_chars() => Some(format!(
            "is longer than {} characters",
            attribute.max_chars()
        )),
        Some(_) => None,
    }
}
