//! Holding a certificate against rules, and saying why each holds or does not.

use std::net::IpAddr;

use agent::observation::Place;
use serde::Serialize;
use x509::Certificate;

use super::{OwnerRule, When};
use crate::inventory::text::clean;
use crate::inventory::{Facts, certificate};

/// What rules look at. Made from facts, so that a rule can be tried on what is not there yet.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Without their kinds, lower case.
    pub names: Vec<String>,
    pub issuer: String,
    pub subject: String,
    pub vendors: Vec<String>,
    pub how: Vec<String>,
    pub ours: bool,
    pub self_signed: bool,
    pub places: Vec<Looked>,
}

/// One place, as a rule looks at it.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    pub segment: Option<String>,
    pub address: Option<IpAddr>,
    pub port: Option<u16>,
    pub host: Option<String>,
    pub path: Option<String>,
}

/// What came of holding a certificate against one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub rule: String,
    pub matches: bool,
    /// One line for each thing that the rule asks for, as far as it was looked at.
    pub why: Vec<String>,
}

impl Candidate {
    /// What is known of a certificate; `how` is how it was found, with commas.
    pub fn of(facts: &Facts, how: &str) -> Self {
        let asset = facts.assigned.asset.as_ref();
        let vendors = asset.iter().flat_map(|asset| {
            let vendor = asset.vendor.iter().cloned();
            vendor.chain(std::iter::once(asset.manufacturer.clone()))
        });
        Candidate {
            vendors: vendors.filter(|vendor| !vendor.is_empty()).collect(),
            how: how.split(',').map(str::to_owned).collect(),
            ours: facts.authority.is_some(),
            self_signed: facts.self_signed,
            places: facts.places.iter().map(Looked::of).collect(),
            ..Candidate::of_certificate(&facts.certificate)
        }
    }

    /// What a certificate says by itself.
    pub fn of_certificate(certificate: &Certificate) -> Self {
        let names = certificate::names(certificate);
        let names = names
            .iter()
            .filter_map(|name| Some(name.split_once(':')?.1.to_owned()));
        Candidate {
            names: names.collect(),
            issuer: clean(&certificate.issuer().to_string()),
            subject: clean(&certificate.subject().to_string()),
            ..Candidate::default()
        }
    }
}

impl Looked {
    fn of(place: &super::super::PlaceFacts) -> Self {
        let segment = place.segment.clone();
        match &place.place {
            Place::Network {
                address, port, sni, ..
            } => Looked {
                segment,
                address: Some(*address),
                port: Some(*port),
                host: sni.clone(),
                path: None,
            },
            Place::Client { address, port, .. } => Looked {
                segment,
                address: Some(*address),
                port: Some(*port),
                ..Looked::default()
            },
            Place::Name { name, port } => Looked {
                segment,
                port: Some(*port),
                host: Some(name.clone()),
                ..Looked::default()
            },
            Place::File { host, path, .. } => Looked {
                segment,
                host: Some(host.clone()),
                path: Some(path.clone()),
                ..Looked::default()
            },
            Place::Log { .. } => Looked::default(),
        }
    }
}

/// The first rule that matches.
pub fn first<'a>(rules: &'a [OwnerRule], candidate: &Candidate) -> Option<&'a OwnerRule> {
    rules.iter().find(|rule| rule.when.holds(candidate))
}

/// Every rule up to the one that matches, with the reasons.
pub fn tried(rules: &[OwnerRule], candidate: &Candidate) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for rule in rules {
        let mut why = Vec::new();
        let matches = rule.when.explained(candidate, &mut |line| why.push(line));
        if matches && why.is_empty() {
            why.push("it asks for nothing: it matches everything".to_owned());
        }
        verdicts.push(Verdict {
            rule: rule.name.clone(),
            matches,
            why,
        });
        if matches {
            break;
        }
    }
    verdicts
}

impl When {
    pub fn holds(&self, candidate: &Candidate) -> bool {
        self.explained(candidate, &mut |_| {})
    }

    /// Whether it says anything about places.
    fn asks_for_place(&self) -> bool {
        !(self.segments.is_empty()
            && self.addresses.is_empty()
            && self.ports.is_empty()
            && self.hosts.is_empty()
            && self.paths.is_empty())
    }

    fn explained(&self, candidate: &Candidate, tell: &mut dyn FnMut(String)) -> bool {
        let one = |text: &String| vec![text.clone()];
        let lists = [
            ("name", &self.names, candidate.names.clone()),
            ("issuer", &self.issuers, one(&candidate.issuer)),
            ("subject", &self.subjects, one(&candidate.subject)),
            ("vendor", &self.vendors, candidate.vendors.clone()),
            ("how", &self.how, candidate.how.clone()),
        ];
        for (what, patterns, values) in lists {
            if !patterns.is_empty() && !some(what, patterns, &values, tell) {
                return false;
            }
        }
        let flags = [
            ("issued by us", self.ours, candidate.ours),
            ("self-signed", self.self_signed, candidate.self_signed),
        ];
        for (what, wanted, is) in flags {
            let Some(wanted) = wanted else { continue };
            let not = if is { "" } else { "not " };
            tell(format!("it is {not}{what}"));
            if wanted != is {
                return false;
            }
        }
        !self.asks_for_place() || self.has_place(candidate, tell)
    }

    fn has_place(&self, candidate: &Candidate, tell: &mut dyn FnMut(String)) -> bool {
        let found = candidate
            .places
            .iter()
            .find(|place| self.place_holds(place));
        match found {
            Some(place) => tell(format!("it is at {}", place.text())),
            None => tell(format!(
                "none of its {} places is {}",
                candidate.places.len(),
                self.place_text()
            )),
        }
        found.is_some()
    }

    fn place_holds(&self, place: &Looked) -> bool {
        let text = |patterns: &[String], value: &Option<String>| {
            patterns.is_empty()
                || value
                    .as_ref()
                    .is_some_and(|value| any(patterns, value).is_some())
        };
        text(&self.segments, &place.segment)
            && text(&self.hosts, &place.host)
            && text(&self.paths, &place.path)
            && (self.ports.is_empty() || place.port.is_some_and(|port| self.ports.contains(&port)))
            && (self.addresses.is_empty()
                || place.address.is_some_and(|address| {
                    self.addresses.iter().any(|range| range.contains(address))
                }))
    }

    /// What it asks of a place, for people.
    fn place_text(&self) -> String {
        let mut parts = Vec::new();
        let mut list = |what: &str, items: Vec<String>| {
            if !items.is_empty() {
                parts.push(format!("{what} {}", items.join(" or ")));
            }
        };
        list("in", self.segments.clone());
        list(
            "within",
            self.addresses.iter().map(ToString::to_string).collect(),
        );
        list(
            "on port",
            self.ports.iter().map(ToString::to_string).collect(),
        );
        list("on host", self.hosts.clone());
        list("at path", self.paths.clone());
        parts.join(" and ")
    }
}

impl Looked {
    fn text(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.segment.as_ref().map(|it| format!("segment {it}")));
        parts.extend(self.address.map(|it| it.to_string()));
        parts.extend(self.port.map(|it| format!("port {it}")));
        parts.extend(self.host.as_ref().map(|it| format!("host {it}")));
        parts.extend(self.path.clone());
        parts.join(", ")
    }
}

/// The first pattern that a text matches, case aside.
fn any<'a>(patterns: &'a [String], value: &str) -> Option<&'a String> {
    let value = value.to_lowercase();
    patterns
        .iter()
        .find(|pattern| access::glob(&pattern.to_lowercase(), &value))
}

fn some(what: &str, patterns: &[String], values: &[String], tell: &mut dyn FnMut(String)) -> bool {
    for value in values {
        if let Some(pattern) = any(patterns, value) {
            tell(format!("{what} {value} matches {pattern}"));
            return true;
        }
    }
    let shown: Vec<&str> = values.iter().map(String::as_str).take(3).collect();
    tell(format!(
        "{what} {} does not match {}",
        match shown.is_empty() {
            true => "(none)".to_owned(),
            false => shown.join(", "),
        },
        patterns.join(" or ")
    ));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pump() -> Candidate {
        let place = |address: &str, port: u16, segment: &str| Looked {
            segment: Some(segment.to_owned()),
            address: address.parse().ok(),
            port: Some(port),
            ..Looked::default()
        };
        Candidate {
            names: vec!["pump-1.icu.example".to_owned()],
            issuer: "CN=Device CA,O=Fluidic".to_owned(),
            subject: "CN=pump-1".to_owned(),
            how: vec!["scan".to_owned()],
            places: vec![
                place("10.30.0.1", 443, "icu"),
                place("10.40.0.1", 2762, "lab"),
            ],
            ..Candidate::default()
        }
    }

    fn rule(name: &str, when: When) -> OwnerRule {
        OwnerRule {
            name: name.to_owned(),
            when,
            ..OwnerRule::default()
        }
    }

    #[test]
    fn r21_the_first_rule_that_matches_counts_and_each_says_why() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let rules = [
            rule(
                "lab",
                When {
                    names: texts(&["*.lab.example"]),
                    ..When::default()
                },
            ),
            rule(
                "fluidic",
                When {
                    issuers: texts(&["*O=FLUIDIC*"]),
                    ..When::default()
                },
            ),
            rule("rest", When::default()),
        ];
        assert_eq!(first(&rules, &pump()).unwrap().name, "fluidic");
        let verdicts = tried(&rules, &pump());
        assert_eq!(verdicts.len(), 2);
        assert_eq!(
            verdicts[0].why,
            ["name pump-1.icu.example does not match *.lab.example"]
        );
        assert_eq!(
            verdicts[1].why,
            ["issuer CN=Device CA,O=Fluidic matches *O=FLUIDIC*"]
        );
        assert_eq!(first(&rules[2..], &pump()).unwrap().name, "rest");
    }

    #[test]
    fn r21_what_is_said_of_places_holds_of_one_and_the_same_place() {
        let when = |addresses: &str, port: u16| When {
            addresses: vec![addresses.parse().unwrap()],
            ports: vec![port],
            ..When::default()
        };
        assert!(when("10.30.0.0/16", 443).holds(&pump()));
        assert!(when("10.40.0.0/16", 2762).holds(&pump()));
        assert!(!when("10.30.0.0/16", 2762).holds(&pump()));
        let verdict = &tried(&[rule("dicom", when("10.30.0.0/16", 2762))], &pump())[0];
        assert_eq!(
            verdict.why,
            ["none of its 2 places is within 10.30.0.0/16 and on port 2762"]
        );
    }
}
