//! What an account may order: its directory's names and profiles, its own scope, and what the profile can hold. The CA
//! holds everything against the same rules again when it issues; here the client learns of it before it proves anything.

use std::sync::Arc;

use audit::Timestamp;
use ca::Profile;
use ca::profile::NameKind;
use x509::Time;

use super::identifier::Wanted;
use super::problem::{ErrorType, Problem, Sub};
use super::{Account, Acme, Directory};
use agent::control::Identifier;

/// A profile in force.
pub(crate) struct Chosen(Arc<ca::ProfileVersion>);

impl std::ops::Deref for Chosen {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.0.profile
    }
}

/// The profile that is asked for, or else the first of the directory's that the account may use.
pub(crate) fn profile(
    acme: &Acme,
    directory: &Directory,
    account: &Account,
    asked: Option<&str>,
) -> Result<Chosen, Problem> {
    let allowed = |name: &str| account.scope.check_profile(name).is_ok();
    let mut offers = directory
        .profiles
        .iter()
        .map(|offer| offer.profile.as_str());
    let found = match asked {
        Some(asked) => offers.find(|offer| *offer == asked),
        None => offers.find(|offer| allowed(offer)),
    };
    let invalid = |why: String| {
        Problem::new(
            ErrorType::InvalidProfile,
            format!("{why} (draft-ietf-acme-profiles §4)"),
        )
    };
    let Some(name) = found else {
        return Err(match asked {
            Some(asked) => {
                let asked: String = asked.chars().take(64).collect();
                invalid(format!("this directory offers no profile {asked:?}"))
            }
            None => invalid("this account may use none of the directory's profiles".to_owned()),
        });
    };
    if !allowed(name) {
        return Err(invalid(format!(
            "this account may not use the profile {name}"
        )));
    }
    match acme.inner.ca.profile(name) {
        Ok(version) => Ok(Chosen(version)),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// What is wrong with each name, as far as it is.
pub(crate) fn outside(
    directory: &Directory,
    account: &Account,
    profile: &Profile,
    names: &[Wanted],
) -> Vec<Sub> {
    let mut problems: Vec<Sub> = names
        .iter()
        .filter_map(|name| {
            let why = refusal(directory, account, profile, name)?;
            Some(name.problem(ErrorType::RejectedIdentifier, why))
        })
        .collect();
    if problems.is_empty() {
        problems.extend(too_many(profile, names));
    }
    problems
}

fn refusal(
    directory: &Directory,
    account: &Account,
    profile: &Profile,
    name: &Wanted,
) -> Option<String> {
    let (text, value) = (name.text(), name.value());
    let within = |patterns: &[access::NamePattern]| {
        patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&text))
    };
    if name.wildcard && !directory.wildcards {
        return Some(format!("{value}: this directory certifies no wildcards"));
    }
    if !within(&directory.names) {
        return Some(format!("{value} is outside the names of this directory"));
    }
    if !within(&account.scope.names) {
        return Some(format!("{value} is outside the names of this account"));
    }
    let Some(rule) = profile.name_rule(kind(name)) else {
        let kind = kind(name);
        return Some(format!(
            "{value}: the profile {} has no names of kind {kind}",
            profile.name()
        ));
    };
    if name.wildcard && !rule.wildcard {
        return Some(format!(
            "{value}: the profile {} has no wildcards",
            profile.name()
        ));
    }
    if !rule.matches(&text) {
        return Some(format!(
            "{value} matches none of the patterns of the profile {}",
            profile.name()
        ));
    }
    None
}

/// The names of a kind beyond what the profile holds.
fn too_many(profile: &Profile, names: &[Wanted]) -> Vec<Sub> {
    let mut beyond = Vec::new();
    for wanted in [NameKind::Dns, NameKind::Ip] {
        let most = profile
            .name_rule(wanted)
            .map_or(0, |rule| usize::from(rule.max));
        let of_kind = names.iter().filter(|name| kind(name) == wanted);
        beyond.extend(of_kind.skip(most).map(|name| {
            let why = format!(
                "{}: the profile {} holds at most {most} names of kind {wanted}",
                name.value(),
                profile.name()
            );
            name.problem(ErrorType::RejectedIdentifier, why)
        }));
    }
    beyond
}

fn kind(name: &Wanted) -> NameKind {
    match name.identifier {
        Identifier::Dns(_) => NameKind::Dns,
        Identifier::Ip(_) => NameKind::Ip,
    }
}

/// Whether an operator has given the account this name without proof: a scope without names gives nothing.
pub(crate) fn preauthorised(account: &Account, name: &Wanted) -> bool {
    if !account.preauthorised || account.scope.names.is_empty() {
        return false;
    }
    let text = name.text();
    let mut patterns = account.scope.names.iter();
    patterns.any(|pattern| pattern.matches(&text))
}

/// The dates that the client asks for, if the profile can give them (RFC 8555 §7.4: or else the order is refused).
pub(crate) fn dates(
    profile: &Profile,
    not_before: Option<&str>,
    not_after: Option<&str>,
    now: Timestamp,
) -> Result<(Option<Time>, Option<Time>), Problem> {
    /// What the CA grants beyond it depends on the moment of issuance.
    const AHEAD: i64 = 30 * 86_400;
    const BEHIND: i64 = 300;
    let begin = not_before.map(|text| date(text, "notBefore")).transpose()?;
    let end = not_after.map(|text| date(text, "notAfter")).transpose()?;
    let today = now.seconds();
    if begin.is_some_and(|begin| !(today - BEHIND..=today + AHEAD).contains(&begin.0)) {
        return Err(Problem::malformed(
            "notBefore must lie between five minutes ago and thirty days from now",
        ));
    }
    let from = begin.map_or(today, |begin| begin.0);
    let most = profile.max_validity();
    if end.is_some_and(|end| end.0 <= from.max(today) || end.0 - from >= most.as_seconds()) {
        return Err(Problem::malformed(format!(
            "notAfter must lie after now and notBefore, and within {most} of it, as the profile {} says",
            profile.name()
        )));
    }
    Ok((begin, end))
}

/// RFC 3339 (RFC 8555 §7.1.3), in whole seconds as certificates have them.
fn date(text: &str, what: &str) -> Result<Time, Problem> {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let year =
        |time: &jiff::Timestamp| (1_000_000_000..=253_402_300_799).contains(&time.as_second());
    match parsed.filter(year) {
        Some(time) => Ok(Time(time.as_second())),
        None => {
            let text: String = text.chars().take(64).collect();
            Err(Problem::malformed(format!(
                "{what} {text:?} is no date and time (RFC 3339 §5.6)"
            )))
        }
    }
}
