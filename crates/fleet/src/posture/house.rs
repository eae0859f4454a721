//! What of the house is no certificate and the figures speak of all the same: lists, agents, requests, flows, findings.

use std::collections::BTreeSet;

use access::{Request, RequestState, Role};
use audit::Timestamp;
use serde::Serialize;
use store::params;

use super::radar::{Counts, Share};
use crate::agents::AgentState;
use crate::finding::Severity;
use crate::{Fleet, FleetError, Result};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Addresses looked at longer ago do not count as covered; docs/radar.md.
const FRESH_DAYS: i64 = 30;
/// Credentials should end within so many days.
const TOKEN_DAYS: i64 = 400;
/// Requests should have an answer within so many days.
const PROMPT_DAYS: i64 = 3;
/// A responder's certificate that ends sooner is not in order.
const RESPONDER_DAYS: i64 = 3;
/// How long ago new findings are counted by the hour.
const NEW_DAYS: i64 = 30;

const FINDINGS: &str = "SELECT rule, waived, COUNT(*) FROM (SELECT rule, CASE WHEN waived_until > $1 THEN 1 ELSE 0 END AS waived \
    FROM findings WHERE closed IS NULL) AS standing GROUP BY rule, waived";
const NEW: &str = "SELECT severity, opened / 3600000 AS hour, COUNT(*) FROM findings WHERE closed IS NULL AND opened >= $1 \
    AND (waived_until IS NULL OR waived_until <= $2) GROUP BY severity, hour";
const PLACES: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN tls IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) \
    FROM places WHERE kind = 'network' AND gone IS NULL";
const HOSTS: &str = "SELECT COUNT(DISTINCT address), COUNT(DISTINCT CASE WHEN segment IS NULL THEN address END) FROM places \
    WHERE address IS NOT NULL AND kind = 'network' AND certificate IS NOT NULL";
const ASSETS: &str = "SELECT COUNT(*), COUNT(owner) FROM assets WHERE state = 'active'";
/// Assets that hold a certificate of something critical which a person renews; and those with a spare that waits.
const BY_HAND: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN EXISTS(SELECT 1 FROM spares s WHERE s.asset = one.asset \
    AND s.state = 'prepared') THEN 1 ELSE 0 END), 0) AS BIGINT) FROM (SELECT DISTINCT asset FROM inventory \
    WHERE asset IS NOT NULL AND is_ca = 0 AND risk > 0 AND automated = 0 AND criticality >= 2) AS one";
const ALERTS: &str = "SELECT COUNT(*), COUNT(sent), CAST(COALESCE(SUM(CASE WHEN action = 'scan.silenced' THEN 1 ELSE 0 END), 0) \
    AS BIGINT) FROM alerts WHERE created >= $1";

/// A request that waits, as far as the overview tells.
pub type WaitingRequest = Request;

/// A list of revoked certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListState {
    pub issuer: String,
    pub list: String,
    pub overdue: bool,
}

/// What the overview tells, beside counts.
#[derive(Clone, Debug, Default)]
pub struct House {
    /// Requests that nobody has decided, the oldest first.
    pub waiting: Vec<WaitingRequest>,
    /// Lists past their next update.
    pub overdue: Vec<ListState>,
    /// Issuers whose responder is over or nearly so.
    pub responders: Vec<String>,
    /// Agents that are silent.
    pub away: Vec<String>,
    /// Segments without a signature.
    pub unsigned: Vec<String>,
    /// Flows of health information that lack something.
    pub gaps: BTreeSet<String>,
    /// Devices that fell silent under a scan within a week.
    pub silenced: u64,
    /// Findings by the hour (Unix hours) in which they were opened, of the last thirty days.
    pub opened: Vec<(i64, Severity, u64)>,
}

impl House {
    /// Findings that were opened since then and stand, with the worst of them; to the hour.
    pub fn opened_since(&self, since: Timestamp) -> (u64, Option<Severity>) {
        let hour = since.0.div_euclid(HOUR_MS);
        let new = self.opened.iter().filter(|(at, ..)| *at >= hour);
        new.fold((0, None), |(count, worst), (_, severity, more)| {
            (count + more, worst.max(Some(*severity)))
        })
    }
}

impl Fleet {
    /// Everything but the certificates.
    pub(super) async fn house(&self, counts: &mut Counts, now: Timestamp) -> Result<House> {
        let mut house = House::default();
        self.count_findings(counts, &mut house, now).await?;
        self.count_places(counts, now, &mut house).await?;
        self.count_agents(counts, &mut house, now).await?;
        self.count_flows(counts, &mut house, now).await?;
        self.count_status(counts, &mut house, now).await?;
        self.count_access(counts, &mut house, now).await?;
        Ok(house)
    }

    async fn count_findings(
        &self,
        counts: &mut Counts,
        house: &mut House,
        now: Timestamp,
    ) -> Result<()> {
        for row in self.store().query(FINDINGS, params![now.0]).await? {
            let (rule, many) = (row.text(0)?.to_owned(), row.int(2)?.unsigned_abs());
            if row.int(1)? != 0 {
                counts.waived.insert(rule.clone(), many);
            }
            *counts.findings.entry(rule).or_default() += many;
        }
        let since = now.0.saturating_sub(NEW_DAYS * DAY_MS);
        for row in self.store().query(NEW, params![since, now.0]).await? {
            let severity = Severity::from_number(row.int(0)?)
                .ok_or(FleetError::Damaged("a finding's severity"))?;
            let many = row.int(2)?.unsigned_abs();
            house.opened.push((row.int(1)?, severity, many));
        }
        Ok(())
    }

    async fn count_places(
        &self,
        counts: &mut Counts,
        now: Timestamp,
        house: &mut House,
    ) -> Result<()> {
        let [_, tls] = self.two(PLACES).await?;
        counts.tls_places = tls;
        [counts.hosts, counts.outside] = self.two(HOSTS).await?;
        [counts.assets, counts.owned_assets] = self.two(ASSETS).await?;
        [counts.by_hand, counts.with_spare] = self.two(BY_HAND).await?;
        let fresh = Timestamp(now.0.saturating_sub(FRESH_DAYS * DAY_MS));
        for segment in self.coverage(None, fresh).await?.segments {
            counts.segments += 1;
            counts.addresses += segment.addresses.saturating_sub(segment.excluded);
            counts.looked_at += segment.looked_at.saturating_sub(segment.stale);
            match segment.signed {
                true => counts.signed += 1,
                false => house.unsigned.push(segment.segment),
            }
        }
        Ok(())
    }

    async fn count_agents(
        &self,
        counts: &mut Counts,
        house: &mut House,
        now: Timestamp,
    ) -> Result<()> {
        for stored in self.agents().await? {
            if stored.agent.state != AgentState::Active {
                continue;
            }
            counts.agents += 1;
            let received = self.handed_over(&stored.agent).await?.received;
            let heard = received.unwrap_or(stored.since);
            match now.0.saturating_sub(heard) < HOUR_MS {
                true => counts.heard += 1,
                false => house.away.push(stored.agent.name),
            }
        }
        Ok(())
    }

    async fn count_flows(
        &self,
        counts: &mut Counts,
        house: &mut House,
        now: Timestamp,
    ) -> Result<()> {
        let map = self.flow_map().await?;
        let phi = |name: &str| map.flow(name).is_some_and(|(_, known)| known.phi);
        let gaps = self.flow_gaps(&map, now).await?;
        let gaps = gaps.into_iter().filter(|gap| phi(&gap.flow));
        house.gaps = gaps.map(|gap| gap.flow).collect();
        let flows = map.flows().iter().filter(|flow| phi(&flow.name)).count();
        counts.phi_flows = flows as u64;
        counts.protected_flows = (flows - house.gaps.len().min(flows)) as u64;
        Ok(())
    }

    async fn count_status(
        &self,
        counts: &mut Counts,
        house: &mut House,
        now: Timestamp,
    ) -> Result<()> {
        let report = self.ca.status_report(now).await?;
        counts.lists = report.lists.len() as u64;
        for list in report.lists.into_iter().filter(|list| list.overdue) {
            house.overdue.push(ListState {
                issuer: list.issuer,
                list: list.list,
                overdue: true,
            });
        }
        counts.fresh_lists = counts.lists - house.overdue.len() as u64;
        counts.responders = report.responders.len() as u64;
        let soon = now.seconds() + RESPONDER_DAYS * 86_400;
        for responder in report.responders {
            let ends: std::result::Result<x509::Time, _> = responder.not_after.parse();
            if ends.is_ok_and(|ends| ends.0 < soon) {
                house.responders.push(responder.issuer);
            }
        }
        counts.sound_responders = counts.responders - house.responders.len() as u64;
        let newest = self.store().newest_checkpoint().await?;
        let recent = newest.is_some_and(|one| now.0.saturating_sub(one.saved_at.0) < HOUR_MS);
        counts.checkpoint = Share {
            have: u64::from(recent),
            of: 1,
        };
        Ok(())
    }

    async fn count_access(
        &self,
        counts: &mut Counts,
        house: &mut House,
        now: Timestamp,
    ) -> Result<()> {
        let access = self.access();
        for token in access.tokens().await.map_err(FleetError::from)? {
            if token.fault(now).is_some() {
                continue;
            }
            let limit = now.0.saturating_add(TOKEN_DAYS * DAY_MS);
            counts.tokens += 1;
            counts.ending_tokens += u64::from(token.expires.is_some_and(|end| end <= limit));
            counts.administrators += u64::from(token.roles.contains(&Role::Admin));
        }
        let requests = access.open_requests().await.map_err(FleetError::from)?;
        let pending = |one: &Request| one.state_at(now) == RequestState::Pending;
        house.waiting = requests.into_iter().filter(pending).collect();
        house.waiting.sort_by_key(|request| request.created);
        let prompt = now.0.saturating_sub(PROMPT_DAYS * DAY_MS);
        let waiting = house.waiting.iter();
        counts.waiting = house.waiting.len() as u64;
        counts.prompt = waiting.filter(|one| one.created > prompt).count() as u64;
        let week = now.0.saturating_sub(7 * DAY_MS);
        let rows = self.store().query(ALERTS, params![week]).await?;
        if let Some(row) = rows.first() {
            counts.alerts = row.int(0)?.unsigned_abs();
            counts.alerts_taken = row.int(1)?.unsigned_abs();
            house.silenced = row.int(2)?.unsigned_abs();
        }
        Ok(())
    }

    async fn two(&self, sql: &'static str) -> Result<[u64; 2]> {
        let rows = self.store().query(sql, params![]).await?;
        let Some(row) = rows.first() else {
            return Ok([0; 2]);
        };
        Ok([row.int(0)?.unsigned_abs(), row.int(1)?.unsigned_abs()])
    }
}
