//! Carries out one order: what the scanner reports goes into the queue in batches, each with how far the scan is.

use super::batch::{BATCH_LIMIT, BATCH_OBSERVATIONS, Draft, Said};
use super::order::Order;
use super::queue::QueueError;
use super::run::{RelayError, Shared};
use crate::scan::{self, Config, Cursor, Ended, Report, Summary, Targets, Timing};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep, timeout_at};

/// How long an observation waits for others before it is written.
const PATIENCE: Duration = Duration::from_secs(1);
/// A batch is written before its lines are more than this; the longest line fits in what is left.
const BYTES: usize = BATCH_LIMIT / 4;
/// Between two attempts to write to a queue that is full, or a disk that is.
const FULL: Duration = Duration::from_secs(5);

/// One scan as the scanner takes it.
pub struct Look {
    pub targets: Targets,
    pub config: Config,
    pub cursor: Cursor,
}

/// What looks: the scanner, or a pretended one.
pub trait Scanner: Send + Sync {
    fn scan(&self, look: Look, reports: Sender<Report>) -> impl Future<Output = Summary> + Send;
}

/// The scanner of this room.
impl Scanner for () {
    async fn scan(&self, look: Look, reports: Sender<Report>) -> Summary {
        scan::run(&look.targets, look.config, &look.cursor, reports).await
    }
}

/// Does an order to its end, or as far as it may. What is in the queue of it already is not done again.
pub(super) async fn carry_out<S: Scanner>(
    shared: &Arc<Shared>,
    scanner: &S,
    order: &Order,
    targets: Targets,
) -> Result<(), RelayError> {
    let seed = order.seed()?;
    let known = shared.queue.lock().cursor(&order.id);
    let known = known.or_else(|| order.cursor.clone());
    let cursor = known.filter(|cursor| cursor.check(&targets, &seed).is_ok());
    let cursor = cursor.unwrap_or_else(|| Cursor::new(&targets, &seed));
    let clock = Arc::clone(shared);
    let look = Look {
        cursor: cursor.clone(),
        config: Config {
            from: format!("agent {}", order.agent),
            depth: order.depth,
            timing: Timing {
                pause: Duration::from_millis(order.pause_ms.into()),
                ..Timing::default()
            },
            limits: order.limits(shared.now()),
            concurrency: order.concurrency.clamp(1, CONCURRENCY),
            seed,
            clock: Arc::new(move || clock.now()),
        },
        targets,
    };
    let (reports, received) = channel(64);
    let mut packer = Packer {
        shared,
        draft: Draft {
            order: order.id.clone(),
            cursor: None,
            said: Vec::new(),
            lines: Vec::new(),
        },
        bytes: 0,
        cursor,
    };
    // Which of the two ends first: a scan that is stopped leaves its reports, and its packer, where they are.
    let packed = async {
        let (summary, packed) = tokio::join!(scanner.scan(look, reports), packer.all(received));
        packed.map(|()| summary)
    };
    let summary = tokio::select! {
        summary = packed => Some(summary?),
        () = shared.stopped(&order.id) => None,
    };
    let none = Summary {
        ended: Ended::Done,
        probed: 0,
        excluded: 0,
        stopped: 0,
    };
    let how = match summary {
        None => "stopped",
        Some(summary) if summary.ended == Ended::Window => match shared.now() >= order.expires {
            true => "expired",
            false => "window",
        },
        Some(_) => "done",
    };
    packer
        .draft
        .said
        .push(Said::ended(how, &summary.unwrap_or(none)));
    packer.write().await
}

/// The agent's own limit on targets in work at once: descriptors and memory of a small machine.
const CONCURRENCY: usize = 512;

/// Collects reports into batches.
struct Packer<'a> {
    shared: &'a Arc<Shared>,
    draft: Draft,
    bytes: usize,
    cursor: Cursor,
}

impl Packer<'_> {
    /// Until the scan gives no more. While the queue is full this takes nothing, and the scan waits.
    async fn all(&mut self, mut reports: Receiver<Report>) -> Result<(), RelayError> {
        while let Some(first) = reports.recv().await {
            self.take(first)?;
            let end = Instant::now() + PATIENCE;
            while self.draft.lines.len() < BATCH_OBSERVATIONS && self.bytes < BYTES {
                match timeout_at(end, reports.recv()).await {
                    Ok(Some(report)) => self.take(report)?,
                    Ok(None) | Err(_) => break,
                }
            }
            self.write().await?;
        }
        Ok(())
    }

    fn take(&mut self, report: Report) -> Result<(), RelayError> {
        match report {
            Report::Seen {
                position,
                observation,
            } => {
                let line = observation.line()?;
                self.bytes += line.len();
                self.draft.lines.push(line);
                self.cursor.done(position);
            }
            Report::Silent {
                model,
                address,
                port,
            } => self.draft.said.push(Said::Silent {
                model,
                address,
                port,
            }),
        }
        Ok(())
    }

    /// Puts what was collected into the queue, however long that takes.
    async fn write(&mut self) -> Result<(), RelayError> {
        self.draft.cursor = Some(self.cursor.clone());
        self.shared.push(&self.draft).await?;
        self.draft.lines.clear();
        self.draft.said.clear();
        self.bytes = 0;
        Ok(())
    }
}

impl Shared {
    /// Into the queue. A queue that is full and a disk that fails are waited for: nothing is dropped.
    pub(super) async fn push(&self, draft: &Draft) -> Result<(), RelayError> {
        let mut told = false;
        loop {
            let pushed = self.queue.lock().push(draft);
            match pushed {
                Ok(_) => {
                    self.filled.notify_one();
                    return Ok(());
                }
                Err(error @ (QueueError::Full { .. } | QueueError::Disk(_))) => {
                    if !std::mem::replace(&mut told, true) {
                        (self.tell)(&format!("{error}; the scan waits"));
                    }
                    tokio::select! {
                        () = self.emptied.notified() => {}
                        () = sleep(FULL) => {}
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
