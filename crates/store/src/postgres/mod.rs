//! PostgreSQL: for more than one node. The row `log_head` is the queue at the door: whoever
//! appends to the log holds it, so that the log has one order whichever node writes.

pub(crate) mod backup;
mod fault;
pub(crate) mod many;
mod migrate;
mod pipeline;
mod reader;
mod search;
mod session;
mod tls;
mod transaction;
mod types;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::{
    Committed, Migration, Result, Row, StoreError, Value, Write,
    batch::{self, Growth, Job},
};
pub(crate) use session::Server;
use session::{Purpose, Session};

/// Keys that one question asks for.
const KEYS_AT_ONCE: usize = 4096;

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    server: Arc<Server>,
    jobs: mpsc::Sender<Job>,
    readers: reader::Readers,
    finders: reader::Readers,
    searchers: search::Searchers,
    claimer: Mutex<Option<Arc<Session>>>,
    migrations: Vec<Migration>,
}

impl Postgres {
    /// Connects, migrates, and starts the writer. It ends when this value is dropped.
    pub(crate) async fn open(
        url: &str,
        migrations: &[Migration],
        growth: watch::Sender<Growth>,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(batch::QUEUE);
        let server = Arc::new(Server::parse(url)?);
        let session = server.connect(Purpose::Write).await?;
        migrate::migrate(&session, migrations).await?;
        tokio::spawn(writer::run(server.clone(), session, queue, growth));
        Ok(Postgres {
            jobs,
            readers: reader::Readers::new(server.clone(), Purpose::Read),
            finders: reader::Readers::new(server.clone(), Purpose::Find),
            searchers: search::Searchers::new(server.clone()),
            claimer: Mutex::new(None),
            server,
            migrations: migrations.to_vec(),
        })
    }

    /// Applies a write; it is durable when this returns.
    pub(crate) async fn commit(&self, write: Write) -> Result<Committed> {
        let stopped = || StoreError::Unavailable("its writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let job = Job { write, reply };
        self.jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs a statement on one of the reading connections.
    pub(crate) async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        self.readers.query(sql, params).await
    }

    /// Runs a statement about many keys, a few thousand of them in one question.
    pub(crate) async fn find(&self, sql: &'static str, keys: &[Value]) -> Result<Vec<Row>> {
        let mut found = Vec::with_capacity(keys.len());
        for part in keys.chunks(KEYS_AT_ONCE) {
            found.extend(self.finders.find(sql, part).await?);
        }
        Ok(found)
    }

    /// Runs a statement of a text made at run time, on connections for such.
    pub(crate) async fn search(
        &self,
        sql: &str,
        params: &[Value],
        budget: Duration,
    ) -> Result<Vec<Row>> {
        self.searchers.query(sql, params, budget).await
    }

    /// Runs a statement on the connection for claims. Asked once: nobody could tell whether a claim
    /// that was lost on the way stands.
    pub(crate) async fn claim(&self, sql: &'static str, params: &[Value]) -> Result<u64> {
        let session = {
            let mut place = self.claimer.lock().await;
            match place.as_ref().filter(|held| !held.client.is_closed()) {
                Some(session) => session.clone(),
                None => {
                    let session = Arc::new(self.server.connect(Purpose::Claim).await?);
                    *place = Some(session.clone());
                    session
                }
            }
        };
        Ok(session.execute(sql, params).await?)
    }

    /// The server, for a backup.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The schema, for a backup.
    pub(crate) fn migrations(&self) -> &[Migration] {
        &self.migrations
    }
}
