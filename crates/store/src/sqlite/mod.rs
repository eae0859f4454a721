//! SQLite: one file, one writer that callers take turns with, a few reader threads, and reads by key
//! where they are asked for.
//!
//! WAL with `synchronous=FULL`: a commit is one fsync of the write-ahead log, and readers never
//! wait for it. The file may be written by several processes (a command beside a server), so
//! nothing about its contents is remembered from one transaction to the next.

pub(crate) mod backup;
mod checkpoint;
mod connect;
mod fault;
mod lookup;
mod reader;
mod search;
mod statements;
mod turns;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc as threads};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::{Committed, Migration, Result, Row, StoreError, Value, Write, batch::Growth};
use lookup::Lookups;
use reader::Query;
use search::Searchers;
use statements::Statements;
pub(crate) use statements::value;
use turns::Turns;
use writer::Writer;

/// How many threads read. Reads are short; this is about not waiting behind a long one.
const READERS: usize = 4;

/// An open SQLite database.
pub(crate) struct Sqlite {
    path: PathBuf,
    turns: Arc<Turns>,
    lookups: Lookups,
    searchers: Searchers,
    queries: threads::Sender<Query>,
}

impl Sqlite {
    /// Opens or makes the file, migrates it, and starts the threads. They end when this value is
    /// dropped.
    pub(crate) async fn open(
        location: &str,
        migrations: &[Migration],
        growth: watch::Sender<Growth>,
    ) -> Result<Self> {
        let place = connect::Place::parse(location)?;
        let path = place.path.clone();
        let migrations = migrations.to_vec();
        let (ready, started) = oneshot::channel();
        let (queries, queue) = threads::channel();
        spawn("ward-store-open", move || {
            let outcome = start(&place, &migrations, growth, queue);
            let _ = ready.send(outcome);
        })?;
        let (turns, lookups, searchers) = started
            .await
            .map_err(|_| StoreError::Unavailable("it could not be opened".to_owned()))??;
        Ok(Sqlite {
            path,
            turns,
            lookups,
            searchers,
            queries,
        })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Applies a write; it is durable when this returns.
    pub(crate) async fn commit(&self, write: Write) -> Result<Committed> {
        self.turns.commit(write).await
    }

    /// Runs a statement on the next free reader.
    pub(crate) async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        self.ask(sql, params, false).await
    }

    /// Runs a statement about many keys, all of them on the next free reader: whoever handed over each part of them would
    /// wait as often to be woken.
    pub(crate) async fn find(&self, sql: &'static str, keys: Vec<Value>) -> Result<Vec<Row>> {
        self.ask(sql, keys, true).await
    }

    async fn ask(&self, sql: &'static str, params: Vec<Value>, many: bool) -> Result<Vec<Row>> {
        let stopped = || StoreError::Unavailable("its readers have stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let query = Query {
            sql,
            params,
            many,
            reply,
        };
        self.queries.send(query).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs a statement that reads a few rows by key: here, unless everybody does at once.
    pub(crate) async fn look_up(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        match self.lookups.query(sql, &params) {
            Some(found) => found,
            None => self.query(sql, params).await,
        }
    }
}

impl Sqlite {
    /// Runs a statement of a text made at run time, on connections for such.
    pub(crate) async fn search(
        &self,
        sql: &str,
        params: Vec<Value>,
        budget: Duration,
    ) -> Result<Vec<Row>> {
        self.searchers.query(sql, params, budget).await
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.turns.close();
    }
}

/// The file that a `sqlite:` URL names.
pub(crate) fn location(location: &str) -> Result<PathBuf> {
    Ok(connect::Place::parse(location)?.path)
}

/// Opens everything on a thread that may block, and starts those that stay.
fn start(
    place: &connect::Place,
    migrations: &[Migration],
    growth: watch::Sender<Growth>,
    queries: threads::Receiver<Query>,
) -> Result<(Arc<Turns>, Lookups, Searchers)> {
    let writer = Writer::open(connect::writer(place)?, migrations, growth)?;
    let turns = Turns::new(writer);
    let queries = reader::Queue::new(queries);
    for _ in 0..READERS {
        let statements = Statements::new(connect::reader(place)?);
        let queries = queries.clone();
        spawn("ward-store-read", move || reader::run(statements, &queries))?;
    }
    let lookups = Lookups::open(place)?;
    let searchers = Searchers::open(place)?;
    let thread = turns.clone();
    spawn("ward-store-write", move || thread.run())?;
    Ok((turns, lookups, searchers))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))
}
