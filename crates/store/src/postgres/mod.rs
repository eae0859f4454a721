//! PostgreSQL: for more than one node. The row `log_head` is the queue at the door: whoever
//! appends to the log holds it, so that the log has one order whichever node writes.

pub(crate) mod backup;
mod fault;
mod pipeline;
mod reader;
mod session;
mod tls;
mod types;
mod writer;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::{
    Migration, Result, Row, Value,
    batch::{Growth, Job},
};
use session::Purpose;
pub(crate) use session::Server;

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    server: Arc<Server>,
    readers: reader::Readers,
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
        writer::migrate(&session, migrations).await?;
        tokio::spawn(writer::run(server.clone(), session, jobs, growth));
        Ok(Postgres {
            readers: reader::Readers::new(server.clone()),
            server,
            migrations: migrations.to_vec(),
        })
    }

    /// Runs a statement on one of the reading connections.
    pub(crate) async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        self.readers.query(sql, params).await
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
