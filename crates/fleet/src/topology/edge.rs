//! Flows as edges: who gives health information to whom, which certificate protects it, and what is missing.

use audit::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::flow::{Map, Side};
use crate::posture::Link;
use crate::risk::Level;
use crate::search::Reach;
use crate::{Fleet, Result};

/// Edges of one answer.
const MOST: usize = 200;
/// Certificates and gaps of one edge that are told.
const MOST_TOLD: usize = 5;

/// A certificate at an end of a flow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EdgeGuard {
    pub place: String,
    /// `server` or `client`.
    pub side: &'static str,
    pub sha256: String,
    pub subject: String,
    /// Unix seconds.
    pub expires: i64,
    pub risk: &'static str,
}

/// What a flow lacks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EdgeGap {
    pub rule: &'static str,
    pub what: String,
}

/// One flow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Edge {
    pub name: String,
    /// The system that calls, and the one that answers.
    pub from: String,
    pub to: String,
    pub from_site: Option<String>,
    pub to_site: Option<String>,
    /// The segment in which the system's first address is.
    pub from_segment: Option<String>,
    pub to_segment: Option<String>,
    pub protocol: String,
    pub phi: bool,
    /// What protects it instead of TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected_by: Option<String>,
    /// The first five. None are told of a past instant: which certificate was where is in each certificate's history.
    pub certificates: Vec<EdgeGuard>,
    pub gaps: Vec<EdgeGap>,
    pub link: Link,
}

/// What of flows is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Edges {
    pub edges: Vec<Edge>,
    /// The `flows_after` of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Edges {
    /// Those that begin or end within `reach`. A page may be shorter for it; `next` is where it was.
    pub fn within(mut self, reach: &Reach) -> Edges {
        self.edges.retain(|edge| {
            let ends = [
                (&edge.from_site, &edge.from_segment),
                (&edge.to_site, &edge.to_segment),
            ];
            let mut ends = ends.into_iter();
            ends.any(|(site, segment)| reach.holds(site.as_deref(), segment.as_deref()))
        });
        self
    }
}

impl Fleet {
    /// Flows by name; at most 200.
    pub async fn topology_flows(
        &self,
        after: Option<&str>,
        as_of: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Edges> {
        let map = match as_of {
            None => self.flow_map().await?,
            Some(at) => self.flow_map_as_of(at).await?,
        };
        let zones = self.zones().await?;
        let mut names: Vec<&str> = map.flows().iter().map(|flow| flow.name.as_str()).collect();
        names.sort_unstable();
        names.retain(|name| after.is_none_or(|after| *name > after));
        let more = names.len() > MOST;
        names.truncate(MOST);
        let mut edges = Vec::with_capacity(names.len());
        for name in &names {
            let Some(mut edge) = edge(&map, name, &zones) else {
                continue;
            };
            if as_of.is_none() {
                self.guard(&map, &mut edge, now).await?;
            }
            edges.push(edge);
        }
        let next = names.last().filter(|_| more).map(|last| (*last).to_owned());
        Ok(Edges { edges, next })
    }

    async fn guard(&self, map: &Map, edge: &mut Edge, now: Timestamp) -> Result<()> {
        let guarded = self.flow_guarded(map, &edge.name, now).await?;
        for guard in guarded.guards {
            let (Some(sha256), Some(expires)) = (guard.sha256, guard.not_after) else {
                continue;
            };
            if edge.certificates.len() < MOST_TOLD {
                let level = guard.risk.and_then(Level::from_number);
                edge.certificates.push(EdgeGuard {
                    place: guard.place,
                    side: match guard.side {
                        Side::Server => "server",
                        Side::Client => "client",
                    },
                    sha256,
                    subject: guard.subject.unwrap_or_default(),
                    expires,
                    risk: level.unwrap_or(Level::None).name(),
                });
            }
        }
        let gaps = guarded.gaps.into_iter().take(MOST_TOLD);
        edge.gaps = gaps
            .map(|gap| EdgeGap {
                rule: gap.rule,
                what: gap.what,
            })
            .collect();
        Ok(())
    }
}

fn edge(map: &Map, name: &str, zones: &crate::inventory::Zones) -> Option<Edge> {
    let (flow, known) = map.flow(name)?;
    let end = |name: &str| {
        let system = map.system(name).map(|(system, _)| system);
        let address = system.and_then(|system| system.addresses.first());
        let zone = address.and_then(|range| zones.of(range.first()));
        let site = system.and_then(|system| system.site.clone());
        (
            site.or_else(|| zone.and_then(|zone| zone.site.clone())),
            zone.map(|zone| zone.name.clone()),
        )
    };
    let ((from_site, from_segment), (to_site, to_segment)) = (end(&flow.from), end(&flow.to));
    Some(Edge {
        name: flow.name.clone(),
        from: flow.from.clone(),
        to: flow.to.clone(),
        from_site,
        to_site,
        from_segment,
        to_segment,
        protocol: flow.protocol.clone(),
        phi: known.phi,
        protected_by: flow.protected_by.clone(),
        certificates: Vec::new(),
        gaps: Vec::new(),
        link: Link::to("/topology").with("flow", flow.name.as_str()),
    })
}
