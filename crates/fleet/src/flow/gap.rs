//! Which certificate protects each flow, and where none does: gaps, which are findings (R16, 45 CFR 164.312(e)(1)).

use std::collections::BTreeMap;

use audit::Timestamp;
use serde::Serialize;
use store::{Row, params};

use super::{Flow, Map, Protects, Side};
use crate::{Fleet, FleetError, Result};

/// Rows that one question brings.
const PAGE: i64 = 5_000;
/// Guards of one flow that are told; all are judged.
const MOST_GUARDS: usize = 200;

/// A place at an end of a flow, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    #[serde(skip)]
    pub place_id: i64,
    pub side: Side,
    pub place: String,
    /// What the last look found there: `certificate`, `not-tls`, …
    pub outcome: String,
    /// The certificate there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    pub revoked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<i64>,
}

/// Something that a flow lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub rule: &'static str,
    pub flow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<i64>,
    /// What exactly, safe to print.
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A flow with everything that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Guarded {
    pub flow: Flow,
    pub known: Protects,
    pub guards: Vec<Guard>,
    pub gaps: Vec<Gap>,
}

/// In the order of the places' rows; a page goes on behind the last one.
const OF_ONE: &str = "SELECT m.name, m.side, p.id, p.place, p.outcome, i.sha256, i.subject, i.not_before, i.not_after, \
    i.revoked, i.risk FROM map_places m JOIN places p ON p.id = m.place LEFT JOIN inventory i ON i.id = p.certificate \
    WHERE m.kind = 'flow' AND m.name = $1 ORDER BY m.place, m.side LIMIT 5000";
const OF_ALL: &str = "SELECT m.name, m.side, p.id, p.place, p.outcome, i.sha256, i.subject, i.not_before, i.not_after, \
    i.revoked, i.risk FROM map_places m JOIN places p ON p.id = m.place LEFT JOIN inventory i ON i.id = p.certificate \
    WHERE m.kind = 'flow' AND (m.name > $1 OR (m.name = $1 AND (m.place > $2 OR (m.place = $2 AND m.side > $3)))) \
    ORDER BY m.name, m.place, m.side LIMIT 5000";

impl Fleet {
    /// One flow, what protects it and what it lacks. The places are those of the last [`Fleet::follow_map`].
    pub async fn flow_guarded(&self, map: &Map, name: &str, now: Timestamp) -> Result<Guarded> {
        let (flow, known) = map
            .flow(name)
            .ok_or_else(|| FleetError::not_found("flow", name))?;
        let rows = self.store().query(OF_ONE, params![name]).await?;
        let guards = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(guarded(map, flow, known, guards, now))
    }

    /// What flows lack, by name; the places are those of the last [`Fleet::follow_map`].
    pub async fn flow_gaps(&self, map: &Map, now: Timestamp) -> Result<Vec<Gap>> {
        let mut guards: BTreeMap<String, Vec<Guard>> = BTreeMap::new();
        let mut after = (String::new(), 0_i64, String::new());
        loop {
            let params = params![after.0.as_str(), after.1, after.2.as_str()];
            let rows = self.store().query(OF_ALL, params).await?;
            for row in &rows {
                guards
                    .entry(row.text(0)?.to_owned())
                    .or_default()
                    .push(read(row)?);
            }
            let full = i64::try_from(rows.len()).is_ok_and(|found| found == PAGE);
            let Some(last) = rows.last().filter(|_| full) else {
                break;
            };
            after = (
                last.text(0)?.to_owned(),
                last.int(2)?,
                last.text(1)?.to_owned(),
            );
        }
        let mut gaps = Vec::new();
        for flow in map.flows() {
            if let Some((flow, known)) = map.flow(&flow.name) {
                let guards = guards.remove(&flow.name).unwrap_or_default();
                gaps.extend(judge(map, flow, &known, &guards, now));
            }
        }
        Ok(gaps)
    }
}

fn read(row: &Row) -> Result<Guard> {
    Ok(Guard {
        side: match row.text(1)? {
            "client" => Side::Client,
            _ => Side::Server,
        },
        place_id: row.int(2)?,
        place: row.text(3)?.to_owned(),
        outcome: row.text(4)?.to_owned(),
        sha256: row.opt_blob(5)?.map(hex::encode),
        subject: row.opt_text(6)?.map(str::to_owned),
        not_before: row.opt_int(7)?,
        not_after: row.opt_int(8)?,
        // RFC 5280 §5.3.1: a hold ends the trust, too, while it lasts.
        revoked: row.opt_int(9)?.is_some(),
        risk: row.opt_int(10)?,
    })
}

fn guarded(
    map: &Map,
    flow: &Flow,
    known: Protects,
    mut guards: Vec<Guard>,
    now: Timestamp,
) -> Guarded {
    let gaps = judge(map, flow, &known, &guards, now);
    guards.truncate(MOST_GUARDS);
    Guarded {
        flow: flow.clone(),
        known,
        guards,
        gaps,
    }
}

/// What a flow lacks, from the places at its ends.
pub(super) fn judge(
    map: &Map,
    flow: &Flow,
    known: &Protects,
    guards: &[Guard],
    now: Timestamp,
) -> Vec<Gap> {
    let gap = |rule: &'static str, place: Option<i64>, what: String| Gap {
        rule,
        flow: flow.name.clone(),
        place,
        what,
        owner: map.owner_of(flow).map(str::to_owned),
    };
    let mut gaps = Vec::new();
    let (servers, clients): (Vec<&Guard>, Vec<&Guard>) =
        guards.iter().partition(|guard| guard.side == Side::Server);
    for guard in &servers {
        if let Some(why) = over(guard, now) {
            let what = format!("{} at {} {why}", shown(guard), guard.place);
            gaps.push(gap(EXPIRED, Some(guard.place_id), what));
        }
    }
    // Where no health information passes, or something else protects it, no certificate is asked for.
    if known.phi && flow.protected_by.is_none() {
        gaps.extend(
            unprotected(flow, &servers)
                .into_iter()
                .map(|(rule, place, what)| gap(rule, place, what)),
        );
    }
    let is_shown = clients.iter().any(|guard| guard.sha256.is_some());
    if flow.mutual && !is_shown {
        let what = format!(
            "{} has not been seen to show a certificate to {}",
            flow.from, flow.to
        );
        gaps.push(gap(NO_CLIENT, None, what));
    }
    for guard in &clients {
        if let Some(why) = over(guard, now) {
            let what = format!("{}, shown by {}, {why}", shown(guard), flow.from);
            gaps.push(gap(EXPIRED, Some(guard.place_id), what));
        }
    }
    gaps
}

fn unprotected(flow: &Flow, servers: &[&Guard]) -> Vec<(&'static str, Option<i64>, String)> {
    let mut gaps = Vec::new();
    for guard in servers.iter().filter(|guard| guard.outcome == "not-tls") {
        let what = format!("{} answers, and not in TLS", guard.place);
        gaps.push((PLAINTEXT, Some(guard.place_id), what));
    }
    if !gaps.is_empty() || servers.iter().any(|guard| guard.sha256.is_some()) {
        return gaps;
    }
    // Silence is not absence: what is closed or filtered may be there at another hour.
    let answered = servers
        .iter()
        .find(|guard| !["closed", "filtered", "unreachable"].contains(&guard.outcome.as_str()));
    gaps.push(match answered {
        Some(guard) => {
            let what = format!("{} shows no certificate ({})", guard.place, guard.outcome);
            (UNPROTECTED, Some(guard.place_id), what)
        }
        None => {
            let what = format!("nothing of {} has been seen at {}", flow.to, where_to(flow));
            (UNKNOWN, None, what)
        }
    });
    gaps
}

fn where_to(flow: &Flow) -> String {
    let ports: Vec<String> = flow.ports.iter().take(5).map(ToString::to_string).collect();
    match (ports.is_empty(), &flow.server_name) {
        (true, None) => "any port".to_owned(),
        (true, Some(name)) => name.clone(),
        (false, None) => format!("port {}", ports.join(", ")),
        (false, Some(name)) => format!("port {} as {name}", ports.join(", ")),
    }
}

fn over(guard: &Guard, now: Timestamp) -> Option<&'static str> {
    let now = now.0.div_euclid(1000);
    guard.sha256.as_ref()?;
    match (guard.revoked, guard.not_before?, guard.not_after?) {
        (true, ..) => Some("is revoked"),
        (_, _, end) if end < now => Some("has expired"),
        (_, begin, _) if begin > now => Some("is not valid yet"),
        _ => None,
    }
}

fn shown(guard: &Guard) -> String {
    match (&guard.subject, &guard.sha256) {
        (Some(subject), _) if !subject.is_empty() => subject.clone(),
        (_, Some(sha256)) => sha256.chars().take(16).collect(),
        _ => "the certificate".to_owned(),
    }
}

const PLAINTEXT: &str = "flow.plaintext";
const UNPROTECTED: &str = "flow.unprotected";
const UNKNOWN: &str = "flow.unknown";
const EXPIRED: &str = "flow.expired";
const NO_CLIENT: &str = "flow.no-client-certificate";
