//! CAA (RFC 8659): does the owner of a domain let this authority issue? With the parameters of RFC 8657
//! that bind it to an account and to challenges.
//!
//! When in doubt the answer is no: a resolver that fails, a record that cannot be read, a critical
//! property nobody here knows.

use super::{CaaQuery, Failure, FailureKind, Rules, attempt::Attempt};
use crate::dns::{CaaRecord, Data, Kind, Name};

/// Properties whose meaning is known: those that decide here, and those that decide nothing here
/// (RFC 8659 §4.4, RFC 9495; contact properties: CA/Browser Forum BR §A.1).
const KNOWN: [&str; 7] = [
    "issue",
    "issuewild",
    "iodef",
    "issuemail",
    "issuevmc",
    "contactemail",
    "contactphone",
];

/// Climbs from `name` towards the root until there are records, and lets them decide. `Ok` names the
/// owner of the deciding records, if there are any.
pub(super) async fn permits(
    name: &str,
    query: &CaaQuery,
    rules: &Rules,
    attempt: &Attempt<'_>,
) -> Result<Option<String>, Failure> {
    let mut at =
        Name::parse(name).map_err(|e| Failure::new(FailureKind::Malformed, e.to_string()))?;
    while !at.is_root() {
        let lookup = attempt
            .resolver
            .records(&at, Kind::Caa, &rules.resolvers, &attempt.deadline)
            .await
            .map_err(|e| caa(format!("CAA of {name} could not be asked for: {e}"), true))?;
        let records: Vec<CaaRecord> = lookup
            .records
            .into_iter()
            .filter_map(|data| match data {
                Data::Caa(record) => Some(record),
                _ => None,
            })
            .collect();
        if !records.is_empty() {
            let owner = lookup.names.join(" → ");
            return match decide(&records, query) {
                Ok(()) => Ok(Some(owner)),
                Err(why) => Err(caa(format!("CAA of {owner} forbids it: {why}"), false)),
            };
        }
        at = at.parent();
    }
    Ok(None)
}

fn caa(detail: String, retry: bool) -> Failure {
    Failure {
        retry,
        ..Failure::new(FailureKind::Caa, detail)
    }
}

/// RFC 8659 §4: one RRset against one authority.
fn decide(records: &[CaaRecord], query: &CaaQuery) -> Result<(), String> {
    if let Some(unknown) = records
        .iter()
        .find(|r| r.critical && !KNOWN.contains(&r.tag.as_str()))
    {
        return Err(format!(
            "its critical property {:?} is unknown here (RFC 8659 §4.5)",
            unknown.tag
        ));
    }
    let of = |tag: &str| -> Vec<&CaaRecord> { records.iter().filter(|r| r.tag == tag).collect() };
    let wild = match query.wildcard {
        true => of("issuewild"),
        false => Vec::new(),
    };
    let deciding = match wild.is_empty() {
        true => of("issue"),
        false => wild,
    };
    if deciding.is_empty() {
        return Ok(());
    }
    let mut reasons = Vec::new();
    for record in deciding {
        match Issue::parse(&record.value) {
            Some(issue) => match issue.admits(query) {
                Ok(()) => return Ok(()),
                Err(why) => reasons.push(why),
            },
            None => reasons.push(format!("a malformed {} property admits nobody", record.tag)),
        }
    }
    reasons.dedup();
    reasons.truncate(4);
    Err(reasons.join("; "))
}

/// The value of `issue` and `issuewild` (RFC 8659 §4.2).
#[derive(Debug, PartialEq, Eq)]
struct Issue<'a> {
    /// Empty: nobody may issue.
    domain: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Issue<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        let mut parts = text.split(';').map(|p| p.trim_matches([' ', '\t']));
        let domain = parts.next()?;
        let label = |l: &str| {
            let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            !l.is_empty() && !l.starts_with('-') && !l.ends_with('-') && l.bytes().all(inside)
        };
        if !domain.is_empty() && !domain.split('.').all(label) {
            return None;
        }
        let rest: Vec<&str> = parts.collect();
        let parameters = match rest.as_slice() {
            // "ca.example;" has a semicolon and no parameters.
            [] | [""] => Vec::new(),
            several => several
                .iter()
                .map(|p| parameter(p))
                .collect::<Option<_>>()?,
        };
        Some(Self { domain, parameters })
    }

    fn admits(&self, query: &CaaQuery) -> Result<(), String> {
        if self.domain.is_empty() {
            return Err("it admits nobody".to_owned());
        }
        if !query
            .identities
            .iter()
            .any(|i| i.eq_ignore_ascii_case(self.domain))
        {
            return Err(format!("it admits {}", self.domain));
        }
        match self.all("accounturi").as_slice() {
            [] => {}
            [one] if *one == query.account_url => {}
            [one] => return Err(format!("it admits the account {one} only (RFC 8657 §3)")),
            _ => return Err("it has several accounturi parameters (RFC 8657 §3)".to_owned()),
        }
        match self.all("validationmethods").as_slice() {
            [] => Ok(()),
            [one] if one.split(',').any(|m| m == query.validation_method) => Ok(()),
            [one] => Err(format!("it admits the challenges {one} only (RFC 8657 §4)")),
            _ => Err("it has several validationmethods parameters (RFC 8657 §4)".to_owned()),
        }
    }

    fn all(&self, tag: &str) -> Vec<&'a str> {
        let of_tag = self
            .parameters
            .iter()
            .filter(|(t, _)| t.eq_ignore_ascii_case(tag));
        of_tag.map(|(_, value)| *value).collect()
    }
}

/// `tag = value` with blanks around either (RFC 8659 §4.2).
fn parameter(text: &str) -> Option<(&str, &str)> {
    let (tag, value) = text.split_once('=')?;
    let (tag, value) = (
        tag.trim_matches([' ', '\t']),
        value.trim_matches([' ', '\t']),
    );
    let tag_fits = !tag.is_empty()
        && !tag.starts_with('-')
        && !tag.ends_with('-')
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let value_fits = value.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    (tag_fits && value_fits).then_some((tag, value))
}

/// Reads `data` as a property value and decides by it: for fuzzing.
pub(super) fn exercise(data: &[u8]) {
    let query = CaaQuery {
        identities: vec!["ca.example".to_owned()],
        wildcard: false,
        validation_method: "http-01".to_owned(),
        account_url: "https://ca.example/acme/account/1".to_owned(),
    };
    for tag in ["issue", "issuewild"] {
        let record = CaaRecord {
            critical: false,
            tag: tag.to_owned(),
            value: data.to_vec(),
        };
        let decided = decide(std::slice::from_ref(&record), &query);
        let named = data
            .windows(10)
            .any(|w| w.eq_ignore_ascii_case(b"ca.example"));
        assert!(
            decided.is_err() || named || tag == "issuewild",
            "admitted without being named"
        );
    }
}

#[cfg(test)]
mod tests;
