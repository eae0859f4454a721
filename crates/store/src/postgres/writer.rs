//! The writer: one task, one connection, one transaction at a time for all writes that wait.
//!
//! A connection can break at any moment. Before COMMIT is sent nothing can stand, and the batch
//! is simply run again. Once it is sent, only the database knows: the first event of every batch
//! carries a mark, and the next connection takes the head's lock (so that whatever the broken one
//! had under way is over) and looks whether the mark is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::session::{Purpose, Server, Session};
use super::transaction::{Batch, Fault, Mode, Sent, lock_head, no_answer, transaction};
use crate::{
    Committed, Result, StoreError, Write,
    batch::{self, Growth, Head, Job},
    metric, params,
};

/// How long a batch waits for a server that was there a moment ago.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an unknown outcome is pursued before it is reported as such.
const PURSUIT: Duration = Duration::from_secs(60);

/// How often a batch is run again when connections break, or transactions collide, under it.
const ATTEMPTS: usize = 4;

const MARK: &str = "SELECT batch FROM log_events WHERE seq = $1";
const WRITER_ID: &str = "SELECT uuid_send(gen_random_uuid())";

/// Writes until the queue's other end is gone.
pub(crate) async fn run(
    server: Arc<Server>,
    session: Session,
    mut jobs: mpsc::Receiver<Job>,
    growth: watch::Sender<Growth>,
) {
    let mut writer = Writer {
        server,
        session: Some(Arc::new(session)),
        away: false,
        id: Vec::new(),
        batches: 0,
        left: None,
        undisturbed: false,
        growth,
    };
    while let Some(first) = jobs.recv().await {
        // Whoever is ready to write comes along: a transaction has a price of its own.
        tokio::task::yield_now().await;
        let batch = batch::gather(first, &mut jobs);
        writer.run(batch).await;
    }
}

struct Writer {
    server: Arc<Server>,
    session: Option<Arc<Session>>,
    /// Whether the server was away at the last attempt: then nobody waits for it again.
    away: bool,
    /// What this writer's marks begin with: 16 random bytes, from the server.
    id: Vec<u8>,
    /// What they end with.
    batches: u64,
    /// The head of the log as this writer left it.
    left: Option<Head>,
    /// Whether the last transaction found it so: then the next one will too, unless another node
    /// has begun to write.
    undisturbed: bool,
    growth: watch::Sender<Growth>,
}

impl Writer {
    async fn run(&mut self, batch: Vec<Job>) {
        let started = Instant::now();
        let (writes, replies) = batch::split(batch);
        let outcomes = self.process(&writes).await;
        metric::committed(writes.len(), started.elapsed());
        batch::answer(replies, outcomes);
    }

    async fn process(&mut self, writes: &[Write]) -> Vec<Result<Committed>> {
        let mut error = match self.settle(writes, Mode::Together).await {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if !concerns_database(&error) {
            metric::retried();
            error = match self.settle(writes, Mode::Guarded).await {
                Ok(outcomes) => return outcomes,
                Err(error) => error,
            };
        }
        if writes.len() == 1 || concerns_database(&error) {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let alone = self.settle(std::slice::from_ref(write), Mode::Guarded);
            outcomes.push(match alone.await {
                Ok(outcome) => outcome.into_iter().next().unwrap_or_else(no_answer),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Runs a transaction until its outcome is known.
    async fn settle(&mut self, writes: &[Write], mode: Mode) -> Result<Vec<Result<Committed>>> {
        let mut last = no_answer::<()>();
        for _ in 0..ATTEMPTS {
            let batch = Batch {
                writes,
                mode,
                mark: self.next_mark().await?,
                head: self.left.clone().filter(|_| self.undisturbed),
            };
            let session = self.session().await?;
            match transaction(&session, batch).await {
                Ok(sent) => return Ok(self.stood(writes, sent)),
                Err(Fault::Moved) => {
                    self.undisturbed = false;
                    last = Err(StoreError::Busy("another node was faster".to_owned()));
                }
                Err(Fault::Refused(StoreError::Busy(text))) => last = Err(StoreError::Busy(text)),
                Err(Fault::Refused(error) | Fault::Unmet(_, error)) => return Err(error),
                Err(Fault::Lost(error)) => {
                    self.session = None;
                    last = Err(error);
                }
                Err(Fault::Unknown(sent, error)) => {
                    self.session = None;
                    self.undisturbed = false;
                    tracing::warn!(%error, "connection lost during a commit");
                    last = Err(error);
                    if self.stands(&sent).await? {
                        return Ok(self.stood(writes, *sent));
                    }
                }
            }
        }
        last.and_then(|()| no_answer())
    }

    /// Notes what a committed transaction has changed.
    fn stood(&mut self, writes: &[Write], sent: Sent) -> Vec<Result<Committed>> {
        let (before, after) = (sent.before.size(), sent.after.size());
        batch::announce(&self.growth, writes, before, after);
        self.undisturbed = self.left.as_ref() == Some(&sent.before);
        self.left = Some(sent.after);
        sent.outcomes
    }

    /// Finds out whether a batch whose COMMIT was sent was committed. One without events is only
    /// bookkeeping, and is done again.
    async fn stands(&mut self, sent: &Sent) -> Result<bool> {
        if sent.before == sent.after {
            return Ok(false);
        }
        let deadline = Instant::now() + PURSUIT;
        loop {
            self.away = false;
            let found = match self.session().await {
                Ok(session) => look(&session, sent).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) if Instant::now() >= deadline => {
                    return Err(StoreError::Uncertain(error.to_string()));
                }
                Err(_) => self.session = None,
            }
        }
    }

    /// The session, made anew if it is gone.
    async fn session(&mut self) -> Result<Arc<Session>> {
        if let Some(held) = self
            .session
            .as_ref()
            .filter(|held| !held.client.is_closed())
        {
            return Ok(held.clone());
        }
        let session = Arc::new(self.connect().await?);
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn connect(&mut self) -> Result<Session> {
        let patience = if self.away { Duration::ZERO } else { PATIENCE };
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        loop {
            match self.server.connect(Purpose::Write).await {
                Ok(session) => {
                    self.away = false;
                    return Ok(session);
                }
                Err(error) if Instant::now() + pause >= deadline => {
                    self.away = true;
                    return Err(unavailable(&error.to_string()));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    async fn next_mark(&mut self) -> Result<Vec<u8>> {
        if self.id.is_empty() {
            let rows = self.session().await?.query(WRITER_ID, &[]).await?;
            self.id = rows
                .first()
                .map_or_else(no_answer, |row| row.blob(0))?
                .to_vec();
        }
        self.batches += 1;
        Ok([&self.id[..], &self.batches.to_be_bytes()].concat())
    }
}

/// Takes the head's lock, so that a transaction that a broken connection left behind is over, and
/// looks for the mark.
async fn look(session: &Session, sent: &Sent) -> Result<bool> {
    session.client.batch_execute("BEGIN").await?;
    lock_head(session).await?;
    let rows = session
        .query(MARK, &params![sent.before.next_seq()])
        .await?;
    session.client.batch_execute("ROLLBACK").await?;
    match rows.first() {
        Some(row) => Ok(row.opt_blob(0)? == Some(&sent.mark[..])),
        None => Ok(false),
    }
}

/// Whether trying each write alone is pointless: it is the database that does not take writes.
fn concerns_database(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Busy(_)
            | StoreError::ReadOnly(_)
            | StoreError::Corrupt(_)
            | StoreError::Unavailable(_)
            | StoreError::Uncertain(_)
    )
}

fn unavailable(text: &str) -> StoreError {
    StoreError::Unavailable(text.to_owned())
}
