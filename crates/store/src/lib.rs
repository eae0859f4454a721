//! The store: SQLite by default, PostgreSQL when there is more than one node, one behaviour on
//! both. It knows transactions, versions, leases and the log; it does not know what a certificate
//! is. Each room brings its own tables ([`Migration`]) and its own SQL.
//!
//! # What it promises
//! - **No write without its event.** [`Write`] is made from an [`audit::Event`] and nothing else
//!   commits; statements, event, leaf hash and the tree's head are one transaction.
//! - **Acknowledged is durable.** [`Store::commit`] returns after the fsync (SQLite,
//!   `synchronous=FULL`) or after PostgreSQL's commit. Nothing that is reported failed stands,
//!   except [`StoreError::Uncertain`], which says that nobody knows.
//! - **Group commit.** Writes that arrive together share one transaction; one that fails takes
//!   none of the others with it.
//! - **A caller may go away.** Dropping the future of a commit does not undo it.
//!
//! # What tampering with it could do
//! Whoever can write to the database can change any row. Events, and every artefact whose digest
//! stands in an event, give that away against a checkpoint that was published before; rows that
//! no event covers (leases, saved checkpoints) can at worst make work be done twice or a
//! checkpoint be signed anew.

mod backup;
mod batch;
mod claims;
mod dialect;
mod error;
mod leases;
mod lock;
mod log;
mod memory;
mod metric;
mod postgres;
mod records;
mod schema;
mod sqlite;
mod value;
mod write;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

pub use backup::restore;
pub use batch::{Checkpoint, LogEntry};
pub use error::{Result, StoreError};
pub use lock::ServerLock;
pub use memory::{Memo, Snapshot};
pub use records::Record;
pub use schema::Migration;
pub use value::{Row, Value};
pub use write::{Committed, Write};

use batch::Growth;

/// A database; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    growth: watch::Sender<Growth>,
    engine: Engine,
}

enum Engine {
    Sqlite(Box<sqlite::Sqlite>),
    Postgres(Box<postgres::Postgres>),
}

impl Store {
    /// Opens the database at `url`, makes it if it is not there (SQLite), and brings its schema
    /// up to date with `migrations`.
    ///
    /// `sqlite:/path/ward.db`, or `postgres://user@host/name`.
    pub async fn open(url: &str, migrations: &[Migration]) -> Result<Store> {
        let (growth, _) = watch::channel(Growth::default());
        let engine = if let Some(path) = url.strip_prefix("sqlite:") {
            let sqlite = sqlite::Sqlite::open(path, migrations, growth.clone()).await?;
            Engine::Sqlite(Box::new(sqlite))
        } else if is_postgres(url) {
            let postgres = postgres::Postgres::open(url, migrations, growth.clone()).await?;
            Engine::Postgres(Box::new(postgres))
        } else {
            return Err(unknown_scheme());
        };
        let store = Store {
            inner: Arc::new(Inner { growth, engine }),
        };
        store.log_size().await?;
        Ok(store)
    }

    /// Reads. Placeholders are `$1`, `$2`, …; everything that was committed before is seen.
    ///
    /// A statement that writes is refused: that is what [`Store::commit`] is for.
    pub async fn query(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.query(sql, params).await,
            Engine::Postgres(postgres) => postgres.query(sql, &params).await,
        }
    }

    /// As [`Store::query`], for a read by key that is over within microseconds: SQLite answers it on
    /// the calling thread, where handing it to another would cost more than the read. Not for
    /// statements that walk a table.
    pub async fn look_up(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.look_up(sql, params).await,
            Engine::Postgres(postgres) => postgres.query(sql, &params).await,
        }
    }

    /// As [`Store::query`], for the rows that any of many keys finds: `column IN ($*)` in the text stands for all of them, and
    /// it has no other parameter. The keys may be asked for in parts, so that a row whose key comes twice may come twice,
    /// and what the statement counts or limits it counts and limits in each part, of 256 keys or more.
    pub async fn find(&self, sql: &'static str, keys: Vec<Value>) -> Result<Vec<Row>> {
        match &self.inner.engine {
            _ if keys.is_empty() => Ok(Vec::new()),
            Engine::Sqlite(sqlite) => sqlite.find(sql, keys).await,
            Engine::Postgres(postgres) => postgres.find(sql, &keys).await,
        }
    }

    /// As [`Store::query`], for a text that is made at run time and a cost that is decided by who asks. It has connections of
    /// its own, and ends with [`StoreError::GaveUp`] when it takes longer than `budget`.
    pub async fn search(
        &self,
        sql: &str,
        params: Vec<Value>,
        budget: Duration,
    ) -> Result<Vec<Row>> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.search(sql, params, budget).await,
            Engine::Postgres(postgres) => postgres.search(sql, &params, budget).await,
        }
    }

    /// Which of the two databases it is, for whoever makes statements at run time.
    pub fn is_postgres(&self) -> bool {
        matches!(self.inner.engine, Engine::Postgres(_))
    }

    /// Applies a write. It is durable when this returns.
    pub async fn commit(&self, write: Write) -> Result<Committed> {
        self.submit(write).await
    }

    /// Keeps a second server away from this database, until the lock is dropped. On SQLite it is
    /// a lock on a file beside the database; PostgreSQL is made for several nodes, so that there
    /// is nothing to hold.
    pub fn lock_server(&self) -> Result<ServerLock> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => ServerLock::beside(sqlite.path()),
            Engine::Postgres(_) => Ok(ServerLock::needless()),
        }
    }

    async fn submit(&self, write: Write) -> Result<Committed> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.commit(write).await,
            Engine::Postgres(postgres) => postgres.commit(write).await,
        }
    }

    async fn one<T>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let rows = self.query(sql, params).await?;
        rows.first().map(read).transpose()
    }

    async fn all<T>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let rows = self.query(sql, params).await?;
        rows.iter().map(read).collect()
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn unknown_scheme() -> StoreError {
    StoreError::Url("it must begin with sqlite: or postgres://".to_owned())
}
