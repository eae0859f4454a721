//! Scans: what was asked for within a segment's limits, how far it is, and what may be done about it (R17).
//!
//! A scan stands in the database before its first packet. How far it is moves in the same write as what was seen, so that
//! after any crash no target is lost and none counted twice. One process at a time scans a segment, or two would send twice
//! what its limits allow.

mod listed;
mod plan;
mod run;

use access::{Action, Permit, Refusal};
use agent::scan::{Cursor, Depth, Range, Targets};
use audit::{Event, Object, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::IpAddr;
use store::{Row, StoreError, Value, Write, params};

pub use listed::{ScanFilter, ScanPage, Wanted};
pub use plan::{BELOW, NewScan, Plan, Prepared, concurrency};
pub use run::{GUARD, Running};

use crate::segment::Segment;
use crate::{Fleet, FleetError, Result, coverage, random, refused};

pub(crate) const SOURCE: &str = "docs/discovery-active.md";
/// What the server calls itself as a scanner. It goes on with its own scans and takes those of the queue; what somebody runs
/// from a machine of his own is not continued from another place of the network.
pub const SERVER: &str = "ward server";
/// Addresses that were not looked at for another reason than a standing rule. Beyond that a scan proves no coverage.
const MOST_MISSED: usize = 100_000;

const ADD: &str = "INSERT INTO scans(id, segment, state, plan, cursor, started_by, scanner, started_at, ended_at, probed, \
    excluded, stopped, note) VALUES($1, $2, 'queued', $3, $4, $5, $7, $6, NULL, 0, 0, 0, '')";
const COLUMNS: &str = "SELECT id, segment, state, plan, cursor, started_by, scanner, started_at, ended_at, probed, excluded, stopped, \
    note FROM scans WHERE id = $1";
const OPEN: &str = "SELECT id, segment, state, plan, cursor, started_by, scanner, started_at, ended_at, probed, excluded, stopped, \
    note FROM scans WHERE state IN ('queued', 'running', 'stopping', 'paused') ORDER BY started_at, id LIMIT 1000";
const TAKE: &str = "UPDATE scans SET state = 'running', scanner = $2, note = '' \
    WHERE id = $1 AND state IN ('queued', 'running', 'paused')";
const LEAVE_TO: &str = "UPDATE scans SET state = 'queued', note = '', ended_at = NULL, scanner = $3 WHERE id = $1 AND state = $2";
const TO: &str =
    "UPDATE scans SET state = $3, note = $4, ended_at = $5 WHERE id = $1 AND state = $2";
const NOT_SO: &str = "the scan is in another state by now";

/// Where a scan is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanState {
    /// Waits for a scanner, or for the segment's hours.
    Queued,
    Running,
    /// Somebody wants it to end; its scanner has not yet.
    Stopping,
    /// The hours are over: it goes on by itself when they come again.
    Paused,
    /// Ended before its end. Somebody may have it go on.
    Stopped,
    Done,
}

impl ScanState {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Stopping,
        Self::Paused,
        Self::Stopped,
        Self::Done,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }
}

/// A scan as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Scan {
    pub id: String,
    pub segment: String,
    pub state: ScanState,
    pub plan: Plan,
    /// Targets that have their outcome, and all there are.
    pub done: u64,
    pub total: u64,
    pub probed: u64,
    pub excluded: u64,
    pub stopped: u64,
    pub started_by: String,
    /// The process or agent that sends, or sent last.
    pub scanner: String,
    /// Unix milliseconds.
    pub started_at: i64,
    pub ended_at: Option<i64>,
    /// Why it is not running.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(skip)]
    pub progress: Progress,
}

/// How far a scan is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Progress {
    pub cursor: Cursor,
    /// Ranges that a standing rule kept out at any time while it ran.
    pub excluded: Vec<Range>,
    /// Addresses that were not looked at though they should have been.
    pub missed: BTreeSet<IpAddr>,
    /// There were too many of those to name.
    pub overflow: bool,
}

impl Progress {
    pub fn new(targets: &Targets, plan: &Plan) -> Self {
        Progress {
            cursor: Cursor::new(targets, &plan.seed),
            excluded: Vec::new(),
            missed: BTreeSet::new(),
            overflow: false,
        }
    }

    fn miss(&mut self, address: IpAddr) {
        if self.missed.len() < MOST_MISSED {
            self.missed.insert(address);
        } else {
            self.overflow = true;
        }
    }
}

impl Fleet {
    /// Starts a scan: checks it against the limits of its segment and puts it into the queue. Nothing is sent yet.
    pub async fn start_scan(&self, permit: &Permit, new: NewScan, now: Timestamp) -> Result<Scan> {
        let action = "scan.start";
        let object = Object::new("segment", new.segment.chars().take(63).collect::<String>());
        self.checked(
            permit,
            action,
            &object,
            permit.require(Action::RunDiscovery),
            now,
        )
        .await?;
        let ours = not_an_agents(&self.segment(&new.segment).await?.segment);
        self.checked(permit, action, &object, ours, now).await?;
        let prepared = match self.prepare_scan(&new).await {
            Err(FleetError::Refused(refusal)) => {
                return Err(refused(self.access(), permit, action, &object, refusal, now).await);
            }
            other => other?,
        };
        let Prepared { plan, targets, .. } = prepared;
        let progress = Progress::new(&targets, &plan);
        let id = format!("s{}", hex::encode(random::<8>()?));
        let event = Event::new(
            now,
            permit.actor().clone(),
            action,
            Object::new("scan", id.as_str()),
        )
        .after(json!({ "segment": new.segment, "plan": plan, "targets": targets.len() }));
        let row = params![
            id.as_str(),
            new.segment.as_str(),
            text(&plan)?,
            text(&progress)?,
            permit.actor().id.as_str(),
            now,
            new.here.clone().unwrap_or_default(),
        ];
        let write = Write::new(permit.joined(event))?.run(ADD, row);
        self.store().commit(write).await?;
        self.scan(&id).await
    }

    pub async fn scan(&self, id: &str) -> Result<Scan> {
        let rows = self.store().look_up(COLUMNS, params![id]).await?;
        match rows.first() {
            Some(row) => read(row),
            None => Err(FleetError::not_found("scan", id)),
        }
    }

    /// Scans that have not ended, the oldest first.
    pub async fn open_scans(&self) -> Result<Vec<Scan>> {
        let rows = self.store().query(OPEN, params![]).await?;
        rows.iter().map(read).collect()
    }

    /// What a scanner of this Ward may run now: signed limits, open hours, no agent, nobody at work.
    pub async fn scans_due(&self, now: Timestamp) -> Result<Vec<Scan>> {
        let mut due: Vec<Scan> = Vec::new();
        for scan in self.open_scans().await? {
            if scan.state == ScanState::Stopping
                || due.iter().any(|one| one.segment == scan.segment)
            {
                continue;
            }
            let stored = match self.segment(&scan.segment).await {
                Ok(stored) => stored,
                Err(FleetError::NotFound { .. }) => continue,
                Err(other) => return Err(other),
            };
            let open = stored.open_until(now).is_ok_and(|end| {
                let left = end.0.saturating_sub(now.0).unsigned_abs();
                u128::from(left) > GUARD.as_millis()
            });
            let left_to_us = scan.scanner.is_empty() || scan.scanner.starts_with(SERVER);
            let ours = left_to_us && stored.segment.relay.is_none() && stored.signature().is_some();
            if open && ours && !self.store().lease_runs(&lease(&scan.segment), now).await? {
                due.push(scan);
            }
        }
        Ok(due)
    }

    /// Ends a scan. What it saw stays; it can go on later.
    pub async fn stop_scan(
        &self,
        permit: &Permit,
        id: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Scan> {
        let object = Object::new("scan", id.chars().take(63).collect::<String>());
        self.checked(
            permit,
            "scan.stop",
            &object,
            permit.require(Action::RunDiscovery),
            now,
        )
        .await?;
        let scan = self.scan(id).await?;
        let lease = lease(&scan.segment);
        let to = match scan.state {
            ScanState::Done | ScanState::Stopped => {
                let refusal = Refusal::new(
                    "scan.ended",
                    SOURCE,
                    format!("scan {id} is {}", scan.state.name()),
                )
                .accepted("a scan that has not ended");
                return Err(
                    refused(self.access(), permit, "scan.stop", &object, refusal, now).await,
                );
            }
            ScanState::Running | ScanState::Stopping
                if self.store().lease_runs(&lease, now).await? =>
            {
                ScanState::Stopping
            }
            _ => ScanState::Stopped,
        };
        let mut event = Event::new(now, permit.actor().clone(), "scan.stop", object);
        if !why.is_empty() {
            event = event.why(why.chars().take(500).collect::<String>());
        }
        let note = format!("stopped by {}", permit.actor().id);
        // Its scanner died unheard: nobody knows since when, so no look of it is later than its beginning.
        let looked = Timestamp(scan.started_at);
        self.change(permit.joined(event), &scan, to, (&note, looked), now)
            .await?;
        self.scan(id).await
    }

    /// Has a scan that was stopped, or whose scanner died, go on where it was: within the limits of now.
    /// `here`: by the caller itself, under that name, and not by the server.
    pub async fn resume_scan(
        &self,
        permit: &Permit,
        id: &str,
        here: Option<&str>,
        now: Timestamp,
    ) -> Result<Scan> {
        let object = Object::new("scan", id.chars().take(63).collect::<String>());
        let action = "scan.resume";
        self.checked(
            permit,
            action,
            &object,
            permit.require(Action::RunDiscovery),
            now,
        )
        .await?;
        let scan = self.scan(id).await?;
        let runs = self.store().lease_runs(&lease(&scan.segment), now).await?;
        let refusal = match scan.state {
            ScanState::Done => Some(
                Refusal::new("scan.ended", SOURCE, format!("scan {id} is done"))
                    .accepted("a new scan"),
            ),
            ScanState::Running | ScanState::Stopping if runs => Some(busy(&scan.segment)),
            _ => None,
        };
        let refusal = match refusal {
            Some(refusal) => Some(refusal),
            None => self.still_fits(&scan).await?,
        };
        if let Some(refusal) = refusal {
            return Err(refused(self.access(), permit, action, &object, refusal, now).await);
        }
        let scanner = format!("{} resumed", here.unwrap_or(SERVER));
        let event = Event::new(now, permit.actor().clone(), action, object)
            .before(json!({ "state": scan.state }))
            .after(json!({ "scanner": scanner, "done": scan.done, "total": scan.total }));
        let row = params![scan.id.as_str(), scan.state.name(), scanner];
        let write = Write::new(permit.joined(event))?.run_expecting(1, LEAVE_TO, row, NOT_SO);
        self.store().commit(write).await?;
        self.scan(id).await
    }

    async fn still_fits(&self, scan: &Scan) -> Result<Option<Refusal>> {
        match self.ready(scan).await {
            Ok(_) => Ok(None),
            Err(FleetError::Refused(refusal)) => Ok(Some(refusal)),
            Err(other) => Err(other),
        }
    }

    /// `looked`: when it looked at what it has looked at.
    pub(crate) async fn change(
        &self,
        event: Event,
        scan: &Scan,
        to: ScanState,
        (note, looked): (&str, Timestamp),
        now: Timestamp,
    ) -> Result<()> {
        let event = event
            .before(json!({ "state": scan.state }))
            .after(json!({ "state": to, "note": note, "done": scan.done, "total": scan.total }));
        let write = Write::new(event)?.run_expecting(1, TO, to_row(scan, to, note, now), NOT_SO);
        // What was looked at was looked at, whatever becomes of the rest.
        let ran = matches!(scan.state, ScanState::Running | ScanState::Stopping);
        let write = match ran && matches!(to, ScanState::Stopped | ScanState::Paused) {
            true => coverage::looked_so_far(write, scan, looked),
            false => write,
        };
        Ok(self.store().commit(write).await.map(drop)?)
    }
}

fn to_row(scan: &Scan, to: ScanState, note: &str, now: Timestamp) -> Vec<Value> {
    let ended = matches!(to, ScanState::Done | ScanState::Stopped).then_some(now.0);
    params![scan.id.as_str(), scan.state.name(), to.name(), note, ended]
}

/// Who holds it scans the segment, alone.
pub(crate) fn lease(segment: &str) -> String {
    format!("scan of segment {segment}")
}

/// A segment that an agent looks at is no one else's to scan: this server may not reach it, and two would be one too many.
fn not_an_agents(segment: &Segment) -> std::result::Result<(), Refusal> {
    let Some(relay) = &segment.relay else {
        return Ok(());
    };
    let message = format!("segment {} is looked at by agent {relay}", segment.name);
    Err(Refusal::new("segment.relay", SOURCE, message)
        .accepted("`ward agent order`, or limits without an agent"))
}

pub(crate) fn busy(segment: &str) -> Refusal {
    let message = format!("segment {segment} is being scanned by another process");
    Refusal::new("scan.busy", SOURCE, message)
        .accepted("one scanner at a time; one that was killed is forgotten after 15 s")
}

fn text(value: &impl Serialize) -> Result<String> {
    let failed = |error: serde_json::Error| StoreError::Value(format!("scan: {error}"));
    Ok(serde_json::to_string(value).map_err(failed)?)
}

fn read(row: &Row) -> Result<Scan> {
    let id = row.text(0)?;
    let damaged = |error: serde_json::Error| StoreError::Value(format!("scan {id}: {error}"));
    let state = row.text(2)?;
    let progress: Progress = serde_json::from_str(row.text(4)?).map_err(damaged)?;
    let (done, total) = progress.cursor.progress();
    Ok(Scan {
        id: id.to_owned(),
        segment: row.text(1)?.to_owned(),
        state: ScanState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or(FleetError::Damaged("a scan in an unknown state"))?,
        plan: serde_json::from_str(row.text(3)?).map_err(damaged)?,
        done,
        total,
        probed: row.int(9)?.unsigned_abs(),
        excluded: row.int(10)?.unsigned_abs(),
        stopped: row.int(11)?.unsigned_abs(),
        started_by: row.text(5)?.to_owned(),
        scanner: row.text(6)?.to_owned(),
        started_at: row.int(7)?,
        ended_at: row.opt_int(8)?,
        note: row.text(12)?.to_owned(),
        progress,
    })
}

/// `certificate`, `versions` or `suites`.
pub fn depth_name(depth: Depth) -> &'static str {
    match depth {
        Depth::Certificate => "certificate",
        Depth::Versions => "versions",
        Depth::Suites => "suites",
    }
}
