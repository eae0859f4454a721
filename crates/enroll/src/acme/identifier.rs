//! The names of an order (RFC 8555 §7.1.3, §9.7.7; RFC 8738 §3): read strictly, in one form, without repetition.
//!
//! What is wrong is said for every name at once (§6.7.1), because whoever runs the client corrects one list, not one name
//! a day.

use std::collections::HashSet;
use std::net::IpAddr;

use agent::control::Identifier;
use serde::Deserialize;
use x509::GeneralName;

use super::problem::{ErrorType, Problem, Sub};

/// Names of one order, as at Let's Encrypt: beyond that a certificate belongs to nobody in particular.
pub(crate) const MOST: usize = 100;

/// A name as the client writes it.
#[derive(Deserialize)]
pub(crate) struct Written {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A name that may be asked for, in the form in which it is stored and certified.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// Without `*.`.
    pub(crate) identifier: Identifier,
    pub(crate) wildcard: bool,
}

impl Wanted {
    /// As it stands in orders and certificates.
    pub(crate) fn value(&self) -> String {
        match self.wildcard {
            true => format!("*.{}", self.identifier),
            false => self.identifier.to_string(),
        }
    }

    /// As scopes and patterns read it.
    pub(crate) fn text(&self) -> String {
        match &self.identifier {
            Identifier::Dns(_) => format!("dns:{}", self.value()),
            Identifier::Ip(ip) => format!("ip:{ip}"),
        }
    }

    /// As certificates carry it.
    pub(crate) fn general(&self) -> GeneralName {
        match &self.identifier {
            Identifier::Dns(_) => GeneralName::Dns(self.value()),
            Identifier::Ip(ip) => GeneralName::Ip(*ip),
        }
    }

    /// As the client wrote it (§7.1.3): with `*.`.
    pub(crate) fn written(&self) -> Identifier {
        match &self.identifier {
            Identifier::Dns(_) => Identifier::Dns(self.value()),
            ip @ Identifier::Ip(_) => ip.clone(),
        }
    }

    /// A problem of this name.
    pub(crate) fn problem(&self, kind: ErrorType, detail: impl Into<String>) -> Sub {
        Sub {
            kind,
            detail: detail.into(),
            identifier: Some(self.written()),
        }
    }
}

/// Reads the names of an order: lower case, each once, in the client's order.
pub(crate) fn read(written: &[Written]) -> Result<Vec<Wanted>, Problem> {
    if written.is_empty() {
        return Err(Problem::malformed(
            "an order names at least one identifier (RFC 8555 §7.4)",
        ));
    }
    if written.len() > MOST {
        let found = written.len();
        return Err(Problem::malformed(format!(
            "{found} identifiers in one order; at most {MOST} are accepted"
        )));
    }
    let mut names = Vec::with_capacity(written.len());
    let mut seen = HashSet::with_capacity(written.len());
    let mut problems = Vec::new();
    for one in written {
        match read_one(one) {
            Ok(name) => {
                if seen.insert(name.clone()) {
                    names.push(name);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    match problems.is_empty() {
        true => Ok(names),
        false => Err(together(problems)),
    }
}

/// One problem of several names: of their kind if they agree, else `compound` (§6.7.1).
pub(crate) fn together(problems: Vec<Sub>) -> Problem {
    let first = problems.first();
    let kind = first.map_or(ErrorType::Malformed, |first| first.kind);
    let agree = problems.iter().all(|problem| problem.kind == kind);
    let detail = match (first, problems.len()) {
        (Some(first), 1) => first.detail.clone(),
        (_, several) => format!("{several} of the identifiers cannot be certified here"),
    };
    let kind = if agree { kind } else { ErrorType::Compound };
    Problem::new(kind, detail).subproblems(problems)
}

/// Reads one name.
pub(crate) fn read_one(written: &Written) -> Result<Wanted, Sub> {
    match written.kind.as_str() {
        "dns" => dns(&written.value),
        "ip" => ip(&written.value),
        other => Err(Sub {
            kind: ErrorType::UnsupportedIdentifier,
            detail: format!(
                "identifiers of type {:?} are not certified; dns and ip are",
                shortened(other)
            ),
            identifier: None,
        }),
    }
}

fn dns(value: &str) -> Result<Wanted, Sub> {
    let name = value.to_ascii_lowercase();
    // A name that is no name is not repeated in the form of one.
    let quoted = |kind, detail: String| Sub {
        kind,
        detail,
        identifier: (value.len() <= 253).then(|| Identifier::Dns(value.to_owned())),
    };
    if name.parse::<IpAddr>().is_ok() {
        let detail = format!("{name} is an address: ask for it as type ip (RFC 8738 §3)");
        return Err(quoted(ErrorType::Malformed, detail));
    }
    x509::dns::check(&name).map_err(|error| {
        let kind = match error.rule {
            // Well-formed, and still nothing that is certified.
            "dns-mixed-script" | "dns-confusable" | "dns-u-label" | "dns-wildcard-scope"
            | "dns-top-label" | "dns-label-reserved" => ErrorType::RejectedIdentifier,
            _ => ErrorType::Malformed,
        };
        quoted(kind, shortened(&error.to_string()))
    })?;
    Ok(match name.strip_prefix("*.") {
        Some(base) => Wanted {
            identifier: Identifier::Dns(base.to_owned()),
            wildcard: true,
        },
        None => Wanted {
            identifier: Identifier::Dns(name),
            wildcard: false,
        },
    })
}

fn ip(value: &str) -> Result<Wanted, Sub> {
    let problem = |kind, detail: String, identifier| Sub {
        kind,
        detail,
        identifier,
    };
    // RFC 8738 §3: RFC 1123 §2.1 form, or RFC 5952 §4 form, and no other.
    let parsed: Option<IpAddr> = value.parse().ok();
    let Some(ip) = parsed.filter(|ip| ip.to_string() == value) else {
        let hint = parsed.map_or_else(String::new, |ip| format!("; write {ip}"));
        let detail = format!(
            "{:?} is no address in its canonical form (RFC 8738 §3){hint}",
            shortened(value)
        );
        return Err(problem(ErrorType::Malformed, detail, None));
    };
    if ip.is_multicast() || ip.is_unspecified() {
        let detail = format!("{ip} is nobody's address");
        return Err(problem(
            ErrorType::RejectedIdentifier,
            detail,
            Some(Identifier::Ip(ip)),
        ));
    }
    Ok(Wanted {
        identifier: Identifier::Ip(ip),
        wildcard: false,
    })
}

/// What is quoted is as long as the client likes.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(kind: &str, value: &str) -> Written {
        Written {
            kind: kind.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn rfc8738_rfc8555_names_in_their_one_form() {
        let table = [
            ("dns", "pacs.example.org", "dns:pacs.example.org"),
            ("dns", "PACS.Example.ORG", "dns:pacs.example.org"),
            ("dns", "*.icu.example.org", "dns:*.icu.example.org"),
            ("dns", "pacs", "dns:pacs"),
            ("dns", "xn--bcher-kva.example", "dns:xn--bcher-kva.example"),
            ("ip", "10.20.0.9", "ip:10.20.0.9"),
            ("ip", "2001:db8::1", "ip:2001:db8::1"),
        ];
        for (kind, value, expected) in table {
            let found = read(&[written(kind, value)]).unwrap();
            assert_eq!(found[0].text(), expected);
        }
    }

    #[test]
    fn names_that_are_refused_and_how() {
        use ErrorType::{Malformed, RejectedIdentifier, UnsupportedIdentifier};
        let table = [
            ("dns", "", Malformed),
            ("dns", "pacs.example.org.", Malformed),
            ("dns", "pacs.example.org:443", Malformed),
            ("dns", "https://pacs.example.org", Malformed),
            ("dns", "pacs_1.example.org", Malformed),
            ("dns", "-pacs.example.org", Malformed),
            ("dns", "pacs..example.org", Malformed),
            ("dns", "a b.example.org", Malformed),
            ("dns", "b\u{fc}cher.example", Malformed),
            ("dns", "a\0.example.org", Malformed),
            ("dns", "10.20.0.9", Malformed),
            ("dns", "2001:db8::1", Malformed),
            ("dns", "a.*.example.org", Malformed),
            ("dns", "p*.example.org", Malformed),
            ("dns", "*.*.example.org", Malformed),
            ("dns", "xn--99999999999.example", Malformed),
            ("dns", "*.org", RejectedIdentifier),
            ("dns", "xn--80ak6aa92e.com", RejectedIdentifier),
            ("dns", "xn--pple-43d.com", RejectedIdentifier),
            ("dns", "host.123", RejectedIdentifier),
            ("ip", "10.20.0.009", Malformed),
            ("ip", "10.20.9", Malformed),
            ("ip", "2001:0db8::1", Malformed),
            ("ip", "2001:DB8::1", Malformed),
            ("ip", "10.20.0.0/16", Malformed),
            ("ip", "[2001:db8::1]", Malformed),
            ("ip", "pacs.example.org", Malformed),
            ("ip", "0.0.0.0", RejectedIdentifier),
            ("ip", "ff02::1", RejectedIdentifier),
            ("email", "a@example.org", UnsupportedIdentifier),
            ("DNS", "pacs.example.org", UnsupportedIdentifier),
        ];
        for (kind, value, expected) in table {
            let problem = read(&[written(kind, value)]).unwrap_err();
            assert_eq!(problem.kind, expected, "{kind} {value:?}");
            assert_eq!(problem.subproblems.len(), 1);
        }
    }

    #[test]
    fn repetitions_are_merged_and_every_problem_is_named() {
        let twice = [
            written("dns", "a.example.org"),
            written("dns", "A.example.org"),
        ];
        assert_eq!(read(&twice).unwrap().len(), 1);
        // A wildcard and its base are two names.
        let both = [
            written("dns", "*.example.org"),
            written("dns", "example.org"),
        ];
        assert_eq!(read(&both).unwrap().len(), 2);
        let mixed = [
            written("dns", "a.example.org"),
            written("dns", "a_b.example.org"),
            written("ip", "::"),
        ];
        let problem = read(&mixed).unwrap_err();
        assert_eq!(problem.kind, ErrorType::Compound);
        assert_eq!(problem.subproblems.len(), 2);
        let many: Vec<_> = (0..=MOST)
            .map(|i| written("dns", &format!("h{i}.example")))
            .collect();
        assert_eq!(read(&many).unwrap_err().kind, ErrorType::Malformed);
        assert_eq!(read(&many[1..]).unwrap().len(), MOST);
        assert!(read(&[]).is_err());
    }
}
