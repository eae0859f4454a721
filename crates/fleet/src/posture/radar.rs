//! The radar as a function of counts: shares, axes, score; and what the page needs to work out "what if" by itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::axis::{AXES, Axis, Part};
use super::lever::{LEVERS, Lever};
use super::walk::Tally;

/// The score is never more than so far above the weakest axis: one that is down is not outweighed by seven that are well.
pub const CEILING: f64 = 40.0;

/// So much of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    pub have: u64,
    pub of: u64,
}

impl Share {
    /// All but those that lack something.
    pub fn without(lacking: u64, of: u64) -> Share {
        Share {
            have: of.saturating_sub(lacking),
            of,
        }
    }

    /// Never more than there are.
    pub fn so_many(have: u64, of: u64) -> Share {
        Share {
            have: have.min(of),
            of,
        }
    }

    /// Of 100; nothing of nothing has no value. The page computes it in this order.
    fn percent(self, gain: f64) -> Option<f64> {
        let have = (self.have as f64 + gain).min(self.of as f64);
        (self.of > 0).then(|| 100.0 * have / self.of as f64)
    }
}

/// Everything that the radar is computed from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub certificates: Tally,
    /// Open findings by rule. Those that are waived are among them: a waiver bears a weakness, and does not end it.
    pub findings: BTreeMap<String, u64>,
    /// Those of them that are waived.
    pub waived: BTreeMap<String, u64>,
    /// Addresses that segments answer for, and those looked at within 30 days.
    pub addresses: u64,
    pub looked_at: u64,
    pub segments: u64,
    /// Segments whose limits hold by a signature of somebody else.
    pub signed: u64,
    pub agents: u64,
    /// Agents from which something came within an hour.
    pub heard: u64,
    /// Addresses with certificates, and those of them in no segment.
    pub hosts: u64,
    pub outside: u64,
    pub assets: u64,
    pub owned_assets: u64,
    /// Places that were seen to speak TLS.
    pub tls_places: u64,
    /// Revocation lists, and those that are not past their next update.
    pub lists: u64,
    pub fresh_lists: u64,
    /// Authorities that answer OCSP, and those of them whose responder is in order.
    pub responders: u64,
    pub sound_responders: u64,
    /// Critical devices that are not renewed by themselves, and those of them with a spare.
    pub by_hand: u64,
    pub with_spare: u64,
    pub phi_flows: u64,
    pub protected_flows: u64,
    /// Credentials in force, those that end within 400 days, and those of them that are administrators'.
    pub tokens: u64,
    pub ending_tokens: u64,
    pub administrators: u64,
    /// Requests that wait, and those that have waited for less than three days.
    pub waiting: u64,
    pub prompt: u64,
    /// Alerts, and those that were taken.
    pub alerts: u64,
    pub alerts_taken: u64,
    /// The log has a signed head that is less than an hour old: 1 of 1.
    pub checkpoint: Share,
}

impl Counts {
    /// Open findings of these rules.
    pub fn found(&self, rules: &[&str]) -> u64 {
        let counts = rules.iter().filter_map(|rule| self.findings.get(*rule));
        counts.sum()
    }
}

/// Where to look: a path of the console with what it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// `/inventory`, `/findings`, …
    pub path: String,
    /// The query of the path, by name.
    pub search: BTreeMap<String, String>,
}

impl Link {
    pub fn to(path: &str) -> Link {
        Link {
            path: path.to_owned(),
            search: BTreeMap::new(),
        }
    }

    /// A search of the inventory, in its language.
    pub fn inventory(query: &str) -> Link {
        Link::to("/inventory").with("q", query)
    }

    /// What critical devices hold that a person renews: each wants a spare.
    pub fn by_hand() -> Link {
        Link::inventory("asset and not automated and criticality >= high")
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Link {
        self.search.insert(name.to_owned(), value.into());
        self
    }
}

/// What pulls an axis down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pull {
    /// For people: `its key is too small`.
    pub text: String,
    /// The rule of findings, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    pub count: u64,
    /// How many of them are waived.
    pub waived: u64,
    pub link: Link,
}

/// A part of an axis as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Shown {
    pub id: &'static str,
    pub title: &'static str,
    /// Weight within the axis.
    pub weight: f64,
    /// What is counted: `certificates`, `addresses`, …
    pub unit: &'static str,
    /// From where on it is well, and whose word that is.
    pub limit: &'static str,
    pub share: Share,
}

/// An axis as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Judged {
    pub id: &'static str,
    pub title: &'static str,
    pub what: &'static str,
    /// Weight within the score.
    pub weight: f64,
    /// 0 to 100; absent where there is nothing to judge yet.
    pub value: Option<f64>,
    pub parts: Vec<Shown>,
    /// What pulls it down, the most frequent first.
    pub pulls: Vec<Pull>,
}

/// What a lever adds to a part when it stands at 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Effected {
    pub part: &'static str,
    pub gain: u64,
}

/// A lever: "what if so much of it were mended".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeverShown {
    pub id: &'static str,
    pub title: &'static str,
    pub what: &'static str,
    /// What 100 % means, in the lever's own unit.
    pub total: u64,
    pub unit: &'static str,
    pub effects: Vec<Effected>,
    pub link: Link,
}

/// The radar with everything that a page needs to recompute it: for levers at x percent, `have` of each part becomes
/// min(of, have + Σ gain × x / 100); an axis is 100 × Σ weight × have / of ÷ Σ weight over the parts with `of` > 0; the score
/// is the smaller of the weighted mean of the axes that have a value and the weakest of them plus `ceiling`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Radar {
    /// 0 to 100; absent where there is nothing to judge at all.
    pub score: Option<f64>,
    pub ceiling: f64,
    pub axes: Vec<Judged>,
    pub levers: Vec<LeverShown>,
}

impl Radar {
    /// The radar of these counts.
    pub fn of(counts: &Counts) -> Radar {
        let axes: Vec<Judged> = AXES.iter().map(|axis| judged(axis, counts)).collect();
        Radar {
            score: score(axes.iter().map(|axis| (axis.weight, axis.value))),
            ceiling: CEILING,
            levers: LEVERS.iter().map(|lever| shown(lever, counts)).collect(),
            axes,
        }
    }
}

/// Values of the axes, in their order, and the score, with levers at so many percent: what the page does.
pub fn recomputed(radar: &Radar, levers: &BTreeMap<&str, f64>) -> (Vec<Option<f64>>, Option<f64>) {
    let mut gains: BTreeMap<&str, f64> = BTreeMap::new();
    for lever in &radar.levers {
        let percent = levers.get(lever.id).copied().unwrap_or(0.0);
        let percent = percent.clamp(0.0, 100.0);
        for effect in &lever.effects {
            *gains.entry(effect.part).or_default() += effect.gain as f64 * percent / 100.0;
        }
    }
    let value = |axis: &Judged| {
        mean(axis.parts.iter().map(|part| {
            let gain = gains.get(part.id).copied().unwrap_or(0.0);
            (part.weight, part.share.percent(gain))
        }))
    };
    let values: Vec<Option<f64>> = radar.axes.iter().map(value).collect();
    let weighted = radar.axes.iter().zip(&values);
    let score = score(weighted.map(|(axis, value)| (axis.weight, *value)));
    (values, score)
}

fn judged(axis: &Axis, counts: &Counts) -> Judged {
    let part = |part: &Part| Shown {
        id: part.id,
        title: part.title,
        weight: part.weight,
        unit: part.unit,
        limit: part.limit,
        share: (part.share)(counts),
    };
    let parts: Vec<Shown> = axis.parts.iter().map(part).collect();
    let values = parts
        .iter()
        .map(|part| (part.weight, part.share.percent(0.0)));
    Judged {
        id: axis.id,
        title: axis.title,
        what: axis.what,
        weight: axis.weight,
        value: mean(values),
        pulls: pulls(axis, counts),
        parts,
    }
}

/// The findings behind each part, and what a part lacks where no rule tells.
fn pulls(axis: &Axis, counts: &Counts) -> Vec<Pull> {
    let mut pulls = Vec::new();
    for part in axis.parts {
        for rule in part.rules {
            let count = counts.found(&[rule]);
            let title = crate::finding::rule(rule).map_or(*rule, |rule| rule.title);
            pulls.push(Pull {
                text: title.to_owned(),
                rule: Some((*rule).to_owned()),
                count,
                waived: counts.waived.get(*rule).copied().unwrap_or_default(),
                link: Link::to("/findings").with("rule", *rule),
            });
        }
        if part.rules.is_empty() {
            let share = (part.share)(counts);
            pulls.push(Pull {
                text: part.lacking.to_owned(),
                rule: None,
                count: share.of.saturating_sub(share.have),
                waived: 0,
                link: (part.link)(),
            });
        }
    }
    pulls.retain(|pull| pull.count > 0);
    pulls.sort_by_key(|pull| std::cmp::Reverse(pull.count));
    pulls
}

fn shown(lever: &Lever, counts: &Counts) -> LeverShown {
    let effects = lever.effects.iter().map(|effect| Effected {
        part: effect.part,
        gain: (effect.gain)(counts),
    });
    LeverShown {
        id: lever.id,
        title: lever.title,
        what: lever.what,
        total: (lever.total)(counts),
        unit: lever.unit,
        effects: effects.filter(|effect| effect.gain > 0).collect(),
        link: (lever.link)(),
    }
}

/// Weighted mean over what has a value.
fn mean(values: impl Iterator<Item = (f64, Option<f64>)>) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (weight, value) in values {
        if let Some(value) = value {
            sum += weight * value;
            weights += weight;
        }
    }
    (weights > 0.0).then(|| (sum / weights).clamp(0.0, 100.0))
}

fn score(axes: impl Iterator<Item = (f64, Option<f64>)> + Clone) -> Option<f64> {
    let weakest = axes.clone().filter_map(|(_, value)| value);
    let weakest = weakest.fold(f64::INFINITY, f64::min);
    mean(axes).map(|mean| mean.min(weakest + CEILING))
}
