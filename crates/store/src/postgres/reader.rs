//! Reading connections. The driver pipelines, so that a few serve many callers; one that breaks
//! is made anew, and the question asked again: a question changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Mutex;

use super::fault;
use super::session::{Purpose, Server, Session};
use crate::{Result, Row, StoreError, Value};

/// How many connections read.
const READERS: usize = 4;

/// How often a question is asked when connections break under it.
const ATTEMPTS: usize = 3;

/// The reading connections of a database.
pub(crate) struct Readers {
    server: Arc<Server>,
    purpose: Purpose,
    next: AtomicUsize,
    sessions: [Mutex<Option<Arc<Session>>>; READERS],
}

impl Readers {
    pub(crate) fn new(server: Arc<Server>, purpose: Purpose) -> Self {
        Readers {
            server,
            purpose,
            next: AtomicUsize::new(0),
            sessions: Default::default(),
        }
    }

    /// Runs a statement on the next connection in turn.
    pub(crate) async fn query(&self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>> {
        self.ask(sql, params, false).await
    }

    /// Runs a statement about many keys on the next connection in turn.
    pub(crate) async fn find(&self, sql: &'static str, keys: &[Value]) -> Result<Vec<Row>> {
        self.ask(sql, keys, true).await
    }

    async fn ask(&self, sql: &'static str, params: &[Value], many: bool) -> Result<Vec<Row>> {
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let session = self.session().await?;
            let answer = match many {
                true => session.find(sql, params).await,
                false => session.query(sql, params).await,
            };
            match answer {
                Ok(rows) => return Ok(rows),
                Err(error) if fault::is_lost(&error) => lost = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(lost.map_or_else(
            || StoreError::Unavailable("it was not asked".to_owned()),
            StoreError::from,
        ))
    }

    async fn session(&self) -> Result<Arc<Session>> {
        let turn = self.next.fetch_add(1, Relaxed) % READERS;
        let mut place = self.sessions[turn].lock().await;
        if let Some(session) = place.as_ref().filter(|held| !held.client.is_closed()) {
            return Ok(session.clone());
        }
        let session = Arc::new(self.server.connect(self.purpose).await?);
        *place = Some(session.clone());
        Ok(session)
    }
}
