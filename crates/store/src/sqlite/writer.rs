//! The writer: makes one transaction of many writes.
//!
//! The happy path has nothing in it for the unhappy one: no savepoint, no copy. If a batch fails
//! it is rolled back and run again with a savepoint around each write, so that the bad ones fail
//! alone and the others still share one fsync. If even that fails (a disk that fills up in the
//! middle takes the whole transaction with it) each write gets a transaction of its own.

use std::time::{Duration, Instant};

use audit::{Sealed, Timestamp};
use rusqlite::Connection;
use tokio::sync::watch;

use super::{checkpoint::Checkpointer, connect, statements::Statements};
use crate::{
    Committed, Migration, Result, StoreError, Write,
    batch::{self, Growth, Head},
    metric, params,
    schema::{self, Applied},
};

const ADD_EVENT: &str = "INSERT INTO log_events(seq, body, leaf) VALUES($1, $2, $3)";

/// From how many bytes on a write is one of many rows.
const BULK: usize = 1024 * 1024;

/// How long after the last such write the writer keeps its large cache.
const BULK_ENDS: Duration = Duration::from_secs(10);

/// The one connection that writes.
pub(crate) struct Writer {
    statements: Statements,
    checkpointer: Checkpointer,
    /// When a large write came last, while the cache is large.
    bulk: Option<Instant>,
    /// How long it waits for another process now.
    patience: Patience,
    growth: watch::Sender<Growth>,
}

/// How long a transaction waits for another process to finish its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Full,
}

/// What one bad write does to the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It fails them all.
    Together,
    /// It is undone alone.
    Guarded,
}

impl Writer {
    /// Brings the schema up to date first.
    pub(crate) fn open(
        mut connection: Connection,
        rooms: &[Migration],
        growth: watch::Sender<Growth>,
    ) -> Result<Self> {
        let checkpointer = Checkpointer::watching(&mut connection)?;
        let mut statements = Statements::new(connection);
        migrate(&mut statements, rooms)?;
        Ok(Writer {
            statements,
            checkpointer,
            bulk: None,
            patience: Patience::Full,
            growth,
        })
    }

    /// Whether the write-ahead log should be moved into the database.
    pub(crate) fn log_is_long(&mut self) -> bool {
        self.checkpointer.is_due(self.bulk.is_some())
    }

    pub(crate) fn move_log(&mut self) {
        self.checkpointer.run(self.statements.connection());
    }

    /// Applies writes, as one transaction if none of them is bad. They are durable when this returns.
    /// Without patience all are refused as busy if another process is writing.
    pub(crate) fn process(
        &mut self,
        writes: &[Write],
        patience: Patience,
    ) -> Vec<Result<Committed>> {
        self.make_room(writes);
        let error = match self.transaction(writes, Mode::Together, patience) {
            Ok(outcomes) => return outcomes,
            Err(error) => error,
        };
        if writes.len() == 1 || concerns_database(&error) {
            return writes.iter().map(|_| Err(error.clone())).collect();
        }
        metric::retried();
        if let Ok(outcomes) = self.transaction(writes, Mode::Guarded, Patience::Full) {
            return outcomes;
        }
        writes.iter().map(|write| self.alone(write)).collect()
    }

    /// A large cache for large writes, and a small one again when no more have come for a while.
    fn make_room(&mut self, writes: &[Write]) {
        let large = writes.iter().any(|write| write.bytes() >= BULK);
        let was = self.bulk.is_some();
        if large {
            self.bulk = Some(Instant::now());
        } else if self.bulk.is_some_and(|last| last.elapsed() > BULK_ENDS) {
            self.bulk = None;
        }
        if self.bulk.is_some() == was {
            return;
        }
        let cache = match self.bulk {
            Some(_) => connect::BULK_CACHE,
            None => connect::WRITER_CACHE,
        };
        let connection = self.statements.connection();
        let sized = connection.pragma_update(None, "cache_size", -cache);
        if let Err(error) = sized.and_then(|()| connection.execute_batch("PRAGMA shrink_memory")) {
            tracing::warn!(%error, "the writer's cache keeps its size");
        }
    }

    fn alone(&mut self, write: &Write) -> Result<Committed> {
        let outcomes =
            self.transaction(std::slice::from_ref(write), Mode::Together, Patience::Full)?;
        let nothing = || StoreError::Unavailable("its writer gave no answer".to_owned());
        outcomes
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(nothing()))
    }

    fn transaction(
        &mut self,
        writes: &[Write],
        mode: Mode,
        patience: Patience,
    ) -> Result<Vec<Result<Committed>>> {
        self.wait_for_others(patience)?;
        let outcome = self.attempt(writes, mode);
        if outcome.is_err() && !self.statements.connection().is_autocommit() {
            self.statements.execute("ROLLBACK", &[])?;
        }
        outcome
    }

    fn wait_for_others(&mut self, patience: Patience) -> Result<()> {
        if self.patience != patience {
            let timeout = match patience {
                Patience::None => Duration::ZERO,
                Patience::Full => connect::BUSY,
            };
            self.statements.connection().busy_timeout(timeout)?;
            self.patience = patience;
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
            if self.statements.connection().is_autocommit() {
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

fn append(statements: &mut Statements, head: &mut Head, event: &Sealed) -> Result<()> {
    let seq = head.next_seq();
    statements
        .prepared(ADD_EVENT)?
        .execute((seq, &event.body, event.leaf))?;
    head.append(event);
    Ok(())
}

fn read_head(statements: &mut Statements) -> Result<Head> {
    let rows = statements.query(batch::HEAD, &[])?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Corrupt("the log has no head".to_owned()))?;
    Head::read(row.int(0)?, row.blob(1)?)
}

fn move_head(statements: &mut Statements, head: &Head) -> Result<()> {
    let params = params![head.next_seq(), head.encode()];
    match statements.execute(batch::MOVE_HEAD, &params)? {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt("the log has no head".to_owned())),
    }
}

/// Brings the schema up to date, in one transaction that no other process can enter.
fn migrate(statements: &mut Statements, rooms: &[Migration]) -> Result<()> {
    statements.execute("BEGIN IMMEDIATE", &[])?;
    let outcome = migrate_inside(statements, rooms);
    let end = if outcome.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    if !statements.connection().is_autocommit() {
        statements.execute(end, &[])?;
    }
    outcome
}

fn migrate_inside(statements: &mut Statements, rooms: &[Migration]) -> Result<()> {
    statements.connection().execute_batch(schema::BOOTSTRAP)?;
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
        statements.connection().execute_batch(migration.sql)?;
        let params = params![migration.room, migration.version, migration.checksum(), at];
        statements.execute(schema::APPLY, &params)?;
    }
    if applied.is_empty() {
        let head = Head::empty();
        statements.execute(batch::MAKE_HEAD, &params![head.next_seq(), head.encode()])?;
    }
    let mut head = read_head(statements)?;
    for migration in &due {
        append(statements, &mut head, &migration.event(at)?)?;
    }
    move_head(statements, &head)
}

/// The database's clock: rooms below the server read none, and a migration has no caller to give
/// it the time.
const NOW: &str = "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";
