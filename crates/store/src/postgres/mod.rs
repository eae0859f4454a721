//! PostgreSQL: for more than one node. The row `log_head` is the queue at the door: whoever
//! appends to the log holds it, so that the log has one order whichever node writes.

pub(crate) mod backup;
mod fault;
mod many;
mod migrate;
mod pipeline;
mod reader;
mod session;
mod tls;
mod transaction;
mod types;
mod writer;

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, watch};

use crate::{
    Migration, Result, Row, Value,
    batch::{Growth, Job},
};
pub(crate) use session::Server;
use session::{Purpose, Session};

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    server: Arc<Server>,
    readers: reader::Readers,
    claimer: Mutex<Option<Arc<Session>>>,
    migrations: Vec<Migration>,
}

impl Postgres {
    /// Connects, migrates, and starts the writer. It ends when the sender of `jobs` is dropped.
    pub(crate) async fn open(
        url: &str,
        migrations: &[Migration],
        jobs: mpsc::Receiver<Job>,
        growth: watch::Sender<Growth>,
    ) -> Result<Self> {
        let server = Arc::new(Server::parse(url)?);
        let session = server.connect(Purpose::Write).await?;
        migrate::migrate(&session, migrations).await?;
        tokio::spawn(writer::run(server.clone(), session, jobs, growth));
        Ok(Postgres {
            readers: reader::Readers::new(server.clone()),
            claimer: Mutex::new(None),
            server,
            migrations: migrations.to_vec(),
        })
    }

    /// Runs a statement on one of the reading connections.
    pub(crate) async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        self.readers.query(sql, params).await
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
