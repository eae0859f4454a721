//! The subject: made from the profile's template, the request and the names. Attributes that the
//! template does not mention are left out.

use access::Refusal;
use x509::{Name, StringKind};

use super::names::Names;
use super::text::check_text;
use crate::profile::{Attribute, AttributeRule, AttributeSource, NameKind, Profile};

/// Builds the subject.
pub(crate) fn build(
    profile: &Profile,
    source: &str,
    requested: &Name,
    names: &Names,
    organization: &str,
) -> Result<Name, Refusal> {
    let mut builder = Name::builder();
    for (attribute, rule) in profile.subject() {
        let values = values(*attribute, rule, source, requested, names, organization)?;
        if values.is_empty() && rule.required {
            return Err(Refusal::new(
                "subject.required",
                source.to_owned(),
                format!("the subject lacks {attribute}"),
            )
            .accepted(format!("a subject with {attribute}")));
        }
        check_repetition(*attribute, values.len())?;
        for value in values {
            check_value(*attribute, &value)?;
            builder = builder
                .push(attribute.oid(), &value, StringKind::Auto)
                .map_err(|error| {
                    Refusal::new(
                        "subject.value",
                        "RFC 5280 Appendix A.1",
                        format!("{attribute}: {error}"),
                    )
                })?;
        }
    }
    Ok(builder.build())
}

fn values(
    attribute: Attribute,
    rule: &AttributeRule,
    source: &str,
    requested: &Name,
    names: &Names,
    organization: &str,
) -> Result<Vec<String>, Refusal> {
    let oid = attribute.oid();
    let asked = || -> Vec<String> {
        requested
            .attributes()
            .filter(|found| found.oid == oid)
            .map(|found| found.text().into_owned())
            .collect()
    };
    match rule.from {
        AttributeSource::Request => Ok(asked()),
        AttributeSource::Organization => Ok(vec![organization.to_owned()]),
        AttributeSource::Value => Ok(rule.value.iter().cloned().collect()),
        AttributeSource::Dns => one_of(attribute, source, asked(), names, NameKind::Dns),
        AttributeSource::Email => one_of(attribute, source, asked(), names, NameKind::Email),
    }
}

/// What the request says if it is one of the names, else the first name that fits.
fn one_of(
    attribute: Attribute,
    source: &str,
    asked: Vec<String>,
    names: &Names,
    kind: NameKind,
) -> Result<Vec<String>, Refusal> {
    for value in &asked {
        let known = names
            .values(kind)
            .any(|name| name.eq_ignore_ascii_case(value));
        // An address may stand as common name when the certificate names that address.
        let address = names.values(NameKind::Ip).any(|name| name == value);
        if !known && !address {
            return Err(Refusal::new(
                "subject.not-a-name",
                source.to_owned(),
                format!(
                    "{attribute}={} is none of the alternative names",
                    value.escape_default()
                ),
            )
            .accepted(format!("one of the {kind} names, or no {attribute}")));
        }
    }
    let fits = |name: &&str| name.chars().count() <= attribute.max_chars();
    let chosen = asked
        .first()
        .map(|value| value.to_ascii_lowercase())
        .or_else(|| names.values(kind).find(fits).map(str::to_owned));
    Ok(chosen.into_iter().collect())
}

/// Departments nest; nothing else is said twice.
fn check_repetition(attribute: Attribute, found: usize) -> Result<(), Refusal> {
    let most = match attribute {
        Attribute::OU => 4,
        _ => 1,
    };
    if found <= most {
        return Ok(());
    }
    Err(Refusal::new(
        "subject.repeated",
        "docs/profiles.md",
        format!("{attribute} stands {found} times"),
    )
    .accepted(format!("at most {most}")))
}

fn check_value(attribute: Attribute, value: &str) -> Result<(), Refusal> {
    check_text(value)?;
    let found = value.chars().count();
    let most = attribute.max_chars();
    if found > most {
        return Err(Refusal::new(
            "subject.length",
            "RFC 5280 Appendix A.1",
            format!("{attribute} has {found} characters"),
        )
        .accepted(format!("at most {most}")));
    }
    Ok(())
}
