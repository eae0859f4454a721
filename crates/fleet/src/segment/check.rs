//! What a segment has to be before it is written: ranges that lie apart or within each other, ports that are ports, hours
//! that exist. A limit that could be misread is refused, not guessed at.

use access::Refusal;
use agent::scan::{Range, Service};

use super::{Segment, StoredSegment, hours};

pub(super) const SOURCE: &str = "docs/discovery-active.md";
const LONGEST_NAME: usize = 63;
const LONGEST_TEXT: usize = 200;
const LONGEST_NOTE: usize = 2000;
const MOST: usize = 1000;
const RAW_PRINT: std::ops::RangeInclusive<u16> = 9100..=9107;
/// A switch's line: more has no use and is a slip of the pen.
const FASTEST: f64 = 10_000.0;
/// One connection an hour.
const SLOWEST: f64 = 1.0 / 3600.0;

/// Trims what people type, and refuses what cannot be kept.
pub(super) fn tidy(segment: &mut Segment) -> Result<(), Refusal> {
    for text in [&mut segment.site, &mut segment.owner, &mut segment.relay] {
        *text = text
            .take()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
    }
    segment.zone = segment.zone.trim().to_owned();
    segment.note = segment.note.trim().to_owned();
    segment.ports = segment
        .ports
        .iter()
        .flat_map(|text| text.split(','))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    name(&segment.name)?;
    texts(segment)?;
    ranges(segment)?;
    services(segment)?;
    numbers(segment)?;
    match hours::zone(&segment.zone) {
        Some(_) => Ok(()),
        None => refuse(
            "segment.zone",
            format!("{} is no time zone that this machine knows", segment.zone),
            "UTC, or a name of the IANA database such as Europe/Berlin (package tzdata)",
        ),
    }
}

/// Ranges of two segments are apart, or one holds the other whole: otherwise nobody could say whose limits hold.
pub(super) fn beside(segment: &Segment, others: &[StoredSegment]) -> Result<(), Refusal> {
    let others = others.iter().map(|other| &other.segment);
    for other in others.filter(|other| other.name != segment.name) {
        for own in &segment.ranges {
            let bad = |theirs: &&Range| {
                overlap(own, theirs) && !inside(own, theirs) && !inside(theirs, own)
            };
            if let Some(theirs) = other.ranges.iter().find(bad) {
                return refuse(
                    "segment.overlap",
                    format!("{own} and {theirs} of segment {} overlap", other.name),
                    "ranges that lie apart, or one that holds the other and is larger",
                );
            }
        }
    }
    Ok(())
}

pub(super) fn overlap(one: &Range, other: &Range) -> bool {
    one.contains(other.first()) || other.contains(one.first())
}

/// Whether the first is a part of the second, and not all of it.
pub(super) fn inside(one: &Range, whole: &Range) -> bool {
    one != whole && whole.contains(one.first()) && whole.contains(one.last())
}

fn refuse<T>(
    rule: &'static str,
    message: impl Into<String>,
    accepted: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal::new(rule, SOURCE, message).accepted(accepted))
}

fn name(name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        true => refuse(
            "segment.name",
            format!("{:?} is no name of a segment", super::shown(name)),
            "1 to 63 lower-case letters, digits and hyphens",
        ),
        false => Ok(()),
    }
}

fn texts(segment: &Segment) -> Result<(), Refusal> {
    let optional = [&segment.site, &segment.owner, &segment.relay];
    let rules = segment.exclude.iter().map(|out| &out.rule);
    let texts = optional.into_iter().flatten().chain(rules);
    for text in texts.chain(&segment.never_models) {
        let long = text.chars().count() > LONGEST_TEXT;
        if long || text.trim().is_empty() || text.chars().any(char::is_control) {
            return refuse(
                "segment.text",
                "a text of the segment cannot be kept",
                format!(
                    "1 to {LONGEST_TEXT} characters, none of them a control character; an exclusion says by whose rule"
                ),
            );
        }
    }
    let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
    match segment.note.chars().count() > LONGEST_NOTE || segment.note.chars().any(unprintable) {
        true => refuse(
            "segment.text",
            "the note cannot be kept",
            format!("at most {LONGEST_NOTE} characters"),
        ),
        false => Ok(()),
    }
}

fn ranges(segment: &Segment) -> Result<(), Refusal> {
    let counts = [
        segment.ranges.len(),
        segment.exclude.len(),
        segment.hours.len(),
        segment.never_models.len(),
    ];
    if segment.ranges.is_empty() || counts.iter().any(|count| *count > MOST) {
        return refuse(
            "segment.ranges",
            format!("segment {} has {} ranges", segment.name, counts[0]),
            format!(
                "1 to {MOST} ranges, such as 10.30.0.0/16; as many exclusions, hours and models at most"
            ),
        );
    }
    for (at, one) in segment.ranges.iter().enumerate() {
        let rest = segment.ranges.iter().skip(at + 1);
        if let Some(other) = rest.into_iter().find(|other| overlap(one, other)) {
            return refuse(
                "segment.overlap",
                format!("{one} and {other} overlap"),
                "ranges that lie apart",
            );
        }
    }
    Ok(())
}

fn services(segment: &Segment) -> Result<(), Refusal> {
    let services = Service::list(&segment.ports.join(","));
    let services = match services {
        Ok(services) if segment.ports.len() <= MOST => services,
        Ok(_) => {
            return refuse(
                "segment.ports",
                format!("{} entries", segment.ports.len()),
                format!("at most {MOST}"),
            );
        }
        Err(error) => {
            return refuse(
                "segment.ports",
                error.to_string(),
                "443, 8000-8010, 2525/smtp",
            );
        }
    };
    match services
        .iter()
        .find(|service| RAW_PRINT.contains(&service.port) && !segment.raw_print)
    {
        Some(service) => refuse(
            "segment.raw-print",
            format!("port {} prints whatever it receives", service.port),
            "ports without 9100 to 9107, or limits that allow raw printing in so many words",
        ),
        None => Ok(()),
    }
}

fn numbers(segment: &Segment) -> Result<(), Refusal> {
    let number = |limit: &'static str, found: String, accepted: String| {
        refuse(limit, format!("{limit} is {found}"), accepted)
    };
    if !(SLOWEST..=FASTEST).contains(&segment.rate) {
        return number(
            "segment.rate",
            segment.rate.to_string(),
            format!("connections a second, from one an hour to {FASTEST}"),
        );
    }
    if !(1..=16).contains(&segment.per_device) {
        let found = segment.per_device.to_string();
        return number("segment.per-device", found, "1 to 16 at a time".to_owned());
    }
    if segment.pause_ms > 600_000 {
        let found = segment.pause_ms.to_string();
        return number("segment.pause", found, "at most 600000 ms".to_owned());
    }
    if !(1..=100).contains(&segment.silent) {
        let found = segment.silent.to_string();
        return number("segment.silent", found, "1 to 100 devices".to_owned());
    }
    match segment.every_hours {
        Some(hours) if !(1..=8760).contains(&hours) => number(
            "segment.every",
            hours.to_string(),
            "1 to 8760 hours, or none".to_owned(),
        ),
        _ => Ok(()),
    }
}
