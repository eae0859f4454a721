//! Reads whose text is made when they are asked, and whose cost is decided by who asks: on connections of their own, one at a
//! time on each, and with an end that the server keeps.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::fault;
use super::session::{self, Purpose, Server, Session};
use crate::{Result, Row, StoreError, Value};

/// How many run at once.
const PLACES: usize = 2;

type Place = Mutex<Option<Session>>;

/// Connections for searches.
pub(crate) struct Searchers {
    server: Arc<Server>,
    places: [Place; PLACES],
}

impl Searchers {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Searchers {
            server,
            places: Default::default(),
        }
    }

    /// Runs a statement, for `budget` at most; waiting for a turn counts. Asked again once, if the connection breaks.
    pub(crate) async fn query(
        &self,
        sql: &str,
        params: &[Value],
        budget: Duration,
    ) -> Result<Vec<Row>> {
        let work = async {
            let mut place = self.free().await;
            let found = ask(self.session(&mut place).await?, sql, params, budget).await;
            match found {
                Err(error) if fault::is_lost(&error) => {
                    *place = None;
                    Ok(ask(self.session(&mut place).await?, sql, params, budget).await)
                }
                done => Ok(done),
            }
        };
        match timeout(budget.saturating_mul(2), work).await {
            Ok(Ok(Ok(rows))) => Ok(rows),
            Ok(Ok(Err(error))) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                Err(StoreError::gave_up(budget))
            }
            Ok(Ok(Err(error))) => Err(error.into()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::gave_up(budget)),
        }
    }

    async fn session<'a>(&self, place: &'a mut Option<Session>) -> Result<&'a Session> {
        let open = place.take().filter(|held| !held.client.is_closed());
        let session = match open {
            Some(session) => session,
            None => self.server.connect(Purpose::Search).await?,
        };
        Ok(place.insert(session))
    }

    /// A place where nobody searches, or the first that becomes free.
    async fn free(&self) -> MutexGuard<'_, Option<Session>> {
        let idle = self.places.iter().find_map(|place| place.try_lock().ok());
        match idle {
            Some(place) => place,
            None => {
                let [one, other] = &self.places;
                tokio::select! {
                    place = one.lock() => place,
                    place = other.lock() => place,
                }
            }
        }
    }
}

async fn ask(
    session: &Session,
    sql: &str,
    params: &[Value],
    budget: Duration,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let limit = format!("SET statement_timeout = {}", budget.as_millis().max(1));
    session.client.batch_execute(&limit).await?;
    let params: Vec<_> = params.iter().map(session::as_param).collect();
    let rows = session.client.query(sql, &params).await?;
    rows.iter().map(session::row).collect()
}
