//! One certificate's risk with its reasons: "Critical because: PHI via EHR interface, 12 days left, renewal manual".

use std::fmt;

use audit::Timestamp;
use serde::Serialize;

use super::level::{Level, Light};
use crate::flow::Protects;
use crate::inventory::{Environment, Facts};
use crate::{Criticality, RenewalMethod};

/// Flows and systems that a reason names; the rest are counted.
const NAMED: usize = 3;
/// The reason code of a hold (RFC 5280 §5.3.1).
const HOLD: u8 = 6;

/// A level, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    pub level: Level,
    /// What decided first.
    pub because: Vec<Reason>,
    /// What R18 says to do.
    pub action: &'static str,
}

/// One thing that is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `phi`, `expiry`, `ehr`, `patient-facing`, `criticality`, `environment`, `internal`, `renewal`, `over`.
    pub what: &'static str,
    /// For people.
    pub text: String,
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} because: ", self.level)?;
        for (at, reason) in self.because.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", reason.text)?;
        }
        Ok(())
    }
}

/// The risk of a certificate at `now` (R18).
pub fn assess(facts: &Facts, now: Timestamp) -> Assessment {
    let light = light(facts, now);
    let level = light.level();
    Assessment {
        level,
        because: because(facts, &light, level),
        action: level.action(),
    }
}

/// What the columns of a certificate hold of its risk, with what passes along the map of flows: what searches, views and the
/// risk of everything at once read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub phi: bool,
    pub patient_facing: bool,
    pub ehr: bool,
    pub criticality: Criticality,
    pub level: Level,
}

/// The columns of a certificate at `now`.
pub fn settled(facts: &Facts, now: Timestamp) -> Settled {
    let light = light(facts, now);
    Settled {
        phi: light.phi,
        patient_facing: light.patient_facing,
        ehr: light.ehr,
        criticality: criticality(facts),
        level: light.level(),
    }
}

/// What of the facts the level depends on: its own, and what passes along the map of flows (R16).
fn light(facts: &Facts, now: Timestamp) -> Light {
    let assigned = &facts.assigned;
    let any = |is: fn(&Protects) -> bool| facts.flows.iter().any(is);
    Light {
        seconds_left: seconds_left(facts, now),
        phi: assigned.phi || any(|one| one.phi),
        patient_facing: assigned.patient_facing || any(|one| one.patient_facing),
        ehr: tagged_ehr(&assigned.tags) || any(|one| one.ehr),
        life_support: criticality(facts) == Criticality::LifeSupport,
        test: assigned.environment != Environment::Production,
        revoked: facts.revoked.is_some_and(|reason| reason != HOLD),
        somewhere: !facts.places.is_empty(),
    }
}

/// What depends on it most: the asset's or rule's word, or what passes along the flows. The first is the highest.
fn criticality(facts: &Facts) -> Criticality {
    let passed = facts.flows.iter().map(|one| one.criticality);
    passed.fold(facts.assigned.criticality, Criticality::min)
}

/// An owner rule says by the tag `ehr` that something belongs to the electronic health record.
fn tagged_ehr(tags: &[String]) -> bool {
    tags.iter().any(|tag| tag.eq_ignore_ascii_case("ehr"))
}

/// The last second of the validity belongs to it (RFC 5280 §4.1.2.5).
fn seconds_left(facts: &Facts, now: Timestamp) -> i64 {
    let end = facts.certificate.not_after().0;
    end.saturating_sub(now.0.div_euclid(1000))
}

fn because(facts: &Facts, light: &Light, level: Level) -> Vec<Reason> {
    if level == Level::None {
        return vec![over(light)];
    }
    let mut reasons = Vec::new();
    if light.phi {
        reasons.push(phi(facts));
    }
    // The days decide between Critical and High; elsewhere they do not change the level, and are told last.
    if level == Level::Critical {
        reasons.push(expiry(light));
    }
    if light.ehr {
        let text = via("EHR integration", facts, |one| one.ehr);
        reasons.push(reason("ehr", text));
    }
    if light.patient_facing {
        let text = via("patient-facing", facts, |one| one.patient_facing);
        reasons.push(reason("patient-facing", text));
    }
    if light.life_support {
        let by_flow = facts.assigned.criticality != Criticality::LifeSupport;
        let text = match by_flow {
            true => via("life support", facts, |one| {
                one.criticality == Criticality::LifeSupport
            }),
            false => "life support".to_owned(),
        };
        reasons.push(reason("criticality", text));
    }
    match level {
        Level::Medium => reasons.push(reason("internal", "internal, no PHI known".to_owned())),
        Level::Low => reasons.push(environment(facts)),
        _ => {}
    }
    if level != Level::Critical {
        reasons.push(expiry(light));
    }
    reasons.extend(renewal(facts));
    reasons
}

fn reason(what: &'static str, text: String) -> Reason {
    Reason { what, text }
}

/// Where the PHI comes from: a flow's name says more than an asset's mark.
fn phi(facts: &Facts) -> Reason {
    let mapped = facts.flows.iter().any(|one| one.phi);
    let text = match (&facts.assigned.asset, mapped) {
        (_, true) => via("PHI", facts, |one| one.phi),
        (Some(asset), false) if asset.phi => format!("PHI on {} {}", asset.kind, asset_name(asset)),
        _ => match &facts.assigned.owner_by {
            Some(by) => format!("PHI by {by}"),
            None => "PHI".to_owned(),
        },
    };
    reason("phi", text)
}

fn asset_name(asset: &crate::Asset) -> &str {
    match asset.serial.is_empty() {
        true => &asset.id,
        false => &asset.serial,
    }
}

/// `PHI via EHR interface, ADT feed and 4 more`. Flows before systems: they say what is exchanged.
fn via(what: &str, facts: &Facts, is: fn(&Protects) -> bool) -> String {
    let mut named: Vec<&Protects> = facts.flows.iter().filter(|one| is(one)).collect();
    named.sort_by_key(|one| (one.kind, one.passed.is_some(), &one.name));
    named.dedup_by_key(|one| (one.kind, &one.name));
    let mut text = what.to_owned();
    for (at, one) in named.iter().take(NAMED).enumerate() {
        text.push_str(if at == 0 { " via " } else { ", " });
        text.push_str(&one.name);
        if let Some(passed) = &one.passed {
            text.push_str(&format!(" ({passed})"));
        }
    }
    match named.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn expiry(light: &Light) -> Reason {
    const DAY: i64 = 86_400;
    let text = match (light.seconds_left, light.seconds_left.abs() / DAY) {
        (..0, 0) => "expired today".to_owned(),
        (..0, 1) => "expired a day ago".to_owned(),
        (..0, days) => format!("expired {days} days ago"),
        (_, 0) => "less than a day left".to_owned(),
        (_, 1) => "1 day left".to_owned(),
        (_, days) => format!("{days} days left"),
    };
    reason("expiry", text)
}

fn environment(facts: &Facts) -> Reason {
    let text = match facts.assigned.environment {
        Environment::Production => "production",
        Environment::Test => "test environment",
        Environment::Development => "development environment",
    };
    reason("environment", text.to_owned())
}

fn over(light: &Light) -> Reason {
    let text = match light.revoked {
        true => "revoked, and nowhere any more",
        false => "expired, and nowhere any more",
    };
    reason("over", text.to_owned())
}

/// Nobody has said how it is renewed where there is no asset; then there is nothing to tell.
fn renewal(facts: &Facts) -> Option<Reason> {
    let asset = facts.assigned.asset.as_ref()?;
    let text = match asset.renewal {
        RenewalMethod::Automatic => "renewal automatic",
        RenewalMethod::Manual => "renewal manual",
        RenewalMethod::Spare => "renewal by spare",
    };
    Some(reason("renewal", text.to_owned()))
}
