//! Which scans there are, whoever runs them: those of this Ward, and what agents were ordered; and which segments want to be
//! looked at by now.

use access::Refusal;
use audit::Timestamp;
use serde::{Deserialize, Serialize};
use store::params;

use super::{NewScan, SOURCE, Scan, read};
use crate::agents::NewOrder;
use crate::{Fleet, FleetError, Result};

const LIST: &str = "SELECT id, segment, state, plan, cursor, started_by, scanner, started_at, ended_at, probed, excluded, stopped, \
    note FROM scans WHERE ($1 = '' OR segment = $1) AND (started_at < $2 OR (started_at = $2 AND id < $3)) \
    ORDER BY started_at DESC, id DESC LIMIT $4";
const NEWEST: &str = "SELECT MAX(started_at) FROM scans WHERE segment = $1";
/// Which scans to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScanFilter {
    pub segment: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// At most so many; 100 if absent, never more than 1000.
    pub limit: Option<u32>,
}

/// Scans, and orders of agents, the newest first.
#[derive(Clone, Debug, Serialize)]
pub struct ScanPage {
    pub scans: Vec<Scan>,
    pub next: Option<String>,
}

/// A segment that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub segment: String,
    /// Whose it is to look; absent: this Ward's.
    pub agent: Option<String>,
}

impl Fleet {
    /// Scans and orders, the newest first.
    pub async fn scans(&self, filter: &ScanFilter) -> Result<ScanPage> {
        let limit = i64::from(filter.limit.unwrap_or(100).clamp(1, 1000));
        let after = filter
            .after
            .as_deref()
            .and_then(|after| after.split_once('-'));
        let after = after.and_then(|(at, id)| Some((at.parse::<i64>().ok()?, id.to_owned())));
        if filter.after.is_some() && after.is_none() {
            let refusal = Refusal::new("scan.after", SOURCE, "this is the `next` of no page");
            return Err(refusal.accepted("the `next` of the page before").into());
        }
        let (at, id) = after.unwrap_or((i64::MAX, String::new()));
        let segment = filter.segment.clone().unwrap_or_default();
        let rows = self
            .store()
            .query(LIST, params![segment.as_str(), at, id.as_str(), limit + 1])
            .await?;
        let mut scans: Vec<Scan> = rows.iter().map(read).collect::<Result<_>>()?;
        let orders = self.orders_before(&segment, (at, &id), limit + 1).await?;
        for order in &orders {
            scans.push(order.as_scan()?);
        }
        scans.sort_by(|one, other| {
            let key = |scan: &Scan| (scan.started_at, scan.id.clone());
            key(other).cmp(&key(one))
        });
        let more = scans.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        scans.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = scans.last().filter(|_| more);
        let next = last.map(|scan| format!("{}-{}", scan.started_at, scan.id));
        Ok(ScanPage { scans, next })
    }

    /// A scan, or an order of an agent as if it were one.
    pub async fn scan_or_order(&self, id: &str) -> Result<Scan> {
        match self.scan(id).await {
            Err(FleetError::NotFound { kind, id }) => match self.agent_order(&id).await {
                Err(FleetError::NotFound { .. }) => Err(FleetError::NotFound { kind, id }),
                order => order?.as_scan(),
            },
            scan => scan,
        }
    }

    /// When a segment was last begun to be looked at, Unix milliseconds.
    pub async fn last_scan(&self, segment: &str) -> Result<Option<i64>> {
        let rows = self.store().query(NEWEST, params![segment]).await?;
        Ok(rows
            .first()
            .map(|row| row.opt_int(0))
            .transpose()?
            .flatten())
    }

    /// Segments that want to be looked at again by now, and could be. Those whose limits do not hold are passed over: nobody
    /// asked, so nobody is refused.
    pub async fn scans_wanted(&self, now: Timestamp) -> Result<Vec<Wanted>> {
        let open = self.open_scans().await?;
        let mut wanted = Vec::new();
        for stored in self.segments().await? {
            let name = &stored.segment.name;
            let Some(hours) = stored.segment.every_hours else {
                continue;
            };
            if stored.signature().is_none() || open.iter().any(|scan| scan.segment == *name) {
                continue;
            }
            let agent = stored.segment.relay.clone();
            let last = match &agent {
                None => self.last_scan(name).await?,
                Some(agent) => match self.last_order(agent, name, now).await? {
                    Some((_, true)) => continue,
                    last => last.map(|(at, _)| at),
                },
            };
            let again = |last: i64| last.saturating_add(i64::from(hours) * 3_600_000);
            if last.is_some_and(|last| now.0 < again(last)) {
                continue;
            }
            let could = match &agent {
                None => self.could_scan(name).await,
                Some(agent) => self.could_order(agent, NewOrder::default(), now).await,
            };
            match could {
                Ok(()) => wanted.push(Wanted {
                    segment: name.clone(),
                    agent,
                }),
                // Outside of the hours of a segment with an agent this is the rule, and no news.
                Err(error) if error.refusal().is_some_and(|it| it.rule == "segment.hours") => {}
                Err(FleetError::Refused(refusal)) => {
                    tracing::warn!(segment = name, %refusal, "the segment cannot be looked at");
                }
                Err(FleetError::NotFound { kind, id }) => {
                    tracing::warn!(segment = name, kind, id, "the segment cannot be looked at");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(wanted)
    }

    async fn could_scan(&self, segment: &str) -> Result<()> {
        let new = NewScan {
            segment: segment.to_owned(),
            ..NewScan::default()
        };
        self.prepare_scan(&new).await.map(drop)
    }
}
