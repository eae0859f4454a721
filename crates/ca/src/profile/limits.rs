//! Checks of validity (R05) and of extensions that a profile adds.

use std::collections::BTreeSet;

use toml::Spanned;
use x509::Extension;

use super::check::{Findings, oid};
use super::raw::{RawExtension, RawValidity};
use super::{Class, Duration, Renewal, Validity};

/// The longest validity of each class, where the number comes from, and the longest with a
/// recorded exception (R05; NIST SP 800-57pt1r5 §5.3.6 gives 1 to 3 years to signing keys and
/// 1 to 2 years to authentication keys).
fn limits(class: Class) -> (Duration, &'static str, Option<Duration>) {
    match class {
        Class::Server => (Duration::days(1095), "NIST SP 800-52r2 §3.2", None),
        Class::Device => (Duration::days(730), "R05", Some(Duration::days(1825))),
        Class::Person => (Duration::days(730), "NIST SP 800-57pt1r5 §5.3.6", None),
        Class::Signing => (Duration::days(1095), "NIST SP 800-57pt1r5 §5.3.6", None),
        Class::Infrastructure => (Duration::days(30), "RFC 6960 §4.2.2.2.1", None),
        Class::Authority => (Duration::days(7300), "R01", None),
    }
}

pub(super) fn validity(
    raw: &RawValidity,
    class: Class,
    findings: &mut Findings<'_>,
) -> Option<Validity> {
    let default = duration(&raw.default, findings);
    let max = duration(&raw.max, findings);
    let exception = raw
        .exception_max
        .as_ref()
        .map(|text| (text, duration(text, findings)));
    let backdate = raw.backdate.as_ref().map(|text| duration(text, findings));
    let (default, max) = (default?, max?);
    let (limit, source, exception_limit) = limits(class);
    if max > limit {
        let why = format!("{max} is longer than {limit}, the most for this class");
        findings.error(raw.max.span(), "validity.max", source, why);
    }
    if default > max {
        findings.error(
            raw.default.span(),
            "validity.default",
            "R05",
            "longer than max",
        );
    }
    if default.as_seconds() == 0 {
        findings.error(
            raw.default.span(),
            "validity.default",
            "RFC 5280 §4.1.2.5",
            "no time at all",
        );
    }
    let exception_max = match exception {
        Some((text, length)) => {
            let length = length?;
            match exception_limit {
                None => {
                    let why = "only devices outlive the limit by exception";
                    findings.error(text.span(), "validity.exception", "R05", why);
                }
                Some(most) if length > most || length <= max => {
                    let why = format!("an exception lies between {max} and {most}");
                    findings.error(text.span(), "validity.exception", "R05", why);
                }
                Some(_) => {}
            }
            Some(length)
        }
        None => None,
    };
    let backdate = backdate.map_or(Some(Duration::seconds(300)), |length| length)?;
    if backdate.as_seconds() * 2 > default.as_seconds() {
        let why = "more than half of the default validity lies in the past";
        findings.error(
            raw.default.span(),
            "validity.backdate",
            "docs/profiles.md",
            why,
        );
    }
    if raw.renewal == Renewal::Manual && max < Duration::days(365) && class == Class::Device {
        let why = "somebody has to visit each device more than once a year";
        findings.warn(raw.max.span(), "validity.manual", "R24", why);
    }
    Some(Validity {
        default,
        max,
        exception_max,
        backdate,
        renewal: raw.renewal,
    })
}

fn duration(text: &Spanned<String>, findings: &mut Findings<'_>) -> Option<Duration> {
    let parsed = Duration::parse(text.get_ref());
    if parsed.is_none() {
        let why = format!("`{}` is no duration; 15m, 12h, 90d, 2y are", text.get_ref());
        findings.error(text.span(), "duration", "docs/profiles.md", why);
    }
    parsed
}

pub(super) fn extensions(raw: &[RawExtension], findings: &mut Findings<'_>) -> Vec<Extension> {
    let mut seen = BTreeSet::new();
    let mut extensions = Vec::new();
    for entry in raw {
        let Some(id) = oid(&entry.oid, findings) else {
            continue;
        };
        let own = id.as_bytes().starts_with(&[0x55, 0x1d]);
        if own || !seen.insert(id.to_string()) {
            let why = "extensions of RFC 5280 are made from the other fields, and each stands once";
            findings.error(entry.oid.span(), "extensions", "RFC 5280 §4.2", why);
            continue;
        }
        match hex::decode(entry.value.get_ref()) {
            Ok(value) if !value.is_empty() && value.len() <= 4096 => extensions.push(Extension {
                oid: id,
                critical: entry.critical,
                value,
            }),
            _ => {
                let why = "the value is 1 to 4096 bytes of DER in hex";
                findings.error(entry.value.span(), "extensions", "RFC 5280 §4.1", why);
            }
        }
    }
    extensions
}
