//! Reads whose text is made when they are asked, and whose cost is decided by who asks: on connections of their own, so that
//! no other read waits behind them, and with an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{connect, statements};
use crate::{Result, Row, StoreError, Value, dialect};

/// How many run at once: a walk over a large table keeps a core busy.
const PLACES: usize = 2;

/// After how many of SQLite's steps it asks whether to go on: well under a millisecond.
const STEPS: i32 = 4096;

/// Connections for searches.
pub(crate) struct Searchers {
    free: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

/// Ends a search when nobody waits for it any more.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Searchers {
    pub(crate) fn open(place: &connect::Place) -> Result<Self> {
        let connections: Result<Vec<Connection>> =
            (0..PLACES).map(|_| connect::reader(place)).collect();
        Ok(Searchers {
            free: Arc::new(Mutex::new(connections?)),
            turns: Arc::new(Semaphore::new(PLACES)),
        })
    }

    /// Runs a statement, for `budget` at most; waiting for a turn counts.
    pub(crate) async fn query(
        &self,
        sql: &str,
        params: Vec<Value>,
        budget: Duration,
    ) -> Result<Vec<Row>> {
        let given_up = || StoreError::gave_up(budget);
        let text = dialect::sqlite_statement(sql);
        let unwanted = Arc::new(AtomicBool::new(false));
        let wanted = Wanted(Arc::clone(&unwanted));
        let work = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            let free = Arc::clone(&self.free);
            spawn_blocking(move || {
                let _turn = turn;
                let taken = free.lock().pop();
                let mut connection = taken.ok_or_else(stopped)?;
                let found = run(&mut connection, &text, &params, unwanted);
                free.lock().push(connection);
                found
            })
            .await
            .map_err(|_| stopped())?
        };
        let found = timeout(budget, work).await;
        drop(wanted);
        found.unwrap_or_else(|_| Err(given_up()))
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its searches have stopped".to_owned())
}

fn run(
    connection: &mut Connection,
    text: &str,
    params: &[Value],
    unwanted: Arc<AtomicBool>,
) -> Result<Vec<Row>> {
    connection.progress_handler(STEPS, Some(move || unwanted.load(Relaxed)))?;
    let found = connection
        .prepare(text)
        .map_err(StoreError::from)
        .and_then(|mut statement| statements::rows(&mut statement, params));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    found
}
