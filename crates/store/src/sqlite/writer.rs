//! The writer thread: takes what is queued, makes one transaction of it, answers after the fsync.
//!
//! The happy path has nothing in it for the unhappy one: no savepoint, no copy. If a batch fails
//! it is rolled back and run again with a savepoint around each write, so that the bad ones fail
//! alone and the others still share one fsync. If even that fails (a disk that fills up in the
//! middle takes the whole transaction with it) each write gets a transaction of its own.

use std::time::Instant;

use audit::{Sealed, Timestamp};
use rusqlite::Connection;
use tokio::sync::{mpsc, watch};

use super::{checkpoint::Checkpointer, statements::Statements};
use crate::{
    Committed, Durability, Migration, Result, StoreError, Write,
    batch::{self, Growth, Head, Job},
    metric, params,
    schema::{self, Applied},
};

const ADD_EVENT: &str = "INSERT INTO log_events(seq, body, leaf) VALUES($1, $2, $3)";

/// Writes until the queue's other end is gone.
pub(crate) fn run(
    connection: &Connection,
    mut jobs: mpsc::Receiver<Job>,
    growth: watch::Sender<Growth>,
    mut checkpointer: Checkpointer,
) {
    let mut writer = Writer {
        connection,
        statements: Statements::new(connection),
        durability: Durability::Durable,
        growth,
    };
    while let Some(first) = jobs.blocking_recv() {
        let started = Instant::now();
        let (writes, replies) = batch::split(batch::gather(first, &mut jobs));
        let outcomes = writer.process(&writes);
        metric::committed(writes.len(), started.elapsed());
        batch::answer(replies, outcomes);
        checkpointer.after_batch(connection);
    }
}

struct Writer<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    /// What the connection's commits wait for now.
    durability: Durability,
    growth: watch::Sender<Growth>,
}

/// What one bad write does to the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It fails them all.
    Together,
    /// It is undone alone.
    Guarded,
}

impl Writer<'_> {
    fn process(&mut self, writes: &[Write]) -> Vec<Result<Committed>> {
        let error = match self.transaction(writes, Mode::Together) {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if writes.len() == 1 || concerns_database(&error) {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        metric::retried();
        if let Ok(outcomes) = self.transaction(writes, Mode::Guarded) {
            return outcomes;
        }
        writes.iter().map(|write| self.alone(write)).collect()
    }

    fn alone(&mut self, write: &Write) -> Result<Committed> {
        let outcomes = self.transaction(std::slice::from_ref(write), Mode::Together)?;
        let nothing = || StoreError::Unavailable("its writer gave no answer".to_owned());
        outcomes
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(nothing()))
    }

    fn transaction(&mut self, writes: &[Write], mode: Mode) -> Result<Vec<Result<Committed>>> {
        self.wait_for_disk(batch::durability(writes))?;
        let outcome = self.attempt(writes, mode);
        if outcome.is_err() && !self.connection.is_autocommit() {
            self.statements.execute("ROLLBACK", &[])?;
        }
        outcome
    }

    /// Whether a commit ends with an fsync of the write-ahead log. One that does not is made
    /// durable by the next that does, since they stand in one file, in order.
    fn wait_for_disk(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            let synchronous = match durability {
                Durability::Durable => "FULL",
                Durability::Ordered => "NORMAL",
            };
            self.connection
                .pragma_update(None, "synchronous", synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn attempt(&mut self, writes: &[Write], mode: Mode) -> Result<Vec<Result<Committed>>> {
        self.statements.execute("BEGIN IMMEDIATE", &[])?;
        let mut head = read_head(&mut self.statements)?;
        let before = head.size();
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            outcomes.push(match mode {
                Mode::Together => Ok(self.apply(write, &mut head)?),
                Mode::Guarded => self.apply_guarded(write, &mut head)?,
            });
        }
        if head.size() > before {
            move_head(&mut self.statements, &head)?;
        }
        self.statements.execute("COMMIT", &[]).map_err(at_commit)?;
        batch::announce(&self.growth, writes, before, head.size());
        Ok(outcomes)
    }

    /// The outer result is the transaction's, the inner one the write's.
    fn apply_guarded(&mut self, write: &Write, head: &mut Head) -> Result<Result<Committed>> {
        let before = head.clone();
        self.statements.execute("SAVEPOINT w", &[])?;
        let outcome = self.apply(write, head);
        if let Err(error) = &outcome {
            if self.connection.is_autocommit() {
                return Err(error.clone());
            }
            *head = before;
            self.statements.execute("ROLLBACK TO w", &[])?;
        }
        self.statements.execute("RELEASE w", &[])?;
        Ok(outcome)
    }

    fn apply(&mut self, write: &Write, head: &mut Head) -> Result<Committed> {
        for statement in &write.statements {
            let changed = self.statements.execute(statement.sql, &statement.params)?;
            statement.check(changed)?;
        }
        let first_seq = head.size();
        for event in &write.events {
            append(&mut self.statements, head, event)?;
        }
        Ok(Committed {
            first_seq,
            size: head.size(),
        })
    }
}

/// If a disk fails under a commit, SQLite takes it back; but its bytes may be in the log all the
/// same, and if the machine fails before the next commit writes over them, they may be found.
fn at_commit(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(text) => StoreError::Uncertain(text),
        other => other,
    }
}

/// Whether trying each write alone is pointless: it is the database that does not take writes.
fn concerns_database(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Busy(_) | StoreError::ReadOnly(_) | StoreError::Corrupt(_)
    )
}

fn append(statements: &mut Statements<'_>, head: &mut Head, event: &Sealed) -> Result<()> {
    let seq = head.next_seq();
    statements
        .prepared(ADD_EVENT)?
        .execute((seq, &event.body, event.leaf))?;
    head.append(event);
    Ok(())
}

fn read_head(statements: &mut Statements<'_>) -> Result<Head> {
    let rows = statements.query(batch::HEAD, &[])?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Corrupt("the log has no head".to_owned()))?;
    Head::read(row.int(0)?, row.blob(1)?)
}

fn move_head(statements: &mut Statements<'_>, head: &Head) -> Result<()> {
    let params = params![head.next_seq(), head.encode()];
    match statements.execute(batch::MOVE_HEAD, &params)? {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt("the log has no head".to_owned())),
    }
}

/// Brings the schema up to date, in one transaction that no other process can enter.
pub(crate) fn migrate(connection: &Connection, rooms: &[Migration]) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = migrate_inside(connection, rooms);
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    if !connection.is_autocommit() {
        connection.execute_batch(end)?;
    }
    outcome
}

fn migrate_inside(connection: &Connection, rooms: &[Migration]) -> Result<()> {
    connection.execute_batch(schema::BOOTSTRAP)?;
    let mut statements = Statements::new(connection);
    let applied: Result<Vec<Applied>> = statements
        .query(schema::APPLIED, &[])?
        .iter()
        .map(Applied::read)
        .collect();
    let applied = applied?;
    let due = schema::due(rooms, &applied)?;
    if due.is_empty() {
        return Ok(());
    }
    let at = Timestamp(
        statements
            .query(NOW, &[])?
            .first()
            .map_or(Ok(0), |row| row.int(0))?,
    );
    for migration in &due {
        connection.execute_batch(migration.sql)?;
        let params = params![migration.room, migration.version, migration.checksum(), at];
        statements.execute(schema::APPLY, &params)?;
    }
    if applied.is_empty() {
        let head = Head::empty();
        statements.execute(batch::MAKE_HEAD, &params![head.next_seq(), head.encode()])?;
    }
    let mut head = read_head(&mut statements)?;
    for migration in &due {
        append(&mut statements, &mut head, &migration.event(at)?)?;
    }
    move_head(&mut statements, &head)
}

/// The database's clock: rooms below the server read none, and a migration has no caller to give
/// it the time.
const NOW: &str = "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";
