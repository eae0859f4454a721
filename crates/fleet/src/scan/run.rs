//! Running a scan: `agent::scan` does the looking, this holds it to what is signed off at every moment, stores what was
//! seen together with how far it is, and raises the alarm when a device falls silent.
//!
//! While it runs, the limits are compared every second: when any segment changes, the scan ends where it is, and goes on
//! only if what it does still fits.

use std::net::IpAddr;
use std::time::Duration;

use access::{Action, Permit};
use agent::observation::{Observation, Outcome, Place};
use agent::scan::{self, Clock, Ended, Report, Summary};
use audit::{Event, Object, Timestamp};
use serde_json::json;
use store::{Write, params};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{NOT_SO, Prepared, Scan, ScanState, TAKE, busy, lease, not_an_agents, text};
use crate::alert;
use crate::inventory::Source;
use crate::segment::SEGMENT_RECORDS;
use crate::{Fleet, FleetError, Result, coverage, random, refused};

/// No target is begun so shortly before the hours end: what is begun takes up to a minute.
pub const GUARD: Duration = Duration::from_secs(65);
/// After which limits are worked out anew: the register changes.
const LONGEST_LEG: Duration = Duration::from_secs(6 * 3600);
/// How long a scanner that says nothing is believed to be alive.
const LEASE: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_secs(1);
/// Observations of one write, and how long the first of them waits for it.
const BATCH: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(2);

const ADVANCE: &str = "UPDATE scans SET cursor = $3, probed = probed + $4, excluded = excluded + $5, stopped = stopped + $6 \
    WHERE id = $1 AND scanner = $2 AND state IN ('running', 'stopping')";
const TAKEN_OVER: &str = "the scan was taken over";
const VERSIONS: &str =
    "SELECT id, version FROM records WHERE kind = $1 AND valid_to IS NULL ORDER BY id";
const STATE: &str = "SELECT state, scanner FROM scans WHERE id = $1";

/// Where and for whom a scan runs.
pub struct Running<'a> {
    pub clock: Clock,
    /// Goes into every observation.
    pub from: String,
    /// Turns true when this process ends.
    pub stop: watch::Receiver<bool>,
    /// Sees every observation before it is stored, and how far the scan is.
    pub see: &'a mut (dyn FnMut(&Observation, (u64, u64)) + Send),
}

impl Running<'_> {
    fn now(&self) -> Timestamp {
        Timestamp((self.clock)())
    }
}

/// Why the scanner stopped sending.
enum Leg {
    Done,
    /// Time for a look at the clock and the limits.
    Again,
    /// Somebody wants it to end.
    Stopping,
    /// This process ends: another will go on.
    Leaving,
}

impl Fleet {
    /// Runs a scan of the queue until it is done, its hours end, somebody stops it, or this process ends.
    pub async fn run_scan(
        &self,
        permit: &Permit,
        id: &str,
        mut running: Running<'_>,
    ) -> Result<Scan> {
        let now = running.now();
        let object = Object::new("scan", id.chars().take(63).collect::<String>());
        self.checked(
            permit,
            "scan.run",
            &object,
            permit.require(Action::RunDiscovery),
            now,
        )
        .await?;
        let scan = self.scan(id).await?;
        let ours = not_an_agents(&self.segment(&scan.segment).await?.segment);
        self.checked(permit, "scan.run", &object, ours, now).await?;
        let holder = format!("{} {}", running.from, hex::encode(random::<4>()?));
        let name = lease(&scan.segment);
        if !self.store().lease(&name, &holder, LEASE, now).await? {
            let refusal = busy(&scan.segment);
            return Err(refused(self.access(), permit, "scan.run", &object, refusal, now).await);
        }
        let done = self.hold_and_run(permit, scan, &holder, &mut running).await;
        self.store().end_lease(&name, &holder).await?;
        done?;
        self.scan(id).await
    }

    async fn hold_and_run(
        &self,
        permit: &Permit,
        scan: Scan,
        holder: &str,
        running: &mut Running<'_>,
    ) -> Result<()> {
        let id = scan.id.clone();
        let ran_before = scan.done > 0 || scan.scanner.contains(' ');
        let event = Event::new(
            running.now(),
            permit.actor().clone(),
            "scan.run",
            Object::new("scan", id.as_str()),
        )
        .after(json!({ "scanner": holder, "done": scan.done, "total": scan.total }));
        let write = Write::new(permit.joined(event))?;
        let write = write.run_expecting(1, TAKE, params![id.as_str(), holder], NOT_SO);
        self.store().commit(write).await?;
        // What ran a moment ago, here or in a process that was killed, has used up its turn.
        let mut wait = ran_before;
        loop {
            let scan = self.scan(&id).await?;
            let ready = match self.ready(&scan).await {
                Ok(ready) => ready,
                Err(FleetError::Refused(refusal)) => {
                    return self
                        .leave(
                            permit,
                            &scan,
                            ScanState::Stopped,
                            &refusal.to_string(),
                            running.now(),
                        )
                        .await;
                }
                Err(other) => return Err(other),
            };
            let now = running.now();
            let end = match ready.limits.stored.open_until(now) {
                Ok(end) => end,
                Err(refusal) => {
                    return self
                        .leave(permit, &scan, ScanState::Paused, &refusal.to_string(), now)
                        .await;
                }
            };
            let left = Duration::from_millis(end.0.saturating_sub(now.0).unsigned_abs());
            if left <= GUARD {
                return self
                    .leave(
                        permit,
                        &scan,
                        ScanState::Paused,
                        "the segment's hours end",
                        now,
                    )
                    .await;
            }
            let gap = match std::mem::replace(&mut wait, false) {
                true => Duration::try_from_secs_f64(1.0 / scan.plan.rate).unwrap_or(LONGEST_LEG),
                false => Duration::ZERO,
            };
            let leg = self
                .leg(permit, &scan, ready, holder, (left, gap), running)
                .await?;
            let scan = self.scan(&id).await?;
            let now = running.now();
            match leg {
                Leg::Again => wait = true,
                Leg::Done => return self.finish(permit, &scan, now).await,
                Leg::Stopping => {
                    return self
                        .leave(permit, &scan, ScanState::Stopped, "stopped by hand", now)
                        .await;
                }
                Leg::Leaving => {
                    return self
                        .leave(
                            permit,
                            &scan,
                            ScanState::Paused,
                            "the scanner was shut down",
                            now,
                        )
                        .await;
                }
            }
        }
    }

    async fn leave(
        &self,
        permit: &Permit,
        scan: &Scan,
        to: ScanState,
        note: &str,
        now: Timestamp,
    ) -> Result<()> {
        let action = match to {
            ScanState::Paused => "scan.pause",
            _ => "scan.end",
        };
        let event = Event::new(
            now,
            permit.actor().clone(),
            action,
            Object::new("scan", scan.id.as_str()),
        );
        self.change(permit.joined(event), scan, to, (note, now), now)
            .await
    }

    /// Every target has its outcome: what was looked at becomes coverage in the same write.
    async fn finish(&self, permit: &Permit, scan: &Scan, now: Timestamp) -> Result<()> {
        let event = Event::new(
            now,
            permit.actor().clone(),
            "scan.done",
            Object::new("scan", scan.id.as_str()),
        )
        .before(json!({ "state": scan.state }))
        .after(
            json!({ "segment": scan.segment, "probed": scan.probed, "excluded": scan.excluded,
                "stopped": scan.stopped, "total": scan.total }),
        );
        let row = super::to_row(scan, ScanState::Done, "", now);
        let mut write = Write::new(permit.joined(event))?.run_expecting(1, super::TO, row, NOT_SO);
        if !scan.progress.overflow {
            write = coverage::looked_at(write, scan, now);
        }
        Ok(self.store().commit(write).await.map(drop)?)
    }

    /// Sends, until there is a reason not to.
    async fn leg(
        &self,
        permit: &Permit,
        scan: &Scan,
        ready: Prepared,
        holder: &str,
        (left, gap): (Duration, Duration),
        running: &mut Running<'_>,
    ) -> Result<Leg> {
        let began = Instant::now();
        let Prepared {
            plan,
            targets,
            limits,
        } = ready;
        let pause = limits.stored.segment.pause_ms;
        let mut limits = limits.limits;
        let leg = left.min(LONGEST_LEG);
        limits.window = Some(leg.saturating_sub(GUARD).saturating_sub(gap));
        let mut progress = scan.progress.clone();
        if progress.cursor.check(&targets, &plan.seed).is_err() {
            return Err(FleetError::Damaged("a scan's cursor"));
        }
        for range in plan.kept_out(&limits) {
            if !progress.excluded.contains(&range) {
                progress.excluded.push(range);
            }
        }
        let versions = self.segment_versions_now().await?;
        let config = plan.config(limits, pause, &running.from, Clock::clone(&running.clock));
        let cursor = progress.cursor.clone();
        let (reports, mut seen) = mpsc::channel(BATCH);
        let work = Work(tokio::spawn(async move {
            tokio::time::sleep(gap).await;
            scan::run(&targets, config, &cursor, reports).await
        }));
        let mut shift = Shift {
            fleet: self,
            permit,
            scan,
            holder,
            progress,
            batch: Vec::new(),
            since: None,
            counts: [0; 3],
        };
        let mut alive = Instant::now();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leaving = running.stop.clone();
        let end = loop {
            tokio::select! {
                report = seen.recv() => match report {
                    Some(report) => shift.take(report, running).await?,
                    None => break None,
                },
                _ = ticks.tick() => {
                    shift.store_if_due(running.now()).await?;
                    if let Some(leg) = self.reason_to_end(scan, holder, &versions, &mut alive, running.now()).await? {
                        break Some(leg);
                    }
                },
                () = sleep_until(began + leg) => break Some(Leg::Again),
                () = left_behind(&mut leaving) => break Some(Leg::Leaving),
            }
        };
        let Some(end) = end else {
            shift.store(running.now()).await?;
            return Ok(match work.join().await {
                Some(Summary {
                    ended: Ended::Done, ..
                }) => Leg::Done,
                _ => Leg::Again,
            });
        };
        // What is in the air is cut off, and looked at again another time; what has come is stored.
        drop(work);
        while let Some(report) = seen.recv().await {
            shift.take(report, running).await?;
        }
        shift.store(running.now()).await?;
        Ok(end)
    }

    /// What else may have happened to the scan, the limits or the lease.
    async fn reason_to_end(
        &self,
        scan: &Scan,
        holder: &str,
        versions: &[(String, i64)],
        alive: &mut Instant,
        now: Timestamp,
    ) -> Result<Option<Leg>> {
        if alive.elapsed() > LEASE / 3 {
            if !self
                .store()
                .lease(&lease(&scan.segment), holder, LEASE, now)
                .await?
            {
                return Err(store::StoreError::Conflict(TAKEN_OVER).into());
            }
            *alive = Instant::now();
        }
        let rows = self
            .store()
            .look_up(STATE, params![scan.id.as_str()])
            .await?;
        let Some(row) = rows.first() else {
            return Err(FleetError::not_found("scan", &scan.id));
        };
        if row.text(1)? != holder {
            return Err(store::StoreError::Conflict(TAKEN_OVER).into());
        }
        if row.text(0)? == ScanState::Stopping.name() {
            return Ok(Some(Leg::Stopping));
        }
        let changed = self.segment_versions_now().await? != versions;
        Ok(changed.then_some(Leg::Again))
    }

    async fn segment_versions_now(&self) -> Result<Vec<(String, i64)>> {
        let rows = self
            .store()
            .query(VERSIONS, params![SEGMENT_RECORDS])
            .await?;
        let versions = rows
            .iter()
            .map(|row| Ok((row.text(0)?.to_owned(), row.int(1)?)));
        versions.collect()
    }
}

/// Returns when this process ends.
async fn left_behind(stop: &mut watch::Receiver<bool>) {
    // Whoever could say so is gone: that is an end, too.
    stop.wait_for(|stop| *stop).await.map(drop).ok();
}

/// The scanner at work; dropped, it sends nothing more.
struct Work(JoinHandle<Summary>);

impl Work {
    async fn join(mut self) -> Option<Summary> {
        (&mut self.0).await.ok()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What has come in and is not stored yet.
struct Shift<'a> {
    fleet: &'a Fleet,
    permit: &'a Permit,
    scan: &'a Scan,
    holder: &'a str,
    progress: super::Progress,
    batch: Vec<Observation>,
    since: Option<Instant>,
    /// Probed, excluded, stopped.
    counts: [i64; 3],
}

impl Shift<'_> {
    async fn take(&mut self, report: Report, running: &mut Running<'_>) -> Result<()> {
        match report {
            Report::Seen {
                position,
                observation,
            } => {
                let which = match &observation.outcome {
                    Outcome::Excluded { .. } => 1,
                    Outcome::Stopped { .. } => 2,
                    _ => 0,
                };
                self.counts[which] += 1;
                if let (false, Place::Network { address, .. }) = (
                    observation.outcome.looked() || which == 1,
                    &observation.place,
                ) {
                    self.progress.miss(*address);
                }
                self.progress.cursor.done(position);
                (running.see)(&observation, self.progress.cursor.progress());
                self.batch.push(*observation);
                self.since.get_or_insert_with(Instant::now);
                match self.batch.len() >= BATCH {
                    true => self.store(running.now()).await,
                    false => Ok(()),
                }
            }
            Report::Silent {
                model,
                address,
                port,
            } => {
                self.silenced(model.as_deref(), (address, port), running.now())
                    .await
            }
        }
    }

    async fn store_if_due(&mut self, now: Timestamp) -> Result<()> {
        match self.since {
            Some(since) if since.elapsed() >= PATIENCE => self.store(now).await,
            _ => Ok(()),
        }
    }

    async fn store(&mut self, now: Timestamp) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let progress = text(&self.progress)?;
        let [probed, excluded, stopped] = self.counts;
        let advance = params![
            self.scan.id.as_str(),
            self.holder,
            progress,
            probed,
            excluded,
            stopped
        ];
        let beside =
            move |write: Write| Ok(write.run_expecting(1, ADVANCE, advance.clone(), TAKEN_OVER));
        let source = Source {
            name: format!("scan {}", self.scan.id),
            scan: Some(self.scan.id.clone()),
        };
        self.fleet
            .ingest_with(self.permit, &source, &self.batch, &beside, now)
            .await?;
        self.batch.clear();
        self.since = None;
        self.counts = [0; 3];
        Ok(())
    }

    /// A device answered, was asked, and answers no longer: whoever is responsible hears of it at once (R17).
    async fn silenced(
        &self,
        model: Option<&str>,
        (address, port): (IpAddr, u16),
        now: Timestamp,
    ) -> Result<()> {
        let kind = "scan.silenced";
        let facts = json!({
            "scan": self.scan.id, "segment": self.scan.segment, "model": model, "address": address, "port": port,
        });
        let left_alone = match model {
            Some(model) => format!("model {model} is left alone from here on"),
            None => "its model is not known".to_owned(),
        };
        let what = format!(
            "{address} in segment {} stopped answering after port {port} was looked at; {left_alone}; somebody should look at the device",
            self.scan.segment
        );
        let object = Object::new("segment", self.scan.segment.as_str());
        let event = Event::new(now, self.permit.actor().clone(), kind, object)
            .why(what.as_str())
            .after(facts.clone());
        let write = alert::along(
            Write::new(self.permit.joined(event))?,
            kind,
            &what,
            &facts,
            now,
        )?;
        self.fleet.store().commit(write).await?;
        Ok(())
    }
}
