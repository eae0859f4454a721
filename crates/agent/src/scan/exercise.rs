//! What a scan is told, and what it says, on bytes that may be anything: for the fuzz targets and the property tests only.

use super::limits::Rules;
use super::{Cursor, Limits, Range, Service, Targets};
use crate::observation::Observation;

/// Targets, ports, names, limits and cursors, as people and files write them. One line each; what is read must come back the same
/// when it is written, and no target may lie outside what was asked for.
pub fn input(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut ranges = Vec::new();
    let mut services = Vec::new();
    let mut names = Vec::new();
    for line in text.lines() {
        if let Ok(range) = line.parse::<Range>() {
            assert_eq!(range.to_string().parse(), Ok(range));
            ranges.push(range);
        }
        match Service::list(line) {
            Ok(list) => services.extend(list.into_iter().take(64)),
            Err(_) => names.push(line.to_owned()),
        }
        limits(line);
        let _ = serde_json::from_str::<Cursor>(line);
    }
    let Ok(targets) = Targets::new(&ranges, &[], services, names) else {
        return;
    };
    let last = targets.len() - 1;
    for number in [0, last / 2, last] {
        let target = targets.at(number);
        let inside = target.is_some_and(|target| {
            let mut ranges = ranges.iter();
            target.port != 0 && ranges.any(|range| range.contains(target.address))
        });
        assert!(inside, "target {number} of {targets}");
    }
    assert_eq!(targets.at(targets.len()), None);
    let cursor = Cursor::new(&targets, &[7; 32]);
    assert_eq!(cursor.check(&targets, &[7; 32]), Ok(()));
}

fn limits(line: &str) {
    let Ok(limits) = serde_json::from_str::<Limits>(line) else {
        return;
    };
    let rules = Rules::new(limits.clone());
    let asked = Targets::new(
        &limits.ranges,
        &[],
        vec![Service::usual(443), Service::usual(9100)],
        Vec::new(),
    );
    let Ok(targets) = asked else { return };
    for number in 0..targets.len().min(16) {
        let Some(target) = targets.at(number) else {
            continue;
        };
        let against = rules.against(&target);
        let mut excluded = limits.exclude.iter();
        if excluded.any(|out| out.range.contains(target.address)) {
            assert!(against.is_some(), "an excluded address would be looked at");
        }
        assert!(limits.raw_print || target.port != 9100 || against.is_some());
    }
}

/// A line that was carried here: if it is read, it is written and read again as the same.
pub fn line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(observation) = Observation::read(&text) else {
        return;
    };
    let written = observation.line();
    let again = written.as_deref().map(Observation::read);
    assert_eq!(again, Ok(Ok(observation)), "{written:?}");
}
