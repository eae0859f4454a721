//! Owner rules on text that may be anything: for the fuzz target and the property tests only.

use super::keep::{tidy, tidy_gift};
use super::{Candidate, Gift, Looked, OwnerRule, assigned, first, tried};

/// Lines that are rules are kept as the door keeps them; the others are what a certificate says.
pub(crate) fn exercise(text: &str) {
    let mut rules = Vec::new();
    let mut candidate = Candidate::default();
    for line in text.lines().take(64) {
        match serde_json::from_str::<OwnerRule>(line) {
            Ok(rule) => rules.extend(kept(rule)),
            Err(_) => describe(&mut candidate, line),
        }
        if let Ok(mut gift) = serde_json::from_str::<Gift>(line)
            && tidy_gift(&mut gift).is_ok()
        {
            let once = gift.clone();
            assert_eq!((tidy_gift(&mut gift), gift), (Ok(()), once));
        }
    }
    let found = first(&rules, &candidate);
    let verdicts = tried(&rules, &candidate);
    let matched: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| verdict.matches)
        .map(|verdict| verdict.rule.as_str())
        .collect();
    let wanted: Vec<&str> = found.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(matched, wanted);
    assert!(verdicts.iter().all(|verdict| !verdict.why.is_empty()));
    let told = assigned(None, None, found, None, None);
    let owner = found.and_then(|rule| rule.give.owner.clone());
    assert_eq!(told.owner_by.is_some(), owner.is_some());
    assert_eq!(told.owner, owner);
}

/// What is tidy stays as it is, and comes back from where it is kept.
fn kept(mut rule: OwnerRule) -> Option<OwnerRule> {
    tidy(&mut rule, 0, &[]).ok()?;
    let mut again = rule.clone();
    assert_eq!(tidy(&mut again, 0, &[]), Ok(()));
    assert_eq!((&again.when, &again.give), (&rule.when, &rule.give));
    let stored = serde_json::to_string(&rule).unwrap_or_default();
    assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(&rule));
    Some(rule)
}

fn describe(candidate: &mut Candidate, line: &str) {
    let line = line.to_owned();
    candidate.places.push(Looked {
        segment: Some(line.clone()),
        address: line.parse().ok(),
        port: line.parse().ok(),
        host: Some(line.clone()),
        path: Some(line.clone()),
    });
    candidate.issuer.clone_from(&line);
    candidate.vendors.push(line.clone());
    candidate.names.push(line);
}
