//! Reader threads: each owns a connection and its prepared statements, and takes the next query
//! from the common queue.

use std::sync::{Arc, mpsc as threads};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::statements::Statements;
use crate::{Result, Row, Value};

/// A question and where its answer goes.
pub(crate) struct Query {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Value>,
    /// The parameters are keys, as many as there are.
    pub(crate) many: bool,
    pub(crate) reply: oneshot::Sender<Result<Vec<Row>>>,
}

/// The queue that all readers take from.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Mutex<threads::Receiver<Query>>>);

impl Queue {
    pub(crate) fn new(queries: threads::Receiver<Query>) -> Self {
        Queue(Arc::new(Mutex::new(queries)))
    }

    /// Waits for a query. One reader waits in the channel, the others at the mutex.
    fn take(&self) -> Option<Query> {
        self.0.lock().recv().ok()
    }
}

/// Answers queries until the queue's other end is gone.
pub(crate) fn run(mut statements: Statements, queries: &Queue) {
    while let Some(query) = queries.take() {
        let found = match query.many {
            true => statements.find(query.sql, &query.params),
            false => statements.query(query.sql, &query.params),
        };
        let _ = query.reply.send(found);
    }
}
